"""The quadratic with an L1 norm in sparse columns: its minimum, beside that of the formed one."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron.penalties import least_subgradient
from sknneuron.solvers.l1_model import INEXACT, L1Model
from sknneuron.solvers.sparse_hessian import NeuronColumns, SparseHessian
from sknneuron.solvers.sparse_l1_model import SparseL1Model


def model(n_rows, n_columns, *, strength, l2=0.0, fit_intercept=True, n_neurons=1, seed=0):
    """Gradient, Hessian, strengths and a start."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n_rows, n_columns), density=0.05, rng=rng, format="csr")
    X.data = rng.standard_normal(len(X.data)) * 10.0 ** rng.integers(-1, 2, n_columns)[X.indices]
    # Some columns are others twice over, and some are of one row.
    X = sparse.csr_array(sparse.hstack([X, 2 * X[:, :10], sparse.eye_array(n_rows, 10)]))
    center = np.asarray(X.mean(axis=0)) if fit_intercept else np.zeros(X.shape[1])
    scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel()) + 1e-3
    neurons = [
        NeuronColumns(
            X, center, 1 / scale, k * (X.shape[1] + fit_intercept), fit_intercept=fit_intercept
        )
        for k in range(n_neurons)
    ]
    curvature = rng.uniform(0, 2, (n_rows, n_neurons))
    if n_neurons > 1:
        curvature /= curvature.sum(axis=1, keepdims=True)
    is_weight = np.tile(np.arange(neurons[0].size) < X.shape[1], n_neurons)
    H = SparseHessian(neurons, curvature, 1 / n_rows, np.where(is_weight, l2, 0.0))
    # Of a softmax layer slopes of a row add up to zero.
    slopes = rng.standard_normal((n_rows, n_neurons)) / n_rows
    gradient = H.gradient(slopes - (slopes.mean(axis=1, keepdims=True) if n_neurons > 1 else 0))
    size = len(gradient)
    l1 = np.where(is_weight, strength * np.abs(gradient).max(), 0.0)
    at = np.where(rng.random(size) < 0.1, 0.1 * rng.standard_normal(size), 0.0)
    return gradient, H, l1, at


def formed(H):
    """With curvature where adding the same to every class's bias has none."""
    matrix = np.array([H @ e for e in np.eye(len(H.l2))]).T
    biases = [neuron.bias for neuron in H.neurons if neuron.bias is not None]
    if len(biases) > 1:
        matrix[np.ix_(biases, biases)] += matrix[biases, biases].mean() / len(biases)
    return matrix


def value(parts, u):
    gradient, H, l1, at = parts
    change = u - at
    return change @ (gradient + 0.5 * (H @ change)) + l1 @ np.abs(u)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("strength", [0.3, 0.03, 3e-3])
@pytest.mark.parametrize(
    ("shape", "n_neurons"), [((400, 300), 1), ((100, 600), 1), ((50, 5), 1), ((80, 120), 3)]
)
def test_minimum(shape, n_neurons, strength, l2, fit_intercept):
    parts = model(
        *shape, strength=strength, l2=l2, fit_intercept=fit_intercept, n_neurons=n_neurons
    )
    gradient, H, l1, at = parts
    dense = formed(H)
    exact = at.copy()
    for _ in range(8):
        # Each leaves a thousandth of what the one before it left.
        exact = L1Model(gradient + dense @ (exact - at), dense, l1, exact).minimise(0.0)
    lowest = value(parts, exact)
    gain = value(parts, at) - lowest
    assert value(parts, SparseL1Model(*parts).minimise(0.0)) - lowest <= 1.5 * INEXACT * gain
    u = at.copy()
    for _ in range(8):
        u = SparseL1Model(gradient + H @ (u - at), H, l1, u).minimise(0.0)
    assert value(parts, u) - lowest <= 1e-9 * gain
    slope = gradient + H @ (u - at)
    left = least_subgradient(slope[None], u[None], l1)[0] / np.sqrt(H.diagonal())
    np.testing.assert_allclose(left, 0, atol=1e-5 * np.abs(gradient).max())
    assert np.any(u == 0) or shape[1] == 5


def test_a_tolerance_is_kept():
    parts = gradient, H, l1, at = model(100, 600, strength=1e-3)
    u = at.copy()
    for _ in range(8):
        u = SparseL1Model(gradient + H @ (u - at), H, l1, u).minimise(0.0)
    lowest = value(parts, u)
    for share in (1e-1, 1e-2):
        tol = share * (value(parts, at) - lowest)
        assert value(parts, SparseL1Model(*parts).minimise(tol)) - lowest <= tol


def test_next_to_no_curvature_is_a_number():
    """A slope that the strengths hold leaves all at zero, one that they do not goes far."""
    X = sparse.csr_array(np.eye(3))
    columns = NeuronColumns(X, np.zeros(3), np.ones(3), 0, fit_intercept=False)
    H = SparseHessian([columns], np.zeros((3, 1)), 1.0, np.zeros(3))
    u = SparseL1Model(np.array([0.5, -0.5, 2.0]), H, np.ones(3), np.zeros(3)).minimise(0.0)
    assert np.array_equal(u[:2], [0.0, 0.0])
    assert -np.inf < u[2] < -1e20
