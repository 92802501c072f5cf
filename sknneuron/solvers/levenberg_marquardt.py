"""Levenberg-Marquardt from the best of several starts, for pairs that are not convex."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..kernels import Single
from ..objective import Objective
from .base import Goal, Iterate, Solver
from .damping import MAX_DAMPING, RIDGE, DampedDescent
from .descent import MOST_MOVED, MOST_WRONG, Descent
from .kinks import KinkedDescent
from .line_search import contraction
from .linear_algebra import SpdSolver, positive_solver
from .multistart import find_start
from .newton import Newton, trusted_gap
from .search import End, Search
from .staged import hessian_cost

# A step that fulfils this much of its promise shows that the solution is near.
NEAR = 0.7
MAX_REFUSALS = 30
# Damping to go on with where more had grown than was needed.
MODERATE = 1.0


class LevenbergMarquardt(Solver):
    """Damped Gauss-Newton steps on sums over rows; several starts if the pair is not convex.

    From the best neuron with a bias alone, several starts go down on a subsample and the best one
    goes on, on all rows; from any other start it goes on from there. Near the solution the
    activation's curvature, which Gauss-Newton leaves out, is taken in, and steps become Newton's.

    Notes
    -----
    The gap of an iterate is the decrement of the local quadratic model, where its Hessian is
    positive definite and the model has held: the distance to the minimum of this valley.

    References
    ----------
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, SIAM J. Appl.
    Math. 11 (1963). Dennis and Schnabel, Numerical Methods for Unconstrained Optimization and
    Nonlinear Equations (1996), 10.3: when the second-order part may be left out.
    """

    name = "levenberg_marquardt"
    is_random = True

    def iterate(self, objective, start, goal, rng):
        if self.searches(objective, start):
            yield from self._search(objective, start, goal, rng)
            return
        start = objective.balanced(start)
        yield from self._go_down(objective, start, goal, is_near=objective.pair.convex)

    def resume(self, objective, start, goal, rng, *, search=False):
        if search:
            yield from self._search(objective, start, goal, rng, earlier=start)
            return
        # A neuron that is dead here may be so for good.
        yield from self._go_down(objective, start, goal, is_near=objective.pair.convex)

    def searches(self, objective, start):
        """Whether it is the start of a neuron that has learnt nothing, or one that is dead."""
        if objective.pair.convex:
            return False
        has_learnt = bool(np.any(start[:, : objective.n_features]))
        return not has_learnt or bool(np.any(objective.flat_fraction(start) == 1))

    def _search(self, objective, start, goal, rng, earlier=None):
        """From the best of many starts."""
        searches, ends = find_start(objective, rng, earlier)
        theta, value = np.array([end.theta for end in ends]), sum(end.value for end in ends)
        for found in searches:
            yield from found.iterates(start if found is searches[0] else None)
        factor = None if objective.minima_lie_on_kinks else self._factor(searches[-1], ends)
        goes_on = objective.source.n_rows > searches[-1].objective.source.n_rows
        single = Single.NONE
        if factor is not None and goes_on and not goal.polishes:
            allowed = goal.target(value, theta)
            single = self._in_single(objective, searches[0], theta, factor, allowed)
        # They hold copies of rows.
        del searches, found, ends
        if factor is not None and goes_on:
            theta = yield from self._follow(objective, theta, goal, factor, single)
        if theta is not None:
            yield from self._go_down(objective, theta, goal, is_near=True)

    @staticmethod
    def _factor(found: Search, ends: list[End]) -> SpdSolver | None:
        """Factor of the sample's Hessian, if it is positive definite and says it all."""
        if found.factor is not None:
            return found.factor
        hessian = np.array([found.hessian(k, end) for k, end in enumerate(ends)])
        return positive_solver(hessian)

    @staticmethod
    def _in_single(
        objective: Objective, found: Search, theta, factor: SpdSolver, allowed: float
    ) -> Single:
        """Levels, where float32 changes next to nothing of what is allowed."""
        if not objective.levels_are_quicker_in_single:
            return Single.NONE
        moved, off = found.sample.noise_of_levels(theta, factor)
        is_small = moved <= MOST_MOVED * allowed and off <= MOST_WRONG * allowed
        return Single.LEVELS if is_small else Single.NONE

    @staticmethod
    def _follow(objective: Objective, theta, goal: Goal, factor: SpdSolver, single: Single):
        """Quasi-Newton steps on the sample's curvature; returns where it got stuck, or None."""
        size = objective.shape[1]
        prior = min(0.5, 0.02 + 8 * size / 2000)
        cost = hessian_cost(size)
        descent = Descent(objective, goal.target, factor=factor, prior=prior, hessian_cost=cost)
        descent.single |= single
        for iterate in descent.iterate(theta):
            if iterate.last and iterate.message:
                return iterate.theta
            yield iterate
        return None

    @staticmethod
    def _go_down(objective: Objective, theta, goal: Goal, *, is_near: bool) -> Iterator[Iterate]:
        """Damped steps on all rows until the model promises nothing more."""

        def full(theta):
            return objective.value_gradient_hessian(theta)

        def gauss_newton(theta):
            return objective.value_gradient_hessian(theta, gauss_newton=True)

        kinked = objective.minima_lie_on_kinks
        if kinked:
            down: KinkedDescent | DampedDescent = KinkedDescent(objective, theta)
            is_near = True
        else:
            evaluate = full if is_near else gauss_newton
            down = DampedDescent(
                evaluate,
                theta,
                rounding=objective.rounding,
                damping=0.0 if is_near else 1e-3,
                is_positive=not is_near,
            )
        previous, ratio, step_size = np.nan, np.nan, np.nan
        steps, refusals, lowest, eased = 0, 0, np.inf, np.inf
        while True:
            norm, value = objective.weight_gradient_norm(down.gradient), float(down.value.sum())
            if isinstance(down, KinkedDescent) and steps and down.damping.max() <= RIDGE:
                # Kinks only hold a step up: if it would gain next to nothing without them, this is
                # the end, and they need not be looked for.
                step, predicted = down.propose_without_kinks()
                total = float(predicted.sum())
                ratio = contraction(total, previous, objective.rounding)
                shift = objective.largest_shift(step, down.theta)
                gap = trusted_gap(objective.pair, shift, total, ratio)
                if gap <= goal.target(value, down.theta):
                    yield Iterate(down.theta, value, norm, objective, step_size, gap)
            step, predicted = down.propose()
            total = float(predicted.sum())
            if not math.isnan(previous):
                ratio = contraction(total, previous, objective.rounding)
            allowed = goal.target(value, down.theta)
            if total <= allowed and not is_near:
                # What is left a model without all of the curvature cannot say.
                is_near = True
                down.evaluate_with(full)
                continue
            is_last = total <= 1e-3 * objective.rounding
            # Kinks were rounded off in the search: how far they are shows only after a step.
            sound = is_near and down.damping.max() <= RIDGE and (steps or is_last or not kinked)
            gap = np.nan
            if sound:
                shift = objective.largest_shift(step, down.theta)
                gap = trusted_gap(objective.pair, shift, total, ratio)
            if is_last:
                gap = 2 * total if sound else down.undamped_decrement()
                if not gap <= allowed and eased - value > objective.rounding:
                    # On a straight piece there is next to no curvature, and so damping may have
                    # grown that leaves nothing of a step where there is some.
                    down.damping, eased = np.minimum(down.damping, MODERATE), value
                    continue
            if sound and gap <= allowed and objective.pair.convex:
                # Damping however small hides what nearly collinear columns have to gain.
                yield from Newton().iterate(objective, down.theta, goal, None)
                return
            if sound and not kinked and gap <= allowed:
                # The last step is at hand, and a look at its value is all that it needs.
                end = down.theta + step
                seen = float(objective.value(end).sum())
                if seen <= value - total + allowed:
                    yield Iterate(down.theta, value, norm, objective, step_size)
                    yield Iterate(end, seen, np.nan, objective, 1.0, gap, last=True)
                    return
                gap = np.nan
            current = Iterate(down.theta, value, norm, objective, step_size, gap)
            current.last = is_last
            if refusals >= MAX_REFUSALS or (refusals and down.damping.min() == MAX_DAMPING):
                current.last, current.message = True, "no step finds a lower point"
            yield current
            down.advance(step, predicted)
            steps += 1
            step_size = 1 / (1 + float(down.damping.max()))
            # A neuron at its end takes steps of nothing for ever.
            falls = lowest - float(down.value.sum()) > objective.rounding
            lowest, refusals = (float(down.value.sum()), 0) if falls else (lowest, refusals + 1)
            previous = total if down.accepted.all() else np.nan
            if not is_near and np.all(down.accepted & (down.ratio > NEAR)):
                is_near = True
                down.evaluate_with(full)
