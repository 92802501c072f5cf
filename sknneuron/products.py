"""Products of a block's rows, and sums over them, at the speed of memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from ._csr import transposed, with_values

# Bytes of a row from which on it is quicker multiplied by itself, by so few neurons' weights.
LONG_ROW, FEW_NEURONS = 256, 3
# Elements of what numpy's matmul returns up to which it keeps other threads from the interpreter.
MATMUL_HOLDS = 500
# numpy >= 2 has it.
vecdot: Callable | None = getattr(np, "vecdot", None)
# Bytes from row to row between which reading a block before its products saves up to a third.
READ_AHEAD = 512, 4096
# Rows whose products are added in float32 before float64 takes over.
SINGLE_ROWS = 4096
# Elements of the rows whose deviations are squared at once: they stay in the cache.
MOMENT_ELEMENTS = 1 << 16
# Share of a column's mean square below which its variance, as a difference, keeps too few digits.
LEAST_VARIANCE = 1e-6


def weighted_sum(X, weights, bias):
    """z, (n_rows, n_neurons)."""
    weights = weights.astype(X.dtype, copy=False)
    if vecdot is not None and _is_quicker_by_rows(X, len(weights)):
        z = np.array([vecdot(X, w) for w in weights]).T
    elif isinstance(X, np.ndarray):
        read_ahead(X)
        # A neuron's z lie together: what is done row by row then runs over long vectors.
        z = product(weights, X.T).T if len(weights) > 1 else product(X, weights.T)
    else:
        z = X @ weights.T
    z += bias
    return z


def _is_quicker_by_rows(X, n_neurons: int) -> bool:
    """Whether to multiply one row after the other, as they come from memory.

    A product goes along several rows at once, in steps that processors do not foresee. With fewer
    rows than that numpy would hold the interpreter.
    """
    return (
        isinstance(X, np.ndarray)
        and n_neurons <= FEW_NEURONS
        and len(X) > MATMUL_HOLDS
        and X.strides == (X.shape[1] * X.itemsize, X.itemsize)
        and X.strides[0] >= LONG_ROW
    )


def read_ahead(X):
    """Bring rows from memory into the cache, where a product would be slow to do so.

    Products with a vector go along several rows at once, in steps that are too long to be foreseen
    and too short to be worth it. What owns its numbers is a copy, and was written a moment ago.
    """
    least, most = READ_AHEAD
    if isinstance(X, np.ndarray) and not X.flags.owndata and least <= X.strides[0] <= most:
        np.maximum.reduce(X, axis=None)


def as_float64(X):
    # In the block, which then sits in the cache: float32 rows are read at half the price and
    # computed with at full precision. A no-op for float64.
    return X if X.dtype == np.float64 else X.astype(np.float64)


def product(a, b):
    """``a @ b``; of arrays in a way that lets other threads go on meanwhile.

    numpy's matmul holds the interpreter where what comes of it has few elements, as a gradient has:
    threads would wait for each other.
    """
    if type(a) is type(b) is np.ndarray:
        return a.dot(b)
    return a @ b


def transposed_product(X, r):
    """``r.T @ X`` as a dense array."""
    if sparse.issparse(X):
        return np.ascontiguousarray((transposed(X) @ r).T)
    return product(r.T, X)


def gradient_sums(X, r):
    gradient = np.zeros((r.shape[1], X.shape[1] + 1))
    gradient[:, -1] = r.sum(axis=0)
    if X.dtype == r.dtype:
        gradient[:, :-1] = transposed_product(X, r)
        return gradient
    r = r.astype(X.dtype)
    for start in range(0, len(X), SINGLE_ROWS):
        rows = slice(start, start + SINGLE_ROWS)
        gradient[:, :-1] += product(r[rows].T, X[rows])
    return gradient


def centred(X, center):
    """``X - center`` in float64; X where that is None.

    Of sparse rows, which stay sparse, columns may have no zeros where `center` has none.
    """
    X = as_float64(X)
    if center is None or not sparse.issparse(X):
        return X if center is None else X - center
    if not X.has_canonical_format:
        # Of an entry that is made up of several, one alone is to be moved.
        X = X.copy()
        X.sum_duplicates()
    return with_values(X, X.data - center[X.indices])


def column_moments(X, about_mean: bool, weight=None):
    """Mean of each column, and its mean squared deviation from that, or from zero."""
    total = X.shape[0] if weight is None else weight.sum()
    weight = np.ones(X.shape[0]) if weight is None else weight
    if sparse.issparse(X):
        return _sparse_moments(as_float64(X), about_mean, weight, total)
    n_rows = max(1, MOMENT_ELEMENTS // X.shape[1])
    blocks = [slice(start, start + n_rows) for start in range(0, len(X), n_rows)]
    # A product with ones is a sum down the columns, at half the price of numpy's own.
    mean = sum(weight[rows].dot(as_float64(X[rows])) for rows in blocks) / total
    square = sum(weight[rows].dot(as_float64(X[rows]) ** 2) for rows in blocks) / total
    if not about_mean:
        return mean, square
    variance = square - mean**2
    if np.all(variance > LEAST_VARIANCE * square):
        return mean, variance
    return mean, sum(weight[rows].dot((X[rows] - mean) ** 2) for rows in blocks) / total


def _sparse_moments(X, about_mean: bool, weight, total):
    """`column_moments` of sparse rows; the squares of deviations are summed, and so of zeros."""
    mean = weight @ X / total
    if not about_mean:
        return mean, weight @ X.multiply(X) / total
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    n_stored = np.bincount(X.indices, minlength=X.shape[1])
    of_zeros = np.where(n_stored < X.shape[0], total - weight @ with_values(X, np.ones(X.nnz)), 0.0)
    squares = weight @ with_values(X, (X.data - mean[X.indices]) ** 2)
    return mean, (squares + of_zeros * mean**2) / total
