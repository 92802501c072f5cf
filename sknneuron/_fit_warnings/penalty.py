"""Penalties that hold weights down."""

from __future__ import annotations

import numpy as np

from ..exceptions import NeuronWarning
from ..objective import Objective
from ..training import Outcome
from .names import column_names

# A column is in small units, rather than rare, if no row is this far from its mean.
SMALL_UNITS = 0.5
# A penalty that holds a weight down is worth a word if freeing it would win this share of the gain.
WORTH_SAYING = 5e-3
# The penalty's share of the curvature past which next to nothing of the data is in the weights.
HARDLY_ANY_DATA = 0.998
# The same ratio past which a loss that is all but straight still falls as fast as at the start.
STILL_FALLING = 0.7


def penalty_on_small_units(estimator, objective: Objective, outcome: Outcome):
    """Columns in units so small that the L2 penalty, not the data, decides their weights."""
    # No column's deviation is larger than the distance of its furthest row.
    (suspects,) = (objective.coordinates.scale <= SMALL_UNITS).nonzero()
    if objective.penalty.l2 == 0 or not len(suspects):
        return "", None
    rows = objective.watched
    if rows.is_sparse:
        # An entry of few rows, a word's share of a text say, is small by rights.
        n_stored = np.bincount(rows.X.indices, minlength=objective.n_features)
        suspects = suspects[n_stored[suspects] > rows.n_rows / 2]
    X = rows.X[:, suspects].toarray() if rows.is_sparse else rows.X[:, suspects]
    low, high, center = X.min(axis=0), X.max(axis=0), objective.coordinates.center[suspects]
    near = np.maximum(high - center, center - low) < SMALL_UNITS
    small = np.zeros(objective.n_features, dtype=bool)
    small[suspects] = near & (high > low)
    if not small.any():
        return "", None
    gain = objective.null_value - outcome.objective
    if objective.pair.loss.nonnegative and loss_of(objective, outcome) <= WORTH_SAYING * gain:
        return "", None
    share, won = bite(objective, outcome)
    bitten = np.flatnonzero(small & (share > 0.5) & (won > WORTH_SAYING * gain))
    if not len(bitten):
        return "", None
    return (
        f"The penalty supplies more than half of the curvature of {column_names(estimator, bitten)}"
        f" (up to {share[bitten].max():.0%}): in such small units a weight has to be large, and "
        f"alpha={estimator.alpha:g} holds it down. Scale the columns (StandardScaler in a Pipeline "
        "before the neuron), or lower alpha.",
        NeuronWarning,
    )


def overpenalised(estimator, objective: Objective, outcome: Outcome):
    """An L2 penalty so strong that the weights are next to nothing."""
    if objective.penalty.l2 == 0 or not outcome.converged or objective.penalty.l1 > 0:
        return "", None
    penalty = 0.5 * objective.penalty.l2 * float(np.vdot(outcome.coef, outcome.coef))
    # For a quadratic loss this ratio is the penalty's share of the curvature, averaged over columns
    # by what each explains.
    gain = objective.null_value - outcome.objective
    if gain <= objective.rounding:
        return "", None
    loss, share = objective.pair.loss, penalty / gain
    if loss.in_units_of_y and share > STILL_FALLING:
        return (
            f"The penalty leaves little of the weights: loss='{loss.name}' counts units of y, the "
            f"penalty their squares, and alpha={estimator.alpha:g} outweighs what larger weights "
            "would win. Scale y (TransformedTargetRegressor), or lower alpha.",
            NeuronWarning,
        )
    if not share > HARDLY_ANY_DATA:
        return "", None
    return (
        f"The penalty leaves next to nothing of the weights: it supplies {share:.2%} of "
        f"the curvature with alpha={estimator.alpha:g}. Lower alpha.",
        NeuronWarning,
    )


def loss_of(objective: Objective, outcome: Outcome) -> float:
    """The objective without its penalty."""
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    return outcome.objective - float(objective.l2_value(theta).sum()) - objective.total_l1(theta)


def bite(objective: Objective, outcome: Outcome):
    """Share of each column's curvature that is the penalty's, and what its absence would win."""
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    if not objective.pair.loss.smooth:
        # Straight pieces have no curvature; that of their envelope, as wide as losses are, will do.
        width = max(loss_of(objective, outcome) / objective.n_outputs, objective.rounding)
        objective = objective.with_pair(objective.pair.smoothed(width))
    curvature = objective.curvature_diagonal(theta).reshape(objective.n_neurons, -1)
    # From the solver's coordinates back to the column's own unit.
    curvature = curvature[:, : objective.n_features] * objective.coordinates.scale**2
    l2 = objective.penalty.l2
    of_data = np.maximum(curvature - l2, 1e-12 * curvature)
    won = 0.5 * (l2 * outcome.coef) ** 2 / of_data
    return l2 / curvature.max(axis=0), won.sum(axis=0)
