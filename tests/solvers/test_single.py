"""What is multiplied in float32 changes how fast the optimum is reached, not which."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.kernels import LossSums, Single
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.descent import Descent
from sknneuron.solvers.linear_algebra import SpdSolver
from sknneuron.solvers.sample import Sample
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


def teacher(activation, rng, mean=0.0, n_neurons=1):
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    z = X @ rng.normal(scale=0.5, size=(N_FEATURES, n_neurons))
    pair = make_pair(activation, "squared_error")
    y = pair.level(z) + 0.1 * rng.standard_normal(z.shape) + mean
    low, high = pair.activation.range
    return X, np.clip(y, max(low, -1e9) + 1e-9, min(high, 1e9) - 1e-9)


@pytest.mark.parametrize(
    ("activation", "mean"),
    [("tanh", 0.0), ("softplus", 0.0), ("gelu", 0.0), ("softplus", 30.0), ("gelu", 30.0)],
)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_levels_in_float32_keep_the_promise_of_float64(activation, mean, is_weighted):
    rng = np.random.default_rng(5)
    X, y = teacher(activation, rng, mean)
    weight = rng.integers(0, 3, N_ROWS).astype(float) if is_weighted else None
    pair = make_pair(activation, "squared_error")
    judge = Objective(ArraySource(X, y, weight), pair, ElasticNet(1e-4, 0.0), 1)

    def value(tol):
        neuron = NeuronRegressor(activation, alpha=1e-4, tol=tol, random_state=0)
        neuron.fit(X, y[:, 0], sample_weight=weight)
        assert neuron.converged_
        found = judge.total(judge.from_weights(neuron.coef_, neuron.intercept_))
        allowed = tol * (judge.null_value - found)
        assert abs(neuron.objective_ - found) <= allowed + 1e-12 * abs(found)
        return found

    best = value(1e-12)
    for tol in (1e-4, 1e-6):
        assert value(tol) - best <= tol * (judge.null_value - best)


@pytest.mark.parametrize(
    ("activation", "mean", "tol", "are_single"),
    [
        ("tanh", 0.0, 1e-6, True),
        ("softplus", 0.0, 1e-6, True),
        # No digits of float32 are left for what levels are apart by.
        ("softplus", 1e6, 1e-6, False),
        ("gelu", 1e6, 1e-6, False),
        ("tanh", 0.0, 1e-7, False),
        # A row's side of a kink matters to the last bit.
        ("relu", 0.0, 1e-6, False),
    ],
)
def test_levels_are_float32_where_nobody_can_tell(monkeypatch, activation, mean, tol, are_single):
    X, y = teacher(activation, np.random.default_rng(6), mean)
    seen = []
    sums = LossSums.__call__

    def noted(kernel, *args):
        seen.append(Single.LEVELS in kernel.single)
        return sums(kernel, *args)

    monkeypatch.setattr(LossSums, "__call__", noted)
    NeuronRegressor(activation, alpha=1e-4, tol=tol, random_state=0).fit(X, y[:, 0])
    assert any(seen) == are_single


def test_levels_in_float32_of_sums_that_are_float64():
    X, y = teacher("tanh", np.random.default_rng(7), n_neurons=2)
    pair = make_pair("tanh", "squared_error")
    objective = Objective(ArraySource(X, y), pair, ElasticNet(1e-4, 0.0), 2)
    theta = np.random.default_rng(8).standard_normal(objective.shape)
    exact = objective.value_and_gradient(theta)
    rough = objective.value_and_gradient(theta, Single.LEVELS)
    for found, expected in zip(rough, exact, strict=True):
        assert found.dtype == np.float64
        assert not np.array_equal(found, expected)
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-8)
    factor = SpdSolver(objective.value_gradient_hessian(theta, gauss_newton=True)[2])
    sample = Sample(objective.subsample(objective.sample_rows(500)))
    moved, off = sample.noise_of_levels(theta, factor)
    error = rough[1] - exact[1]
    # An estimate, of which a hundredth of what is allowed is taken.
    assert 0 < 0.5 * np.sum(error * factor(error)) <= 10 * moved <= 1e-12
    assert abs(rough[0] - exact[0]).sum() <= off <= 1e-7
