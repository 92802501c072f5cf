"""Where to start from, for a pair that is not convex.

Several starts are tried on a subsample: least squares on targets sent back through the activation,
their mirror images, random ones, and then ends that are kicked out of their valleys. Each start is
a neuron of its own, so that all go down side by side and share the reading of the rows.

References
----------
Rinnooy Kan and Timmer, Stochastic global optimization methods, Math. Programming 39 (1987): local
searches from many starts, ended once the lowest end has come up again and again. Lourenco, Martin
and Stuetzle, Iterated local search, Handbook of Metaheuristics (2003): kicks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..objective import Objective
from ..pairs import ClassifierChainRule
from .base import Iterate
from .damping import DampedDescent
from .kinks import SoftPair
from .linear_algebra import SpdSolver

N_ROWS = 2000
N_RANDOM = 16
N_KICKS = 16
# The lowest end must have been reached this often, or so many rounds have found nothing lower.
ENOUGH_HITS = 3
ROWS_PER_WEIGHT = (50, 25, 12, 12, 6, 6)
MAX_ROUNDS = 16
MAX_STEPS = 60
# Steps after which the activation's curvature is no longer left out.
GAUSS_NEWTON_STEPS = 8
# After so many steps those that are so far behind, as a share of the gain, are left where they are.
RACE_STEPS = 12
RACE_SHARE = 0.2
# Ends whose values differ by less than this share of what there was to gain are one.
SAME_END = 1e-5
# Ends this close on the subsample are compared again on all rows.
CLOSE_CALL = 0.05
# Widths that kinks are rounded off over, as shares of the targets' spread, one after the other.
SOFT_WIDTHS = (0.1, 0.01, 1e-3)


@dataclass
class End:
    """Where a descent ended: one neuron, and the (theta, value) that led there."""

    theta: np.ndarray
    value: float
    path: list[tuple[np.ndarray, float]]


class Sample:
    """A few rows in the objective's coordinates, for many neurons side by side.

    Parameters
    ----------
    objective : Objective
        On these rows.
    """

    def __init__(self, objective: Objective):
        source, coordinates = objective.source, objective.coordinates
        X = source.X.toarray() if source.is_sparse else source.X
        self.X = np.ones((source.n_rows, objective.neuron_size))
        self.X[:, : objective.n_features] = (X - coordinates.center) / coordinates.scale
        if not objective.fit_intercept:
            self.X = X / coordinates.scale
        self.pair = objective.pair
        self.y = source.y
        weight = source.sample_weight
        self.weight = np.ones(len(self.X)) if weight is None else weight
        self.weight = self.weight / self.weight.sum()
        self.l2 = objective.l2
        self.n_features = objective.n_features
        self._outer = self._outer_products()

    def _outer_products(self):
        """Products of two columns, row by row: with them all Hessians are one matrix product."""
        size = self.X.shape[1]
        if len(self.X) * size**2 > 2_000_000:
            return None
        first, second = np.tril_indices(size)
        return self.X[:, first] * self.X[:, second]

    def evaluate(self, theta, y, pair, gauss_newton=True):
        """Values, gradients and Hessians of neurons `theta` with targets `y`, (n_rows, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            terms, r, d = pair.derivatives(y, self.X @ theta.T, 2, gauss_newton)
            value = self.weight @ terms + 0.5 * ((self.l2 * theta) * theta).sum(axis=1)
            gradient = (r * self.weight[:, None]).T @ self.X + self.l2 * theta
            return value, gradient, self._hessian(d * self.weight[:, None])

    def _hessian(self, d):
        size = self.X.shape[1]
        if self._outer is None:
            hessian = np.array([(self.X * dk[:, None]).T @ self.X for dk in d.T])
        else:
            first, second = np.tril_indices(size)
            hessian = np.empty((d.shape[1], size, size))
            hessian[:, first, second] = hessian[:, second, first] = d.T @ self._outer
        index = np.arange(size)
        hessian[:, index, index] += self.l2
        return hessian

    def least_squares(self, target, weight):
        """Fit z to targets with weights of their own, both (n_rows, n): theta (n, size)."""
        weighted = weight * self.weight[:, None]
        gradient = (weighted * target).T @ self.X
        hessian = self._hessian(weighted)
        # With fewer rows of weight than features the fit would be wild; a start need not be exact.
        index = np.arange(hessian.shape[1])
        hessian[:, index, index] *= 1 + 1e-3
        return SpdSolver(hessian)(gradient)


class Search:
    """Descents from many starts on a sample of rows.

    Parameters
    ----------
    objective : Objective
        On the sample.
    rng : Generator

    Attributes
    ----------
    ends : list of list of End
        Per group, in the order found.
    """

    def __init__(self, objective: Objective, rng: np.random.Generator):
        self.objective = objective
        self.sample = Sample(objective)
        self.rng = rng
        self.null = objective.null()
        self.rounding = objective.rounding
        self.n_groups, self.size = objective.shape
        self.levels = self._levels()
        self.spread = np.sqrt(self.sample.weight @ (self.levels - self._mean_level()) ** 2)
        self.spread = np.maximum(self.spread, 1e-12 * np.abs(self.levels).max() + 1e-300)
        self.null_value = self._value(self.null)
        self.ends: list[list[End]] = [[] for _ in range(self.n_groups)]

    def _mean_level(self):
        return self.sample.weight @ self.levels

    def _levels(self):
        """Targets on the activation's own scale."""
        y = self.sample.y
        if isinstance(self.sample.pair, ClassifierChainRule):
            low, high = self.sample.pair.activation.range
            return low + (high - low) * y
        return y

    def _value(self, theta):
        return self.objective.value(theta)

    # -- the search --------------------------------------------------------------------------------

    def run(self) -> None:
        """Go down from more and more starts until nothing lower comes up."""
        self._descend(self._informed_starts(), self._random_starts(N_RANDOM))
        patience, idle = self._patience(), 0
        for _ in range(MAX_ROUNDS):
            hits = min(self._hits(k) for k in range(self.n_groups))
            if hits >= ENOUGH_HITS and idle >= patience:
                return
            lowest = [self.lowest(k).value for k in range(self.n_groups)]
            self._descend(self._kicks(N_KICKS), self._random_starts(N_RANDOM))
            lower = [self.lowest(k).value < lowest[k] - self._same(k) for k in range(self.n_groups)]
            idle = 0 if any(lower) else idle + 1

    def _patience(self) -> int:
        """Rounds without anything lower to wait for: valleys are many where rows are few."""
        rows_per_weight = len(self.sample.X) / self.size
        return int(np.searchsorted(-np.array(ROWS_PER_WEIGHT), -rows_per_weight))

    def lowest(self, k) -> End:
        return min(self.ends[k], key=lambda end: end.value)

    def _same(self, k) -> float:
        """Values of group k this close are the same."""
        gain = max(self.null_value[k] - self.lowest(k).value, 0.0)
        return SAME_END * gain + 10 * self.rounding

    def _hits(self, k) -> int:
        limit = self.lowest(k).value + self._same(k)
        return sum(end.value <= limit for end in self.ends[k])

    def ranked(self, k) -> list[End]:
        """Different ends of group k, lowest first."""
        same = self._same(k)
        different: list[End] = []
        for end in sorted(self.ends[k], key=lambda end: end.value):
            if not different or end.value > different[-1].value + same:
                different.append(end)
        return different

    # -- going down --------------------------------------------------------------------------------

    def _pairs(self) -> list:
        """The pair, or its stand-ins with narrower and narrower kinks."""
        pair = self.sample.pair
        if not pair.activation.kinks:
            return [pair]
        return [SoftPair(pair, share * float(self.spread.mean())) for share in SOFT_WIDTHS]

    def _descend(self, good, wild) -> None:
        """Take starts (n_starts, n_groups, size) down to their ends.

        The wild ones go in small steps, which end in the valley where they began.
        """
        starts = np.concatenate([good, wild])
        damping = np.repeat([1e-3, 1.0], [self.n_groups * len(good), self.n_groups * len(wild)])
        owner = np.tile(np.arange(self.n_groups), len(starts))
        theta = starts.reshape(-1, self.size)
        paths: list[list] = [[] for _ in owner]
        for pair in self._pairs():
            theta = self._descend_on(pair, theta, owner, paths, damping)
        with np.errstate(over="ignore", invalid="ignore"):
            value = self.sample.evaluate(theta, self.sample.y[:, owner], self.sample.pair)[0]
        for i, k in enumerate(owner):
            if np.isfinite(value[i]):
                self.ends[k].append(End(theta[i], float(value[i]), paths[i]))

    def _descend_on(self, pair, theta, owner, paths, damping):
        ends = theta.copy()
        number = np.arange(len(owner))

        def evaluation(gauss_newton):
            y = self.sample.y[:, owner[number]]
            return lambda theta: self.sample.evaluate(theta, y, pair, gauss_newton)

        down = DampedDescent(evaluation(True), theta, rounding=self.rounding, damping=damping)
        for step in range(MAX_STEPS):
            if step == GAUSS_NEWTON_STEPS:
                down.evaluate_with(evaluation(False))
            for i, n in enumerate(number):
                paths[n].append((down.theta[i], float(down.value[i])))
            live = np.isfinite(down.value) & ~self._has_ended(down, owner[number], step)
            ends[number] = down.theta
            if not live.any():
                break
            if not live.all():
                number = number[live]
                down.keep(live, evaluation(step < GAUSS_NEWTON_STEPS))
            down.advance()
        ends[number] = down.theta
        return ends

    def _has_ended(self, down, owner, step):
        lowest = np.array([min((e.value for e in ends), default=np.inf) for ends in self.ends])
        np.minimum.at(lowest, owner, down.value)
        lowest = lowest[owner]
        gain = np.maximum(self.null_value[owner] - lowest, 0.0)
        small = 1e-8 * gain + 0.1 * self.rounding
        ended = (down.predicted <= small) | (down.damping >= 1e8)
        return ended | (step >= RACE_STEPS) & (down.value > lowest + RACE_SHARE * gain)

    # -- starts ------------------------------------------------------------------------------------

    def _informed_starts(self):
        targets, weights = self._targets()
        fits = self.sample.least_squares(np.hstack(targets), np.hstack(weights))
        fits = fits.reshape(len(targets), self.n_groups, self.size)
        flips = fits[:3].copy()
        flips[..., : self.sample.n_features] *= -1
        return np.concatenate([self.null[None], fits, flips])

    def _targets(self):
        """Targets for z and their weights: two lists of (n_rows, n_groups) arrays."""
        activation, y = self.sample.pair.activation, self.levels
        low, high = activation.range
        targets, weights = [], []

        def add(target, weight):
            targets.append(target)
            weights.append(np.broadcast_to(weight, y.shape))

        if np.isfinite(high):
            for share in (0.02, 0.1, 0.25):
                margin = share * (high - low)
                z = activation.inverse(np.clip(y, low + margin, high - margin))
                # The delta method: an error in the level is one of 1 / f'(z) times that in z.
                add(z, activation.derivative(z) ** 2)
            add(z, 1.0)
            return targets, weights
        # Far up these activations are the identity (or grow faster), far down they are flat.
        for share in (0.01, 0.3):
            z = activation.inverse(np.maximum(y, low + share * self.spread))
            add(z, activation.derivative(z) ** 2)
        add(y, 1.0)
        add(2 * y - self._mean_level(), 1.0)
        # Rows high enough to be surely active; of the others only the side is known.
        z = activation.inverse(np.maximum(y, low + 0.01 * self.spread))
        for share in (0.1, 0.3):
            add(z, (y > share * y.max(axis=0)) + 1e-4)
        add(z, (y >= np.quantile(y, 0.5, axis=0)) + 1e-4)
        # The others may lie anywhere on the flat side: as far out as the active ones are in.
        active = y > 0.1 * y.max(axis=0)
        add(np.where(active, z, -z.max(axis=0)), 1.0)
        if not activation.monotone:
            # Low levels may come from the falling branch as well.
            falling = falling_branch(activation, y)
            high_up = y > activation(np.zeros(1))
            for z in (np.where(high_up, z, falling), falling):
                add(z, activation.derivative(z) ** 2)
        return targets, weights

    def _random_starts(self, n):
        """Random weights and, where one side is flat, fits to the rows on one side of a plane."""
        theta = self.rng.standard_normal((n, self.n_groups, self.size))
        z = self.sample.X[:, : self.sample.n_features] @ theta[..., : self.sample.n_features].reshape(
            -1, self.sample.n_features).T
        spread = np.maximum(z.std(axis=0).reshape(n, -1), 1e-300)
        size = self.rng.choice([0.5, 2.0, 10.0], size=(n, self.n_groups))
        one_sided = not np.isfinite(self.sample.pair.activation.range[1])
        if one_sided:
            size = size * np.where(self.rng.random((n, 1)) < 0.5, self.spread, 1.0)
        theta *= (size / spread)[:, :, None]
        if self.size > self.sample.n_features:
            theta[..., -1] = size * self.rng.standard_normal(size.shape)
        if one_sided:
            theta[: n // 2] = self._one_sided_fits(z, n // 2)
        return theta

    def _one_sided_fits(self, z, n):
        """Fits to the rows above a random plane; every other one wants the rest far below."""
        activation = self.sample.pair.activation
        inside = np.maximum(self.levels, activation.range[0] + 0.01 * self.spread)
        up = activation.inverse(inside)
        share = self.rng.uniform(0.1, 0.95, size=n)
        targets, weights = [], []
        for i in range(n):
            side = z[:, i * self.n_groups : (i + 1) * self.n_groups]
            above = side > np.quantile(side, share[i], axis=0)
            targets.append(np.where(above, up, -up.max(axis=0)) if i % 2 else up)
            weights.append(np.ones_like(up) if i % 2 else above + 1e-4)
        fits = self.sample.least_squares(np.hstack(targets), np.hstack(weights))
        return fits.reshape(n, self.n_groups, self.size)

    def _kicks(self, n):
        """The lowest ends, kicked: every other one towards rows that it fits badly."""
        starts = np.empty((n, self.n_groups, self.size))
        for k in range(self.n_groups):
            ends = self.ranked(k)[:3]
            for i in range(n):
                theta = ends[i // 2 % len(ends)].theta
                kick = self._towards_rows(theta, k) if i % 2 else self._anywhere(theta)
                starts[i, k] = theta + kick
        return starts

    def _anywhere(self, theta):
        size = self.rng.choice([0.03, 0.1, 0.3, 1.0]) * np.linalg.norm(theta)
        return size * self.rng.standard_normal(self.size) / np.sqrt(self.size)

    def _towards_rows(self, theta, k):
        """The least change that takes a few badly fitted rows to their targets, or past them."""
        z = self.sample.X @ theta
        y = self.sample.y[:, k : k + 1]
        loss = self.sample.pair.derivatives(y, z[:, None], 0)[0][:, 0]
        loss = (loss - loss.min()) * self.sample.weight + 1e-300
        rows = self.rng.choice(len(z), self.rng.integers(1, 4), p=loss / loss.sum())
        change = self.rng.choice([1.0, 2.0]) * (self._z_of_targets[rows, k] - z[rows])
        X = self.sample.X[rows]
        spread = self._inverse_gram @ X.T
        return spread @ np.linalg.lstsq(X @ spread, change, rcond=1e-8)[0]

    @cached_property
    def _z_of_targets(self):
        activation = self.sample.pair.activation
        low, high = activation.range
        margin = 0.05 * (high - low if np.isfinite(high) else self.spread)
        return activation.inverse(np.clip(self.levels, low + margin, high - margin))

    @cached_property
    def _inverse_gram(self):
        gram = (self.sample.weight[:, None] * self.sample.X).T @ self.sample.X
        return np.linalg.inv(gram + 1e-6 * np.eye(self.size))

    # -- what came of it ---------------------------------------------------------------------------

    def iterates(self) -> Iterator[Iterate]:
        """The way from the null neuron to the lowest end, on the sample."""
        paths = [[(self.null[k], None), *self.lowest(k).path] for k in range(self.n_groups)]
        for i in range(max(map(len, paths))):
            theta = np.array([path[min(i, len(path) - 1)][0] for path in paths])
            value, gradient = self.objective.value_and_gradient(theta)
            norm = self.objective.weight_gradient_norm(gradient)
            yield Iterate(theta, float(value.sum()), norm, self.objective)

    def best(self, objective: Objective):
        """The lowest end of each group; close calls are decided on the rows of `objective`."""
        ranked = [self.ranked(k) for k in range(self.n_groups)]
        best = np.array([ends[0].theta for ends in ranked])
        if objective.source.n_rows == self.objective.source.n_rows:
            return best
        close = [[end for end in ends if self._is_close(k, end)] for k, ends in enumerate(ranked)]
        n_rivals = min(max(map(len, close)), 3)
        if n_rivals == 1:
            return best
        value = objective.value(best)
        for i in range(1, n_rivals):
            rival = np.array([ends[min(i, len(ends) - 1)].theta for ends in close])
            rival_value = objective.value(rival)
            lower = rival_value < value
            best = np.where(lower[:, None], rival, best)
            value = np.where(lower, rival_value, value)
        return best

    def _is_close(self, k, end: End) -> bool:
        lowest = self.lowest(k).value
        return end.value <= lowest + CLOSE_CALL * max(self.null_value[k] - lowest, 0.0)


def falling_branch(activation, level):
    """The z below the activation's lowest level at which it falls through these levels."""
    z = np.linspace(-6.0, 0.0, 601)
    levels = activation(z)
    lowest = int(np.argmin(levels))
    return np.interp(-level, -levels[: lowest + 1], z[: lowest + 1])


def search(objective: Objective, rng: np.random.Generator) -> Search:
    """Search on a subsample of the rows of `objective`."""
    n_rows = objective.source.n_rows
    rows = np.arange(n_rows)
    if n_rows > N_ROWS:
        rows = np.sort(rng.choice(n_rows, N_ROWS, replace=False))
    found = Search(objective.subsample(rows), rng)
    found.run()
    return found
