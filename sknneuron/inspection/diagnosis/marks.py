"""Check for numbers that stand for a missing value: -999 among areas, 99 among ages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from .base import Check
from .data import NAMED_ROWS
from .finding import Finding

# A number that occurs less often is an outlier, if anything.
LEAST_TIMES = 3
# Columns of fewer other values are codes or counts, of which any may be meant.
LEAST_VALUES = 10
# Deviations of the others that a mark lies beyond the nearest of them.
APART = 2.0
# A whole number behind a scaler is one but for this.
ROUNDING = 1e-6


class MissingMark(Check):
    """A number at a column's edge that repeats, far from all others or the only negative one."""

    code = "MISSING_MARK"

    def __call__(self, subject) -> Iterator[Finding]:
        X = subject.evidence.X
        if sparse.issparse(X):
            return
        for j in np.flatnonzero((subject.scale > 0) & ~subject.is_two_valued):
            for edge in (np.argmin, np.argmax):
                finding = self._at_edge(subject, int(j), X[:, j], int(edge(X[:, j])))
                if finding is not None:
                    yield finding

    def _at_edge(self, subject, j: int, x, row: int) -> Finding | None:
        is_mark = x == x[row]
        times, others = int(is_mark.sum()), x[~is_mark]
        if times < LEAST_TIMES or len(np.unique(others)) < LEAST_VALUES:
            return None
        nearest = int(np.argmin(np.where(is_mark, np.inf, np.abs(x - x[row]))))
        value, neighbour = subject.raw_value(row, j), subject.raw_value(nearest, j)
        far = abs(x[nearest] - x[row]) > APART * others.std()
        whole = round(value)
        is_whole = abs(value - whole) <= ROUNDING * max(1.0, abs(value))
        only_negative = whole < 0 <= neighbour
        # None of something (no garage, no pool) is a value like any other.
        if not is_whole or whole == 0 or not (far or only_negative):
            return None
        name, rows = subject.names[j], subject.row_numbers[is_mark][:NAMED_ROWS]
        column = subject.column(j)
        if column is not None and self._is_filled_in(column, j, x[row]):
            if len(column.indicators):
                return None  # The indicator's weight makes up for any number.
            said = f"An imputer fills {whole} into column {name!r} in {times} of {len(x)} rows"
            fate = "its weight takes it for a number like the others."
            advice = (
                "Impute what is typical (SimpleImputer(strategy='median', add_indicator=True)) "
                f"in {name!r}."
            )
        else:
            said = f"Column {name!r} has {whole} in {times} of {len(x)} rows"
            fate = (
                "it looks like the mark of a missing value, and its weight takes it for a number."
            )
            advice = (
                f"If it is one, put SimpleImputer(missing_values={whole}, add_indicator=True) "
                f"before the scaler of {name!r}."
            )
        return Finding(
            self.code,
            "warning" if far else "info",
            times / len(x),
            f"{said}, and nothing between that and {neighbour:.4g}: {fate}",
            advice,
            features=(name,),
            rows=tuple(rows.tolist()),
        )

    @staticmethod
    def _is_filled_in(column, j: int, value: float) -> bool:
        """Whether an imputer put this input in place of missing values."""
        filled = float(column.missing[column.inputs == j][0])
        return column.imputed is not None and abs(value - filled) <= ROUNDING * max(1, abs(filled))
