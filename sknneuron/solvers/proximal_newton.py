"""Proximal Newton: second-order steps on an objective with an L1 norm."""

from __future__ import annotations

import numpy as np

from .base import Solver
from .proximal_descent import ProximalDescent

# Aim for a share of the gap allowed: what is left is an estimate.
STOP_SHARE = 0.5


class ProximalNewton(Solver):
    """Newton's quadratic model with the L1 norm kept exact, minimised at every step.

    References
    ----------
    Lee, Sun and Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J.
    Optim. 24 (2014).
    """

    name = "proximal_newton"
    needs_smooth_penalty = False

    def iterate(self, objective, start, goal, rng):
        descent = ProximalDescent(
            objective,
            lambda value, theta: STOP_SHARE * goal.target(value, theta),
            objective.rounding,
        )
        yield from descent.iterate(start)
