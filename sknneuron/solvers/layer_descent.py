"""Full-batch training of a layer: damped Gauss-Newton steps where parameters are few, or L-BFGS.

No model tells how far the lowest point of many valleys is. So these solvers promise progress, not a
distance: the training loop ends them when they no longer gain, as it ends the stochastic ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..layer_objective import LayerObjective
from .base import Goal, Iterate, Solver
from .damping import DampedDescent
from .layer_preconditioner import LayerPreconditioner, Unconditioned
from .layer_starts import Revival, Starts, is_fresh
from .line_search import backtrack
from .linear_algebra import dot
from .memory import Memory
from .search import measured

# A race: its starts, and after how many steps all but so many of the lowest are given up.
RACE = 8, ((8, 3), (12, 1))
# Two neurons and four rows have valleys that end high. More starts cost next to nothing there.
SMALL_RACE = 24, ((8, 8), (12, 4), (12, 1))
# Multiplications of a Hessian below which a problem is small.
SMALL = 1 << 16
MAX_REFUSALS = 20
FIRST_DAMPING = 1.0
# Size of the start of L-BFGS: what a penalty finds too large takes many small steps to shrink.
START_SIZE = 0.7
# Steps of L-BFGS after which what it begins with is settled.
N_EARLY = 20


class LayerLevenbergMarquardt(Solver):
    """Damped Gauss-Newton steps from the best of several random starts.

    References
    ----------
    Hagan and Menhaj, Training feedforward networks with the Marquardt algorithm, IEEE Trans. Neural
    Networks 5 (1994). Schraudolph, Fast curvature matrix-vector products for second-order gradient
    descent, Neural Computation 14 (2002): Gauss-Newton with losses other than squares.
    """

    name = "levenberg_marquardt"
    tol_is_progress = True
    is_random = True

    def iterate(self, objective, start, goal, rng):
        starts = Starts(objective, rng)
        revival = Revival(starts)
        down = _damped(objective, start)
        if is_fresh(objective, start):
            yield measured(objective, start)
            is_small = objective.source.n_rows * objective.shape[1] ** 2 <= SMALL
            n_starts, heats = SMALL_RACE if is_small else RACE
            draws = np.concatenate([starts.draw() for _ in range(n_starts)])
            down, path = race(objective, draws, heats)
            for theta in path:
                yield measured(objective, theta)
        yield from _go_down(objective, down, goal, revival)


def race(objective: LayerObjective, starts, heats) -> tuple[DampedDescent, list[np.ndarray]]:
    """Take starts (n_starts, size) down side by side, fewer and fewer; return the lowest one.

    Parameters
    ----------
    objective : LayerObjective
    starts : ndarray
    heats : tuple of (int, int)
        Steps, and how many of the lowest go on after them.

    Returns
    -------
    down : DampedDescent
        Of the winner.
    path : list of ndarray
        Its steps but for the last.
    """
    down = _damped(objective, starts)
    paths = [[theta[None]] for theta in starts]
    for n_steps, n_left in heats:
        for _ in range(n_steps):
            down.advance()
            for path, theta in zip(paths, down.theta, strict=True):
                path.append(theta[None].copy())
        lowest = np.argsort(np.where(np.isfinite(down.value), down.value, np.inf))[:n_left]
        paths = [paths[i] for i in lowest]
        down.keep(lowest)
    return down, paths[0][:-1]


def _damped(objective: LayerObjective, theta) -> DampedDescent:
    def evaluate(thetas):
        parts = [objective.value_gradient_hessian(theta[None]) for theta in thetas]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    return DampedDescent(
        evaluate,
        theta,
        rounding=objective.rounding,
        damping=FIRST_DAMPING,
        is_positive=True,
    )


def _go_down(objective, down: DampedDescent, goal: Goal, revival: Revival) -> Iterator[Iterate]:
    """Damped steps on all rows until the model promises nothing more."""
    refusals = 0
    while True:
        step, predicted = down.propose()
        value = float(down.value.sum())
        length = 1 / (1 + float(down.damping.max()))
        norm = objective.weight_gradient_norm(down.gradient)
        current = Iterate(down.theta, value, norm, objective, length)
        current.last = float(predicted.sum()) <= 1e-3 * goal.target(value)
        if refusals >= MAX_REFUSALS:
            current.last, current.message = True, "no step finds a lower point"
        theta = revival.of(down.theta) if revival.is_due(current.last) else None
        if theta is not None:
            current.last = False
            yield current
            down, refusals = _damped(objective, theta), 0
            continue
        yield current
        down.advance(step, predicted)
        refusals = 0 if down.accepted.any() else refusals + 1


class LayerLBFGS(Solver):
    """Limited-memory BFGS on all rows, from one random start.

    A layer's weights need no more digits than float32 has until the very end. So steps are taken in
    it, where that is faster, for as long as it can tell what they gain.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, algorithm 7.4, with the scaling of (7.20).
    """

    name = "lbfgs"
    tol_is_progress = True
    is_random = True

    def iterate(self, objective, start, goal, rng):
        narrow = objective.narrowed()
        starts = Starts(narrow, rng)
        theta = start
        if is_fresh(objective, start):
            yield measured(narrow, start)
            theta = starts.draw(START_SIZE)
        pays = LayerPreconditioner.pays(narrow)
        conditioner = LayerPreconditioner(narrow) if pays else Unconditioned()
        yield from self._go_down(narrow, theta, conditioner, Revival(starts))

    @staticmethod
    def _go_down(objective, theta, conditioner, revival: Revival) -> Iterator[Iterate]:
        """Steps from theta until none gains anything."""
        value, gradient = objective.value_and_gradient(theta)
        memory = Memory(dtype=objective.dtype)
        unit = 1 / max(float(np.linalg.norm(gradient)), 1e-300)
        step_size, n_steps, failed = np.nan, 0, False
        while True:
            step = -memory.inverse_hessian_product(
                gradient, lambda g, unit=unit: unit * conditioner(g)
            )
            decrement = -0.5 * dot(gradient, step)
            gain = float(decrement[0])
            if objective.exact is not objective and gain <= 2 * objective.rounding:
                # What is left to gain is no more than what float32 can tell.
                objective = objective.exact
                value, gradient = objective.value_and_gradient(theta)
                continue
            norm = objective.weight_gradient_norm(gradient)
            current = Iterate(theta, float(value[0]), norm, objective, step_size)
            found = None
            if gain > 1e-3 * objective.rounding:
                found = backtrack(objective, theta, step, value, decrement, order=1)
            if found is None:
                if not failed and len(memory):
                    # What was remembered may mislead: forget it, once, and look down the slope.
                    memory, failed = Memory(dtype=objective.dtype), True
                    unit = 1 / max(float(np.linalg.norm(conditioner(gradient))), 1e-300)
                    continue
                current.last = True
            revived = revival.of(theta) if revival.is_due(current.last) else None
            current.last &= revived is None
            yield current
            if revived is not None:
                # What is remembered of the other neurons still holds.
                theta, step_size, failed = revived, np.nan, False
                value, gradient = objective.value_and_gradient(theta)
                continue
            if found is None:
                return
            failed, n_steps = False, n_steps + 1
            new_theta, value, new_gradient, _, taken = found
            step, change = new_theta - theta, new_gradient - gradient
            memory.remember(step, change)
            conditioner.refresh(new_theta, n_steps)
            if n_steps < N_EARLY or n_steps % conditioner.scale_every == 0:
                curvature = float(dot(step, change)[0])
                if curvature > 0:
                    unit = curvature / float(dot(change, conditioner(change))[0])
            theta, gradient = new_theta, new_gradient
            step_size = float(taken[0])
