"""A quadratic with an L1 norm: minimised exactly, zeros and all.

    minimise over u:  g . (u - t) + (u - t) . H (u - t) / 2 + sum_j l1_j |u_j|

Coordinate descent finds out which weights are zero and which sign the others have; a Newton step
on those then gives all digits at once, where coordinate descent alone would creep along correlated
columns.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack
from scipy.linalg.blas import daxpy

from ..penalties import soft_threshold
from .linear_algebra import solve_without_ridge

EPS = np.finfo(float).eps
# Sweeps of coordinate descent before each exact step, or one for every so many columns if that is
# more: a factor of many costs more than a sweep by as much.
N_SWEEPS = 3
COLUMNS_PER_SWEEP = 100
MAX_ROUNDS = 100
# Coordinate descent may leave this share of what the model has to gain.
INEXACT = 1e-3
# Squared pivots of the scaled matrix below this are rounding, and a ridge takes their place.
LEAST_PIVOT = 1e-11
# Share of the weights awake below which directions that curve are few: there are fewer rows.
FEW_CURVED = 0.5
# Share of the L1 norm's slope past which that of a weight of zero is more than rounding.
WAKES = 1e-10


class Quadratic:
    """A quadratic with an L1 norm, and where a search for its minimum begins."""

    def __init__(self, gradient, hessian, l1, at):
        self.gradient_at, self.H, self.l1, self.at = gradient, hessian, l1, at

    def _slope(self, u):
        return self.gradient_at + self.H @ (u - self.at)

    def _gain(self, u, slope) -> float:
        """How much lower the model is at `u` than where the search began."""
        smooth = 0.5 * float((u - self.at) @ (self.gradient_at + slope))
        return -smooth - float(self.l1 @ (np.abs(u) - np.abs(self.at)))


class L1Model(Quadratic):
    """The quadratic with its L1 norm.

    Parameters
    ----------
    gradient : ndarray of shape (size,)
        Of the smooth part at `at`.
    hessian : ndarray of shape (size, size)
        Positive semi-definite.
    l1 : ndarray of shape (size,)
        Zero for what is not penalised.
    at : ndarray of shape (size,)
        Where gradient and Hessian are from, and where the search begins.

    Attributes
    ----------
    ridge : float
        What the last factor had to have added, on a unit diagonal; nan if there was none.

    References
    ----------
    Lee, Battle, Raina and Ng, Efficient sparse coding algorithms, NIPS 2006: steps to the minimum
    for the signs at hand, cut where a sign changes. Friedman, Hastie and Tibshirani, Regularization
    paths for generalized linear models via coordinate descent, J. Stat. Softw. 33 (2010).
    """

    def __init__(self, gradient, hessian, l1, at):
        diagonal = hessian.diagonal()
        largest = diagonal.max(initial=0.0) or 1.0
        # Scaled to a unit diagonal; what has no curvature keeps a little, so that it stays finite.
        little = max(1e-30 * largest, np.finfo(float).tiny)
        self.scale = 1 / np.sqrt(np.maximum(diagonal, little))
        H = hessian * self.scale
        H *= self.scale[:, None]
        np.fill_diagonal(H, 1.0)
        super().__init__(gradient * self.scale, H, l1 * self.scale, at / self.scale)
        self._rows = list(H)
        self.ridge = np.nan
        # Whether far more weights were once awake than there are directions that curve.
        self._is_flat = False

    def minimise(self, tol: float, most: float = np.inf):
        """Return the minimiser, exact zeros included.

        It is within `tol` of the minimum; of many columns, it may leave `INEXACT` of the gain. The
        search ends where it has gained more than `most`.
        """
        u = self.at.copy()
        slope = self.gradient_at.copy()
        for _ in range(MAX_ROUNDS):
            to = u.copy()
            if self._is_flat:
                self._wake_one(to, slope)
            elif self._descend(to, slope.copy(), tol):
                return to * self.scale
            step = self._exact_step(to)
            if step is None:
                continue
            u, slope = step
            if self._gain(u, slope) > most:
                break
            # One weight alone may have little to gain and much with others that it resembles.
            if self._left(u, slope) <= tol and not self._wakes_any(u, slope):
                break
        return u * self.scale

    def _descend(self, u, slope, tol: float) -> bool:
        """Coordinate descent in place, as long as it is cheaper than a factor; whether it ended."""
        n_sweeps = len(u) // COLUMNS_PER_SWEEP
        if n_sweeps <= N_SWEEPS:
            # A factor is cheap here, and what it gives is exact.
            for _ in range(N_SWEEPS):
                self._sweep(u, slope)
            return False
        left = self._left(u, slope)
        for n_to_come in reversed(range(n_sweeps)):
            self._sweep(u, slope)
            before, left = left, self._left(u, slope)
            enough = max(tol, INEXACT * self._gain(u, slope))
            # Each sweep to come leaves the same share, of what they gain together too.
            share = left / before if before > 0 else 0.0
            if left <= enough * (1 - share):
                return True
            if share >= 1 or left * share**n_to_come > enough * (1 - share):
                break
        return False

    def left(self, weights) -> float:
        """What single weights could still gain here, in all."""
        u = weights / self.scale
        return self._left(u, self._slope(u))

    def _left(self, u, slope) -> float:
        """What single coordinates could still gain, in all."""
        moved = soft_threshold(u - slope, self.l1)
        change = moved - u
        gain = -(slope @ change + 0.5 * change @ change)
        gain -= self.l1 @ (np.abs(moved) - np.abs(u))
        return float(gain)

    def _wakes_any(self, u, slope) -> bool:
        """Whether some weight of zero wants to be another, by more than rounding."""
        rounding = WAKES * self.l1 + 100 * EPS * np.abs(self.gradient_at).max(initial=0.0)
        return bool(np.any((u == 0) & (np.abs(slope) > self.l1 + rounding)))

    def _sweep(self, u, slope) -> None:
        """A sweep of coordinate descent over what is not zero or wants not to be, in place."""
        size, rows = len(u), self._rows
        active = np.flatnonzero((u != 0) | (np.abs(slope) > self.l1))
        for j, threshold in zip(active.tolist(), self.l1[active].tolist(), strict=True):
            old = u.item(j)
            x = old - slope.item(j)
            new = x - threshold if x > threshold else x + threshold if x < -threshold else 0.0
            if new != old:
                daxpy(rows[j], slope, size, new - old)
                u[j] = new

    def _wake_one(self, u, slope) -> None:
        """Move the weight of zero that wants it most."""
        asleep = np.flatnonzero(u == 0)
        if len(asleep):
            j = asleep[np.argmax(np.abs(slope[asleep]) - self.l1[asleep])]
            u[j] = soft_threshold(-slope[j], self.l1[j])

    def _exact_step(self, u):
        """Go to the minimum for the signs at hand, as far as they hold.

        None where a factor first tells that sweeps woke far more weights than there are directions
        that curve: most would fall asleep again, at a factor each. One at a time, hardly any does.
        """
        while True:
            slope = self._slope(u)
            free = np.flatnonzero((u != 0) | (self.l1 == 0))
            if not len(free):
                return u, slope
            signs = np.sign(u[free])
            was_flat = self._is_flat
            target = u[free] - self._solve(free, slope[free] + signs * self.l1[free])
            if self._is_flat and not was_flat:
                return None
            crossed = (target * signs < 0) & (self.l1[free] > 0)
            if not crossed.any():
                u = u.copy()
                u[free] = target
                return u, self._slope(u)
            u = self._cut(u, free, target, crossed)

    def _solve(self, free, right):
        """H^-1 on the free coordinates, by the least ridge that makes it sound."""
        H = self.H[np.ix_(free, free)]
        ridge = 0.0
        while True:
            np.fill_diagonal(H, 1.0 + ridge)
            factor, info = lapack.dpotrf(H, lower=1)
            if info == 0 and np.min(factor.diagonal()) ** 2 > LEAST_PIVOT:
                break
            ridge = max(10 * ridge, 1e-11)
        self.ridge = ridge
        if ridge == 0:
            return lapack.dpotrs(factor, right, lower=1)[0]
        n_curved = np.count_nonzero(factor.diagonal() ** 2 > 100 * ridge)
        self._is_flat = self._is_flat or bool(n_curved < FEW_CURVED * len(free))
        np.fill_diagonal(H, 1.0)
        return solve_without_ridge(H, factor, right)

    def _cut(self, u, free, target, crossed):
        """Go towards the target to where the model is lowest; what crosses zero stays there."""
        start = u[free]
        share = np.unique(start[crossed] / (start[crossed] - target[crossed]))
        best, lowest = None, np.inf
        for t in np.append(share, 1.0):
            point = u.copy()
            point[free] = start + t * (target - start)
            point[free[crossed & (start * point[free] <= 0)]] = 0.0
            point[free[crossed & (np.abs(point[free]) <= EPS * np.abs(start))]] = 0.0
            value = self._value(point)
            if value >= lowest:
                break
            best, lowest = point, value
        return best

    def _value(self, u) -> float:
        change = u - self.at
        return float(change @ (self.gradient_at + 0.5 * (self.H @ change)) + self.l1 @ np.abs(u))
