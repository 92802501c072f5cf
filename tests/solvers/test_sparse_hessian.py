"""Hessians that are never formed, beside those that are."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.sparse_hessian import BLOCK, sparse_hessians
from sknneuron.sources import ArraySource

N_ROWS, N_FEATURES = 60, BLOCK + 30


def objective(activation, loss, *, fit_intercept=True, weighted=False, n_neurons=1, odd=False):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.2)
    X *= 10.0 ** rng.integers(-3, 4, N_FEATURES)
    if odd:
        # Far from zero, the same in all rows, and in none.
        X[:, 0] = 1e7 + rng.standard_normal(N_ROWS)
        X[:, 1] = 3.0
        X[:, 2] = 0.0
    y = rng.uniform(0.1, 0.9, (N_ROWS, n_neurons))
    if activation == "softmax":
        y = np.eye(n_neurons)[rng.integers(0, n_neurons, N_ROWS)]
    weight = rng.uniform(0.0, 2.0, N_ROWS) if weighted else None
    return Objective(
        ArraySource(sparse.csr_array(X), y, weight),
        make_pair(activation, loss, classifier=activation == "softmax"),
        ElasticNet(0.1, 0.5),
        n_neurons,
        fit_intercept=fit_intercept,
    )


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    ("activation", "loss", "n_neurons"),
    [
        ("identity", "squared_error", 1),
        ("identity", "squared_error", 3),
        ("sigmoid", "log_loss", 1),
        ("sigmoid", "log_loss", 3),
        ("tanh", "squared_error", 1),
        ("tanh", "squared_error", 3),
        ("softmax", "log_loss", 3),
    ],
)
def test_is_the_hessian(activation, loss, fit_intercept, weighted, n_neurons, odd):
    rng = np.random.default_rng(1)
    whole = objective(
        activation,
        loss,
        fit_intercept=fit_intercept,
        weighted=weighted,
        n_neurons=n_neurons,
        odd=odd,
    )
    theta = 0.1 * rng.standard_normal(whole.shape)
    columns = [
        np.sort(rng.choice(N_FEATURES, size, replace=False))
        for size in (N_FEATURES, BLOCK + 7, 5)[:n_neurons]
    ]
    gauss_newton = not whole.pair.convex
    _, _, formed = whole.value_gradient_working(theta, columns, gauss_newton)
    never = sparse_hessians(whole, theta, columns, gauss_newton)
    of_groups = [columns] if whole.pair.coupled else [[c] for c in columns]
    for H, hessian, group in zip(formed, never, of_groups, strict=True):
        size = np.sqrt(np.maximum(H.diagonal(), 1e-300))
        v = rng.standard_normal(len(H)) / size
        np.testing.assert_allclose((hessian @ v) / size, (H @ v) / size, atol=1e-8)
        np.testing.assert_allclose(hessian.diagonal(), H.diagonal(), rtol=1e-8)
        ends = [block.columns.stop - block.columns.start for block in hessian.blocks]
        wanted = [[BLOCK, len(c) - BLOCK] if len(c) > BLOCK else [len(c)] for c in group]
        assert ends == [size for sizes in wanted for size in sizes]
        for block in hessian.blocks:
            part, of_size = H[block.columns, block.columns], size[block.columns]
            np.testing.assert_allclose(
                block.hessian / of_size / of_size[:, None],
                part / of_size / of_size[:, None],
                atol=1e-8,
            )


def test_stays_above_zero_without_curvature():
    """As of rows that are all far out: a step may go far, but it has an end."""
    whole = objective("identity", "huber", fit_intercept=False)
    far = whole.from_weights(np.full((1, N_FEATURES), 1e6), np.zeros(1))
    whole = Objective(whole.source, whole.pair, ElasticNet(0.1, 1.0), 1, fit_intercept=False)
    (hessian,) = sparse_hessians(whole, far, [np.arange(N_FEATURES)], False)
    assert not hessian.curvature.any()
    assert np.all(hessian.diagonal() > 0)
