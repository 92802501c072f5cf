"""Rows that are set apart for validation: of each class its share, and only such as count."""

import warnings

import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron._held_out import set_apart

from .many_rows import CODES, LABELS, N


@pytest.mark.parametrize("weighted", [False, True])
def test_of_each_class_its_share_is_set_apart(weighted):
    weight = (np.random.default_rng(0).random(N) < 0.9).astype(float) if weighted else None
    counted = np.ones(N, dtype=bool) if weight is None else weight > 0
    neuron = NeuronClassifier(validation_fraction=0.2, random_state=0)
    apart = set_apart(neuron, N, LABELS["words"], weight)
    assert apart.sum() == np.ceil(0.2 * counted.sum())
    assert not np.any(apart & ~counted)
    sizes, of_them = np.bincount(CODES[counted]), np.bincount(CODES[apart])
    assert np.abs(of_them - 0.2 * sizes).max() <= 1
    again = set_apart(neuron, N, LABELS["words"], weight)
    np.testing.assert_array_equal(apart, again)


def test_of_numbers_any_rows_are_set_apart():
    y = np.random.default_rng(0).standard_normal(N)
    apart = set_apart(NeuronRegressor(random_state=0), N, y)
    assert apart.sum() == np.ceil(0.1 * N)


@pytest.mark.parametrize("seed", range(5))
def test_validation_rows_that_are_set_apart_count(seed):
    X = np.random.default_rng(0).standard_normal((120, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0]
    weight = np.zeros(len(X))
    weight[:4] = 1
    with warnings.catch_warnings():
        # One validation row may be no better off by any step.
        warnings.simplefilter("ignore", NeuronWarning)
        neuron = NeuronRegressor(early_stopping=True, random_state=seed).fit(X, y, weight)
    assert np.all(np.isfinite(neuron.history_["validation_loss"]))
