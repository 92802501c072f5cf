"""Few long rows about their centre: products with them and among them, without a copy of all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ..objective import Objective

# Deviations that a column's mean may be away from zero, and its digits are not missed.
NEAR = 10
# Numbers of centred rows that are held at once.
CHUNK = 1 << 19


class LongRows:
    """The rows A of an objective, about the centre of its coordinates.

    Parameters
    ----------
    objective : Objective
        On rows in memory.

    Attributes
    ----------
    source : ArraySource
    n_rows : int
    unit : ndarray of shape (n_features,)
        What columns are divided by: where nothing penalises weights, their scale, so that none
        counts for little because of the units that it comes in.
    """

    def __init__(self, objective: Objective):
        self.source = objective.source.gathered()
        self.X, self.n_rows = self.source.X, self.source.n_rows
        coordinates = objective.coordinates
        self.center, self.constant = coordinates.center, coordinates.constant
        is_free = objective.penalty.l2 == 0
        self.unit = coordinates.scale if is_free else np.ones_like(coordinates.scale)
        # Whether products may be taken first, and centred then.
        is_double = self.X.dtype == np.float64 and self.constant is None
        self.is_near = is_double and _are_near(coordinates)

    @staticmethod
    def keep_digits(objective: Objective) -> bool:
        """Whether no digits are lost: sparse rows are centred after they are multiplied."""
        coordinates = objective.coordinates
        return not objective.source.is_sparse or (
            coordinates.constant is None and _are_near(coordinates)
        )

    def products(self):
        """``A @ A.T``."""
        if self.source.is_sparse:
            X, center = self.X @ sparse.diags_array(1 / self.unit), self.center / self.unit
            moved = X @ center
            return (X @ X.T).toarray() - moved - moved[:, None] + center @ center
        return sum(part @ part.T for _, part in self._parts())

    def times(self, coef):
        """``A @ coef.T`` of (n_neurons, n_features) weights."""
        if self.is_near or self.source.is_sparse:
            coef = coef / self.unit
            return self.X @ coef.T - coef @ self.center
        return sum(part @ coef[:, columns].T for columns, part in self._parts())

    def summed(self, u):
        """``u @ A`` of (n_neurons, n_rows) numbers."""
        if self.is_near or self.source.is_sparse:
            return (u @ self.X - np.outer(u.sum(axis=1), self.center)) / self.unit
        return np.hstack([u @ part for _, part in self._parts()])

    def _parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some columns at a time; those of one number are zero."""
        width = max(1, CHUNK // self.n_rows)
        for start in range(0, self.X.shape[1], width):
            columns = slice(start, start + width)
            part = self.X[:, columns] - self.center[columns]
            part /= self.unit[columns]
            if self.constant is not None:
                within = (self.constant >= start) & (self.constant < start + width)
                part[:, self.constant[within] - start] = 0.0
            yield columns, part


def _are_near(coordinates) -> bool:
    return bool(np.all(np.abs(coordinates.center) <= NEAR * coordinates.scale))
