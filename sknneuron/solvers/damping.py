"""Damped steps on the curvature: what Levenberg-Marquardt and its starts have in common."""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from .linear_algebra import dot

# Least share of the predicted decrease that makes a step worth taking.
ACCEPT = 1e-4
# Below this share of the diagonal the damping is dropped: the step is the full one.
NEGLIGIBLE = 1e-7
MAX_DAMPING = 1e12


class DampedDescent:
    """Damped Gauss-Newton (or Newton) steps of several neurons side by side.

    Every group has its own damping, and goes where it can while the others stay: one pass over the
    rows serves all.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (n_groups, size)
    gauss_newton : bool
        Leave the activation's curvature out of the Hessian, which then is never negative.
    damping : float
        First damping, as a share of the Hessian's diagonal.
    rounding : float
        What rounding may add to a value.

    Attributes
    ----------
    value, gradient, hessian
        At `theta`.
    predicted : ndarray of shape (n_groups,)
        Decrease that the local quadratic model promised of the last step.
    ratio : ndarray of shape (n_groups,)
        Share of it that came true.
    accepted : ndarray of bool of shape (n_groups,)
        Which groups took their last step.

    References
    ----------
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, SIAM J. Appl.
    Math. 11 (1963): damping in proportion to the diagonal. Nielsen, Damping parameter in
    Marquardt's method, IMM-REP-1999-05: how the damping follows the ratio.
    """

    def __init__(self, objective: Objective, theta, *, gauss_newton: bool, damping: float,
                 rounding: float):
        self.objective = objective
        self.rounding = rounding
        self.theta = theta
        self.gauss_newton = gauss_newton
        self.damping = np.full(len(theta), damping)
        self.predicted = np.full(len(theta), np.inf)
        self.ratio = np.full(len(theta), np.nan)
        self.accepted = np.zeros(len(theta), dtype=bool)
        self._growth = np.full(len(theta), 4.0)
        self.value, self.gradient, self.hessian = self._evaluate(theta)

    def _evaluate(self, theta):
        with np.errstate(over="ignore", invalid="ignore"):
            return self.objective.value_gradient_hessian(theta, self.gauss_newton)

    def advance(self) -> None:
        """Try one step for every group."""
        step, self.predicted = self.propose()
        trial = self.theta + step
        value, gradient, hessian = self._evaluate(trial)
        self.judge(value)
        take = self.accepted
        self.theta = np.where(take[:, None], trial, self.theta)
        self.value = np.where(take, value, self.value)
        self.gradient = np.where(take[:, None], gradient, self.gradient)
        self.hessian = np.where(take[:, None, None], hessian, self.hessian)

    def propose(self):
        """Return the damped step and the decrease that the model promises of it."""
        diagonal = np.einsum("gii->gi", self.hessian)
        largest = np.maximum(diagonal.max(axis=1, keepdims=True), np.finfo(float).tiny)
        inverse = 1 / np.sqrt(np.maximum(diagonal, 1e-12 * largest))
        scaled = self.hessian * inverse[:, :, None] * inverse[:, None, :]
        g = self.gradient * inverse
        self._make_positive(scaled)
        index = np.arange(scaled.shape[1])
        scaled[:, index, index] += 1e-14
        damped = scaled.copy()
        damped[:, index, index] += self.damping[:, None]
        x = -np.linalg.solve(damped, g[:, :, None])[:, :, 0]
        predicted = -dot(g, x) - 0.5 * np.einsum("gi,gij,gj->g", x, scaled, x)
        return x * inverse, predicted

    def _make_positive(self, scaled) -> None:
        """Raise the damping where a full Hessian is not positive definite."""
        if self.gauss_newton:
            return
        try:
            np.linalg.cholesky(scaled)
        except np.linalg.LinAlgError:
            least = np.linalg.eigvalsh(scaled)[:, 0]
            needed = np.where(least < 1e-10, 1e-6 - 1.5 * np.minimum(least, 0.0), 0.0)
            self.damping = np.maximum(self.damping, needed)

    def judge(self, value) -> None:
        """Accept or refuse each group's step by its value, and adapt its damping."""
        rounding = self.rounding + 1e-15 * np.abs(self.value)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = (self.value - value + rounding) / (self.predicted + rounding)
        self.ratio = np.where(np.isfinite(value), ratio, -np.inf)
        self.accepted = self.ratio > ACCEPT
        shrink = np.clip(1 - (2 * self.ratio - 1) ** 3, 0.1, 2.0)
        damping = np.where(self.accepted, self.damping * shrink,
                           np.maximum(self.damping, 1e-3) * self._growth)
        damping[damping < NEGLIGIBLE] = 0.0
        self.damping = np.minimum(damping, MAX_DAMPING)
        self._growth = np.where(self.accepted, 4.0, 2 * self._growth)

    def keep(self, which, objective: Objective) -> None:
        """Go on with some of the groups; `objective` is theirs alone."""
        self.objective = objective
        for name in ("theta", "damping", "predicted", "ratio", "accepted", "_growth", "value",
                     "gradient", "hessian"):
            setattr(self, name, getattr(self, name)[which])
