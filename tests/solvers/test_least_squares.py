"""Least squares of sparse rows, whose products are not centred before they are summed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sknneuron import NeuronRegressor
from sknneuron.solvers import least_squares
from sknneuron.solvers.householder import LEAST_STRIP

N_ROWS = 200


def nearly_collinear(apart: float, offset: float, n_rows=N_ROWS):
    """Two columns that differ by little, which is what y depends on; and their means far away."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 4))
    X[:, 3] = X[:, 2] + apart * rng.standard_normal(n_rows)
    X += offset
    y = X[:, 0] - offset + 3 * (X[:, 3] - X[:, 2]) / apart + 0.1 * rng.standard_normal(n_rows)
    return X, y


@pytest.mark.parametrize("n_rows", [N_ROWS, 3 * LEAST_STRIP])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("apart", "offset"), [(1e-3, 0), (1e-5, 0), (1e-7, 0), (1e-5, 100), (1e-4, 1e3), (1e-2, 1e5)]
)
def test_sparse_rows_find_what_dense_ones_do(apart, offset, weighted, n_rows):
    X, y = nearly_collinear(apart, offset, n_rows)
    weight = np.random.default_rng(1).choice([0.0, 1.0, 2.5], n_rows) if weighted else None
    dense = NeuronRegressor(alpha=0).fit(X, y, sample_weight=weight)
    neuron = NeuronRegressor(alpha=0).fit(sparse.csr_array(X), y, sample_weight=weight)
    assert neuron.converged_
    assert_allclose(neuron.objective_, dense.objective_, rtol=1e-7)
    assert_allclose(neuron.predict(X), dense.predict(X), atol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_dependent_columns_are_told_from_nearly_dependent_ones(alpha, fit_intercept):
    """Dummies of all levels beside a bias, a column twice, one of ones: the least weights."""
    rng = np.random.default_rng(2)
    X = np.eye(5)[rng.integers(5, size=N_ROWS)]
    X = np.hstack([X, rng.standard_normal((N_ROWS, 2)), np.ones((N_ROWS, 1))])
    X = np.hstack([X, X[:, [5]]])
    y = X @ rng.standard_normal(X.shape[1]) + 0.1 * rng.standard_normal(N_ROWS)
    neuron = NeuronRegressor(alpha=alpha, fit_intercept=fit_intercept)
    coef = neuron.fit(X, y).coef_
    assert neuron.fit(sparse.csr_array(X), y).converged_
    assert_allclose(neuron.coef_, coef, atol=1e-9)


@pytest.mark.parametrize("in_all_rows", [True, False])
@pytest.mark.parametrize("offset", [1e6, 1e8, 1e9])
def test_a_column_that_its_mean_hides(offset, in_all_rows, monkeypatch):
    """Products keep nothing of it, unless all rows have it: then they are moved.

    Beside rows of no weight that have it not, rows made dense tell of it; where that is too dear,
    it is said.
    """
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N_ROWS, 2))
    y = X @ [1.0, 2.0]
    X[:, 0] += offset
    weight = np.ones(N_ROWS)
    if not in_all_rows:
        X[::4, 0] = weight[::4] = 0.0
    neuron = NeuronRegressor(alpha=1e-9)
    rows = sparse.csr_array(X)
    assert_allclose(neuron.fit(rows, y, sample_weight=weight).coef_, [1.0, 2.0], rtol=1e-6)
    assert neuron.converged_
    monkeypatch.setattr(least_squares, "MAX_STACKED_SPARSE", 0.0)
    if in_all_rows or offset < 1e7:
        assert neuron.fit(rows, y, sample_weight=weight).converged_
        return
    with pytest.warns(ConvergenceWarning, match=r"too few digits"):
        neuron.fit(rows, y, sample_weight=weight)
    assert not neuron.converged_


@pytest.mark.parametrize("differs", [True, False])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_a_rank_in_doubt_is_said(make, differs):
    """Whether or not what is left along the direction in doubt is worth anything."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 3))
    difference = rng.standard_normal(3000)
    X[:, 2] = X[:, 1] + 5e-13 * difference
    y = X[:, 0] + differs * difference + 0.1 * rng.standard_normal(3000)
    with pytest.warns(ConvergenceWarning, match="columns 1, 2 depend on each other"):
        neuron = NeuronRegressor(alpha=0).fit(make(X), y)
    assert not neuron.converged_


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_rows", range(1, 6))
def test_hardly_more_rows_than_columns_or_fewer(n_rows, fit_intercept, make):
    """With as many rows as columns a bias is one unknown too many: the least weights are taken."""
    X, y = np.random.default_rng(n_rows).standard_normal((2, n_rows, 3))
    y = y[:, 0]
    neuron = NeuronRegressor(alpha=0, fit_intercept=fit_intercept).fit(make(X), y)
    center = X.mean(axis=0) if fit_intercept else np.zeros(3)
    least = np.linalg.pinv(X - center) @ (y - y.mean() * fit_intercept)
    assert_allclose(neuron.coef_, least, atol=1e-9)
    assert_allclose(neuron.intercept_, (y.mean() - center @ least) * fit_intercept, atol=1e-9)
