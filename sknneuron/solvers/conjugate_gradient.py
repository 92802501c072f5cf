"""Conjugate gradients for least squares too large to factor, sparse ones above all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..objective import Objective
from ..products import centred, transposed_product
from .base import Iterate
from .linear_algebra import dot

# The gradient, which is updated from step to step, is taken anew after this many steps.
REFRESH = 50
# Refreshed gradients no smaller than before, after which rounding is all that is left.
MAX_STALLS = 3
# Without a penalty: the ridge that stands in for one, as a share of the least diagonal curvature.
PROXIMAL_SHARE = 1e-4
MAX_CENTRES = 50


@dataclass(frozen=True)
class SquaresProduct:
    """Sums of ``s (x . v + c) [x, 1]``: the Hessian of squared errors times a direction.

    `row_center` is subtracted from x before anything else, where it is not None.
    """

    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, direction, direction_bias):
        X = X if self.row_center is None else centred(X, self.row_center)
        t = X @ direction.T
        t += direction_bias
        if sample_weight is not None:
            t *= sample_weight[:, None]
        product = np.empty((direction.shape[0], X.shape[1] + 1))
        product[:, :-1] = transposed_product(X, t)
        product[:, -1] = t.sum(axis=0)
        return (product,)


class ConjugateGradient:
    """Preconditioned conjugate gradients on the normal equations, all neurons side by side.

    Minimises the objective plus ``ridge * |w - anchor|^2 / 2``. Columns are centred in the sums, so
    sparse rows stay sparse.

    Parameters
    ----------
    objective : Objective
    start : ndarray
    curvature : ndarray
        The objective's diagonal curvature, the preconditioner.
    ridge : float
        Needed where the objective has no L2 penalty.

    References
    ----------
    Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, J. Res. NBS 49
    (1952).
    """

    def __init__(self, objective: Objective, start, curvature, ridge: float = 0.0):
        self.objective = objective
        self.l2 = objective.penalty.l2 + ridge
        self.ridge = np.zeros(objective.neuron_size)
        self.ridge[: objective.n_features] = ridge / objective.coordinates.scale**2
        self.anchor = self.theta = start
        self.inverse = 1 / (curvature + self.ridge)
        self.n_steps = self.n_stalls = 0
        self.off_center = self._off_center()
        self.restart()

    def _off_center(self):
        """The columns' means about the coordinates' centres."""
        if not self.objective.fit_intercept:
            return None
        bias = np.zeros(self.objective.shape)
        bias[:, -1] = 1
        p = self.objective.n_features
        return self._product(bias)[0, :p] * self.objective.coordinates.scale

    def restart(self) -> None:
        """Take value and gradient at theta anew, and look down the slope."""
        value, gradient = self.objective.value_and_gradient(self.theta)
        shift = self.theta - self.anchor
        self.value = float(value.sum())
        self.norm = self.objective.weight_gradient_norm(gradient)
        self.gradient = gradient + self.ridge * shift
        preconditioned = self.inverse * self.gradient
        self.slope = dot(self.gradient, preconditioned)
        self.direction = -preconditioned

    def advance(self) -> None:
        """One step."""
        curved = self._product(self.direction)
        curvature = dot(self.direction, curved)
        length = np.where(curvature > 0, self.slope / np.where(curvature > 0, curvature, 1.0), 0.0)
        step = length[:, None] * self.direction
        # What the step changes of the objective itself, without the ridge.
        shift = self.theta - self.anchor
        self.value += float(
            -0.5 * np.sum(length * self.slope) - np.sum(self.ridge * step * (shift + 0.5 * step))
        )
        self.theta = self.theta + step
        self.gradient = self.gradient + length[:, None] * curved
        preconditioned = self.inverse * self.gradient
        slope = dot(self.gradient, preconditioned)
        turn = np.where(self.slope > 0, slope / np.where(self.slope > 0, self.slope, 1.0), 0.0)
        self.direction = turn[:, None] * self.direction - preconditioned
        self.slope = slope
        gradient = self.gradient - self.ridge * (self.theta - self.anchor)
        self.norm = self.objective.weight_gradient_norm(gradient)
        self.n_steps += 1

    def _product(self, direction):
        objective = self.objective
        kernel = SquaresProduct(objective.row_center)
        (raw,) = objective.source.map_sum(kernel, *objective.kernel_parameters(direction))
        product = raw[:, : objective.neuron_size] / objective.source.total_weight
        if objective.fit_intercept:
            product[:, :-1] -= product[:, -1:] * objective.left_to_center
        product[:, : objective.n_features] /= objective.coordinates.scale
        return product + (objective.l2 + self.ridge) * direction

    def bound(self) -> float:
        """A bound of what is left, by the curvature of penalty and ridge.

        What the steps to come will gain could be guessed from the last ones, but rare columns make
        themselves felt late: only a bound is safe.
        """
        p = self.objective.n_features
        weights = self.gradient[:, :p] * self.objective.coordinates.scale
        if self.objective.fit_intercept:
            # In weights about the means of the columns, where the bias stands apart.
            weights = weights - self.gradient[:, p:] * self.off_center
        return 0.5 * float(np.sum(weights**2) / self.l2 + np.sum(self.gradient[:, p:] ** 2))

    def check(self) -> None:
        """Look whether the updated gradient is true, and go on from the true one."""
        updated = self.slope.sum()
        self.restart()
        self.n_stalls = self.n_stalls + 1 if self.slope.sum() > 4 * updated else 0

    def iterate(self, gap: float, **facts) -> Iterate:
        """Where we are, as an iterate."""
        step_size = 1.0 if self.n_steps else np.nan
        return Iterate(self.theta, self.value, self.norm, self.objective, step_size, gap, **facts)

    def recentre(self) -> None:
        """Go on from where we are, with the ridge about it."""
        self.anchor = self.theta
        self.n_stalls = 0
        self.restart()


def iterate_conjugate_gradient(objective: Objective, start, goal) -> Iterator[Iterate]:
    """Yield the start, and an iterate after each step.

    Without a penalty a small ridge about the last solution stands in for one (the proximal point
    method). Every such solution lies in the span of the rows, so where the solution is not unique
    the weights come out as those of least norm.
    """
    curvature = np.maximum(objective.curvature_diagonal(start), np.finfo(float).tiny)
    if objective.penalty.l2 > 0:
        yield from _descend(ConjugateGradient(objective, start, curvature), goal)
        return
    weights = curvature[:, : objective.n_features] * objective.coordinates.scale**2
    ridge = PROXIMAL_SHARE * float(weights.min())
    descent = ConjugateGradient(objective, objective.null(), curvature, ridge)
    moves: list[float] = []
    for _ in range(MAX_CENTRES):
        yield from _descend(descent, goal, share=0.1)
        moves.append(float(np.sum(descent.ridge * (descent.theta - descent.anchor) ** 2)))
        yield descent.iterate(_rest_of_the_way(moves) + descent.bound())
        descent.recentre()
    yield descent.iterate(np.nan, last=True, message="the weights still move: set alpha > 0")


def _rest_of_the_way(moves: list[float]) -> float:
    """Bound F - F* after proximal steps by ``ridge * |move| * |rest of the way|``.

    The moves fall geometrically, after the first two.
    """
    if len(moves) < 3 or moves[-1] >= moves[-2]:
        return 0.0 if moves[-1] == 0 else np.nan
    ratio = np.sqrt(moves[-1] / moves[-2])
    return moves[-1] * ratio / (1 - ratio)


def _descend(descent: ConjugateGradient, goal, share: float | None = None) -> Iterator[Iterate]:
    """Step until nothing is left; with a share, to that share of what the goal allows.

    With a share the gap is not known: the ridge has its part in it.
    """
    while True:
        gap = descent.bound()
        allowed = (share or 1.0) * goal.target(descent.value, descent.theta)
        if gap <= allowed or descent.n_steps % REFRESH == REFRESH - 1:
            # What was updated step by step is trusted only once it has been seen to be true.
            descent.check()
            gap = descent.bound()
        if descent.n_stalls > MAX_STALLS:
            if share is None:
                yield descent.iterate(gap, last=True, message="rounding hides the rest of the way")
            return
        if share is None:
            yield descent.iterate(gap)
        elif gap <= allowed:
            return
        else:
            yield descent.iterate(np.nan)
        descent.advance()
