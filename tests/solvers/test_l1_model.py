"""The quadratic with an L1 norm: what is left, against its minimum by the slopes there."""

import numpy as np
import pytest

from sknneuron.penalties import least_subgradient
from sknneuron.solvers.l1_model import INEXACT, L1Model


def model(size, correlation, seed=0):
    """Gradient, Hessian, strengths (the last weight is free) and a start."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3 * size, size)) + correlation * rng.standard_normal((3 * size, 1))
    X *= 10.0 ** rng.uniform(-2, 2, size)
    gradient = X.T @ (X @ rng.standard_normal(size) / X.std(axis=0).mean()) / len(X)
    l1 = np.full(size, 0.5 * np.abs(gradient).mean())
    l1[-1] = 0.0
    at = np.where(rng.random(size) < 0.3, rng.standard_normal(size), 0.0)
    return gradient, X.T @ X / len(X), l1, at


def value(parts, u):
    gradient, hessian, l1, at = parts
    change = u - at
    return change @ (gradient + 0.5 * hessian @ change) + l1 @ np.abs(u)


@pytest.mark.parametrize("correlation", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("size", [1, 12, 120, 900])
def test_minimum(size, correlation):
    parts = gradient, hessian, l1, at = model(size, correlation)
    gain = value(parts, at) - value(parts, L1Model(*parts).minimise(0.0))
    u = L1Model(*parts).minimise(1e-3 * gain)
    exact = at.copy()
    for _ in range(8):
        # Each leaves a thousandth of what the one before it left.
        exact = L1Model(gradient + hessian @ (exact - at), hessian, l1, exact).minimise(0.0)
    slope = gradient + hessian @ (exact - at)
    scale = np.sqrt(hessian.diagonal())
    left = least_subgradient(slope[None], exact[None], l1)[0] / scale
    np.testing.assert_allclose(left, 0, atol=1e-6 * np.abs(gradient / scale).max())
    lowest = value(parts, exact)
    assert value(parts, u) - lowest <= 1.5 * INEXACT * (value(parts, at) - lowest) + 1e-12
    assert np.any(u == 0) or size < 12


@pytest.mark.parametrize("size", [0.0, 1e-320, 1e-300])
def test_next_to_no_curvature_is_a_number(size):
    """A slope that the strengths hold leaves all at zero, one that they do not goes far."""
    model = L1Model(np.array([0.5, -0.5, 2.0]), np.diag([size, 0.0, size]), np.ones(3), np.zeros(3))
    u = model.minimise(0.0)
    assert np.array_equal(u[:2], [0.0, 0.0])
    assert -np.inf < u[2] < -1e20


@pytest.mark.parametrize("seed", range(5))
def test_few_directions_that_curve_take_few_factors(seed, monkeypatch):
    """As of a loss made of pieces, with fewer rows on curved ones than weights want to move."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((12, 250))
    gradient, hessian = A.T @ rng.standard_normal(12), A.T @ A
    l1 = np.full(250, 0.02 * np.abs(gradient).max())
    model, sizes = L1Model(gradient, hessian, l1, np.zeros(250)), []
    solve = L1Model._solve

    def counted(self, free, right):
        sizes.append(len(free))
        return solve(self, free, right)

    monkeypatch.setattr(L1Model, "_solve", counted)
    u = model.minimise(1e-14)
    slope = gradient + hessian @ u
    assert np.all(np.abs(slope) <= l1 * (1 + 1e-9))
    assert np.allclose(slope[u != 0], -(l1 * np.sign(u))[u != 0], rtol=1e-9)
    # The first found out; then hardly any is of more than there are directions.
    assert np.mean(np.array(sizes[1:]) > 13) < 0.1
    assert len(sizes) < 100
