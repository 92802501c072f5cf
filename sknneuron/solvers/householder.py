"""Least squares by orthogonal factors, which do not square the condition of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from ..objective import Objective
from .frame import Frame, LinearFit
from .least_norm import (
    DOUBTFUL,
    DOUBTLESS,
    EPS,
    doubtful_rank,
    least_norm,
    taking_part,
    zero_singular_value,
)

# Columns better conditioned than this need no look at their singular values.
SURE_CONDITION = 1e8
# Sparse rows that are made dense at once, at least.
LEAST_STRIP = 4096
MAX_REFINEMENTS = 10


@dataclass(frozen=True)
class FramedRows:
    """Rows ``[1, X, y]`` in a frame, times the roots of their weights, as a `RowStack`."""

    frame: Frame
    has_bias: bool

    def __call__(self, X, y, sample_weight):
        if not sparse.issparse(X):
            return (RowStack(self.rows(X, y, sample_weight)),)
        # A block of sparse rows would be many times as large with all its zeros.
        step = max(LEAST_STRIP, 4 * X.shape[1])
        strips = (slice(start, start + step) for start in range(0, X.shape[0], step))
        parts = ((X[s], y[s], None if sample_weight is None else sample_weight[s]) for s in strips)
        return (reduce(add, (RowStack(self.rows(*part)) for part in parts)),)

    def rows(self, X, y, sample_weight):
        """The matrix itself."""
        X = X.toarray() if sparse.issparse(X) else X
        n_features, i = X.shape[1], int(self.has_bias)
        rows = np.empty((X.shape[0], i + n_features + y.shape[1]))
        rows[:, :i] = 1
        features = rows[:, i : i + n_features]
        np.subtract(X, self.frame.center, out=features)
        features /= self.frame.scale
        np.subtract(y, self.frame.target_center, out=rows[:, i + n_features :])
        if sample_weight is not None:
            rows *= np.sqrt(sample_weight)[:, None]
        return rows


class RowStack:
    """Rows of which only the products of columns matter; a sum of two stacks one on the other.

    A tall stack is replaced by its triangular factor, so the sum over blocks of rows is the factor
    of all rows.
    """

    def __init__(self, rows):
        self.rows = rows if len(rows) <= 3 * rows.shape[1] else _triangle(rows)

    def __add__(self, other: RowStack) -> RowStack:
        return RowStack(np.vstack([self.rows, other.rows]))


def _triangle(rows):
    """The triangular factor, with as many rows as columns."""
    return _no_fewer_than(rows.shape[1], np.linalg.qr(rows, mode="r"))


def _no_fewer_than(least: int, rows):
    """The rows, and as many of zeros as they lack, which add nothing."""
    missing = least - len(rows)
    return np.pad(rows, ((0, missing), (0, 0))) if missing > 0 else rows


def solve_stacked(objective: Objective, frame: Frame) -> LinearFit:
    """Solve by an orthogonal factor of the row blocks, factored one by one and merged."""
    i = int(objective.fit_intercept)
    (stack,) = objective.source.map_sum(FramedRows(frame, bool(i)))
    n_columns = i + objective.n_features
    factor = _triangle(np.vstack([stack.rows, _penalty_rows(objective, frame)]))
    problem = Triangular(factor[:n_columns, :n_columns], i, objective.source.n_rows)
    solution = problem.solve(factor[:n_columns, n_columns:])
    residual = np.linalg.norm(factor[n_columns:, n_columns:], axis=0)
    return problem.to_fit(solution, residual, objective, frame)


def solve_refined(objective: Objective, frame: Frame) -> LinearFit:
    """Solve by an orthogonal factor of all rows at once, refined with residuals of more digits."""
    source, i = objective.source.gathered(), int(objective.fit_intercept)
    rows = FramedRows(frame, bool(i)).rows(source.X, source.y, source.sample_weight)
    n_columns = i + objective.n_features
    rows = _no_fewer_than(n_columns, np.vstack([rows, _penalty_rows(objective, frame)]))
    A, targets = rows[:, :n_columns], rows[:, n_columns:]
    Q, R = np.linalg.qr(A)
    problem = Triangular(R, i, source.n_rows)
    solution = problem.solve(Q.T @ targets)
    residual = targets - A @ solution
    if problem.svd is None:
        solution = _refined(A, targets, Q, R, solution, residual)
    return problem.to_fit(solution, np.linalg.norm(residual, axis=0), objective, frame)


def _penalty_rows(objective: Objective, frame: Frame):
    """Rows that stand for the L2 penalty; none without one."""
    i, p = int(objective.fit_intercept), objective.n_features
    l2 = objective.source.total_weight * objective.penalty.l2
    rows = np.zeros((p if l2 else 0, i + p + objective.n_neurons))
    np.fill_diagonal(rows[:, i:], np.sqrt(l2) / frame.scale)
    return rows


def _refined(A, targets, Q, R, solution, residual):
    """Refine solution and residual together, by the augmented system.

    Its residuals are taken in extended precision (where the platform has one), so that the
    solution comes out right to nearly all digits while ``eps * condition`` is below one.
    """
    A_long, targets_long = A.astype(np.longdouble), targets.astype(np.longdouble)
    previous = np.inf
    for _ in range(MAX_REFINEMENTS):
        f = (targets_long - residual - A_long @ solution).astype(np.float64)
        g = -(A_long.T @ residual).astype(np.float64)
        h = linalg.solve_triangular(R, g, trans=1, check_finite=False)
        e = Q.T @ f - h
        step = linalg.solve_triangular(R, e, check_finite=False)
        size = np.max(np.abs(R @ step), initial=0.0)
        if not size < 0.5 * previous:
            break
        solution = solution + step
        residual = residual + f - Q @ e
        previous = size
    return solution


class Triangular:
    """A linear problem reduced to a triangle, the bias (if any) its first column.

    Parameters
    ----------
    R : ndarray of shape (n_columns, n_columns)
    n_bias : {0, 1}
    n_rows : int
        Of the problem before it was reduced.
    """

    def __init__(self, R, n_bias: int, n_rows: int):
        self.R, self.n_bias, self.n_rows = R, n_bias, n_rows
        centred = R[n_bias:, n_bias:]
        size = np.linalg.norm(centred, axis=0)
        # What is left of a constant column beside the bias is rounding.
        before = np.linalg.norm(R[:, n_bias:], axis=0)
        constant = size <= zero_singular_value(1.0, n_rows, 1) * before
        self.varying = np.flatnonzero(~constant)
        self.inverse_size = 1 / size[self.varying]
        self.scaled = centred[:, self.varying] * self.inverse_size
        self.message = ""
        self.null_space = np.empty((len(size), 0))
        self.condition = 1.0
        self.svd: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        if constant.any():
            self._decide_rank()
        elif len(size):
            rcond, _ = lapack.dtrcon(self.scaled)
            self.condition = 1 / max(rcond, EPS**2)
            if self.condition > SURE_CONDITION:
                self._decide_rank()

    def _decide_rank(self) -> None:
        """Find the directions that change no prediction; constant columns are not among them."""
        n_varying = len(self.varying)
        U, values, Vt = np.linalg.svd(self.scaled, full_matrices=False)
        zero = zero_singular_value(values.max(initial=0.0), self.n_rows, n_varying)
        kept = values > zero
        doubtful = (values > DOUBTLESS * zero) & (values < DOUBTFUL * zero)
        if doubtful.any():
            self.message = doubtful_rank(self.varying[taking_part(Vt[doubtful].T)])
        if kept.any():
            self.condition = values[0] / values[kept][-1]
        if not kept.all() or n_varying < len(self.null_space):
            self.svd = U[:, kept], values[kept], Vt[kept]
            self.null_space = np.zeros((len(self.null_space), n_varying - kept.sum()))
            self.null_space[self.varying] = Vt[~kept].T * self.inverse_size[:, None]

    def solve(self, right):
        """Solve for (n_columns, k) right-hand sides: bias and weights in the frame."""
        i = self.n_bias
        if self.svd is None:
            return linalg.solve_triangular(self.R, right, check_finite=False)
        U, values, Vt = self.svd
        weights = np.zeros((len(right) - i, right.shape[1]))
        weights[self.varying] = Vt.T @ ((U.T @ right[i:]) / values[:, None])
        weights[self.varying] *= self.inverse_size[:, None]
        if not i:
            return weights
        bias = (right[0] - self.R[0, 1:] @ weights) / self.R[0, 0]
        return np.vstack([bias, weights])

    def to_fit(self, solution, residual, objective: Objective, frame: Frame) -> LinearFit:
        """Weights in the units of X, of least norm if there is a choice."""
        i = self.n_bias
        coef = solution[i:].T / frame.scale
        bias = solution[0] if i else np.zeros(len(coef))
        if self.null_space.shape[1]:
            least = least_norm(coef, self.null_space / frame.scale[:, None])
            if i:
                bias = bias - self.R[0, 1:] @ ((least - coef) * frame.scale).T / self.R[0, 0]
            coef = least
        size = np.linalg.norm(self.R[i:, i:], axis=0)
        # What a backward stable solution leaves: an error of eps in columns, targets and, times the
        # condition, the residual.
        terms = np.abs(solution[i:].T) @ size + residual * self.condition
        error = 4 * EPS * np.sqrt(len(size)) * terms
        gap = float(0.5 * np.sum(error**2) / objective.source.total_weight)
        return LinearFit(coef, bias, gap, self.condition, self.message)
