"""The columns as the page's controls: ranges, levels, and what each does to the neuron's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler

from ..columns import Column
from ..units import Unfolded
from ..wires import SCALERS

# How far the sliders go around a scaler's centre where no data say more.
SPREADS = 2.5
GUESS = 3.0


@dataclass
class Seen:
    """The rows that ranges and movements are taken from.

    Parameters
    ----------
    X : table of any kind
    inputs : ndarray or csr_array of shape (n_rows, n_inputs)
        The same rows as the neuron sees them.
    """

    X: Any
    inputs: Any

    def values(self, column: Column) -> np.ndarray:
        """Raw values of a number; those of a derived one are worked out from the inputs."""
        if column.position is not None:
            return np.asarray(column.raw(self.X))
        j = int(np.argmax(column.slope != 0))
        behind = dense(self.inputs[:, [column.inputs[j]]]).ravel()
        return (behind - column.offset[j]) / column.slope[j]

    @cached_property
    def means(self) -> np.ndarray:
        """The average of each input."""
        return dense(self.inputs.mean(axis=0)).ravel()

    def numbers(self, column: Column) -> np.ndarray:
        """Raw values of a number as floats."""
        return numbers(self.values(column))

    def levels(self, column: Column) -> np.ndarray:
        """Positions of a category's levels, as `Column.level_numbers` has them."""
        return column.levels_of(self.X, self.inputs)

    def spread(self, column: Column) -> float:
        """Standard deviation of a number, missing values apart; 0 where all are missing."""
        values = self.numbers(column)
        values = values[np.isfinite(values)]
        return float(values.std()) if len(values) else 0.0


def dense(array) -> np.ndarray:
    """Return a sparse or dense array as a dense one."""
    return array.toarray() if sparse.issparse(array) else np.asarray(array)


def numbers(values) -> np.ndarray:
    """Return raw values as floats, missing ones as nan."""
    missing = pd.isna(values)
    found = np.full(len(values), np.nan)
    found[~missing] = np.asarray(values)[~missing].astype(float)
    return found


def as_list(values) -> list:
    """Numbers as a list in which None stands for what is missing or not finite."""
    values = np.asarray(values, dtype=float)
    if np.all(np.isfinite(values)):
        return values.tolist()
    return [v if np.isfinite(v) else None for v in values.tolist()]


def movements(unfolded: Unfolded, columns, seen: Seen | None) -> np.ndarray:
    """How far each column moves z: the standard deviation of its contribution, most of any neuron.

    Without rows: the weight on the neuron's own scale, or the spread of a category's levels.
    """
    if seen is None:
        return np.array([_movement_unseen(unfolded, column) for column in columns])
    spread = _standard_deviations(seen.inputs)
    strength = np.abs(unfolded.coef).max(axis=0)
    moves = np.zeros(len(columns))
    for i, column in enumerate(columns):
        if len(column.inputs) == 1:
            moves[i] = spread[column.inputs[0]] * strength[column.inputs[0]]
        else:
            part = np.asarray(seen.inputs[:, column.inputs] @ unfolded.coef[:, column.inputs].T)
            moves[i] = part.std(axis=0).max()
    return moves


def _movement_unseen(unfolded: Unfolded, column: Column) -> float:
    if column.is_number:
        return float(np.abs(unfolded.coef[:, column.inputs]).max())
    return float(column.level_effects(unfolded.coef).std(axis=0).max(initial=0.0))


def _standard_deviations(inputs) -> np.ndarray:
    if not sparse.issparse(inputs):
        return np.asarray(inputs).std(axis=0)
    mean = np.asarray(inputs.mean(axis=0)).ravel()
    square = np.asarray(inputs.multiply(inputs).mean(axis=0)).ravel()
    return np.sqrt(np.maximum(square - mean**2, 0))


def describe_feature(column: Column, unfolded: Unfolded, seen: Seen | None, place: dict) -> dict:
    """Return a column as the page's script knows it.

    Parameters
    ----------
    column : Column
    unfolded : Unfolded
    seen : Seen or None
    place : dict
        From the neuron's inputs to those of the page.
    """
    feature = {
        "name": column.name,
        "inputs": [place[int(j)] for j in column.inputs],
        "slope": column.slope.tolist(),
        "offset": column.offset.tolist(),
        "missing": as_list(column.missing),
        "unknown": as_list(column.unknown),
        "can_miss": column.takes_missing,
        "imputed": None if column.imputed is None else str(column.imputed),
    }
    if column.is_number:
        values = None if seen is None else seen.numbers(column)
        return {**feature, "levels": None, **_number(column, unfolded, values)}
    return {**feature, **_category(column, None if seen is None else seen.levels(column))}


def _number(column: Column, unfolded: Unfolded, values) -> dict:
    known = values[np.isfinite(values)] if values is not None else np.zeros(0)
    if len(known):
        low, high, start = known.min(), known.max(), known.mean()
        integer = bool(np.all(known == np.round(known)))
    else:
        low, high = _range_of_scaler(column, unfolded)
        start, integer = (low + high) / 2, False
    if not high > low:
        low, high = low - 1, high + 1
    if integer:
        start = np.round(start)
    return {"min": float(low), "max": float(high), "start": float(start), "integer": integer}


def _category(column: Column, numbers) -> dict:
    codes = column.level_codes()
    counts = np.zeros(len(column.levels))
    if numbers is not None:
        counts += np.bincount(numbers[numbers >= 0], minlength=len(counts))
    by_share = np.argsort(-counts, kind="stable")
    return {
        "levels": [str(level) for level in column.levels],
        "code_starts": codes.indptr.tolist(),
        "code_inputs": codes.indices.tolist(),
        "codes": codes.data.tolist(),
        "by_share": by_share.tolist(),
        "has_other": bool(np.all(np.isfinite(column.unknown))),
        "start": int(by_share[0]) if len(by_share) else -1,
    }


def _range_of_scaler(column: Column, unfolded: Unfolded) -> tuple[float, float]:
    """The raw values that a scaler moves to where it moves most of them; a guess without one."""
    j = int(np.argmax(column.slope != 0))
    slope, offset = column.slope[j], column.offset[j]
    if not is_scaled(column):
        return -GUESS, GUESS
    kinds = {type(scaler) for scaler in _scalers(unfolded.steps)}
    low, high = {frozenset([MinMaxScaler]): (0.0, 1.0), frozenset([MaxAbsScaler]): (-1.0, 1.0)}.get(
        frozenset(kinds), (-SPREADS, SPREADS)
    )
    ends = (low - offset) / slope, (high - offset) / slope
    return min(ends), max(ends)


def is_scaled(column: Column) -> bool:
    """Whether something before the neuron scales the column."""
    return bool(np.any((column.slope != 0) & ((column.slope != 1) | (column.offset != 0))))


def _scalers(steps) -> Iterator:
    for step in steps:
        if isinstance(step, SCALERS):
            yield step
        elif isinstance(step, Pipeline):
            yield from _scalers([inner for _, inner in step.steps])
        elif isinstance(step, ColumnTransformer):
            yield from _scalers([inner for _, inner, _ in step.transformers_])
        elif isinstance(step, FeatureUnion):
            yield from _scalers([inner for _, inner in step.transformer_list])
