"""A few rows on which many neurons are evaluated side by side."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ..objective import Objective
from ..pairs import ClassifierChainRule
from .linear_algebra import TINY, SpdSolver, dot, solve_positive

# From so many neurons on, and up to so many numbers, products of columns are worth keeping.
MANY_NEURONS = 8
MAX_PRODUCTS = 2_000_000
# Rows that are laid out as columns at once.
STRIP = 250
# Neurons that are measured at once, of many on the way to an end.
N_SIDE_BY_SIDE = 32


class Sample:
    """The rows of an objective in its coordinates, and its loss on them.

    Parameters
    ----------
    objective : Objective
        On a few thousand rows at most, of a pair that is not coupled.

    Attributes
    ----------
    columns : ndarray of shape (size, n_rows)
        The columns of X, centred and scaled, and one of ones where there is a bias. Each lies in
        one piece: what is done row by row, side by side for many neurons, then runs along it.
    n_rows : int
    y : ndarray of shape (n_rows, n_groups)
    weight : ndarray of shape (n_rows,)
        Of sum one.
    levels : ndarray of shape (n_rows, n_groups)
        Targets on the activation's own scale.
    mean_level, spread : ndarray of shape (n_groups,)
        Mean and standard deviation of `levels`.
    """

    def __init__(self, objective: Objective):
        source, coordinates = objective.source, objective.coordinates
        self.objective = objective
        self.pair = objective.pair
        self.n_features = objective.n_features
        self.n_groups, self.size = objective.shape
        self.l2 = objective.l2
        self.n_rows = source.n_rows
        X = source.X.toarray() if source.is_sparse else source.X
        self.columns = np.empty((self.size, self.n_rows))
        features = self.columns[: self.n_features]
        for start in range(0, self.n_rows, STRIP):
            # What of the rows is turned at once stays in the cache.
            rows = slice(start, start + STRIP)
            features[:, rows] = X[rows].T
        features -= coordinates.center[:, None]
        features *= (1 / coordinates.scale)[:, None]
        if coordinates.constant is not None:
            features[coordinates.constant] = 0.0
        self.columns[self.n_features :] = 1
        weight = source.sample_weight
        if weight is None:
            self.weight = np.full(self.n_rows, 1 / self.n_rows)
        else:
            self.weight = weight / weight.sum()
        self.y = source.y

    @cached_property
    def levels(self):
        if isinstance(self.pair, ClassifierChainRule):
            low, high = self.pair.activation.range
            return low + (high - low) * self.y
        return self.y

    @cached_property
    def is_felt(self):
        """Mask of the columns that are not zero in every row that counts."""
        return np.abs(self.columns) @ self.weight > 0

    @cached_property
    def mean_level(self):
        return self.weight @ self.levels

    @cached_property
    def spread(self):
        spread = np.sqrt(self.weight @ (self.levels - self.mean_level) ** 2)
        return np.maximum(spread, 1e-12 * np.abs(self.levels).max() + 1e-300)

    def evaluate(self, theta, y, pair, gauss_newton: bool = True, order: int = 2):
        """Values, gradients and Hessians of neurons `theta` with targets `y`, as of `targets`."""
        weight = self.weight[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            terms, r, d = pair.derivatives(y, self.pre_activation(theta), order, gauss_newton)
            slope = self.l2 * theta
            value = self.weight.dot(terms) + 0.5 * dot(slope, theta)
            if order == 0:
                return value, None, None
            gradient = (r * weight).T.dot(self.columns.T) + slope
            hessian = self._hessian(d * weight) if order == 2 else None
            return value, gradient, hessian

    def pre_activation(self, theta):
        """z of neurons `theta`, (n_rows, n)."""
        return theta.dot(self.columns).T

    def targets(self, groups):
        """Targets of neurons that belong to these groups: a column for all, if there is one."""
        return self.y if self.n_groups == 1 else self.y.T[groups].T

    def values(self, theta):
        """Values of one neuron per group."""
        return self.evaluate(theta, self.y, self.pair, order=0)[0]

    def constant_values(self, bias):
        """Values of neurons without weights, one per group."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.weight.dot(self.pair.constant_terms(self.y, bias))

    def values_and_gradients(self, thetas):
        """Values (n, n_groups) and gradients of one neuron per group, n times."""
        n_at_once = max(1, N_SIDE_BY_SIDE // self.n_groups)
        parts = []
        for i in range(0, len(thetas), n_at_once):
            theta = thetas[i : i + n_at_once].reshape(-1, self.size)
            groups = np.tile(np.arange(self.n_groups), len(theta) // self.n_groups)
            parts.append(self.evaluate(theta, self.targets(groups), self.pair, order=1)[:2])
        values, gradients = map(np.concatenate, zip(*parts, strict=True))
        return values.reshape(-1, self.n_groups), gradients.reshape(thetas.shape)

    def noise_of_levels(self, theta, factor: SpdSolver) -> tuple[float, float]:
        """About what levels in float32 do to where a descent on all rows ends, and to a value.

        An error e of the gradient moves the end, in the objective, by ``e . H^-1 e / 2``; `factor`
        solves with the Hessian H.
        """
        z = self.pre_activation(theta)
        exact, rough = (self.pair.derivatives(self.y, z, 1) for z in (z, z.astype(np.float32)))
        error = (self.weight[:, None] * (rough[1] - exact[1])).T.dot(self.columns.T)
        change = (rough[0] - exact[0]).sum(axis=1)
        off = abs(self.weight @ change) + 3 * math.sqrt(self.weight @ change**2 / self.n_rows)
        return 0.5 * float(dot(error, factor(error)).sum()), float(off)

    def least_squares(self, target, weight):
        """Fit z to targets with weights of their own, both (n_rows, n): theta (n, size)."""
        weighted = weight * self.weight[:, None]
        gradient = (weighted * target).T @ self.columns.T
        hessian = self._hessian(weighted)
        # With fewer rows of weight than features the fit would be wild; a start need not be exact.
        diagonal = hessian.reshape(len(hessian), -1)[:, :: self.size + 1]
        diagonal *= 1 + 1e-3
        diagonal += TINY
        return solve_positive(hessian, gradient)

    def least_change(self, rows, change):
        """The theta that changes z of a few rows by `change`, and of all others the least."""
        X = self.columns[:, rows].T
        spread = self._inverse_gram @ X.T
        return spread @ np.linalg.lstsq(X @ spread, change, rcond=1e-8)[0]

    def _hessian(self, d):
        n, size = d.shape[1], self.size
        if n >= MANY_NEURONS and self.columns.size * size <= MAX_PRODUCTS:
            hessian = d.T.dot(self._products.T).take(self._of_pair, axis=1).reshape(n, size, size)
        else:
            # One by one: scaled columns of one neuron stay in the cache until they are multiplied.
            hessian = np.empty((n, size, size))
            for k in range(n):
                np.dot(self.columns * d[:, k], self.columns.T, out=hessian[k])
        hessian.reshape(n, -1)[:, :: size + 1] += self.l2
        return hessian

    @cached_property
    def _products(self):
        """Products of two columns, row by row: with them all Hessians are one matrix product."""
        products = np.empty((self.size * (self.size + 1) // 2, self.n_rows))
        end = 0
        for k in range(self.size):
            start, end = end, end + k + 1
            np.multiply(self.columns[: k + 1], self.columns[k], out=products[start:end])
        return products

    @cached_property
    def _of_pair(self):
        """Which product belongs to each entry of a Hessian."""
        number = np.empty((self.size, self.size), dtype=np.intp)
        pairs = np.tril_indices(self.size)
        number[pairs] = number.T[pairs] = np.arange(len(pairs[0]))
        return number.ravel()

    @cached_property
    def _inverse_gram(self):
        gram = (self.columns * self.weight) @ self.columns.T
        return np.linalg.inv(gram + 1e-6 * np.eye(self.size))
