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
    """

    def __init__(self, size: int = MEMORY):
        self.size = size
        self._n_seen = 0

    def __len__(self) -> int:
        return min(self._n_seen, self.size)

    def remember(self, step, change):
        """Keep a pair; a group without positive curvature along its step keeps nothing of it."""
        curvature = dot(step, change)
        good = curvature > 1e-14 * np.sqrt(dot(step, step) * dot(change, change))
        if not good.all():
            if not good.any():
                return
            step, change = np.where(good[:, None], (step, change), 0.0)
            curvature = np.where(good, curvature, 1.0)
        if self._n_seen == 0:
            n_groups, n = step.shape
            self._steps = np.empty((n_groups, self.size, n))
            self._changes = np.empty((n_groups, self.size, n))
            self._diagonal = np.empty((n_groups, 0))
            self._inverse = np.empty((n_groups, 0, 0))
            self._places = np.empty(0, dtype=np.intp)
        # The oldest pair is the first: without it the inverse is what remains below and beside it.
        kept = slice(int(len(self) == self.size), None)
        above = _times(self._steps[:, : len(self)], change)[:, self._places[kept]]
        inverse = self._inverse[:, kept, kept]
        k = inverse.shape[1]
        self._inverse = np.zeros((len(inverse), k + 1, k + 1))
        self._inverse[:, :k, :k] = inverse
        self._inverse[:, :k, k] = _times(inverse, above) / -curvature[:, None]
        self._inverse[:, k, k] = 1 / curvature
        self._diagonal = np.concatenate([self._diagonal[:, kept], curvature[:, None]], axis=1)
        place = self._n_seen % self.size
        self._steps[:, place], self._changes[:, place] = step, change
        self._n_seen += 1
        # The oldest first.
        self._places = (np.arange(k + 1) + place - k) % self.size

    def inverse_hessian_product(self, gradient, precondition):
        """The inverse Hessian that the pairs tell of, `precondition` where they say nothing."""
        if not len(self):
            return precondition(gradient.copy())
        places = self._places
        steps, changes = self._steps[:, : len(self)], self._changes[:, : len(self)]
        alpha = _times(self._inverse, _times(steps, gradient)[:, places])
        placed = np.empty_like(alpha)
        placed[:, places] = alpha
        q = precondition(gradient - _combined(placed, changes))
        rest = self._diagonal * alpha - _times(changes, q)[:, places]
        placed[:, places] = _combined(rest, self._inverse)
        return q + _combined(placed, steps)


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
