"""Proximal Newton: second-order steps on an objective with an L1 norm."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from ..objective import Objective
from .base import Goal, Iterate, Solver
from .lasso import iterate_lasso, sums_pay
from .newton import Newton
from .proximal_descent import ProximalDescent
from .subsample import Sampler, most_rows

# Aim for a share of the gap allowed: what is left is an estimate.
STOP_SHARE = 0.5
# Rows of the first subsample, per feature and at least; each next one holds so many times more.
ROWS_PER_FEATURE = 10
LEAST_ROWS = 2000
GROWTH = 12
MAX_STAGES = 3
# On a subsample the L1 norm is stronger by so many standard errors of a slope, which keeps out most
# of the weights that only its noise would wake.
NOISE_MARGIN = 2

# Iterates, and at the end what a warm start came to.
Steps = Generator[Iterate, None, Any]


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
        theta, sample = start, None
        if sums_pay(objective):
            theta = yield from iterate_lasso(objective, start, goal)
            if theta is None:
                return
        else:
            theta, sample = yield from self._warm_start(objective, start, goal)
        descent = ProximalDescent(
            objective, lambda value, theta: STOP_SHARE * goal.target(value, theta)
        )
        for iterate in descent.iterate(theta, sample):
            is_near = iterate.last or iterate.gap <= goal.target(iterate.value, iterate.theta)
            if is_near and not objective.penalty.l1 and objective.pair.convex:
                # Without a kink of the penalty Newton's own end tells more of what is left.
                yield from Newton().iterate(objective, iterate.theta, goal, rng)
                return
            yield iterate

    def _warm_start(self, objective: Objective, theta, goal: Goal) -> Steps:
        """Minimise over growing subsamples; return where that led and the last of them."""
        sample = None
        # Convex: where the subsamples lie changes how fast we get there, not where we arrive.
        sampler = Sampler(objective, np.random.default_rng(0))
        for n_rows in self._sizes(objective):
            sample = sampler.subsample(n_rows, copy=False)
            theta = yield from self._stage(sample, theta, goal)
        return theta, sample

    @staticmethod
    def _sizes(objective: Objective) -> list[int]:
        """Rows of the subsamples, none where they would not pay."""
        source = objective.source
        least = LEAST_ROWS
        if not source.is_sparse:
            least = max(least, ROWS_PER_FEATURE * source.n_features)
        sizes: list[int] = []
        n_rows = min(source.n_rows // GROWTH, most_rows(source))
        while 2 * n_rows >= least and len(sizes) < MAX_STAGES:
            sizes.append(max(n_rows, least))
            n_rows //= GROWTH
        return sizes[::-1]

    def _stage(self, sample: Objective, theta, goal: Goal) -> Steps:
        """Minimise over a subsample, as far as its noise deserves."""
        m = sample.source.n_rows

        def target(value, theta):
            # The optimum over m rows lies this far above that over all rows, about.
            noise = 0.5 * (1 + np.count_nonzero(theta)) / m
            return max(0.05 * noise, goal.target(value, theta))

        strict = sample.over(sample.source)
        strict.l1 = sample.l1 + np.where(sample.l1 > 0, NOISE_MARGIN * slope_noise(sample), 0.0)
        for iterate in ProximalDescent(strict, target).iterate(theta):
            theta = iterate.theta
            yield replace(iterate, objective=sample, last=False, gap=np.nan)
            if iterate.gap <= target(iterate.value, theta):
                break
        return theta


def slope_noise(sample: Objective) -> float:
    """Standard error of the gradient in a scaled column, from the slopes of the null neuron."""
    rows = sample.watched
    z = sample.pre_activation(sample.null())
    slopes = sample.pair.derivatives(rows.y, z, 1)[1]
    weight = np.ones(rows.n_rows) if rows.sample_weight is None else rows.sample_weight
    mean_square = float(weight @ np.sum(slopes**2, axis=1)) / (weight.sum() * slopes.shape[1])
    return float(np.sqrt(mean_square / sample.source.n_rows))
