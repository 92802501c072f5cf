"""Which solver serves which problem."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ..objective import Objective
from .base import Solver
from .interior_point import InteriorPoint
from .lbfgs import LBFGS, is_affordable
from .least_squares import LeastSquares, is_least_squares
from .levenberg_marquardt import LevenbergMarquardt
from .multipliers import Multipliers
from .newton import Newton
from .proximal_newton import ProximalNewton
from .row_space import RowSpace
from .smoothing import InPiecesAtNeed, Smoothed
from .staged import stages_pay
from .stochastic import SGD, Adam
from .trust_region import DampedProximalNewton, TrustRegionNewton
from .valleys import InBestValley
from .working_pieces import WorkingPieces

SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (LeastSquares, Newton, LBFGS, ProximalNewton, LevenbergMarquardt, SGD, Adam)
}
# What solves the stages of a smoothed kink in their place.
FOR_SMOOTHED: dict[type[Solver], type[Solver]] = {
    Newton: TrustRegionNewton,
    ProximalNewton: DampedProximalNewton,
}
# What needs a Hessian, and trains as many unknowns as there are rows where those are fewer.
IN_ROW_SPACE = (Newton, LevenbergMarquardt)
# Steps on a loss with a parabola between its pieces, before one of these takes over.
MOST_STEPS: dict[type[Solver], int] = {
    InteriorPoint: 10,
    WorkingPieces: 25,
    Smoothed: 25,
    Multipliers: 100,
}
# A Hessian larger than this costs more to factor than L-BFGS takes in all.
MAX_NEWTON_SIZE = 1000
MAX_SPARSE_NEWTON_SIZE = 200
# Parameters up to which stages of a smoothed loss take Hessians of all of them.
MAX_SMOOTHED_SIZE = 4000
# Rows up to which Newton's steps in their space cost less than L-BFGS does, of bounded curvature.
MAX_ROWS_BOUNDED = 400
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
    is_auto = name == "auto"
    cls = SOLVERS[best_solver(objective) if is_auto else name]
    refusal = _refusal(cls, objective)
    if refusal:
        raise ValueError(f"solver='{cls.name}' {refusal}")
    if cls.is_stochastic:
        return cls(**{key: options[key] for key in cls.options if key in options})
    if cls in IN_ROW_SPACE and RowSpace.serves(objective):
        plain = SOLVERS[_best_on_features(objective)] if is_auto else cls
        if plain in IN_ROW_SPACE and _hessian_bytes(objective) > MAX_HESSIAN_BYTES:
            plain = LBFGS
        return RowSpace(cls.name, partial(_on_features, cls), _on_features(plain, objective))
    return _on_features(cls, objective)


def _on_features(cls: type[Solver], objective: Objective) -> Solver:
    """A solver of this class for the features as they are: the loss may need more than it alone."""
    pair = objective.pair
    plain = _searching(cls(), objective)
    if pair.smooth and not pair.quadratic_pieces:
        return plain
    solver = plain
    if _may_take_hessians(cls, objective):
        solver = _searching(FOR_SMOOTHED[cls](), objective)
    pieces = solver if pair.smoothed(1.0) is pair else Smoothed(solver)
    if cls in FOR_SMOOTHED and InteriorPoint.serves(objective):
        pieces = InteriorPoint(pieces)
    if cls is ProximalNewton and WorkingPieces.serves(objective):
        pieces = WorkingPieces(pieces)
    elif cls is LBFGS and Multipliers.serves(objective):
        pieces = Multipliers(pieces)
    if not pair.smooth or is_nearly_kinked(objective):
        return pieces
    if pieces is solver or (type(pieces) is Smoothed and cls not in FOR_SMOOTHED):
        return plain
    is_wide = objective.source.n_rows < objective.n_features
    if type(pieces) is Multipliers and is_wide and not is_affordable(objective):
        return pieces
    return InPiecesAtNeed(plain, pieces, MOST_STEPS[type(pieces)])


def _searching(solver: Solver, objective: Objective) -> Solver:
    """The solver, or with a search for where it begins: one for L1 norms does not search itself."""
    if isinstance(solver, ProximalNewton) and not objective.pair.convex:
        return InBestValley(solver)
    return solver


def _may_take_hessians(cls: type[Solver], objective: Objective) -> bool:
    """Whether what solves stages in its place may take Hessians of all parameters."""
    return cls in FOR_SMOOTHED and objective.shape[1] <= MAX_SMOOTHED_SIZE


def best_solver(objective: Objective) -> str:
    """Name the solver that "auto" takes: by penalty, convexity, size and sparsity."""
    name = _best_on_features(objective)
    if name == "lbfgs" and RowSpace.serves(objective) and _has_few_rows(objective):
        return "newton"
    return name


def _best_on_features(objective: Objective) -> str:
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


def _has_few_rows(objective: Objective) -> bool:
    """Whether Newton's steps in the space of the rows cost less than L-BFGS on all features."""
    n_rows, pair = objective.source.n_rows, objective.pair
    if pair.coupled:
        return n_rows * objective.n_neurons <= MAX_NEWTON_SIZE
    # A curvature that has a bound misleads L-BFGS little.
    is_bounded = pair.smooth and bool(np.all(np.isfinite(pair.activation.range)))
    return n_rows <= (MAX_ROWS_BOUNDED if is_bounded else MAX_NEWTON_SIZE)


def is_nearly_kinked(objective: Objective) -> bool:
    """Whether a loss made of pieces has hardly a row on a curved one, where the training begins."""
    pair, rows = objective.pair, objective.watched
    z = objective.pre_activation(objective.null())
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
    if cls in IN_ROW_SPACE:
        needed = _hessian_bytes(objective, in_row_space=RowSpace.serves(objective))
        if needed > MAX_HESSIAN_BYTES:
            size = math.isqrt(needed // (8 * objective.shape[0]))
            return (
                f"needs a Hessian of {size} x {size} per neuron, {needed / 2**30:.0f} GiB in all. "
                "Use solver='lbfgs' or 'auto'."
            )
    return None


def _hessian_bytes(objective: Objective, *, in_row_space: bool = False) -> int:
    n_groups, source = objective.shape[0], objective.source
    n_weights = source.n_rows if in_row_space else source.n_features
    size = objective.n_neurons // n_groups * (n_weights + objective.fit_intercept)
    return 8 * n_groups * size**2
