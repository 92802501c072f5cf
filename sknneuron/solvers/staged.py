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
from .subsample import LEAST_SUPPORT, Sampler, most_rows

# Constants fitted on synthetic and real data sets; they steer the effort, not the result.
ROWS_PER_PARAMETER = 80
ROWS_PER_PARAMETER_WIDE = 40
LEAST_ROWS = 4000
# The last subsample is a copy: of this share of X at most, where X has many entries of less.
LARGE = 4_000_000
MOST_OF_SMALL, MOST_OF_LARGE = 1 / 6, 1 / 70


def least_rows(size: int) -> int:
    """Rows of the smallest subsample whose Hessian is worth having."""
    per_parameter = ROWS_PER_PARAMETER if size <= 100 else ROWS_PER_PARAMETER_WIDE
    return max(LEAST_ROWS, per_parameter * size)


def hessian_cost(size: int) -> float:
    """Price of a Hessian over all rows, in passes for the gradient."""
    return 1.5 + 0.017 * size


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
        self.probe: Objective | None = None

    def iterate(self, theta) -> Iterator[Iterate]:
        """Yield the iterates of all stages."""
        size = self.objective.shape[1]
        n_draw = max(4000, 8 * size)
        sample = self.sampler.subsample(n_draw)
        self.sampler.look_for_rare_columns(sample, n_draw)
        theta = yield from self._stage(
            self._first_stage(sample, max(1000, 10 * size)), theta, relative=1e-2
        )
        n_rows = self._size_of_last(sample, theta)
        if self.sampler.rare is not None or n_rows >= 4 * n_draw:
            support = max(LEAST_SUPPORT / 2, n_draw / size)
            relative = 1e-3 if self.sampler.rare is None else 1e-5
            middle = self.sampler.subsample(n_draw, support)
            theta = yield from self._stage(middle, theta, relative)
            del middle
        # Each is a copy of rows, and the next one is larger.
        del sample
        last = self.sampler.subsample(n_rows, max(LEAST_SUPPORT, n_rows / size))
        descent = self._descent(last, 3e-4 if self.sampler.rare is None else 1e-6)
        for iterate in descent.iterate(theta):
            theta = iterate.theta
            yield iterate
        self.theta, self.probe, self.factor = theta, last, descent.factor
        effective = self._effective_rows(last, theta)
        if effective < last.source.n_rows / 5:
            # Few rows carry the curvature: what these rows say of it is too rough.
            self.factor = None
        self.prior = min(0.5, 0.02 + 8 * size / min(last.source.n_rows, effective))

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

    def _descent(self, sample: Objective, relative: float) -> Descent:
        noise = self._noise(sample.source.n_rows)
        share = 0.01 if relative < 1e-2 else 0.25

        def target(value, theta):
            gain = max(self.goal.null_value - value, 1e-3 * abs(value))
            return max(relative * gain, share * noise)

        return Descent(sample, target)

    def _stage(self, sample: Objective, theta, relative: float):
        for iterate in self._descent(sample, relative).iterate(theta):
            theta = iterate.theta
            yield iterate
        return theta

    def _noise(self, n_rows: int) -> float:
        """How far the optimum over `n_rows` lies above that over all rows, about."""
        return 0.5 * self.objective.shape[0] * self.objective.shape[1] / n_rows

    def _size_of_last(self, sample: Objective, theta) -> int:
        """Rows of the last stage: the passes they save against their own price."""
        size = self.objective.shape[1]
        smallest = least_rows(size)
        source = self.objective.source
        is_large = source.n_rows * source.n_features > LARGE
        share = MOST_OF_LARGE if is_large else MOST_OF_SMALL
        most = min(share * source.n_rows, most_rows(source))
        candidates = np.geomspace(smallest, max(most, smallest), 16)
        value = float(sample.value(theta).sum())
        allowed = self.goal.target(value, theta)
        contraction = np.minimum(0.6, 4 * size / candidates)
        gap = 0.5 * self.objective.shape[0] * size / candidates
        passes = np.maximum(1.0, np.log(np.minimum(0.5, allowed / (3 * gap))) / np.log(contraction))
        price = candidates / source.n_rows * (4 + 2 * hessian_cost(size))
        return int(candidates[np.argmin(passes + price)])

    def _effective_rows(self, sample: Objective, theta) -> float:
        """How many rows share the curvature among them, ``(sum d)^2 / sum d^2``."""
        d = sample.row_curvature(theta)
        return float(d.sum() ** 2 / max(np.sum(d * d), 1e-300))


def stages_pay(objective: Objective) -> bool:
    """Whether subsamples are worth their trouble: dense rows, many more than parameters."""
    source = objective.source
    return not source.is_sparse and source.n_rows >= 4 * least_rows(objective.shape[1])
