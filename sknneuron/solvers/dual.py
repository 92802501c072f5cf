"""Least squares with more features than rows: as many unknowns as rows, not as features."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from ..objective import Objective
from .frame import Frame, LinearFit
from .least_norm import zero_singular_value

EPS = np.finfo(float).eps
CHUNK_BYTES = 4 << 20
# Reciprocal condition of the rows' products down to which Cholesky serves.
LEAST_RCOND = 1e-11
ZERO_EIGENVALUE = 1e-14
N_REFINEMENTS = 2


class WeightedRows:
    """Rows ``sqrt(s) (x - mean)``, which are never formed: products with them and among them.

    Parameters
    ----------
    objective : Objective
        On rows in memory.
    frame : Frame
    """

    def __init__(self, objective: Objective, frame: Frame):
        source = objective.source.gathered()
        self.X, self.y, self.center = source.X, source.y, frame.center
        weight = source.sample_weight
        self.root = np.ones(source.n_rows) if weight is None else np.sqrt(weight)
        # With a bias, rows and targets count only as far as they differ from their means.
        self.constant = self.root / np.linalg.norm(self.root) if objective.fit_intercept else None
        self.is_sparse = source.is_sparse
        if self.is_sparse:
            self.center = np.zeros_like(frame.center)

    def _chunks(self):
        """Some columns at a time, centred."""
        width = max(1, CHUNK_BYTES // (8 * len(self.root)))
        for start in range(0, self.X.shape[1], width):
            columns = slice(start, start + width)
            yield columns, self.X[:, columns] - self.center[columns]

    def project(self, v):
        """Take the weighted mean out of (n_rows, k) vectors."""
        if self.constant is None:
            return v
        return v - np.outer(self.constant, self.constant @ v)

    def targets(self, y):
        return self.project(self.root[:, None] * y)

    def products(self):
        """The rows' products with one another, (n_rows, n_rows)."""
        if self.is_sparse:
            X = self.X.astype(np.float64, copy=False)
            K = (X @ X.T).toarray()
        else:
            K = sum(chunk @ chunk.T for _, chunk in self._chunks())
        K = K * self.root * self.root[:, None]
        return self.project(self.project(K).T)

    def times(self, coef):
        """Rows times (n_features, k)."""
        if self.is_sparse:
            z = self.X @ coef
        else:
            z = sum(chunk @ coef[columns] for columns, chunk in self._chunks())
        return self.project(self.root[:, None] * z)

    def transposed_times(self, v):
        """Transposed rows times (n_rows, k)."""
        v = self.root[:, None] * self.project(v)
        if self.is_sparse:
            return self.X.T @ v
        product = np.empty((self.X.shape[1], v.shape[1]))
        for columns, chunk in self._chunks():
            product[columns] = chunk.T @ v
        return product

    def dense(self):
        """The rows themselves: only where digits ask for it."""
        return self.project(self.root[:, None] * (self.X - self.center))

    def bias(self, y, coef):
        """The best biases about the centre for (n_features, k) weights."""
        if self.constant is None:
            return np.zeros(coef.shape[1])
        weight = self.root**2 / np.sum(self.root**2)
        if self.is_sparse:
            return weight @ (y - self.X @ coef)
        mean = np.concatenate([weight @ chunk for _, chunk in self._chunks()])
        return weight @ y - mean @ coef


def solve_dual(objective: Objective, frame: Frame) -> LinearFit:
    """Solve through the products of the rows; the weights of least norm without a penalty."""
    rows = WeightedRows(objective, frame)
    y = rows.y - frame.target_center
    targets = rows.targets(y)
    l2 = objective.source.total_weight * objective.penalty.l2
    inverse = _inverse(rows, l2)
    if inverse is None:
        coef, error = _by_singular_values(rows, targets)
    else:
        dual = inverse(targets)
        coef = rows.transposed_times(dual)
        for _ in range(N_REFINEMENTS):
            error = targets - rows.times(coef) - l2 * dual
            step = inverse(error)
            dual += step
            coef += rows.transposed_times(step)
        error = error - rows.times(rows.transposed_times(step)) - l2 * step
    bias = rows.bias(y, coef)
    if rows.is_sparse:
        bias = bias + frame.center @ coef
    gap = 0.5 * float(np.sum(error**2)) / objective.source.total_weight
    return LinearFit(coef.T, bias, gap)


def _inverse(rows: WeightedRows, l2: float):
    """The inverse of products and penalty as a function; None if it needs more digits."""
    K = rows.products()
    n = len(K)
    if rows.constant is not None:
        # Nothing is asked of this direction, but the factor needs it filled in.
        K += np.trace(K) / n * np.outer(rows.constant, rows.constant)
    K[np.diag_indices(n)] += l2
    factor, info = lapack.dpotrf(K, lower=1)
    if info == 0:
        rcond, _ = lapack.dpocon(factor, np.abs(K).sum(axis=0).max(), uplo="L")
        if rcond > LEAST_RCOND or l2 > 0:
            return lambda v: lapack.dpotrs(factor, v, lower=1)[0]
    if not rows.is_sparse:
        return None
    values, vectors = linalg.eigh(K)
    kept = values > ZERO_EIGENVALUE * n * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    return lambda v: vectors @ ((vectors.T @ v) / values[:, None])


def _by_singular_values(rows: WeightedRows, targets):
    """Weights of least norm and what they leave of the targets that they could explain."""
    A = rows.dense()
    U, values, Vt = np.linalg.svd(A, full_matrices=False)
    kept = values > zero_singular_value(values.max(initial=0.0), *A.shape)
    U, values, Vt = U[:, kept], values[kept], Vt[kept]
    coef = Vt.T @ ((U.T @ targets) / values[:, None])
    return coef, U @ (U.T @ (targets - A @ coef))
