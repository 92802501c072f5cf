"""Hessians of a block, summed over strips of its rows."""

import numpy as np
import pytest

from sknneuron.hessians import LEAST_STRIP, separable_hessian, strips_of

N_FEATURES = 500
rng = np.random.default_rng(0)


@pytest.mark.parametrize("n_rows", [1, LEAST_STRIP, LEAST_STRIP + 24, 3 * LEAST_STRIP - 1, 5000])
def test_strips_are_alike_and_leave_no_row_out(n_rows):
    X = np.empty((n_rows, N_FEATURES))
    lengths = [len(X[strip]) for strip in strips_of(X, N_FEATURES)]
    assert sum(lengths) == n_rows
    assert min(lengths) >= min(n_rows, LEAST_STRIP) - 1
    assert max(lengths) - min(lengths) <= len(lengths)


@pytest.mark.parametrize("centred", [False, True])
def test_a_hessian_is_the_sum_over_the_rows(centred):
    X = rng.standard_normal((2 * LEAST_STRIP + 7, 3)) + 5
    curvature = rng.uniform(-1, 1, (len(X), 2))
    center = X.mean(axis=0) if centred else None
    X1 = np.column_stack([X - center if centred else X, np.ones(len(X))])
    expected = np.einsum("ri,rk,rj->kij", X1, curvature, X1)
    np.testing.assert_allclose(separable_hessian(X, curvature, center), expected, atol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("n_neurons", [1, 3])
def test_rows_without_curvature_may_be_left_out(n_neurons, centred, order):
    X = np.asarray(rng.standard_normal((2 * LEAST_STRIP + 7, 3)) + 5, order=order)
    before = X.copy()
    curvature = rng.uniform(0, 1, (len(X), n_neurons))
    curvature[rng.random(curvature.shape) < np.linspace(0.1, 0.99, n_neurons)] = 0
    if n_neurons > 1:
        curvature[:, 1] = 0
    center = X.mean(axis=0) if centred else None
    X1 = np.column_stack([X - center if centred else X, np.ones(len(X))])
    expected = np.einsum("ri,rk,rj->kij", X1, curvature, X1)
    np.testing.assert_allclose(separable_hessian(X, curvature, center), expected, atol=1e-9)
    np.testing.assert_array_equal(X, before)
