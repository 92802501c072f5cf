"""Rows spread over the workers of a dask cluster, or over the threads of this process.

A task per chunk and evaluation would cost milliseconds per chunk, every time. So chunks are packed
once into a few packs, which stay where they are; an evaluation is one task per pack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask
import numpy as np
from scipy import sparse

from ._blas import single_threaded_blas
from .array import ArraySource
from .base import Block, Kernel, Source
from .lanes import add_in_order

PACKS_PER_THREAD = 2


class RowsLostError(RuntimeError):
    """Rows are gone from the cluster and nothing says how to get them back."""


@dataclass(frozen=True)
class Pack:
    """Some partitions' rows, one after the other, on a worker.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray
    weight : ndarray of shape (n_samples,) or None
    starts : ndarray of int
        The row with which each partition begins.
    first : int
        Number of the first partition.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    starts: np.ndarray
    first: int

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    def partition_of(self, row: int) -> int:
        """Number of the partition that a row came from."""
        return self.first + int(np.searchsorted(self.starts, row, side="right")) - 1

    def sum(self, kernel: Kernel, params) -> tuple | None:
        """What `Source.map_sum` gives over these rows; None without rows."""
        if not self.n_rows:
            return None
        with single_threaded_blas():
            return ArraySource(self.X, self.y, self.weight).map_sum(kernel, *params)

    def take(self, rows) -> Block:
        return self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows]

    def part(self, rows) -> Pack:
        X, y, weight = self.take(rows)
        return replace(self, X=X, y=y, weight=weight, starts=np.zeros(1, dtype=int))


class DaskSource(Source):
    """Packs of rows; only sums over them come here.

    Parameters
    ----------
    packs : list of delayed Pack
        Persisted: each is on a worker, and dask knows how to make it again.
    lengths : list of int
        Rows of each pack.
    n_features : int
    dtype : numpy dtype
    total_weight : float
    is_sparse : bool, default=False
    """

    def __init__(
        self, packs: list, lengths, n_features: int, dtype, total_weight: float, is_sparse=False
    ):
        self.packs = packs
        self.ends = np.cumsum(lengths)
        self.n_rows = int(self.ends[-1])
        self.n_features = n_features
        self.total_weight = total_weight
        self.is_sparse = is_sparse
        self._dtype = np.dtype(dtype)

    @property
    def dtype(self):
        return self._dtype

    def map_sum(self, kernel: Kernel, *params) -> tuple:
        parts = on_packs(partial(_sum, kernel=kernel, params=params), self.packs)
        return add_in_order([part for part in parts if part is not None])

    def take(self, rows, sample_weight=None) -> ArraySource:
        rows = np.asarray(rows)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self.ends)
        calls, packs, start = [], [], 0
        for pack, end, first in zip(self.packs, cuts, [0, *self.ends], strict=False):
            if end > start:
                calls.append(partial(_take, rows=rows[order[start:end]] - first))
                packs.append(pack)
            start = end
        parts = on_packs(calls, packs)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        X, y, weight = (
            None if arrays[0] is None else stacked(arrays)[back]
            for arrays in zip(*parts, strict=True)
        )
        return ArraySource(X, y, weight if sample_weight is None else sample_weight)

    def block(self, start: int, stop: int) -> Block:
        rows = self.take(np.arange(start, min(stop, self.n_rows)))
        return rows.X, rows.y, rows.sample_weight

    def close(self) -> None:
        self.packs = []


def stacked(blocks: Sequence) -> Any:
    """Rows below rows: CSR if any of them are sparse, a numpy array otherwise."""
    if any(sparse.issparse(block) for block in blocks):
        return sparse.vstack(blocks, format="csr")
    return np.concatenate(blocks)


def _sum(pack: Pack, kernel: Kernel, params):
    return pack.sum(kernel, params)


def _take(pack: Pack, rows) -> Block:
    return pack.take(rows)


def n_packs(n_blocks: int) -> int:
    """How many packs to make of so many blocks: about two for each thread at work."""
    client = _client()
    threads = sum(client.ncores().values()) if client is not None else dask.system.CPU_COUNT
    return max(1, min(n_blocks, PACKS_PER_THREAD * threads))


def on_packs(call: Callable | Sequence[Callable], packs: list) -> list:
    """Call something on each pack, where it is, and bring the results here in order."""
    calls = [call] * len(packs) if callable(call) else call
    tasks = [dask.delayed(f, pure=False)(pack) for f, pack in zip(calls, packs, strict=True)]
    return compute(tasks)


def persisted(tasks: list) -> list:
    """Have tasks done, and their results kept where they were made."""
    return list(_watched(dask.persist, tasks))


def compute(tasks: list) -> list:
    """Have tasks done and their results brought here."""
    return list(_watched(dask.compute, tasks))


def _watched(do: Callable, tasks: list) -> Any:
    try:
        return do(*tasks, optimize_graph=False)
    except _signs_of_loss() as error:
        raise RowsLostError(
            "Rows were lost with a worker, and dask does not know how to make them again: data "
            "that was put on the cluster by hand, with client.scatter for one, has no recipe. "
            "Read it by dask (dask.dataframe.read_parquet, dask.array.from_array) instead, and "
            f"fit again. What dask said: {type(error).__name__}: {error}"
        ) from error


def _signs_of_loss() -> tuple[type[Exception], ...]:
    """What dask raises when results are gone; without a cluster none can be."""
    distributed = sys.modules.get("distributed")
    return () if distributed is None else (CancelledError, distributed.KilledWorker)


def _client():
    """The distributed client that tasks go to; None for a scheduler within this process."""
    scheduler = dask.base.get_scheduler()
    client = getattr(scheduler, "__self__", None)
    return client if hasattr(client, "ncores") else None
