"""Few rows, standardised once: each evaluation is then two or three products.

Many rows are read where they lie, block by block, and the sums are moved to the solver's
coordinates afterwards. For a fit of a few hundred rows that bookkeeping costs more than the sums.
"""

from __future__ import annotations

import numpy as np

from .closed_forms import one_hot
from .pairs import Pair

# Entries of X up to which a copy of it is no matter.
MAX_ENTRIES = 1 << 17


def standardise(X, coordinates, out):
    """Write the columns of dense X, centred and scaled, into rows of `out`; ones into one left."""
    n_features = X.shape[1]
    features = out[:n_features]
    np.subtract(X.T, coordinates.center[:, None], out=features)
    features /= coordinates.scale[:, None]
    if coordinates.constant is not None:
        features[coordinates.constant] = 0.0
    out[n_features:] = 1


class StandardBlock:
    """All rows of a small dense source, in the coordinates of an objective.

    Parameters
    ----------
    source : source of rows
        Dense and in memory.
    pair : Pair
    coordinates : Coordinates
    n_neurons : int
    fit_intercept : bool
    """

    # Products are taken by `dot`: `matmul` takes three times as long to begin.

    def __init__(self, source, pair: Pair, coordinates, n_neurons: int, fit_intercept: bool):
        X, y, self.sample_weight = source.block(0, source.n_rows)
        # Once for all evaluations.
        self.y = one_hot(y, n_neurons).astype(np.float64) if pair.coupled else y
        self.pair = pair
        self.total_weight = source.total_weight
        self.n_neurons = n_neurons
        # Columns lie in rows here: products along them run over contiguous numbers.
        self.n_features = X.shape[1]
        self.columns = np.empty((self.n_features + bool(fit_intercept), X.shape[0]))
        standardise(X, coordinates, self.columns)
        # What the last Hessian was taken at, which a bend is asked for next: theta, z, curvature.
        self._latest: tuple = (None, None, None)
        # One for all Hessians: fresh memory each time would come from the system and go back.
        self._scaled: np.ndarray | None = None

    @classmethod
    def of(cls, objective) -> StandardBlock | None:
        """The rows of an objective as one block; None if they are sparse or too many.

        And none for activations with a kink: rows that come to lie on it must be on the same side
        in all sums, to the last bit.
        """
        source = objective.source
        n_entries = source.n_rows * source.n_features
        if not source.in_memory or source.is_sparse or n_entries > MAX_ENTRIES:
            return None
        if objective.pair.activation.kinks:
            return None
        return cls(
            source,
            objective.pair,
            objective.coordinates,
            objective.n_neurons,
            objective.fit_intercept,
        )

    def pre_activation(self, theta):
        """z of all rows, (n_rows, n_neurons); neurons of several thetas side by side."""
        return theta.reshape(-1, len(self.columns)).dot(self.columns).T

    def means(self, theta, order: int, gauss_newton: bool = False) -> tuple:
        """Loss and, by `order`, its gradient and Hessian in theta: means over the rows."""
        z = self.pre_activation(theta)
        loss, r, d = self.pair.sums(self.y, z, self.sample_weight, order, gauss_newton)
        loss = loss / self.total_weight
        if order == 0:
            return (loss,)
        gradient = r.T.dot(self.columns.T).reshape(theta.shape)
        gradient /= self.total_weight
        if order == 1:
            return loss, gradient
        coupled = self.pair.coupled
        # That of a softmax layer is never weighted.
        self._latest = theta, z, d if coupled or self.sample_weight is None else None
        hessian = self._softmax_hessian(theta, d) if coupled else self._hessians(d)
        hessian /= self.total_weight
        return loss, gradient, hessian

    def bend(self, theta, step):
        """Second derivative of the gradient along a step."""
        at, z, curvature = self._latest
        if at is not theta:
            z, curvature = self.pre_activation(theta), None
        r = self.pair.bend(self.y, z, self.pre_activation(step), curvature)
        if self.sample_weight is not None:
            r = self.sample_weight[:, None] * r
        return r.T.dot(self.columns.T).reshape(theta.shape) / self.total_weight

    def _hessians(self, d):
        """One matrix per neuron."""
        scaled = self._columns_times(d)
        n, size, n_rows = scaled.shape
        return scaled.reshape(-1, n_rows).dot(self.columns.T).reshape(n, size, size)

    def _columns_times(self, d):
        """Each column times a number per row, once for each neuron."""
        if self._scaled is None:
            self._scaled = np.empty((self.n_neurons, *self.columns.shape))
        return np.multiply(self.columns, d.T[:, None, :], out=self._scaled)

    def _softmax_hessian(self, theta, probability):
        """Blocks ``sum_i s p_k (delta_kl - p_l) x x'`` as one matrix, neuron by neuron."""
        weights = theta.reshape(self.n_neurons, -1)[:, : self.n_features]
        is_blank = not np.count_nonzero(weights)
        blocks = self._equal_blocks(probability[0]) if is_blank else self._blocks(probability)
        return blocks.reshape(1, *theta.shape[1:], -1)

    def _equal_blocks(self, p):
        """Those of neurons without weights, whose probabilities are the same in all rows."""
        columns, weight = self.columns, self.sample_weight
        product = (columns if weight is None else columns * weight).dot(columns.T)
        return (np.diag(p) - p[:, None] * p)[:, None, :, None] * product[:, None]

    def _blocks(self, probability):
        """The probabilities of a row sum to one, and so the blocks beside each other to zero.

        Those on the diagonal need no products of their own.
        """
        scaled = self._columns_times(probability)
        weighted = scaled if self.sample_weight is None else scaled * self.sample_weight
        n, size, n_rows = scaled.shape
        products = np.zeros((n, n, size, size))
        for k in range(n - 1):
            right = scaled[k + 1 :].reshape(-1, n_rows).dot(weighted[k].T)
            products[k, k + 1 :] = products[k + 1 :, k] = right.reshape(-1, size, size)
        hessian = np.negative(products.transpose(0, 2, 1, 3), order="C")
        for k, diagonal in enumerate(np.add.reduce(products, axis=1)):
            hessian[k, :, k] = diagonal
        return hessian
