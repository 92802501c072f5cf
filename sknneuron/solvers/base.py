"""What a solver is: a generator of iterates.

A solver gets an `Objective`, a start and a `Goal`, and yields iterates until it has nothing better
to offer. It records nothing, prints nothing and counts nothing: the one loop in `training` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..objective import Objective


@dataclass(slots=True)
class Iterate:
    """One step of the training.

    Parameters
    ----------
    theta : ndarray
        Parameters in the coordinates of `objective`.
    value : float
        Smooth part of the objective on the rows of `objective`: loss and L2.
    gradient : float or ndarray
        Euclidean norm of the objective's gradient in weights and biases (of the least subgradient
        with an L1 penalty, of one near it where the loss has kinks); or the gradient in theta,
        whose norm is then taken by who wants it.
    objective : Objective
        What `value` was measured on: all rows, or a subsample in a warm start.
    step_size : float
        Share of the proposed step that was taken; the learning rate of stochastic solvers.
    gap : float
        Estimate of what is left to the optimum of the objective on all rows, nan if unknown.
    last : bool
        True if the solver can do no better.
    message : str
        Why it can do no better, if that is not the optimum.
    """

    theta: np.ndarray
    value: float
    gradient: float | np.ndarray
    objective: Objective
    step_size: float = np.nan
    gap: float = np.nan
    last: bool = False
    message: str = ""

    @property
    def gradient_norm(self) -> float:
        """Euclidean norm of the gradient in weights and biases."""
        if isinstance(self.gradient, np.ndarray):
            return float(self.objective.weight_gradient_norm(self.gradient))
        return self.gradient

    @property
    def total(self) -> float:
        """The objective, its L1 part included."""
        return self.value + self.objective.total_l1(self.theta)


# Who asks for no more than this wants speed.
LOOSE_TOL = 1e-6


@dataclass
class Goal:
    """When the training is done: the distance to the optimum that `tol` allows.

    Parameters
    ----------
    tol : float or "auto"
        Share of what there was to gain from the best neuron with a bias alone.
    null_value : float
        Objective of that neuron.
    objective : Objective
    """

    tol: float | str
    null_value: float
    objective: Objective
    # With "auto": a gap whose weights are a few hundredths of a standard error off,
    # sum(s) * gap / dispersion.
    auto_deviance: float = field(default=1e-3, repr=False)

    def target(self, value: float, theta=None) -> float:
        """Return the gap allowed at an iterate of this objective value."""
        gain = max(self.null_value - value, 0.0)
        floor = self.objective.rounding
        if self.tol != "auto":
            return float(self.tol) * gain + floor
        target = 1e-8 * gain
        if theta is not None:
            dispersion = self._dispersion(theta)
            target = min(target, self.auto_deviance * dispersion / self._total_weight)
        return target + floor

    @property
    def polishes(self) -> bool:
        """Whether the last step is to be as exact as it can be, and not only within `tol`."""
        return self.tol == "auto" or float(self.tol) < LOOSE_TOL

    @property
    def _total_weight(self) -> float:
        return self.objective.source.total_weight

    def _dispersion(self, theta) -> float:
        return self.objective.dispersion(theta)


class Solver:
    """Base of the solvers: what one can serve, said once, and `iterate`.

    Attributes
    ----------
    name : str
    needs_smooth_penalty : bool
        It cannot take an L1 penalty.
    is_stochastic : bool
        It steps after a few rows.
    tol_is_progress : bool
        Its tolerance is on progress, not on the distance to the optimum.
    is_random : bool
        What it does depends on the generator it is given.
    """

    name: str
    needs_smooth_penalty = True
    is_stochastic = False
    tol_is_progress = False
    is_random = False
    # Settings that a stochastic solver takes.
    options: tuple[str, ...] = ()

    def iterate(
        self, objective: Objective, start: np.ndarray, goal: Goal, rng: np.random.Generator | None
    ) -> Iterator[Iterate]:
        """Yield the start and then better and better iterates."""
        raise NotImplementedError

    def searches(self, objective: Objective, start: np.ndarray) -> bool:
        """Whether it looks for the best valley from this start."""
        return False

    def resume(
        self,
        objective: Objective,
        start: np.ndarray,
        goal: Goal,
        rng: np.random.Generator | None,
        *,
        search: bool = False,
    ) -> Iterator[Iterate]:
        """Do so from where an objective much like this one had its minimum.

        With `search`, a solver that looks for the best valley does it anew, and `start` competes.
        """
        return self.iterate(objective, start, goal, rng)
