"""The training objective as a solver sees it: the penalised loss, and what to plan with.

A sum over all rows costs a pass. Between two of them solvers ask what y alone tells, and a few rows
that stand in for all: those that are watched, evenly spaced.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .activations import Activation
from .coordinates import FAR_FROM_ZERO
from .kernels import ConvexKinks, LargestShift, sums_and_targets
from .null_model import NullModel
from .pairs import Pair
from .penalised_loss import PenalisedLoss

# Rows that are watched: dead and saturated neurons are counted on them at each iterate.
N_WATCHED_ROWS = 1000
# From so many rows on a look at a few of them costs next to nothing beside a sum over all.
LONG = 8000
EPS = float(np.finfo(float).eps)
# How much larger than z a term of it may be before it is asked what the term's last digit does.
MANY_DIGITS = 1e8
# Watched rows that a column's square must be spread over, if the rest are to be much like them.
LEAST_SUPPORT = 50
# An objective below this is zero: next to it floats hold no digits, nor shares of it at all.
VANISHING = 1e-300


class Objective(PenalisedLoss):
    """The penalised loss over the rows of a source, and what a solver plans with.

    Parameters
    ----------
    source, pair, penalty, n_neurons, fit_intercept, coordinates
        As of `PenalisedLoss`.
    """

    @property
    def activation(self) -> Activation:
        """Activation of the neurons that are watched for dead and saturated ones."""
        return self.pair.activation

    # -- the same over other rows, or under another loss -------------------------------------------

    @property
    def exact(self) -> Objective:
        """The same objective in float64, which nearly all are themselves."""
        return self

    def over(self, source) -> Objective:
        """The same objective over the rows of another source."""
        return Objective(
            source,
            self.pair,
            self.penalty,
            self.n_neurons,
            fit_intercept=self.fit_intercept,
            coordinates=self.coordinates,
        )

    def subsample(self, rows, sample_weight=None) -> Objective:
        """The objective over these rows alone, in the same coordinates.

        `sample_weight` replaces their weights: inverse inclusion probabilities, say.
        """
        return self.over(self.source.take(rows, sample_weight))

    def sample_rows(self, n_rows: int):
        """At most `n_rows` evenly spaced row numbers."""
        if self.source.n_rows <= n_rows:
            return np.arange(self.source.n_rows)
        return np.linspace(0, self.source.n_rows - 1, n_rows).astype(np.intp)

    def with_pair(self, pair: Pair) -> Objective:
        """The same rows and penalty under another loss."""
        return Objective(
            self.source,
            pair,
            self.penalty,
            self.n_neurons,
            fit_intercept=self.fit_intercept,
            coordinates=self.coordinates,
        )

    # -- what the targets tell ---------------------------------------------------------------------

    @cached_property
    def null_model(self) -> NullModel:
        """The best neurons with a bias alone (zero without a bias)."""
        return NullModel(self.source, self.pair, self.n_outputs, self.fit_intercept)

    def null(self):
        """`theta` of the best neuron with a bias alone (zero without a bias)."""
        theta = np.zeros((self.n_neurons, self.neuron_size))
        if self.fit_intercept:
            theta[:, -1] = self.null_model.bias
        return theta.reshape(self.shape)

    @cached_property
    def null_value(self) -> float:
        """Objective of the best neuron with a bias alone."""
        return self.null_model.value

    @cached_property
    def rounding(self) -> float:
        """What rounding may add to the objective: a few eps times the mean absolute loss term."""
        return max(4 * self.source.eps * self.null_model.absolute, VANISHING)

    @cached_property
    def minima_lie_on_kinks(self) -> bool:
        """Whether the loss of any row has a kink that is convex.

        That of a relu falls on one side or the other of its kink unless the target is below zero.
        """
        if not self.pair.activation.kinks:
            return False
        (n,) = self.source.sum_targets(ConvexKinks(self.pair))
        return n > 0

    # -- what the watched rows tell ----------------------------------------------------------------

    @cached_property
    def watched(self):
        """At most `N_WATCHED_ROWS` of the rows, evenly spaced."""
        return self.source.spread(N_WATCHED_ROWS)

    def pre_activation(self, theta):
        """z of the watched rows, (n_rows, n_neurons); neurons of several thetas side by side."""
        # A block that no sum has asked for yet costs more than it saves here.
        block = vars(self).get("_block")
        if block is not None and self.watched is self.source:
            return block.pre_activation(theta)
        coef, intercept = self.to_weights(theta)[:2]
        # A neuron's z lie together, as whoever counts or adds them wants it.
        return (coef.reshape(-1, self.n_features) @ self.watched.X.T + intercept.reshape(-1, 1)).T

    def flat_fraction(self, theta):
        """Share of (at most `N_WATCHED_ROWS`) rows on which each neuron's derivative vanishes."""
        z = self.pre_activation(theta)
        if self.pair.coupled:
            # The neurons of one theta by themselves: those of a layer depend on each other.
            z = z.T.reshape(-1, self.n_neurons, len(z)).transpose(2, 0, 1)
            # Exponentials at half the price: a share of rows needs no digits.
            z = z.astype(np.float32)
        share = np.add.reduce(self.activation.is_flat(z), axis=0, dtype=np.intp) / len(z)
        return share.reshape(*theta.shape[:-2], self.n_neurons)

    def dispersion(self, theta) -> float:
        """Dispersion of the targets about the neurons' levels, from the watched rows."""
        if self.pair.loss.fixed_dispersion:
            return 1.0
        rows = self.watched
        level = self.pair.level(self.pre_activation(theta))
        return float(np.mean(self.pair.loss.dispersion(rows.y, level, rows.sample_weight)))

    def noise_of_single(self, theta) -> tuple[float, float]:
        """What float32 rows do to where a descent ends, and to a value, from the watched rows.

        An error e of the slope in z moves the end, in the loss, by no more than the mean of
        ``e^2 / (2 d)``, with the curvature d. Values are off by the mean change of the losses.
        """
        coef, intercept = self.to_weights(theta)
        rows = self.watched
        weight = np.ones(len(rows.y)) if rows.sample_weight is None else rows.sample_weight
        weight = weight / weight.sum()
        # In float64 without a copy of the rows.
        z = np.einsum("ij,kj->ik", rows.X, coef) + intercept
        terms, r, d = self.pair.derivatives(rows.y, z, 2, True)
        z, y = sums_and_targets(self.pair, rows.X, rows.y, coef, intercept)
        change = (self.pair.derivatives(y, z, 0)[0] - terms).sum(axis=1)
        error = self.pair.sums(y, z, None, 1)[1] - r
        moved = 0.5 * weight @ (error * error / np.maximum(d, np.finfo(float).tiny)).sum(axis=1)
        return float(moved), 3 * math.sqrt(weight @ change**2 / self.source.n_rows)

    def lost_in_units(self, theta) -> tuple[float, list[int]]:
        """What rounding of weights in units of X may cost the watched rows, and of which columns.

        Far from zero, or nearly dependent, columns may have weights whose terms in z are large and
        cancel: the last digit of the largest then moves all of z, one way or the other.
        """
        size, columns = self.null_model.absolute, self.coordinates
        # z is of the size of y or, behind an activation, about one.
        usual = min(size, math.sqrt(size), math.inf if self.activation.name == "identity" else 1.0)
        distance = FAR_FROM_ZERO
        if columns.far is not None:
            distance += float(np.max(np.abs(columns.center) / columns.scale))
        if not np.maximum.reduce(np.abs(theta), axis=None) * distance > MANY_DIGITS * usual:
            return 0.0, []
        rows, z = self.watched, self.pre_activation(theta)
        furthest = np.abs(rows.X).max(axis=0)
        largest = np.maximum.reduce(np.abs(self.to_weights(theta)[0]))
        terms = largest * (furthest.toarray().ravel() if rows.is_sparse else furthest)
        term = np.maximum.reduce(terms)
        slip = EPS * term * (-1.0) ** np.arange(self.n_neurons)
        up, here, down = (
            self.pair.sums(rows.y, z + sign * slip, rows.sample_weight, 0)[0].sum()
            for sign in (1, 0, -1)
        )
        lost = (up + down - 2 * here) / (2 * rows.total_weight)
        return float(lost), np.flatnonzero(terms > 0.1 * term).tolist()

    @property
    def levels_are_quicker_in_single(self) -> bool:
        """Whether it pays to look whether a sum over the rows may take its levels in float32."""
        is_long = self.source.n_rows >= LONG and self._block is None
        plain = self.source.is_numpy and self.row_center is None
        return is_long and plain and self.pair.levels_in_single

    # -- how far a step reaches --------------------------------------------------------------------

    def watched_shift(self, step, theta) -> float:
        """Largest change that `step` from `theta` makes of any watched row's curvature.

        It is the change of z, in units in which the curvature may change by a factor e.
        """
        shift = np.abs(self.pre_activation(step))
        if self.pair.steepens:
            shift *= self.pair.curvature_rate(self.watched.y, self.pre_activation(theta))
        weight = self.watched.sample_weight
        if weight is not None:
            # A row without weight is none.
            shift = np.where((weight > 0)[:, None], shift, 0.0)
        return self._per_unit * float(np.maximum.reduce(shift, axis=None, initial=0.0))

    def largest_shift(self, step, theta, *, exact: bool = False) -> float:
        """`watched_shift` of all rows, or of those watched if rows are far away.

        It is the furthest rows that tell how far a model of the loss can be trusted. With `exact`
        all are looked at, wherever they are.
        """
        if not (exact or self.hides_far_rows):
            return self.watched_shift(step, theta)
        kernel = LargestShift(self.pair, self.row_center)
        (largest,) = self.source.map_sum(
            kernel, *self.kernel_parameters(theta), *self.kernel_parameters(step)
        )
        return self._per_unit * max(largest)

    @property
    def _per_unit(self) -> float:
        """Change of the curvature per unit of z, as a share of it."""
        return self.pair.self_concordance or 1.0

    @cached_property
    def hides_far_rows(self) -> bool:
        """Whether rows that are not watched may lie much further out than those that are.

        A column that few rows carry, or whose tail is heavy, has few watched rows that make up its
        square, ``(sum d^2)^2 / sum d^4`` of them, or none at all.
        """
        rows = self.watched
        if rows is self.source or not self.source.is_near:
            return False
        if rows.is_sparse:
            return True
        square = rows.X - np.mean(rows.X, axis=0, dtype=np.float64)
        square *= square
        total, fourth = np.add.reduce(square), np.einsum("ij,ij->j", square, square)
        few = total**2 < LEAST_SUPPORT * fourth
        none = total < 0.1 * rows.n_rows * self.coordinates.scale**2
        return bool(np.any(few | none))
