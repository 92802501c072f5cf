"""Where linear problems are solved: columns moved and scaled so that no digit is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..objective import Objective


@dataclass(frozen=True)
class Frame:
    """Column j is ``(x_j - center_j) / scale_j``; scales are powers of two, which round nothing.

    Centres are multiples of the scales, near the means: integers then stay integers, and a column
    of few digits is moved without rounding. Nothing depends on how near: the bias takes the rest.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
    target_center : ndarray of shape (n_neurons,)
    """

    center: np.ndarray
    scale: np.ndarray
    target_center: np.ndarray

    @classmethod
    def of(cls, objective: Objective) -> Frame:
        """Frame about the coordinates' centre and the mean of the targets."""
        coordinates = objective.coordinates
        scale = 2.0 ** np.floor(np.log2(coordinates.scale))
        center = np.round(coordinates.center / scale) * scale
        target = np.zeros(objective.n_neurons)
        if objective.fit_intercept:
            target = objective.null()[:, -1]
        return cls(center, scale, target)

    def to_theta(self, objective: Objective, fit: LinearFit):
        """Return the fit's weights and biases as the objective's `theta`."""
        theta = np.empty(objective.shape)
        coef = fit.coef
        theta[:, : objective.n_features] = coef * objective.coordinates.scale
        if objective.fit_intercept:
            shift = objective.coordinates.center - self.center
            theta[:, -1] = self.target_center + fit.bias + coef.dot(shift)
        return theta

    def from_theta(self, objective: Objective, theta):
        """Return weights, and biases about the centres, of a `theta`."""
        coef = theta[:, : objective.n_features] / objective.coordinates.scale
        if not objective.fit_intercept:
            return coef, np.zeros(objective.n_neurons)
        shift = objective.coordinates.center - self.center
        return coef, theta[:, -1] - coef.dot(shift) - self.target_center


@dataclass
class LinearFit:
    """Weights and biases in a frame, and what is known of them.

    Parameters
    ----------
    coef : ndarray of shape (n_neurons, n_features)
        In the units of X.
    bias : ndarray of shape (n_neurons,)
        About the frame's centres.
    gap : float
        What the objective may lie above the optimum.
    condition : float
        Of the scaled columns.
    message : str
        What is doubtful about the solution.
    """

    coef: np.ndarray
    bias: np.ndarray
    gap: float
    condition: float = 1.0
    message: str = ""
