"""Rows in an array of another library: a torch tensor on a GPU, say."""

from __future__ import annotations

import numpy as np

from .array import ArraySource
from .base import Block, Kernel, Source
from .device_array import DeviceArray, all_to_host, to_device
from .float32_rows import Float32Rows
from .lanes import add_in_order

# A device that is not the CPU wants few large blocks: each costs the time to launch its kernels.
CPU_BLOCK_BYTES = 1 << 22
DEVICE_BLOCK_BYTES = 1 << 30
MIN_BLOCK_ROWS = 1024


class DeviceSource(Source):
    """Rows that stay where they are; only sums over them come to the host.

    Parameters
    ----------
    X : DeviceArray of shape (n_samples, n_features)
    y : DeviceArray of shape (n_samples, n_outputs), or (n_samples,) of class codes
    sample_weight : DeviceArray of shape (n_samples,), default=None
    """

    is_numpy = False

    def __init__(self, X: DeviceArray, y: DeviceArray, sample_weight: DeviceArray | None = None):
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.n_rows, self.n_features = X.shape
        self.total_weight = float(self.n_rows if sample_weight is None else sample_weight.sum())
        n_bytes = CPU_BLOCK_BYTES if is_on_cpu(X) else DEVICE_BLOCK_BYTES
        # On a CPU a block's copy in float64 stays in the cache. Elsewhere it would be most of the
        # work, and rows stay as they are.
        self.narrow = not is_on_cpu(X) and X.dtype == np.float32
        if self.narrow:
            self.eps = float(np.finfo(np.float32).eps / np.sqrt(self.n_rows))
        self.block_rows = max(n_bytes // (8 * self.n_features), MIN_BLOCK_ROWS)

    @property
    def dtype(self):
        return self.X.dtype

    def _parts(self, start: int, stop: int) -> tuple:
        rows = slice(start, min(stop, self.n_rows))
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        X = Float32Rows(self.X.array[rows, ...], self.X.xp) if self.narrow else self.X[rows]
        return X, self.y[rows], weight

    def map_sum(self, kernel: Kernel, *params) -> tuple:
        starts = range(0, self.n_rows, self.block_rows)
        there = [
            DeviceArray(to_device(p, self.X), self.X.xp) if isinstance(p, np.ndarray) else p
            for p in params
        ]
        parts = [kernel(*self._parts(i, i + self.block_rows), *there) for i in starts]
        # Sums of numbers that are still on the device are added there and sent once.
        return all_to_host(add_in_order(parts))

    def take(self, rows, sample_weight=None) -> ArraySource:
        X, y, weight = self._rows(rows)
        if sample_weight is None and weight is not None:
            sample_weight = np.asarray(weight)
        return ArraySource(np.asarray(X), np.asarray(y), sample_weight)

    def part(self, rows) -> DeviceSource:
        """Return a source of copies of these rows on the device."""
        return DeviceSource(*self._rows(rows))

    def weight_of(self, rows):
        return None if self.sample_weight is None else np.asarray(_gather(self.sample_weight, rows))

    def block(self, start: int, stop: int) -> Block:
        return tuple(
            part if part is None else np.asarray(part) for part in self._parts(start, stop)
        )

    def _rows(self, rows) -> tuple:
        arrays = self.X, self.y, self.sample_weight
        return tuple(a if a is None else _gather(a, rows) for a in arrays)


def is_on_cpu(array: DeviceArray) -> bool:
    return "cpu" in str(array.device).lower()


def _gather(array: DeviceArray, rows) -> DeviceArray:
    index = to_device(np.asarray(rows, dtype=np.int64), array)
    return DeviceArray(array.xp.take(array.array, index, axis=0), array.xp)
