"""Many targets are encoded, weighted and set apart a part at a time: as all at once would be."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron._class_weights import class_weighted
from sknneuron._held_out import set_apart
from sknneuron._targets import ROWS_AT_ONCE
from sknneuron.losses import get_loss

N = 2 * ROWS_AT_ONCE + 1000
rng = np.random.default_rng(0)
CODES = rng.choice(3, N, p=[0.6, 0.3, 0.1])
LABELS = {
    "words": np.array(["no", "perhaps", "yes"])[CODES],
    "objects": np.array(["no", "perhaps", "yes"], dtype=object)[CODES],
    "whole numbers": CODES + 5,
    "floats": CODES * 2.0,
    "two words": np.array(["no", "yes"])[CODES // 2],
    "truth": CODES == 2,
    "column": CODES[:, None],
}


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_bytes_are_those_in_floats(kind, loss):
    y = LABELS[kind]
    targets = NeuronClassifier(loss=loss)._learn_targets(y)
    compact, encoded = targets.encode_compact(y), targets.encode(y)
    assert compact.dtype.itemsize == 1
    assert compact.shape == encoded.shape
    np.testing.assert_array_equal(compact, encoded)


def test_an_indicator_in_bytes_is_that_in_floats():
    y = np.stack([CODES == 0, CODES == 2], axis=1).astype(int)
    targets = NeuronClassifier()._learn_targets(y)
    np.testing.assert_array_equal(targets.encode_compact(y), targets.encode(y))


@pytest.mark.parametrize("class_weight", ["balanced", "by name"])
@pytest.mark.parametrize("kind", ["words", "objects", "whole numbers", "floats", "column"])
def test_class_weights_are_those_of_scikit_learn(kind, class_weight):
    y = LABELS[kind]
    if class_weight == "by name":
        class_weight = dict(zip(np.unique(y).tolist(), (0.5, 1.0, 3.0), strict=True))
    expected = compute_sample_weight(class_weight, y)
    np.testing.assert_allclose(class_weighted(y, class_weight, None), expected, rtol=1e-14)
    twice = class_weighted(y, class_weight, np.full(N, 2.0))
    np.testing.assert_allclose(twice, 2 * expected, rtol=1e-14)


def test_weights_that_were_given_are_left_as_they_are():
    weight = rng.random(N)
    before = weight.copy()
    class_weighted(CODES, "balanced", weight)
    np.testing.assert_array_equal(weight, before)


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.77])
def test_the_best_level_is_a_quantile(quantile):
    y = rng.standard_normal((1001, 2))
    loss = get_loss("quantile")
    loss.quantile = quantile
    expected = np.quantile(y, quantile, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(loss.optimal_level(y), expected)
    np.testing.assert_array_equal(loss.optimal_level(y, np.ones(1001)), expected)


@pytest.mark.parametrize("weight", [None, rng.random(N)], ids=["alike", "weights"])
def test_the_best_level_of_many_rows_has_no_slope(weight):
    y, loss = rng.standard_t(3, (N, 1)), get_loss("huber")
    level = loss.optimal_level(y, weight)
    slope = np.average(loss.derivative(y, level), axis=0, weights=weight)
    assert abs(slope) < 1e-12


@pytest.mark.parametrize("weighted", [False, True])
def test_of_each_class_its_share_is_set_apart(weighted):
    weight = (rng.random(N) < 0.9).astype(float) if weighted else None
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
    apart = set_apart(NeuronRegressor(random_state=0), N, rng.standard_normal(N))
    assert apart.sum() == np.ceil(0.1 * N)
