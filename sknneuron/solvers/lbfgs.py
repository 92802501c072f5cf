"""L-BFGS with a preconditioner, for many features and for sparse ones."""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from .base import Iterate, Solver
from .descent import Descent
from .line_search import backtrack
from .linear_algebra import TINY, dot
from .memory import Memory
from .newton import Newton
from .staged import StagedStart, hessian_cost, stages_pay

# The curvature's diagonal is taken anew after this many steps, while it still changes much.
REFRESH = 25
# Aim for a share of the gap allowed: what is left is an estimate.
STOP_SHARE = 0.5
# Entries of all groups' Hessians up to which one costs about what a few passes do.
MAX_FACTORED = 200_000


class LBFGS(Solver):
    """Limited-memory BFGS whose first guess of the inverse Hessian is a preconditioner.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, algorithm 7.4.
    """

    name = "lbfgs"

    def iterate(self, objective, start, goal, rng):
        start = objective.balanced(start)
        if stages_pay(objective):
            yield from self._iterate_staged(objective, start, goal, rng)
        else:
            yield from self._iterate_diagonal(objective, start, goal)

    def _iterate_staged(self, objective, start, goal, rng):
        """Dense rows, many more than parameters: the subsample's Hessian as preconditioner."""
        stages = StagedStart(objective, goal)
        yield from stages.iterate(start)
        descent = Descent(
            objective,
            stop_at(goal),
            factor=stages.factor,
            prior=stages.prior,
            hessian_cost=hessian_cost(objective.shape[1]),
        )
        yield from self._descend(descent, stages.theta, goal, start)

    @staticmethod
    def _descend(descent: Descent, theta, goal, start=None):
        """Go down from theta; by Newton's steps if that leads nowhere, from `start` if astray."""
        objective = descent.objective
        for iterate in descent.iterate(theta):
            if start is not None and not iterate.value <= goal.null_value:
                # The rows that decide were in no subsample, and it led to where they cost too much.
                yield from Newton().iterate(objective, start, goal, None)
                return
            if iterate.message and not iterate.gap <= goal.target(iterate.value, iterate.theta):
                # Few rows decide, and what was learnt of the curvature does not serve.
                yield from Newton().iterate(objective, iterate.theta, goal, None)
                return
            yield iterate

    def _iterate_diagonal(self, objective, start, goal):
        """Sparse or wide: the Hessian's diagonal as preconditioner.

        Where columns are nearly collinear the decrements tell too little of what is left. So where
        a Hessian is affordable it has the last word.
        """
        theta = start
        value, gradient = objective.value_and_gradient(theta)
        diagonal = Diagonal(objective, theta)
        memory = Memory()
        step_size = np.nan
        decrements: list[float] = []
        failed, can_factor = False, is_affordable(objective)
        while True:
            step = -memory.inverse_hessian_product(gradient, diagonal.precondition)
            decrement = 0.5 * -dot(gradient, step)
            decrements.append(float(decrement.sum()))
            gap = float(np.fmin(remaining(decrements), diagonal.most_left(gradient)))
            is_end = decrements[-1] <= 1e-3 * objective.rounding
            if can_factor and (is_end or gap <= goal.target(float(value.sum()), theta)):
                yield from self._descend(Descent(objective, stop_at(goal)), theta, goal)
                return
            current = Iterate(
                theta,
                float(value.sum()),
                objective.weight_gradient_norm(gradient),
                objective,
                step_size,
                gap,
            )
            current.last = is_end
            yield current
            if not failed and len(decrements) % REFRESH == 0:
                diagonal = Diagonal(objective, theta)
            found = backtrack(objective, theta, step, value, decrement, order=1)
            if found is None:
                if failed and can_factor:
                    yield from self._descend(Descent(objective, stop_at(goal)), theta, goal)
                    return
                if failed:
                    current.last = True
                    if decrements[-1] > 1e3 * objective.rounding:
                        current.gap = np.nan
                    current.message = "the line search found no lower point"
                    yield current
                    return
                # What was remembered may mislead: forget it, once, and look down the slope.
                failed = True
                memory = Memory()
                diagonal = Diagonal(objective, theta)
                continue
            failed = False
            new_theta, value, new_gradient, _, taken = found
            memory.remember(new_theta - theta, new_gradient - gradient)
            theta, gradient = new_theta, new_gradient
            step_size = float(np.max(taken))


def stop_at(goal):
    """The gap at which a descent stops."""
    return lambda value, theta: STOP_SHARE * goal.target(value, theta)


def is_affordable(objective: Objective) -> bool:
    """Whether a Hessian costs little, and tells of the distance to the optimum."""
    n_groups, size = objective.shape
    return objective.pair.convex and n_groups * size**2 <= MAX_FACTORED


class Diagonal:
    """The Hessian's diagonal: what to divide by, and what an L2 penalty makes of a gradient.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (n_groups, size)
        Where it is taken.
    """

    def __init__(self, objective: Objective, theta):
        self.objective = objective
        self._of_loss = objective.curvature_diagonal(theta) - objective.l2
        diagonal = self._of_loss + objective.l2
        largest = np.maximum(diagonal.max(axis=1, keepdims=True), TINY)
        self._inverse = 1 / np.maximum(diagonal, 1e-12 * largest)

    def precondition(self, gradient):
        """Divide by the diagonal."""
        return self.objective.balanced(gradient * self._inverse)

    def most_left(self, gradient) -> float:
        """A bound on what is left, by the curvature that the penalty alone gives; nan without one.

        That is l2 for each weight. Biases have none of it: of theirs d, weights that move along
        leave no less than ``d / (1 + k)``, where the loss bends the weights at most k times as much
        as the penalty does. The half of l2 that this takes is missing from the weights.
        """
        l2, is_bias = self.objective.l2, self.objective.l2 == 0
        if self.objective.penalty.l2 == 0 or not self.objective.convex:
            return np.nan
        weights, biases = gradient[:, ~is_bias], gradient[:, is_bias]
        stiffer = 2 * np.add.reduce(self._of_loss[:, ~is_bias] / l2[~is_bias], axis=1)
        left = np.add.reduce(weights**2 / l2[~is_bias], axis=1)
        of_bias = np.maximum(self._of_loss[:, is_bias], TINY)
        # Twice the half of it, as a bias' curvature may be less where the descent ends.
        left += (1 + stiffer) * np.add.reduce(biases**2 / of_bias, axis=1)
        return float(np.add.reduce(left))


def remaining(decrements: list[float]) -> float:
    """Estimate what is left from how the decrements have been falling.

    A quasi-Newton decrement is not the gap: it sees only the directions it has learnt. Falling by a
    factor r a step, the steps to come add up to ``decrement / (1 - r)``; r is the worst that the
    last steps show.
    """
    if len(decrements) < 6:
        return np.nan
    recent = decrements[-6:]
    rate = (recent[-1] / max(recent[0], np.finfo(float).tiny)) ** 0.2
    if rate >= 0.98:
        return np.nan
    return 2 * max(recent[-3:]) / (1 - rate)
