"""What learning rates are chosen from: slopes and curvature on a few rows."""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from .batches import CentredRows

# Rows that curvature and step length are estimated from.
N_PROBE_ROWS = 2000
POWER_ITERATIONS = 15


class Probe:
    """Slopes and curvature of the bias-only neuron on a few rows.

    Parameters
    ----------
    objective : Objective

    Attributes
    ----------
    curvature : ndarray of shape (n_neurons, 1)
        Mean second derivative of the loss in z.
    slope : ndarray of shape (n_neurons, 1)
        Root mean square of the first one.
    """

    def __init__(self, objective: Objective):
        self.objective = objective.subsample(objective.sample_rows(N_PROBE_ROWS))
        self.n_rows = objective.source.n_rows
        self.shape = objective.n_neurons, objective.neuron_size
        self.l2 = np.zeros(objective.neuron_size)
        self.l2[: objective.n_features] = objective.penalty.l2
        self.square = np.ones(objective.neuron_size)
        self.square[: objective.n_features] = objective.coordinates.scale**2
        source = self.objective.source
        self.rows = CentredRows(objective, np.zeros(self.shape))
        self.X = source.X.astype(np.float64, copy=False)
        self.y = source.y
        weight = np.ones(source.n_rows) if source.sample_weight is None else source.sample_weight
        self.weight = (weight / weight.sum())[:, None]
        self.bias = np.zeros(self.shape[0])
        if objective.fit_intercept:
            self.bias = self.objective.null().reshape(self.shape)[:, -1]
        terms, self.r, _ = self._derivatives(self.bias, 1)
        self.slope = np.sqrt(self._mean(self.r**2))
        self.curvature = np.maximum(self._curvature(), self._secant(terms))
        self.curvature[self.curvature <= 0] = 1.0

    def _derivatives(self, bias, order):
        z = np.broadcast_to(bias, (len(self.y), self.shape[0])).copy()
        return self.objective.pair.derivatives(self.y, z, order, True)

    def _mean(self, values):
        return (self.weight * values).sum(axis=0)[:, None]

    def _curvature(self):
        """The largest of a few points about the bias: it must hold along the way as well."""
        if self.objective.pair.coupled:
            return np.full((self.shape[0], 1), 0.25)
        near = [self.bias + shift for shift in (-1.0, 0.0, 1.0)]
        return np.max([self._mean(self._derivatives(bias, 2)[2]) for bias in near], axis=0)

    def _secant(self, terms):
        """Slope over distance, for losses that are straight lines far from their minimum."""
        if np.isfinite(self.objective.pair.loss.level_range[0]):
            return np.zeros((self.shape[0], 1))
        loss, slope = self._mean(terms), self._mean(np.abs(self.r))
        # Rows without a loss say nothing of how it bends.
        return np.divide(slope**2, 2 * loss, out=np.zeros_like(slope), where=loss > 0)

    def precondition(self, curvature):
        """One over each weight's curvature, (n_neurons, n_features [+ 1])."""
        # Far out in a tail there is next to none.
        return 1 / np.maximum(curvature * self.square + self.l2, np.finfo(float).tiny)

    def newton_length(self, precondition):
        """How far the weight furthest from its optimum has to go, (n_neurons, 1).

        Taking each weight alone, in coordinates of unit curvature.
        """
        gradient = self.rows.gradient(self.X, self.weight * self.r)
        length = np.abs(gradient * np.sqrt(precondition)).max(axis=1, keepdims=True)
        noise = 0.1 * self.slope / np.sqrt(self.curvature)
        length = np.maximum(length, noise)
        # A neuron without a slope anywhere gives no scale to go by.
        return np.where(length > 0, length, 1.0)

    def largest_eigenvalue(self, precondition):
        """Largest eigenvalue of the preconditioned curvature, (n_neurons, 1)."""
        root = np.sqrt(precondition)
        u, v = np.empty(self.shape), np.ones(self.shape)
        rows = CentredRows(self.objective, u)
        norm = np.ones((self.shape[0], 1))
        for _ in range(POWER_ITERATIONS):
            u[:] = root * (v / norm)
            g = rows.gradient(self.X, self.weight * rows.pre_activation(self.X))
            v = root * (self.curvature * g + self.l2 * u)
            norm = np.linalg.norm(v, axis=1, keepdims=True)
            norm[norm == 0] = 1.0
        return norm

    def row_curvature(self, precondition):
        """Curvature that single rows bring, a mean weighted by itself: (n_neurons, 1)."""
        result = np.empty((self.shape[0], 1))
        for k, p in enumerate(precondition):
            c = self.curvature[k] * self.rows.squared_lengths(self.X, p)
            result[k] = self.weight[:, 0] @ c**2 / max(self.weight[:, 0] @ c, 1e-300)
        return result
