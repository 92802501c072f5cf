"""What is multiplied in float32 changes how fast the optimum is reached, not which."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.kernels import Single
from sknneuron.objective import Objective
from sknneuron.pairs import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.descent import Descent
from sknneuron.sources import ArraySource

N_ROWS, N_FEATURES = 40_000, 12


def rows(kind, rng):
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    if kind == "far from zero":
        return X + 3000 * rng.random(N_FEATURES)
    if kind == "own units":
        return X * np.geomspace(1e-1, 1e5, N_FEATURES) + np.geomspace(1, 5e5, N_FEATURES)
    if kind == "collinear":
        X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    if kind == "one-hot and a year":
        X = np.eye(N_FEATURES)[rng.integers(0, N_FEATURES - 1, N_ROWS)]
        X[:, -1] = rng.integers(1900, 2020, N_ROWS)
    return X


def objective_of(X, y, n_neurons=1):
    pair = ("softmax", "log_loss") if n_neurons > 1 else ("sigmoid", "log_loss")
    targets = y if n_neurons > 1 else y[:, None].astype(float)
    pair = make_pair(*pair, classifier=True)
    return Objective(ArraySource(X, targets), pair, ElasticNet(1e-6, 0.0), n_neurons)


@pytest.mark.parametrize("strength", [1.0, 0.01, 30.0])
@pytest.mark.parametrize(
    "kind", ["plain", "far from zero", "own units", "collinear", "one-hot and a year"]
)
def test_float32_rows_keep_the_promise_of_float64(kind, strength):
    rng = np.random.default_rng(7)
    X = rows(kind, rng).astype(np.float32)
    wide = X.astype(np.float64)
    z = strength * ((wide - wide.mean(axis=0)) / wide.std(axis=0)) @ rng.standard_normal(N_FEATURES)
    y = (rng.random(N_ROWS) < 1 / (1 + np.exp(-z))).astype(int)
    # Sorted: sums over a block are far from zero.
    order = np.argsort(y, kind="stable")
    X, wide, y = X[order], wide[order], y[order]
    judge = objective_of(wide, y)

    def value(rows, tol):
        neuron = NeuronClassifier(alpha=1e-6, tol=tol).fit(rows, y)
        assert neuron.converged_
        return judge.total(judge.from_weights(neuron.coef_, neuron.intercept_))

    best = value(wide, 1e-13)
    for tol in (1e-4, 1e-6, 1e-8, 1e-10):
        allowed = tol * (judge.null_value - best) + 1e-15
        assert value(X, tol) - best <= allowed


def test_float32_rows_are_widened_for_a_tight_tolerance_only():
    rng = np.random.default_rng(0)
    X = rows("plain", rng).astype(np.float32)
    objective = objective_of(X, (X[:, 0] + rng.standard_normal(N_ROWS) > 0).astype(int))
    assert Single.ROWS in objective.quicker_in_single

    def descent_to(gap):
        descent = Descent(objective, lambda value, theta: gap)
        *_, last = descent.iterate(objective.null())
        assert last.last
        return descent

    assert Single.ROWS in descent_to(1e-6).single
    assert Single.ROWS not in descent_to(1e-13).single


@pytest.mark.parametrize("n_neurons", [1, 3])
def test_a_hessian_in_float32_is_nearly_that_in_float64(n_neurons):
    rng = np.random.default_rng(1)
    X = rows("far from zero", rng)
    objective = objective_of(X, rng.integers(0, max(n_neurons, 2), N_ROWS), n_neurons)
    theta = 0.1 * rng.standard_normal(objective.shape)
    value, gradient, exact = objective.value_gradient_hessian(theta)
    found = objective.value_gradient_hessian(theta, single=Single.HESSIAN)
    assert found[0] == value
    assert np.array_equal(found[1], gradient)
    assert not np.array_equal(found[2], exact)
    assert np.allclose(found[2], exact, atol=1e-6)


@pytest.mark.parametrize("kind", ["collinear", "too large for float32"])
def test_a_hessian_that_float32_cannot_hold_is_taken_in_float64(kind):
    rng = np.random.default_rng(2)
    X = rows(kind, rng)
    if kind == "too large for float32":
        X *= 1e30
    y = (X[:, 2] > 0).astype(int) ^ (rng.random(N_ROWS) < 0.3)
    objective = objective_of(X, y)
    descent = Descent(objective, lambda value, theta: 1e-10)
    *_, last = descent.iterate(objective.null())
    assert descent.single is Single.NONE
    assert not last.message


def test_counts_in_float32_far_from_zero():
    rng = np.random.default_rng(3)
    X = (rows("far from zero", rng)).astype(np.float32)
    y = rng.poisson(np.exp(0.3 * (X[:, 0] - X[:, 0].mean()) + 3.0)).astype(float)
    narrow, wide = (
        NeuronRegressor("exp", "poisson", alpha=0, tol=1e-10).fit(rows, y)
        for rows in (X, X.astype(np.float64))
    )
    assert np.allclose(narrow.coef_, wide.coef_, atol=1e-6)
