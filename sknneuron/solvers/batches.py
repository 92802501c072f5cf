"""Mini-batches in random order, without a copy of X."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ..kernels import _transposed_product
from ..objective import Objective

# Blocks hold about as much as a core's cache, and at least this many batches to mix their rows.
BLOCK_BYTES = 1 << 20
MIN_BATCHES = 16


class Rows:
    """Rows whose columns are centred without being touched.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
    center : ndarray of shape (n_features,), or None without a bias
    """

    __slots__ = ("X", "center")

    def __init__(self, X, center):
        self.X = X
        self.center = center

    def pre_activation(self, weights):
        """z of weights (n_neurons, n_features [+ 1]), the bias last and that of centred columns."""
        if self.center is None:
            return self.X @ weights.T
        w = weights[:, :-1]
        z = self.X @ w.T
        z += weights[:, -1] - w @ self.center
        return z

    def gradient(self, r):
        """Sum over the rows of the gradient in the weights, from slopes r (n_rows, n_neurons)."""
        product = _transposed_product(self.X, r)
        if self.center is None:
            return product
        gradient = np.empty((r.shape[1], self.X.shape[1] + 1))
        gradient[:, -1] = r.sum(axis=0)
        np.subtract(product, gradient[:, -1:] * self.center, out=gradient[:, :-1])
        return gradient

    def squared_norms(self, precondition):
        """Squared length of each centred row, its squares weighted by `precondition`."""
        squares = self.X.multiply(self.X).tocsr() if sparse.issparse(self.X) else self.X * self.X
        if self.center is None:
            return squares @ precondition
        p = precondition[:-1]
        centred = squares @ p - 2 * (self.X @ (p * self.center)) + p @ self.center**2
        return np.maximum(centred, 0.0) + precondition[-1]


class Batches:
    """Draws batches of an objective's rows.

    Batches are spread over blocks of contiguous rows: rows that lie apart by a stride that changes
    from epoch to epoch, which needs no copy, or, where memory is laid out otherwise, rows of a
    block that is shuffled. Blocks and batches come in random order. Both cost half of gathering
    rows from all over memory, and mix rows that were sorted.

    Parameters
    ----------
    objective : Objective
    batch_size : int
    """

    def __init__(self, objective: Objective, batch_size: int):
        self.source = objective.source
        self.center = objective.coordinates.center if objective.fit_intercept else None
        self.batch_size = min(batch_size, self.source.n_rows)
        bytes_per_row = 8.0 * self.source.n_features
        if self.source.is_sparse:
            bytes_per_row = 12.0 * self.source.X.nnz / self.source.n_rows + 8
        in_cache = BLOCK_BYTES / (bytes_per_row * self.batch_size)
        self.batches_per_block = max(MIN_BATCHES, round(in_cache))

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple]:
        """Yield (rows, y, sample_weight) of every batch once."""
        edges = self._edges(rng)
        for i in rng.permutation(len(edges) - 1):
            block = self.source.block(int(edges[i]), int(edges[i + 1]))
            n_rows = len(block[1])
            n_batches = max(1, round(n_rows / self.batch_size))
            # Rows of one memory line each can be strided over. A lone block has no edges that
            # change, so only a shuffle puts its rows together anew.
            in_rows = not self.source.is_sparse and block[0].flags.c_contiguous
            if in_rows and len(edges) > 2:
                slices = [slice(j, n_rows, n_batches) for j in rng.permutation(n_batches)]
            else:
                block = self._shuffled(block, rng.permutation(n_rows))
                cuts = np.linspace(0, n_rows, n_batches + 1).astype(int).tolist()
                slices = [slice(*cut) for cut in zip(cuts[:-1], cuts[1:], strict=True)]
            for rows in slices:
                yield self._batch(block, rows)

    def whole(self) -> tuple:
        """All rows as one batch: for a subsample."""
        block = self.source.X, self.source.y, self.source.sample_weight
        return self._batch(block, slice(0, self.source.n_rows))

    def _edges(self, rng):
        """Where blocks begin, elsewhere in each epoch."""
        n_rows = self.source.n_rows
        size = self.batches_per_block * self.batch_size
        if n_rows < 2 * size:
            return np.array([0, n_rows])
        size = int(size * rng.uniform(0.75, 1.25))
        first = int(size * rng.uniform(0.5, 1.0))
        edges = np.arange(first, n_rows - size // 2, size)
        return np.concatenate([[0], edges, [n_rows]])

    @staticmethod
    def _shuffled(block, order):
        X, y, weight = block
        return X[order], y[order], None if weight is None else weight[order]

    def _batch(self, block, rows):
        X, y, weight = block
        part = _csr_slice(X, rows) if self.source.is_sparse else X[rows]
        if part.dtype != np.float64:
            part = part.astype(np.float64)
        return Rows(part, self.center), y[rows], None if weight is None else weight[rows, None]


def _csr_slice(X, rows: slice):
    # scipy's own slicing takes several times as long.
    first, last = X.indptr[rows.start], X.indptr[rows.stop]
    parts = X.data[first:last], X.indices[first:last], X.indptr[rows.start : rows.stop + 1] - first
    return sparse.csr_matrix(parts, shape=(rows.stop - rows.start, X.shape[1]))
