"""A warm start on subsamples, each only as exact as its sampling noise deserves.

The optimum of a subsample of m rows lies about ``p / (2 m)`` above that of all rows (in units of
the loss, for p parameters), so a few thousand rows give most of the digits at a few percent of the
price, and their Hessian is a preconditioner that makes passes over all rows count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..objective import Objective
from .base import Iterate
from .descent import Descent
from .linear_algebra import SpdSolver
from .subsample import LEAST_SUPPORT, Sampler, most_held

# Constants fitted on synthetic and real data sets; they steer the effort, not the result.
ROWS_PER_PARAMETER = 80
ROWS_PER_PARAMETER_WIDE = 40
ROWS_PER_PARAMETER_LEAST = 20
LEAST_ROWS = 4000
# The last subsample has this share of the rows at most.
MOST_ROWS = 1 / 6
# It may be a copy: of so many bytes at most, and where X has many entries of this share of X.
MOST_BYTES = 1 << 28
LARGE = 4_000_000
MOST_OF_LARGE = 1 / 70
# Rows that tell how few share the curvature among them.
N_LOOKED_AT = 4000
# What the Hessian of n rows makes of a decrement in a step, in parameters per row: mostly, at most.
TYPICAL, WORST = 1.5, 4.0
# What rows cost that are held in float32, as a share of the price of those that are looked up.
HELD_PRICE = 0.4
# Share of the gain from the last sample's optimum at which its Hessian is as good as there.
NEAR = 3e-2


def least_rows(size: int) -> int:
    """Rows of the smallest subsample whose Hessian is worth having."""
    per_parameter = ROWS_PER_PARAMETER if size <= 100 else ROWS_PER_PARAMETER_WIDE
    return max(LEAST_ROWS, per_parameter * size)


def most_rows(source) -> float:
    """Rows of the largest subsample."""
    most_bytes = float(MOST_BYTES)
    if source.n_rows * source.n_features > LARGE:
        x_bytes = source.dtype.itemsize * source.n_rows * source.n_features
        most_bytes = min(most_bytes, MOST_OF_LARGE * x_bytes)
    return min(MOST_ROWS * source.n_rows, most_bytes / source.subset_bytes)


def hessian_cost(size: int) -> float:
    """Price of a Hessian over all rows, in float32, in passes for the gradient."""
    return 1.5 + 0.025 * size


class StagedStart:
    """Minimise over growing subsamples.

    After `iterate` is exhausted, `theta` is the start on all rows, `factor` the preconditioner
    (None if a Hessian on all rows is the better choice) and `prior` the contraction to expect.

    Parameters
    ----------
    objective : Objective
        On all rows of a dense source.
    goal : Goal
    """

    def __init__(self, objective: Objective, goal):
        self.objective = objective
        self.goal = goal
        # Convex: where the subsample lies changes how fast we get there, not where we arrive. A
        # generator of our own keeps results the same each time.
        self.sampler = Sampler(objective, np.random.default_rng(0))
        self.theta = None
        self.factor: SpdSolver | None = None
        self.prior = 0.5

    def iterate(self, theta) -> Iterator[Iterate]:
        """Yield the iterates of all stages."""
        size = self.objective.shape[1]
        n_draw = max(4000, 8 * size)
        sample = self.sampler.subsample(n_draw)
        self.sampler.look_for_rare_columns(sample, n_draw)
        first = self._first_stage(sample, max(1000, 10 * size))
        theta, factor = yield from self._stage(first, theta, relative=1e-2)
        prior = self._contraction(first.source.n_rows)
        # Each is a copy of rows, and the next one is larger.
        del first
        n_rows = self._size_of_last(sample, theta)
        if self.sampler.rare is not None or n_rows >= 7 * n_draw:
            support = max(LEAST_SUPPORT / 2, n_draw / size)
            relative = 1e-3 if self.sampler.rare is None else 1e-5
            middle = self.sampler.subsample(n_draw, support)
            theta, factor = yield from self._stage(middle, theta, relative)
            prior = self._contraction(middle.source.n_rows)
            del middle
        del sample
        last = self.sampler.subsample(n_rows, max(LEAST_SUPPORT, n_rows / size), copy=False)
        relative = 3e-4 if self.sampler.rare is None else 1e-6
        theta, _ = yield from self._stage(last, theta, NEAR, factor, prior)
        # The preconditioner is the Hessian where that led: on the way there it changes by more than
        # so many rows leave in doubt.
        theta, factor = yield from self._stage(last, theta, relative)
        self.theta, self.factor = theta, factor
        effective = self._effective_rows(last, theta)
        if effective < last.source.n_rows / 5:
            # Few rows carry the curvature: what these rows say of it is too rough.
            self.factor = None
        self.prior = self._contraction(min(last.source.n_rows, effective))

    def _first_stage(self, sample: Objective, n_rows: int) -> Objective:
        """A few rows, on which rare columns are held near zero: they know nothing of them."""
        rows = np.sort(
            self.sampler.rng.choice(
                sample.source.n_rows, min(n_rows, sample.source.n_rows), replace=False
            )
        )
        first = sample.subsample(rows)
        if self.sampler.rare is not None:
            per_neuron = first.l2.reshape(-1, first.neuron_size)
            per_neuron[:, self.sampler.rare.columns] += 1e3
        return first

    def _stage(
        self,
        sample: Objective,
        theta,
        relative: float,
        factor: SpdSolver | None = None,
        prior: float = 0.5,
    ):
        """Minimise over a sample; return where that led and the last preconditioner."""
        noise = self._noise(sample.source.n_rows)
        share = 0.01 if relative < 1e-2 else 0.25

        def target(value, theta):
            gain = max(self.goal.null_value - value, 1e-3 * abs(value))
            return max(relative * gain, share * noise)

        cost = hessian_cost(self.objective.shape[1])
        descent = Descent(sample, target, factor, prior, cost)
        for iterate in descent.iterate(theta):
            theta = iterate.theta
            yield iterate
        return theta, descent.factor

    def _contraction(self, n_rows: float) -> float:
        """What the Hessian of so many rows makes of a decrement in a step, at most."""
        return min(0.5, 0.01 + WORST * self.objective.shape[1] / max(n_rows, 1.0))

    def _noise(self, n_rows):
        """How far the optimum over `n_rows` lies above that over all rows, about."""
        return 0.5 * self.objective.shape[0] * self.objective.shape[1] / n_rows

    def _size_of_last(self, sample: Objective, theta) -> int:
        """Rows of the last stage: the passes they save against their own price."""
        size = self.objective.shape[1]
        smallest = max(LEAST_ROWS, ROWS_PER_PARAMETER_LEAST * size)
        source = self.objective.source
        candidates = np.geomspace(smallest, max(most_rows(source), smallest), 24)
        held = most_held(self.objective)
        candidates = np.append(candidates, max(held, smallest))
        value = float(sample.value_and_gradient(theta, sample.quicker_in_single)[0].sum())
        passes = self._passes(candidates, self.goal.target(value, theta))
        price = candidates / source.n_rows * (8 + 0.9 * hessian_cost(size))
        price[candidates <= held] *= HELD_PRICE
        return int(candidates[np.argmin(passes + price)])

    def _passes(self, n_rows, allowed: float):
        """Passes over all rows that so many rows in the last stage leave to be done, about.

        Two will do where the second shows that the step from there, which is foretold with caution,
        leaves no more than is allowed.
        """
        gap, parameters_per_row = self._noise(n_rows), self.objective.shape[1] / n_rows
        typical = TYPICAL * parameters_per_row
        worst = np.minimum(0.6, WORST * parameters_per_row)
        many = np.log(np.minimum(0.5, allowed / (3 * gap))) / np.log(worst)
        after_two = 2 * gap * typical * np.sqrt(typical * worst)
        return np.where(after_two <= allowed / 8, 2.0, np.maximum(3.0, many))

    def _effective_rows(self, sample: Objective, theta) -> float:
        """How many rows share the curvature among them, ``(sum d)^2 / sum d^2``: from some."""
        some = sample.subsample(sample.sample_rows(N_LOOKED_AT))
        d = some.row_curvature(theta)
        d = (d * (1 - d) if some.pair.coupled else d).sum(axis=1)
        if some.source.sample_weight is not None:
            d = d * some.source.sample_weight
        share = d.sum() ** 2 / max(len(d) * np.sum(d * d), 1e-300)
        return float(share * sample.source.n_rows)


def stages_pay(objective: Objective) -> bool:
    """Whether subsamples are worth their trouble: dense rows, many more than parameters."""
    source = objective.source
    return not source.is_sparse and source.n_rows >= 4 * least_rows(objective.shape[1])
