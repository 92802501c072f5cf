"""Levenberg-Marquardt with several starts, for pairs that are not convex."""

from __future__ import annotations

import numpy as np

from .base import Iterate, Solver
from .damping import DampedDescent
from .kinks import KinkedDescent
from .newton import trusted_gap
from .starts import search

MAX_REFUSALS = 30


class LevenbergMarquardt(Solver):
    """Damped Gauss-Newton on sums over rows, from the best of several starts.

    References
    ----------
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, SIAM J. Appl.
    Math. 11 (1963).
    """

    name = "levenberg_marquardt"

    def iterate(self, objective, start, goal, rng):
        theta = start
        if not objective.pair.convex and np.array_equal(start, objective.null()):
            found = search(objective, rng)
            yield from found.iterates()
            theta = found.best(objective)
        yield from self._descend(objective, theta, goal)

    def _descend(self, objective, theta, goal):
        if objective.pair.activation.kinks:
            down = KinkedDescent(objective, theta)
        else:
            down = DampedDescent(objective.value_gradient_hessian, theta,
                                 rounding=objective.rounding)
        previous, ratio, refusals = np.nan, 1.0, 0
        while True:
            step, predicted = down.propose()
            total = float(predicted.sum())
            if total < previous:
                ratio = total / previous
            gap = np.nan
            if not down.damping.any():
                gap = trusted_gap(objective, step, total, ratio)
            current = Iterate(down.theta, float(down.value.sum()),
                              objective.weight_gradient_norm(down.gradient), objective,
                              float(down.damping.max()), gap)
            current.last = total <= 1e-3 * objective.rounding
            if refusals >= MAX_REFUSALS:
                current.last, current.message = True, "no step finds a lower point"
            yield current
            down.advance()
            refusals = 0 if down.accepted.any() else refusals + 1
            previous = total if down.accepted.all() else np.nan
