"""What a training works with, and where what `fit` was given lives."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import array_api_compat
import numpy as np
from sklearn import get_config

from ._labels import ClassEncoder
from ._odd import refuse_dates_for_weights, with_gaps
from ._sklearn_compat import check_sample_weight
from ._validation import refuse_weights, refuse_words_and_dates
from ._values import ValueEncoder
from .exceptions import warn
from .sources import ParquetSource, Source
from .sources.device_array import DeviceArray


@dataclass
class Inputs:
    """What a training works with.

    Parameters
    ----------
    source : Source
        The training rows.
    targets : ValueEncoder or ClassEncoder
    validation : Source, default=None
        Validation rows.
    home : DeviceArray, default=None
        An array whose library and device the weights go back to; None is numpy.
    """

    source: Source
    targets: ValueEncoder | ClassEncoder
    validation: Source | None = None
    home: DeviceArray | None = None

    def close(self) -> None:
        self.source.close()
        if self.validation is not None:
            self.validation.close()


def is_dask(X) -> bool:
    """Whether X is a dask collection; dask is not imported to find out."""
    dask = sys.modules.get("dask")
    return dask is not None and dask.is_dask_collection(X)


def is_device_array(X) -> bool:
    """Whether X is of another array library, and scikit-learn was told to leave it there."""
    return (
        get_config()["array_api_dispatch"]
        and array_api_compat.is_array_api_obj(X)
        and not array_api_compat.is_numpy_array(X)
    )


def look_at_columns(X) -> None:
    """Refuse columns of words or dates in a dataframe; warn of numbers that name categories."""
    if not hasattr(X, "columns") or not hasattr(X, "dtypes"):
        return
    numbers = refuse_words_and_dates(X)
    if numbers:
        warn(
            f"X holds categories whose names are numbers ({', '.join(map(str, numbers[:5]))}), and "
            "the neuron takes them for amounts. Encode them before the neuron: OneHotEncoder in a "
            "ColumnTransformer."
        )


def checked_weight(weight, X, name: str):
    """Sample weights as float64, not negative and not all zero."""
    refuse_dates_for_weights(weight, name)
    weight = with_gaps(weight)
    try:
        weight = check_sample_weight(weight, X)
    except (TypeError, ValueError) as error:
        refuse_weights(weight, name, X.shape[0], error)
        raise
    if not weight.any():
        raise ValueError(
            f"All values of {name} are zero, so no row counts. Give at least one row a weight > 0."
        )
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"{name} adds up to more than a float holds: its largest value is {weight.max():.0e}. "
            "Only how weights compare matters: divide them by the largest one."
        )
    return weight


def columns_of(source: ParquetSource, y, sample_weight) -> tuple:
    """(X, y, sample_weight) of a source that brings its own targets and weights."""
    X, own_y, own_weight = source.load()
    for name, given, own in (("y", y, own_y), ("sample_weight", sample_weight, own_weight)):
        if given is not None and own is not None:
            raise ValueError(f"{name} was given beside {source!r}, which brings its own.")
    y = own_y if y is None else y
    if y is None:
        raise ValueError(f"{source!r} has no targets: name their column (target=) or pass y.")
    return X, y, own_weight if sample_weight is None else sample_weight
