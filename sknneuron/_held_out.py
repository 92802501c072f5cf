"""Validation rows: those that `fit` was given, or some that it sets apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from ._fit_warnings import warn_of_other_scale
from ._inputs import checked_weight, columns_of
from ._validation import checked
from .objective import Objective
from .sources import ArraySource, ParquetSource, Source

# Entries of X up to which rows are copied, in the random order that they were drawn in.
FEW_ENTRIES = 1 << 19


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


def split(estimator, source: ArraySource, y) -> tuple[Source, Source]:
    """Set a `validation_fraction` of the rows, whose targets are y, apart."""
    if source.n_rows * source.n_features <= FEW_ENTRIES:
        parts = split_rows(estimator, source.n_rows, y, source.sample_weight)
    else:
        # They are looked up for each sum, which is quickest in their order.
        is_apart = set_apart(estimator, source.n_rows, y, source.sample_weight)
        number = np.min_scalar_type(-source.n_rows)
        parts = (np.flatnonzero(part).astype(number) for part in (~is_apart, is_apart))
    rows, validation_rows = parts
    return source.subset(rows), source.subset(validation_rows)


def set_apart(estimator, n_rows: int, y, weight=None):
    """Mask of the rows set apart, those of each class by their share.

    `split_rows` of many rows, of which scikit-learn would make lists.
    """
    counts = np.ones(n_rows, dtype=bool) if weight is None else weight > 0
    n_counted = int(np.count_nonzero(counts))
    n_validation = _validation_size(estimator, n_counted)
    labels = estimator._strata(y if n_counted == n_rows else y[counts], n_validation)
    rng = np.random.default_rng(estimator._seed())
    is_apart = np.zeros(n_rows, dtype=bool)
    n_seen = n_apart = 0
    for label in [None] if labels is None else np.unique(labels):
        group = counts
        if labels is not None:
            group = np.zeros(n_rows, dtype=bool)
            group[counts] = labels == label
        members = np.flatnonzero(group)
        n_seen += len(members)
        # What rounding takes from one class it gives to the next.
        size = round(n_validation * n_seen / n_counted) - n_apart
        is_apart[rng.choice(members, size, replace=False, shuffle=False)] = True
        n_apart += size
    return is_apart


def _validation_size(estimator, n_rows: int) -> int:
    """How many of so many rows are set apart."""
    n_validation = int(np.ceil(estimator.validation_fraction * n_rows))
    if n_rows - n_validation < 1:
        raise ValueError(
            f"early_stopping=True sets {n_validation} of n_samples={n_rows} apart for "
            "validation and leaves none to train on. Give more rows, a smaller "
            "validation_fraction, or early_stopping=False."
        )
    return n_validation


def split_rows(estimator, n_rows: int, y, weight=None):
    """Numbers of the rows to train on, and of those set apart: some of the rows that count."""
    counts = np.ones(n_rows, dtype=bool) if weight is None else weight > 0
    counted = np.flatnonzero(counts)
    y = y[counted]
    n_validation = _validation_size(estimator, len(counted))
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
