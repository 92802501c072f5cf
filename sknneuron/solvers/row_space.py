"""More features than rows: as many unknowns as rows.

Weights across all rows change no prediction, and cost something where they are penalised. So the
best weights are sums of rows, ``w = A.T @ u`` of the centred rows A, and the training is one of a
few coordinates, whatever the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.linalg import lapack

from ..objective import Objective
from ..products import product
from ..sources import ArraySource
from .base import Goal, Iterate, Solver
from .long_rows import LongRows

# Features of each row from which on the rows' products cost less than what they save.
LEAST_FEATURES = 1.25
# Bytes of rows looked up in others, as those of early stopping are, that may be copied.
MAX_COPIED = 1 << 27
# Shares of the largest square of a row up to which a direction has none, and from which on its
# square is known so well that it can be divided by.
NOTHING, SOMETHING = 1e-12, 1e-10
# Share of that square which a random sum of rows may have outside their space.
MISSED = 1e-20
# Roundings of the objective, as many as there are in sums of so many terms.
NO_MATTER = 100


class RowSpace(Solver):
    """Train in coordinates of the space that the rows span.

    With the rows' products ``A @ A.T = L @ L.T`` the neuron's z are ``L @ v`` plus the bias, and
    the weights are as long as v: the same training, on L in place of X. Its iterates come back as
    weights of X, and before one is called the optimum, z is worked out from X itself: if rounding
    has changed the losses by more than `tol` allows, the plain solver goes on from there.

    Parameters
    ----------
    name : str
        That of the solver in the new coordinates.
    make : callable
        Takes the objective in them, returns the solver.
    plain : Solver
        For the features as they are.

    References
    ----------
    Kimeldorf and Wahba, Some results on Tchebycheffian spline functions, J. Math. Anal. Appl. 33
    (1971): the weights are sums of rows. Hastie and Tibshirani, Efficient quadratic regularization
    for expression arrays, Biostatistics 5 (2004): so any loss can be trained on a square matrix.
    """

    def __init__(self, name: str, make: Callable[[Objective], Solver], plain: Solver):
        self.name = name
        self.make = make
        self.plain = plain
        self.is_random = plain.is_random

    @staticmethod
    def serves(objective: Objective) -> bool:
        """Whether there are more features than rows, and no penalty that prefers some of them."""
        source = objective.source
        return (
            source.n_features >= LEAST_FEATURES * source.n_rows
            and objective.penalty.l1 == 0
            and source.is_numpy
            and (source.in_memory or (source.is_near and _bytes(source) <= MAX_COPIED))
            and LongRows.keep_digits(objective)
        )

    def iterate(self, objective, start, goal, rng):
        space = Space.of(objective)
        if space is None:
            yield from self.plain.iterate(objective, start, goal, rng)
            return
        reduced = space.reduced
        inner = Goal(goal.tol, goal.null_value, reduced)
        before = None
        for iterate in self.make(reduced).iterate(reduced, space.reduce(start), inner, rng):
            if iterate.theta is not before:
                before, (theta, gradient) = iterate.theta, space.expand(iterate)
            here = space.like(iterate.objective)
            found = replace(iterate, theta=theta, gradient=gradient, objective=here)
            allowed = goal.target(found.value, theta)
            if here is objective and (iterate.last or iterate.gap <= allowed):
                found.value, lost = space.look(iterate.theta, theta)
                found.gap += lost if lost > NO_MATTER * objective.rounding else 0.0
                if iterate.gap <= allowed < found.gap:
                    yield from self.plain.resume(objective, theta, goal, rng)
                    return
            yield found


def _bytes(source) -> int:
    return source.dtype.itemsize * source.n_rows * source.n_features


class Space:
    """What the rows of an objective span, in coordinates in which weights are as long as they are.

    Parameters
    ----------
    objective : Objective
    rows : LongRows
        Those of the objective.
    factor : ndarray of shape (n_rows, rank)
        L, with ``A @ A.T = L @ L.T``.
    pivots : ndarray of shape (rank,)
        Rows of which the others are sums.

    Attributes
    ----------
    reduced : Objective
        The same objective as a function of v.
    """

    def __init__(self, objective: Objective, rows: LongRows, factor, pivots):
        self.objective = objective
        self.rows = rows
        self.pivots = pivots
        # For each solution BLAS would wake its other threads, and wait for them.
        self.inverse = lapack.dtrtri(factor[pivots], lower=1)[0]
        self.reduced = Objective(
            ArraySource(factor, rows.source.y, rows.source.sample_weight),
            objective.pair,
            objective.penalty,
            objective.n_neurons,
            fit_intercept=objective.fit_intercept,
        )
        self._parts: dict[int, Objective] = {}

    @classmethod
    def of(cls, objective: Objective) -> Space | None:
        """The space; None where rounding does not tell how many dimensions it has."""
        rows = LongRows(objective)
        products = rows.products()
        largest = float(products.diagonal().max())
        if not 0 < largest < np.inf:
            return None
        factor, order, rank, _ = lapack.dpstrf(products, tol=NOTHING * largest, lower=1)
        if factor[rank - 1, rank - 1] ** 2 < SOMETHING * largest:
            return None
        order -= 1
        in_order = np.empty((len(order), rank))
        in_order[order] = np.tril(factor)[:, :rank]
        space = cls(objective, rows, in_order, order[:rank])
        # Rows about their mean have a dimension less than there are.
        if rank < len(order) - objective.fit_intercept and space._misses(largest):
            return None
        return space

    def _misses(self, largest: float) -> bool:
        """Whether the rows have more dimensions than their products show, whose digits are squares.

        A random sum of rows has a part in each.
        """
        row = self.rows.summed(np.random.default_rng(0).standard_normal((1, self.rows.n_rows)))
        left = row - self.rows.summed(self._sums(self._coordinates(row)))
        return float(np.vdot(left, left)) > MISSED * largest

    # -- from weights to coordinates, and back -----------------------------------------------------

    def reduce(self, theta):
        """The coordinates of weights, but for what of them lies across all rows."""
        coef, bias = self._parameters(theta)
        return self.reduced.from_weights(self._coordinates(coef), bias)

    def expand(self, iterate: Iterate) -> tuple:
        """The weights of an iterate as `theta`, and its gradient in them."""
        objective, shape = self.objective, (self.objective.n_neurons, -1)
        v, bias = self.reduced.to_weights(iterate.theta)
        if not isinstance(iterate.gradient, np.ndarray):
            return self._theta(
                self.rows.summed(self._sums(v)) * self._scale, bias
            ), iterate.gradient
        slope = iterate.gradient.reshape(shape)
        slope_of_v = slope[:, : v.shape[1]] * self.reduced.coordinates.scale
        bias_slope = slope[:, -1]
        if objective.fit_intercept:
            slope_of_v += np.outer(bias_slope, self.reduced.coordinates.center)
        # Both in one pass over the rows.
        both = self.rows.summed(self._sums(np.vstack([v, slope_of_v])))
        coef, slope = both[: len(v)] * self._scale, both[len(v) :] / self._scale
        return self._theta(coef, bias), self._theta(slope, bias_slope)

    def _theta(self, coef, bias):
        """A number for each weight and bias, in the shape of the objective's theta."""
        parts = [coef, bias[:, None]] if self.objective.fit_intercept else [coef]
        return np.hstack(parts).reshape(self.objective.shape)

    def _coordinates(self, coef):
        """v of (n_neurons, n_features) weights."""
        return product(self.rows.times(coef)[self.pivots].T, self.inverse.T)

    def _sums(self, v):
        """u, with weights ``u @ A``."""
        u = np.zeros((len(v), self.rows.n_rows))
        u[:, self.pivots] = product(v, self.inverse)
        return u

    @property
    def _scale(self):
        """Of the objective's coordinates, in the rows' unit."""
        return self.objective.coordinates.scale / self.rows.unit

    def _parameters(self, theta):
        """Weights in the rows' unit, and biases of centred rows."""
        objective = self.objective
        per_neuron = theta.reshape(objective.n_neurons, objective.neuron_size)
        coef = per_neuron[:, : objective.n_features] / self._scale
        return coef, per_neuron[:, -1] if objective.fit_intercept else np.zeros(len(coef))

    def like(self, part: Objective) -> Objective:
        """The objective over as many rows as this one in the new coordinates."""
        if part is self.reduced:
            return self.objective
        n_rows = part.source.n_rows
        if n_rows not in self._parts:
            # Of which rows it was nobody asks.
            rows = self.objective.source.subset(np.arange(n_rows), once=True)
            self._parts[n_rows] = self.objective.over(rows)
        return self._parts[n_rows]

    # -- what rounding has done --------------------------------------------------------------------

    def look(self, theta, weights) -> tuple[float, float]:
        """The objective at these weights, by X itself, and by how much v may be wrong about it."""
        objective, reduced = self.objective, self.reduced
        source = reduced.source
        coef, bias = self._parameters(weights)
        v, bias_of_v = reduced.to_weights(theta)
        here, there = (
            objective.pair.derivatives(source.targets, z, 0)[0].sum(axis=1)
            for z in (self.rows.times(coef) + bias, source.X @ v.T + bias_of_v)
        )
        weight = np.ones(len(here)) if source.sample_weight is None else source.sample_weight
        weight = weight / source.total_weight
        l2, l2_of_v = objective.l2_value(weights).sum(), reduced.l2_value(theta).sum()
        lost = 2 * weight @ np.abs(here - there) + abs(l2 - l2_of_v)
        return float(weight @ here + l2), float(lost)
