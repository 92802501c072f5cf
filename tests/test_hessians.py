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
