"""What `fit` says on its own: only what makes the fit useless, each with what would do."""

from __future__ import annotations

from ..exceptions import warn
from ..objective import Objective
from ..training import Outcome
from .ending import not_converged, one_target
from .names import column_names
from .penalty import overpenalised, penalty_on_small_units
from .scale import warn_of_other_scale
from .separation import separable
from .silence import constant, dead, dead_layer, held_down_layer

__all__ = ["column_names", "warn_of_bad_fit", "warn_of_bad_layer", "warn_of_other_scale"]


def warn_of_bad_fit(estimator, objective: Objective, outcome: Outcome) -> None:
    """Warn of a training that did not end well and of a neuron that answers to nothing."""
    for message, category in (
        not_converged(estimator, outcome),
        one_target(objective),
        separable(estimator, objective, outcome),
        _held_down_or_constant(estimator, objective, outcome),
        dead(estimator, objective, outcome),
    ):
        if message:
            warn(message, category)


def warn_of_bad_layer(estimator, objective, outcome: Outcome) -> None:
    """Warn of a layer whose training did not end well, and of its dead neurons."""
    for message, category in (
        not_converged(estimator, outcome),
        one_target(objective),
        _dead_or_held_down(estimator, objective, outcome),
    ):
        if message:
            warn(message, category)


def _held_down_or_constant(estimator, objective: Objective, outcome: Outcome):
    """What a penalty does, or why predictions are constant: the first explains the others."""
    for check in (penalty_on_small_units, overpenalised, constant):
        message, category = check(estimator, objective, outcome)
        if message:
            return message, category
    return "", None


def _dead_or_held_down(estimator, objective, outcome: Outcome):
    """Silent neurons, or a layer that has nothing to say: the first explains the other."""
    message, category = dead_layer(objective, outcome)
    return (message, category) if message else held_down_layer(estimator, objective, outcome)
