"""The normal equations of a linear neuron: summed in one pass over the rows, solved by Cholesky."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from ..objective import Objective
from ..penalties import least_subgradient
from ..products import centred, product
from .base import Goal, Iterate
from .frame import Frame, LinearFit
from .least_norm import DOUBTLESS, doubtful_rank, least_norm, taking_part, zero_singular_value
from .linear_algebra import dot

EPS = np.finfo(float).eps
# A column's mean may be this many deviations from zero before the rows are centred one by one.
FAR_MEAN = 4.0
# Centring may magnify the rounding of the sums by this before they are summed about better centres.
LOST_TO_CENTER = 1e4
# Eigenvalues up to this many times what rounding makes of zero may be zero.
SUSPECT = 100.0
MAX_REFINEMENTS = 10
NO_DIGITS = (
    "columns whose values differ by little beside their size leave too few digits to solve by. "
    "Subtract their means, which takes a dense X"
)


@dataclass(frozen=True)
class Products:
    """Sums of the products of ``[X - center, y - target_center, 1]`` with one another.

    Parameters
    ----------
    center : ndarray of shape (n_features,) or None
        None leaves the rows as they are.
    target_center : ndarray of shape (n_neurons,)

    Returns
    -------
    gram : (n_features, n_features), sparse for sparse rows
    cross : (n_features, n_neurons + 1)
    right : (n_neurons + 1, n_neurons + 1)
    """

    center: np.ndarray | None
    target_center: np.ndarray

    def __call__(self, X, y, sample_weight):
        right = np.empty((X.shape[0], len(self.target_center) + 1))
        np.subtract(y, self.target_center, out=right[:, :-1])
        right[:, -1] = 1
        if sparse.issparse(X):
            return self._sparse(centred(X, self.center), right, sample_weight)
        X = centred(X, self.center)
        if sample_weight is not None:
            root = np.sqrt(sample_weight)[:, None]
            X = X * root
            right *= root
        return product(X.T, X), product(right.T, X).T, product(right.T, right)

    @staticmethod
    def _sparse(X, right, sample_weight):
        weighted, scaled = right, X
        if sample_weight is not None:
            weighted = sample_weight[:, None] * right
            scaled = sparse.diags_array(sample_weight) @ X
        return X.T @ scaled, X.T @ weighted, right.T @ weighted


@dataclass(frozen=True)
class SquaredLengths:
    """Sums of the squares of ``(X - center) @ coef - offset``, a column at a time.

    Parameters
    ----------
    center : ndarray of shape (n_features,) or None
        None leaves the rows as they are.
    coef : ndarray of shape (n_features, k)
    offset : ndarray of shape (k,)
    """

    center: np.ndarray | None
    coef: np.ndarray
    offset: np.ndarray

    def __call__(self, X, y, sample_weight):
        squares = (centred(X, self.center) @ self.coef - self.offset) ** 2
        return (squares.sum(axis=0) if sample_weight is None else sample_weight @ squares,)


class NormalEquations:
    """Products of columns and targets about their means, and what follows from them.

    Parameters
    ----------
    objective : Objective
    frame : Frame
    sums : tuple
        What `Products` returns.
    center : ndarray of shape (n_features,)
        Where the rows of `sums` were centred.
    """

    def __init__(self, objective: Objective, frame: Frame, sums, center):
        gram, cross, right = sums
        self.objective = objective
        self.frame = frame
        self.total_weight = objective.source.total_weight
        n = objective.n_neurons
        offset, self.target_mean = np.zeros(objective.n_features), np.zeros(n)
        if objective.fit_intercept:
            offset, self.target_mean = cross[:, n] / right[n, n], right[:n, n] / right[n, n]
        self.mean = center + offset
        self.raw_diagonal = gram.diagonal().copy()
        self.gram = gram - right[n, n] * (offset[:, None] * offset)
        self.cross = cross[:, :n] - offset[:, None] * right[:n, n]
        squares = right[:n, :n].diagonal() - right[n, n] * self.target_mean**2
        self.squares = np.maximum(squares, 0.0)
        self.l2 = self.total_weight * objective.penalty.l2
        self._null_space = np.empty((objective.n_features, 0))

    @classmethod
    def of(cls, objective: Objective, frame: Frame) -> NormalEquations:
        """Sum them over all rows."""
        if objective.source.is_sparse:
            return cls._summed(objective, frame, objective.row_center)
        far = np.abs(frame.center) > FAR_MEAN * frame.scale
        if not np.count_nonzero(far):
            return cls._summed(objective, frame, None)
        equations = cls._summed(objective, frame, frame.center)
        if objective.fit_intercept and np.max(equations.lost()) > LOST_TO_CENTER:
            # The sample that the centres are from was not like the rest: now the means are known.
            equations = cls._summed(objective, frame, equations.mean)
        return equations

    @classmethod
    def _summed(cls, objective, frame, center):
        kernel = Products(center, frame.target_center)
        gram, cross, right = objective.source.map_sum(kernel)
        if sparse.issparse(gram):
            gram = gram.toarray()
        center = np.zeros(objective.n_features) if center is None else center
        return cls(objective, frame, (gram, cross, right), center)

    def lost(self):
        """Per column, what centring the sums has magnified rounding by."""
        left = np.maximum(self.gram.diagonal() + self.l2, EPS * self.raw_diagonal)
        return np.where(left > 0, self.raw_diagonal / np.where(left > 0, left, 1.0), 1.0)

    # -- measuring ---------------------------------------------------------------------------------

    @property
    def measures_well(self) -> bool:
        """Whether centring has left enough digits in the sums to tell the loss by."""
        kept = self.raw_diagonal <= LOST_TO_CENTER * self.gram.diagonal()
        return np.count_nonzero(kept) == len(kept)

    @cached_property
    def hides_columns(self) -> bool:
        """Whether columns that are not constant look as if they were, since no digit is left."""
        hidden = (self.gram.diagonal() <= EPS * self.raw_diagonal) & (self.raw_diagonal > 0)
        constant = self.objective.coordinates.constant
        if constant is not None:
            hidden[constant] = False
        return bool(hidden.any())

    def iterate(self, theta, **facts) -> Iterate:
        """An iterate measured by the sums alone; `facts` are its other fields."""
        objective = self.objective
        coef, bias = self.frame.from_theta(objective, theta)
        # The bias's distance from its best value for these weights.
        off = bias + coef.dot(self.mean - self.frame.center) - self.target_mean
        product = coef.dot(self.gram)
        squares = dot(product - 2 * self.cross.T, coef) + self.squares
        loss = 0.5 * np.maximum(squares, 0.0) + 0.5 * self.total_weight * off**2
        value = (sum(loss.tolist()) + 0.5 * self.l2 * np.vdot(coef, coef)) / self.total_weight
        slope = (product - self.cross.T + self.l2 * coef) / self.total_weight
        if objective.penalty.l1:
            slope = least_subgradient(slope, coef, objective.penalty.l1)
        if objective.fit_intercept:
            slope += off[:, None] * self.mean
        else:
            off = np.zeros_like(off)
        norm = math.sqrt(np.vdot(slope, slope) + np.vdot(off, off))
        return Iterate(theta, float(value), norm, objective, **facts)

    # -- solving -----------------------------------------------------------------------------------

    def solve(self) -> LinearFit:
        """Solve by Cholesky; a condition of inf says that there was no factor."""
        diagonal = self.gram.diagonal() + self.l2
        constant = ~(diagonal > EPS * self.raw_diagonal)
        self._inverse_size = np.where(constant, 0.0, 1 / np.sqrt(np.where(constant, 1.0, diagonal)))
        # Scaled to a unit diagonal; a constant column is left out, and its weight is zero.
        self._matrix = self.gram * self._inverse_size * self._inverse_size[:, None]
        np.fill_diagonal(self._matrix, 1.0)
        self._most_lost = float(np.max(self.lost(), where=~constant, initial=1.0))
        factor, info = lapack.dpotrf(self._matrix, lower=1)
        if info != 0:
            return self.fit(np.zeros((len(self.squares), len(diagonal))), np.inf)
        rcond, _ = lapack.dpocon(factor, np.abs(self._matrix).sum(axis=0).max(), uplo="L")
        self._inverse = lambda right: lapack.dpotrs(factor, right, lower=1)[0]
        squared = 1 / max(rcond, EPS**2)
        # Sparse rows are never centred before they are multiplied: what that loses is magnified.
        is_sparse = self.objective.source.is_sparse
        squared = squared * self._most_lost if is_sparse else max(squared, self._most_lost)
        if is_sparse and self.hides_columns:
            squared = np.inf
        return self.fit(self._times_inverse(self.cross).T, np.sqrt(squared))

    def solve_singular(self) -> LinearFit:
        """Solve by eigenvalues: the weights of least norm where there is no unique solution.

        The message says so where products alone cannot tell what is zero.
        """
        values, vectors = linalg.eigh(self._matrix)
        rounding = EPS * len(values) * self._most_lost * values[-1]
        zero = values <= SUSPECT * rounding
        suspects, directions = np.flatnonzero(zero), vectors[:, zero]
        # Lengths as shares of what rounding leaves of none.
        length = self._lengths(directions, values[-1])
        zero[suspects] = length <= 1
        doubtful = suspects[length > DOUBTLESS]
        message = doubtful_rank(taking_part(vectors[:, doubtful])) if len(doubtful) else ""
        kept = np.maximum(values[~zero], rounding)
        basis = vectors[:, ~zero]
        self._inverse = lambda right: basis @ ((basis.T @ right) / kept[:, None])
        self._null_space = vectors[:, zero]
        condition = float(np.sqrt(self._most_lost * values[-1] / kept.min(initial=values[-1])))
        return self.fit(self._times_inverse(self.cross).T, condition, message)

    def _lengths(self, directions, largest: float):
        """How much the rows, centred, differ along directions of the scaled matrix.

        In units of what rounding may make of nothing. By the rows themselves: squares of what is
        small are lost among products of what is not.
        """
        coef = directions * self._inverse_size[:, None]
        source = self.objective.source
        center, mean = self.objective.row_center, self.mean
        offset = (mean if center is None else mean - center) @ coef
        (squares,) = source.map_sum(SquaredLengths(center, coef, offset))
        squares = squares + self.l2 * np.sum(coef**2, axis=0)
        zero = zero_singular_value(np.sqrt(largest), source.n_rows, len(coef))
        return np.sqrt(squares) / max(zero, 8 * EPS * np.sqrt(self._most_lost))

    def _times_inverse(self, right):
        """The inverse of the centred, penalised products times (n_features, k)."""
        return self._inverse(right * self._inverse_size[:, None]) * self._inverse_size[:, None]

    def fit(self, coef, condition, message="") -> LinearFit:
        """Weights with their best biases, and what rounding of the products may have cost them."""
        size = np.sqrt(np.maximum(self.gram.diagonal(), 0.0))
        terms = np.abs(coef).dot(size) + np.sqrt(self.squares)
        error = 4 * EPS * np.sqrt(len(size)) * terms * condition
        gap = float(0.5 * np.vdot(error, error) / self.total_weight)
        return LinearFit(coef, self._best_bias(coef), gap, condition, message)

    def _best_bias(self, coef):
        bias = self.target_mean - coef.dot(self.mean - self.frame.center)
        return bias if self.objective.fit_intercept else np.zeros_like(bias)

    # -- refining ----------------------------------------------------------------------------------

    def refine(self, fit: LinearFit, goal: Goal) -> Iterate:
        """Correct the fit by exact residuals, a pass over the rows for each round."""
        objective = self.objective
        theta = self.frame.to_theta(objective, fit)
        # The relative error of the solution, and what an orthogonal factor would leave of it.
        error = min(EPS * fit.condition**2, 0.1)
        n_rounds = max(1, int(np.ceil(np.log(EPS * fit.condition) / np.log(error))) - 1)
        previous = np.inf
        for k in range(1, MAX_REFINEMENTS + 1):
            value, gradient = objective.value_and_gradient(theta)
            step = self._newton_step(gradient)
            decrement = -0.5 * float(np.sum(step * gradient))
            theta = theta + step
            falls = decrement < 0.5 * previous
            if k >= n_rounds and (decrement <= objective.rounding or not falls):
                break
            previous = decrement
        if self._null_space.shape[1]:
            theta = self._least_norm(theta)
        left = max(error**2, min(decrement / previous, 1.0)) if previous > 0 else 1.0
        gap: float = abs(decrement) * left + EPS * objective.rounding
        value = float(value.sum()) - decrement
        message = fit.message
        if self.hides_columns or message:
            gap = math.nan
        if not message and not gap <= goal.target(value, theta):
            message = NO_DIGITS
        return Iterate(
            theta,
            value,
            np.nan,
            objective,
            1.0,
            gap,
            last=True,
            message=message,
        )

    def _newton_step(self, gradient):
        """The step to the optimum from the exact gradient in theta."""
        coordinates, p = self.objective.coordinates, self.objective.n_features
        slope = gradient[:, :p] * coordinates.scale
        shift = coordinates.center - self.mean
        step = np.empty_like(gradient)
        if self.objective.fit_intercept:
            slope = slope + gradient[:, -1:] * shift
        coef = -self.total_weight * self._times_inverse(slope.T).T
        step[:, :p] = coef * coordinates.scale
        if self.objective.fit_intercept:
            step[:, -1] = coef @ shift - gradient[:, -1]
        return step

    def _least_norm(self, theta):
        """Move along the null space to the weights of least norm."""
        coef, _ = self.frame.from_theta(self.objective, theta)
        coef = least_norm(coef, self._null_space * self._inverse_size[:, None])
        return self.frame.to_theta(self.objective, LinearFit(coef, self._best_bias(coef), np.nan))
