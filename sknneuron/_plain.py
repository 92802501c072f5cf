"""The short way round scikit-learn's validation: plain float arrays in which nothing is unusual.

`validate_data` takes longer than one row's prediction and a third of a small fit. Whatever is
unusual (other types, names, missing values, a wrong width) is left to it, and to its words.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
# Bytes of X up to which a prediction copies what is not stored by rows.
REORDERED = 64 << 20
# Bytes of X up to which one thread looks at it in the time that it takes to start another.
LOOKED_AT_ALONE = 32 << 20


def is_plain(X) -> bool:
    """Whether X is a plain 2-D float array with rows and columns; its values are not looked at."""
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in FLOATS and X.size > 0


def is_plain_training_set(X, y, n_threads) -> bool:
    """Whether X is plain and finite, and y a finite vector of numbers as long.

    `n_threads` of X is the number of threads to look at it with.
    """
    if not (is_plain(X) and type(y) is np.ndarray and y.ndim == 1 and len(y) == len(X)):
        return False
    if not (y.dtype.kind in "biu" or y.dtype in FLOATS):
        return False
    return _is_finite(X, n_threads(X)) and (y.dtype.kind != "f" or _is_finite(y))


def _is_finite(values, n_threads: int = 1) -> bool:
    # A sum of finite values may overflow: then the long way finds out, and takes no harm.
    if n_threads == 1 or values.nbytes <= LOOKED_AT_ALONE:
        return math.isfinite(_sum(values))
    with ThreadPoolExecutor(n_threads) as pool:
        return bool(np.all(np.isfinite(list(pool.map(_sum, np.array_split(values, n_threads))))))


# Each thread has error states of its own.
@np.errstate(over="ignore", invalid="ignore")
def _sum(values):
    return np.add.reduce(values, axis=None)


def by_rows(X):
    """Return X with its rows one after the other in memory, or X itself where that is too much.

    The order of memory decides the last bit of a sum: the same rows shall give the same level as a
    DataFrame, which is stored by columns, and as an array.
    """
    return np.ascontiguousarray(X) if X.nbytes <= REORDERED else X


def weighted_sum(X, coef, intercept):
    """Return ``X @ coef.T + intercept``, or None where the long way has to look at X.

    A missing or infinite value in X makes the sum of its row so, unless its weight is zero.
    """
    if not is_plain(X) or X.shape[1] != coef.shape[1] or not coef.all():
        return None
    if not X.flags.c_contiguous:
        # The order of memory decides the last bit of a sum; the long way sees to it.
        return None
    if X.dtype != coef.dtype:
        coef, intercept = coef.astype(X.dtype), intercept.astype(X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        z = by_rows(X) @ coef.T
        z += intercept
    return z if _is_finite(z) else None


def plain_accuracy(y, y_pred) -> float | None:
    """Share of equal labels of two plain vectors; None where the long way has to look at y."""
    if not (_are_vectors(y, y_pred) and y.dtype == y_pred.dtype and y.dtype.kind in "biuU"):
        return None
    return float(np.count_nonzero(y == y_pred) / len(y))


def plain_r2(y, y_pred) -> float | None:
    """R2 of two plain vectors of numbers; None where the long way has to look at y."""
    if not (_are_vectors(y, y_pred) and y.dtype.kind in "iuf" and y_pred.dtype in FLOATS):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.sum((y - y_pred) ** 2, dtype=np.float64)
        total = np.sum((y - np.mean(y, dtype=np.float64)) ** 2, dtype=np.float64)
    return float(1 - left / total) if np.isfinite(left) and 0 < total < np.inf else None


def _are_vectors(a, b) -> bool:
    return type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 1 and len(a) == len(b)
