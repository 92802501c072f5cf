"""Validation rows: those that `fit` was given, or some that it sets apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from ._fit_warnings import warn_of_other_scale
from ._inputs import checked_weight, columns_of
from ._validation import checked
from .objective import Objective
from .sources import ParquetSource


def checked_validation(estimator, X_val, y_val, weight) -> tuple | None:
    """The validation rows in memory that were given, checked; None if there are none."""
    if isinstance(X_val, ParquetSource):
        names = X_val.feature_names
        X_val, y_val, weight = columns_of(X_val, y_val, weight)
        if "feature_names_in_" in vars(estimator):
            X_val = pd.DataFrame(X_val, columns=names, copy=False)
    if X_val is None:
        if y_val is not None or weight is not None:
            raise ValueError("y_val and sample_weight_val need X_val: pass X_val and y_val.")
        return None
    if y_val is None:
        raise ValueError("X_val was given without y_val: pass both, or neither.")
    try:
        X_val, y_val = checked(estimator, X_val, y_val, multi_output=True, reset=False)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"In the validation rows, X_val and y_val: {error}") from None
    if weight is not None:
        weight = checked_weight(weight, X_val, "sample_weight_val")
    return X_val, y_val, weight


def split(estimator, X, y, weight) -> tuple:
    """Set a `validation_fraction` of the rows apart: (X, y, weight, validation)."""
    rows, validation_rows = split_rows(estimator, X.shape[0], y, weight)

    def take(r):
        return X[r], y[r], None if weight is None else weight[r]

    return *take(rows), take(validation_rows)


def split_rows(estimator, n_rows: int, y, weight=None):
    """Numbers of the rows to train on, and of those set apart: some of the rows that count."""
    counts = np.ones(n_rows, dtype=bool) if weight is None else weight > 0
    counted = np.flatnonzero(counts)
    n_rows, y = len(counted), y[counted]
    n_validation = int(np.ceil(estimator.validation_fraction * n_rows))
    if n_rows - n_validation < 1:
        raise ValueError(
            f"early_stopping=True sets {n_validation} of n_samples={n_rows} apart for "
            "validation and leaves none to train on. Give more rows, a smaller "
            "validation_fraction, or early_stopping=False."
        )
    rows, validation_rows = train_test_split(
        counted,
        test_size=n_validation,
        random_state=estimator._seed(),
        stratify=estimator._strata(y, n_validation),
    )
    return np.concatenate([rows, np.flatnonzero(~counts)]), validation_rows


def validation_objective(
    estimator, objective: Objective, source, were_given: bool
) -> Objective | None:
    """The objective over the validation rows, given or set apart, if there are any."""
    if source is None:
        return None
    if were_given:  # Those that are set apart are in the same units.
        warn_of_other_scale(estimator, objective, source)
    return objective.over(source)
