"""Proximal Newton steps on a working set of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..objective import Objective
from ..penalties import least_subgradient
from .base import Iterate
from .curvature import SLOW, Curvature
from .face import end_on_face
from .hidden import hessian_at
from .l1_model import INEXACT
from .line_search import contraction, foreseen, is_foretold, is_small, still_to_come
from .working_set import WorkingSet

MAX_STEPS = 500
MAX_TRIALS = 40
SUFFICIENT_DECREASE = 1e-4
# Contraction of the decrement expected of a first Newton step.
FIRST_CONTRACTION = 0.05
# A step that changes no row's curvature by more than this leaves the Hessian good for the next.
SMALL_SHIFT = 0.1
# Share of the last decrement that a step with a new Hessian has to be under to be the better one.
HARDLY_LESS = 0.5


@dataclass
class Point:
    """Where a descent is: parameters, and what passes over the rows said of them.

    Parameters
    ----------
    theta : ndarray of shape (n_groups, size)
    value : ndarray of shape (n_groups,)
    gradient : ndarray of shape (n_groups, size)
    columns : list of ndarray of int
        The working set: features of each neuron.
    hessians : list of ndarray
        One per group, in the working set.
    exact : bool
        Whether the Hessians are from here, not from an earlier point or from a subsample.
    """

    theta: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    columns: list[np.ndarray]
    hessians: list[np.ndarray]
    exact: bool = True


@dataclass
class Step:
    """The minimum of the quadratic model with the L1 norm.

    Parameters
    ----------
    end : ndarray
        Where it lies, in theta.
    gradient : ndarray
        What the model says of the gradient there; outside the working set, the one before.
    slope : ndarray of shape (n_groups,)
        First-order change of the objective on the way there, the L1 norm's change included.
    decrement : float
        How much lower the model is there, over all groups.
    smooth : float
        Smooth part of the objective there, by the model.
    shift : float
        Largest change of a row's curvature on the way, of the watched rows; of all, where it might
        be the last.
    ridge : float
        The largest that the model was minimised with; nan if some of it needed no factor.
    """

    end: np.ndarray
    gradient: np.ndarray
    slope: np.ndarray
    decrement: float
    smooth: float
    shift: float
    ridge: float


class ProximalDescent:
    """Minimise a smooth loss with an L1 norm from a start.

    The Hessian is taken in the working set alone: what is not zero, and what wants not to be.

    Parameters
    ----------
    objective : Objective
    target : callable
        Takes the objective's value and theta, returns the gap to stop at.
    """

    def __init__(self, objective: Objective, target: Callable[[float, np.ndarray], float]):
        self.objective = objective
        self.target = target
        self.rounding = objective.rounding
        self.curvature = Curvature(objective)
        self.working = self.curvature.whole
        self.ratio = np.nan
        # Whether the last step came out as the model said, which curvature that jumps has to show.
        self.foretold = not objective.pair.quadratic_pieces
        # Largest change of a slope outside the working set per root of a step's decrement.
        self.sway = np.inf

    def iterate(self, theta, sample: Objective | None = None) -> Iterator[Iterate]:
        """Yield iterates; the last one is flagged, and its gap says what is left.

        The last step is taken without a pass to look at its end. Its value is that of the quadratic
        model, if that is as near to the true one as the gap allowed.

        Parameters
        ----------
        theta : ndarray
        sample : Objective, default=None
            A subsample whose Hessian serves for the first step, and where one over all rows is
            dear for the next ones too, as long as they lead fast enough.
        """
        if sample is not None:
            self.curvature.serve_from(sample)
        point = self._point(theta)
        if self.working.in_one_pass:
            self.curvature.current = self.working
        step_size, previous = np.nan, None
        further: Step | None = None
        for _ in range(MAX_STEPS):
            current = self._iterate(point, step_size)
            allowed = self.target(current.value + self._l1(point.theta), point.theta)
            most = self.curvature.most_gain(current.value + self._l1(point.theta))
            step = self._model_step(point, 1e-3 * allowed, most)
            self.ratio = np.nan
            if previous is not None:
                self.ratio = contraction(max(step.decrement, 0.0), previous, self.rounding)
            better = self.curvature.better(step_size, self.ratio, point.exact, step.shift)
            if step.decrement > most:
                better = self.curvature.cut(np.inf)
            if better is not None:
                point = self._renewed(point, better)
                step = self._model_step(point, 1e-3 * allowed)
                # The new Hessian is known by nothing yet, unless it promises no end either.
                if not step.decrement > HARDLY_LESS * (previous or np.inf):
                    self.ratio = np.nan
            current.gap, left = self._gap(point, step), self._left(point, step)
            if current.gap <= allowed or left <= allowed:
                # It might be the last step: of all rows, how far does it move any?
                step.shift = self.objective.largest_shift(step.end - point.theta, point.theta)
                current.gap, left = self._gap(point, step), self._left(point, step)
            enough = left <= allowed and foreseen(self.objective.pair, step.shift)
            enough = enough or step.decrement <= 1e-3 * self.rounding
            # Rounding that hides curvature from the model hides an end, or leads there slowly.
            blind = step.ridge > 0 and (further is not None or self.ratio > SLOW)
            further = None
            if blind or (step.ridge != 0 and (enough or current.gap <= allowed)):
                further = self._hidden_step(point, step, allowed)
            if further is not None:
                step, enough, current.gap = further, False, np.nan
            yield current
            if enough and self._stays_complete(point, step):
                value = self._value_of_end(point, step, allowed)
                yield Iterate(step.end, value, np.nan, self.objective, 1.0, left, last=True)
                return
            # A subsample's Hessian costs so little that it is always taken anew. Where curvature
            # jumps, a step of any length may change it.
            serves = self.curvature.is_exact and not self.objective.pair.quadratic_pieces
            keep_hessian = serves and (enough or step.shift <= SMALL_SHIFT)
            taken = self._take(point, step, keep_hessian)
            if taken is None and not point.exact:
                point = self._renewed(point)
                continue
            if taken is None:
                yield self._stuck(current, step)
                return
            new, step_size = taken
            self.curvature.after(self.ratio)
            if further is not None and not self._total(new) < self._total(point):
                # It may promise what rounding does not let it reach.
                yield self._stuck(current, step)
                return
            if self.objective.pair.quadratic_pieces:
                after = new.value + self.objective.l1_value(new.theta)
                # A safe model lies above the objective: it foretells what that falls by at least.
                self.foretold = self.curvature.is_safe or is_foretold(
                    self._total(point), step.decrement, after, self.rounding
                )
            # Only a whole step in a complete working set tells how fast the next ones lead.
            whole = step_size == 1 and not self.working.missing(
                point.columns, point.theta, point.gradient
            )
            previous = step.decrement if whole and further is None else None
            self.sway = self._swayed(point, new, step) if whole else np.inf
            point = new
        current.last, current.message = True, "the steps no longer lead anywhere"
        yield current

    # -- points ------------------------------------------------------------------------------------

    def _point(self, theta, slope=None) -> Point:
        """The point at `theta`, its working set chosen by a gradient if that is known already."""
        one_pass = self.curvature.is_exact and self.working.in_one_pass
        if one_pass and (slope is not None or self.working.holds_all):
            columns = self.working.choose(theta, slope)
            value, gradient, hessians = self.working.evaluate(theta, columns)
            return Point(theta, value, gradient, columns, hessians)
        value, gradient = self.objective.value_and_gradient(theta)
        columns = self.working.choose(theta, gradient)
        curvature = self.curvature
        if curvature.is_of_sample and curvature.current.is_blind(theta, columns, gradient):
            curvature.current = self.working
        hessians = curvature.current.hessians(theta, columns, gradient)
        return Point(theta, value, gradient, columns, hessians, curvature.is_exact)

    def _renewed(self, point: Point, curvature: WorkingSet | None = None) -> Point:
        """The same point with other Hessians of all rows, in a working set chosen anew."""
        self.curvature.current = curvature or self.working
        columns = self.working.choose(point.theta, point.gradient)
        hessians = self.curvature.current.hessians(point.theta, columns, point.gradient)
        exact = self.curvature.is_exact
        return Point(point.theta, point.value, point.gradient, columns, hessians, exact)

    def _arrived(self, theta, step: Step, point: Point, keep_hessian: bool) -> Point:
        """The point at `theta`, with a new Hessian or the old one."""
        if not keep_hessian:
            return self._point(theta, step.gradient)
        value, gradient = self.objective.value_and_gradient(theta)
        new = Point(theta, value, gradient, point.columns, point.hessians, exact=False)
        return self._renewed(new) if self.working.missing(new.columns, theta, gradient) else new

    def _iterate(self, point: Point, step_size: float) -> Iterate:
        objective = self.objective
        slope = least_subgradient(point.gradient, point.theta, objective.l1)
        norm = objective.weight_gradient_norm(slope)
        return Iterate(point.theta, float(point.value.sum()), norm, objective, step_size)

    def _l1(self, theta) -> float:
        return float(self.objective.l1_value(theta).sum())

    def _total(self, point: Point) -> float:
        """The objective, L1 norm included."""
        return float(point.value.sum()) + self._l1(point.theta)

    # -- steps -------------------------------------------------------------------------------------

    def _model_step(self, point: Point, tol: float, most: float = np.inf) -> Step:
        """Minimise the model, group by group, until one has gained more than `most`."""
        objective = self.objective
        end, change, ridge = point.theta.copy(), np.zeros_like(point.theta), 0.0
        for k, index in enumerate(objective.working_index(point.columns)):
            hessian, at = point.hessians[k], point.theta[k, index]
            model = self.working.model(point.gradient[k, index], hessian, index, at)
            end[k, index] = model.minimise(tol, most)
            ridge = float(np.maximum(model.ridge, ridge))
            change[k, index] = hessian @ (end[k, index] - at)
        return self._step_to(point, end, change, ridge)

    def _step_to(self, point: Point, end, change, ridge: float) -> Step:
        """The step there, by what the model says of the change of the gradient."""
        objective = self.objective
        step = end - point.theta
        bend = 0.5 * float(np.sum(change * step))
        smooth = np.sum(point.gradient * step, axis=1)
        slope = smooth + objective.l1_value(end) - objective.l1_value(point.theta)
        return Step(
            end,
            point.gradient + change,
            slope,
            decrement=-float(slope.sum()) - bend,
            smooth=float(point.value.sum() + smooth.sum()) + bend,
            shift=objective.watched_shift(step, point.theta),
            ridge=ridge,
        )

    def _hidden_step(self, point: Point, step: Step, allowed: float) -> Step | None:
        """The step, and on from its end where the model's rounding hides that more is left."""
        curvature = self.curvature
        objective = self.objective if curvature.is_of_sample else curvature.current.objective
        end, is_end = step.end.copy(), True
        index = objective.working_index(point.columns)
        product = hessian_at(objective, point.theta, not objective.pair.convex, index)
        for k, inside in enumerate(index):
            found = end_on_face(
                point.theta[k, inside],
                step.end[k, inside],
                point.gradient[k, inside],
                self.working.curved(point.hessians[k], inside),
                objective.l1[inside],
                partial(product, k),
                allowed,
            )
            if found is not None:
                end[k, inside], is_end = found, False
        if is_end:
            return None
        change = end - point.theta
        return self._step_to(
            point,
            end,
            objective.hessian_product(point.theta, change, not objective.pair.convex),
            step.ridge,
        )

    def _take(self, point: Point, step: Step, keep_hessian: bool) -> tuple[Point, float] | None:
        """Go along the step as far as it lowers the objective; (point, length), None if nowhere."""
        objective = self.objective
        before = point.value + objective.l1_value(point.theta)
        slack = self.rounding + 1e-15 * np.abs(before)
        length = np.ones(len(point.theta))
        theta = step.end
        arrived = self._arrived(theta, step, point, keep_hessian)
        new: Point | None = arrived
        value = arrived.value
        for _ in range(MAX_TRIALS):
            after = value + objective.l1_value(theta)
            low = after <= before + SUFFICIENT_DECREASE * length * step.slope + slack
            if np.all(low):
                if new is None:
                    self.curvature.cut(step.shift)
                    new = self._arrived(theta, step, point, keep_hessian=False)
                return new, float(length.max())
            length = np.where(low, length, _shrink(length, before, after, step.slope))
            theta = point.theta + length[:, None] * (step.end - point.theta)
            theta = np.where(length[:, None] == 1, step.end, theta)
            value, new = objective.value(theta), None
        return None

    def _stuck(self, current: Iterate, step: Step) -> Iterate:
        """The last iterate where no step goes lower."""
        current.last = True
        current.gap = step.decrement if step.decrement <= 1e3 * self.rounding else np.nan
        current.message = "the line search found no lower point"
        return current

    # -- what is left ------------------------------------------------------------------------------

    def _gap(self, point: Point, step: Step) -> float:
        """The decrement as an estimate of what is left; nan where it cannot be relied on."""
        sure = is_small(self.objective.pair, step.shift, self.ratio) and self.foretold
        if not sure or self.working.missing(point.columns, point.theta, point.gradient):
            return np.nan
        if not point.exact and np.isnan(self.ratio):
            return np.nan
        gap = max(step.decrement, 0.0) * still_to_come(self.ratio)
        return gap * (1 + min(step.shift, 1.0)) * (1 if point.exact else 2)

    def _left(self, point: Point, step: Step) -> float:
        """What the step leaves."""
        # The model itself may not have been minimised further.
        return max(step.decrement, 0.0) * (self._contraction(point, step) + INEXACT)

    def _value_of_end(self, point: Point, step: Step, allowed: float) -> float:
        """Smooth part of the objective at the step's end.

        A model that is wrong by a share of the curvature is wrong by as much of the decrement, and
        its step leaves the square of that.
        """
        share = math.sqrt(self._contraction(point, step))
        if share * step.decrement <= allowed:
            return step.smooth
        return float(self.objective.value(step.end).sum())

    def _contraction(self, point: Point, step: Step) -> float:
        """What the step will leave of the decrement."""
        if not np.isnan(self.ratio):
            expected = max(min(1.0, 3 * self.ratio), still_to_come(self.ratio) - 1)
        else:
            newton = point.exact and self.objective.pair.convex
            expected = FIRST_CONTRACTION if newton else 1.0
        return max(expected, min(1.0, step.shift) ** 2)

    def _stays_complete(self, point: Point, step: Step) -> bool:
        """Whether no weight outside the working set can want to move after the step.

        A step of decrement D changes the gradient in a coordinate of curvature h by ``sqrt(2 h D)``
        at most. Columns are scaled, so the largest curvature seen stands in for h, and more. Most
        columns have little to do with the step, and the last one tells how little.
        """
        largest = max(float(H.diagonal().max(initial=0.0)) for H in point.hessians)
        per_root = min(np.sqrt(8 * largest), 4 * self.sway)
        reach = per_root * np.sqrt(max(step.decrement, 0.0))
        return not self.working.missing(point.columns, point.theta, point.gradient, reach)

    def _swayed(self, point: Point, new: Point, step: Step) -> float:
        """How much the step to `new` changed slopes outside the working set, for its decrement."""
        if step.decrement <= self.rounding:
            return np.inf
        change = np.abs(new.gradient - point.gradient)
        for k, index in enumerate(self.objective.working_index(point.columns)):
            change[k, index] = 0.0
        return float(change.max()) / np.sqrt(step.decrement)


def _shrink(length, before, after, slope):
    """Shorter lengths: to the minimum of the parabola through what is known, within [0.1, 0.5]."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        fall = -slope * length
        factor = np.clip(np.nan_to_num(fall / (2 * (after - before + fall)), nan=0.1), 0.1, 0.5)
    return length * np.where(np.isfinite(after), factor, 0.1)
