"""Weights of rows by their classes."""

from __future__ import annotations

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.class_weight import compute_sample_weight

from ._labels import ROWS_AT_ONCE, distinct


def class_weighted(y, class_weight, sample_weight, classes=None):
    """Sample weights times the weights of the samples' classes.

    `classes` are all there are, where y may hold some of them: part of the rows lacking those that
    `class_weight` names is no mistake in it. Labels beyond them are refused elsewhere.
    """
    if class_weight is None:
        return sample_weight
    if hasattr(y, "toarray"):
        y = y.toarray()
    y = y.ravel() if y.shape[1:] == (1,) else y
    if class_weight == "balanced":
        # A row that counts for k counts for k in the size of its class, too.
        weight = np.ones(len(y)) if sample_weight is None else sample_weight.copy()
        for column in np.reshape(y, (len(y), -1)).T:
            classes = distinct(column)
            by_class = balanced(_class_sizes(column, classes, sample_weight))
            _multiply_by_class(weight, column, classes, by_class)
        return weight
    if isinstance(class_weight, list) and np.ndim(y) == 1:
        raise ValueError(
            "class_weight as a list, of a dict per label, is for a multilabel y. For classes in "
            f"one column give one dict from class to weight; got {class_weight!r}."
        )
    if np.ndim(y) == 1:
        weight, classes = np.ones(len(y)), distinct(y) if classes is None else classes
        _multiply_by_class(weight, y, classes, compute_sample_weight(class_weight, classes))
    else:
        weight = compute_sample_weight(class_weight, y)
    bad = ~((weight >= 0) & (weight < np.inf))
    if bad.any():
        raise ValueError(
            "The weights in class_weight must be finite and not negative, got "
            f"{weight[bad][0]:g} for one. Give a class a weight >= 0, or use 'balanced'."
        )
    if not weight.any():
        raise ValueError(
            "All weights in class_weight are zero, so no row counts. Give at least one class a "
            "weight > 0."
        )
    if sample_weight is not None:
        weight *= sample_weight
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError(
            "The weights of all rows, by class_weight, add up to more than a float holds: the "
            f"largest is {weight.max():.0e}. Only how weights compare matters: divide them by the "
            "largest one."
        )
    return weight


def _class_sizes(y, classes, sample_weight):
    """Sum of each class's weights."""
    sizes = np.zeros(len(classes))
    for part in gen_batches(len(y), ROWS_AT_ONCE):
        weight = None if sample_weight is None else sample_weight[part]
        sizes += np.bincount(np.searchsorted(classes, y[part]), weight, len(classes))
    return sizes


def _multiply_by_class(weight, y, classes, by_class) -> None:
    """Multiply weights, where they are, by those of the rows' classes."""
    for part in gen_batches(len(y), ROWS_AT_ONCE):
        weight[part] *= by_class.take(np.searchsorted(classes, y[part]), mode="clip")


def balanced(sizes):
    """Weights with which classes of these sizes count the same."""
    return sizes.sum() / (np.count_nonzero(sizes) * np.where(sizes > 0, sizes, np.inf))


def refuse_balance_of_parts(estimator) -> None:
    """Refuse to balance classes of which only some rows are at hand."""
    if getattr(estimator, "class_weight", None) == "balanced":
        raise ValueError(
            "class_weight='balanced' needs all rows, and partial_fit sees some of them. Give it a "
            "dict: dict(zip(classes, compute_class_weight('balanced', classes=classes, y=y))) of "
            "sklearn.utils.class_weight, with all labels, or many, for y."
        )
