"""Damped Newton on all rows: few passes, each with a Hessian."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..objective import Objective
from .base import Goal, Iterate, Solver
from .descent import newton_solver
from .discriminant import discriminant, is_blank
from .hidden import Revealed, hessian_at, revealed
from .line_search import (
    CONTRACTING,
    MOST_OFF,
    backtrack,
    contraction,
    foreseen,
    is_foretold,
    is_small,
    still_to_come,
)
from .linear_algebra import TINY, SpdSolver, dot

# Most that a step is bent, as a share of its length.
MOST_BENT = 0.5
# Exponent past which an old factor tells nothing of what is left.
MOST_EXCESS = 5.0


class Newton(Solver):
    """Newton's method with a Cholesky factor and a backtracking line search.

    The step is corrected by the change of the Hessian along it, where the pair knows its third
    derivative: that costs a fraction of a Hessian and saves one in three. Classifiers begin with
    the discriminant instead. Neurons that share no loss are stepped side by side, each with its own
    Hessian and step length. Where columns are so nearly collinear that rounding hides a curvature,
    its products with directions tell of it.
    For a pair that is not convex the Gauss-Newton curvature is used, which leads to a stationary
    point near the start.

    References
    ----------
    Boyd and Vandenberghe, Convex Optimization, 9.5: the decrement ``g . H^-1 g / 2`` as an estimate
    of what is left.
    Traub, Iterative Methods for the Solution of Equations, 1964, 5.2: the corrected step, which is
    Chebyshev's.
    """

    name = "newton"

    def iterate(self, objective, start, goal, rng):
        return NewtonDescent(objective, goal).iterate(objective.balanced(start))


@dataclass(slots=True)
class Step:
    """Newton's step from a point, and what it promises.

    Parameters
    ----------
    direction : ndarray of shape (n_groups, size)
        Newton's step, until it is lengthened, bent or held back.
    decrement : ndarray of shape (n_groups,)
        Half the slope along it, as a positive number.
    total : float
        The decrement of Newton's step, over all groups.
    value : float
        Smooth part of the objective where it begins.
    target : float
        The gap allowed there.
    is_end : bool
        Whether less is left than what rounding does to the objective.

    Attributes
    ----------
    gap : float
        Estimate of what is left where it begins, nan where none can be relied on.
    left : float
        Estimate of what is left where it ends.
    bent, gain : float
        What `corrected` says of it.
    shift : float
        Largest change of any row's curvature along it, nan until asked for.
    """

    direction: np.ndarray
    decrement: np.ndarray
    total: float
    value: float
    target: float
    is_end: bool
    gap: float = field(default=np.nan, init=False)
    left: float = field(default=np.nan, init=False)
    bent: float = field(default=np.nan, init=False)
    gain: float = field(default=0.0, init=False)
    shift: float = field(default=np.nan, init=False)


class NewtonDescent:
    """Minimise a smooth objective by Newton's steps from a start.

    Parameters
    ----------
    objective : Objective
    goal : Goal
    """

    def __init__(self, objective: Objective, goal: Goal):
        pair = objective.pair
        self.objective = objective
        self.pair = pair
        self.goal = goal
        self.rounding = objective.rounding
        self.gauss_newton = not pair.convex
        # Whether the last step may be taken without a pass to look at its end.
        self.ends_unseen = pair.convex and not pair.quadratic_pieces
        self.bends = pair.convex and pair.self_concordance is not None
        self.step_size = np.nan
        # The last decrement, what became of the one before it, and what that tells of the next.
        self.previous = self.fall = self.ratio = np.nan
        # Whether the last step came out as the model said.
        self.confirmed = False
        # Blind is a Hessian that may miss a curvature which matters. Once one did, it is looked for
        # at every point, and not only where a step might be the last one.
        self.blind = self.looked = self.reveals = False
        # Whether there are no weights yet, here and where the last step began.
        self.blank = self.was_blank = False
        # By what factor an old factor may overrate the curvature.
        self.excess = 1.0

    def iterate(self, theta) -> Iterator[Iterate]:
        """Yield iterates; the last one is flagged, and its gap says what is left.

        Where curvature is continuous the last step is taken without a pass to look at its end: its
        value is that of the model, whose error is less than the gap allowed.
        """
        self.blank = is_blank(self.objective, theta)
        self._renew_at(theta)
        while True:
            step = self._newton_step()
            if step.is_end or step.total <= step.target:
                if self._overlooks(step):
                    continue
                step.gap = self._gap(step)
            current = Iterate(self.theta, step.value, self.gradient, self.objective, self.step_size)
            if not self.ends_unseen:
                current.gap, current.last = step.gap, step.is_end
            yield current
            if step.total > step.target:
                self._improve(step)
            step.left = self._left(step)
            if self.ends_unseen and step.left <= step.target and self._foresees(step):
                if self._overlooks(step):
                    continue
                yield self._unseen_end(step)
                return
            if step.is_end:
                current.gap, current.last = step.gap, True
                yield current
                return
            if self.hessian is None:
                # The factor was an old one and what it said was not enough: take a new one here.
                self._renew_at(self.theta)
                continue
            found = self._search(step)
            # A look may promise what rounding does not let a step reach.
            looked = self.reveals and step.total <= step.target
            if found is None or (looked and not found[1].sum() < step.value):
                yield self._stuck(current, step, looked)
                return
            self._go(step, *found)

    # -- points ------------------------------------------------------------------------------------

    def _renew_at(self, theta) -> None:
        """Take value, gradient and Hessian at `theta`."""
        self.theta = theta
        self.value, self.gradient, self.hessian = self.objective.value_gradient_hessian(
            theta, self.gauss_newton
        )
        self.looked = False

    def _go(self, step: Step, theta, value, gradient, hessian, taken) -> None:
        """Go to what the line search found, and keep what the step there tells."""
        self.theta, self.value, self.gradient, self.hessian = theta, value, gradient, hessian
        self.step_size = max(taken.tolist())
        # What an old factor was taught holds as long as it does.
        self.looked = self.reveals and hessian is None
        self.blank, self.was_blank = False, self.blank
        self.previous = step.total
        if not is_whole(taken, step.decrement, self.rounding):
            # What whole steps did says nothing of what is ahead of a short one.
            self.ratio = self.previous = np.nan
        if not self.ends_unseen:
            # By what is allowed nobody is misled: far weights round more off than a step may win.
            noise = max(self.rounding, MOST_OFF * step.target)
            self.confirmed = step.left <= step.target and is_foretold(
                step.value, step.total, value, noise
            )

    # -- steps -------------------------------------------------------------------------------------

    def _newton_step(self) -> Step:
        """Newton's step from here, by the Hessian here or the one before."""
        gradient, value = self.gradient, sum(self.value.tolist())
        target = self.goal.target(value, self.theta)
        if self.hessian is not None and not self.looked:
            self.factor, self.excess = newton_solver(self.objective, self.hessian), 1.0
            self.solve: SpdSolver | Revealed = self.factor
            self.blind = self.factor.unseen(gradient) > target
            if self.blind or self.reveals:
                self._reveal(target)
        direction = -self.solve(gradient)
        decrement = dot(gradient, direction)
        decrement *= -0.5
        total = sum(decrement.tolist())
        if not math.isnan(self.previous):
            self.fall = contraction(total, self.previous, self.rounding)
            # Newton's steps contract as what is left does. How they did before the
            # discriminant's, which was none of them, does not show: perhaps not at all.
            self.ratio = math.sqrt(self.fall) if self.was_blank else self.fall
        return Step(direction, decrement, total, value, target, total <= 1e-3 * self.rounding)

    def _overlooks(self, step: Step) -> bool:
        """Whether more is left along directions whose curvature the Hessian's rounding hides."""
        if not self.factor.ridge or self.looked:
            return False
        self._reveal(step.target)
        return 0.5 * np.sum(dot(self.gradient, self.solve(self.gradient))) > step.target

    def _reveal(self, target: float) -> None:
        """Look behind the Hessian's rounding, once a point."""
        product = hessian_at(self.objective, self.theta, self.gauss_newton)
        solve = revealed(self.factor, self.gradient, product, target)
        self.looked, self.blind = True, False
        if solve is not None:
            self.solve, self.reveals, self.blind = solve, True, not solve.complete

    def _improve(self, step: Step) -> None:
        """Lengthen Newton's step to the discriminant, or bend it as the Hessian changes."""
        if self.blank:
            longer = discriminant(self.objective, self.theta, self.gradient, step.direction)
            if longer is not None:
                step.direction = longer
                return
        if self.bends:
            step.direction, step.bent, step.gain = corrected(
                self.objective, self.theta, step.direction, step.decrement, self.solve
            )

    def _search(self, step: Step):
        """What `backtrack` finds along the step; held back, if it finds nothing."""
        found = self._backtrack(step, 1 if self._factor_may_do(step) else 2)
        if found is not None or not self.factor.ridge:
            return found
        # Where there is next to no curvature rounding may lead anywhere: hold it back.
        step.direction = -self.factor(self.gradient, with_ridge=True)
        step.decrement = -0.5 * dot(self.gradient, step.direction)
        return self._backtrack(step, 2)

    def _backtrack(self, step: Step, order: int):
        return backtrack(
            self.objective,
            self.theta,
            step.direction,
            self.value,
            step.decrement,
            order=order,
            gauss_newton=self.gauss_newton,
        )

    def _factor_may_do(self, step: Step) -> bool:
        """Whether the factor at hand may do to show that this step was the last one."""
        # Where curvature jumps, it is not to be trusted: along some direction the only row that had
        # any may have none at the step's end.
        contracts = self.ratio <= CONTRACTING and not self.pair.quadratic_pieces
        if step.left <= step.target and (self.ends_unseen or contracts):
            return True
        if not self.bends or self.goal.polishes or not step.total * self.fall**2 <= step.target:
            return False
        self.excess = math.exp(min(self._shift(step), MOST_EXCESS))
        return self.excess * step.total * self.fall**2 <= step.target

    def _stuck(self, current: Iterate, step: Step, looked: bool) -> Iterate:
        """The last iterate where no step goes lower."""
        current.last = True
        current.gap = step.total if looked or step.total <= 1e3 * self.rounding else np.nan
        current.message = "the line search found no lower point"
        return current

    # -- what is left ------------------------------------------------------------------------------

    def _gap(self, step: Step) -> float:
        """What is left here, by Newton's step; nan where it cannot be relied on."""
        if step.is_end or (step.total <= step.target and self.confirmed):
            # Where curvature jumps, rows ahead may have none yet: one such step has been tried.
            return 2 * step.total
        most = self._most(step)
        if not most <= step.target or self.pair.quadratic_pieces or self.blind:
            return np.nan
        return trusted_gap(self.pair, self._shift(step), most, self.ratio)

    def _left(self, step: Step) -> float:
        """What the step leaves."""
        left = self._most(step)
        if self.hessian is not None:
            exact = self.solve.is_exact(self.gradient)
            left *= expected_contraction(self.pair, self.ratio, exact)
        if not self.ends_unseen or self.blind or not left <= step.target:
            return left
        if step.gap <= step.target:
            return step.gap
        return max(left, step.total * unforeseen(self.pair, self._shift(step), step.bent))

    def _most(self, step: Step) -> float:
        """The decrement, by an old factor as much more as that may overrate the curvature."""
        if self.excess == 1:
            return step.total
        # Of a tail, which falls like an exponential, Newton's step leaves as much as it promises.
        tail = min(self.excess * self._shift(step), 1.0)
        return self.excess * step.total * (1 + tail)

    def _foresees(self, step: Step) -> bool:
        """Whether nobody has to look at the step's end."""
        return not self.blind and foreseen(self.pair, self._shift(step))

    def _unseen_end(self, step: Step) -> Iterate:
        """The end of the last step, by the model, whose error there is less than the target."""
        end = self.theta + step.direction
        if step.target < 2 * self.rounding:
            end = refined(self.objective, end, self.solve, step.total)
        value = step.value - step.total - step.gain
        return Iterate(end, value, np.nan, self.objective, 1.0, step.left, last=True)

    def _shift(self, step: Step) -> float:
        """Largest change of any row's curvature along a step, looked up once."""
        if math.isnan(step.shift):
            step.shift = self.objective.largest_shift(step.direction, self.theta)
        return step.shift


def corrected(objective: Objective, theta, step, decrement, solve):
    """Newton's step, bent by the change of the Hessian along it.

    The correction is measured in the metric of the Hessian, as a share of the step, and held within
    half of it: far from the optimum the third derivative says little of what is ahead.

    Returns
    -------
    step
    bent : float
        How far it was bent, of several groups the one that was bent most; nan if it was not.
    gain : float
        What the third derivative adds to the decrement.
    """
    bend = objective.bend(theta, step)
    correction = solve(bend)
    correction *= -0.5
    square = [-0.25 * s for s in dot(bend, correction).tolist()]
    share = [
        math.sqrt(max(s, 0.0) / max(d, TINY))
        for s, d in zip(square, decrement.tolist(), strict=True)
    ]
    if not math.isfinite(sum(share)):
        return step, np.nan, 0.0
    bent = max(share)
    gain = sum(square) - sum(dot(bend, step).tolist()) / 6
    if bent > MOST_BENT:
        correction *= (MOST_BENT / np.maximum(share, MOST_BENT))[:, None]
    return step + correction, bent, gain


def refined(objective: Objective, theta, solve, decrement: float):
    """One more step with the factor at hand, if it promises less than the last one did.

    Where all is asked for that rounding leaves, the objective has no more to tell, but weights of
    columns that are nearly collinear have digits to gain: what the factor's rounding took of them.
    """
    gradient = objective.value_and_gradient(theta)[1]
    step = -solve(gradient)
    promised = -0.5 * sum(dot(gradient, step).tolist())
    return theta + step if promised < decrement else theta


def unforeseen(pair, shift: float, bent: float) -> float:
    """Share of the decrement that the change of curvature along a step may leave.

    Of Newton's step that is a square of the change of any row's curvature, of the corrected one a
    fourth power: what the correction bends itself, and the fourth derivative.

    References
    ----------
    Bach, Self-concordant analysis for logistic regression, Electronic Journal of Statistics 4
    (2010): pairs whose derivatives bound the next higher ones.
    """
    bound = pair.self_concordance
    if bound is None or math.isnan(bent):
        return min(1.0, shift) ** 2
    change = min(shift, bound)
    return min(1.0, (bent * change + change**2 / 6) ** 2 * math.exp(2 * change))


def expected_contraction(pair, ratio: float, exact: bool = True) -> float:
    """What a full step will shrink the decrement by, from what the last one did.

    Ratios square from step to step where the curvature is continuous and the Hessian `exact`, of
    which rounding may leave little along some direction. In a tail that falls by more than an
    exponential (probit, cloglog) they do not: far out a step changes most of it.
    """
    if math.isnan(ratio):
        return 1.0
    if pair.self_concordance is None or not (pair.convex and exact):
        return max(min(1.0, 3 * ratio), still_to_come(ratio) - 1)
    return min(1.0, 3 * ratio, max(10 * ratio**2, 1e-6))


def trusted_gap(pair, shift: float, decrement: float, ratio: float) -> float:
    """The decrement as an estimate of what is left, or nan where it cannot be relied on.

    It is the gap of the quadratic model, which holds near the end.
    """
    if is_small(pair, shift, ratio):
        return decrement * (1 + min(shift, 1.0)) * still_to_come(ratio)
    return np.nan


def is_whole(taken, decrement, rounding: float) -> bool:
    """Whether every group that had anything to gain went along its whole step."""
    lengths = taken.tolist()
    if min(lengths) == 1:
        return True
    of_groups = zip(lengths, decrement.tolist(), strict=True)
    return all(length == 1 or gain <= rounding for length, gain in of_groups)
