"""Linear problems without a unique solution: the weights of least norm, and whose fault it is."""

from __future__ import annotations

import numpy as np

EPS = np.finfo(float).eps
# Singular values of columns of unit length below this share of the largest count as zero, times the
# larger of rows and columns as far as `MAX_ROUNDING_SIZE`.
MAX_ROUNDING_SIZE = 4096
# Within these factors of the threshold the rank is in doubt.
DOUBTLESS, DOUBTFUL = 0.1, 100.0


def least_norm(coef, null_space):
    """Return the weights of least norm among ``coef + null_space @ t``, row by row.

    Parameters
    ----------
    coef : ndarray of shape (n_neurons, n_features)
    null_space : ndarray of shape (n_features, n_free)
        Directions that change no prediction but by a constant.
    """
    length = np.linalg.norm(null_space, axis=0)
    basis, _ = np.linalg.qr(null_space / np.where(length > 0, length, 1.0))
    for _ in range(2):  # the second time removes what rounding left of the first
        coef = coef - (coef @ basis) @ basis.T
    return coef


def zero_singular_value(largest: float, n_rows: int, n_columns: int) -> float:
    """Singular values up to this are rounding."""
    return EPS * min(max(n_rows, n_columns), MAX_ROUNDING_SIZE) * largest


def taking_part(vectors):
    """Numbers of the features that take part in these dependences, (n_features, k)."""
    size = np.abs(vectors)
    return np.flatnonzero(np.any(size > 0.1 * size.max(axis=0, initial=0.0), axis=1))


def doubtful_rank(columns) -> str:
    """Say that the rank was decided near rounding, and by which columns."""
    shown = ", ".join(map(str, columns[:10])) + (", ..." if len(columns) > 10 else "")
    return (
        f"columns {shown} depend on each other to within rounding, or nearly so: their weights "
        "have few right digits, if any. Drop one of them, or set alpha > 0."
    )
