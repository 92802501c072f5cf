"""Where to start from, for a pair that is not convex.

Several starts are tried on a subsample: least squares on targets sent back through the activation,
their mirror images, random ones. Each start is a neuron of its own, so all of them go down side by
side and share the reading of the rows; the best one is handed on.

References
----------
Rinnooy Kan and Timmer, Stochastic global optimization methods, Math. Programming 39 (1987): local
searches from the best of many starts, ended once the same lowest end has come up again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..objective import Objective
from ..sources import ArraySource
from .base import Iterate
from .damping import DampedDescent
from .linear_algebra import SpdSolver

N_ROWS = 2000
# Random starts per round, and rounds at most.
N_RANDOM = 12
MAX_ROUNDS = 6
# The lowest end must have been reached this often before the search ends.
ENOUGH_HITS = 3
MAX_STEPS = 100
# Ends whose values differ by less than this share of what there was to gain are one.
SAME_END = 1e-4
# On all rows, ends this close on the subsample are compared again.
CLOSE_CALL = 0.05


@dataclass(frozen=True)
class WeightedSquares:
    """Squares ``v * (z - t)**2 / 2``, each row and neuron with a target and a weight of its own.

    Takes the place of a pair; its `y` is (n, n_neurons, 2), targets and weights.
    """

    coupled = False

    def derivatives(self, y, z, order, gauss_newton=False):
        target, weight = y[:, :, 0], y[:, :, 1]
        error = z - target
        r = weight * error
        return 0.5 * r * error, r, weight


@dataclass
class Search:
    """Starts that go down side by side on a subsample, and the ends they reached.

    Parameters
    ----------
    sub : Objective
        On the subsample.
    rng : Generator
    """

    sub: Objective
    rng: np.random.Generator

    def __post_init__(self):
        self.null = self.sub.null()
        self.null_value = self.sub.value(self.null)
        self.rounding = self.sub.rounding
        n = self.sub.n_neurons
        # Per group: end points, their values, and the paths that led there.
        self.thetas: list[list[np.ndarray]] = [[] for _ in range(n)]
        self.values: list[list[float]] = [[] for _ in range(n)]
        self.paths: list[list[list[tuple]]] = [[] for _ in range(n)]

    def run(self) -> None:
        """Search until every group's lowest end has been reached several times."""
        self._descend(self._informed_starts())
        for _ in range(MAX_ROUNDS):
            if all(self._hits(k) >= ENOUGH_HITS for k in range(self.sub.n_neurons)):
                return
            self._descend(self._random_starts(N_RANDOM))

    def _hits(self, k) -> int:
        values = np.array(self.values[k])
        gain = max(self.null_value[k] - values.min(), 0.0)
        return int(np.sum(values <= values.min() + SAME_END * gain + 10 * self.rounding))

    def ranked(self, k):
        """Different ends of group k, lowest first: (theta, value, path)."""
        order = np.argsort(self.values[k], kind="stable")
        gain = max(self.null_value[k] - self.values[k][order[0]], 0.0)
        ends = []
        for i in order:
            if ends and self.values[k][i] <= ends[-1][1] + SAME_END * gain + 10 * self.rounding:
                continue
            ends.append((self.thetas[k][i], self.values[k][i], self.paths[k][i]))
        return ends

    def iterates(self):
        """The way from the null neuron to the best end, on the subsample."""
        paths = [self.ranked(k)[0][2] for k in range(self.sub.n_neurons)]
        value, gradient = self.sub.value_and_gradient(self.null)
        yield self._iterate(self.null, value, gradient)
        for i in range(max(map(len, paths))):
            parts = zip(*(path[min(i, len(path) - 1)] for path in paths), strict=True)
            yield self._iterate(*(np.array(part) for part in parts))

    def _iterate(self, theta, value, gradient):
        norm = self.sub.weight_gradient_norm(gradient)
        return Iterate(theta, float(value.sum()), norm, self.sub)

    def best(self, objective):
        """The best end of each group; close calls are decided on the rows of `objective`."""
        ranked = [self.ranked(k) for k in range(self.sub.n_neurons)]
        best = np.array([ends[0][0] for ends in ranked])
        if objective.source.n_rows == self.sub.source.n_rows:
            return best
        n_rivals = max(len(ends) for ends in ranked)
        if n_rivals == 1:
            return best
        value = objective.value(best)
        for i in range(1, min(n_rivals, 3)):
            rival = np.array([ends[min(i, len(ends) - 1)][0] for ends in ranked])
            rival_value = objective.value(rival)
            lower = rival_value < value
            best = np.where(lower[:, None], rival, best)
            value = np.where(lower, rival_value, value)
        return best

    # -- going down --------------------------------------------------------------------------------

    def _descend(self, starts) -> None:
        """Take starts (n_starts, n_groups, size) down to their ends."""
        n_starts, n_groups, size = starts.shape
        owner = np.tile(np.arange(n_groups), n_starts)
        number = np.arange(len(owner))
        down = DampedDescent(self._side_by_side(owner), starts.reshape(-1, size), gauss_newton=True,
                       damping=1e-3, rounding=self.rounding)
        finite = np.isfinite(down.value)
        paths = [[] for _ in owner]
        live = finite
        for step in range(MAX_STEPS + 1):
            for i, n in enumerate(number):
                paths[n].append((down.theta[i], down.value[i], down.gradient[i]))
            done = self._finished(down, owner) | ~np.isfinite(down.value)
            for i in np.flatnonzero(done):
                if np.isfinite(down.value[i]):
                    self._end(owner[i], paths[number[i]])
            live = ~done
            if step == MAX_STEPS or not live.any():
                break
            if not live.all():
                owner, number = owner[live], number[live]
                down.keep(live, self._side_by_side(owner))
            down.advance()
        for i in np.flatnonzero(live):
            self._end(owner[i], paths[number[i]])

    def _finished(self, down, owner):
        gain = np.maximum(self.null_value[owner] - down.value, 0.0)
        small = 1e-8 * gain + 0.1 * self.rounding
        return (down.predicted <= small) | (down.damping >= 1e8)

    def _end(self, k, path) -> None:
        theta, value, _ = path[-1]
        self.thetas[k].append(theta)
        self.values[k].append(float(value))
        self.paths[k].append(path)

    def _side_by_side(self, owner) -> Objective:
        """The objective in which neuron i has the targets of group ``owner[i]``."""
        source = self.sub.source
        rows = ArraySource(source.X, source.y[:, owner], source.sample_weight)
        return Objective(rows, self.sub.pair, self.sub.penalty, len(owner),
                         fit_intercept=self.sub.fit_intercept, coordinates=self.sub.coordinates)

    # -- starts ------------------------------------------------------------------------------------

    def _informed_starts(self):
        fits = self._fit(*self._targets())
        flips = fits[:3].copy()
        flips[..., : self.sub.n_features] *= -1
        return np.concatenate([self.null[None], fits, flips, self._random_starts(4)])

    def _targets(self):
        """Targets for z and their weights: two lists of (n, n_groups) arrays."""
        activation = self.sub.pair.activation
        y = self._levels()
        low, high = activation.range
        spread = y.std(axis=0) + 1e-12 * np.abs(y).max(axis=0) + 1e-300
        targets, weights = [], []

        def add(target, weight):
            targets.append(target)
            weights.append(np.broadcast_to(weight, y.shape))

        if np.isfinite(high):
            for share in (0.02, 0.1, 0.25):
                z = activation.inverse(np.clip(y, low + share * (high - low),
                                               high - share * (high - low)))
                add(z, activation.derivative(z) ** 2)
            add(z, 1.0)
            return targets, weights
        # Far up these activations are the identity (or grow faster), far down they are flat.
        for share in (0.01, 0.3):
            level = y if not np.isfinite(low) else np.maximum(y, low + share * spread)
            z = activation.inverse(level)
            add(z, activation.derivative(z) ** 2)
        add(y, 1.0)
        add(2 * y - np.median(y, axis=0), 1.0)
        for share in (0.3, 0.5, 0.8):
            z = activation.inverse(np.maximum(y, low + 0.01 * spread))
            add(z, (y >= np.quantile(y, share, axis=0)) + 1e-4)
        return targets, weights

    def _levels(self):
        """Targets on the activation's own scale."""
        return self.sub.source.y

    def _fit(self, targets, weights):
        """Least squares of z, for all targets at once: (n_targets, n_groups, size)."""
        y = np.stack([np.concatenate(targets, axis=1), np.concatenate(weights, axis=1)], axis=2)
        source = self.sub.source
        rows = ArraySource(source.X, y, source.sample_weight)
        squares = Objective(rows, WeightedSquares(), self.sub.penalty, y.shape[1],
                            fit_intercept=self.sub.fit_intercept,
                            coordinates=self.sub.coordinates)
        zero = np.zeros(squares.shape)
        _, gradient, hessian = squares.value_gradient_hessian(zero)
        # With fewer rows of weight than features the fit would be wild; a start need not be exact.
        index = np.arange(hessian.shape[1])
        hessian[:, index, index] *= 1 + 1e-3
        return -SpdSolver(hessian)(gradient).reshape(len(targets), self.sub.n_neurons, -1)

    def _random_starts(self, n):
        """Half of them random weights, half fits to the rows on one side of a random plane."""
        sub, rng = self.sub, self.rng
        shape = (n, *sub.shape)
        theta = rng.standard_normal(shape)
        z = self._pre_activation(theta)
        spread = z.std(axis=0).reshape(n, -1)
        size = rng.choice([0.7, 2.0, 5.0], size=(n, 1))
        low, high = sub.pair.activation.range
        if not np.isfinite(high):
            size = size * self._levels().std(axis=0)
        theta *= (size / np.maximum(spread, 1e-300))[:, :, None]
        if sub.fit_intercept:
            theta[..., -1] = size * rng.standard_normal(spread.shape)
        if not np.isfinite(high):
            half = n // 2
            theta[:half] = self._one_sided(z, half)
        return theta

    def _one_sided(self, z, n):
        y = self._levels()
        sides = z.reshape(len(z), -1, y.shape[1])[:, :n]
        targets, weights = [], []
        for i in range(n):
            cut = np.quantile(sides[:, i], self.rng.uniform(0.1, 0.7), axis=0)
            targets.append(y)
            weights.append((sides[:, i] > cut) + 1e-4)
        return self._fit(targets, weights)

    def _pre_activation(self, theta):
        """z of (n, n_groups, size) parameters on the subsample: (n_rows, n * n_groups)."""
        coef = theta[..., : self.sub.n_features] / self.sub.coordinates.scale
        coef = coef.reshape(-1, self.sub.n_features)
        return self.sub.source.X @ coef.T - coef @ self.sub.coordinates.center


def search(objective: Objective, rng: np.random.Generator) -> Search:
    """Search for starts on a subsample of the rows."""
    n = objective.source.n_rows
    rows = np.arange(n) if n <= N_ROWS else np.sort(rng.choice(n, N_ROWS, replace=False))
    found = Search(objective.subsample(rows), rng)
    found.run()
    return found
