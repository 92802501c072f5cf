"""Gradient descent on mini-batches and Adam for a layer: many rows, many parameters.

Both work in the coordinates of the objective: columns are centred and scaled, outputs are in units
of the targets' spread. Rates are cut when epochs no longer bring much, until that is over too.
"""

from __future__ import annotations

import numpy as np

from ..layer_objective import LayerObjective
from .batches import Batches, rows_per_step
from .course import Course
from .layer_starts import Starts, is_fresh
from .stochastic import SGD, Adam, Stochastic

# First step length of Adam.
ADAM_RATE = 0.005
# With fewer steps in an epoch than this they are longer, up to so many times.
FEW_STEPS = 150
LONGEST = 4.0
# This share of the gain must come in so many steps, or the rate is cut; bounds in epochs.
SHARE = 0.001
STEPS = 3600
PATIENCE = (3, 40)
# The curvature that SGD's rate follows from is that of at most so many rows.
N_PROBE_ROWS = 2000
POWER_ITERATIONS = 10
DIFFERENCE = 1e-4


class LayerStochastic(Stochastic):
    """What the layer's stochastic solvers have in common."""

    max_cuts = 3

    @staticmethod
    def _in_weights(objective, theta):
        return theta, np.ones(objective.shape), objective.l1, objective.l2

    def _course(self, objective, goal, first, state):
        patience = int(np.clip(STEPS / self._steps_per_epoch(objective), *PATIENCE))
        return Course(max(SHARE, float(goal.tol)), patience, first, state)

    def _steps_per_epoch(self, objective) -> float:
        n_rows = objective.source.n_rows
        return n_rows / rows_per_step(n_rows, self.batch_size)

    def _gradients(self, objective, weights, rng):
        kernel = objective.batch_kernel
        mean_weight = objective.source.total_weight / objective.source.n_rows
        for X, y, sample_weight in Batches(objective, self.batch_size).epoch(rng):
            weight = None if sample_weight is None else sample_weight[:, 0]
            sums = kernel(X, y, weight, *objective.kernel_parameters(weights))
            yield objective.gradient_of(*sums), 1 / (len(y) * mean_weight)

    def begin(self, objective):
        state = {
            **objective.coordinates.state(),
            "share": np.array(1.0),
            # Under a penalty that outweighs the rows a weight must go slowly.
            "precondition": 1 / (1 + objective.l2[None]),
            **self._memory(objective.shape),
        }
        rate = self.learning_rate_init
        state["rate"] = np.full((1, 1), self._default_rate(objective) if rate == "auto" else rate)
        return state

    def _default_rate(self, objective: LayerObjective) -> float:
        raise NotImplementedError

    def epoch(self, objective, theta, state, rng):
        if is_fresh(objective, theta):
            theta = Starts(objective, rng).draw()
        state = (
            self.begin(objective) if state is None else {k: np.array(v) for k, v in state.items()}
        )
        theta = np.array(theta, dtype=np.float64)
        self._run(objective, theta, state, rng)
        return theta, state

    def iterate(self, objective, start, goal, rng):
        if is_fresh(objective, start):
            start = Starts(objective, rng).draw()
        yield from super().iterate(objective, start, goal, rng)


class LayerSGD(LayerStochastic, SGD):
    """Gradient descent on mini-batches, with momentum."""

    def _default_rate(self, objective):
        """One over the largest eigenvalue of the curvature at a start, by power iteration."""
        sample = objective.subsample(objective.sample_rows(N_PROBE_ROWS))
        theta = Starts(objective, np.random.default_rng(0)).draw()
        gradient = sample.value_and_gradient(theta)[1]
        root = 1 / np.sqrt(1 + objective.l2)
        direction = np.random.default_rng(1).standard_normal(theta.shape)
        largest = 1.0
        for _ in range(POWER_ITERATIONS):
            step = DIFFERENCE / np.linalg.norm(direction) * direction * root
            change = sample.value_and_gradient(theta + step)[1] - gradient
            direction = root * change / DIFFERENCE
            largest = max(float(np.linalg.norm(direction)), 1e-6)
        return (1 - self.momentum) / largest


class LayerAdam(LayerStochastic, Adam):
    """Steps of about the same length for every parameter."""

    def _default_rate(self, objective):
        return ADAM_RATE * float(np.clip(FEW_STEPS / self._steps_per_epoch(objective), 1, LONGEST))
