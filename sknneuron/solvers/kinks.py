"""Activations with a kink (relu and its kin): a smooth stand-in, and exact steps across the kink.

A neuron's loss as a function of z has a kink where the activation has one. On rows whose target
lies below the level there the kink is convex, and the best weights often put such rows exactly on
it, where no smooth model ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from ..activations import SIDE
from ..objective import Objective
from ..pairs import Pair
from ..products import centred, weighted_sum
from .damping import RIDGE, DampedDescent
from .linear_algebra import solve_positive

# Rows near a kink that the model takes in: so many per weight, and at least so many.
ROWS_PER_WEIGHT = 8
LEAST_ROWS = 50
# A row that moves by no more than this share of the way along a direction stays: it is rounding.
STAYS = 1e-13
# Rows that may come to a kink or leave it until a minimum is found: so many per row, and more.
CHANGES_PER_ROW, LEAST_CHANGES = 4, 20
# A decrease that is as promised but for this share shows that the Hessian still serves.
SERVES = 0.1
# Rows that the first Hessian is taken from where that is less than half of them: so many per
# weight, and at least so many.
HESSIAN_PER_WEIGHT, LEAST_HESSIAN_ROWS = 400, 4000


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
        self._jumps = [(kink, self.activation.jump(kink)) for kink in self.activation.kinks]

    def derivatives(self, y, z, order, gauss_newton=False):
        f, loss = self.activation, self.loss
        level, f1 = f.with_derivative(z)
        f2 = f.second_derivative(z) if order == 2 else None
        for kink, jump in self._jumps:
            t = (z - kink) / self.width
            # softplus(t) - max(t, 0) is even, and its derivative odd but for the kink.
            e = np.exp(-np.abs(t))
            level = level + jump * self.width * np.log1p(e)
            rise = e / (1 + e)
            f1 = f1 + jump * np.where(t > 0, -rise, rise)
            if order == 2:
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


@dataclass(frozen=True)
class RowsNearKink:
    """Kernel: the rows within a band about a kink where the loss has a convex kink, per neuron.

    `row_center` is subtracted from rows before anything else, where it is not None.

    Returns
    -------
    list of (neuron, X, t, jump)
        Distance ``t = z - kink`` and how much the weighted loss's slope in z rises there.
    """

    pair: Pair
    kink: float
    band: np.ndarray
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        # As the gradient has it, to the last bit: it holds a row's slope on the side where it is.
        t = weighted_sum(centred(X, self.row_center), weights, bias) - self.kink
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
        self._watched = objective.watched
        self._share = min(1.0, max(ROWS_PER_WEIGHT * objective.neuron_size, LEAST_ROWS) / n_rows)
        self._may_be_of_part = False
        super().__init__(self._evaluate, theta, rounding=objective.rounding, damping=damping)

    def _evaluate(self, theta):
        objective = self.objective
        if np.isinf(self.predicted).all():
            return self._evaluate_first(theta)
        # Rows that change sides change the curvature, but close to the end they are few.
        if not self.damping.any():
            value, gradient = objective.value_and_gradient(theta)
            missing = self.value - value - self.predicted
            if np.all(np.abs(missing) < SERVES * self.predicted + self.rounding):
                return value, gradient, self.hessian
        return objective.value_gradient_hessian(theta)

    def _evaluate_first(self, theta):
        """Evaluate where the descent begins, with the Hessian of a part of many rows."""
        objective = self.objective
        n = max(HESSIAN_PER_WEIGHT * objective.neuron_size, LEAST_HESSIAN_ROWS)
        if objective.source.n_rows < 2 * n:
            return objective.value_gradient_hessian(theta)
        self._may_be_of_part = True
        # A copy of all of them would be memory that the system gives and takes at each fit.
        part = objective.over(objective.source.subset(objective.sample_rows(n), once=True))
        return *objective.value_and_gradient(theta), part.value_gradient_hessian(theta)[2]

    def advance(self, step=None, predicted=None):
        super().advance(step, predicted)
        if self._may_be_of_part and not self.accepted.all():
            # It may be the Hessian that is to blame.
            self.value, self.gradient, self.hessian = self.objective.value_gradient_hessian(
                self.theta
            )
            self._may_be_of_part = False

    def propose(self):
        scaled, inverse = self._scaled_hessian()
        return self._propose(self._damped(scaled), inverse)

    def undamped_decrement(self):
        scaled, inverse = self._scaled_hessian()
        index = np.arange(scaled.shape[1])
        scaled[:, index, index] += RIDGE
        try:
            return float(self._propose(scaled, inverse)[1].sum())
        except linalg.LinAlgError:
            return np.nan

    def propose_without_kinks(self):
        """Return the step of the quadratic alone; the model promises no more of any step.

        The kinks of rows near them can only hold a step up, and finding them takes a look at all
        rows.
        """
        return super().propose()

    def _propose(self, damped, inverse):
        near = self._near_rows()
        step, predicted = np.empty_like(self.theta), np.empty(len(self.theta))
        for k, (rows, t, jump) in enumerate(near):
            x, predicted[k] = step_over_kinks(
                damped[k],
                self.gradient[k] * inverse[k],
                rows * inverse[k],
                t,
                jump,
                1e-3 * self.rounding,
            )
            step[k] = x * inverse[k]
        return step, predicted

    def _near_rows(self):
        """Per neuron: rows in theta's coordinates, their distance from the kink and its jump."""
        objective = self.objective
        coef, intercept = objective.to_weights(self.theta)
        (kink,) = objective.pair.activation.kinks
        z = self._watched.X @ coef.T + intercept
        within = int(self._share * (len(z) - 1))
        band = np.partition(np.abs(z - kink), within, axis=0)[within]
        kernel = RowsNearKink(objective.pair, kink, band, objective.row_center)
        (found,) = objective.source.map_sum(kernel, *objective.kernel_parameters(self.theta))
        near = []
        for k in range(objective.n_neurons):
            parts = [part[1:] for part in found if part[0] == k]
            X, t, jump = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            near.append((in_coordinates(objective, X), t, jump / objective.source.total_weight))
        return near


def in_coordinates(objective: Objective, X):
    """Rows as theta multiplies them."""
    rows = np.ones((len(X), objective.neuron_size))
    rows[:, : objective.n_features] = (
        X - objective.coordinates.center
    ) / objective.coordinates.scale
    if objective.coordinates.constant is not None:
        rows[:, objective.coordinates.constant] = 0.0
    return rows


def step_over_kinks(hessian, gradient, rows, t, jump, rounding=0.0):
    """Minimise a quadratic model plus the convex kinks of some rows.

    .. math::

        g \\cdot x + \\tfrac12 x \\cdot H x
        + \\sum_i c_i (\\max(0, t_i + a_i \\cdot x) - \\max(0, t_i))

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
    rounding : float, default=0
        A decrease this small is none.

    Returns
    -------
    x : ndarray of shape (size,)
    decrease : float
        Infinite if rounding kept the minimum from being found: no step will be as good as that,
        and nobody takes it for the end.

    Notes
    -----
    An active-set method: along each direction to the first minimum of a piecewise parabola; a row
    whose kink it is stays there until its multiplier says on which side it would rather be.
    Directions are sought among those that leave such rows where they are: one that next to no
    curvature holds, but a kink does, is then not among them. Taken off a Newton direction that is
    very long there, it would leave nothing but rounding.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 16.2 (the null-space method) and 16.5.
    """
    base = gradient - (jump * (t > 0)) @ rows
    x = np.zeros(len(gradient))
    side = t > 0
    # The size of what the slope is the sum of, and with it of what rounding leaves in the slope.
    terms = np.abs(base) + jump @ np.abs(rows)
    lengths = np.linalg.norm(rows, axis=1)
    pinned: list[int] = []
    # The factors of rows[pinned].T: the first columns of q span what is held, the others are free.
    q, r = np.eye(len(x)), np.empty((len(x), 0))
    for _ in range(LEAST_CHANGES + CHANGES_PER_ROW * len(t)):
        slope = base + hessian @ x + (jump * side) @ rows
        free = q[:, len(pinned) :]
        noise = 1e-15 * (terms + np.abs(hessian) @ np.abs(x))
        direction, steepness = _newton_direction(hessian, slope, free, noise)
        if steepness <= rounding:
            held = q[:, : len(pinned)].T @ (slope + hessian @ direction)
            multiplier = -linalg.solve_triangular(r[: len(pinned)], held, check_finite=False)
            excess = np.maximum(-multiplier, multiplier - jump[pinned]) / jump[pinned]
            if excess.max(initial=0.0) <= 1e-9:
                break
            worst = int(excess.argmax())
            side[pinned[worst]] = multiplier[worst] > 0
            del pinned[worst]
            q, r = linalg.qr_delete(q, r, worst, which="col", check_finite=False)
            continue
        rate = rows @ direction
        rate[np.abs(rate) <= STAYS * lengths * np.linalg.norm(direction)] = 0.0
        rate[pinned] = 0.0
        length, side, stop = _to_lowest(t + rows @ x, rate, steepness, jump, side)
        x += length * direction
        if stop is not None:
            q, r = linalg.qr_insert(q, r, rows[stop], len(pinned), which="col", check_finite=False)
            pinned.append(stop)
    else:
        return x, np.inf
    kinked = jump @ (np.maximum(t + rows @ x, 0) - np.maximum(t, 0))
    return x, -float(base @ x + 0.5 * x @ hessian @ x + kinked)


def _newton_direction(hessian, slope, free, noise):
    """Newton's direction in the span of some columns, and how steep it is; noise is no slope."""
    along = slope @ free
    along[np.abs(along) <= noise @ np.abs(free)] = 0.0
    if not along.any():
        return np.zeros(len(slope)), 0.0
    step = -solve_positive((free.T @ hessian @ free)[None], along[None])[0]
    return free @ step, -float(along @ step)


def _to_lowest(t, rate, steepness, jump, side):
    """How far it is to the minimum along a direction, the sides there, and whose kink it lies on.

    `t` and `side` are where each row is, `rate` is how fast it goes.
    """
    # A row that moves away from the kink, or along it, does not cross it.
    candidates = np.flatnonzero(np.where(side, rate < 0, rate > 0))
    where = np.maximum(-t[candidates] / rate[candidates], 0.0)
    order = np.argsort(where, kind="stable")
    candidates, where = candidates[order], where[order]
    # From kink to kink the slope rises linearly, and on each it jumps. The curvature along a
    # Newton direction is its steepness.
    rise = np.cumsum(jump[candidates] * np.abs(rate[candidates]))
    before = -steepness * (1 - where) + np.concatenate([[0.0], rise[:-1]]) if len(rise) else rise
    after = before + (rise - np.concatenate([[0.0], rise[:-1]])) if len(rise) else rise
    side = side.copy()
    stop = int(np.searchsorted(after, 0.0, side="left")) if len(rise) else 0
    crossed = candidates[:stop]
    side[crossed] = ~side[crossed]
    if stop < len(candidates) and before[stop] <= 0:
        side[candidates[stop]] = False
        return where[stop], side, int(candidates[stop])
    passed = rise[stop - 1] if stop else 0.0
    return (steepness - passed) / steepness, side, None
