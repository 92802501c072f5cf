"""Damped steps on the curvature: what Levenberg-Marquardt and its starts have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .linear_algebra import dot, is_positive_definite, solve_positive

# Least share of the predicted decrease that makes a step worth taking.
ACCEPT = 1e-4
# Damping below this share of the diagonal is dropped: the step is the full one.
NEGLIGIBLE = 1e-7
MAX_DAMPING = 1e16
# Damping up to this only makes a singular Hessian solvable; past it the curvature is negative.
RIDGE = 2e-6

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class DampedDescent:
    """Damped Gauss-Newton or Newton steps of several groups side by side.

    Every group has its own damping, and steps where it can while the others stay: one pass over the
    rows serves all.

    Parameters
    ----------
    evaluate : callable
        Takes theta (n_groups, size), returns values (n_groups,), gradients (n_groups, size) and
        Hessians (n_groups, size, size).
    theta : ndarray of shape (n_groups, size)
    rounding : float
        What rounding may add to a value.
    damping : float or ndarray of shape (n_groups,), default=0
        First damping, as a share of the Hessian's diagonal.
    is_positive : bool, default=False
        Whether the Hessians are never negative, as those of Gauss-Newton are.

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

    _per_group = (
        "theta",
        "value",
        "gradient",
        "hessian",
        "damping",
        "predicted",
        "ratio",
        "accepted",
        "_growth",
    )

    def __init__(
        self, evaluate: Evaluate, theta, *, rounding: float, damping=0.0, is_positive: bool = False
    ):
        self.rounding = rounding
        self.theta = theta
        self.damping = np.full(len(theta), damping, dtype=np.float64)
        self.predicted = np.full(len(theta), np.inf)
        self.ratio = np.full(len(theta), np.nan)
        self.accepted = np.zeros(len(theta), dtype=bool)
        self._growth = np.full(len(theta), 4.0)
        self.evaluate_with(evaluate, is_positive)

    def evaluate_with(self, evaluate: Evaluate, is_positive: bool = False) -> None:
        """Go on with another evaluation of the same groups."""
        self.evaluate = evaluate
        self.is_positive = is_positive
        self.value, self.gradient, self.hessian = self._evaluated(self.theta)

    def _evaluated(self, theta):
        """Evaluate; infinite where derivatives overflow, so that no group goes there."""
        value, gradient, hessian = self.evaluate(theta)
        sound = np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
        return np.where(sound, value, np.inf), gradient, hessian

    def keep(self, which) -> None:
        """Go on with some of the groups."""
        for name in self._per_group:
            setattr(self, name, getattr(self, name)[which])

    def advance(self, step=None, predicted=None) -> None:
        """Try one step for every group: the one proposed, which may be handed in."""
        if step is None:
            step, predicted = self.propose()
        self.predicted = predicted
        trial = self.theta + step
        value, gradient, hessian = self._evaluated(trial)
        self._judge(value)
        take = self.accepted
        if take.all():
            self.theta, self.value, self.gradient, self.hessian = trial, value, gradient, hessian
            return
        self.theta = np.where(take[:, None], trial, self.theta)
        self.value = np.where(take, value, self.value)
        self.gradient = np.where(take[:, None], gradient, self.gradient)
        self.hessian = np.where(take[:, None, None], hessian, self.hessian)

    def propose(self):
        """Return the damped step of each group and the decrease that the model promises of it."""
        scaled, inverse = self._scaled_hessian()
        g = self.gradient * inverse
        x = -solve_positive(self._damped(scaled), g)
        # -g.x - x.Hx / 2, where (H + damping) x = -g.
        predicted = 0.5 * (self.damping * dot(x, x) - dot(g, x))
        return x * inverse, predicted

    def undamped_decrement(self) -> float:
        """What the model promises of the whole Newton step; nan without positive curvature."""
        scaled, inverse = self._scaled_hessian()
        _diagonal(scaled)[:] += RIDGE
        g = self.gradient * inverse
        try:
            root = np.linalg.solve(np.linalg.cholesky(scaled), g[:, :, None])
        except np.linalg.LinAlgError:
            return np.nan
        return 0.5 * float(np.sum(root**2))

    def _scaled_hessian(self):
        """The Hessian with a unit diagonal, and what its rows and columns were multiplied by."""
        diagonal = np.abs(_diagonal(self.hessian))
        largest = np.maximum(diagonal.max(axis=1, keepdims=True), 1e-200)
        # Between kinks a loss can be all but straight. Damping needs something to act on there.
        size = 1 + np.sqrt(dot(self.theta, self.theta))
        straight = np.sqrt(dot(self.gradient, self.gradient)) / size
        least = np.maximum(1e-12 * largest, 1e-6 * straight[:, None])
        inverse = 1 / np.sqrt(np.maximum(diagonal, least))
        scaled = self.hessian * inverse[:, :, None] * inverse[:, None, :]
        _diagonal(scaled)[:] += 1e-13
        return scaled, inverse

    def _damped(self, scaled):
        """Add the damping, and raise it first where the Hessian is not positive definite."""
        damped = scaled if self.is_positive else scaled.copy()
        _diagonal(damped)[:] += self.damping[:, None]
        if self.is_positive:
            return damped
        try:
            np.linalg.cholesky(damped)
        except np.linalg.LinAlgError:
            for k in np.flatnonzero([not is_positive_definite(matrix) for matrix in damped]):
                least = np.linalg.eigvalsh(scaled[k])[0]
                needed = 1e-6 - 1.5 * min(least, 0.0)
                np.einsum("ii->i", damped[k])[:] += max(needed - self.damping[k], 0.0)
                self.damping[k] = max(self.damping[k], needed)
        return damped

    def _judge(self, value) -> None:
        """Accept or refuse each group's step by its value, and adapt its damping."""
        rounding = self.rounding + 1e-15 * np.abs(self.value)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = (self.value - value + rounding) / (self.predicted + rounding)
        self.ratio = np.where(np.isfinite(value), ratio, -np.inf)
        self.accepted = self.ratio > ACCEPT
        fit = 2 * np.minimum(np.maximum(self.ratio, 0.0), 1.0) - 1
        shrink = np.maximum(1 - fit**3, 0.1)
        damping = np.where(
            self.accepted, self.damping * shrink, np.maximum(self.damping, 1e-3) * self._growth
        )
        damping[damping < NEGLIGIBLE] = 0.0
        self.damping = np.minimum(damping, MAX_DAMPING)
        self._growth = np.where(self.accepted, 4.0, 2 * self._growth)


def _diagonal(matrices):
    """The diagonals of a stack of matrices, as a view."""
    return np.einsum("gii->gi", matrices)
