"""What L-BFGS remembers of its way."""

from __future__ import annotations

import numpy as np

from .linear_algebra import dot

MEMORY = 20


class Memory:
    """The last steps and changes of the gradient, per group."""

    def __init__(self, size: int = MEMORY):
        self.size = size
        self.steps: list[np.ndarray] = []
        self.changes: list[np.ndarray] = []
        self.inverses: list[np.ndarray] = []

    def remember(self, step, change):
        """Keep a pair; a group without positive curvature along its step keeps nothing of it."""
        curvature = dot(step, change)
        good = curvature > 1e-14 * np.sqrt(dot(step, step) * dot(change, change))
        if not good.any():
            return
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.where(good, 1 / curvature, 0.0)
        self.steps.append(step)
        self.changes.append(change)
        self.inverses.append(inverse)
        if len(self.steps) > self.size:
            for kept in (self.steps, self.changes, self.inverses):
                kept.pop(0)

    def inverse_hessian_product(self, gradient, precondition):
        """The two-loop recursion, with `precondition` in its middle."""
        q = gradient.copy()
        alphas = []
        history = list(zip(self.steps, self.changes, self.inverses, strict=True))
        for step, change, inverse in reversed(history):
            alpha = inverse * dot(step, q)
            q -= alpha[:, None] * change
            alphas.append(alpha)
        q = precondition(q)
        for (step, change, inverse), alpha in zip(history, reversed(alphas), strict=True):
            beta = inverse * dot(change, q)
            q += (alpha - beta)[:, None] * step
        return q
