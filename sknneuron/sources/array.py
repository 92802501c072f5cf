"""Rows in memory: a numpy array (a memory map included) or a CSR matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .._csr import rows_of
from .base import Block, Kernel, Source
from .lanes import Workers, add

# A block is streamed past temporaries of a tenth of its size, which stay in a core's cache. Shorter
# operations than on this many rows cost threads more in handing on the interpreter than they share.
BLOCK_BYTES = 1 << 22
MAX_BLOCK_ROWS = 32768
MIN_BLOCK_ROWS = 256
# Of rows that are in a cache already: as little as is worth handing to another thread.
HELD_BLOCK_BYTES = 1 << 20
# Blocks are summed in this many lanes, each in order, and the lanes in order: the sum is the same
# to the last bit however many threads share the lanes.
N_LANES = 32
# Bytes of rows gathered at once: enough that numpy works longer on them than Python, whose lock is
# handed from thread to thread at each operation, and few enough to stay in a cache.
GATHERED_BYTES = 3 << 18
# Memory for a row of `Gathered`: its number, its weight, and what choosing it took.
BYTES_PER_GATHERED = 32


class ArraySource(Source):
    """Rows of a numpy array or a CSR matrix, read in cache-sized blocks and never copied.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs), or (n_samples,) of class codes
        Bytes stand for floats or codes, which they are handed out as.
    sample_weight : ndarray of shape (n_samples,), default=None
        None stands for ones.
    workers : Workers, default=None
        Threads that share the blocks; None for the calling one alone. The sums do not depend on it.
    block_bytes : int, default=4 MiB
        Size of a block of dense rows.
    """

    in_memory = True
    is_near = True

    def __init__(
        self,
        X,
        y,
        sample_weight=None,
        *,
        workers: Workers | None = None,
        block_bytes: int = BLOCK_BYTES,
    ):
        self.X = X
        self.y = y
        self.sample_weight = sample_weight
        self.workers = Workers() if workers is None else workers
        self.n_rows, self.n_features = X.shape
        self.is_sparse = sparse.issparse(X)
        self.total_weight = float(self.n_rows if sample_weight is None else sample_weight.sum())
        self.block_bytes = block_bytes
        self.block_rows = self._block_rows()
        self.n_blocks = -(-self.n_rows // self.block_rows)

    @property
    def dtype(self):
        return self.X.dtype

    def _block_rows(self) -> int:
        if self.is_sparse:
            # A block's gradient is a dense vector, so a block should hold more entries than that.
            entries_per_row = max(self.X.nnz / max(self.n_rows, 1), 1.0)
            entries = max(BLOCK_BYTES // 8, 8 * self.n_features)
            return int(max(entries / entries_per_row, MIN_BLOCK_ROWS))
        rows = self.block_bytes // (self.dtype.itemsize * self.n_features)
        return max(MIN_BLOCK_ROWS, min(rows, MAX_BLOCK_ROWS))

    def block(self, start: int, stop: int) -> Block:
        """Return (X, y, sample_weight) of rows start to stop, as views."""
        weight = None if self.sample_weight is None else self.sample_weight[start:stop]
        y = as_numbers(self.y[start:stop])
        if not self.is_sparse:
            return self.X[start:stop], y, weight
        return rows_of(self.X, start, stop), y, weight

    def map_sum(self, kernel: Kernel, *params) -> tuple:
        if self.n_blocks == 1:
            return kernel(*self.block(0, self.n_rows), *params)

        bounds = np.linspace(0, self.n_blocks, min(N_LANES, self.n_blocks) + 1).astype(int)

        # As the training has it, which other threads do not know.
        @np.errstate(over="ignore", invalid="ignore")
        def sum_lane(lane: int) -> tuple:
            total: Any = None
            for i in range(bounds[lane], bounds[lane + 1]):
                start = i * self.block_rows
                rows = self.block(start, min(start + self.block_rows, self.n_rows))
                part = kernel(*rows, *params)
                total = part if total is None else add(total, part)
            return total

        return self.workers.sum_in_order(sum_lane, len(bounds) - 1)

    @property
    def targets(self):
        """Targets of all rows, as kernels want them."""
        return as_numbers(self.y)

    def sum_targets(self, kernel: Kernel) -> tuple:
        return kernel(None, self.targets, self.sample_weight)

    def take(self, rows, sample_weight=None) -> ArraySource:
        if sample_weight is None:
            sample_weight = self.weight_of(rows)
        X, y = _rows_of(self.X, rows), as_numbers(_rows_of(self.y, rows))
        return ArraySource(X, y, sample_weight, workers=self.workers)

    def in_single(self, rows, sample_weight=None) -> ArraySource:
        X = np.empty((len(rows), self.n_features), np.float32)
        for start in range(0, len(rows), MIN_BLOCK_ROWS):
            part = slice(start, start + MIN_BLOCK_ROWS)
            X[part] = _rows_of(self.X, rows[part])
        if sample_weight is None:
            sample_weight = self.weight_of(rows)
        return ArraySource(
            X,
            as_numbers(_rows_of(self.y, rows)),
            sample_weight,
            workers=self.workers,
            block_bytes=HELD_BLOCK_BYTES,
        )

    @property
    def subset_bytes(self) -> int:
        return super().subset_bytes if self.is_sparse else BYTES_PER_GATHERED

    def subset(self, rows, sample_weight=None, *, once: bool = False) -> Source:
        is_small = 8 * len(rows) * self.n_features <= BLOCK_BYTES
        if self.is_sparse or (is_small and not once):
            return self.take(rows, sample_weight)
        return Gathered(self, rows, sample_weight)

    def weight_of(self, rows):
        return None if self.sample_weight is None else self.sample_weight[rows]

    def column(self, j: int):
        """Return column j of all rows, dense."""
        return self.X[:, [j]].toarray().ravel() if self.is_sparse else self.X[:, j]

    def gathered(self) -> ArraySource:
        return self


class Gathered(ArraySource):
    """Some rows of an array, gathered block by block whenever they are read.

    A copy of many rows would take memory, and more time than it takes to read them now and then.

    Parameters
    ----------
    source : ArraySource
        Dense.
    rows : ndarray of int
    sample_weight : ndarray, default=None
        In place of the source's own.
    """

    # There is no array of these rows alone.
    in_memory = False

    def __init__(self, source: ArraySource, rows, sample_weight=None):
        self.source = source
        self.rows = rows
        self._weight = sample_weight
        self.workers = source.workers
        self.n_rows, self.n_features = len(rows), source.n_features
        weight = self.sample_weight
        self.total_weight = float(self.n_rows if weight is None else weight.sum())
        # Each thread holds a copy of its block; a Hessian wants more rows in one than it has.
        n_rows = GATHERED_BYTES // (self.dtype.itemsize * self.n_features)
        n_rows = max(MIN_BLOCK_ROWS, n_rows, 2 * self.n_features)
        self.block_rows = min(n_rows, source.block_rows)
        self.n_blocks = -(-self.n_rows // self.block_rows)

    @property
    def dtype(self):
        return self.source.dtype

    @property
    def y(self):
        """Targets of the rows, gathered for who asks."""
        return _rows_of(self.source.y, self.rows)

    @property
    def sample_weight(self):
        """Weights of the rows, gathered for who asks if they are the source's."""
        return self.source.weight_of(self.rows) if self._weight is None else self._weight

    def column(self, j: int):
        return self.source.column(j)[self.rows]

    def weight_of(self, rows):
        if self._weight is not None:
            return self._weight[rows]
        return self.source.weight_of(self.rows[rows])

    def block(self, start: int, stop: int) -> Block:
        rows, weight = self.rows[start:stop], self.weight_of(slice(start, stop))
        return _rows_of(self.source.X, rows), as_numbers(_rows_of(self.source.y, rows)), weight

    def take(self, rows, sample_weight=None) -> ArraySource:
        if sample_weight is None:
            sample_weight = self.weight_of(rows)
        return self.source.take(self.rows[rows], sample_weight)

    def in_single(self, rows, sample_weight=None) -> ArraySource:
        if sample_weight is None:
            sample_weight = self.weight_of(rows)
        return self.source.in_single(self.rows[rows], sample_weight)

    def subset(self, rows, sample_weight=None, *, once: bool = False) -> Source:
        if sample_weight is None:
            sample_weight = self.weight_of(rows)
        return self.source.subset(self.rows[rows], sample_weight, once=once)

    def gathered(self) -> ArraySource:
        return self.source.take(self.rows, self.sample_weight)


def as_numbers(y):
    """Targets as kernels want them: bytes as floats, or as codes if they are a vector."""
    if y.dtype.itemsize > 1:
        return y
    return y.astype(np.float64 if y.ndim == 2 else np.intp)


def _rows_of(array, rows):
    if type(array) is np.ndarray and array.flags.c_contiguous:
        # Whole rows at a time. Of another layout it would copy the array first.
        return array.take(rows, axis=0)
    return array[rows]
