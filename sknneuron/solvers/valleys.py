"""Which valley to go down, for solvers that go down from one start, if the pair is not convex."""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from ..penalties import ElasticNet, least_subgradient
from .base import Iterate, Solver
from .multistart import find_start

# Shares of the way from the null model to an end at which the objective is looked at: an L1 norm
# shrinks weights, and may leave next to nothing of them.
SHARES = 0.5 ** np.arange(8.0)
# Weights of a neuron up to which the search costs little, and up to which it is worth its price
# where no descent begins: at a dead neuron.
MAX_SIZE, MAX_SIZE_DEAD = 50, 1000


class InBestValley(Solver):
    """Searches as `LevenbergMarquardt` does, and has another solver go down from there.

    The search knows no L1 norm, and takes an L2 norm as strong in its place. It tells valleys
    apart; what is lower, there or at the start, the objective itself says.

    Parameters
    ----------
    solver : Solver
    """

    is_random = True

    def __init__(self, solver: Solver):
        self.solver = solver
        self.name = solver.name
        self.needs_smooth_penalty = solver.needs_smooth_penalty

    def iterate(self, objective, start, goal, rng):
        theta = start
        if self.searches(objective, start):
            theta = lowest_start(objective, start, rng)
            if theta is not start:
                yield measured(objective, start)
        yield from self.solver.iterate(objective, theta, goal, rng)

    def resume(self, objective, start, goal, rng, *, search=False):
        if search:
            start = lowest_start(objective, start, rng, earlier=start)
        yield from self.solver.resume(objective, start, goal, rng)

    def searches(self, objective, start):
        """Whether it is the start of a neuron that has learnt nothing, or one that is dead.

        Kinks that are rounded off, wider and narrower, lead out of small valleys by themselves.
        """
        if objective.neuron_size > MAX_SIZE_DEAD:
            return False
        if np.any(objective.flat_fraction(start) == 1):
            return True
        has_learnt = bool(np.any(start[:, : objective.n_features]))
        is_plain = objective.neuron_size <= MAX_SIZE and not objective.pair.quadratic_pieces
        return is_plain and objective.pair.smooth and not has_learnt


def lowest_start(objective: Objective, start, rng: np.random.Generator, earlier=None):
    """The lowest of the start and points on the way to the ends of a search, neuron by neuron."""
    penalty = ElasticNet(objective.penalty.alpha, 0.0)
    smooth = Objective(
        objective.source,
        objective.pair,
        penalty,
        objective.n_neurons,
        fit_intercept=objective.fit_intercept,
        coordinates=objective.coordinates,
    )
    ends = find_start(smooth, rng, earlier)[1]
    null, end = objective.null(), np.array([end.theta for end in ends])
    thetas = np.array([start, *(null + share * (end - null) for share in SHARES)])
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array([objective.value(theta) for theta in thetas])
    values += objective.l1_value(thetas)
    # The start comes first, and stays where nothing is lower.
    lowest = np.where(np.isnan(values), np.inf, values).argmin(axis=0)
    if not lowest.any():
        return start
    return thetas[lowest, np.arange(len(start))]


def measured(objective: Objective, theta) -> Iterate:
    """An iterate with its smooth value, and its least subgradient with the L1 norm."""
    value, gradient = objective.value_and_gradient(theta)
    slope = least_subgradient(gradient, theta, objective.l1)
    return Iterate(theta, float(value.sum()), objective.weight_gradient_norm(slope), objective)
