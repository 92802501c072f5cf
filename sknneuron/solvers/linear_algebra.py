"""Small dense linear algebra on the host, for a stack of groups."""

from __future__ import annotations

import numpy as np
from scipy import linalg

# Below this squared pivot (of a matrix with unit diagonal) a Cholesky factor is noise.
LEAST_PIVOT = 1e-13


class SpdSolver:
    """Solve ``H x = g`` for a positive semi-definite H, group by group, safely.

    H is scaled to a unit diagonal. Where it is singular to working precision, the least ridge that
    makes the factor trustworthy is added; `ridge` says how much (0 for none).

    Parameters
    ----------
    hessian : ndarray of shape (n_groups, size, size)
    """

    def __init__(self, hessian):
        diagonal = np.einsum("gii->gi", hessian)
        largest = np.maximum(diagonal.max(axis=1, keepdims=True), np.finfo(float).tiny)
        # A parameter without curvature keeps a unit pivot, and with its zero gradient stays put.
        self._inverse_scale = 1 / np.sqrt(np.maximum(diagonal, 1e-30 * largest))
        self._factors = []
        self.ridge = 0.0
        for H, inverse in zip(hessian, self._inverse_scale, strict=True):
            factor, ridge = _factor(H * inverse * inverse[:, None])
            self._factors.append(factor)
            self.ridge = max(self.ridge, ridge)

    def __call__(self, g):
        g = g * self._inverse_scale
        x = np.empty_like(g)
        for k, factor in enumerate(self._factors):
            x[k] = linalg.lapack.dpotrs(factor, g[k], lower=1)[0]
        return x * self._inverse_scale


def _factor(H):
    ridge = 0.0
    index = np.arange(len(H))
    H[index, index] = np.maximum(H[index, index], 1e-15)
    while True:
        A = H
        if ridge:
            A = H.copy()
            A[index, index] += ridge
        # LAPACK itself: its wrappers cost as much as a factor of ten columns.
        factor, failed = linalg.lapack.dpotrf(A, lower=1)
        if not failed:
            pivots = factor[index, index]
            if not len(pivots) or np.min(pivots) ** 2 > max(LEAST_PIVOT, 0.1 * ridge):
                return factor, ridge
            if ridge >= 1e-2:
                return factor, ridge
        ridge = max(1e-12, 10 * ridge)
        if not np.isfinite(ridge) or ridge > 1e6:
            raise linalg.LinAlgError("the Hessian is not finite")


def dot(a, b):
    """Scalar product per group."""
    return np.einsum("gi,gi->g", a, b)
