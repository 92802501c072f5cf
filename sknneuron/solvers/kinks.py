"""Activations with a kink (relu and its kin): a smooth stand-in, and exact steps across the kink.

A neuron's loss as a function of z has a kink where the activation has one. On rows whose target
lies below the level there the kink is convex, and the best weights often put such rows exactly on
it, where no smooth model ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse, special

from ..activations import Activation
from ..objective import Objective
from ..pairs import Pair
from .damping import DampedDescent

# How far from the kink its two sides are looked at.
SIDE = 1e-9
# Rows near a kink that the model takes in: so many per weight, and at least so many.
ROWS_PER_WEIGHT = 8
LEAST_ROWS = 50
# Rows by whose z the band about the kink is chosen.
N_WATCHED = 1000
MAX_CHANGES = 60


class SoftPair(Pair):
    """A pair whose activation's kinks are rounded off over a width.

    In place of the kink ``J * max(z - k, 0)`` stands ``J * h * softplus((z - k) / h)``.

    Parameters
    ----------
    pair : Pair
    width : float
        h; 0 leaves the kink.

    Notes
    -----
    With `gauss_newton` the curvature of the rounded kink is left out only where it is negative:
    where it is positive it is what holds a row on the kink.
    """

    def __init__(self, pair: Pair, width: float):
        super().__init__(pair.activation, pair.loss, pair.convex)
        self.width = width

    def derivatives(self, y, z, order, gauss_newton=False):
        f, loss = self.activation, self.loss
        level, f1, f2 = f(z), f.derivative(z), 0.0
        if order == 2:
            f2 = f.second_derivative(z)
        for kink in f.kinks:
            jump = kink_jump(f, kink)
            t = (z - kink) / self.width
            # softplus(t) - max(t, 0)
            level = level + jump * self.width * np.log1p(np.exp(-np.abs(t)))
            rise = special.expit(t)
            f1 = f1 + jump * (rise - (t > 0))
            f2 = f2 + jump / self.width * rise * (1 - rise)
        terms = loss(y, level)
        if order == 0:
            return terms, None, None
        slope = loss.derivative(y, level)
        if order == 1:
            return terms, slope * f1, None
        bend = slope * f2
        if gauss_newton:
            bend = np.maximum(bend, 0.0)
        return terms, slope * f1, loss.second_derivative(y, level) * f1 * f1 + bend


def kink_jump(activation: Activation, kink: float) -> float:
    """How much the derivative rises at the kink."""
    sides = np.array([kink - SIDE, kink + SIDE])
    below, above = activation.derivative(sides)
    return float(above - below)


@dataclass(frozen=True)
class RowsNearKink:
    """Kernel: the rows within a band about a kink where the loss has a convex kink, per neuron.

    Returns
    -------
    list of (neuron, X, t, jump)
        Distance ``t = z - kink`` and how much the weighted loss's slope in z rises there.
    """

    pair: Pair
    kink: float
    band: np.ndarray

    def __call__(self, X, y, sample_weight, weights, bias):
        t = X @ weights.T + bias - self.kink
        found = []
        for k, band in enumerate(self.band):
            rows = np.flatnonzero(np.abs(t[:, k]) <= band)
            y_near = y[rows, k : k + 1]
            z = np.full(y_near.shape, self.kink)
            below = self.pair.derivatives(y_near, z - SIDE, 1)[1]
            above = self.pair.derivatives(y_near, z + SIDE, 1)[1]
            jump = (above - below)[:, 0]
            if sample_weight is not None:
                jump = sample_weight[rows] * jump
            rows, jump = rows[jump > 0], jump[jump > 0]
            part = X[rows].toarray() if sparse.issparse(X) else X[rows]
            found.append((k, part.astype(np.float64), t[rows, k], jump))
        return (found,)


class KinkedDescent(DampedDescent):
    """Damped Newton steps whose model knows the convex kinks that lie near.

    Parameters
    ----------
    objective : Objective
    theta : ndarray
    damping : float, default=0

    Notes
    -----
    Rows near a kink enter the quadratic model with their kink, ``c_i max(0, t_i + a_i . step)``.
    Its minimum puts rows exactly on the kink where that is best.
    """

    def __init__(self, objective: Objective, theta, *, damping=0.0):
        self.objective = objective
        n_rows = objective.source.n_rows
        self._watched = objective.subsample(objective.sample_rows(N_WATCHED))
        self._share = min(1.0, max(ROWS_PER_WEIGHT * objective.neuron_size, LEAST_ROWS) / n_rows)
        super().__init__(
            objective.value_gradient_hessian, theta, rounding=objective.rounding, damping=damping
        )

    def propose(self):
        scaled, inverse = self._scaled_hessian()
        damped = self._damped(scaled)
        near = self._near_rows()
        step, predicted = np.empty_like(self.theta), np.empty(len(self.theta))
        for k, (rows, t, jump) in enumerate(near):
            x, predicted[k] = step_over_kinks(
                damped[k], self.gradient[k] * inverse[k], rows * inverse[k], t, jump
            )
            step[k] = x * inverse[k]
        return step, predicted

    def _near_rows(self):
        """Per neuron: rows in theta's coordinates, their distance from the kink and its jump."""
        objective = self.objective
        coef, intercept = objective.to_weights(self.theta)
        (kink,) = objective.pair.activation.kinks
        z = self._watched.source.X @ coef.T + intercept
        band = np.quantile(np.abs(z - kink), self._share, axis=0)
        kernel = RowsNearKink(objective.pair, kink, band)
        (found,) = objective.source.map_sum(kernel, coef, intercept)
        near = []
        for k in range(objective.n_neurons):
            parts = [part[1:] for part in found if part[0] == k]
            X, t, jump = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            rows = np.ones((len(X), objective.neuron_size))
            rows[:, : objective.n_features] = (
                X - objective.coordinates.center
            ) / objective.coordinates.scale
            near.append((rows, t, jump / objective.source.total_weight))
        return near


def step_over_kinks(hessian, gradient, rows, t, jump):
    """Minimise a quadratic model plus the convex kinks of some rows.

    .. math::

        g \\cdot x + \\tfrac12 x \\cdot H x + \\sum_i c_i (\\max(0, t_i + a_i \\cdot x) - \\max(0, t_i))

    where g holds the slopes of the rows on the side where they are.

    Parameters
    ----------
    hessian : ndarray of shape (size, size)
        Positive definite.
    gradient : ndarray of shape (size,)
    rows : ndarray of shape (n_rows, size)
        a_i.
    t, jump : ndarrays of shape (n_rows,)
        t_i, and c_i > 0.

    Returns
    -------
    x : ndarray of shape (size,)
    decrease : float

    References
    ----------
    Hintermueller, Ito and Kunisch, The primal-dual active set strategy as a semismooth Newton
    method, SIAM J. Optim. 13 (2002).
    """
    factor = linalg.cho_factor(hessian, lower=True, check_finite=False)
    base = gradient - (jump * (t > 0)) @ rows
    towards_rows = linalg.cho_solve(factor, rows.T, check_finite=False)
    free = -linalg.cho_solve(factor, base, check_finite=False)
    Q = rows @ towards_rows
    at_free = t + rows @ free
    slope = _active_set(Q, at_free, np.sign(t), jump)
    x = free - towards_rows @ slope
    kinked = jump @ (np.maximum(t + rows @ x, 0) - np.maximum(t, 0))
    return x, -float(base @ x + 0.5 * x @ hessian @ x + kinked)


def _active_set(Q, at_free, side, jump):
    """Slopes in [0, jump] of the rows at the minimum; those in between sit on the kink."""
    side = np.where(side > 0, 1, -1)
    small = 1e-13 * np.abs(at_free).max(initial=0.0)
    for change in range(MAX_CHANGES):
        on_kink = side == 0
        slope = np.where(side > 0, jump, 0.0)
        if on_kink.any():
            among = Q[np.ix_(on_kink, on_kink)]
            rest = at_free[on_kink] - Q[on_kink] @ slope
            slope[on_kink] = np.linalg.lstsq(among, rest, rcond=1e-13)[0]
        t = at_free - Q @ slope
        # By how much each row's slope or side is wrong, in units of z.
        too_low, too_high = -slope * np.diag(Q), (slope - jump) * np.diag(Q)
        wrong = np.where(on_kink, np.maximum(too_low, too_high), -side * t)
        if wrong.max(initial=0.0) <= small:
            break
        # All at once is fast but may go round in circles; one by one it does not for long.
        flip = wrong > small if change < MAX_CHANGES // 2 else wrong == wrong.max()
        side = np.where(flip, np.where(on_kink, np.where(too_high > too_low, 1, -1), 0), side)
    return np.clip(slope, 0.0, jump)
