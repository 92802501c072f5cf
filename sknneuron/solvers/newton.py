"""Damped Newton on all rows: few passes, each with a Hessian."""

from __future__ import annotations

import math

import numpy as np

from ..objective import Objective
from .base import Iterate, Solver
from .descent import newton_solver
from .discriminant import discriminant, is_blank
from .line_search import (
    CONTRACTING,
    backtrack,
    contraction,
    foreseen,
    is_foretold,
    is_small,
    still_to_come,
)
from .linear_algebra import TINY, dot
from .memory import Memory

# Most that a step is bent, as a share of its length.
MOST_BENT = 0.5
# Exponent past which an old factor tells nothing of what is left.
MOST_EXCESS = 5.0


class Newton(Solver):
    """Newton's method with a Cholesky factor and a backtracking line search.

    The step is corrected by the change of the Hessian along it, where the pair knows its third
    derivative: that costs a fraction of a Hessian and saves one in three. Classifiers begin with
    the discriminant instead. Neurons that share no loss are stepped side by side, each with its own
    Hessian and step length. Where columns are so
    nearly collinear that rounding hides a curvature, the steps taken tell of it, as in L-BFGS.
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
        pair = objective.pair
        gauss_newton = not pair.convex
        ends_unseen = pair.convex and not pair.quadratic_pieces
        bends = pair.convex and pair.self_concordance is not None
        theta = objective.balanced(start)
        value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
        step_size = np.nan
        fall = ratio = previous = np.nan
        # Blind is a Hessian that misses a curvature which matters: the memory has what steps tell.
        confirmed = blind = False
        memory = Memory()
        blank, was_blank = is_blank(objective, theta), False
        # By what factor an old factor may overrate the curvature.
        excess = 1.0
        while True:
            if hessian is not None:
                solve, excess = newton_solver(objective, hessian), 1.0
            step = -(memory.inverse_hessian_product(gradient, solve) if blind else solve(gradient))
            decrement = -0.5 * dot(gradient, step)
            total = sum(decrement.tolist())
            if not math.isnan(previous):
                fall = contraction(total, previous, objective.rounding)
                # Newton's steps contract as what is left does. How they did before the
                # discriminant's, which was none of them, does not show: perhaps not at all.
                ratio = math.sqrt(fall) if was_blank else fall
            now = sum(value.tolist())
            target = goal.target(now, theta)
            blind = solve.unseen(gradient) > target
            gap = shift = np.nan
            # What is left is less than what rounding does to the objective.
            is_end = total <= 1e-3 * objective.rounding
            if is_end or (total <= target and confirmed):
                # Where curvature jumps, rows ahead may have none yet: one such step has been tried.
                gap = 2 * total
            elif excess * total <= target and not (pair.quadratic_pieces or blind):
                shift = objective.largest_shift(step, theta)
                gap = trusted_gap(pair, shift, excess * total, ratio)
            current = Iterate(theta, now, gradient, objective, step_size)
            if not ends_unseen:
                current.gap, current.last = gap, is_end
            yield current
            bent, gain = np.nan, 0.0
            longer = None
            if blank and total > target:
                longer = discriminant(objective, theta, gradient, step)
            if longer is not None:
                step = longer
            elif total > target and bends:
                step, bent, gain = corrected(objective, theta, step, decrement, solve)
            left = excess * total
            if hessian is not None:
                left *= expected_contraction(pair, ratio, solve.is_exact(gradient))
            if left <= target and ends_unseen and not blind:
                if math.isnan(shift):
                    shift = objective.largest_shift(step, theta)
                left = gap if gap <= target else max(left, total * unforeseen(pair, shift, bent))
                if left <= target and foreseen(pair, shift):
                    # No pass to look at the end: the model's error there is less than that.
                    end = theta + step
                    if target < 2 * objective.rounding:
                        end = refined(objective, end, solve, total)
                    yield Iterate(end, now - total - gain, np.nan, objective, 1.0, left, last=True)
                    return
            if is_end:
                current.gap, current.last = gap, True
                yield current
                return
            if hessian is None:
                # The factor was an old one and what it said was not enough: take a new one here.
                value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
                continue
            blank, was_blank = False, blank
            # Where curvature jumps, the factor at hand tells what is left only once steps contract.
            factor_serves = ends_unseen or ratio <= CONTRACTING
            order = 1 if left <= target and factor_serves else 2
            if order == 2 and bends and not goal.polishes and total * fall**2 <= target:
                if math.isnan(shift):
                    shift = objective.largest_shift(step, theta)
                # Perhaps this is the last step, and the factor at hand will do to show it.
                excess = math.exp(min(shift, MOST_EXCESS))
                order = 1 if excess * total * fall**2 <= target else 2
            found = backtrack(
                objective, theta, step, value, decrement, order=order, gauss_newton=gauss_newton
            )
            if found is None and solve.ridge:
                # Where there is next to no curvature rounding may lead anywhere: hold it back.
                step = -solve(gradient, with_ridge=True)
                decrement = -0.5 * dot(gradient, step)
                found = backtrack(
                    objective, theta, step, value, decrement, order=2, gauss_newton=gauss_newton
                )
            if found is None:
                current.last = True
                current.gap = total if total <= 1e3 * objective.rounding else np.nan
                current.message = "the line search found no lower point"
                yield current
                return
            new, value, new_gradient, hessian, taken = found
            if blind:
                memory.remember(new - theta, new_gradient - gradient)
            else:
                memory = Memory()
            theta, gradient = new, new_gradient
            step_size = max(taken.tolist())
            previous = total
            if not is_whole(taken, decrement, objective.rounding):
                # What whole steps did says nothing of what is ahead of a short one.
                ratio = previous = np.nan
            if not ends_unseen:
                confirmed = left <= target and is_foretold(now, total, value, objective.rounding)


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
    square = (-0.25 * dot(bend, correction)).tolist()
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
