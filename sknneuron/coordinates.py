"""Where solvers work: columns centred and scaled, whatever units they come in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kernels import RowsApart
from .products import column_moments

# Rows that a column's centre and scale are taken from: they steer the solver and need no precision.
N_COORDINATE_ROWS = 4096
# Past this ratio of a column's mean to its deviation, rows are centred before they are multiplied:
# dense ones for the digits of z, sparse ones for those of their products too.
FAR_FROM_ZERO, FAR_FROM_ZERO_SPARSE = 1e5, 1e3


@dataclass(frozen=True)
class Coordinates:
    """Where a solver works: column j is ``(x_j - center_j) / scale_j``."""

    center: np.ndarray
    scale: np.ndarray
    # Columns so far from zero that products of them as they are would lose too many digits.
    far: np.ndarray | None = None
    # Columns with the same number in every row, a bias in all but name. Centred they are zero, but
    # for rounding, which is not to be taken for a slope or a curvature.
    constant: np.ndarray | None = None

    @classmethod
    def of(cls, source, fit_intercept: bool) -> Coordinates:
        """Centre and scale of the columns, from at most `N_COORDINATE_ROWS` evenly spaced rows."""
        sample = source.spread(N_COORDINATE_ROWS)
        mean, variance = column_moments(sample.X, fit_intercept)
        center = mean if fit_intercept else np.zeros(sample.n_features)
        scale = np.sqrt(variance)
        size = np.abs(center)
        limit = FAR_FROM_ZERO_SPARSE if sample.is_sparse else FAR_FROM_ZERO
        if np.count_nonzero(size < limit * scale) == len(size):
            return cls(center, scale)
        # A column constant in the sample has no deviation to go by; its size will do.
        constant = ~(scale > 1e-12 * size)
        if constant.any():
            scale[constant] = np.where(size[constant] > 0, size[constant], 1.0)
        beyond = size > limit * scale
        far = beyond if beyond.any() else None
        suspects = np.flatnonzero(constant & (size > 0))
        if not len(suspects) or not source.is_numpy:
            return cls(center, scale, far)
        first = sample.X[:1]
        first = first.toarray() if sample.is_sparse else first
        (n_apart,) = source.map_sum(RowsApart(suspects, first[0, suspects]))
        suspects = suspects[n_apart == 0]
        return cls(center, scale, far, suspects if len(suspects) else None)

    def only(self, columns) -> Coordinates:
        """Those of some columns."""
        constant = self.constant
        if constant is not None:
            constant = np.flatnonzero(np.isin(columns, constant))
        far = None if self.far is None else self.far[columns]
        return Coordinates(self.center[columns], self.scale[columns], far, constant)
