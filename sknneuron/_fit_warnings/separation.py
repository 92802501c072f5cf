"""Classes told apart without an error, by weights that nothing keeps from growing."""

from __future__ import annotations

import numpy as np

from ..exceptions import NeuronWarning
from ..objective import Objective
from ..training import Outcome
from .ending import only_one_target_counts
from .names import N_NAMED, column_names

# A weight that grows for ever moves some row's z by more than this before tol or rounding end it.
FAR_OUT = 4.0
# A log loss below this share of the bias-only neuron's is none.
NO_LOSS = 1e-6


def separable(estimator, objective: Objective, outcome: Outcome):
    """Classes told apart without an error, by weights that nothing keeps from growing for ever."""
    if objective.pair.loss.name != "log_loss" or not objective.pair.convex:
        return "", None
    apart = _neurons_without_error(objective, outcome)
    if not len(apart):
        return _separable_in_part(estimator, objective, outcome)
    penalty = sum(objective.penalty.value(outcome.coef[k]) for k in apart)
    if penalty > 0.1 * outcome.objective or only_one_target_counts(objective.source):
        return "", None
    n, who, largest = objective.n_neurons, "", np.abs(outcome.coef[apart]).max()
    if len(apart) < n:
        who = f" of neuron {', '.join(map(str, apart[:N_NAMED]))} (of {n})"
    return (
        f"The columns separate the classes{who} perfectly, so that larger weights are always "
        f"better and only tol ended their growth (the largest is {largest:.3g}). "
        "Predictions are as they should be, but the weights say nothing: set alpha > 0 for finite "
        "ones, or look for a column that gives the class away.",
        NeuronWarning,
    )


def _neurons_without_error(objective: Objective, outcome: Outcome):
    """Numbers of the neurons whose loss is none beside that of a bias alone, of watched rows."""
    n, one_loss = objective.n_neurons, objective.n_neurons == 1 or objective.pair.coupled
    if outcome.objective <= NO_LOSS * objective.null_value:
        return np.arange(n) if one_loss else np.flatnonzero(_labels_vary(objective))
    if one_loss:
        return np.arange(0)
    watched = objective.over(objective.watched)
    thetas = objective.from_weights(*outcome.weights), objective.null()
    loss, at_null = (watched.value(theta) - watched.l2_value(theta) for theta in thetas)
    without = loss <= NO_LOSS * at_null
    if without.any():
        without &= _labels_vary(objective)
    return np.flatnonzero(without)


def _labels_vary(objective: Objective):
    """Which labels some rows have and others have not; the bias alone gets the others right."""
    source = objective.source
    rows = source if source.is_numpy and source.in_memory else objective.watched
    y = rows.y if rows.sample_weight is None else rows.y[rows.sample_weight > 0]
    return np.ptp(y, axis=0) > 0


def _separable_in_part(estimator, objective: Objective, outcome: Outcome):
    """A column whose weight nothing keeps from growing: all rows that it tells apart are alike."""
    source = objective.source
    if objective.penalty.alpha > 0 or not (source.is_numpy and source.is_near):
        return "", None
    endless = [j for j in _grown(objective, outcome) if _is_endless(objective, j)]
    if not endless:
        return "", None
    largest = np.abs(outcome.coef[:, endless]).max()
    return (
        f"{column_names(estimator, endless)}: all rows with another value than most are of one "
        "class, so that a larger weight is always better and only rounding or tol ended its growth "
        f"(to {largest:.3g}). Predictions are as they should be, but this weight says nothing: set "
        "alpha > 0 for a finite one, or drop the column.",
        NeuronWarning,
    )


def _grown(objective: Objective, outcome: Outcome):
    """Columns that move some row's z further than finite weights mostly do, or may."""
    rows, weight = objective.watched, np.maximum.reduce(np.abs(outcome.coef))
    if rows.is_sparse:
        moved = np.abs(rows.X).max(axis=0).toarray().ravel() * weight
    else:
        # From the mean: a column that most rows have the same of is apart on one side of it.
        moves = np.abs((rows.X - objective.coordinates.center) * weight)
        if rows is objective.source and moves.max(initial=0.0) <= FAR_OUT:
            return []
        moved = np.maximum.reduce(moves) * (np.minimum.reduce(rows.X) < np.maximum.reduce(rows.X))
    grown = moved > FAR_OUT
    if rows is not objective.source:
        # Rows that are not watched may have another value than all of those.
        grown |= (moved == 0) & (weight > 0)
    return np.flatnonzero(grown)


def _is_endless(objective: Objective, j: int) -> bool:
    """Whether all rows gain by a larger weight of column j, or have nothing to lose by it."""
    source = objective.source
    if source.is_sparse:
        side = np.sign(source.column(j))
    else:
        # What most rows have, if most have the same; without that hardly a row is not apart.
        most = np.median(objective.watched.X[:, j]) if objective.fit_intercept else 0.0
        side = np.sign(source.column(j) - most)
    if source.sample_weight is not None:
        side = side * (source.sample_weight > 0)
    apart = np.flatnonzero(side)
    if not 0 < len(apart) < len(side) / 2:
        return False
    y = source.y[apart]
    if objective.pair.coupled:
        y = y[:, None] == np.arange(objective.n_neurons)
    # Where z has to go, for each neuron: a target between the ends wants to be met.
    gains = side[apart, None] * ((y == 1) * 1.0 - (y == 0))
    return bool(np.any(np.all(gains > 0, axis=0) | np.all(gains < 0, axis=0)))
