"""Dask collections in `predict` and `score`: put off block by block, and summed by partition.

Nothing here is imported unless a dask collection is given.
"""

from __future__ import annotations

import copy
from functools import partial

import dask
import dask.array as da
import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ._dask import Columns, aligned, blocks_of, check_partition, n_rows_of
from ._sklearn_compat import output_container
from .sources.dask import compute


def lazily(estimator, method: str, X):
    """What a method returns for X as a dask array, block by block, once it is computed."""
    check_is_fitted(estimator)
    container = output_container(estimator)
    if method == "transform" and container != "default":
        raise ValueError(
            f"set_output(transform='{container}') asks for a {container} DataFrame, and X is a "
            "dask collection, whose rows stay where they are. Set it to 'default': transform then "
            "returns a dask array, which dask.dataframe.from_dask_array makes a dataframe."
        )
    columns = Columns.of(estimator, X, reset=False)
    apply = partial(apply_method, estimator=slim(estimator), method=method)
    like = np.zeros((1, columns.n_features), dtype=columns.dtype)
    if not isinstance(X, da.Array):
        example = apply(pd.DataFrame(like, columns=X.columns))
        return X.map_partitions(partial(apply, like=example[:0]), meta=example[:0])
    example = apply(like)
    apply = partial(apply, like=example[:0])
    X = X.rechunk({1: -1})
    if example.ndim == 1:
        return X.map_blocks(apply, dtype=example.dtype, drop_axis=1, meta=example[:0])
    chunks = (X.chunks[0], (example.shape[1],))
    return X.map_blocks(apply, dtype=example.dtype, chunks=chunks, meta=example[:0])


def slim(estimator):
    """The estimator without its history, which no block needs."""
    light = copy.copy(estimator)
    for name in ("history_", "optimizer_state_"):
        vars(light).pop(name, None)
    return light


def apply_method(block, estimator, method: str, like=None):
    """Call a method on a block; an empty one gives an empty result. Runs on a worker."""
    if like is not None and not n_rows_of(block):
        return like
    return getattr(estimator, method)(block)


def score(estimator, X, y, sample_weight=None) -> float:
    """Accuracy, or R2 (a mean over targets), from sums over the partitions."""
    check_is_fitted(estimator)
    Columns.of(estimator, X, reset=False)
    X, y, sample_weight = aligned(X, y, sample_weight)
    rows, targets = blocks_of(X), blocks_of(y)
    weights = [None] * len(rows) if sample_weight is None else blocks_of(sample_weight)
    part = dask.delayed(score_part, pure=False)
    light = dask.delayed(slim(estimator), traverse=False)
    tasks = [part(i, light, *b) for i, b in enumerate(zip(rows, targets, weights, strict=True))]
    parts = [found for found in compute(tasks) if found is not None]
    if not parts:
        raise ValueError("X has no rows: every partition is empty.")
    if is_classifier(estimator):
        right, total = np.sum(parts, axis=0)
        return float(right / total)
    return r2_of(parts)


def score_part(number: int, estimator, X, y, weight):
    """What a partition adds to the score. Runs on a worker."""
    check_partition(number, X, y, weight)
    if not n_rows_of(X):
        return None
    predicted, y = estimator.predict(X), np.asarray(y)
    y = y.reshape(predicted.shape)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    if is_classifier(estimator):
        right = (predicted == y) if y.ndim == 1 else (predicted == y).all(axis=1)
        return float(weight @ right), float(weight.sum())
    y, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    total = weight.sum()
    mean = weight @ y / total if total > 0 else np.zeros(y.shape[1])
    return total, mean, weight @ (y - mean) ** 2, weight @ (y - predicted) ** 2


def r2_of(parts) -> float:
    """R2 from each partition's (weight, mean, squares about it, squared residuals)."""
    total, mean, squares, residual = parts[0]
    for weight, other, more, left in parts[1:]:
        if weight == 0:
            continue
        delta, both = other - mean, total + weight
        squares = squares + more + delta**2 * (total * weight / both)
        mean = mean + delta * (weight / both)
        total, residual = both, residual + left
    r2 = np.where(residual == 0, 1.0, 0.0)
    varies = squares > 0
    r2[varies] = 1 - residual[varies] / squares[varies]
    return float(r2.mean())
