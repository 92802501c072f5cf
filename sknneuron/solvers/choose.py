"""Which solver serves which problem."""

from __future__ import annotations

import numpy as np

from ..objective import Objective
from .base import Solver
from .interior_point import InteriorPoint
from .lbfgs import LBFGS
from .least_squares import LeastSquares, is_least_squares
from .levenberg_marquardt import LevenbergMarquardt
from .newton import Newton
from .proximal_newton import ProximalNewton
from .smoothing import Smoothed, SmoothedAtNeed
from .staged import stages_pay
from .stochastic import SGD, Adam
from .trust_region import DampedProximalNewton, TrustRegionNewton

SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (LeastSquares, Newton, LBFGS, ProximalNewton, LevenbergMarquardt, SGD, Adam)
}
# What solves the stages of a smoothed kink in their place.
FOR_SMOOTHED: dict[type[Solver], type[Solver]] = {
    Newton: TrustRegionNewton,
    ProximalNewton: DampedProximalNewton,
}
# A Hessian larger than this costs more to factor than L-BFGS takes in all.
MAX_NEWTON_SIZE = 1000
MAX_SPARSE_NEWTON_SIZE = 200
MAX_HESSIAN_BYTES = 4 << 30
# A loss that is straight for all but this share of the rows is smoothed as one with a kink.
FEW_CURVED = 0.2


def make_solver(name: str, objective: Objective, **options) -> Solver:
    """Return the solver of this name for this problem, or the best one for "auto".

    Parameters
    ----------
    name : str
        A key of `SOLVERS`, or "auto".
    objective : Objective
    **options
        Settings of stochastic solvers: batch_size, learning_rate_init, momentum.

    Raises
    ------
    ValueError
        If the solver cannot serve the loss or the penalty; the message says which can.
    """
    name = best_solver(objective) if name == "auto" else name
    cls = SOLVERS[name]
    refusal = _refusal(cls, objective)
    if refusal:
        raise ValueError(f"solver='{name}' {refusal}")
    if cls.is_stochastic:
        return cls(**{key: options[key] for key in cls.options if key in options})
    smoothed = Smoothed(FOR_SMOOTHED.get(cls, cls)())
    if cls in FOR_SMOOTHED and InteriorPoint.serves(objective):
        return InteriorPoint(smoothed)
    if not objective.pair.smooth or is_nearly_kinked(objective):
        return smoothed
    if cls in FOR_SMOOTHED and objective.pair.smoothed(1.0) is not objective.pair:
        return SmoothedAtNeed(cls(), smoothed)
    return cls()


def best_solver(objective: Objective) -> str:
    """Name the solver that "auto" takes: by penalty, convexity, size and sparsity."""
    pair = objective.pair
    if objective.penalty.l1 > 0:
        return "proximal_newton"
    if not pair.convex:
        return "levenberg_marquardt"
    if is_least_squares(pair):
        return "least_squares"
    # A loss with a kink is smoothed, and then has pieces.
    if stages_pay(objective) and pair.smooth and not pair.quadratic_pieces:
        return "lbfgs"
    limit = MAX_SPARSE_NEWTON_SIZE if objective.source.is_sparse else MAX_NEWTON_SIZE
    return "newton" if objective.shape[1] <= limit else "lbfgs"


def is_nearly_kinked(objective: Objective) -> bool:
    """Whether a loss made of pieces has hardly a row on a curved one, where the training begins."""
    pair = objective.pair
    if pair.smoothed(1.0) is pair:
        return False
    rows, z = objective.watched, objective.pre_activation(objective.null())
    return bool(np.mean(pair.loss.second_derivative(rows.y, pair.level(z)) > 0) < FEW_CURVED)


def _refusal(cls: type[Solver], objective: Objective) -> str | None:
    pair, penalty = objective.pair, objective.penalty
    if cls.needs_smooth_penalty and penalty.l1 > 0:
        return (
            f"needs a smooth penalty; l1_ratio={penalty.l1_ratio} has a kink at 0. "
            "Use solver='proximal_newton' or 'auto'."
        )
    if cls is LeastSquares and not is_least_squares(pair):
        return (
            "solves activation='identity' with loss='squared_error' only; got "
            f"activation='{pair.activation.name}' with loss='{pair.loss.name}'. Use solver='auto'."
        )
    if cls in (Newton, LevenbergMarquardt):
        n_groups, size = objective.shape
        needed = 8 * n_groups * size**2
        if needed > MAX_HESSIAN_BYTES:
            return (
                f"needs a Hessian of {size} x {size} per neuron, {needed / 2**30:.0f} GiB in all. "
                "Use solver='lbfgs' or 'auto'."
            )
    return None
