"""Starts where a column has nothing to tell: constant, as a category that a fold has none of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron import NeuronRegressor
from sknneuron.activations import get_activation
from sknneuron.losses import Tweedie

pytestmark = pytest.mark.filterwarnings("ignore:activation=.*out of reach")


def rows(constant, activation, seed, n_rows=20):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 3))
    X[:, 0] = constant
    y = get_activation(activation)(X[:, 1] - X[:, 2]) + 0.3 * rng.standard_normal(n_rows)
    return X, np.clip(y, -0.95, 0.95) if activation == "tanh" else y


@pytest.mark.parametrize("constant", [0.0, 1.0, 3.7, 1e5 + 0.1])
@pytest.mark.parametrize("activation", ["relu", "exp", "gelu", "tanh"])
def test_a_constant_column_changes_nothing(activation, constant):
    """Its mean is off by rounding, which is not to be taken for a spread of its own."""
    for seed in range(8):
        X, y = rows(constant, activation, seed)
        neuron = NeuronRegressor(activation, alpha=0, random_state=0).fit(X, y)
        without = NeuronRegressor(activation, alpha=0, random_state=0).fit(X[:, 1:], y)
        assert neuron.converged_
        assert_allclose(neuron.objective_, without.objective_, rtol=1e-6)
        assert_allclose(neuron.coef_[0], 0.0, atol=1e-9)


def test_a_column_without_a_row_that_counts_gets_no_weight():
    X, y = rows(0.0, "gelu", seed=0)
    X[-1, 0] = 1.0
    weight = np.r_[np.ones(len(y) - 1), 0.0]
    neuron = NeuronRegressor("gelu", alpha=0, fit_intercept=False, random_state=0)
    assert_allclose(neuron.fit(X, y, sample_weight=weight).coef_[0], 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("activation", "loss", "target"),
    [("cloglog", Tweedie(-1.0), 0.05), ("exp", Tweedie(-1.0), 1.0), ("tanh", "squared_error", 1.0)],
)
def test_one_row_gets_no_weights(activation, loss, target):
    """There is no spread for random weights to be measured by."""
    neuron = NeuronRegressor(activation, loss, alpha=0, random_state=0)
    neuron.fit([[3.7, 0.2]], [target])
    assert_allclose(neuron.predict([[0.0, 1.0]]), target, atol=1e-3)
    assert_allclose(neuron.coef_, 0.0, atol=1e-9)
