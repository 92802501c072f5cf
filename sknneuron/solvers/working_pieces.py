"""Losses of two straight pieces with an L1 norm and many features: those that matter now, exactly.

At the optimum most weights are zero. With the few that are not, and a few more, the path of an
interior point ends after a dozen steps. The slopes of the rows there say which other weights want
to be different from zero, and what is left at most.
"""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from ..penalties import least_subgradient
from ..products import gradient_sums
from ..sources import ArraySource
from .base import Iterate, Solver
from .central_path import CentralPath, balanced
from .interior_point import MAX_NUMBERS, NUMBERS_PER_ROW, ROUNDINGS, InteriorPoint
from .near_kinks import all_pieces

# So many features and fewer are all there at once; fewer, where their rows are too many for that.
FEW_FEATURES, LEAST_FEATURES = 400, 100
# Features that are let in at once: so many, or as many as there are weights that are not zero.
LEAST_LET_IN = 50
MAX_ROUNDS = 60
# What is left among the features at hand, as a share of what is left in all.
INNER = 0.01
# Rounds in a row that may lead nowhere, each from where the one before ended.
MOST_STUCK = 3


class WorkingPieces(Solver):
    """Minimise a loss of two straight pieces with an L1 norm, some features at a time.

    Parameters
    ----------
    solver : Solver
        Goes on where more features matter than can be held, or where the path leads nowhere.

    References
    ----------
    Massias, Gramfort and Salmon, Celer: a fast solver for the Lasso with dual extrapolation, ICML
    2018: working sets that grow by what slopes, scaled until they are feasible, tell.
    """

    needs_smooth_penalty = False

    def __init__(self, solver: Solver):
        self.solver = solver
        self.name = solver.name

    @staticmethod
    def serves(objective: Objective) -> bool:
        """Whether the loss is of two straight pieces, and few of many features may matter."""
        source = objective.source
        if not (objective.penalty.l1 and source.in_memory and source.is_numpy):
            return False
        if objective.pair.pieces(objective.watched.y) is None:
            return False
        few = FEW_FEATURES if InteriorPoint.serves(objective) else LEAST_FEATURES
        return source.n_features > few and _may_hold(objective, LEAST_FEATURES)

    def iterate(self, objective, start, goal, rng):
        neurons = [WorkingNeuron(objective, start, k) for k in range(objective.n_neurons)]
        unknown, share = ROUNDINGS * objective.rounding, 1 / objective.n_neurons
        for _ in range(MAX_ROUNDS):
            theta = np.array([neuron.theta for neuron in neurons])
            gap = max(sum(neuron.gap for neuron in neurons) - unknown, 0.0)
            value = sum(neuron.value for neuron in neurons)
            slope = np.array([neuron.gradient for neuron in neurons])
            norm = objective.weight_gradient_norm(least_subgradient(slope, theta, objective.l1))
            yield Iterate(theta, value - objective.total_l1(theta), norm, objective, gap=gap)
            allowed = goal.target(value, theta)
            if gap <= allowed:
                return
            left = [neuron for neuron in neurons if not neuron.gap <= 0.5 * share * allowed]
            if not all(neuron.advance(0.5 * share * allowed, allowed) for neuron in left):
                break
        # From where a path ended, on kinks, another begins badly.
        yield from self.solver.iterate(objective, start, goal, rng)


def _may_hold(objective: Objective, n_features: int) -> bool:
    """Whether the rows of so many features may be copied."""
    return objective.source.n_rows * (n_features + NUMBERS_PER_ROW) <= MAX_NUMBERS


class WorkingNeuron:
    """Weights of one neuron, and the features that are let in.

    Parameters
    ----------
    objective : Objective
    start : ndarray of shape (n_neurons, size)
    k : int
        Which neuron it is.

    Attributes
    ----------
    theta : ndarray of shape (size,)
    value : float
        The objective there, the L1 norm included.
    gradient : ndarray of shape (size,)
        Of the smooth part, by the rows' slopes.
    gap : float
        How far the value is above the least, at most.
    """

    def __init__(self, objective: Objective, start, k: int):
        source = objective.source
        X, y, weight = source.X, source.y[:, k : k + 1], source.sample_weight
        if weight is not None:
            counts = weight / source.total_weight > np.finfo(float).tiny
            X, y, weight = X[counts], y[counts], weight[counts]
        self._whole = self._over(objective, X, y, weight, objective.coordinates)
        # Where the path has led, and where it leads, weights of zero and all.
        self._ahead = self.theta = start[k]
        self._left = self.gap = np.inf
        value, gradient = self._whole.value_and_gradient(start[k][None])
        self.value = float(value[0]) + self._whole.total_l1(start[k][None])
        self.gradient = gradient[0]
        self.features = np.flatnonzero(self.theta[: objective.n_features])
        self._n_stuck, self._is_complete = 0, False
        self._let_in(self.gradient, -np.inf, 0)

    @staticmethod
    def _over(objective: Objective, X, y, weight, coordinates) -> Objective:
        """The objective of one neuron over these rows and columns."""
        return Objective(
            ArraySource(X, y, weight),
            objective.pair,
            objective.penalty,
            1,
            fit_intercept=objective.fit_intercept,
            coordinates=coordinates,
        )

    def advance(self, allowed: float, in_all: float) -> bool:
        """Find the optimum of the features at hand, and let in more; False if that cannot be.

        `allowed` is the gap to aim for, and `in_all` what all neurons together may leave.
        """
        whole, source = self._whole, self._whole.source
        if not _may_hold(whole, len(self.features)):
            return False
        X, coordinates = source.X[:, self.features], whole.coordinates.only(self.features)
        part = self._over(whole, X, source.y, source.sample_weight, coordinates)
        inside = np.append(self.features, whole.n_features)[: part.neuron_size]
        (pieces,) = all_pieces(part, self._ahead[None, inside])
        path, before = CentralPath(pieces, self._ahead[inside]), self._left
        path.follow(allowed if self._is_complete else max(allowed, INNER * min(before, path.gap)))
        if self._is_complete:
            # What slopes are off by weighs more where all others have to be shortened for it.
            path.polish()
        end, self.value = path.end()
        while self._is_complete and self.value > path.value() + allowed and not path.is_stuck:
            # Weights that come near zero on their way elsewhere are not there yet.
            path.advance()
            end, self.value = path.end()
        self.theta, self._ahead = np.zeros((2, whole.shape[1]))
        self.theta[inside], self._ahead[inside] = end, path.theta
        n = source.n_rows
        slope = path.slope[:n]
        if whole.fit_intercept:
            slope = balanced(slope, pieces.below[:n], pieces.above[:n])
        raw = gradient_sums(source.X, source.total_weight * slope[:, None])
        along = whole.to_gradient(raw)[0]
        self.gradient = along + whole.l2 * self.theta
        least = self._dual(pieces, slope, np.abs(along[: whole.n_features]))
        self.gap, self._left = self.value - least, path.value() - least
        if self.gap > in_all and path.value() < self.value:
            self.theta, self.value = self._ahead, path.value()
        self._is_complete = not self._let_in(along, 0.0, int(np.count_nonzero(end)))
        leads = not path.is_stuck and (not self._is_complete or self._left < before)
        self._n_stuck = 0 if leads else self._n_stuck + 1
        return self._n_stuck < MOST_STUCK

    def _dual(self, pieces, slope, along) -> float:
        """What the objective is nowhere below, by these slopes or shorter ones."""
        whole, n = self._whole, len(slope)
        l1, l2 = whole.l1[: whole.n_features], whole.l2[: whole.n_features]
        linear = -float(slope @ pieces.kink[:n])
        quadratic = 0.5 * float(pieces.softness[:n] @ slope**2)
        # Short enough they are feasible whatever the L2 penalty is.
        share = float(np.min(l1 / np.maximum(along, l1)))
        dual = share * linear - share**2 * quadratic
        if whole.penalty.l2:
            excess = np.maximum(along - l1, 0.0)
            dual = max(dual, linear - quadratic - 0.5 * float(excess @ (excess / l2)))
        return dual

    def _let_in(self, along, least: float, n_used: int) -> bool:
        """Let in features that want to be different from zero; whether there are any."""
        whole = self._whole
        excess = (np.abs(along) - whole.l1)[: whole.n_features]
        excess[self.features] = -np.inf
        most = min(max(LEAST_LET_IN, n_used), whole.n_features - 1)
        wanted = np.argpartition(-excess, most)[:most]
        wanted = wanted[excess[wanted] > least]
        self.features = np.union1d(self.features, wanted)
        return bool(len(wanted))
