"""Views of CSR matrices: scipy's own ways to them check and copy the entries of parts."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def rows_of(X, start: int, stop: int):
    """Rows of a CSR matrix."""
    first, last = X.indptr[start], X.indptr[stop]
    indptr = X.indptr[start : stop + 1] - first
    shape = (stop - start, X.shape[1])
    return _made(X.__class__, shape, X.data[first:last], X.indices[first:last], indptr)


def transposed(X):
    """The transpose of a CSR matrix, CSC."""
    columns = sparse.csc_array if isinstance(X, sparse.sparray) else sparse.csc_matrix
    return _made(columns, X.shape[::-1], X.data, X.indices, X.indptr)


def with_values(X, data):
    """A CSR matrix with other entries in the same places."""
    return _made(X.__class__, X.shape, data, X.indices, X.indptr)


def squared(X):
    """The entries' squares; where one is made up of several, that takes scipy's own product."""
    return with_values(X, X.data**2) if X.has_canonical_format else X.multiply(X).tocsr()


def with_ones(X):
    """A CSR matrix with a column of ones after its last."""
    n_rows, n_columns = X.shape
    ends = X.indptr[1:]
    data, indices = np.insert(X.data, ends, 1), np.insert(X.indices, ends, n_columns)
    indptr = X.indptr + np.arange(n_rows + 1, dtype=X.indptr.dtype)
    return _made(X.__class__, (n_rows, n_columns + 1), data, indices, indptr)


def _made(cls, shape, data, indices, indptr):
    made = cls(shape, dtype=data.dtype)
    made.data, made.indices, made.indptr = data, indices, indptr
    return made
