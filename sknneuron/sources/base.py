"""What every source of rows offers, wherever its rows live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .array import ArraySource

Kernel = Callable[..., tuple]
Block = tuple


class Source(ABC):
    """Rows of a training set, read through sums over them.

    Attributes
    ----------
    n_rows, n_features : int
    total_weight : float
        Sum of the sample weights; the number of rows without any.
    is_sparse : bool
        Whether blocks are CSR matrices.
    in_memory : bool
        Whether `X`, `y` and `sample_weight` are there as arrays of this process.
    is_numpy : bool
        Whether blocks are numpy's arrays or CSR matrices.
    is_near : bool
        Whether to read all rows once more costs no more than a sum over them does, and `y`,
        `sample_weight` and any ``column(j)`` are at hand.
    eps : float
        Relative rounding of the sums.
    """

    in_memory: ClassVar[bool] = False
    is_numpy: ClassVar[bool] = True
    is_near: ClassVar[bool] = False
    eps: float = float(np.finfo(np.float64).eps)
    is_sparse: bool = False
    n_rows: int
    n_features: int
    total_weight: float

    @property
    @abstractmethod
    def dtype(self) -> np.dtype:
        """Type of the features."""

    @abstractmethod
    def map_sum(self, kernel: Kernel, *params) -> tuple:
        """Return ``kernel(X, y, sample_weight, *params)`` summed over all blocks, in float64.

        Parts are added in a fixed order, whoever computed them.

        Parameters
        ----------
        kernel : callable
            Takes one block and `params`, returns a tuple of arrays. Stateless and picklable.
        """

    def sum_targets(self, kernel: Kernel) -> tuple:
        """Return ``kernel(None, y, sample_weight)``, or `map_sum` of it: it does not read X."""
        return self.map_sum(kernel)

    @abstractmethod
    def take(self, rows, sample_weight=None) -> ArraySource:
        """Return copies of these rows in memory; `sample_weight` replaces their weights."""

    def in_single(self, rows, sample_weight=None) -> ArraySource:
        """Return copies of these dense rows in float32, with weights as in `take`.

        They steer a solver, and need no more digits.
        """
        return self.take(rows, sample_weight).in_single(np.arange(len(rows)))

    @property
    def subset_bytes(self) -> int:
        """Memory that a row of a `subset` takes."""
        return self.dtype.itemsize * self.n_features

    def subset(self, rows, sample_weight=None, *, once: bool = False) -> Source:
        """Return these rows as a source, by a copy if need be, with weights as in `take`.

        With `once` they are to be read a single time.
        """
        return self.take(rows, sample_weight)

    @abstractmethod
    def block(self, start: int, stop: int) -> Block:
        """Return (X, y, sample_weight) of rows start to stop as arrays in memory."""

    def weight_of(self, rows):
        """Sample weights of these rows, None if there are none."""
        return self.take(rows).sample_weight

    def gathered(self) -> ArraySource:
        """All rows in memory: for problems so small that nothing speaks against it."""
        return self.take(np.arange(self.n_rows))

    def spread(self, n_rows: int) -> ArraySource:
        """At most `n_rows` evenly spaced rows in memory."""
        if self.n_rows <= n_rows:
            return self.gathered()
        rows = np.arange(n_rows) * ((self.n_rows - 1) / max(n_rows - 1, 1))
        return self.take(rows.astype(np.intp))

    def close(self) -> None:  # noqa: B027  (most have nothing to release)
        """Release what the source holds: nothing, where rows are the caller's."""
