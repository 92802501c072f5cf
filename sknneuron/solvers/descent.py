"""Quasi-Newton descent on a second-order preconditioner that is renewed when it serves badly.

An inverse Hessian, from a subsample or from an earlier point, is a good guess of the one needed.
L-BFGS mends it from the gradients of each pass. Each step then costs one pass for value and
gradient, a fraction of what a Hessian costs; where the measured contraction says that a Hessian
would pay, the next pass brings one along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..kernels import Single
from ..objective import Objective
from .base import Iterate
from .discriminant import discriminant, is_blank
from .hidden import matters
from .line_search import MOST_OFF, MOST_UNSEEN, backtrack, is_foretold, still_to_come
from .linear_algebra import SpdSolver, dot
from .memory import Memory

# What `MOST_UNSEEN` is where the loss is not convex: there all rows are looked at.
MOST_UNSEEN_NOT_CONVEX = 0.1
# What `MOST_OFF` is at kinks, which take some curvature off of which no Hessian tells.
MOST_OFF_AT_KINKS = 0.3
# Contraction past which the preconditioner is worth a second thought.
POOR = 0.05
MAX_STEPS = 200
# A Hessian in float32 is as good as one in float64 if all pivots are over this.
LEAST_SINGLE_PIVOT = 1e-3
# Shares of the gap allowed that float32 rows may move the end by, and be wrong about a value.
MOST_MOVED, MOST_WRONG = 0.01, 0.3


@dataclass
class Descent:
    """Minimise a smooth objective from a start; one that is not convex from near a minimum.

    Parameters
    ----------
    objective : Objective
    target : callable
        Takes the objective's value and theta, returns the gap to stop at.
    factor : SpdSolver, default=None
        Preconditioner to begin with; None takes the Hessian at the start.
    prior : float, default=0.5
        Contraction of the decrement expected of the first step.
    hessian_cost : float, default=0
        Price of a pass with a Hessian beyond one without, in passes without.
    """

    objective: Objective
    target: Callable[[float, np.ndarray], float]
    factor: SpdSolver | None = None
    prior: float = 0.5
    hessian_cost: float = 0.0

    def __post_init__(self):
        pair = self.objective.pair
        # Where the loss is not convex its Hessian may be negative; Gauss-Newton's never is.
        self.gauss_newton = not pair.convex
        self.most_unseen = MOST_UNSEEN if pair.convex else MOST_UNSEEN_NOT_CONVEX
        # Whether curvature jumps, so that a step of any length may meet with another one.
        self.jumps = pair.quadratic_pieces or bool(pair.activation.kinks)
        self.most_off = MOST_OFF_AT_KINKS if pair.activation.kinks else MOST_OFF
        self.fresh = False
        self.previous: float | None = None
        # The contraction before the last one: of a factor from a subsample, what is expected of it.
        self.earlier = None if self.factor is None else self.prior
        self.memory = Memory()
        self.single = self.objective.quicker_in_single

    def iterate(self, theta) -> Iterator[Iterate]:
        """Yield iterates; the last one is flagged, and its gap says what is left.

        The last step is taken without a pass to look at its end: its value is that of the
        quadratic model, whose error is a fraction of the gap allowed. Where curvature jumps it is
        looked at.
        """
        objective = self.objective
        if self.factor is None:
            value, gradient = self._renew_at(theta)
        else:
            value, gradient = objective.value_and_gradient(theta, self.single)
        step_size = np.nan
        confirmed = False
        blank = self.fresh and is_blank(objective, theta)
        for _ in range(MAX_STEPS):
            if self._rows_are_too_coarse(value, theta):
                self.single &= ~Single.ROWS
                value, gradient = objective.value_and_gradient(theta)
            step = -self.memory.inverse_hessian_product(gradient, self.factor)
            decrement = -0.5 * dot(gradient, step)
            # Sums over a few groups, for which numpy takes longer to begin than Python to end.
            total = sum(decrement.tolist())
            current = Iterate(theta, sum(value.tolist()), gradient, objective, step_size)
            allowed = self.target(current.value, theta)
            ratio = None if self.previous is None else total / self.previous
            expected = self._expected_contraction(ratio)
            if ratio is not None:
                self.earlier = ratio
            enough = total <= 1e-3 * objective.rounding
            if not (enough or self.jumps) and total * expected <= allowed:
                shift = objective.largest_shift(step, theta, exact=not objective.pair.convex)
                # The change of curvature along the step alone allows that contraction.
                expected = max(expected, min(1.0, shift) ** 2)
                enough = total * expected <= allowed and shift <= self.most_unseen
                enough = enough and self._knows_rows(ratio)
            confirmed = confirmed and total <= allowed
            if (enough or confirmed) and self._hides(gradient, allowed):
                current.last = True
                current.message = "rounding hides curvature that matters from the Hessian"
            elif confirmed:
                current.gap, current.last = 2 * total, True
            yield current
            if current.last:
                return
            if enough:
                end = theta + step
                yield Iterate(
                    end, current.value - total, np.nan, objective, 1.0, total * expected, last=True
                )
                return
            if blank:
                longer, blank = discriminant(objective, theta, gradient, step), False
                step = step if longer is None else longer
            order = 2 if self._hessian_would_pay(total, allowed, ratio) else 1
            found = backtrack(
                objective,
                theta,
                step,
                value,
                decrement,
                order=order,
                gauss_newton=self.gauss_newton,
                single=self.single,
            )
            if found is None:
                if self.fresh:
                    current.last = True
                    current.gap = total if total <= 1e4 * objective.rounding else np.nan
                    current.message = "the line search found no lower point"
                    yield current
                    return
                value, gradient = self._renew_at(theta)
                self.previous = None
                continue
            new, value, new_gradient, hessian, taken = found
            # Where curvature jumps, or z goes far, only a step looked at tells what is left.
            confirmed = (
                (self.jumps or not objective.pair.convex)
                and total * expected <= allowed
                and is_foretold(current.value, total, value, objective.rounding, self.most_off)
            )
            lengths = taken.tolist()
            step_size = max(lengths)
            self.previous = total if min(lengths) >= 0.5 else None
            if hessian is not None:
                self._renew(hessian, new)
            else:
                self.fresh = False
                self.memory.remember(new - theta, new_gradient - gradient)
            theta, gradient = new, new_gradient
        current.last, current.message = True, "the steps no longer lead anywhere"
        yield current

    def _renew_at(self, theta):
        """Take the Hessian at `theta` for the preconditioner; return value and gradient."""
        value, gradient, hessian = self.objective.value_gradient_hessian(
            theta, self.gauss_newton, self.single
        )
        self._renew(hessian, theta)
        return value, gradient

    def _renew(self, hessian, theta) -> None:
        if Single.HESSIAN in self.single and not np.isfinite(hessian).all():
            hessian = self._double(theta)
        self.factor = newton_solver(self.objective, hessian)
        if Single.HESSIAN in self.single and self.factor.least_pivot() < LEAST_SINGLE_PIVOT:
            self.factor = newton_solver(self.objective, self._double(theta))
        self.memory = Memory()
        self.fresh = True
        self.earlier = None

    def _double(self, theta):
        """The Hessian in float64, and all from now on: float32 was too coarse for it."""
        self.single &= ~Single.HESSIAN
        return self.objective.value_gradient_hessian(theta, self.gauss_newton)[2]

    def _rows_are_too_coarse(self, value, theta) -> bool:
        if Single.ROWS not in self.single:
            return False
        moved, off = self.objective.noise_of_single(theta)
        allowed = self.target(float(value.sum()), theta)
        return moved > MOST_MOVED * allowed or off > MOST_WRONG * allowed

    def _knows_rows(self, ratio: float | None) -> bool:
        """Whether the factor is of all rows, or of some that are like the others, or has served."""
        return self.fresh or ratio is not None or not self.objective.hides_far_rows

    def _hides(self, gradient, allowed: float) -> bool:
        """Whether more may be left along directions of which the factor knows but rounding."""
        assert self.factor is not None
        if not self.factor.ridge:
            return False
        return bool(matters(self.factor.hidden_slope(gradient), allowed).any())

    def _expected_contraction(self, ratio: float | None) -> float:
        """What the decrement will shrink by in the next step, from what the last one did."""
        if ratio is None:
            return min(self.prior, POOR) if self.fresh else self.prior
        if self.earlier is not None:
            # One good step may be luck: the next one need not have it.
            ratio = max(ratio, (ratio * self.earlier) ** 0.5)
        return max(min(1.0, (2 if ratio < POOR else 3) * ratio), still_to_come(min(ratio, 1.0)) - 1)

    def _hessian_would_pay(self, decrement, allowed, ratio) -> bool:
        if ratio is None or ratio <= POOR:
            return False
        to_go = np.log(max(decrement / allowed, 1.01))
        passes = to_go / -np.log(min(ratio, 0.95))
        passes_with = max(1.0, to_go / -np.log(0.01))
        return passes - 1 > self.hessian_cost + passes_with


def newton_solver(objective: Objective, hessian) -> SpdSolver:
    """Factor of the Hessian, with a softmax layer's direction without curvature filled in.

    Adding the same to every class changes no probability: along that direction the loss is flat and
    its gradient zero. Filling it in keeps the factor sound and the sums over classes at zero.
    """
    if objective.pair.coupled:
        n, size = objective.n_neurons, objective.neuron_size
        entries = hessian.reshape(-1)
        diagonals = np.add.reduce(entries[:: n * size + 1].reshape(n, size), axis=0)
        diagonals /= n**2
        entries[_diagonals_of_blocks(n, size)] += diagonals
    return SpdSolver(hessian)


@lru_cache(maxsize=8)
def _diagonals_of_blocks(n: int, size: int):
    """Where the diagonals of (n, n) blocks of (size, size) lie, of the first block's row, ..."""
    entries = np.arange((n * size) ** 2).reshape(n, size, n, size)
    return np.einsum("kili->kli", entries).copy()
