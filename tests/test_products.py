"""Products of a block's rows, whichever way they are taken."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron import products
from sknneuron.products import gradient_sums, weighted_sum


@pytest.mark.parametrize("has_vecdot", [True, False])
@pytest.mark.parametrize("n_neurons", [1, 3, 4])
@pytest.mark.parametrize("order", ["C", "F", "every other row", "every other column"])
@pytest.mark.parametrize("n_features", [5, 40, 100])
@pytest.mark.parametrize("n_rows", [300, 1500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_rows(n_rows, n_features, order, n_neurons, has_vecdot, dtype, monkeypatch):
    if not has_vecdot:
        monkeypatch.setattr(products, "vecdot", None)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features)).astype(dtype)
    rows = {
        "C": X,
        "F": np.asfortranarray(X),
        "every other row": np.repeat(X, 2, axis=0)[::2],
        "every other column": np.repeat(X, 2, axis=1)[:, ::2],
    }[order]
    weights, bias = rng.standard_normal((n_neurons, n_features)), rng.standard_normal(n_neurons)
    z = weighted_sum(rows, weights, bias)
    assert z.dtype == dtype
    tol = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    wide = X.astype(np.float64)
    assert_allclose(z, wide @ weights.T + bias, **tol)
    gradient = gradient_sums(rows, z)
    tol["atol"] *= n_rows
    assert_allclose(gradient[:, :-1], z.astype(np.float64).T @ wide, **tol)
    assert_allclose(gradient[:, -1], z.sum(axis=0), **tol)
