"""Proximal Newton steps on a working set of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..objective import Objective
from .base import Iterate
from .l1_model import L1Model, least_subgradient

# So many features and fewer are all in the working set at once.
ALL_FEATURES = 64
# At first no more weights than these, and than twice those that are not zero.
LEAST_WORKING = 256
# Weights whose gradient comes this near to the L1 norm's slope may wake up in the next step.
NEAR = 0.9
MAX_STEPS = 500
MAX_TRIALS = 40
SUFFICIENT_DECREASE = 1e-4
# Contraction of the decrement expected of a first Newton step, and at least of any.
FIRST_CONTRACTION = 0.05


@dataclass
class Point:
    """Where a descent is: parameters, and what one pass over the rows said of them.

    Parameters
    ----------
    theta : ndarray of shape (n_groups, size)
    columns : list of ndarray of int
        The working set: features of each neuron.
    value, gradient, hessians
        From `Objective.value_gradient_working`.
    """

    theta: np.ndarray
    columns: list[np.ndarray]
    value: np.ndarray
    gradient: np.ndarray
    hessians: list[np.ndarray]


@dataclass
class Step:
    """The minimum of the quadratic model with the L1 norm.

    Parameters
    ----------
    end : ndarray
        Where it lies, in theta.
    slope : ndarray of shape (n_groups,)
        First-order change of the objective on the way there, the L1 norm's change included.
    decrement : float
        How much lower the model is there, over all groups.
    smooth : float
        Smooth part of the objective there, by the model.
    """

    end: np.ndarray
    slope: np.ndarray
    decrement: float
    smooth: float


class ProximalDescent:
    """Minimise a smooth loss with an L1 norm from a start.

    The Hessian is taken in the working set alone: what is not zero, and what wants not to be.

    Parameters
    ----------
    objective : Objective
    target : callable
        Takes the objective's value and theta, returns the gap to stop at.
    rounding : float
        What rounding may add to the objective.
    """

    def __init__(
        self,
        objective: Objective,
        target: Callable[[float, np.ndarray], float],
        rounding: float,
    ):
        self.objective = objective
        self.target = target
        self.rounding = rounding
        self.gauss_newton = not objective.pair.convex
        self.ratio: float | None = None

    # -- the working set ---------------------------------------------------------------------------

    def working_columns(self, theta, gradient) -> list[np.ndarray]:
        """Features of each neuron that are not zero, or want not to be, or nearly so."""
        objective = self.objective
        p = objective.n_features
        every = np.arange(p)
        if p <= ALL_FEATURES:
            return [every] * objective.n_neurons
        size = objective.neuron_size
        l1 = np.broadcast_to(objective.l1, theta.shape).reshape(-1, size)[:, :p]
        weights = theta.reshape(-1, size)[:, :p]
        slopes = np.abs(gradient.reshape(-1, size)[:, :p])
        columns = []
        for k in range(objective.n_neurons):
            used = weights[k] != 0
            chosen = used | (slopes[k] > NEAR * l1[k])
            most = max(LEAST_WORKING, 2 * np.count_nonzero(used))
            if np.count_nonzero(chosen) > most:
                excess = np.where(used, np.inf, slopes[k] - l1[k])
                chosen = np.argpartition(-excess, most)[:most]
                columns.append(np.sort(chosen))
            else:
                columns.append(np.flatnonzero(chosen))
        return columns

    def violators(self, point: Point) -> np.ndarray:
        """Mask in theta's shape of zero weights outside the working set that want not to be."""
        outside = np.abs(point.gradient) > self.objective.l1 * (1 + 1e-12)
        outside &= point.theta == 0
        for group, index in zip(outside, self.objective.working_index(point.columns), strict=True):
            group[index] = False
        return outside

    # -- steps -------------------------------------------------------------------------------------

    def evaluate(self, theta, columns) -> Point:
        sums = self.objective.value_gradient_working(theta, columns, self.gauss_newton)
        return Point(theta, columns, *sums)

    def begin(self, theta, columns=None) -> Point:
        """The start, its working set chosen by its gradient unless it is given."""
        if columns is None:
            if self.objective.n_features <= ALL_FEATURES:
                columns = self.working_columns(theta, theta)
            else:
                _, gradient = self.objective.value_and_gradient(theta)
                columns = self.working_columns(theta, gradient)
        return self._completed(self.evaluate(theta, columns))

    def _completed(self, point: Point) -> Point:
        """The same point with a working set that holds what wants to move, if it does not."""
        if not self.violators(point).any():
            return point
        columns = self.working_columns(point.theta, point.gradient)
        return self.evaluate(point.theta, columns)

    def model_step(self, point: Point, tol: float) -> Step:
        """Minimise the model."""
        objective = self.objective
        end = point.theta.copy()
        index = objective.working_index(point.columns)
        bend = 0.0
        for k, i in enumerate(index):
            hessian = self._with_curvature(point.hessians[k], i)
            at, gradient = point.theta[k, i], point.gradient[k, i]
            end[k, i] = L1Model(gradient, hessian, objective.l1[i], at).minimise(tol)
            step = end[k, i] - at
            bend += 0.5 * float(step @ (point.hessians[k] @ step))
        smooth_slope = np.sum(point.gradient * (end - point.theta), axis=1)
        slope = smooth_slope + objective.l1_value(end) - objective.l1_value(point.theta)
        smooth = float(point.value.sum() + smooth_slope.sum()) + bend
        return Step(end, slope, -float(slope.sum()) - bend, smooth)

    def _with_curvature(self, hessian, index):
        """The Hessian, with the direction filled in along which a softmax layer has none.

        Adding the same to every class changes no probability, and nothing penalises biases.
        """
        objective = self.objective
        if not objective.pair.coupled:
            return hessian
        feature = index % objective.neuron_size
        hessian = hessian.copy()
        free = [objective.n_features] if objective.fit_intercept else []
        if objective.penalty.alpha == 0:
            free = range(objective.neuron_size)
        for j in free:
            same = np.flatnonzero(feature == j)
            if len(same) == objective.n_neurons:
                block = np.ix_(same, same)
                hessian[block] += hessian[same, same].sum() / len(same) ** 2
        return hessian

    def take(self, point: Point, step: Step) -> tuple[Point, float] | None:
        """Go along the step as far as it lowers the objective; (point, length), None if nowhere."""
        objective = self.objective
        before = point.value + objective.l1_value(point.theta)
        slack = self.rounding + 1e-15 * np.abs(before)
        columns = self.working_columns(step.end, point.gradient)
        length = np.ones(len(point.theta))
        theta, new = step.end, self.evaluate(step.end, columns)
        value = new.value
        for _ in range(MAX_TRIALS):
            after = value + objective.l1_value(theta)
            low = after <= before + SUFFICIENT_DECREASE * length * step.slope + slack
            if np.all(low):
                if new is None:
                    new = self.evaluate(theta, columns)
                return new, float(length.max())
            shrunk = _shrink(length, before, after, step.slope)
            length = np.where(low, length, shrunk)
            theta = point.theta + length[:, None] * (step.end - point.theta)
            theta = np.where(length[:, None] == 1, step.end, theta)
            value, new = objective.value(theta), None
        return None

    # -- the descent -------------------------------------------------------------------------------

    def iterate(self, theta, columns=None) -> Iterator[Iterate]:
        """Yield iterates; the last one is flagged, and its gap says what is left."""
        objective = self.objective
        point = self.point = self.begin(theta, columns)
        step_size, previous = np.nan, None
        for _ in range(MAX_STEPS):
            current = self._iterate(point, step_size)
            total = current.value + float(objective.l1_value(point.theta).sum())
            allowed = self.target(total, point.theta)
            step = self.model_step(point, 1e-3 * allowed)
            self.ratio = None if previous is None else step.decrement / previous
            shift = objective.largest_shift(step.end - point.theta)
            current.gap = self._gap(point, step, shift)
            yield current
            left = step.decrement * self._contraction(shift)
            if step.decrement <= 1e-3 * self.rounding or (
                left <= allowed and self._stays_complete(point, step)
            ):
                yield Iterate(step.end, step.smooth, np.nan, objective, 1.0, left, last=True)
                return
            taken = self.take(point, step)
            if taken is None:
                current.last = True
                current.gap = step.decrement if step.decrement <= 1e3 * self.rounding else np.nan
                current.message = "the line search found no lower point"
                yield current
                return
            point, step_size = taken
            point = self.point = self._completed(point)
            previous = step.decrement if step_size == 1 else None
        current.last, current.message = True, "the steps no longer lead anywhere"
        yield current

    def _iterate(self, point: Point, step_size: float) -> Iterate:
        objective = self.objective
        slope = least_subgradient(point.gradient, point.theta, objective.l1)
        norm = objective.weight_gradient_norm(slope)
        return Iterate(point.theta, float(point.value.sum()), norm, objective, step_size)

    def _gap(self, point: Point, step: Step, shift: float) -> float:
        """The decrement as an estimate of what is left; nan where it cannot be relied on."""
        sure = shift <= 1 or (self.ratio is not None and self.ratio <= 0.1)
        if not sure or self.violators(point).any():
            return np.nan
        return max(step.decrement, 0.0) * (1 + min(shift, 1.0))

    def _contraction(self, shift: float) -> float:
        """What the step will leave of the decrement."""
        if self.ratio is None:
            expected = 1.0 if self.gauss_newton else FIRST_CONTRACTION
        else:
            expected = min(1.0, 3 * self.ratio)
        return max(expected, min(1.0, shift**2))

    def _stays_complete(self, point: Point, step: Step) -> bool:
        """Whether no weight outside the working set can want to move after the step.

        A step of decrement D changes the gradient in a coordinate of curvature h by ``sqrt(2 h D)``
        at most. Columns are scaled, so the largest curvature seen stands in for h, and more.
        """
        largest = max(float(H.diagonal().max(initial=0.0)) for H in point.hessians)
        reach = np.abs(point.gradient) + np.sqrt(8 * largest * max(step.decrement, 0.0))
        outside = reach > self.objective.l1
        for group, index in zip(outside, self.objective.working_index(point.columns), strict=True):
            group[index] = False
        return not outside.any()


def _shrink(length, before, after, slope):
    """Shorter lengths: to the minimum of the parabola through what is known, within [0.1, 0.5]."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        fall = -slope * length
        factor = fall / (2 * (after - before + fall))
    return length * np.where(np.isfinite(after), np.clip(np.nan_to_num(factor, nan=0.1), 0.1, 0.5),
                             0.1)
