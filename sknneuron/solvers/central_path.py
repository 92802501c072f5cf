"""One neuron whose loss on each row is two straight pieces: a primal-dual interior-point method.

Such a loss is the largest of ``d (z - k)`` over slopes d from that of one piece to that of the
other, less a multiple of ``d^2`` where a parabola lies between them. So the objective has a dual,
a quadratic program with a box for each row's slope, and any slopes in their boxes say how much is
left at most.

References
----------
Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 2 (1992).
Portnoy and Koenker, The Gaussian hare and the Laplacian tortoise, Statist. Sci. 12 (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .linear_algebra import SpdSolver

# So many steps in which neither the gap nor the residual falls by a tenth show rounding, or that
# the path leads nowhere.
PATIENCE, FALLS = 5, 0.9
# Near the end a step leaves next to nothing: so many are taken that leave less than this share.
MOST_POLISHING, POLISHES = 4, 0.1
# A step shorter than this share of the one proposed is taken towards the path, to where the
# products are this share of what they are.
CUT_SHORT, CENTRING = 0.1, 0.8
# Share of the way to where a slope comes to the end of its box.
SHORT_OF_END = 0.9995
EPS = float(np.finfo(float).eps)
# Share of the scale that a path begins no nearer to the kinks than; and how much further from soft
# ones, whose boxes may be far larger than slopes get.
LEAST_SHARE, FURTHER = 1e-3, 10.0


def steepest(t, below, above, softness):
    """The slopes that make the most of each row: those of its loss."""
    if not softness.any():
        return np.where(t < 0, below, above)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.fmin(np.fmax(t / softness, below), above)


def balanced(slope, below, above):
    """Slopes in their boxes, moved until they sum to zero, which the dual of a bias asks for."""
    excess = slope.sum()
    if not excess:
        return slope
    # Zero is among each row's slopes, so there is room for that, even where some boxes are endless.
    room = slope - below if excess > 0 else above - slope
    room[np.isinf(room)] = 0.0
    return slope - excess / room.sum() * room


@dataclass(frozen=True)
class Pieces:
    """A sum over rows of losses of two straight pieces, and a linear and a quadratic term.

    .. math::

        \\sum_i \\max_{b_i \\le d \\le a_i} (d t_i - \\tfrac12 \\tau_i d^2) + g \\cdot \\theta
        + \\tfrac12 \\theta \\cdot R \\theta, \\quad t = C^T \\theta - k

    Parameters
    ----------
    columns : list of ndarray of shape (size, n)
        C, as many of its columns at a time as work well together.
    kink : ndarray of shape (n_rows,)
        k: where the pieces meet.
    below, above : ndarrays of shape (n_rows,)
        Slopes on either side, ``below < above``.
    softness : ndarray of shape (n_rows,)
        tau: zero where two straight pieces meet in a kink.
    linear : ndarray of shape (size,)
        g.
    l2 : ndarray of shape (size,)
        Diagonal of R.
    n_weights : int
        How many of the last rows are single weights: the kinks of an L1 penalty.
    scale : float
        Size of what theta may still change t by, of any rows, at most.
    """

    columns: list[np.ndarray]
    kink: np.ndarray
    below: np.ndarray
    above: np.ndarray
    softness: np.ndarray
    linear: np.ndarray
    l2: np.ndarray
    n_weights: int
    scale: float

    def along(self, theta):
        """``C^T theta``."""
        return np.concatenate([theta.dot(part) for part in self.columns])

    def distances(self, theta):
        """t."""
        return self.along(theta) - self.kink

    def across(self, slope):
        """``C slope``."""
        return sum(part.dot(slope[rows]) for part, rows in self._parts())

    def _parts(self):
        """Parts of C, and which rows they are."""
        start = 0
        for part in self.columns:
            stop = start + part.shape[1]
            yield part, slice(start, stop)
            start = stop

    def value(self, theta, t) -> float:
        """The sum at theta, whose distances are t."""
        loss = self.short(t, np.zeros_like(t)).sum()
        return float(loss + self.linear.dot(theta) + 0.5 * (self.l2 * theta).dot(theta))

    def short(self, t, slope):
        """What ``slope t - softness slope^2 / 2`` is short of each row's loss."""
        if not self.is_soft:
            return np.maximum((self.below - slope) * t, (self.above - slope) * t)
        best = steepest(t, self.below, self.above, self.softness)
        return (best - slope) * (t - 0.5 * self.softness * (best + slope))

    @cached_property
    def is_soft(self) -> bool:
        """Whether any two pieces meet in a parabola."""
        return bool(self.softness.any())

    def gradient(self, theta, slope):
        """The gradient at theta, with these slopes of the rows."""
        return self.across(slope) + self.linear + self.l2 * theta

    def hessian(self, curvature):
        """The Hessian, with these curvatures of the rows."""
        hessian, root = np.diag(self.l2), np.sqrt(curvature)
        for part, rows in self._parts():
            scaled = part * root[rows]
            hessian += scaled.dot(scaled.T)
        return hessian


class CentralPath:
    """Weights of a neuron and slopes of its rows, on their way to the least sum.

    Parameters
    ----------
    pieces : Pieces
    theta : ndarray of shape (size,)

    Attributes
    ----------
    t : ndarray of shape (n_rows,)
    over, under : ndarrays of shape (n_rows,)
        Positive, and apart by t, or by what softness times the slope leaves of it.
    to_above, to_below : ndarrays of shape (n_rows,)
        Positive: what each row's slope is short of that above the kink, and has over that below.
    slope : ndarray of shape (n_rows,)
    residual : ndarray of shape (size,)
        The gradient, with these slopes for those of the loss.
    gap : float
        How far the sum at theta is above the least, at most.

    Notes
    -----
    At the optimum ``over * to_above`` and ``under * to_below`` are zero in every row. On the path
    they are one positive number, times the row's weight, which falls with each step.
    """

    def __init__(self, pieces: Pieces, theta):
        self.pieces = pieces
        self.theta = theta
        self.t = pieces.distances(theta)
        half = 0.5 * (pieces.above - pieces.below)
        # A row that weighs little has its kink rounded off no more than others. A weight, whose
        # norm is as steep as many rows, has it a little less: there are few of them.
        rows = slice(len(half) - pieces.n_weights)
        self._weight = half / half[rows].mean()
        self._weight[rows.stop :] **= 0.25
        width = np.abs(self.t[rows]).mean() + LEAST_SHARE * pieces.scale
        product = half[rows].mean() * width * self._weight * (FURTHER if pieces.is_soft else 1.0)
        # Of the sum of all slopes that a residual is.
        self._rounding = EPS * float(np.maximum(np.abs(pieces.below), np.abs(pieces.above)).sum())
        # Where both products are this number and the two positive ones are apart by t.
        tilt = self.t * half * half / (product + np.hypot(product, half * self.t))
        self.to_above, self.to_below = half - tilt, half + tilt
        self.over, self.under = product / self.to_above, product / self.to_below
        self._least, self._n_waited = np.full(2, np.inf), 0
        self.slope: np.ndarray
        self.residual: np.ndarray
        self.gap: float
        self._measure()

    def value(self) -> float:
        """The sum at theta."""
        return self.pieces.value(self.theta, self.t)

    def end(self) -> tuple[np.ndarray, float]:
        """Theta, but for weights that are on their way to the kink at zero and are there; the sum.

        A weight's slope stays away from both ends of its box, the nearer the weight comes to zero.
        """
        n = self.pieces.n_weights
        if not n:
            return self.theta, self.value()
        room = np.minimum(self.to_above[-n:], self.to_below[-n:]) / self.pieces.above[-n:]
        theta = self.theta.copy()
        theta[:n][np.abs(theta[:n]) < room * self.pieces.scale] = 0.0
        return theta, self.pieces.value(theta, self.pieces.distances(theta))

    @property
    def is_stuck(self) -> bool:
        """Whether the last steps brought the end no nearer."""
        return self._n_waited >= PATIENCE

    def follow(self, allowed: float) -> None:
        """Advance until no more than that is left, or no step brings the end nearer."""
        while not self.gap <= allowed and not self.is_stuck:
            self.advance()

    def polish(self) -> None:
        """Advance as long as each step takes off most of what is left."""
        for _ in range(MOST_POLISHING):
            before = self.theta, self.t, self.slope, self.residual, self.gap
            self.advance()
            if not self.gap < POLISHES * before[-1]:
                # Rounding: the step leads no nearer, or away.
                self.theta, self.t, self.slope, self.residual, self.gap = before
                return

    def advance(self) -> float:
        """Take a step, and return what share of the one proposed it is."""
        curvature = 1 / (
            self.over / self.to_above + self.under / self.to_below + self.pieces.softness
        )
        solve = SpdSolver(self.pieces.hessian(curvature)[None])
        # Straight to the end. How far that leads says where on the path to aim, and what it changes
        # the products by beyond what a linear step knows of.
        _, rise, fall, tilt = self._step(solve, curvature, 0.0, 0.0)
        product = self._mean_product(0.0, rise, fall, tilt)
        left = self._mean_product(self._share(rise, fall, tilt), rise, fall, tilt)
        aim = product * (left / product) ** 3 * self._weight
        step = self._step(solve, curvature, aim + rise * tilt, aim - fall * tilt)
        share = self._share(*step[1:])
        if share < CUT_SHORT:
            # Some row is far from the path: back to it first.
            aim = CENTRING * product * self._weight
            step = self._step(solve, curvature, aim, aim)
            share = self._share(*step[1:])
        change, rise, fall, tilt = step
        self.theta = self.theta + share * change
        self.over = self.over + share * rise
        self.under = self.under + share * fall
        self.to_above = self.to_above - share * tilt
        self.to_below = self.to_below + share * tilt
        self.t = self.pieces.distances(self.theta)
        self._measure()
        return share

    def _step(self, solve, curvature, up, down) -> tuple:
        """Newton's step to where the products are `up` and `down`, to first order.

        Returns the changes of theta, `over` and `under`, and of the slopes.
        """
        apart = self.t - self.pieces.softness * self.slope
        ahead = apart - up / self.to_above + down / self.to_below
        (change,) = solve((-self.residual - self.pieces.across(curvature * ahead))[None])
        tilt = curvature * (self.pieces.along(change) + ahead)
        rise = (up + self.over * tilt) / self.to_above - self.over
        fall = (down - self.under * tilt) / self.to_below - self.under
        return change, rise, fall, tilt

    def _measure(self) -> None:
        """Work out the residual, and what is left.

        The sum at theta less the dual at the slopes: what they leave of each row's loss, and the
        square of the residual over twice the penalty. A residual without a penalty has no bound:
        there, and where that is less, it is taken times how far off a parameter may be: its size,
        and the scale of t.
        """
        pieces, t = self.pieces, self.t
        # From the end that is nearer, of which they keep the digits.
        slope = self.slope = np.where(
            self.to_above < self.to_below,
            pieces.above - self.to_above,
            pieces.below + self.to_below,
        )
        self.residual = pieces.gradient(self.theta, slope)
        if pieces.is_soft:
            rows = pieces.short(t, slope).sum()
        else:
            rows = np.maximum(t, 0).dot(self.to_above) + np.maximum(-t, 0).dot(self.to_below)
        residual = np.abs(self.residual)
        residual[residual <= self._rounding] = 0.0
        left = residual * (np.abs(self.theta) + pieces.scale)
        bounded = residual * residual < 2 * pieces.l2 * left
        left[bounded] = 0.5 * residual[bounded] ** 2 / pieces.l2[bounded]
        self.gap = float(rows + left.sum())
        now = np.array([self.gap, residual.max()])
        self._n_waited += 1
        if np.any(now < FALLS * self._least):
            self._least, self._n_waited = np.minimum(self._least, now), 0

    def _mean_product(self, share, rise, fall, tilt) -> float:
        """What the products are on average, some share of a step ahead."""
        over = (self.over + share * rise).dot(self.to_above - share * tilt)
        under = (self.under + share * fall).dot(self.to_below + share * tilt)
        return float(over + under) / (2 * len(tilt))

    def _share(self, rise, fall, tilt) -> float:
        """Share of a step that leaves all positive."""
        changes = (rise / self.over, fall / self.under, -tilt / self.to_above, tilt / self.to_below)
        fastest = -min(change.min() for change in changes)
        return 1.0 if fastest <= SHORT_OF_END else float(SHORT_OF_END / fastest)
