"""Curvature that rounding hides from the Hessian."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.descent import newton_solver
from sknneuron.solvers.hidden import hessian_at, revealed
from sknneuron.solvers.linear_algebra import dot
from sknneuron.sources import ArraySource

PAIRS = [
    ("sigmoid", "log_loss"),
    ("softmax", "log_loss"),
    ("exp", "poisson"),
    ("identity", "huber"),
    ("tanh", "squared_error"),
]


def make_objective(activation, loss, X, *, alpha=0.0, weight=None, fit_intercept=True):
    rng = np.random.default_rng(5)
    pair = make_pair(activation, loss, classifier=loss == "log_loss")
    n = X.shape[0]
    if pair.coupled:
        y = rng.integers(3, size=n)
    elif loss == "log_loss":
        y = rng.integers(2, size=(n, 3)).astype(float)
    else:
        y = rng.uniform(0, 1, (n, 3))
    source = ArraySource(X, y, weight)
    return Objective(source, pair, ElasticNet(alpha, 0.0), 3, fit_intercept=fit_intercept)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("far", [0.0, 50.0, 1e8])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_product_is_that_with_the_hessian(pair, far, kind, fit_intercept):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 4)) * [1, 30, 0.1, 5] + [0, 30 * far, 0, -3]
    weight = rng.uniform(0.1, 3, 200)
    objective = make_objective(
        *pair, kind(X), alpha=1e-2, weight=weight, fit_intercept=fit_intercept
    )
    gauss_newton = not objective.pair.convex
    theta = objective.null() + 0.2 * rng.standard_normal(objective.shape)
    hessian = objective.value_gradient_hessian(theta, gauss_newton)[2]
    product = hessian_at(objective, theta, gauss_newton)
    part = hessian_at(objective, theta, gauss_newton, [np.array([0, 2])] * len(theta))
    for k, H in enumerate(hessian):
        direction = rng.standard_normal(len(H))
        assert_allclose(product(k, direction), H @ direction, rtol=1e-7, atol=1e-9)
        expected = H[:, [0, 2]] @ direction[:2]
        assert_allclose(part(k, direction[:2]), expected[[0, 2]], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_steps_along_hidden_directions_are_newtons(kind):
    """Columns 10^6 from zero, two of them apart by 10^-10 of that; digits are those of the rows."""
    rng = np.random.default_rng(7)
    far = np.round(2**10 * rng.standard_normal((300, 3))) / 2**10 + 2.0**20
    close = np.round(2**4 * rng.standard_normal(300)) / 2**18
    X = np.c_[rng.standard_normal((300, 2)), far, far[:, -1] + close]
    # The same rows in columns whose Hessian knows all: near ones and what the far ones differ by.
    apart = np.c_[X[:, :2], far[:, :2] - far[:, 2:], close * 2**14, far[:, 2] / 2**20]
    steps = []
    for columns, is_close in ((kind(X), True), (apart, False)):
        objective = make_objective("sigmoid", "log_loss", columns, fit_intercept=False)
        theta = np.zeros(objective.shape)
        _, gradient, hessian = objective.value_gradient_hessian(theta)
        solve = newton_solver(objective, hessian)
        assert (solve.ridge > 0) == is_close
        if is_close:
            solve = revealed(solve, gradient, hessian_at(objective, theta, False), 1e-9)
        step = -solve(gradient)
        assert_allclose(step, -solve(gradient), rtol=0)
        steps.append((objective.pre_activation(step), dot(gradient, step)))
    (z, slope), (expected, expected_slope) = steps
    assert_allclose(slope, expected_slope, rtol=1e-4)
    assert_allclose(z, expected, atol=1e-4 * np.abs(expected).max())


def test_what_moves_no_row_stays_unknown():
    """Of a column that is another again rounding alone tells the two apart."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((100, 3))
    X[:, 2] = X[:, 0]
    objective = make_objective("sigmoid", "log_loss", X)
    theta = objective.null()
    _, gradient, hessian = objective.value_gradient_hessian(theta)
    solve = newton_solver(objective, hessian)
    assert solve.ridge > 0
    assert revealed(solve, gradient, hessian_at(objective, theta, False), 0.0) is None
