"""The best neurons with a bias alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.null_model import NullModel
from sknneuron.pairing import make_pair
from sknneuron.sources import ArraySource

PAIRS = [
    ("identity", "squared_error"),
    ("identity", "absolute_error"),
    ("tanh", "squared_error"),
    ("exp", "poisson"),
    ("exp", "gamma"),
    ("sigmoid", "log_loss"),
    ("softmax", "log_loss"),
]
N_ROWS = 61


def null_model(activation, loss, *, weighted=False, fit_intercept=True):
    rng = np.random.default_rng(0)
    pair = make_pair(activation, loss, classifier=loss == "log_loss")
    n_outputs = 3 if pair.coupled else 2
    if pair.coupled:
        y = rng.integers(0, 3, N_ROWS)
    elif loss == "log_loss":
        y = rng.integers(0, 2, (N_ROWS, 2)).astype(float)
    else:
        y = rng.gamma(2.0, 0.2, (N_ROWS, 2))
    weight = rng.uniform(0, 2, N_ROWS) if weighted else None
    return NullModel(ArraySource(np.ones((N_ROWS, 1)), y, weight), pair, n_outputs, fit_intercept)


def mean_loss(model, bias):
    source = model.source
    terms = model.pair.constant_terms(source.y, bias).sum(axis=-1)
    return np.average(terms, weights=source.sample_weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_no_other_bias_has_a_lower_loss(pair, weighted):
    model = null_model(*pair, weighted=weighted)
    assert model.bias.shape == (model.n_outputs,)
    assert_allclose(model.value, mean_loss(model, model.bias), rtol=1e-12)
    for k in range(model.n_outputs):
        for change in (-0.01, 0.01):
            other = model.bias + change * (np.arange(model.n_outputs) == k)
            assert mean_loss(model, other) >= model.value - 1e-12


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_without_a_bias(pair):
    model = null_model(*pair, fit_intercept=False)
    assert not model.bias.any()
    assert_allclose(model.value, mean_loss(model, np.zeros(model.n_outputs)), rtol=1e-12)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_absolute_terms_do_not_cancel(pair):
    model = null_model(*pair)
    terms = model.pair.constant_terms(model.source.y, model.bias)
    assert_allclose(model.absolute, np.abs(terms).sum() / N_ROWS, rtol=1e-12)
