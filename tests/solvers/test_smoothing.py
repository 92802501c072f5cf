"""Losses with a kink on neurons that are not convex: which valley, and down to its bottom."""

import numpy as np
import pytest
from scipy.optimize import minimize

from sknneuron import NeuronRegressor
from sknneuron.pairing import make_pair
from sknneuron.solvers.base import Goal
from sknneuron.solvers.levenberg_marquardt import LevenbergMarquardt
from sknneuron.solvers.smoothing import Smoothed, measured

from .test_levenberg_marquardt import make_objective

ALPHA = 1e-3

pytestmark = [
    # Targets past what the activation reaches, and hardly a thing to gain: made to be so.
    pytest.mark.filterwarnings("ignore:activation=.*out of reach"),
    pytest.mark.filterwarnings("ignore:NeuronRegressor predicts the same for every row"),
    pytest.mark.filterwarnings("ignore:The penalty leaves little"),
]


def noisy_rows(seed, n_outputs=1, scale=1.0):
    """Products of two columns' sums, which no neuron fits, under three times as much noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((120, 3))
    z = X @ rng.standard_normal((3, 2 * n_outputs))
    y = z[:, :n_outputs] * z[:, n_outputs:] + 3 * rng.standard_normal((120, n_outputs))
    return X, scale * y


def lowest_of_random_starts(pair, X, y, n_starts=20):
    """The lowest objective that scipy's L-BFGS-B ends at."""
    rng = np.random.default_rng(1)
    A = np.c_[X, np.ones(len(X))]

    def objective(theta):
        terms, slope, _ = pair.derivatives(y, (A @ theta)[:, None], 1)
        shrunk = np.r_[theta[:-1], 0.0]
        value = np.mean(terms) + 0.5 * ALPHA * shrunk @ shrunk
        return value, slope[:, 0] @ A / len(A) + ALPHA * shrunk

    starts = rng.standard_normal((n_starts, A.shape[1])) * rng.choice([0.3, 3, 30], (n_starts, 1))
    return min(minimize(objective, start, jac=True, method="L-BFGS-B").fun for start in starts)


@pytest.mark.parametrize(
    ("activation", "loss", "scale"),
    [("relu", "absolute_error", 1.0), ("tanh", "absolute_error", 1.0), ("gelu", "huber", 30.0)],
)
def test_the_valley_is_that_of_the_true_loss(activation, loss, scale):
    """Squares of residuals, which a wide smoothing takes, would rather be in another one."""
    lost = []
    for seed in range(8):
        X, y = noisy_rows(seed, scale=scale)
        neuron = NeuronRegressor(activation, loss, alpha=ALPHA, tol=1e-6, random_state=0)
        neuron.fit(X, y[:, 0])
        best = lowest_of_random_starts(make_pair(activation, loss), X, y)
        null = neuron.history_["objective"][0]
        lost.append((neuron.objective_ - best) / (null - best))
        assert neuron.converged_
    assert np.mean(np.maximum(lost, 0)) < 1e-3


@pytest.mark.parametrize("activation", ["silu", "gelu"])
@pytest.mark.parametrize("seed", [1, 7])
def test_steps_without_all_of_the_curvature_come_to_an_end(activation, seed):
    """Of three outputs there is always one that Gauss-Newton's model does not fit."""
    X, y = noisy_rows(seed, n_outputs=3, scale=20.0)
    neuron = NeuronRegressor(activation, "huber", alpha=ALPHA, tol=1e-6, random_state=0)
    assert neuron.fit(X, y).converged_


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softsign"])
def test_a_neuron_that_is_best_dead_leaves_the_others_alone(activation):
    rng = np.random.default_rng(0)
    X = np.exp(rng.standard_normal((60, 2)))
    z = X @ rng.standard_normal(2)
    low = np.where(rng.random(60) < 0.1, 0.3, -1.0) - 0.2 * rng.random(60)
    y = np.c_[0.5 + 0.5 * np.tanh(z) + 0.3 * rng.standard_normal(60), low]
    neuron = NeuronRegressor(activation, "absolute_error", alpha=1e-5, tol=1e-6, random_state=0)
    assert neuron.fit(X, y).converged_
    reached, null = neuron.objective_, neuron.history_["objective"][0]
    apart = sum(neuron.fit(X, column).objective_ for column in y.T)
    assert reached - apart <= 1e-5 * (null - apart)


@pytest.mark.parametrize(("activation", "gap"), [("identity", 0.0), ("tanh", np.nan)])
def test_what_lies_lower_than_a_valley_goes_is_not_its_bottom(activation, gap):
    """The path of a loss that is not convex may lead into another valley, of unknown depth."""
    X, y = noisy_rows(0)
    objective = make_objective(X, y, activation, "absolute_error")
    goal = Goal(1e-6, objective.null_value, objective)
    end = measured(objective, objective.null(), gap=-1e-3 * objective.null_value)
    lower = Smoothed(LevenbergMarquardt())._lower(objective, end, 1e-9, goal)
    assert (lower is None) == (activation == "identity")
    assert end.gap == pytest.approx(gap, nan_ok=True)


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
def test_a_level_may_fall_to_zero_as_all_targets_do(solver):
    """The loss is then the least number that a float holds, and leaves no width to go on with."""
    X = np.random.default_rng(0).standard_normal((6, 2))
    neuron = NeuronRegressor("exp", "absolute_error", solver=solver).fit(X, np.zeros(6))
    assert neuron.converged_
    assert neuron.objective_ < 1e-300
