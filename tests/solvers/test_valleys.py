"""An L1 norm on pairs that are not convex: none stays dead, nor in the first valley it meets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from sknneuron import NeuronRegressor
from sknneuron.activations import get_activation
from sknneuron.losses import get_loss

WEIGHTS = np.array([1.0, -2.0, 0.0, 0.0, 0.5])
ALPHA = 1e-3


def rows(activation, seed=0, n_rows=300):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 5))
    return X, get_activation(activation)(X @ WEIGHTS) + 0.01 * rng.standard_normal(n_rows) ** 2


def lowest_near_the_truth(activation, loss, X, y):
    """Where scipy ends that begins at the true weights."""
    f, loss = get_activation(activation), get_loss(loss)

    def objective(w):
        return np.mean(loss(y, f(X @ w))) + ALPHA * np.abs(w).sum()

    return minimize(objective, WEIGHTS, method="Powell", options={"xtol": 1e-8}).fun


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error"])
def test_a_relu_without_a_bias_does_not_stay_dead(loss, n_outputs):
    """All weights at zero it is silent on every row, and no slope leads away from there."""
    X, y = rows("relu")
    neuron = NeuronRegressor("relu", loss, alpha=ALPHA, l1_ratio=1.0, fit_intercept=False)
    neuron.set_params(random_state=0).fit(X, np.column_stack([y] * n_outputs))
    assert neuron.converged_
    best = lowest_near_the_truth("relu", loss, X, y)
    assert_allclose(neuron.objective_, n_outputs * best, rtol=1e-3)


def test_a_relu_without_a_bias_and_with_many_features_is_not_dead():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 60))
    y = np.maximum(X[:, :5] @ WEIGHTS, 0)
    neuron = NeuronRegressor("relu", alpha=0.01, l1_ratio=1.0, fit_intercept=False, random_state=0)
    assert neuron.fit(X, y).score(X, y) > 0.95


def test_an_l1_norm_does_not_keep_a_neuron_out_of_the_best_valley():
    """Rows far out on both sides: from the constant the slope leads to the wrong branch."""
    lost = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((30, 3))
        y = get_activation("gelu")(4 * X @ rng.standard_normal(3) - 3) + rng.random(30)
        neuron = NeuronRegressor("gelu", alpha=1e-4, random_state=0).fit(X, y)
        with_l1 = NeuronRegressor("gelu", alpha=1e-4, l1_ratio=1.0, random_state=0).fit(X, y)
        gain = with_l1.history_["objective"][0] - neuron.objective_
        penalty = 1e-4 * np.abs(neuron.coef_).sum()
        lost.append((with_l1.objective_ - neuron.objective_ - penalty) / gain)
    assert max(lost) < 1e-3
