"""A layer's rows standardised once, where a copy of them is no matter.

Each evaluation is then four products, and what lies between them runs over long vectors.
"""

from __future__ import annotations

import numpy as np


class LayerBlock:
    """All rows of a dense source in memory, in the coordinates of a layer's objective.

    Parameters
    ----------
    objective : LayerObjective
    dtype : dtype, default=float64
        What the neurons' weighted sums are computed in. Loss and gradient are float64.
    """

    def __init__(self, objective, dtype=np.float64):
        source, coordinates = objective.source, objective.coordinates
        self.activation, self.pair, self.split = (
            objective.activation,
            objective.pair,
            objective.split,
        )
        rows, self.y, self.sample_weight = source.block(0, source.n_rows)
        self.total_weight = source.total_weight
        self.output_scale = coordinates.output_scale[:, None]
        self.output_center = coordinates.output_center[:, None]
        # Columns lie in rows here: products along them run over contiguous numbers.
        self.columns = np.ones((source.n_features + 1, source.n_rows), dtype)
        X = self.columns[:-1]
        np.subtract(rows.T, coordinates.center[:, None], out=X, casting="same_kind")
        np.divide(X, coordinates.scale[:, None], out=X, casting="same_kind")

    @staticmethod
    def fits(source, max_entries: int) -> bool:
        """Whether the rows are dense, at hand and few."""
        n_entries = source.n_rows * source.n_features
        return source.in_memory and not source.is_sparse and n_entries <= max_entries

    def pre_activation(self, hidden):
        """Weighted sums of hidden neurons (n, n_features + 1) on all rows, (n, n_rows)."""
        return np.dot(hidden.astype(self.columns.dtype, copy=False), self.columns)

    def _forward(self, theta):
        """Levels of the hidden neurons, their slopes, the weights of the outputs, and these."""
        hidden, output = self.split(theta)
        output = output * self.output_scale
        weights = output[:, :-1].astype(self.columns.dtype, copy=False)
        a, slope = self.activation.with_derivative(self.pre_activation(hidden))
        # A loss takes few digits from each of many rows: it is computed with all of them.
        o = np.dot(weights, a).astype(np.float64, copy=False)
        o += output[:, -1:] + self.output_center
        return a, slope, weights, o

    def means(self, theta, order: int) -> tuple:
        """Loss and, with order 1, its gradient in theta: means over the rows."""
        a, slope, weights, o = self._forward(theta)
        loss, r, _ = self.pair.sums(self.y, o.T, self.sample_weight, order, True)
        loss = np.add.reduce(loss, keepdims=True) / self.total_weight
        if order == 0:
            return (loss,)
        r = r.T / self.total_weight
        gradient = np.empty(theta.shape)
        of_hidden, of_output = self.split(gradient)
        np.add.reduce(r, axis=1, out=of_output[:, -1])
        r = r.astype(self.columns.dtype, copy=False)
        back = np.dot(weights.T, r)
        back *= slope
        of_hidden[:] = np.dot(self.columns, back.T).T
        of_output[:, :-1] = np.dot(r, a.T)
        of_output *= self.output_scale
        return loss, gradient

    def second_moments(self):
        """Mean products of the columns with each other."""
        return self._products(self.columns)

    def curvatures(self, theta):
        """What the loss bends by in each neuron's weighted sum, and what output neurons see.

        Returns
        -------
        hidden : ndarray of shape (n_neurons,)
            Mean curvature of the loss in their weighted sums, by Gauss and Newton.
        output : ndarray of shape (n_outputs,)
            That in theirs, in units of theta.
        moments : ndarray of shape (n_neurons + 1, n_neurons + 1)
            Mean products of the hidden neurons' levels, a row of ones below them.
        """
        a, slope, weights, o = self._forward(theta)
        d = self.pair.derivatives(self.y, o.T, 2, True)[2].T
        in_levels = np.dot(weights.T**2, d)
        if self.pair.coupled:
            # v.T (diag(p) - p p.T) v, for each neuron's weights v.
            in_levels -= np.dot(weights.T, d) ** 2
            d = d * (1 - d)
        in_z = np.maximum(in_levels, 0) * slope**2
        share = np.ones(len(d.T)) if self.sample_weight is None else self.sample_weight
        share = share / self.total_weight
        ones = np.ones((1, len(share)), a.dtype)
        moments = self._products(np.concatenate([a, ones]))
        return np.dot(in_z, share), np.dot(d, share) * self.output_scale[:, 0] ** 2, moments

    def _products(self, numbers):
        """Means of the products of numbers (n, n_rows) with each other."""
        if self.sample_weight is None:
            return np.dot(numbers, numbers.T).astype(np.float64) / self.total_weight
        root = np.sqrt(self.sample_weight / self.total_weight).astype(numbers.dtype)
        return np.dot(numbers * root, (numbers * root).T).astype(np.float64)
