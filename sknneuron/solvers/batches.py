"""Mini-batches in random order, without a copy of X."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy import sparse

from ..objective import Objective

# Blocks hold about as much as a core's cache, and at least this many batches to mix their rows.
BLOCK_BYTES = 1 << 20
MIN_BATCHES = 16
# Rows that tell how full sparse ones are.
N_ROWS_LOOKED_AT = 1000
# Few rows are cut smaller than asked for: with a step or two an epoch no momentum would settle.
LEAST_STEPS = 8


def rows_per_step(n_rows: int, batch_size: int) -> int:
    """Rows in a batch, given how many there are."""
    return min(batch_size, -(-n_rows // LEAST_STEPS))


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
        self.batch_size = rows_per_step(self.source.n_rows, batch_size)
        bytes_per_row = 8.0 * self.source.n_features
        if self.source.is_sparse:
            some = self.source.spread(N_ROWS_LOOKED_AT)
            bytes_per_row = 12.0 * some.X.nnz / some.n_rows + 8
        in_cache = BLOCK_BYTES / (bytes_per_row * self.batch_size)
        self.batches_per_block = max(MIN_BATCHES, round(in_cache))

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple]:
        """Yield (X, y, sample_weight) of every batch once; weights as a column, or None."""
        edges = self._edges(rng)
        for i in rng.permutation(len(edges) - 1):
            X, y, weight = self.source.block(int(edges[i]), int(edges[i + 1]))
            n_rows = len(y)
            n_batches = max(1, round(n_rows / self.batch_size))
            # A lone block has no edges that change, so only a shuffle puts its rows together anew.
            if len(edges) > 2 and not self.source.is_sparse and X.flags.c_contiguous:
                slices = [slice(j, n_rows, n_batches) for j in rng.permutation(n_batches).tolist()]
            else:
                order = rng.permutation(n_rows)
                X, y, weight = X[order], y[order], None if weight is None else weight[order]
                cuts = np.linspace(0, n_rows, n_batches + 1).astype(int).tolist()
                slices = [slice(*cut) for cut in pairwise(cuts)]
            cut = _csr_slice if self.source.is_sparse else _dense_slice
            for rows in slices:
                yield cut(X, rows), y[rows], None if weight is None else weight[rows, None]

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


def _dense_slice(X, rows: slice):
    X = X[rows]
    return X if X.dtype == np.float64 else X.astype(np.float64)


def _csr_slice(X, rows: slice):
    # scipy's own slicing takes several times as long.
    first, last = X.indptr[rows.start], X.indptr[rows.stop]
    data = X.data[first:last].astype(np.float64, copy=False)
    parts = data, X.indices[first:last], X.indptr[rows.start : rows.stop + 1] - first
    return sparse.csr_matrix(parts, shape=(rows.stop - rows.start, X.shape[1]))


class CentredRows:
    """The weighted sum and its gradient on rows whose columns are centred without being touched.

    Parameters
    ----------
    objective : Objective
    weights : ndarray of shape (n_neurons, n_features [+ 1])
        The bias last, that of centred columns. Later changes to the array are seen.
    """

    def __init__(self, objective: Objective, weights):
        self.is_sparse = objective.source.is_sparse
        self.center = objective.coordinates.center if objective.fit_intercept else None
        features = slice(0, objective.n_features)
        self._weights, self._bias = weights[:, features], weights[:, -1]
        self._columns = self._weights.T
        # Views made once: a batch is so small that making them would be felt.
        self._gradient = np.empty_like(weights)
        self._weight_gradient = self._gradient[:, features]
        self._bias_gradient = self._gradient[:, -1]
        self._bias_column = self._gradient[:, -1:]

    def pre_activation(self, X):
        """z, (n_rows, n_neurons)."""
        z = X @ self._columns
        if self.center is not None:
            z += self._bias - self._weights.dot(self.center)
        return z

    def gradient(self, X, r):
        """Sum over the rows of the gradient, from slopes r (n_rows, n_neurons).

        The array is used again by the next call.
        """
        product = (X.T @ r).T if self.is_sparse else r.T @ X
        if self.center is None:
            return product
        np.add.reduce(r, axis=0, out=self._bias_gradient)
        of_center = self._bias_column.dot(self.center[None])
        np.subtract(product, of_center, out=self._weight_gradient)
        return self._gradient

    def squared_lengths(self, X, factor):
        """Squared length of each centred row, its squares multiplied by `factor`."""
        squares = X.multiply(X).tocsr() if self.is_sparse else X * X
        if self.center is None:
            return squares @ factor
        f = factor[:-1]
        centred = squares @ f - 2 * (X @ (f * self.center)) + f @ self.center**2
        return np.maximum(centred, 0.0) + factor[-1]
