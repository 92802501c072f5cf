"""Send what `fit`, `predict` and `score` are given to where it lives."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from ._arrays import read_arrays
from ._device import check_home, on_device, read_device
from ._inputs import Inputs, columns_of, is_dask, is_device_array
from .sources import ParquetSource
from .sources.device_array import DeviceArray


def reader_of(X) -> Callable[..., Inputs]:
    """What reads the rows of X where they live."""
    if type(X) is np.ndarray:
        return read_arrays
    if is_dask(X):
        from ._dask import read_dask

        return read_dask
    if isinstance(X, ParquetSource):
        return read_parquet
    return read_device if is_device_array(X) else read_arrays


def refuse_elsewhere(X) -> None:
    """Say that `partial_fit` wants rows in memory, rather than to pull them there in silence."""
    if reader_of(X) is not read_arrays:
        raise TypeError(
            f"partial_fit takes rows in memory, not a {type(X).__module__}.{type(X).__name__}: "
            "hand it one block after the other as numpy arrays, or use fit, which takes them all."
        )


def wherever(method):
    """Let a method of one argument X work where X lives.

    On a device it runs there, and what it returns stays there. On a dask collection it is put off,
    block by block.
    """

    @functools.wraps(method)
    def called(self, X):
        if type(X) is DeviceArray:
            return method(self, X)
        if type(X) is np.ndarray:
            check_home(self, X, method)
            return method(self, X)
        if is_dask(X):
            from ._dask_predict import lazily

            return lazily(self, method.__name__, X)
        if isinstance(X, ParquetSource):
            return np.concatenate([method(self, frame) for frame in X.frames()])
        if is_device_array(X):
            return on_device(self, method, X)
        return method(self, X)

    return called


def scorer_of(estimator, X, score):
    """What computes the score where X lives: `score` itself, or sums over dask's partitions."""
    if isinstance(X, ParquetSource):
        return lambda source, y, weight: score(source, *columns_of(source, y, weight)[1:])
    if type(X) is np.ndarray or not is_dask(X):
        return score
    from ._dask_predict import score as distributed_score

    return functools.partial(distributed_score, estimator)


def read_parquet(estimator, source, y, sample_weight, validation) -> Inputs:
    """Rows of parquet files, mapped into memory; targets and weights are columns of theirs."""
    X, y, sample_weight = columns_of(source, y, sample_weight)
    inputs = read_arrays(estimator, X, y, sample_weight, validation)
    names = pd.DataFrame(columns=source.feature_names)
    validate_data(estimator, names, skip_check_array=True, reset=True)
    return inputs
