"""Losses of two straight pieces at their optimum, unsmoothed: with a kink between them (absolute
error, quantile, hinge), or a parabola (huber, squared hinge).

A neuron's optimum depends on which rows lie on their kink, and on which side of it the others do.
Few rows are all of the problem. Of many, those near their kinks and the slope of the rest are, once
weights are known so well that the rest stays where it is; a look at all rows says whether it does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from ..objective import Objective
from .base import Goal, Iterate, Solver
from .central_path import CentralPath
from .near_kinks import Look, all_pieces

# Rows near their kinks that are copied of many: so many, so many for each parameter, or this share
# of all, whichever is most. All are copied up to so many times that.
NEAR_ROWS, NEAR_PER_PARAMETER, NEAR_SHARE = 5000, 150, 1 / 40
FEW = 2
# Numbers that are held at once: entries of rows, and so many more for each row of a neuron.
MAX_NUMBERS, NUMBERS_PER_ROW = 1 << 22, 10
MAX_LOOKS = 8
# The optimum of a part of the rows is sought to this share of the gain, the first time and then.
FIRST_TOL, PART_TOL = 1e-4, 1e-6
# Share of the rows that are near their kinks at first, in units of how far off, by the part of the
# rows that they are from, the weights may be; and how much fewer they are from look to look.
FIRST_NEAR, FEWER = 3.0, 8.0
# What is left is a difference of two sums, each with that many roundings of the objective.
ROUNDINGS = 4


class InteriorPoint(Solver):
    """Minimise a loss of two straight pieces.

    Parameters
    ----------
    solver : Solver
        Goes on from where this leads nowhere: where no finite weights are the best, say.

    References
    ----------
    Portnoy and Koenker, The Gaussian hare and the Laplacian tortoise, Statist. Sci. 12 (1997): the
    method, and leaving out rows whose side is known.
    """

    def __init__(self, solver: Solver):
        self.solver = solver
        self.name = solver.name

    @staticmethod
    def serves(objective: Objective) -> bool:
        """Whether the loss is of two straight pieces, and rows that matter may be copied."""
        if not objective.source.is_numpy or objective.pair.pieces(objective.watched.y) is None:
            return False
        return _numbers(objective) <= MAX_NUMBERS or _copies_near(objective)

    def iterate(self, objective, start, goal, rng):
        theta, is_end, n_near = start, False, _n_near(objective)
        are_many = objective.source.n_rows > FEW * n_near
        if are_many and _copies_near(objective):
            theta, is_end = yield from _iterate_near(objective, start, goal, n_near)
        if not is_end and _numbers(objective) <= MAX_NUMBERS:
            theta, is_end = yield from _iterate_all(objective, theta, goal.target, goal.polishes)
        if not is_end:
            yield from self.solver.iterate(objective, theta, goal, rng)


def _n_near(objective: Objective) -> int:
    """Rows near their kinks that are copied, of many."""
    most = MAX_NUMBERS // _numbers_per_row(objective)
    n_rows = min(NEAR_SHARE * objective.source.n_rows, most)
    return int(max(NEAR_ROWS, NEAR_PER_PARAMETER * objective.neuron_size, n_rows))


def _copies_near(objective: Objective) -> bool:
    """Whether rows near their kinks may be copied, and all others lie on straight pieces."""
    is_straight = not objective.pair.loss.softness
    return is_straight and _n_near(objective) * _numbers_per_row(objective) <= MAX_NUMBERS


def _numbers_per_row(objective: Objective) -> int:
    """Those of a row near the kinks, if each neuron has one of its own."""
    return objective.n_neurons * (objective.neuron_size + NUMBERS_PER_ROW)


def _numbers(objective: Objective) -> int:
    """Numbers that are held of all rows."""
    per_row = objective.neuron_size + objective.n_neurons * NUMBERS_PER_ROW
    return objective.source.n_rows * per_row


# What an iteration returns: where it led, and whether that is the end.
Iteration = Generator[Iterate, None, tuple[np.ndarray, bool]]


def _iterate_all(
    objective: Objective, start, target: Callable, polishes: bool = False
) -> Iteration:
    """Iterate with all rows at hand; the last step is as exact as can be if it `polishes`."""
    pieces = all_pieces(objective, start)
    paths = [CentralPath(*of) for of in zip(pieces, start, strict=True)]
    step_size, unknown = np.nan, ROUNDINGS * objective.rounding
    while not any(path.is_stuck for path in paths):
        theta, values, gaps = _ends(paths)
        allowed = target(values.sum(), theta)
        is_end = bool(gaps.sum() <= allowed + unknown)
        if is_end and polishes:
            for path in paths:
                path.polish()
            polished = _ends(paths)
            if polished[-1].sum() < gaps.sum():
                theta, values, gaps = polished
        residual = np.array([path.residual for path in paths])
        value = float(values.sum()) - objective.total_l1(theta)
        gap = max(float(gaps.sum()) - unknown, 0.0)
        yield Iterate(theta, value, residual, objective, step_size, gap)
        if is_end:
            return theta, True
        left = np.flatnonzero(~(gaps <= 0.5 * allowed / len(gaps)))
        step_size = min(paths[k].advance() for k in left)
    return start, False


def _ends(paths: list[CentralPath]) -> tuple:
    """Thetas, the objective of each and what is left of it."""
    ends = [path.end() for path in paths]
    values = np.array([value for _, value in ends])
    gaps = np.array([path.gap - path.value() for path in paths]) + values
    # No more is left than there is: neither a loss of two pieces nor a penalty is below zero.
    return np.array([end for end, _ in ends]), values, np.minimum(gaps, values)


def _iterate_near(objective: Objective, start, goal: Goal, n_rows: int) -> Iteration:
    """Iterate with rows near their kinks, from look to look at all rows."""

    def share_of_gain(tol):
        return lambda value, _: tol * max(goal.null_value - value, 1e-3 * abs(value))

    # They are read once, and need no copy beside the one that is made of them.
    part = objective.over(objective.source.subset(objective.sample_rows(n_rows), once=True))
    theta, _ = yield from _iterate_all(part, start, share_of_gain(FIRST_TOL))
    del part
    least = n_rows / objective.source.n_rows
    near = FIRST_NEAR * np.sqrt(objective.neuron_size / n_rows)
    best, least_value, bound = Iterate(theta, np.inf, np.nan, objective), np.inf, -np.inf
    for _ in range(MAX_LOOKS):
        look = Look.at(objective, theta, np.clip(near, least, 1.0), n_rows)
        if look.value < least_value:
            least_value, near = look.value, max(near / FEWER, least)
            smooth = look.value - objective.total_l1(theta)
            best = Iterate(theta, smooth, look.gradient, objective, step_size=1.0)
        best.gap = least_value - bound
        yield best
        allowed = goal.target(least_value, best.theta)
        if best.gap <= allowed:
            return best.theta, True
        if theta is not best.theta:
            # Rows that the model has straight were led over their kinks.
            if near >= 1:
                break
            near *= FEWER
            del look
            look = Look.at(objective, best.theta, np.clip(near, least, 1.0), n_rows)
        tol = 0.3 * allowed if look.is_exact else share_of_gain(PART_TOL)(least_value, None)
        theta, least_change = _minimum(look, tol, look.is_exact and goal.polishes)
        if look.is_exact:
            bound = max(bound, least_value + least_change)
        # It holds rows, and so does the next.
        del look
    return best.theta, False


def _minimum(look: Look, tol: float, polishes: bool) -> tuple[np.ndarray, float]:
    """Minimise what a look knows: where, to `tol`, and what the objective changes by, at least."""
    theta, change = np.empty_like(look.theta), 0.0
    for k, (pieces, start) in enumerate(zip(look.pieces, look.theta, strict=True)):
        path = CentralPath(pieces, start)
        before = path.value()
        path.follow(tol / len(theta))
        # What is left where a path is stuck is too rough an estimate to be built on.
        is_stuck = path.is_stuck
        if polishes and not is_stuck:
            path.polish()
        theta[k], _ = path.end()
        change += -np.inf if is_stuck else path.value() - path.gap - before
    return theta, change
