"""Two straight pieces in each row: the path to the optimum, and what it says is left."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from sknneuron.solvers.central_path import CentralPath, Pieces


def problem(seed, n_rows=60, size=4, n_weights=0, l2=1e-3, softness=0.0):
    """Random rows in two parts, of random slopes and weights, some of them soft."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.standard_normal((size, n_rows // 3)),
        rng.standard_normal((size, 2 * n_rows // 3)),
    ]
    kink = rng.standard_normal(n_rows)
    below = -rng.random(n_rows) / n_rows
    above = rng.random(n_rows) / n_rows
    if n_weights:
        columns.append(np.eye(size)[:, :n_weights])
        kink = np.r_[kink, np.zeros(n_weights)]
        below, above = np.r_[below, np.full(n_weights, -0.1)], np.r_[above, np.full(n_weights, 0.1)]
    linear = 0.01 * rng.standard_normal(size) if l2 else np.zeros(size)
    soft = n_rows * softness * rng.choice([0.0, 1.0, 30.0], n_rows)
    soft = np.r_[soft, np.zeros(n_weights)]
    return Pieces(columns, kink, below, above, soft, linear, np.full(size, l2), n_weights, 3.0)


def at(pieces, theta):
    return pieces.value(theta, pieces.distances(theta))


def least(pieces):
    """The least sum, by a linear program over the parts of t above and below zero."""
    C, n = np.concatenate(pieces.columns, axis=1), len(pieces.kink)
    cost = np.r_[pieces.linear, pieces.above, -pieces.below]
    equal = np.c_[C.T, -np.eye(n), np.eye(n)]
    bounds = [(None, None)] * len(C) + [(0, None)] * (2 * n)
    return linprog(cost, A_eq=equal, b_eq=pieces.kink, bounds=bounds).fun


@pytest.mark.parametrize("seed", range(10))
def test_least_sum(seed):
    pieces = problem(seed, l2=0.0)
    path = CentralPath(pieces, np.zeros(4))
    path.follow(1e-12)
    assert path.value() == pytest.approx(least(pieces), rel=1e-9)
    assert path.gap <= 1e-12


@pytest.mark.parametrize("softness", [0.0, 1.0])
@pytest.mark.parametrize("n_weights", [0, 3])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_is_no_less_than_it_is(seed, n_weights, softness):
    pieces = problem(seed, n_weights=n_weights, softness=softness)
    end = CentralPath(pieces, np.zeros(4))
    end.follow(1e-14)
    path, n_steps = CentralPath(pieces, np.zeros(4)), 0
    while path.gap > 1e-10:
        assert path.gap >= path.value() - end.value() - 1e-15
        assert path.value() == pytest.approx(at(pieces, path.theta), rel=1e-12)
        path.advance()
        n_steps += 1
    assert 3 < n_steps < 30
    # Nothing near is lower.
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-3, 1e-5):
        for step in size * rng.standard_normal((20, 4)):
            assert at(pieces, path.theta + step) > end.value() - 1e-14


@pytest.mark.parametrize("seed", range(3))
def test_derivatives(seed):
    pieces, rng = problem(seed), np.random.default_rng(seed)
    theta, weights = rng.standard_normal(4), rng.random(60)

    def smooth(theta):
        return (
            weights @ pieces.distances(theta) ** 2 / 2
            + pieces.linear @ theta
            + 0.5 * pieces.l2 @ theta**2
        )

    gradient = pieces.gradient(theta, weights * pieces.distances(theta))
    steps = 1e-5 * np.eye(4)
    numeric = [(smooth(theta + s) - smooth(theta - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7)
    change = pieces.gradient(theta + steps[0], weights * pieces.distances(theta + steps[0]))
    np.testing.assert_allclose((change - gradient) / 1e-5, pieces.hessian(weights)[0], rtol=1e-6)


def test_a_weight_ends_at_zero_where_its_penalty_holds_it():
    pieces = problem(0, n_weights=4)
    path = CentralPath(pieces, np.full(4, 0.5))
    path.follow(1e-13)
    theta, value = path.end()
    held = theta == 0
    assert 0 < held.sum() < 4
    np.testing.assert_allclose(theta, path.theta, atol=1e-9)
    assert value <= path.value() + 1e-12
    # As a solver that knows nothing of zeros has it.
    other = minimize(lambda x: at(pieces, x), theta + 0.01, method="Powell", tol=1e-12)
    assert value <= other.fun + 1e-9


def test_a_path_without_end_is_stuck():
    """A slope that no row holds: the sum falls for ever."""
    pieces = problem(0, l2=0.0)
    endless = replace(pieces, linear=np.ones(4))
    path = CentralPath(endless, np.zeros(4))
    path.follow(1e-12)
    assert path.is_stuck


def test_rows_on_their_kinks_are_no_bad_start():
    pieces = problem(1, l2=0.0)
    theta = np.ones(4)
    pieces = replace(pieces, kink=pieces.along(theta), scale=1.0)
    path = CentralPath(pieces, theta)
    path.follow(1e-14)
    assert path.value() <= 1e-14
    np.testing.assert_allclose(path.theta, theta, atol=1e-10)
