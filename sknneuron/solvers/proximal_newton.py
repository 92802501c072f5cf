"""Proximal Newton: second-order steps on an objective with an L1 norm."""

from __future__ import annotations

import numpy as np

from .base import Iterate, Solver
from .l1_model import L1Model


class ProximalNewton(Solver):
    """Newton's quadratic model with the L1 norm kept exact, minimised at every step.

    References
    ----------
    Lee, Sun and Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J.
    Optim. 24 (2014).
    """

    name = "proximal_newton"
    needs_smooth_penalty = False

    def iterate(self, objective, start, goal, rng):
        gauss_newton = not objective.pair.convex
        theta, step_size, previous, ratio = start, np.nan, np.nan, 1.0
        value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
        while True:
            target = goal.target(float(value.sum() + objective.l1_value(theta).sum()), theta)
            ends = np.array(
                [
                    L1Model(g, H, objective.l1, t).minimise(1e-3 * target)
                    for g, H, t in zip(gradient, hessian, theta, strict=True)
                ]
            )
            step = ends - theta
            slope = np.sum(gradient * step, axis=1)
            slope += objective.l1_value(ends) - objective.l1_value(theta)
            bend = np.einsum("gi,gij,gj->g", step, hessian, step)
            decrement = float(-np.sum(slope + 0.5 * bend))
            if decrement < previous:
                ratio = decrement / previous
            shift = objective.largest_shift(step)
            gap = decrement * (1 + min(shift, 1.0)) if shift <= 1 or ratio <= 0.1 else np.nan
            norm = objective.weight_gradient_norm(least_subgradient(gradient, theta, objective.l1))
            current = Iterate(theta, float(value.sum()), norm, objective, step_size, gap)
            current.last = decrement <= 1e-3 * objective.rounding
            yield current
            found = self._search(objective, theta, step, value, slope)
            if found is None:
                current.last = True
                current.gap = decrement if decrement <= 1e3 * objective.rounding else np.nan
                current.message = "the line search found no lower point"
                yield current
                return
            theta, length = found
            value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
            previous = decrement if length == 1 else np.nan
            step_size = length

    @staticmethod
    def _search(objective, theta, step, value, slope):
        before = value + objective.l1_value(theta)
        length = np.ones(len(theta))
        for _ in range(40):
            trial = np.where(length[:, None] == 1, theta + step, theta + length[:, None] * step)
            after = objective.value(trial) + objective.l1_value(trial)
            rounding = objective.rounding + 1e-15 * np.abs(before)
            good = after <= before + 1e-4 * length * slope + rounding
            if good.all():
                return trial, float(length.max())
            length = np.where(good, length, 0.5 * length)
        return None


def least_subgradient(gradient, theta, l1):
    """The subgradient of least norm: zero at the optimum."""
    shrunk = np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0.0)
    return np.where(theta != 0, gradient + np.sign(theta) * l1, shrunk)
