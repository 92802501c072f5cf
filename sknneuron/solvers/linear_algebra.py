"""Small dense linear algebra on the host, for a stack of groups."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .._dot import dot

__all__ = [
    "SpdSolver",
    "dot",
    "is_positive_definite",
    "positive_solver",
    "solve_positive",
    "solve_without_ridge",
]

# Below this squared pivot (of a matrix with unit diagonal) a Cholesky factor is noise.
LEAST_PIVOT = 1e-13
TINY = float(np.finfo(float).tiny)
EPS = float(np.finfo(float).eps)
MAX_REFINEMENTS = 20
# Share of ``g . H^-1 g`` that a ridge may take and be hardly felt.
HARDLY = 1e-3


class SpdSolver:
    """Solve ``H x = g`` for a positive semi-definite H, group by group, safely.

    Where H is singular to working precision, the least ridge that makes the factor trustworthy is
    added, on a scale on which the diagonal is one; `ridge` says how much (0 for none).

    Parameters
    ----------
    hessian : ndarray of shape (n_groups, size, size)
    """

    def __init__(self, hessian):
        self.ridge = 0.0
        self._factors = [_plain_factor(H) or self._scaled_factor(H) for H in hessian]

    def __call__(self, g, with_ridge: bool = False):
        x = np.empty_like(g)
        for k, (factor, inverse, matrix, _) in enumerate(self._factors):
            if inverse is None:
                x[k] = lapack.dpotrs(factor, g[k], lower=1)[0]
            elif matrix is None or with_ridge:
                x[k] = lapack.dpotrs(factor, g[k] * inverse, lower=1)[0] * inverse
            else:
                x[k] = solve_without_ridge(matrix, factor, g[k] * inverse) * inverse
        return x

    def is_exact(self, g) -> bool:
        """Whether the solution hardly depends on what a ridge stands in for."""
        if not self.ridge:
            return True
        whole, held = (float(dot(g, x).sum()) for x in (self(g), self(g, with_ridge=True)))
        return whole - held <= HARDLY * whole

    def unseen(self, g) -> float:
        """What the solution may miss of ``g . H^-1 g / 2``, where a curvature is but rounding."""
        if not self.ridge:
            return 0.0
        missed, x = 0.0, self(g)
        for k, (factor, inverse, matrix, ridge) in enumerate(self._factors):
            if matrix is not None:
                residual = g[k] * inverse - matrix @ (x[k] / inverse)
                ahead = lapack.dpotrs(factor, residual, lower=1)[0]
                missed += 0.5 * float(dot(residual, ahead)) * ridge / rounding_of(matrix)
        return missed

    def hidden_slope(self, g):
        """Length of each group's scaled g along all for whose curvature a ridge stands in, or more.

        What is less bent than the ridge comes through the factor, of the rest hardly a share.
        """
        length = np.zeros(len(g))
        for k, (factor, inverse, matrix, ridge) in enumerate(self._factors):
            if matrix is not None:
                x = g[k] * inverse
                for _ in range(2):
                    x = 2 * ridge * lapack.dpotrs(factor, x, lower=1)[0]
                length[k] = np.sqrt(dot(x, x))
        return length

    def spectrum(self, k: int):
        """Scale, and eigenvalues and eigenvectors of the scaled matrix, of a group with a ridge."""
        _, inverse, matrix, _ = self._factors[k]
        return inverse, *np.linalg.eigh(matrix)

    def least_pivot(self) -> float:
        """Least share of a parameter's curvature that is its alone; 0 with a ridge."""
        if self.ridge:
            return 0.0
        shares = [factor.diagonal() ** 2 / dot(factor, factor) for factor, *_ in self._factors]
        return float(min(share.min(initial=1.0) for share in shares))

    def _scaled_factor(self, H):
        """Factor of H scaled to a unit diagonal, with a ridge if need be; and the scale."""
        diagonal = H.diagonal()
        # What has no curvature, or one that rounding made negative, keeps a unit pivot.
        largest = max(float(diagonal.max(initial=0.0)), TINY)
        inverse = 1 / np.sqrt(np.where(diagonal > 1e-30 * largest, diagonal, largest))
        matrix = H * inverse * inverse[:, None]
        # Of a matrix that is never negative no entry is over one: past it there is but rounding.
        np.clip(matrix, -1.0, 1.0, out=matrix)
        np.einsum("ii->i", matrix)[:] = 1.0
        factor, ridge = _factor_with_ridge(matrix)
        self.ridge = max(self.ridge, ridge)
        return factor, inverse, matrix if ridge else None, ridge


def solve_without_ridge(matrix, factor, g):
    """Solve with a matrix by the factor of it and a ridge: conjugate gradients take that back out.

    The ridge is felt along a few directions only, and so a few steps do. They end where the
    curvature along one is rounding.
    """
    x = lapack.dpotrs(factor, g, lower=1)[0]
    residual = g - matrix @ x
    direction, before = np.zeros_like(g), np.inf
    for _ in range(MAX_REFINEMENTS):
        z = lapack.dpotrs(factor, residual, lower=1)[0]
        now = dot(residual, z)
        if not now > EPS * dot(g, x):
            break
        direction = z + now / before * direction
        change = matrix @ direction
        curvature = dot(direction, change)
        if not curvature > rounding_of(matrix) * dot(direction, direction):
            break
        x = x + now / curvature * direction
        residual = residual - now / curvature * change
        before = now
    return x


def rounding_of(matrix) -> float:
    """Curvature of a matrix with unit diagonal that is no more than rounding."""
    return EPS * len(matrix)


def is_positive_definite(matrix) -> bool:
    """Whether a symmetric matrix has a Cholesky factor."""
    return lapack.dpotrf(matrix.T, lower=1)[1] == 0


def positive_solver(hessian) -> SpdSolver | None:
    """Return a solver if all groups' matrices are positive definite."""
    sound = np.isfinite(hessian).all() and all(map(is_positive_definite, hessian))
    return SpdSolver(hessian) if sound else None


def solve_positive(matrices, g):
    """Solve with each group's matrix, positive definite but perhaps for rounding."""
    x = np.empty_like(g)
    for k, matrix in enumerate(matrices):
        # LAPACK itself, and the transpose that it need not copy.
        _, x[k], failed = lapack.dposv(matrix.T, g[k], lower=1)
        if failed:
            x[k] = np.linalg.solve(matrix, g[k])
    return x


def _plain_factor(H):
    """Cholesky factor of H as it is, or None if some pivot is noise."""
    # LAPACK itself: its wrappers cost as much as a factor of ten columns.
    factor, failed = lapack.dpotrf(H, lower=1)
    if failed:
        return None
    pivots = factor.diagonal()
    sound = pivots * pivots > LEAST_PIVOT * H.diagonal()
    return (factor, None, None, 0.0) if np.count_nonzero(sound) == len(sound) else None


def _factor_with_ridge(H):
    ridge = 0.0
    while True:
        A = H
        if ridge:
            A = H.copy()
            np.einsum("ii->i", A)[:] += ridge
        factor, failed = lapack.dpotrf(A, lower=1)
        if not failed:
            pivots = factor.diagonal()
            if not len(pivots) or pivots.min() ** 2 > max(LEAST_PIVOT, 0.1 * ridge):
                return factor, ridge
            if ridge >= 1e-2:
                return factor, ridge
        ridge = max(1e-12, 10 * ridge)
        if not np.isfinite(ridge) or ridge > 1e6:
            raise linalg.LinAlgError("the Hessian is not finite")
