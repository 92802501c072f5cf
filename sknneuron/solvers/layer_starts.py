"""Where the training of a layer begins: weights at random, on a scale that suits the activation."""

from __future__ import annotations

import numpy as np

from ..activations import Activation
from ..layer_objective import LayerObjective

# Thresholds lie at random within so many deviations of the mean weighted sum.
THRESHOLDS = 1.0
LEAST_DEVIATION = 1e-2
# Size of a dead neuron's successor, beside a neuron of a start.
MODEST = 0.1
# Dead neurons are looked for after so many iterates, after twice as many and so on, and replaced so
# often at most: neurons find their places early.
FIRST_LOOK = 10
MAX_REVIVALS = 3
# Random neurons among which a dead one's successor is chosen.
N_CANDIDATES = 32


def spread(activation: Activation) -> float:
    """Deviation that weighted sums begin with: wide enough to bend, too narrow to go flat."""
    low, high = activation.responsive
    if np.isfinite(low) and np.isfinite(high):
        return float(min(-low, high) / 3)
    return 0.5 if activation.name == "exp" else 1.0


class Starts:
    """Draws starts, and successors of dead neurons.

    Every neuron looks in a random direction of the centred and scaled columns, its weighted sum has
    a deviation that suits the activation, and its threshold lies among the rows: so none begins
    dead or saturated, whatever the correlations and the scale of the columns.

    Parameters
    ----------
    objective : LayerObjective
    rng : Generator

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010; He et al., Delving deep into rectifiers, ICCV 2015: scales that keep the variance.
    Mishkin and Matas, All you need is a good init, ICLR 2016: scales measured on the data.
    """

    def __init__(self, objective: LayerObjective, rng: np.random.Generator):
        self.objective = objective
        self.rng = rng
        rows = objective.watched
        weight = np.ones(rows.n_rows) if rows.sample_weight is None else rows.sample_weight
        self.weight = (
            weight / weight.sum() if weight.any() else np.full(len(weight), 1 / len(weight))
        )

    def draw(self, size: float = 1.0):
        """Return one start, in theta's shape; with a size of 1 outputs vary as targets do."""
        objective, rng = self.objective, self.rng
        theta = np.empty(objective.shape)
        hidden, output = objective.split(theta)
        hidden[:], level = self._neurons(objective.n_neurons, size)
        mean = self.weight @ level
        deviation = np.sqrt(self.weight @ (level - mean) ** 2)
        output[:, :-1] = rng.standard_normal((objective.n_outputs, objective.n_neurons))
        # Where levels hardly differ, the output weights would have to be large without an end.
        deviation[deviation < LEAST_DEVIATION] = 1.0
        output[:, :-1] *= size / (np.sqrt(objective.n_neurons) * deviation)
        output[:, -1] = -output[:, :-1] @ mean
        return theta

    def _neurons(self, n: int, size: float = 1.0):
        """Random hidden neurons (n, n_features + 1), and their levels on the watched rows."""
        objective, rng = self.objective, self.rng
        scale, center = objective.coordinates.scale, objective.coordinates.center
        hidden = rng.standard_normal((n, objective.neuron_size))
        # A penalty that outweighs a column will hold its weight near zero: begin there.
        hidden[:, :-1] *= 1 - objective.split(objective.l2)[0][0, :-1]
        shift = rng.uniform(-THRESHOLDS, THRESHOLDS, n)
        coef = hidden[:, :-1] / scale
        z = objective.watched.X @ coef.T - coef @ center
        mean = self.weight @ z
        deviation = np.sqrt(self.weight @ (z - mean) ** 2)
        # Columns that are constant leave a neuron nothing to look at.
        deviation[deviation <= 1e-12] = 1.0
        factor = size * spread(objective.activation) / deviation
        hidden[:, :-1] *= factor[:, None]
        hidden[:, -1] = factor * (shift * deviation - mean)
        return hidden, objective.activation(z * factor + hidden[:, -1])

    def revive(self, theta, dead):
        """Return theta with successors for the neurons `dead`.

        They are those of many random ones whose levels go best with what is left to learn. They
        begin with output weights of zero and small ones of their own: the outputs stay as they
        are, and the penalty nearly so.
        """
        objective = self.objective
        theta = theta.copy()
        hidden, output = objective.split(theta)
        rows = objective.watched
        coef, intercept, *weights = objective.to_weights(theta)
        level = objective.activation(rows.X @ coef.T + intercept)
        o = level @ weights[0].T + weights[1]
        slope = objective.pair.derivatives(rows.y, o, 1)[1] * self.weight[:, None]
        slope -= self.weight[:, None] * slope.sum(axis=0)
        candidates, level = self._neurons(max(N_CANDIDATES, 4 * len(dead)))
        mean = self.weight @ level
        deviation = np.sqrt(self.weight @ (level - mean) ** 2)
        gain = np.abs(slope.T @ (level - mean)).max(axis=0) / np.maximum(deviation, 1e-12)
        best = np.argsort(-gain)[: len(dead)]
        hidden[dead] = MODEST * candidates[best]
        output[:, dead] = 0
        return theta


class Revival:
    """Looks for dead neurons now and then, and puts others in their place.

    Parameters
    ----------
    starts : Starts
    """

    def __init__(self, starts: Starts):
        self.starts = starts
        self.n_calls = 0
        self.next_look = FIRST_LOOK
        self.n_revivals = 0

    def is_due(self, now: bool = False) -> bool:
        """Count one iterate; True if it is time to look, or `now`."""
        self.n_calls += 1
        is_time = self.n_calls == self.next_look
        if is_time:
            self.next_look *= 2
        can_die = self.starts.objective.activation.flat is not None
        return can_die and (now or is_time) and self.n_revivals < MAX_REVIVALS

    def of(self, theta):
        """Return theta with dead neurons replaced, or None if there are none."""
        dead = np.flatnonzero(self.starts.objective.flat_everywhere(theta))
        if not len(dead):
            return None
        self.n_revivals += 1
        return self.starts.revive(theta, dead)


def is_fresh(objective: LayerObjective, start) -> bool:
    """Whether the start is a layer that has learnt nothing, in whose place weights are drawn."""
    return np.array_equal(start, objective.null())
