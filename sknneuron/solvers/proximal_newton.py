"""Proximal Newton: second-order steps on an objective with an L1 norm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..objective import Objective
from .base import Goal, Iterate, Solver
from .proximal_descent import ProximalDescent
from .subsample import Sampler

# Aim for a share of the gap allowed: what is left is an estimate.
STOP_SHARE = 0.5
# Rows of the first subsample, per feature and at least; each next one holds so many times more.
ROWS_PER_FEATURE = 10
LEAST_ROWS = 2000
GROWTH = 10


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
        theta, columns = yield from self._warm_start(objective, start, goal)
        descent = ProximalDescent(
            objective,
            lambda value, theta: STOP_SHARE * goal.target(value, theta),
            objective.rounding,
        )
        yield from descent.iterate(theta, columns)

    def _warm_start(self, objective: Objective, theta, goal: Goal) -> Iterator[Iterate]:
        """Minimise over growing subsamples; return where that led and its working set."""
        columns = None
        if objective.source.is_sparse:
            return theta, columns
        # Convex: where the subsamples lie changes how fast we get there, not where we arrive.
        sampler = Sampler(objective, np.random.default_rng(0))
        n_rows = max(LEAST_ROWS, ROWS_PER_FEATURE * objective.n_features)
        while n_rows * GROWTH <= 2 * objective.source.n_rows:
            sample = sampler.subsample(n_rows)

            def target(value, theta, m=n_rows):
                # The optimum over m rows lies this far above that over all rows, about.
                noise = 0.5 * (1 + np.count_nonzero(theta)) / m
                return max(0.05 * noise, goal.target(value, theta))

            descent = ProximalDescent(sample, target, sample.rounding)
            for iterate in descent.iterate(theta, columns):
                theta = iterate.theta
                yield iterate
                if iterate.gap <= target(0, theta): break
            columns = descent.point.columns
            n_rows *= GROWTH
        return theta, columns
