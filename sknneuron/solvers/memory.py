"""What L-BFGS remembers of its way."""

from __future__ import annotations

import numpy as np

from .linear_algebra import dot

MEMORY = 20


class Memory:
    """The last steps s and changes y of the gradient, per group.

    The two-loop recursion, in which each pair waits for the one before, is two triangular systems:
    with the pairs as rows of S and Y, the oldest first, and the upper triangle R of ``S @ Y.T``,

        alpha = inv(R) @ S @ g,  q = P(g - Y.T @ alpha),  q + S.T @ inv(R).T @ (D @ alpha - Y @ q)

    with R's diagonal D and a preconditioner P. So it is four products with all pairs at once.

    References
    ----------
    Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices and their use in limited
    memory methods, Mathematical Programming 63 (1994).

    Parameters
    ----------
    size : int
        How many pairs.
    dtype : dtype, default=float64
        What they are kept in, and multiplied with.
    """

    def __init__(self, size: int = MEMORY, dtype=np.float64):
        self.size = size
        self.dtype = dtype
        self._n_seen = 0

    def __len__(self) -> int:
        return min(self._n_seen, self.size)

    def remember(self, step, change):
        """Keep a pair; a group without positive curvature along its step keeps nothing of it."""
        curvature = dot(step, change)
        good = curvature > 1e-14 * np.sqrt(dot(step, step) * dot(change, change))
        if not np.logical_and.reduce(good):
            if not good.any():
                return
            step, change = np.where(good[:, None], (step, change), 0.0)
            curvature = np.where(good, curvature, 1.0)
        if self._n_seen == 0:
            self._allocate(*step.shape)
        # The new pair takes the place of the oldest. R is a triangle but for the order of its rows
        # and columns, and no product asks for that.
        place = self._n_seen % self.size
        self._n_seen += 1
        steps, changes, diagonal, inverse = self._kept()
        steps[:, place], changes[:, place], diagonal[:, place] = step, change, curvature
        # Without the oldest pair, what is left is the inverse for the others.
        inverse[:, place] = inverse[:, :, place] = 0
        column = _times(inverse, _times(steps, changes[:, place]))
        column /= -curvature[:, None]
        column[:, place] = 1 / curvature
        inverse[:, :, place] = column

    def _allocate(self, n_groups: int, n: int) -> None:
        self._steps = np.empty((n_groups, self.size, n), self.dtype)
        self._changes = np.empty((n_groups, self.size, n), self.dtype)
        self._diagonal = np.empty((n_groups, self.size))
        self._inverse = np.empty((n_groups, self.size, self.size))

    def _kept(self) -> tuple:
        """Steps, changes, D and inv(R) of the pairs there are."""
        k = len(self)
        inverse = self._inverse[:, :k, :k]
        return self._steps[:, :k], self._changes[:, :k], self._diagonal[:, :k], inverse

    def inverse_hessian_product(self, gradient, precondition):
        """The inverse Hessian that the pairs tell of, `precondition` where they say nothing."""
        if not len(self):
            return precondition(gradient.copy())
        steps, changes, diagonal, inverse = self._kept()
        gradient = gradient.astype(self.dtype, copy=False)
        alpha = _times(inverse, _times(steps, gradient))
        q = precondition(gradient - _combined(alpha.astype(self.dtype, copy=False), changes))
        weights = _combined(diagonal * alpha - _times(changes, q), inverse)
        return q + _combined(weights.astype(self.dtype, copy=False), steps)


def _times(matrices, vectors):
    """Each group's matrix times its vector."""
    if len(matrices) == 1:
        # A single product begins in a third of the time.
        return np.dot(matrices[0], vectors[0])[None]
    return np.matmul(matrices, vectors[:, :, None])[:, :, 0]


def _combined(weights, matrices):
    """Sum of each group's rows, times its weights."""
    if len(matrices) == 1:
        return np.dot(weights[0], matrices[0])[None]
    return np.matmul(weights[:, None, :], matrices)[:, 0, :]
