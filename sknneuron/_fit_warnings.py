"""What `fit` says on its own: only what makes the fit useless, each with what would do."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .exceptions import NeuronWarning, warn
from .objective import Objective
from .training import Outcome

# A column is in small units, rather than rare, if no row is this far from its mean.
SMALL_UNITS = 0.5
# Sparse columns in which small units are looked for, at most: they are made dense.
MANY_COLUMNS = 10_000
# A penalty that holds a weight down is worth a word if freeing it would win this share of the gain.
WORTH_SAYING = 5e-3
# The penalty's share of the curvature past which next to nothing of the data is in the weights.
HARDLY_ANY_DATA = 0.998
# The same ratio past which a loss that is all but straight still falls as fast as at the start.
STILL_FALLING = 0.7
N_NAMED = 3
# Watched rows of which one at least answers, where a neuron is not dead, and mostly saves the rest.
N_FIRST = 50
# Share of a layer's neurons that must be dead before it is worth a word.
MANY_DEAD = 0.75
# Validation rows whose scale is compared.
N_SCALE_ROWS = 100_000
# A weight that grows for ever moves some row's z by more than this before tol or rounding end it.
FAR_OUT = 4.0
# A gain below this share of what neurons with a bias alone lose is none.
NO_GAIN = 1e-6
# A log loss below this share of the bias-only neuron's is none.
NO_LOSS = 1e-6


def warn_of_bad_fit(estimator, objective: Objective, outcome: Outcome) -> None:
    """Warn of a training that did not end well and of a neuron that answers to nothing."""
    for message, category in (
        _not_converged(estimator, outcome),
        _one_target(objective),
        _separable(estimator, objective, outcome),
        _held_down_or_constant(estimator, objective, outcome),
        _dead(estimator, objective, outcome),
    ):
        if message:
            warn(message, category)


def warn_of_bad_layer(estimator, objective, outcome: Outcome) -> None:
    """Warn of a layer whose training did not end well, and of its dead neurons."""
    for message, category in (
        _not_converged(estimator, outcome),
        _one_target(objective),
        _dead_or_held_down(estimator, objective, outcome),
    ):
        if message:
            warn(message, category)


def _dead_or_held_down(estimator, objective, outcome: Outcome):
    """Silent neurons, or a layer that has nothing to say: the first explains the other."""
    message, category = _dead_in_layer(estimator, objective, outcome)
    return (message, category) if message else _held_down_layer(estimator, objective, outcome)


def _dead_in_layer(estimator, objective, outcome: Outcome):
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


def _held_down_layer(estimator, objective, outcome: Outcome):
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


def _not_converged(estimator, outcome: Outcome):
    asked_to_stop = "callback" in outcome.reason or outcome.interrupted
    if outcome.converged or asked_to_stop:
        return "", None
    if "diverged" in outcome.reason and estimator.learning_rate_init != "auto":
        remedies = ["lower learning_rate_init or leave it at 'auto'"]
    elif "max_iter" in outcome.reason:
        remedies = ["raise max_iter"]
    else:
        remedies = ["scale the columns (StandardScaler)", "raise alpha"]
    if estimator.solver != "auto":
        remedies.append("use solver='auto'")
    remedy = ", or ".join(remedies)
    return (
        f"{type(estimator).__name__} did not converge after {outcome.n_iter} iterations with "
        f"solver='{estimator.solver_}': {outcome.reason}. The weights are the best found so far. "
        f"{remedy[0].upper()}{remedy[1:]}.",
        ConvergenceWarning,
    )


def _one_target(objective: Objective):
    """Rows of a single target that count, beside others of no weight: nothing to tell apart."""
    if not _only_one_target_counts(objective.source):
        return "", None
    return (
        "All rows that count have the same target, so that there is nothing to learn: those of "
        "other targets have no weight, by sample_weight or class_weight. Give some of them a "
        "weight > 0.",
        NeuronWarning,
    )


def _only_one_target_counts(source) -> bool:
    if not (source.is_numpy and source.in_memory) or source.sample_weight is None:
        return False
    counts = source.sample_weight > 0
    if counts.all():
        return False
    targets = source.y[counts]
    return bool(np.all(targets == targets[0]) and np.any(source.y != targets[0]))


def _separable(estimator, objective: Objective, outcome: Outcome):
    """Classes told apart without an error, by weights that nothing keeps from growing for ever."""
    if objective.pair.loss.name != "log_loss" or not objective.pair.convex:
        return "", None
    apart = _neurons_without_error(objective, outcome)
    if not len(apart):
        return _separable_in_part(estimator, objective, outcome)
    penalty = sum(objective.penalty.value(outcome.coef[k]) for k in apart)
    if penalty > 0.1 * outcome.objective or _only_one_target_counts(objective.source):
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
    n = objective.n_neurons
    if outcome.objective <= NO_LOSS * objective.null_value:
        return np.arange(n)
    if n == 1 or objective.pair.coupled:
        return np.arange(0)
    watched = objective.over(objective.watched)
    thetas = objective.from_weights(*outcome.weights), objective.null()
    loss, at_null = (watched.value(theta) - watched.l2_value(theta) for theta in thetas)
    return np.flatnonzero(loss <= NO_LOSS * at_null)


def _separable_in_part(estimator, objective: Objective, outcome: Outcome):
    """A column whose weight nothing keeps from growing: all rows that it tells apart are alike."""
    source = objective.source
    if objective.penalty.alpha > 0 or not (source.is_numpy and source.in_memory):
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
        side = np.sign(source.X[:, [j]].toarray().ravel())
    else:
        # What most rows have, if most have the same; without that hardly a row is not apart.
        most = np.median(objective.watched.X[:, j]) if objective.fit_intercept else 0.0
        side = np.sign(source.X[:, j] - most)
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


def _held_down_or_constant(estimator, objective: Objective, outcome: Outcome):
    """What a penalty does, or why predictions are constant: the first explains the others."""
    for check in (_penalty_on_small_units, _overpenalised, _constant):
        message, category = check(estimator, objective, outcome)
        if message:
            return message, category
    return "", None


def _penalty_on_small_units(estimator, objective: Objective, outcome: Outcome):
    """Columns in units so small that the L2 penalty, not the data, decides their weights."""
    # No column's deviation is larger than the distance of its furthest row.
    suspects = np.flatnonzero(objective.coordinates.scale <= SMALL_UNITS)
    if objective.penalty.l2 == 0 or not len(suspects):
        return "", None
    rows = objective.watched
    if rows.is_sparse and len(suspects) > MANY_COLUMNS:
        return "", None
    X = rows.X[:, suspects].toarray() if rows.is_sparse else rows.X[:, suspects]
    low, high, center = X.min(axis=0), X.max(axis=0), objective.coordinates.center[suspects]
    near = np.maximum(high - center, center - low) < SMALL_UNITS
    small = np.zeros(objective.n_features, dtype=bool)
    small[suspects] = near & (high > low)
    if not small.any():
        return "", None
    share, won = _bite(objective, outcome)
    gain = objective.null_value - outcome.objective
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


def _overpenalised(estimator, objective: Objective, outcome: Outcome):
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


def _bite(objective: Objective, outcome: Outcome):
    """Share of each column's curvature that is the penalty's, and what its absence would win."""
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    curvature = objective.curvature_diagonal(theta).reshape(objective.n_neurons, -1)
    # From the solver's coordinates back to the column's own unit.
    curvature = curvature[:, : objective.n_features] * objective.coordinates.scale**2
    l2 = objective.penalty.l2
    of_data = np.maximum(curvature - l2, 1e-12 * curvature)
    won = 0.5 * (l2 * outcome.coef) ** 2 / of_data
    return l2 / curvature.max(axis=0), won.sum(axis=0)


def _dead(estimator, objective: Objective, outcome: Outcome):
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
        cause = "Use solver='auto', or activation='leaky_relu', which never falls silent."
    return (
        f"Dead neuron: {type(estimator).__name__} with activation="
        f"'{objective.pair.activation.name}' is inactive on every row (neuron {names}), so that no "
        f"row moves its weights. {cause}",
        NeuronWarning,
    )


def _constant(estimator, objective: Objective, outcome: Outcome):
    """The same prediction for every row, though rows and targets differ."""
    rows = objective.watched
    rate_to_blame = "diverged" in outcome.reason and estimator.learning_rate_init != "auto"
    if rows.n_rows < 2 or rate_to_blame or _beats_any_constant(objective, outcome):
        return "", None
    theta = objective.from_weights(outcome.coef, outcome.intercept)
    z = objective.pre_activation(theta)
    low, high = z.min(axis=0), z.max(axis=0)
    # Between two limits z has a scale of its own, and near zero it is noise that differs.
    scale = 100.0 if np.all(np.isfinite(objective.pair.activation.range)) else 1e-300
    silent = high - low <= 1e-10 * np.maximum(np.maximum(high, -low), scale)
    if objective.pair.activation.flat == "dead":
        silent &= objective.flat_fraction(theta) < 1  # that is a warning of its own
    if objective.pair.coupled:
        silent = np.array([silent.all()])
    if not silent.any():
        return "", None
    y = rows.y.reshape(rows.n_rows, -1)
    if rows.sample_weight is not None and rows.sample_weight.any():
        y = y[rows.sample_weight > 0]
    varies = np.ptp(y, axis=0) > 0
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
    elif objective.penalty.l2 > 0 and _bite(objective, outcome)[0].min() > HARDLY_ANY_DATA:
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


def _beats_any_constant(objective: Objective, outcome: Outcome) -> bool:
    """Whether the objective of a single loss is below that of the best constant level."""
    one_loss = objective.n_neurons == 1 or objective.pair.coupled
    gain = objective.null_value - outcome.objective
    return one_loss and objective.fit_intercept and gain > 1e-6 * abs(objective.null_value)


def _rows_equal(X) -> bool:
    if hasattr(X, "toarray"):
        return X.nnz == 0
    return bool(np.all(X == X[0]))


def column_names(estimator, columns) -> str:
    """Words for these columns: their names if the estimator knows them, else their numbers."""
    names = getattr(estimator, "feature_names_in_", None)
    words = [f"column {j}" if names is None else f"column {names[j]!r}" for j in columns[:N_NAMED]]
    more = len(columns) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def warn_of_other_scale(estimator, objective: Objective, validation) -> None:
    """Warn if validation rows are in other units than the training rows."""
    X = validation.spread(N_SCALE_ROWS).X
    mean = np.asarray(X.mean(axis=0)).ravel()
    distance = np.abs(mean - objective.coordinates.center) / objective.coordinates.scale
    far = np.flatnonzero(distance > 20)
    if len(far):
        warn(
            f"X_val is on another scale than X: the mean of {column_names(estimator, far)} is "
            f"{distance[far].max():.0f} standard deviations from that of X. Fit the steps before "
            "the neuron first, and give it X and X_val as they transform them; or have a Pipeline "
            "do so: sklearn.set_config(enable_metadata_routing=True), then "
            "set_fit_request(X_val=True, y_val=True) on the neuron and "
            'Pipeline(..., transform_input=["X_val"]).',
        )
