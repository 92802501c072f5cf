"""Weighted sums that are more than a float holds."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 3))
# Sums of each row's terms overflow one way, another, and both ways at once.
HUGE = np.array([[1e308, 1e308, -1e308], [1e308, -1e308, 1e308], [-1.7e308, 1.7e308, 1.7e308]])
COEF = np.array([[160.0, 4.0, -14.5], [-30.0, 160.0, 2.0], [3.0, -20.0, 160.0]])
# What z is in units of 1e308, which holds.
EXACT = (HUGE / 1e308) @ COEF.T


def classifier(n_classes, activation="auto"):
    y = np.arange(90) % n_classes
    neurons = NeuronClassifier(activation, alpha=1).fit(X, y)
    neurons.coef_ = COEF[: len(neurons.coef_)].copy()
    return neurons


def forms(rows):
    return {
        "array": rows,
        "by columns": np.asfortranarray(rows),
        "sparse": sparse.csr_array(rows),
        "float32": (rows / 1e270).astype(np.float32),
    }


@pytest.mark.parametrize("form", forms(HUGE))
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "probit", "cloglog", "softsign"])
def test_a_class_is_certain_where_z_overflows(activation, form):
    neuron, rows = classifier(2, activation), forms(HUGE)[form]
    is_second = EXACT[:, 0] > 0
    assert is_second.any()
    assert not is_second.all()
    with pytest.warns(NeuronWarning, match=r"weighted sum z of \d rows, the first in row 0, is m"):
        probability = neuron.predict_proba(rows)
    assert np.array_equal(probability, np.c_[~is_second, is_second])
    with pytest.warns(NeuronWarning, match="weighted sum"):
        assert np.array_equal(neuron.predict(rows), is_second)


@pytest.mark.parametrize("form", forms(HUGE))
def test_the_largest_of_sums_that_overflow_wins_a_softmax(form):
    neurons, rows = classifier(3), forms(HUGE)[form]
    first = EXACT.argmax(axis=1)
    assert len(set(first)) > 1
    with pytest.warns(NeuronWarning, match="weighted sum"):
        assert np.array_equal(neurons.predict_proba(rows), np.eye(3)[first])
    with pytest.warns(NeuronWarning, match="weighted sum"):
        log_probability = neurons.predict_log_proba(rows)
    assert np.all(log_probability[np.eye(3)[first] == 1] == 0)
    assert np.all(log_probability[np.eye(3)[first] == 0] < -1e30)
    with pytest.warns(NeuronWarning, match="weighted sum"):
        assert np.array_equal(neurons.predict(rows), first)


def test_what_does_not_overflow_is_as_it_was():
    """The other rows, and the other neurons of a row that does."""
    both = np.vstack([X, HUGE])
    y = np.c_[X[:, 0], X[:, 1]]
    neurons = NeuronRegressor().fit(X, y)
    neurons.coef_ = np.array([[100.0, 100.0, -100.0], [1e-290, 0, 0]])
    expected = X @ neurons.coef_.T + neurons.intercept_
    with pytest.warns(NeuronWarning, match="weighted sum"):
        z = neurons.pre_activation(both)
    np.testing.assert_allclose(z[:90], expected, rtol=1e-13)
    np.testing.assert_allclose(z[90:, 1], HUGE[:, 0] * 1e-290 + neurons.intercept_[1], rtol=1e-13)
    assert np.array_equal(np.sign(z[90:, 0]), np.sign(HUGE / 1e308 @ [1, 1, -1]))
    assert np.all(np.abs(z[90:, 0]) > 1e307)


def test_float32_rows_whose_terms_cancel_have_their_sum():
    neuron = NeuronRegressor().fit(X, X[:, 0])
    neuron.coef_ = np.array([1e10, -1e10, 1.0])
    rows = np.array([[1e30, 1e30, 7.0]], dtype=np.float32)
    with pytest.warns(NeuronWarning, match="give it as float64"):
        level = neuron.predict(rows)
    assert level.dtype == np.float32
    np.testing.assert_allclose(level, 7 + neuron.intercept_, rtol=1e-6)


def test_a_layer_has_levels_where_z_overflows():
    layer = NeuronLayer(3, "tanh", random_state=0, alpha=1e-3).fit(X, X[:, 0])
    layer.coef_ = COEF
    with pytest.warns(NeuronWarning, match="weighted sum"):
        assert np.array_equal(layer.transform(HUGE), np.sign(EXACT))


def test_weights_that_are_missing_are_not_blamed_on_the_rows():
    neuron = NeuronRegressor().fit(X, X[:, 0])
    neuron.coef_ = np.full(3, np.nan)
    # A warning is an error here.
    assert np.all(np.isnan(neuron.predict(X)))


def test_a_bias_that_float32_does_not_hold():
    neuron = NeuronRegressor().fit(X, X[:, 0])
    neuron.coef_, neuron.intercept_ = np.zeros(3), -1e60
    with pytest.warns(NeuronWarning, match="more than a float32 holds"):
        levels = neuron.predict(np.zeros((2, 3), dtype=np.float32))
    assert np.all(np.isfinite(levels))
    assert np.all(levels < -1e37)
