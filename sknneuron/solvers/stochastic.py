"""Stochastic gradient descent and Adam: a step after every few rows.

Both work where columns are centred and scaled and each has the same curvature, so that square feet
beside a dummy, or targets in dollars, need no other settings than tidy data. In these coordinates
`learning_rate_init` means:

- ``sgd``: the share of the Newton step of one parameter alone that a step takes; 1 is the whole
  step, and stable learning needs less the more the columns are correlated. "auto" takes it from the
  largest eigenvalue of the curvature and from how much single rows weigh in a batch.
- ``adam``: how far a parameter moves in a step, in the unit of z times the square root of the
  curvature (the unit of y for a squared error). "auto" takes a share of the first Newton step.

Rates are cut when epochs no longer lower the objective, so that the noise of the batches fades.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..objective import Objective
from ..penalties import least_subgradient, soft_threshold
from .base import Goal, Iterate, Solver
from .batches import Batches, CentredRows, rows_per_step
from .course import Course, State
from .probe import Probe

# With more rows than this an epoch's objective is measured on so many evenly spaced ones.
N_MEASURED_ROWS = 16384
# Share of what was gained so far that counts as progress, with tol="auto".
PROGRESS = 1e-4
# Epochs without progress before the rate is cut, by how much, and how often before it is over.
PATIENCE = 3
CUT = 0.3
MAX_CUTS = 8
# A rate of our own choice that proves too high is cut by this, so often at most.
RETREAT = 0.1
MAX_RETREATS = 8
# Share of the first Newton step that a step of Adam is.
ADAM_SHARE = 0.05
# Keeps a weight without gradient from a division by zero.
TINY = 1e-200
# Sample weights past this, or below one over it, are brought near one.
EXTREME = 1e50


class Stochastic(Solver):
    """What stochastic solvers share: batches, rates, and when to cut them.

    Parameters
    ----------
    batch_size : int, default=256
        Rows per step; fewer where an epoch would have less than eight steps.
    learning_rate_init : float or "auto", default="auto"
        First rate; see the notes of the module for its unit.

    Notes
    -----
    An epoch's iterate is exact on the rows of its `objective`: all of them up to `N_MEASURED_ROWS`,
    beyond that as many evenly spaced ones, always the same. The start and an iterate with
    ``last=True`` are measured on all rows.
    """

    needs_smooth_penalty = False
    is_stochastic = True
    tol_is_progress = True
    is_random = True
    options: tuple[str, ...] = ("batch_size", "learning_rate_init")

    def __init__(self, batch_size: int = 256, learning_rate_init: float | str = "auto"):
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init

    # What a layer chooses otherwise.
    max_cuts = MAX_CUTS
    cut = CUT

    @staticmethod
    def _in_weights(objective: Objective, theta):
        return in_weights(objective, theta)

    def _course(self, objective: Objective, goal: Goal, first: Iterate, state: State) -> Course:
        share = PROGRESS if goal.tol == "auto" else float(goal.tol)
        return Course(share, PATIENCE, first, state)

    # -- the rule of a step, which a subclass supplies ---------------------------------------------

    def _memory(self, shape) -> State:
        """What the rule remembers from step to step, still empty."""
        raise NotImplementedError

    def _forget(self, state: State) -> None:
        """Drop a momentum that has carried the weights uphill."""

    def _auto_rate(self, probe: Probe, state: State) -> np.ndarray:
        """Rate per neuron, (n_neurons, 1), that also suits the rows seen before."""
        raise NotImplementedError

    def _run(self, objective: Objective, theta, state: State, rng) -> None:
        """One epoch; changes `theta` and `state` in place."""
        raise NotImplementedError

    def _gradients(self, objective: Objective, weights, rng) -> Iterator[tuple]:
        """Per batch: the gradient of its summed loss, and what makes a mean of it.

        At `weights` as they are when it is asked for; the array is used again for the next one.
        """
        slope_of = objective.pair.slope
        rows = CentredRows(objective, weights)
        mean_weight = objective.source.total_weight / objective.source.n_rows
        for X, y, sample_weight in Batches(objective, self.batch_size).epoch(rng):
            r = slope_of(y, rows.pre_activation(X))
            if sample_weight is not None:
                r = sample_weight * r
            yield rows.gradient(X, r), 1 / (len(y) * mean_weight)

    # -- states ------------------------------------------------------------------------------------

    def begin(self, objective: Objective) -> State:
        """Return the state before the first epoch."""
        probe = Probe(objective)
        state = {
            "center": objective.coordinates.center.copy(),
            "scale": objective.coordinates.scale.copy(),
            "curvature": probe.curvature,
            "share": np.array(1.0),
            **self._memory(probe.shape),
        }
        self._set_rate(state, probe)
        return state

    def _set_rate(self, state: State, probe: Probe) -> None:
        state["curvature"] = np.maximum(state["curvature"], probe.curvature)
        state["precondition"] = probe.precondition(state["curvature"])
        if self.learning_rate_init == "auto":
            state["rate"] = self._auto_rate(probe, state)
        else:
            state["rate"] = np.full((probe.shape[0], 1), float(self.learning_rate_init))

    def epoch(self, objective: Objective, theta, state: State | None, rng):
        """Pass over the rows of `objective` once: what `partial_fit` does.

        Parameters
        ----------
        objective : Objective
            Its coordinates must be the same from call to call: those of ``state["center"]`` and
            ``state["scale"]``.
        theta : ndarray
        state : dict of arrays, or None
            What an earlier call returned; None begins anew.
        rng : Generator

        Returns
        -------
        theta : ndarray
        state : dict of arrays
            Rates, momentum and the like: small arrays that can be pickled.
        """
        if state is None:
            state = self.begin(objective)
        else:
            state = {key: np.array(value) for key, value in state.items()}
            self._set_rate(state, Probe(objective))
        theta = np.array(theta, dtype=np.float64)
        self._run(objective, theta, state, rng)
        return theta, state

    # -- a whole training --------------------------------------------------------------------------

    def iterate(self, objective, start, goal, rng):
        measured = objective
        if objective.source.n_rows > N_MEASURED_ROWS:
            measured = objective.subsample(objective.sample_rows(N_MEASURED_ROWS))
        theta = np.array(start, dtype=np.float64)
        state = self.begin(objective)
        first = _measure(objective, theta, state)
        yield first
        if measured is not objective:
            first = _measure(measured, theta, state)
        course = self._course(objective, goal, first, state)
        while True:
            theta = theta.copy()
            self._run(objective, theta, state, rng)
            now = _measure(measured, theta, state)
            if course.is_lost(now):
                if self.learning_rate_init != "auto" or course.retreats == MAX_RETREATS:
                    yield _measure(objective, course.best.theta, state, self._divergence())
                    return
                course.retreats += 1
                theta, state = course.turn_back(state, RETREAT)
                self._forget(state)
                continue
            yield now
            if course.rises(now):
                self._forget(state)
            if course.stalls(now, state):
                if course.cuts == self.max_cuts:
                    yield _measure(objective, course.best.theta, state, "")
                    return
                course.cuts += 1
                theta, state = course.turn_back(state, self.cut)
                self._forget(state)

    def _divergence(self) -> str:
        return f"the training diverged with learning_rate_init={self.learning_rate_init!r}"


def _measure(objective: Objective, theta, state: State, message: str | None = None) -> Iterate:
    """An iterate with its exact value on the rows of `objective`; the last one with a message."""
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = objective.value_and_gradient(theta)
        subgradient = least_subgradient(gradient, theta, objective.l1)
        norm = objective.weight_gradient_norm(subgradient)
    rate = float(np.max(state["rate"] * state["share"]))
    last = message is not None
    return Iterate(
        theta, float(value.sum()), norm, objective, rate, last=last, message=message or ""
    )


class SGD(Stochastic):
    r"""Gradient descent on mini-batches, with momentum.

    .. math::

        v \leftarrow \mu v - \eta P g, \qquad
        \theta \leftarrow \mathrm{prox}(\theta + v)

    with the gradient g on a batch, the preconditioner P (one over each parameter's curvature) and,
    for an L1 penalty, its proximal step.

    Parameters
    ----------
    batch_size : int, default=256
        Rows per step; fewer where an epoch would have less than eight steps.
    learning_rate_init : float or "auto", default="auto"
        :math:`\eta`. "auto" is ``(1 - momentum) * B / ((B - 1) * L + K)`` for B rows in a batch,
        the largest eigenvalue L of the preconditioned curvature and the curvature K of single rows.
    momentum : float, default=0.9
        :math:`\mu`, in [0, 1).

    References
    ----------
    Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. 4
    (1964). Ma, Bassily and Belkin, The power of interpolation, ICML 2018: how large a rate a batch
    allows, from the largest eigenvalue and the weight of single rows.
    """

    name = "sgd"
    options = (*Stochastic.options, "momentum")

    def __init__(self, batch_size=256, learning_rate_init="auto", momentum=0.9):
        super().__init__(batch_size, learning_rate_init)
        self.momentum = momentum

    def _memory(self, shape):
        return {"velocity": np.zeros(shape)}

    def _forget(self, state):
        state["velocity"][:] = 0

    def _auto_rate(self, probe, state):
        P = state["precondition"]
        batch = rows_per_step(probe.n_rows, self.batch_size)
        curvature = (batch - 1) * probe.largest_eigenvalue(P) + probe.row_curvature(P)
        # With momentum a gradient acts 1 / (1 - momentum) times in all.
        rate = (1 - self.momentum) * batch / curvature
        return np.minimum(rate, state.get("rate", np.inf))

    def _run(self, objective, theta, state, rng):
        weights, unit, l1, l2 = self._in_weights(objective, theta)
        velocity, momentum = state["velocity"], np.array(self.momentum)
        rate = state["rate"] * state["share"] * state["precondition"]
        shrink = rate * l2 if l2.any() else None
        threshold = rate * l1 if l1.any() else None
        with np.errstate(over="ignore", invalid="ignore"):
            share = None
            for g, new_share in self._gradients(objective, weights, rng):
                if new_share != share:
                    share, batch_rate = new_share, rate * new_share
                g *= batch_rate
                velocity *= momentum
                velocity -= g
                if shrink is not None:
                    velocity -= shrink * weights
                if threshold is None:
                    weights += velocity
                else:
                    new = soft_threshold(weights + velocity, threshold)
                    np.subtract(new, weights, out=velocity)
                    weights[:] = new
            np.multiply(weights, unit, out=theta.reshape(weights.shape))


class Adam(Stochastic):
    """Steps of about the same length for every parameter, from running moments of the gradient.

    Parameters
    ----------
    batch_size : int, default=256
        Rows per step; fewer where an epoch would have less than eight steps.
    learning_rate_init : float or "auto", default="auto"
        Length of a parameter's step; "auto" is a twentieth of the first Newton step.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """

    name = "adam"
    decay_mean = 0.9
    decay_square = 0.999

    def _memory(self, shape):
        return {"mean": np.zeros(shape), "square": np.zeros(shape), "n_steps": np.array(0)}

    def _auto_rate(self, probe, state):
        # Later rows may show that the weights have further to go, never that they have less.
        rate = ADAM_SHARE * probe.newton_length(state["precondition"])
        return np.maximum(rate, state.get("rate", 0.0))

    def _run(self, objective, theta, state, rng):
        weights, unit, l1, l2 = self._in_weights(objective, theta)
        has_l1, has_l2 = l1.any(), l2.any()
        shrink: Any = None
        share: Any = None
        mean, square = state["mean"], state["square"]
        rate = state["rate"] * state["share"] * np.sqrt(state["precondition"])
        step = np.empty_like(mean)
        n_steps = int(state["n_steps"])
        factor = _factor_of_weight(objective.source)
        # Numbers as arrays: numpy would make them so at each step.
        decay_mean, decay_square, tiny = map(np.array, (self.decay_mean, self.decay_square, TINY))
        with np.errstate(over="ignore", invalid="ignore"):
            for g, new_share in self._gradients(objective, weights, rng):
                # Steps do not depend on the gradient's scale, so it is left a sum over the batch,
                # but for sample weights so far from one that their squares are no numbers.
                if factor != 1.0:
                    g *= factor
                    new_share /= factor
                if new_share != share:
                    share = new_share
                    shrink = l2 / share
                if has_l2:
                    g += shrink * weights
                n_steps += 1
                mean *= decay_mean
                mean += g
                square *= decay_square
                g *= g
                square += g
                np.sqrt(square, out=step)
                step += tiny
                np.divide(rate * self._correction(n_steps), step, out=step)
                weights -= step * mean
                if has_l1:
                    threshold = step * (l1 / (share * (1 - self.decay_mean)))
                    weights[:] = soft_threshold(weights, threshold)
            np.multiply(weights, unit, out=theta.reshape(weights.shape))
        state["n_steps"] = np.array(n_steps)

    def _correction(self, n_steps: int) -> float:
        """What the sums of decayed gradients and squares lack to be means."""
        mean = (1 - self.decay_mean) / (1 - self.decay_mean**n_steps)
        square = (1 - self.decay_square) / (1 - self.decay_square**n_steps)
        return mean / square**0.5


def _factor_of_weight(source) -> float:
    """What sample weights are multiplied by before they are squared: 1, unless they are extreme."""
    mean_weight = source.total_weight / source.n_rows
    if 1 / EXTREME < mean_weight < EXTREME:
        return 1.0
    # A power of two, which costs no digits.
    return float(np.ldexp(1.0, min(-math.frexp(mean_weight)[1], 1000)))


def in_weights(objective: Objective, theta):
    """The weights of `theta`, with the bias of centred columns last.

    Steps are taken in these, where rows need no scaling; the preconditioner knows of the scale.

    Returns
    -------
    weights : ndarray of shape (n_neurons, neuron_size)
    unit : ndarray of shape (neuron_size,)
        ``theta = weights * unit``.
    l1, l2 : ndarrays of shape (n_neurons, neuron_size)
        Strengths of the penalties.
    """
    unit = np.ones(objective.neuron_size)
    unit[: objective.n_features] = objective.coordinates.scale
    weights = theta.reshape(objective.n_neurons, -1) / unit
    l1, l2 = np.zeros((2, *weights.shape))
    l1[:, : objective.n_features] = objective.penalty.l1
    l2[:, : objective.n_features] = objective.penalty.l2
    return weights, unit, l1, l2
