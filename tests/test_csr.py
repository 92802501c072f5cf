import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier
from sknneuron._csr import rows_of, transposed, with_ones, with_values

RNG = np.random.default_rng(0)


@pytest.fixture(params=[sparse.csr_array, sparse.csr_matrix])
def X(request):
    return request.param(sparse.random(200, 30, 0.2, "csr", random_state=0))


def test_parts_are_views(X):
    part = rows_of(X, 50, 90)
    np.testing.assert_array_equal(part.toarray(), X[50:90].toarray())
    back = transposed(part)
    np.testing.assert_array_equal(back.toarray(), X[50:90].toarray().T)
    np.testing.assert_allclose(back @ np.arange(40.0), np.arange(40.0) @ X[50:90].toarray())
    assert np.shares_memory(back.data, X.data)
    assert np.shares_memory(back.indices, X.indices)
    assert type(back.T) is type(X)


def test_other_values(X):
    np.testing.assert_array_equal(with_values(X, 2 * X.data).toarray(), 2 * X.toarray())


def test_entries_in_parts_are_summed():
    # Each entry of X is there twice, as a half of it.
    whole = sparse.random(300, 8, 0.4, "csr", random_state=1)
    row = np.repeat(np.arange(300), np.diff(whole.indptr))
    halves = sparse.csr_array(whole.shape)
    halves.data = np.repeat(whole.data / 2, 2)
    halves.indices = np.repeat(whole.indices, 2)
    halves.indptr = 2 * whole.indptr
    y = RNG.random(300) < 1 / (1 + np.exp(-np.bincount(row, whole.data, 300)))
    fits = [
        NeuronClassifier(solver="lbfgs", alpha=1e-2, tol=1e-10).fit(A, y) for A in (whole, halves)
    ]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, rtol=1e-4, atol=1e-6)


def test_a_column_of_ones(X):
    longer = with_ones(X)
    assert type(longer) is type(X)
    np.testing.assert_array_equal(longer.toarray(), np.c_[X.toarray(), np.ones(X.shape[0])])
