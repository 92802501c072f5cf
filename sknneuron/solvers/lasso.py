"""Squared error with an L1 norm: the sums of one pass over the rows say all there is to know."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from scipy.linalg import lapack

from ..objective import Objective
from .base import Goal, Iterate
from .frame import Frame
from .l1_model import L1Model
from .least_squares import GOOD_CONDITION, is_least_squares
from .normal_equations import EPS, NormalEquations

# Products of more columns than these cost more than the passes that they save; of few rows they
# cost little, up to what coordinate descent is sure to minimise to the end.
MAX_FEATURES = 200
MAX_FEATURES_FEW_ROWS = 350
FEW_ROWS = 20_000


def sums_pay(objective: Objective) -> bool:
    """Whether the products of all columns are worth their pass over the rows."""
    source, penalty = objective.source, objective.penalty
    if source.is_sparse or not penalty.l1 or not is_least_squares(objective.pair):
        return False
    few = source.n_rows <= FEW_ROWS
    return source.n_features <= (MAX_FEATURES_FEW_ROWS if few else MAX_FEATURES)


def iterate_lasso(
    objective: Objective, start, goal: Goal
) -> Generator[Iterate, None, np.ndarray | None]:
    """Yield the start, and the minimum of the quadratic that the sums of all rows make.

    That is the last iterate where the columns in use are well enough conditioned for sums of
    products, which square that, to tell the end by, as near as `goal` asks for. Otherwise returns
    where to go on from.
    """
    frame = Frame.of(objective)
    equations = NormalEquations.of(objective, frame)
    yield equations.iterate(start, step_size=np.nan)
    hessian = equations.gram.copy()
    diagonal = hessian.diagonal() + equations.l2
    np.fill_diagonal(hessian, diagonal)
    constant = ~(diagonal > EPS * equations.raw_diagonal)
    hessian[constant] = hessian[:, constant] = 0.0
    cross = np.where(constant[:, None], 0.0, equations.cross)
    l1 = np.full(len(hessian), equations.total_weight * objective.penalty.l1)
    exact = equations.total_weight * objective.rounding
    coef, _ = frame.from_theta(objective, start)
    coef[:, constant] = 0.0
    left = 0.0
    for k, at in enumerate(coef):
        model = L1Model(hessian @ at - cross[:, k], hessian, l1, at)
        coef[k] = model.minimise(exact)
        left += model.left(coef[k])
    used = np.flatnonzero(np.any(coef != 0, axis=0))
    lost = np.max(equations.lost(), where=~constant, initial=1.0)
    squared = max(_squared_condition(hessian[np.ix_(used, used)]), lost)
    fit = equations.fit(coef, np.sqrt(squared))
    # A weight alone has less to gain than several that resemble each other.
    gap = fit.gap + squared * left / equations.total_weight
    end = equations.iterate(frame.to_theta(objective, fit), step_size=1.0)
    if fit.condition <= GOOD_CONDITION and gap <= goal.target(end.total, end.theta):
        end.gap, end.last = gap, True
    yield end
    return None if end.last else end.theta


def _squared_condition(matrix) -> float:
    """Condition of a matrix of products, scaled to a unit diagonal: the square of the columns'."""
    if not len(matrix):
        return 1.0
    size = 1 / np.sqrt(matrix.diagonal())
    matrix = matrix * size * size[:, None]
    factor, info = lapack.dpotrf(matrix, lower=1)
    if info != 0:
        return np.inf
    rcond, _ = lapack.dpocon(factor, np.abs(matrix).sum(axis=0).max(), uplo="L")
    return 1 / max(rcond, EPS**2)
