"""Losses of two straight pieces (hinge, absolute error, quantile) on sparse rows of many features.

Such a loss is the largest of ``s (z - k)`` over slopes s between those of its pieces. The slopes at
the optimum are multipliers: with them at hand the problem is smooth, however near a row may be to
its kink. They are found by Newton's method, in as many unknowns as there are rows on their kinks.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg

from ..objective import Objective
from ..products import as_float64
from .base import Solver
from .central_path import balanced, steepest
from .interior_point import ROUNDINGS
from .smoothing import measured

# How much slopes are held to those at hand, as a share of what the penalty holds them by; of a row
# much shorter than most, as a share of their mean.
HOLD, SHORT = 0.2, 0.1
# Where so many stages left more than this share of the gap, and took few steps, slopes are held
# less. With few features for the rows on their kinks, or next to no penalty, it comes to that.
SLOW, N_SLOW, FEW_STEPS, LESS = 0.85, 2, 10, 0.3
# Stages that are gone through, and those in which the gap has not fallen by a tenth.
MAX_STAGES, PATIENCE, FALLS = 150, 30, 0.9
# A stage ends where this share of the gap is left in it, or of what is allowed, or after so many
# steps.
INNER, INNER_ALLOWED, MAX_STEPS = 0.01, 0.1, 30
# Share of the residual that conjugate gradients leave, and of what may be left in a stage.
RESIDUAL, LEFT, MAX_CG = 0.01, 0.01, 3000
# Rows up to which their matrix is factored where conjugate gradients get lost in rounding.
MAX_FACTORED, MAX_REFINEMENTS = 2500, 10
# A step may end where this share of the slope along it is left.
FLAT, MAX_CUTS = 0.2, 12


class Multipliers(Solver):
    """Minimise a loss of two straight pieces with an L2 penalty, on sparse rows.

    Parameters
    ----------
    solver : Solver
        Goes on from where this gets slow: of few features with next to no penalty, say.

    References
    ----------
    Rockafellar, Augmented Lagrangians and applications of the proximal point algorithm in convex
    programming, Math. Oper. Res. 1 (1976). Li, Sun and Toh, A highly efficient semismooth Newton
    augmented Lagrangian method for solving Lasso problems, SIAM J. Optim. 28 (2018): the method,
    on another problem.
    """

    def __init__(self, solver: Solver):
        self.solver = solver
        self.name = solver.name

    @staticmethod
    def serves(objective: Objective) -> bool:
        """Whether the loss is of two straight pieces, and rows are sparse and about zero."""
        source, penalty = objective.source, objective.penalty
        if not (source.in_memory and source.is_numpy and source.is_sparse):
            return False
        if penalty.l1 or not penalty.l2 or objective.row_center is not None:
            return False
        return objective.pair.pieces(objective.watched.y) is not None

    def iterate(self, objective, start, goal, rng):
        neurons = _neurons(objective, start)
        unknown = ROUNDINGS * objective.rounding
        step_size, least, n_since = np.nan, np.inf, 0
        for _ in range(MAX_STAGES):
            coef = np.array([neuron.coef for neuron in neurons])
            bias = np.array([neuron.bias for neuron in neurons])
            gaps = np.array([neuron.gap for neuron in neurons])
            current = measured(objective, objective.from_weights(coef, bias), step_size=step_size)
            current.gap = max(float(gaps.sum()) - unknown, 0.0)
            yield current
            allowed = goal.target(current.value, current.theta)
            if current.gap <= allowed:
                return
            is_less = current.gap < FALLS * least
            least, n_since = (current.gap, 0) if is_less else (least, n_since + 1)
            if n_since > PATIENCE:
                break
            share = allowed / len(neurons)
            left = [neuron for neuron in neurons if not neuron.gap <= 0.5 * share]
            step_size = min(neuron.advance(share) for neuron in left)
        theta = current.theta if np.isfinite(current.gap) else start
        yield from self.solver.iterate(objective, theta, goal, rng)


def _neurons(objective: Objective, start) -> list[HeldSlopes]:
    """Each neuron by itself: they share no loss."""
    source = objective.source
    X, y, weight = source.block(0, source.n_rows)
    share = (np.ones(source.n_rows) if weight is None else weight) / source.total_weight
    counts = share > np.finfo(float).tiny
    if not counts.all():
        X, y, share = X[counts], y[counts], share[counts]
    X = as_float64(X)
    kink, below, above = objective.pair.pieces(y)
    softness = objective.pair.loss.softness / share
    coef, bias = objective.to_weights(start)
    neurons = []
    for k in range(objective.n_neurons):
        pieces = kink[:, k], share * below[:, k], share * above[:, k], softness
        of_bias = float(bias[k]) if objective.fit_intercept else None
        neurons.append(HeldSlopes(X, *pieces, objective.penalty.l2, coef[k], of_bias))
    return neurons


class HeldSlopes:
    """Weights of a neuron, and the slopes of its rows, each held to what it was a stage before.

    .. math::

        \\max_{b_i \\le s_i \\le a_i} \\sum_i s_i t_i - \\tfrac12 \\tau_i s_i^2
        - \\tfrac12 h_i (s_i - v_i)^2 + \\tfrac12 \\lambda |w|^2,
        \\quad t_i = x_i \\cdot w + c - k_i

    is minimised over w and the bias c, and v then set to the slopes there.

    Parameters
    ----------
    X : CSR matrix of shape (n_rows, n_features)
    kink, below, above : ndarrays of shape (n_rows,)
        k, and the slopes of each row's loss on either side, times its share of the weights.
    softness : ndarray of shape (n_rows,)
        tau: zero where the two pieces meet in a kink.
    l2 : float
    coef : ndarray of shape (n_features,)
    bias : float or None
        None where there is to be none.

    Attributes
    ----------
    gap : float
        How far the objective is above its least value, at most: weak duality.
    """

    gap: float
    t: np.ndarray

    def __init__(self, X, kink, below, above, softness, l2, coef, bias):
        self.X, self.kink, self.below, self.above, self.l2 = X, kink, below, above, l2
        self.softness = softness
        self.coef, self.has_bias, self.bias = coef, bias is not None, bias or 0.0
        # What the penalty holds each row's slope by.
        self.stiffness = np.asarray(X.multiply(X).sum(axis=1)).ravel() / l2
        typical = self.stiffness.mean() or 1.0
        enough = HOLD * np.maximum(self.stiffness, SHORT * typical)
        # What is soft need not be held, or only by what is missing.
        self.hold = np.maximum(enough - softness, 0.0)
        self.held = np.clip(0.0, below, above)
        self.n_slow = 0
        self._measure(self.held)

    def advance(self, allowed: float) -> float:
        """Go through one stage, as exact as its gap deserves; return the shortest share of a step.

        `allowed` is the gap that is asked for in the end.
        """
        enough, shortest = max(INNER * self.gap, INNER_ALLOWED * allowed), 1.0
        for n_steps in range(MAX_STEPS):
            slope = self._slope(self.t)
            gradient = self.X.T @ slope + self.l2 * self.coef
            excess = float(slope.sum()) if self.has_bias else 0.0
            if n_steps and 0.5 * float(gradient @ gradient) / self.l2 <= enough:
                break
            step, bias_step = self._step(gradient, excess, LEFT * enough)
            change = self.X @ step + bias_step
            steepness = -float(gradient @ step + excess * bias_step)
            length = self._length(step, change, steepness)
            self.coef = self.coef + length * step
            self.bias += length * bias_step
            self.t = self.t + length * change
            shortest = min(shortest, length)
        self.held, before = self._slope(self.t), self.gap
        self._measure(self.held)
        if self.gap > SLOW * before and n_steps < FEW_STEPS:
            self.n_slow += 1
            if self.n_slow == N_SLOW:
                self.hold, self.n_slow = LESS * self.hold, 0
        return shortest

    def _wanted(self, t):
        """Slopes that rows at these distances would have, were there no ends to them."""
        return (self.hold * self.held + t) / (self.hold + self.softness)

    def _slope(self, t):
        return np.clip(self._wanted(t), self.below, self.above)

    def _step(self, gradient, excess, enough):
        """Newton's step in weights and bias, with an error that leaves `enough` of the gap."""
        wanted = self._wanted(self.t)
        near = np.flatnonzero((wanted > self.below) & (wanted < self.above))
        if not len(near):
            # Nothing curves but the penalty.
            return -gradient / self.l2, self._to_kinks(excess)
        A = self.X[near]
        change, bias_step = self._slope_changes(A, near, -(A @ gradient) / self.l2, excess, enough)
        return -(gradient + A.T @ change) / self.l2, bias_step

    def _to_kinks(self, excess) -> float:
        """How far the bias has to move for enough rows to come to their kinks, with all away."""
        ahead = np.flatnonzero(self.t > 0 if excess > 0 else self.t < 0)
        distance = np.abs(self.t[ahead])
        order = np.argsort(distance)
        turned = np.cumsum((self.above - self.below)[ahead[order]])
        last = np.searchsorted(turned, abs(excess))
        if not excess or last == len(order):
            return 0.0
        return -math.copysign(distance[order[last]], excess)

    def _slope_changes(self, A, near, right, excess, enough):
        """Changes of the slopes that are free, and the bias's.

        They solve ``(T + A A^T / l2) change - bias = right`` and ``sum(change) = -excess``, T being
        the holds and softness. Rows of many features differ from each other, and so this takes few
        steps.
        """
        hold, n_rows = (self.hold + self.softness)[near], len(near)
        inverse = 1 / (hold + self.stiffness[near])
        # What a residual of one in each row is worth: the slopes are off by it over their hold.
        worth = 0.5 * self.stiffness[near] / hold**2
        start, wanted = -excess / inverse.sum() * inverse, (right, worth, enough)
        change, bias, is_end = self._conjugate_gradients(
            A, hold, lambda r: inverse * r, start, *wanted, min(n_rows, MAX_CG)
        )
        if not is_end and n_rows <= MAX_FACTORED:
            # But for rounding, so many steps lead to the end.
            solve = self._factored(A, hold)
            if solve is not None:
                change, bias, _ = self._conjugate_gradients(
                    A, hold, solve, change, *wanted, MAX_REFINEMENTS
                )
        return change, bias

    def _conjugate_gradients(self, A, hold, solve, change, right, worth, enough, most):
        """Improve changes of the slopes; returns them, the bias's, and whether they are the end.

        `solve` preconditions, and no step changes the sum.
        """
        left = right - self._product(A, hold, change)
        ones = solve(np.ones(len(hold)))
        bias, small, before, direction = 0.0, None, 1.0, np.zeros(len(hold))
        for _ in range(most):
            v = solve(left)
            if self.has_bias:
                bias = -float(v.sum() / ones.sum())
                v = v + bias * ones
            size = float(left @ v)
            small = RESIDUAL**2 * size if small is None else small
            if not size > 0 or (size <= small and worth @ (left + bias) ** 2 <= enough):
                return change, bias, True
            direction = v + size / before * direction
            before, curved = size, self._product(A, hold, direction)
            length = size / (direction @ curved)
            change = change + length * direction
            left = left - length * curved
        return change, bias, False

    def _product(self, A, hold, v):
        return hold * v + A @ (A.T @ v) / self.l2

    def _factored(self, A, hold):
        """A function that solves with the matrix itself; None if rounding makes it singular."""
        K = (A @ A.T).toarray() / self.l2
        K[np.diag_indices_from(K)] += hold
        try:
            factor = linalg.cho_factor(K, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            return None
        return lambda r: linalg.cho_solve(factor, r, check_finite=False)

    def _length(self, step, change, steepness: float) -> float:
        """Share of a step after which next to no slope is left along it, by regula falsi."""
        along, curvature = self.l2 * float(self.coef @ step), self.l2 * float(step @ step)

        def slope(length):
            slopes = self._slope(self.t + length * change)
            return float(slopes @ change) + along + length * curvature

        low, high, at_low, at_high = 0.0, 1.0, -steepness, slope(1.0)
        length = 1.0
        if at_high <= FLAT * steepness:
            return length
        for _ in range(MAX_CUTS):
            length = low - (high - low) * at_low / (at_high - at_low)
            at = slope(length)
            if abs(at) <= FLAT * steepness:
                break
            # The end that stays counts half, or it might stay for long.
            if at < 0:
                low, at_low, at_high = length, at, 0.5 * at_high
            else:
                high, at_high, at_low = length, at, 0.5 * at_low
        return length

    def _measure(self, slope) -> None:
        """Take the gap: what the objective is above its dual at these slopes, balanced."""
        # Anew: from step to step rounding adds up.
        self.t = self.X @ self.coef + self.bias - self.kink
        if self.has_bias:
            slope = balanced(slope, self.below, self.above)
        best = self.X.T @ slope / self.l2
        of_loss = steepest(self.t, self.below, self.above, self.softness)
        loss = of_loss @ (self.t - 0.5 * self.softness * of_loss)
        value = loss + 0.5 * self.l2 * (self.coef @ self.coef)
        dual = -(slope @ (self.kink + 0.5 * self.softness * slope)) - 0.5 * self.l2 * (best @ best)
        self.gap = float(value - dual)
