"""What an objective of straight pieces is near some weights: rows by their kinks, and a slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..block import standardise
from ..coordinates import Coordinates
from ..objective import Objective
from ..pairs import Pair
from ..products import centred, gradient_sums, weighted_sum
from .central_path import Pieces

# Rows are all taken if they are no more than so many times what was asked for.
MOST = 3.0
# Rows that tell how far all are from their kinks.
N_SPREAD = 4096
# Entries of rows that are worked with at once.
PART_ENTRIES = 1 << 16
# Rows that a Hessian wants at once, for each parameter: a product of fewer is mostly adding up.
PART_PER_PARAMETER = 1.5
TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class Rows:
    """What is made of rows for a neuron: columns as theta multiplies them, and the two pieces.

    Parameters
    ----------
    pair : Pair
    coordinates : Coordinates
    fit_intercept : bool
    total_weight : float
    """

    pair: Pair
    coordinates: Coordinates
    fit_intercept: bool
    total_weight: float

    @classmethod
    def of(cls, objective: Objective) -> Rows:
        source = objective.source
        weight = source.total_weight
        return cls(objective.pair, objective.coordinates, objective.fit_intercept, weight)

    def columns(self, X):
        """Columns of some rows, (size, n_rows)."""
        columns = np.empty((X.shape[1] + self.fit_intercept, X.shape[0]))
        standardise(X.toarray() if sparse.issparse(X) else X, self.coordinates, columns)
        return columns

    def pieces(self, y, sample_weight):
        """Kinks, slopes on either side times each row's share of the weights, and softness."""
        kink, below, above = self.pair.pieces(y)
        weight = 1.0 if sample_weight is None else sample_weight
        share = np.broadcast_to(weight / self.total_weight, len(y))
        return kink, share * below, share * above, self.pair.loss.softness / share

    def counts(self, sample_weight):
        """Which rows have a share of the weights, or all."""
        if sample_weight is None:
            return slice(None)
        return sample_weight / self.total_weight > TINY


@dataclass(frozen=True)
class Apart:
    """Kernel: each neuron's rows within a band about their kinks, and the sums of the others.

    Parameters
    ----------
    rows : Rows
    band : ndarray of shape (n_neurons,)
    every : ndarray of int, shape (n_neurons,)
        Take but one in so many of these rows, to stand for as many.
    row_center : ndarray of shape (n_features,), default=None
        Subtracted from rows before all else.

    Returns
    -------
    loss : ndarray of shape (n_neurons,)
        Of all rows.
    gradient : ndarray of shape (n_neurons, n_features + 1)
        Of all rows, less what those taken stand for.
    taken : list of (neuron, columns, kink, below, above, softness)
    """

    rows: Rows
    band: np.ndarray
    every: np.ndarray
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        moved = centred(X, self.row_center)
        z = weighted_sum(moved, weights, bias)
        pair = self.rows.pair
        loss, slope, _ = pair.sums(y, z, sample_weight, 1)
        distance = np.abs(z - pair.pieces(y)[0])
        if sample_weight is not None:
            distance[~self.rows.counts(sample_weight)] = np.inf
        taken = []
        for k, (band, every) in enumerate(zip(self.band, self.every, strict=True)):
            near = np.flatnonzero(distance[:, k] <= band)[::every]
            slope[near, k] -= every * slope[near, k]
            weight = every if sample_weight is None else every * sample_weight[near]
            pieces = self.rows.pieces(y[near, k], weight)
            taken.append((k, self.rows.columns(X[near]), *pieces))
        return loss, gradient_sums(moved, slope), taken


@dataclass(frozen=True)
class Look:
    """What a look at all rows shows, from some weights.

    Parameters
    ----------
    theta : ndarray of shape (n_neurons, size)
    value : float
        The objective there.
    pieces : list of Pieces
        For each neuron what its objective is there and nearby, but for a constant.
    is_exact : bool
        Whether that is nowhere above the objective: no row stands for others.
    """

    theta: np.ndarray
    value: float
    pieces: list[Pieces]
    is_exact: bool

    @classmethod
    def at(cls, objective: Objective, theta, share: float, n_rows: int) -> Look:
        """Look at all rows, and take about `n_rows` of that share of them near their kinks."""
        distance = distances(objective, theta)
        within = int(share * (len(distance) - 1))
        band = np.partition(distance, within, axis=0)[within]
        # More than that share where many are as near as each other, on their kinks say.
        found = objective.source.n_rows * np.mean(distance <= band, axis=0)
        every = np.where(found <= MOST * n_rows, 1, np.rint(found / n_rows)).astype(int)
        loss, gradient, taken = objective.source.map_sum(
            Apart(Rows.of(objective), band, every, objective.row_center),
            *objective.kernel_parameters(theta),
        )
        linear, scale = objective.to_gradient(gradient), distance.max(axis=0)
        pieces = []
        for k in range(objective.n_neurons):
            parts = [part for neuron, *part in taken if neuron == k]
            pieces.append(together(objective, parts, linear[k], scale[k]))
        value = loss.sum() / objective.source.total_weight + objective.l2_value(theta).sum()
        value = float(value) + objective.total_l1(theta)
        return cls(theta, value, pieces, bool(np.all(every == 1)))

    @property
    def gradient(self):
        """The objective's gradient there."""
        gradient = np.empty_like(self.theta)
        for k, (pieces, theta) in enumerate(zip(self.pieces, self.theta, strict=True)):
            slope = np.where(pieces.distances(theta) > 0, pieces.above, pieces.below)
            gradient[k] = pieces.gradient(theta, slope)
        return gradient


def all_pieces(objective: Objective, theta) -> list[Pieces]:
    """The objective of each neuron, of all rows. The optimum may be as far as rows are at theta."""
    rows, source = Rows.of(objective), objective.source
    if not source.is_near:
        source = source.gathered()
    size = objective.neuron_size
    n_at_once = max(PART_ENTRIES // size, int(PART_PER_PARAMETER * size))
    parts: list[list] = [[] for _ in range(objective.n_neurons)]
    for start in range(0, source.n_rows, n_at_once):
        X, y, weight = source.block(start, min(start + n_at_once, source.n_rows))
        counts = rows.counts(weight)
        columns = rows.columns(X[counts])
        weight = None if weight is None else weight[counts]
        for k, part in enumerate(parts):
            part.append((columns, *rows.pieces(y[counts, k], weight)))
    linear, scale = np.zeros(objective.neuron_size), distances(objective, theta).max(axis=0)
    most = np.full(len(parts), np.inf)
    if objective.pair.loss.softness:
        # No row's loss is more than the least objective, and so its slope has a bound.
        most = objective.value(theta) + objective.l1_value(theta)
    return [
        together(objective, part, linear, scale[k], float(most[k])) for k, part in enumerate(parts)
    ]


def together(objective: Objective, parts, linear, scale: float, most=np.inf) -> Pieces:
    """The objective of one neuron: of rows in parts, a linear term and the penalty.

    An L1 penalty is two straight pieces for each weight as well. Rows whose loss is more than
    `most` need not be right.
    """
    columns, *pieces = map(list, zip(*parts, strict=True))
    penalised = np.flatnonzero(objective.l1)
    if len(penalised):
        l1 = objective.l1[penalised]
        columns.append(np.eye(objective.neuron_size)[:, penalised])
        none = np.zeros_like(l1)
        for of_rows, of_weights in zip(pieces, (none, -l1, l1, none), strict=True):
            of_rows.append(of_weights)
    kink, below, above, softness = map(np.concatenate, pieces)
    if np.isfinite(most):
        with np.errstate(divide="ignore"):
            steepest = np.sqrt(2 * max(most, TINY) / softness)
        below, above = np.maximum(below, -steepest), np.minimum(above, steepest)
    # Where all lie on their kinks there is nothing to go by.
    penalties = linear, objective.l2, len(penalised)
    return Pieces(columns, kink, below, above, softness, *penalties, scale or 1.0)


def distances(objective: Objective, theta):
    """How far rows evenly spaced are from their kinks, (n_rows, n_neurons)."""
    rows = objective.source.spread(N_SPREAD)
    coef, intercept = objective.to_weights(theta)
    kink, *_ = objective.pair.pieces(rows.y)
    return np.abs(rows.X @ coef.T + intercept - kink)
