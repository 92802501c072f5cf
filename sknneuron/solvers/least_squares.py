"""Least squares without iterations: one pass over the rows, and a second one where digits ask."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..objective import Objective
from ..pairs import Pair
from .base import Iterate, Solver
from .conjugate_gradient import iterate_conjugate_gradient
from .dual import solve_dual
from .frame import Frame, LinearFit
from .householder import solve_refined, solve_stacked
from .normal_equations import NormalEquations

# Most columns (or rows, where those are fewer) of a matrix that is factored.
MAX_DIRECT = 4000
MAX_DIRECT_SPARSE = 1000
# Rows times squared columns up to which an orthogonal factor costs next to nothing; and of sparse
# rows, up to which it costs seconds.
SMALL = 4e6
MAX_STACKED_SPARSE = 5e10
# Condition of the scaled columns up to which the normal equations lose no digit worth a pass. On
# small problems a better factor is cheap, so there every digit is worth it.
GOOD_CONDITION = 300.0
GOOD_CONDITION_SMALL = 3.0
# Past this condition the normal equations are too rough to be mended by refinement.
POOR_CONDITION = 1e6


def is_least_squares(pair: Pair) -> bool:
    """Whether the pair is linear with squared errors, which sums of products say all about."""
    return pair.activation.name == "identity" and pair.loss.name == "squared_error"


class LeastSquares(Solver):
    """Identity activation with squared error, without penalty or with an L2 one, solved directly.

    The normal equations are summed in one pass over the rows, centred, and solved by Cholesky with
    the columns scaled. The factor tells the condition of the columns. Where they squared too much
    of it, the exact residuals are taken in a second pass and the solution is refined; where even
    that is hopeless, an orthogonal factor of all rows is built instead, block by block; of sparse
    rows, which take their products uncentred, only where these cannot tell what is dependent.
    Without a unique solution it is the one with weights of least norm. With more features than rows
    the normal equations of the rows serve, and where neither can be factored, conjugate gradients.

    All neurons share the factor.

    References
    ----------
    Bjorck, Numerical Methods for Least Squares Problems, SIAM 1996: 2.4 (QR), 2.9 (refinement by
    the augmented system), 6.6.5 (corrected seminormal equations).
    Demmel, Grigori, Hoemmen and Langou, Communication-optimal parallel and sequential QR and LU
    factorizations, SIAM J. Sci. Comput. 34 (2012): QR factors of row blocks, merged.
    """

    name = "least_squares"

    def iterate(self, objective, start, goal, rng):
        source = objective.source
        most = MAX_DIRECT_SPARSE if source.is_sparse else MAX_DIRECT
        if min(source.n_rows, source.n_features) > most:
            yield from iterate_conjugate_gradient(objective, start, goal)
        elif source.n_rows < source.n_features:
            yield from self._iterate_wide(objective, start)
        else:
            yield from self._iterate_tall(objective, start, goal)

    def _iterate_tall(self, objective: Objective, start, goal) -> Iterator[Iterate]:
        frame = Frame.of(objective)
        equations = NormalEquations.of(objective, frame)
        yield equations.iterate(start, step_size=np.nan)
        fit = equations.solve()
        source = objective.source
        small = source.n_rows * source.n_features**2 <= SMALL and not source.is_sparse
        is_good = fit.condition <= (GOOD_CONDITION_SMALL if small else GOOD_CONDITION)
        # A column far from zero has lost digits already, before its rows were moved.
        is_near = equations.measures_well and objective.row_center is None
        if is_good and (is_near or not source.is_sparse):
            theta = frame.to_theta(objective, fit)
            yield equations.iterate(theta, step_size=1.0, gap=fit.gap, last=True)
        elif small:
            yield _solution(objective, frame, solve_refined(objective, frame))
        elif fit.condition <= POOR_CONDITION:
            yield equations.refine(fit, goal)
        else:
            yield self._ill_conditioned(objective, frame, equations, goal)

    @staticmethod
    def _ill_conditioned(objective: Objective, frame: Frame, equations, goal) -> Iterate:
        source = objective.source
        if source.is_sparse:
            # Dependent dummies are no reason to make all rows dense.
            fit = equations.solve_singular()
            is_sure = not (fit.message or equations.hides_columns)
            if is_sure or source.n_rows * source.n_features**2 > MAX_STACKED_SPARSE:
                return equations.refine(fit, goal)
        return _solution(objective, frame, solve_stacked(objective, frame))

    def _iterate_wide(self, objective: Objective, start) -> Iterator[Iterate]:
        value, gradient = objective.value_and_gradient(start)
        norm = objective.weight_gradient_norm(gradient)
        yield Iterate(start, float(value.sum()), norm, objective)
        frame = Frame.of(objective)
        yield _solution(objective, frame, solve_dual(objective, frame))


def _solution(objective: Objective, frame: Frame, fit: LinearFit) -> Iterate:
    """The last iterate, measured by a pass over the rows."""
    theta = frame.to_theta(objective, fit)
    value, gradient = objective.value_and_gradient(theta)
    norm = objective.weight_gradient_norm(gradient)
    # How far a direction would lead that may be one or none, nobody knows.
    gap = np.nan if fit.message else fit.gap
    return Iterate(
        theta, float(value.sum()), norm, objective, 1.0, gap, last=True, message=fit.message
    )
