"""Losses with a kink: smooth them, drive the smoothing to zero, and say what is left.

A loss with a kink (absolute error, quantile, hinge) is replaced by its Moreau envelope, which is
smooth, lies below it, and differs only near the kink. Its minimiser is found by a smooth solver,
for smaller and smaller widths of the smoothing. The residuals' slopes in the envelope are feasible
in the dual of the original problem, so each stage knows how far from the optimum it can be.

References
----------
Madsen and Nielsen, A finite smoothing algorithm for linear l1 estimation, SIAM J. Optim. 3 (1993):
the path of minimisers is piecewise linear in the width, so it can be extrapolated to zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..kernels import EnvelopeGap
from ..objective import Objective
from .base import Iterate, Solver
from .vertex import way_down

SHRINK = 0.2
MAX_STAGES = 60
# Widths at which the best valley is looked for: that of the widest loss need not be the true one's.
N_SEARCHES = 3
# How far from its kink, in widths of the smoothing, a row may end that is held there.
REACH = 10.0


class Smoothed(Solver):
    """Solve a problem with a kinked loss by a solver for smooth ones.

    Parameters
    ----------
    solver : Solver
        Solves the smoothed stages.
    """

    def __init__(self, solver: Solver):
        self.solver = solver
        self.name = solver.name
        self.needs_smooth_penalty = solver.needs_smooth_penalty
        self.is_random = solver.is_random

    def iterate(self, objective, start, goal, rng):
        theta = start
        yield measured(objective, theta)
        width = first_width(objective, theta)
        path: list[tuple[float, np.ndarray]] = []
        searches = self.solver.searches(objective, start)
        for stage in range(MAX_STAGES):
            smooth = objective.with_pair(objective.pair.smoothed(width))
            if stage == 0:
                iterates = self.solver.iterate(smooth, theta, goal, rng)
            else:
                if path:
                    theta = self._ahead(smooth, path, width)
                search = searches and stage < N_SEARCHES
                iterates = self.solver.resume(smooth, theta, goal, rng, search=search)
            theta, inner_gap = yield from self._stage(objective, iterates, goal)
            path = [*path[-1:], (width, theta)]
            gap = max(inner_gap, 0.0) + envelope_gap(objective, theta, width)
            for end in self._ends(objective, path, gap):
                lower = self._lower(objective, end, width, goal)
                yield end
                if end.gap <= goal.target(end.total, end.theta):
                    return
                if lower is not None:
                    break
            width *= SHRINK
            if lower is not None:
                end = measured(objective, lower)
                # Wider again, as far as what was won is not lost by it.
                width = max(width, objective.total(theta) - end.total)
                theta, path = lower, []
        end.last = True
        end.message = "the smoothing of the loss could not be made narrower"
        yield end

    @staticmethod
    def _stage(objective, iterates, goal):
        """Solve at one width; yields iterates measured on the true loss."""
        first = True
        for iterate in iterates:
            theta, gap = iterate.theta, iterate.gap
            value = iterate.value + float(objective.l1_value(theta).sum())
            if gap <= 0.1 * goal.target(value, theta) or iterate.last:
                break
            if not first:
                yield measured(objective, theta, step_size=iterate.step_size)
            first = False
        return theta, float(np.nan_to_num(gap, nan=np.inf))

    @staticmethod
    def _lower(objective: Objective, end: Iterate, width, goal):
        """A point too low for the gap of what looks like the end; None if it is the end."""
        pair, allowed, lower = objective.pair, goal.target(end.total, end.theta), None
        if not pair.convex and end.gap < -objective.rounding:
            lower = end.theta
        elif end.gap <= allowed and not (pair.convex or pair.smooth) and pair.activation.kinks:
            lower = way_down(objective, end.theta, REACH * width, allowed)
        end.gap = max(end.gap, 0.0) if lower is None else np.nan
        return lower

    def _ahead(self, smooth: Objective, path, width):
        """Where to begin at the next width: the path's point there, or its last one."""
        here = path[-1][1]
        if len(path) < 2:
            return here
        there = self._extrapolated(path, width)
        # Of a loss that is not convex the path may lead, or have led, out of a valley.
        if smooth.pair.convex or smooth.total(there) < smooth.total(here):
            return there
        return here

    @staticmethod
    def _extrapolated(path, width):
        """Follow the path of minimisers, linear in the width, on to the next width."""
        (wide, at_wide), (narrow, at_narrow) = path
        return at_narrow + (width - narrow) / (narrow - wide) * (at_narrow - at_wide)

    def _ends(self, objective: Objective, path, gap) -> Iterator[Iterate]:
        """Where a stage ended, and the path's end at width zero, if that is lower.

        The gap there is below zero if the path has led into another valley.
        """
        here = path[-1][1]
        yield measured(objective, here, gap=gap)
        if len(path) < 2:
            return
        theta = self._extrapolated(path, 0.0)
        fall = objective.total(here) - objective.total(theta)
        if fall > 0:
            yield measured(objective, theta, gap=gap - fall)


class InPiecesAtNeed(Solver):
    """Solve a problem whose loss has pieces as it is; by the pieces where that leads nowhere.

    A column whose rows all lie on straight pieces has a slope and no curvature, so that Newton's
    step along it has no length to go by. And it may take many steps until each row is on the piece
    that it ends on. Mostly it is not like that, and then nothing is faster than Newton's steps on
    the loss itself.

    Parameters
    ----------
    solver : Solver
        Solves the problem as it is.
    pieces : Solver
        Goes on from where that is stuck.
    most_steps : int
        Steps after which it is taken to be stuck.
    """

    def __init__(self, solver: Solver, pieces: Solver, most_steps: int):
        self.solver = solver
        self.pieces = pieces
        self.most_steps = most_steps
        self.name = solver.name
        self.needs_smooth_penalty = solver.needs_smooth_penalty
        self.is_random = solver.is_random

    def iterate(self, objective, start, goal, rng):
        theta, n_steps = start, 0
        for iterate in self.solver.iterate(objective, start, goal, rng):
            if iterate.objective is objective:
                is_stuck = iterate.last and bool(iterate.message)
                if is_stuck or n_steps == self.most_steps:
                    break
                n_steps += 1
            theta = iterate.theta
            yield iterate
            if iterate.last and iterate.objective is objective:
                return
        yield from self.pieces.iterate(objective, theta, goal, rng)


def measured(objective: Objective, theta, *, gap=np.nan, step_size=np.nan) -> Iterate:
    """An iterate with the value of the true, kinked objective."""
    value, gradient = objective.value_and_gradient(theta)
    norm = objective.weight_gradient_norm(gradient)
    return Iterate(theta, float(value.sum()), norm, objective, step_size, gap)


def first_width(objective: Objective, theta) -> float:
    """A width of about the typical loss at the start, where the smoothed problem is easy."""
    loss = float((objective.value(theta) - objective.l2_value(theta)).sum()) / objective.n_neurons
    return max(loss, 1e-300)


def envelope_gap(objective: Objective, theta, width) -> float:
    """Duality gap of the minimiser of the smoothed objective: a mean over rows.

    A pair that is not convex has no dual; there it is what the smoothing changes at this point.
    """
    if not objective.pair.convex:
        smooth = objective.with_pair(objective.pair.smoothed(width))
        return float((objective.value(theta) - smooth.value(theta)).sum())
    kernel = EnvelopeGap(
        objective.pair, objective.pair.smoothed(width), width, objective.row_center
    )
    (total,) = objective.source.map_sum(kernel, *objective.kernel_parameters(theta))
    return float(total.sum()) / objective.source.total_weight
