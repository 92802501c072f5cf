"""Which solver trains which layer."""

from __future__ import annotations

from ..layer_objective import LayerObjective
from .base import Solver
from .layer_descent import LayerLBFGS, LayerLevenbergMarquardt
from .layer_stochastic import LayerAdam, LayerSGD

LAYER_SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver for solver in (LayerLevenbergMarquardt, LayerLBFGS, LayerSGD, LayerAdam)
}
# Multiplications of a Gauss-Newton Hessian up to which its steps pay.
MAX_HESSIAN_COST = 2e7
MAX_HESSIAN_BYTES = 1 << 30
# Past so many rows mini-batches learn more from a pass than full-batch steps do.
MANY_ROWS = 20_000


def make_layer_solver(name: str, objective: LayerObjective, **options) -> Solver:
    """Return the solver of this name for this layer, or the best one for "auto".

    Parameters
    ----------
    name : str
        A key of `LAYER_SOLVERS`, or "auto".
    objective : LayerObjective
    **options
        Settings of stochastic solvers: batch_size, learning_rate_init, momentum.

    Raises
    ------
    ValueError
        If the solver cannot serve the loss, or would need more memory than is sensible.
    """
    name = best_layer_solver(objective) if name == "auto" else name
    cls = LAYER_SOLVERS[name]
    size = objective.shape[1]
    if name == "levenberg_marquardt" and 8 * size**2 > MAX_HESSIAN_BYTES:
        raise ValueError(
            f"solver='levenberg_marquardt' needs a Hessian of {size} x {size}, "
            f"{8 * size**2 / 2**30:.0f} GiB. Use solver='lbfgs', 'adam' or 'auto'."
        )
    if not (cls.is_stochastic or objective.pair.smooth):
        raise ValueError(
            f"solver='{name}' needs a loss with a derivative everywhere; "
            f"loss='{objective.pair.loss.name}' has a kink. Use solver='adam', 'sgd' or 'auto'."
        )
    return cls(**{key: options[key] for key in cls.options if key in options})


def best_layer_solver(objective: LayerObjective) -> str:
    """Name the solver that "auto" takes: by loss, size and number of rows."""
    n_rows, size = objective.source.n_rows, objective.shape[1]
    if not objective.pair.smooth or n_rows > MANY_ROWS:
        return "adam"
    small = n_rows * objective.n_outputs * size**2 <= MAX_HESSIAN_COST
    return "levenberg_marquardt" if small else "lbfgs"
