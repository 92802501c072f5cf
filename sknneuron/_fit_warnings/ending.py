"""A training that did not end well, or had nothing to learn."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..exceptions import NeuronWarning
from ..objective import Objective
from ..training import Outcome


def not_converged(estimator, outcome: Outcome):
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
    iterations = f"{outcome.n_iter} iteration{'s' if outcome.n_iter != 1 else ''}"
    return (
        f"{type(estimator).__name__} did not converge after {iterations} with "
        f"solver='{estimator.solver_}': {outcome.reason}. The weights are the best found so far. "
        f"{remedy[0].upper()}{remedy[1:]}.",
        ConvergenceWarning,
    )


def one_target(objective: Objective):
    """Rows of a single target that count, beside others of no weight: nothing to tell apart."""
    if not only_one_target_counts(objective.source):
        return "", None
    return (
        "All rows that count have the same target, so that there is nothing to learn: those of "
        "other targets have no weight, by sample_weight or class_weight. Give some of them a "
        "weight > 0.",
        NeuronWarning,
    )


def only_one_target_counts(source) -> bool:
    if not (source.is_numpy and source.is_near) or source.sample_weight is None:
        return False
    counts = source.sample_weight > 0
    if counts.all():
        return False
    y = source.y
    targets = y[counts]
    return bool(np.all(targets == targets[0]) and np.any(y != targets[0]))
