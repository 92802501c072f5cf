"""Backtracking along a step, each group with its own step length."""

from __future__ import annotations

import math

import numpy as np

from ..kernels import Single
from ..objective import Objective

SUFFICIENT_DECREASE = 1e-4
MAX_TRIALS = 40
LEAST_LENGTH = 1e-6
# Most that a step may change any row's curvature if nobody looks at its end. In a tail, where what
# is left shows from step to step only, Newton's steps change it by a factor e.
MOST_UNSEEN = 0.5
# Ratio of two decrements below which Newton's steps contract as they should.
CONTRACTING = 0.1
# Share of a step's decrement by which the objective may fall more or less than that, and the
# quadratic model still be right.
MOST_OFF = 0.1


def backtrack(
    objective: Objective,
    theta,
    step,
    value,
    decrement,
    *,
    order,
    gauss_newton=False,
    single=Single.NONE,
):
    """Find a step length that lowers the objective enough (Armijo), group by group.

    Parameters
    ----------
    objective : Objective
    theta, step : ndarray of shape (n_groups, size)
    value : ndarray of shape (n_groups,)
        Smooth objective at `theta`.
    decrement : ndarray of shape (n_groups,)
        Half the slope along the step, as a positive number.
    order : {1, 2}
        What to evaluate at the new point: its Hessian too with 2.
    gauss_newton : bool
    single : Single
        What may be multiplied in float32.

    Returns
    -------
    tuple or None
        (theta, value, gradient, hessian or None, step length per group); None if no group can go
        lower.
    """

    def evaluate(at):
        if order == 2:
            return objective.value_gradient_hessian(at, gauss_newton, single)
        return *objective.value_and_gradient(at, single), None

    length = np.array([1.0] * len(theta))
    trial = theta + step
    # The full step is nearly always right: evaluate there at once all that the next step needs.
    result = evaluate(trial)
    if _all_fell(value, result[0], decrement):
        return trial, *result, length
    rounding = objective.rounding + 1e-15 * np.abs(value)
    for _ in range(MAX_TRIALS):
        new = result[0]
        enough = new <= value - 2 * SUFFICIENT_DECREASE * length * decrement + rounding
        short = ~(enough & np.isfinite(new))
        if not short.any():
            break
        length = np.where(short, length * _shrink(length, value, new, decrement), length)
        trial = theta + length[:, None] * step
        # The second trial is nearly always right, too, and a gradient costs no more than a value.
        result = evaluate(trial) if order == 1 else (objective.value(trial),)
    else:
        length = np.where(short, 0.0, length)
        if not length.any():
            return None
        trial = theta + length[:, None] * step
    cut = length <= LEAST_LENGTH
    if (
        cut.any()
        and np.all(cut | (decrement <= rounding))
        and np.all(value - result[0] <= rounding)
    ):
        # Cut to nothing, it still wins nothing: rounding led there. Other groups have none to win.
        return None
    if len(result) == 1:
        result = evaluate(trial)
    return trial, *result, length


def _all_fell(value, new, decrement) -> bool:
    """Whether the full step lowers every group enough."""
    # A few numbers, for which numpy takes longer to begin than Python to end.
    of_groups = zip(value.tolist(), new.tolist(), decrement.tolist(), strict=True)
    return all(n <= v - 2 * SUFFICIENT_DECREASE * d for v, n, d in of_groups)


def _shrink(length, value, new, decrement):
    """Factor to the minimum of the parabola through what is known, kept within [0.1, 0.5]."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slope = 2 * decrement * length
        factor = slope / (2 * (new - value + slope))
    return np.where(np.isfinite(new), np.clip(np.nan_to_num(factor, nan=0.1), 0.1, 0.5), 0.1)


def foreseen(pair, shift: float) -> bool:
    """Whether the end of a step that moves z by as much may be taken on trust.

    Tails are exponential: a row whose z moves far may have next to no curvature at the start and a
    loss beyond all bounds at the end. Where curvature jumps, a step of any length may do that.
    """
    return not pair.quadratic_pieces and shift <= MOST_UNSEEN


def is_small(pair, shift: float, ratio: float) -> bool:
    """Whether a step is so small that the quadratic model holds.

    Where losses have tails it may change no row's curvature by much: what a row far out has to gain
    shows only after others have none left. Elsewhere it will do that steps contract as Newton's do.
    """
    return shift <= MOST_UNSEEN or (ratio <= CONTRACTING and not pair.has_tails)


def contraction(decrement: float, previous: float, rounding: float) -> float:
    """What the last step made of the decrement; nan if unknown, or if that was but rounding."""
    return min(decrement / previous, 1.0) if previous > rounding else np.nan


def still_to_come(ratio: float) -> float:
    """How often the decrement of a step is that of all steps to come, each a `ratio` of the last.

    Where something holds steps back (a ridge, a tail) decrements fall by the same share each time,
    and tell of the next step alone.
    """
    if math.isnan(ratio):
        return 1.0
    return 1 / (1 - ratio) if ratio < 1 else np.inf


def is_foretold(
    before: float, decrement: float, value, rounding: float, most_off: float = MOST_OFF
) -> bool:
    """Whether a step lowered the objective by its decrement, but for a share of that."""
    fall = before - sum(value.tolist())
    return abs(fall - decrement) <= most_off * decrement + rounding
