"""A few rows on which many neurons are evaluated side by side."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..objective import Objective
from ..pairs import ClassifierChainRule
from .linear_algebra import SpdSolver

# From so many neurons on, and up to so many numbers, products of columns are worth keeping.
MANY_NEURONS = 4
MAX_PRODUCTS = 2_000_000


class Sample:
    """The rows of an objective in its coordinates, and its loss on them.

    Parameters
    ----------
    objective : Objective
        On a few thousand rows at most, of a pair that is not coupled.

    Attributes
    ----------
    X : ndarray of shape (n_rows, size)
        Columns centred and scaled; the last one is of ones where there is a bias.
    y : ndarray of shape (n_rows, n_groups)
    weight : ndarray of shape (n_rows,)
        Of sum one.
    levels : ndarray of shape (n_rows, n_groups)
        Targets on the activation's own scale.
    spread : ndarray of shape (n_groups,)
        Standard deviation of `levels`.
    """

    def __init__(self, objective: Objective):
        source, coordinates = objective.source, objective.coordinates
        self.objective = objective
        self.pair = objective.pair
        self.n_features = objective.n_features
        self.n_groups, self.size = objective.shape
        self.l2 = objective.l2
        X = source.X.toarray() if source.is_sparse else source.X
        self.X = np.ones((source.n_rows, self.size))
        columns = self.X[:, : self.n_features]
        np.subtract(X, coordinates.center, out=columns)
        columns /= coordinates.scale
        weight = source.sample_weight
        self.weight = np.ones(source.n_rows) if weight is None else weight
        self.weight = self.weight / self.weight.sum()
        self.y = source.y
        self.levels = self._levels()
        self.mean_level = self.weight @ self.levels
        spread = np.sqrt(self.weight @ (self.levels - self.mean_level) ** 2)
        self.spread = np.maximum(spread, 1e-12 * np.abs(self.levels).max() + 1e-300)

    def _levels(self):
        if isinstance(self.pair, ClassifierChainRule):
            low, high = self.pair.activation.range
            return low + (high - low) * self.y
        return self.y

    def evaluate(self, theta, y, pair, gauss_newton: bool = True, order: int = 2):
        """Values, gradients and Hessians of neurons `theta` with targets `y`, (n_rows, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            terms, r, d = pair.derivatives(y, self.X @ theta.T, order, gauss_newton)
            value = self.weight @ terms + 0.5 * ((self.l2 * theta) * theta).sum(axis=1)
            if order == 0:
                return value, None, None
            gradient = (r * self.weight[:, None]).T @ self.X + self.l2 * theta
            hessian = self._hessian(d * self.weight[:, None]) if order == 2 else None
            return value, gradient, hessian

    def values(self, theta):
        """Values of one neuron per group."""
        return self.evaluate(theta, self.y, self.pair, order=0)[0]

    def values_and_gradients(self, thetas):
        """Values (n, n_groups) and gradients of one neuron per group, n times."""
        n = len(thetas)
        theta = thetas.reshape(-1, self.size)
        y = np.tile(self.y, n)
        value, gradient, _ = self.evaluate(theta, y, self.pair, order=1)
        return value.reshape(n, -1), gradient.reshape(thetas.shape)

    def least_squares(self, target, weight):
        """Fit z to targets with weights of their own, both (n_rows, n): theta (n, size)."""
        weighted = weight * self.weight[:, None]
        gradient = (weighted * target).T @ self.X
        hessian = self._hessian(weighted)
        # With fewer rows of weight than features the fit would be wild; a start need not be exact.
        index = np.arange(self.size)
        hessian[:, index, index] *= 1 + 1e-3
        return SpdSolver(hessian)(gradient)

    def least_change(self, rows, change):
        """The theta that changes z of a few rows by `change`, and of all others the least."""
        X = self.X[rows]
        spread = self._inverse_gram @ X.T
        return spread @ np.linalg.lstsq(X @ spread, change, rcond=1e-8)[0]

    def _hessian(self, d):
        n, size = d.shape[1], self.size
        if n >= MANY_NEURONS and self.X.size * size <= MAX_PRODUCTS:
            hessian = (d.T @ self._products)[:, self._of_pair].reshape(n, size, size)
        else:
            hessian = np.empty((n, size, size))
            for k in range(n):
                np.matmul(self.X.T * d[:, k], self.X, out=hessian[k])
        hessian.reshape(n, -1)[:, :: size + 1] += self.l2
        return hessian

    @cached_property
    def _products(self):
        """Products of two columns, row by row: with them all Hessians are one matrix product."""
        return self.X[:, self._pairs[0]] * self.X[:, self._pairs[1]]

    @cached_property
    def _pairs(self):
        """The columns of each product; that of two columns is there once."""
        return np.tril_indices(self.size)

    @cached_property
    def _of_pair(self):
        """Which product belongs to each entry of a Hessian."""
        number = np.empty((self.size, self.size), dtype=np.intp)
        number[self._pairs] = np.arange(len(self._pairs[0]))
        number.T[self._pairs] = number[self._pairs]
        return number.ravel()

    @cached_property
    def _inverse_gram(self):
        gram = (self.weight[:, None] * self.X).T @ self.X
        return np.linalg.inv(gram + 1e-6 * np.eye(self.size))
