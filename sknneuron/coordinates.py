"""Where solvers work: columns centred and scaled, whatever units they come in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kernels import RowsApart
from .products import column_moments

# Rows that a column's centre and scale are taken from: they steer the solver and need no precision.
N_COORDINATE_ROWS = 4096
# Past this ratio of a column's mean to its deviation, rows are centred before they are multiplied.
FAR_FROM_ZERO = 1e5


@dataclass(frozen=True)
class Coordinates:
    """Where a solver works: column j is ``(x_j - center_j) / scale_j``."""

    center: np.ndarray
    scale: np.ndarray
    center_rows: bool = False
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
        if np.logical_and.reduce(size < FAR_FROM_ZERO * scale):
            return cls(center, scale)
        # A column constant in the sample has no deviation to go by; its size will do.
        # Sparse columns are not centred first: their variance is a difference, with its rounding.
        constant = ~(scale > (1e-6 if sample.is_sparse else 1e-12) * size)
        if constant.any():
            scale[constant] = np.where(size[constant] > 0, size[constant], 1.0)
        center_rows = not sample.is_sparse and bool(np.any(size > FAR_FROM_ZERO * scale))
        suspects = np.flatnonzero(constant & (size > 0))
        if not len(suspects) or not source.is_numpy:
            return cls(center, scale, center_rows)
        first = sample.X[:1]
        first = first.toarray() if sample.is_sparse else first
        (n_apart,) = source.map_sum(RowsApart(suspects, first[0, suspects]))
        suspects = suspects[n_apart == 0]
        return cls(center, scale, center_rows, suspects if len(suspects) else None)

    def only(self, columns) -> Coordinates:
        """Those of some columns."""
        constant = self.constant
        if constant is not None:
            constant = np.flatnonzero(np.isin(columns, constant))
        return Coordinates(self.center[columns], self.scale[columns], self.center_rows, constant)
