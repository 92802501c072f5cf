"""Neurons that say the same to every row."""

from __future__ import annotations

import numpy as np

from ..exceptions import NeuronWarning
from ..losses import Loss
from ..objective import Objective
from ..training import Outcome
from .penalty import HARDLY_ANY_DATA, bite

# Watched rows of which one at least answers, where a neuron is not dead, and mostly saves the rest.
N_FIRST = 50
# Share of a layer's neurons that must be dead before it is worth a word.
MANY_DEAD = 0.75
# A gain below this share of what neurons with a bias alone lose is none.
NO_GAIN = 1e-6
# A slope of the penalty below this share of those of rows holds no weight down.
HARDLY_ANY_PULL = 1e-6


def dead(estimator, objective: Objective, outcome: Outcome):
    if objective.pair.activation.flat != "dead":
        return "", None
    some = objective.watched.X[:N_FIRST] @ outcome.coef.T + outcome.intercept
    if not objective.activation.is_flat(some).all(axis=0).any():
        return "", None
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    suspects = objective.flat_fraction(theta) == 1.0
    if not suspects.any():
        return "", None
    names = ", ".join(str(k) for k in np.flatnonzero(suspects))
    y = objective.watched.y.reshape(objective.watched.n_rows, -1)
    if not np.any(y[:, suspects] > 0):
        cause = (
            "Targets at or below the activation's floor do that: shift y with "
            "TransformedTargetRegressor, or use activation='leaky_relu' or 'identity'."
        )
    elif estimator.warm_start:
        cause = "warm_start=True goes on from such weights: fit with warm_start=False."
    else:
        other = "" if estimator.solver == "auto" else "solver='auto', or "
        cause = f"Use {other}activation='leaky_relu', which never falls silent."
    return (
        f"Dead neuron: {type(estimator).__name__} with activation="
        f"'{objective.pair.activation.name}' is inactive on every row (neuron {names}), so that no "
        f"row moves its weights. {cause}",
        NeuronWarning,
    )


def dead_layer(objective, outcome: Outcome):
    """Most neurons silent; a few that a penalty does without are no harm."""
    kind = objective.activation.flat
    if kind is None:
        return "", None
    theta = objective.from_weights(*outcome.weights)
    flat = np.flatnonzero(objective.flat_everywhere(theta))
    if len(flat) < MANY_DEAD * objective.n_neurons:
        return "", None
    names = ", ".join(map(str, flat))
    return (
        f"{kind.capitalize()} neurons: {len(flat)} of {objective.n_neurons} answer alike to every "
        f"row (neuron {names}) and pass nothing on. Lower alpha, use fewer neurons (n_neurons), or "
        "activation='leaky_relu', which never goes flat.",
        NeuronWarning,
    )


def held_down_layer(estimator, objective, outcome: Outcome):
    """An optimum at which the neurons win nothing: their penalty would cost more than that."""
    gain = objective.null_value - outcome.objective
    learns = gain > NO_GAIN * abs(objective.null_value)
    if learns or not outcome.converged or estimator.early_stopping or estimator.alpha == 0:
        return "", None
    y = objective.watched.y
    if not np.any(y != y[0]) or _rows_equal(objective.watched.X):
        return "", None
    return (
        f"The neurons explain nothing of y: alpha={estimator.alpha:g} costs more than they would "
        "win, as it does where y is in small units. Scale y, or lower alpha.",
        NeuronWarning,
    )


def constant(estimator, objective: Objective, outcome: Outcome):
    """The same prediction for every row, though rows and targets differ."""
    rows = objective.watched
    rate_to_blame = "diverged" in outcome.reason and estimator.learning_rate_init != "auto"
    if rows.n_rows < 2 or rate_to_blame or _beats_any_constant(objective, outcome):
        return "", None
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    z = objective.pre_activation(theta)
    low, high = z.min(axis=0), z.max(axis=0)
    y = rows.y.reshape(rows.n_rows, -1)
    if rows.sample_weight is not None and rows.sample_weight.any():
        y = y[rows.sample_weight > 0]
    spread = np.ptp(y, axis=0)
    # Between two limits z has a scale of its own, or that of y, and near zero it is noise that
    # differs.
    scale = 100.0 if np.all(np.isfinite(objective.pair.activation.range)) else 1e-300
    if objective.pair.activation.name == "identity":
        scale = np.maximum(spread, scale)
    silent = high - low <= 1e-10 * np.maximum(np.maximum(high, -low), scale)
    if objective.pair.activation.flat == "dead":
        silent &= objective.flat_fraction(theta) < 1  # that is a warning of its own
    if objective.pair.coupled:
        silent = np.array([silent.all()])
    if not silent.any():
        return "", None
    varies = spread > 0
    constant_rows = objective.coordinates.scale.size and _rows_equal(rows.X)
    if constant_rows or not np.any(silent & varies):
        return "", None
    cause = "no column tells the targets apart: check the features, or transform the target"
    if estimator.early_stopping and not np.any(outcome.coef):
        cause = (
            "no iterate did better on the validation rows than the start: give more of them "
            "(X_val, validation_fraction), or set early_stopping=False"
        )
    elif estimator.alpha * estimator.l1_ratio > 0 and not np.any(
        outcome.coef[: len(silent)][silent]
    ):
        cause = f"alpha={estimator.alpha:g} holds every weight at zero: lower alpha"
    elif not objective.pair.smooth and np.abs(objective.l2 * theta)[silent].max() < HARDLY_ANY_PULL:
        cause = _why_no_weights(objective.pair.loss)
    elif objective.penalty.l2 > 0 and bite(objective, outcome)[0].min() > HARDLY_ANY_DATA:
        cause = f"alpha={estimator.alpha:g} leaves next to nothing of the weights: lower alpha"
    who = ""
    if len(silent) > 1 and not silent.all():
        numbers = ", ".join(map(str, np.flatnonzero(silent & varies)))
        who = f" in neuron {numbers} (of {len(silent)})"
    return (
        f"{type(estimator).__name__} predicts the same for every row{who} although the targets "
        f"differ; {cause}.",
        NeuronWarning,
    )


def _why_no_weights(loss: Loss) -> str:
    """Why a loss with a kink has its optimum at a constant, whatever the penalty."""
    if loss.margin:
        return (
            f"with loss='{loss.name}' no weights do better, as where a class is rare or lies "
            "between others: use loss='log_loss' or 'squared_hinge'"
        )
    return (
        f"with loss='{loss.name}' no weights do better, as where most targets are the same: use "
        "another quantile or loss='squared_error'"
    )


def _beats_any_constant(objective: Objective, outcome: Outcome) -> bool:
    """Whether the objective of a single loss is below that of the best constant level."""
    one_loss = objective.n_neurons == 1 or objective.pair.coupled
    gain = objective.null_value - outcome.objective
    return one_loss and objective.fit_intercept and gain > 1e-6 * abs(objective.null_value)


def _rows_equal(X) -> bool:
    if hasattr(X, "toarray"):
        return X.nnz == 0
    return bool(np.all(X == X[0]))
