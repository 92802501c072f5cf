"""Faces of an L1 norm: as long as weights keep their signs the objective is smooth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .hidden import matters, revealed
from .linear_algebra import SpdSolver, dot


def end_on_face(at, to, gradient, hessian, l1, product: Callable, allowed: float):
    """Where Newton's step leads from the minimum of a model whose rounding hides curvature.

    It ends where the first weight becomes zero.

    Parameters
    ----------
    at, to : ndarray of shape (size,)
        Where the model is from, and its minimum, which tells the face.
    gradient, l1 : ndarray of shape (size,)
        Of the smooth part at the former, and slopes of the L1 norm.
    hessian : ndarray of shape (size, size)
    product : callable
        The Hessian times a direction.
    allowed : float

    Returns
    -------
    ndarray of shape (size,) or None
        None if no more than is allowed is to be gained.
    """
    free = np.flatnonzero((to != 0) | (l1 == 0))
    solve = SpdSolver(hessian[None, free[:, None], free])
    if not solve.ridge:
        return None
    slope = (gradient + l1 * np.sign(to))[None]
    by_model = slope + hessian @ (to - at)
    hidden = max(solve.hidden_slope(s[:, free]).item() for s in (slope, by_model))
    if not matters(hidden, allowed):
        return None
    slope = (slope + product(to - at))[:, free]

    def within(_, direction):
        whole = np.zeros_like(to)
        whole[free] = direction
        return product(whole)[free]

    step = -(revealed(solve, slope, within, allowed) or solve)(slope)[0]
    if not -0.5 * float(dot(slope[0], step)) > allowed:
        return None
    start = to[free]
    crosses = (l1[free] > 0) & ((start + step) * start <= 0)
    share = np.where(crosses, start / np.where(crosses, -step, 1.0), 1.0)
    length = share.min()
    end = to.copy()
    end[free] = np.where(crosses & (share == length), 0.0, start + length * step)
    return end
