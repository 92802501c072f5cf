"""The weights that matter now: those not zero, and those whose slope is about to wake them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from ..objective import Objective
from ..sources import ArraySource
from .l1_model import L1Model
from .linear_algebra import is_positive_definite
from .sparse_hessian import SparseHessian, sparse_hessians
from .sparse_l1_model import SparseL1Model

# So many features and fewer are all in the working set at once.
ALL_FEATURES = 64
# Otherwise no more than these, and than twice those that are not zero.
LEAST_WORKING = 256
# Weights whose gradient comes this near to the L1 norm's slope may wake up in the next step.
NEAR = 0.9
# Sparse columns are taken out of the rows; these come along, to be there when they are wanted.
WITHIN_REACH = 0.75
# A column that fewer rows of a subsample carry has a curvature there that is mostly chance.
LEAST_CARRIERS = 10
# Sparse columns from which a Hessian is not formed, and so not factored.
MANY_COLUMNS = 400
# Share of a Hessian's largest curvature below which one less than zero may be rounding.
NEGATIVE = 1e-10


class WorkingSet:
    """Chooses the features of each neuron that a Hessian is worth taking in, and takes it.

    Parameters
    ----------
    objective : Objective
    """

    def __init__(self, objective: Objective):
        self.objective = objective
        self.gauss_newton = not objective.pair.convex
        size, p = objective.neuron_size, objective.n_features
        self._l1 = np.broadcast_to(objective.l1, objective.shape).reshape(-1, size)[:, :p]
        # Sparse columns taken out of the rows: their numbers and the objective over them alone.
        self._columns = np.empty(0, dtype=np.intp)
        self._part: Objective | None = None

    @property
    def holds_all(self) -> bool:
        """Whether all features are in it, whatever their weights."""
        return self.objective.n_features <= ALL_FEATURES

    def choose(self, theta, gradient, near: float = NEAR) -> list[np.ndarray]:
        """Features of each neuron that are not zero, or want not to be, or nearly so."""
        if self.holds_all:
            return [np.arange(self.objective.n_features)] * self.objective.n_neurons
        weights, slopes = self._per_neuron(theta), np.abs(self._per_neuron(gradient))
        columns = []
        for w, slope, l1 in zip(weights, slopes, self._l1, strict=True):
            used = w != 0
            chosen = used | (slope > near * l1)
            most = max(LEAST_WORKING, 2 * int(np.count_nonzero(used)))
            if np.count_nonzero(chosen) > most:
                excess = np.where(used, np.inf, slope - l1)
                chosen = np.sort(np.argpartition(-excess, most)[:most])
            else:
                chosen = np.flatnonzero(chosen)
            columns.append(chosen)
        return columns

    def missing(self, columns, theta, gradient, reach=0.0) -> bool:
        """Whether some weight outside wants to move, or would if its slope changed by `reach`."""
        if self.holds_all:
            return False
        outside = np.abs(self._per_neuron(gradient)) + reach > self._l1 * (1 + 1e-12)
        outside &= self._per_neuron(theta) == 0
        for k, chosen in enumerate(columns):
            outside[k, chosen] = False
        return bool(outside.any())

    def _per_neuron(self, theta):
        objective = self.objective
        return theta.reshape(-1, objective.neuron_size)[:, : objective.n_features]

    # -- derivatives -------------------------------------------------------------------------------

    @property
    def in_one_pass(self) -> bool:
        """Whether the Hessian comes with value and gradient for little more, as in dense rows.

        Out of sparse rows columns are dear to cut, so that is done once and not in each pass.
        """
        source = self.objective.source
        return not (source.is_sparse and source.in_memory)

    def evaluate(self, theta, columns):
        """Value, whole gradient, and Hessians in these columns."""
        return self.objective.value_gradient_working(theta, columns, self.gauss_newton)

    def hessians(self, theta, columns, gradient):
        """The Hessians in these columns, one per group; weights elsewhere are zero."""
        objective = self.objective
        if self.in_one_pass:
            return objective.value_gradient_working(theta, columns, self.gauss_newton)[2]
        part = self._cut_out(theta, columns, gradient)
        inside = np.append(self._columns, objective.n_features)[: part.neuron_size]
        inner = theta.reshape(-1, objective.neuron_size)[:, inside].reshape(part.shape)
        places = [np.searchsorted(self._columns, c) for c in columns]
        if self._is_too_large(columns):
            return sparse_hessians(part, inner, places, self.gauss_newton)
        return part.value_gradient_working(inner, places, self.gauss_newton)[2]

    def _is_too_large(self, columns) -> bool:
        """Whether a group's Hessian is not worth forming."""
        if not self.objective.pair.coupled:
            return max(map(len, columns)) >= MANY_COLUMNS
        # Products with rows are taken class by class.
        return sum(map(len, columns)) >= MANY_COLUMNS * math.sqrt(len(columns))

    def is_blind(self, theta, columns, gradient) -> bool:
        """Whether too few sparse rows carry some of these columns to tell their curvature."""
        if self.in_one_pass:
            return False
        part = self._cut_out(theta, columns, gradient)
        carriers = np.bincount(part.source.X.indices, minlength=len(self._columns))
        wanted = np.searchsorted(self._columns, reduce(np.union1d, columns))
        return bool(carriers[wanted].min(initial=LEAST_CARRIERS) < LEAST_CARRIERS)

    def _cut_out(self, theta, columns, gradient) -> Objective:
        """The objective over these columns, and more that may be wanted soon."""
        wanted = reduce(np.union1d, columns)
        if self._part is None or not np.all(np.isin(wanted, self._columns)):
            within = reduce(np.union1d, self.choose(theta, gradient, WITHIN_REACH))
            self._columns = np.union1d(wanted, within)
            self._part = restricted(self.objective, self._columns)
        return self._part

    def model(self, gradient, hessian, index, at):
        """A group's quadratic with its L1 norm, in the coordinates of this index."""
        l1 = self.objective.l1[index]
        if isinstance(hessian, SparseHessian):
            return SparseL1Model(gradient, hessian, l1, at)
        return L1Model(gradient, self.curved(hessian, index), l1, at)

    def curved(self, hessian, index):
        """A group's Hessian, with curvature where it has none or less.

        Adding the same to every class of a softmax layer changes no probability, and nothing
        penalises biases. And a model that is not convex has no minimum to step to.
        """
        objective = self.objective
        if not objective.pair.coupled:
            return hessian if objective.pair.convex else _made_convex(hessian)
        feature = index % objective.neuron_size
        free: Sequence[int] = [objective.n_features] if objective.fit_intercept else []
        if objective.penalty.alpha == 0:
            free = range(objective.neuron_size)
        hessian = hessian.copy()
        for j in free:
            same = np.flatnonzero(feature == j)
            if len(same) == objective.n_neurons:
                hessian[np.ix_(same, same)] += hessian[same, same].sum() / len(same) ** 2
        return hessian


def _made_convex(hessian):
    """A Hessian, raised on its diagonal as far as negative curvature goes below zero."""
    if is_positive_definite(hessian):
        return hessian
    least, largest = np.linalg.eigvalsh(hessian)[[0, -1]]
    if least >= -NEGATIVE * abs(largest):
        return hessian
    return hessian - 2 * least * np.eye(len(hessian))


def restricted(objective: Objective, columns) -> Objective:
    """The objective over some columns of rows in memory, in the same coordinates."""
    source = objective.source
    part = ArraySource(source.X[:, columns], source.y, source.sample_weight, workers=source.workers)
    return Objective(
        part,
        objective.pair,
        objective.penalty,
        objective.n_neurons,
        fit_intercept=objective.fit_intercept,
        coordinates=objective.coordinates.only(columns),
    )
