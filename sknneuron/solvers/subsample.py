"""Which rows stand in for all rows: a random draw that is not blind to what is rare.

A uniform draw of a few thousand rows may miss a dummy that is set on ten rows altogether, and its
Hessian would then say nothing of that column. So the rows that carry rare columns, and those of a
rare class, are drawn more often, and count for as many rows as they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..losses import LogLoss
from ..objective import Objective

# A column is rare if fewer rows than this would carry it in the draw.
LEAST_SUPPORT = 100.0
# A class is rare if it holds fewer of the rows than this.
RARE_CLASS = 1 / 8
# A subsample is a copy: it must stay small beside what memory holds, however many rows there are.
MAX_SAMPLE_BYTES = 1 << 28
# Share of all rows that a subsample may hold in float32: less than 2% of float64's X.
MOST_HELD = 1 / 28
# Numbers of a subsample that are held however many rows there are.
HELD_ANYWAY = 1 << 19
# Least deviation of a column that float32 can hold.
LEAST_SCALE = 1e-30


def most_rows(source) -> int:
    """Rows of the largest subsample."""
    if source.is_sparse:
        return source.n_rows
    return max(1, MAX_SAMPLE_BYTES // (source.dtype.itemsize * source.n_features))


def most_held(objective: Objective) -> float:
    """Rows of the largest subsample that is held, rather than looked up anew for each sum."""
    source, is_far = objective.source, objective.row_center is not None
    if source.is_sparse or is_far or objective.coordinates.scale.min() < LEAST_SCALE:
        return 0.0
    least = HELD_ANYWAY / source.n_features
    return min(max(MOST_HELD * source.n_rows, least), MAX_SAMPLE_BYTES / (4 * source.n_features))


@dataclass
class RareRows:
    """Rows that carry columns on which a uniform draw would be blind.

    Parameters
    ----------
    columns : ndarray of int
    rows : ndarray of int
        Sorted.
    importance : ndarray
        Inclusion probability asked for, per unit of support wanted.
    """

    columns: np.ndarray
    rows: np.ndarray
    importance: np.ndarray
    luck: np.ndarray

    def kept(self, support: float, budget: int):
        """Rows to add so that each rare column has this support, and all their probabilities."""
        probability = np.minimum(1.0, self.importance * support)
        if probability.sum() > budget:
            probability *= budget / probability.sum()
        return self.rows[self.luck < probability], probability


@dataclass
class Draw:
    """Rows, and the probability with which they and any other row are included.

    Parameters
    ----------
    rows : ndarray of int
        Sorted.
    share : float
        Probability of a row.
    rare_share : float
        Probability of a row of the rare class.
    """

    rows: np.ndarray
    share: float
    rare_share: float


class Sampler:
    """Draws subsamples of an objective's rows.

    Parameters
    ----------
    objective : Objective
        On a dense array source.
    rng : Generator
    """

    def __init__(self, objective: Objective, rng: np.random.Generator):
        self.objective = objective
        self.rng = rng
        self.n_rows = objective.source.n_rows
        self.is_rare_class = self._find_rare_class()
        self.rare: RareRows | None = None

    def subsample(
        self, n_rows: int, support: float = LEAST_SUPPORT, copy: bool = True
    ) -> Objective:
        """The objective over about `n_rows` drawn rows, those that carry rare columns added.

        Without `copy` they are held in float32 if they are few, or looked up anew for each sum.
        """
        draw, source = self.draw(n_rows), self.objective.source
        rows, weight = draw.rows, None
        if self.rare is not None or self.is_rare_class is not None:
            probability = self._probability(draw, rows)
            if self.rare is not None:
                rows, probability = self._with_rare(draw, n_rows, support)
            weight = source.weight_of(rows)
            weight = (1.0 if weight is None else weight) / probability
        subset = source.take if copy else self._few_or_looked_up
        # Without weights of its own each row stands for as many others.
        sample = self.objective.over(subset(rows, weight))
        # A mean over rows, of which a part will do.
        sample.rounding = self.objective.rounding
        return sample

    def _few_or_looked_up(self, rows, weight):
        source = self.objective.source
        if len(rows) <= most_held(self.objective):
            held = source.in_single(rows, weight)
            # What is past the range of float32 would be infinite.
            if np.isfinite(np.add.reduce(held.X, axis=None)):
                return held
        return source.subset(rows, weight)

    def draw(self, n_rows: int) -> Draw:
        """Evenly spread random rows; up to a quarter of them of a rare class."""
        if self.is_rare_class is not None:
            members = np.flatnonzero(self.is_rare_class)
            return self._draw_with_class(members, n_rows)
        rows = self._spread(self.n_rows, n_rows)
        share = len(rows) / self.n_rows
        return Draw(rows, share, share)

    def _draw_with_class(self, members, n_rows: int) -> Draw:
        of_class = members[self._spread(len(members), min(len(members), n_rows // 4))]
        others = self._spread(self.n_rows, n_rows - len(of_class))
        others = others[~self.is_rare_class[others]]
        return Draw(
            np.sort(np.concatenate([of_class, others])),
            len(others) / (self.n_rows - len(members)),
            len(of_class) / len(members),
        )

    def _probability(self, draw: Draw, rows):
        if self.is_rare_class is None:
            return np.full(len(rows), draw.share)
        return np.where(self.is_rare_class[rows], draw.rare_share, draw.share)

    def _spread(self, n: int, size: int):
        """About `size` of n numbers, one drawn from each of as many equal stretches."""
        if size >= n:
            return np.arange(n)
        rows = ((np.arange(size) + self.rng.random(size)) * (n / size)).astype(np.intp)
        # They ascend, and rounding may make one row of two.
        return rows[np.diff(rows, append=n) > 0]

    def _with_rare(self, draw: Draw, n_rows: int, support: float):
        """Add rows that carry rare columns; (rows, their inclusion probabilities)."""
        assert self.rare is not None
        extra, probability = self.rare.kept(support, 2 * n_rows)
        rows = np.union1d(draw.rows, extra)
        added = np.zeros(len(rows))
        where = np.minimum(np.searchsorted(self.rare.rows, rows), len(self.rare.rows) - 1)
        hit = self.rare.rows[where] == rows
        added[hit] = probability[where[hit]]
        return rows, 1 - (1 - self._probability(draw, rows)) * (1 - added)

    def _find_rare_class(self):
        """Mask of the rows of the smaller of two classes, if it is rare."""
        if not self.objective.source.is_near:
            return None
        y = self.objective.source.y
        if y.ndim != 2 or y.shape[1] != 1 or not isinstance(self.objective.pair.loss, LogLoss):
            return None
        high = y[:, 0] > 0.5
        n_high = int(np.count_nonzero(high))
        if min(n_high, len(high) - n_high) >= RARE_CLASS * len(high):
            return None
        return high if 2 * n_high < len(high) else ~high

    def look_for_rare_columns(self, sample: Objective, n_rows: int) -> None:
        """Find the columns that `n_rows` uniform rows would be blind to, and who carries them."""
        if not self.objective.source.is_near:
            return
        X = sample.source.X
        center = np.median(X[:: max(1, len(X) // 400)], axis=0)
        deviation = X - center
        np.abs(deviation, out=deviation)
        largest = deviation.max(axis=0)
        deviation *= deviation
        second = deviation.sum(axis=0)
        fourth = np.einsum("ij,ij->j", deviation, deviation)
        # (sum u^2)^2 / sum u^4: the number of rows that share a column's deviation among them.
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            support = np.where(fourth > 0, second**2 / fourth, 0.0)
        wanted = max(LEAST_SUPPORT, n_rows / self.objective.n_features)
        columns = np.flatnonzero(support * (n_rows / len(X)) < wanted)
        if len(columns):
            statistics = (center, support, largest, second)
            self.rare = self._scan(columns, statistics, len(X))

    def _scan(self, columns, statistics, n_sampled: int) -> RareRows | None:
        """Read the rare columns of all rows, and rate the rows by how much of one they carry."""
        center, support, largest, second = statistics
        slope = np.zeros(self.objective.n_features)
        heavy, heavy_scale = [], []
        for j in columns:
            if support[j] == 0:
                # Constant in the sample: every row that differs is wanted.
                slope[j] = 1e9
                continue
            share = n_sampled / (support[j] * self.n_rows)
            if abs(second[j] - support[j] * largest[j] ** 2) < 1e-6 * second[j]:
                slope[j] = share / largest[j]
            else:
                heavy.append(j)
                heavy_scale.append(n_sampled / (second[j] * self.n_rows))
        importance = np.empty(self.n_rows, dtype=np.float32)
        offset = center @ slope
        source = self.objective.source
        for start in range(0, self.n_rows, source.block_rows):
            X = source.block(start, start + source.block_rows)[0]
            rate = np.abs(X @ slope - offset)
            if heavy:
                rate += (X[:, heavy] - center[heavy]) ** 2 @ np.array(heavy_scale)
            importance[start : start + source.block_rows] = rate
        importance[importance < 1e-9] = 0
        rows = np.flatnonzero(importance)
        if not len(rows):
            return None
        return RareRows(
            columns, rows, importance[rows].astype(np.float64), self.rng.random(len(rows))
        )
