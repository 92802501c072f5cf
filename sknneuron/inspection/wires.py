"""Columns somewhere in a pipeline, as functions of one raw column each, and what steps do to them.

A `Wire` is one such column: affine in a number, or a value for each level of a category. A step
turns a list of wires into a list of wires; one that mixes columns or bends them gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

NAN = float("nan")
# Affine in each column, for targets as for columns.
SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)


class UnfoldError(Exception):
    """A step mixes columns or bends them; the message says which and how."""


@dataclass(frozen=True)
class Wire:
    """One column of a pipeline in terms of one raw column x.

    Its value is ``offset + slope * x``, or ``table[x]`` where there is a table.

    Parameters
    ----------
    source : int
        Which raw column.
    slope, offset : float
    table : mapping of level to float, default=None
        Levels that are not in it have the value `offset`.
    levels : collection, default=()
        All levels that the encoder knows, those at `offset` included. The wires of a feature share
        one collection: thousands of dummies would hold millions of levels.
    missing : object, default=nan
        The value where x is missing; nan where no step takes care of that.
    unknown : float, default=nan
        The value at a level that the encoder does not know; nan where it raises.
    imputed : object, default=None
        What stands in for a missing x, in x's own unit.
    """

    source: int
    slope: float = 1.0
    offset: float = 0.0
    table: Mapping[Any, float] | None = None
    levels: Collection = ()
    missing: Any = NAN
    unknown: float = NAN
    imputed: Any = None

    @property
    def is_raw(self) -> bool:
        """Whether this is still the raw column itself, missing values apart."""
        return self.table is None and self.slope == 1 and self.offset == 0

    def affine(self, slope: float, offset: float) -> Wire:
        """Return the wire of ``offset + slope * value``."""
        table = self.table
        if table is not None:
            table = {level: offset + slope * value for level, value in table.items()}
        return replace(
            self,
            slope=slope * self.slope,
            offset=offset + slope * self.offset,
            table=table,
            missing=offset + slope * self.missing,
            unknown=offset + slope * self.unknown,
        )


def is_missing(value) -> bool:
    """Whether a single value stands for a missing one."""
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


# -- steps -----------------------------------------------------------------------------------------


def _shift_and_scale(wires, slope, offset):
    return [
        wire.affine(float(a), float(b)) for wire, a, b in zip(wires, slope, offset, strict=True)
    ]


def _standard_scaler(step, wires):
    n = len(wires)
    scale = np.ones(n) if step.scale_ is None else np.asarray(step.scale_)
    mean = np.asarray(step.mean_) if step.with_mean else np.zeros(n)
    return _shift_and_scale(wires, 1 / scale, -mean / scale)


def _min_max_scaler(step, wires):
    _refuse_clip(step)
    return _shift_and_scale(wires, step.scale_, step.min_)


def _max_abs_scaler(step, wires):
    _refuse_clip(step)
    return _shift_and_scale(wires, 1 / step.scale_, np.zeros(len(wires)))


def _refuse_clip(step):
    if getattr(step, "clip", False):
        raise UnfoldError(f"{type(step).__name__}(clip=True) is not affine")


def _robust_scaler(step, wires):
    n = len(wires)
    scale = step.scale_ if step.with_scaling else np.ones(n)
    center = step.center_ if step.with_centering else np.zeros(n)
    return _shift_and_scale(wires, 1 / scale, -center / scale)


def _identity(step, wires):
    if step.func is not None:
        name = getattr(step.func, "__name__", repr(step.func))
        raise UnfoldError(f"FunctionTransformer({name}) is not known to be affine")
    return wires


def _indicator(step, wires):
    if not is_missing(step.missing_values):
        raise UnfoldError(f"{type(step).__name__} marks {step.missing_values!r} as missing")
    return [
        Wire(
            source=wires[j].source,
            slope=0.0,
            missing=float(is_missing(wires[j].missing)),
            imputed=wires[j].imputed,
        )
        for j in step.features_
    ]


def _simple_imputer(step, wires):
    if not is_missing(step.missing_values):
        raise UnfoldError(f"{type(step).__name__} takes {step.missing_values!r} for missing")
    filled = []
    for wire, value in zip(wires, step.statistics_, strict=True):
        if is_missing(value):
            if step.keep_empty_features:
                raise UnfoldError("SimpleImputer kept a column without any value")
            continue
        filled.append(_fill(wire, value))
    return filled + (_indicator(step.indicator_, wires) if step.add_indicator else [])


def _fill(wire: Wire, value: Any) -> Wire:
    if not is_missing(wire.missing):
        return wire
    # A zip code is no number although it could be read as one.
    if isinstance(value, str) or not np.isreal(value):
        return replace(wire, missing=value, imputed=value)
    value = float(value)
    imputed = (value - wire.offset) / wire.slope if wire.table is None and wire.slope else value
    return replace(wire, missing=value, imputed=imputed)


def _encoder_input(step, wire: Wire) -> Wire:
    if not wire.is_raw:
        raise UnfoldError(f"{type(step).__name__} encodes a column that is already changed")
    return wire


def _level(value):
    """A level as a plain Python value: numpy's own print as np.float64(1.0)."""
    return value.item() if isinstance(value, np.generic) else value


def _groups(step, j: int) -> tuple[list[list], bool]:
    """Levels of feature j that share a code, in the order of the codes; whether the last is rare.

    Rare levels (`min_frequency`, `max_categories`) share the last code.
    """
    levels = [_level(value) for value in step.categories_[j]]
    rare = getattr(step, "infrequent_categories_", None)
    rare = None if rare is None or rare[j] is None else [_level(value) for value in rare[j]]
    if not rare:
        return [[level] for level in levels], False
    known, missing = _known(rare)
    frequent = [
        [level] for level in levels if not (missing if is_missing(level) else level in known)
    ]
    return [*frequent, rare], True


def _same(a, b) -> bool:
    return a == b or (is_missing(a) and is_missing(b))


def _known(levels) -> tuple[dict, bool]:
    """Levels but the missing ones, as the keys of a dict, and whether there are missing ones."""
    known = dict.fromkeys(level for level in levels if not is_missing(level))
    return known, any(is_missing(level) for level in levels)


def _table_wire(
    wire: Wire, values: Mapping, known: dict, knows_missing: bool, offset: float, unknown: float
) -> Wire:
    """The wire of an encoder's column: `values` by level, `offset` at the levels not in it."""
    table = {level: value for level, value in values.items() if not is_missing(level)}
    if is_missing(wire.missing):
        # The encoder took a missing value for a level, or for one that it does not know.
        at_missing = next((v for level, v in values.items() if is_missing(level)), None)
        if at_missing is None:
            at_missing = offset if knows_missing else unknown
    else:
        filled = _level(wire.missing)
        at_missing = table.get(filled, offset if filled in known else unknown)
    return Wire(
        source=wire.source,
        slope=0.0,
        offset=offset,
        table=table,
        levels=known,
        missing=at_missing,
        unknown=unknown,
        imputed=wire.imputed,
    )


def _one_hot_encoder(step, wires):
    found = []
    for j, given in enumerate(wires):
        wire = _encoder_input(step, given)
        groups, has_rare = _groups(step, j)
        known = _known([level for group in groups for level in group])
        dropped = None
        if step.drop_idx_ is not None and step.drop_idx_[j] is not None:
            dropped = _level(step.categories_[j][step.drop_idx_[j]])
        raises = step.handle_unknown == "error"
        into_rare = step.handle_unknown in ("warn", "infrequent_if_exist") and has_rare
        for k, group in enumerate(groups):
            if dropped is not None and any(_same(level, dropped) for level in group):
                continue
            is_rare = has_rare and k == len(groups) - 1
            unknown = NAN if raises else float(into_rare and is_rare)
            found.append(_table_wire(wire, dict.fromkeys(group, 1.0), *known, 0.0, unknown))
    return found


def _ordinal_encoder(step, wires):
    found = []
    for j, given in enumerate(wires):
        wire = _encoder_input(step, given)
        values = {}
        groups = _groups(step, j)[0]
        # NaN has a code of its own, outside the count of the others, and None is one of these.
        present = [
            [level for level in group if level is None or not is_missing(level)] for group in groups
        ]
        for code, group in enumerate(group for group in present if group):
            values.update(dict.fromkeys(group, float(code)))
        for group in groups:
            for level in group:
                if level not in values:
                    values[level] = float(step.encoded_missing_value)
        unknown = float(step.unknown_value) if step.handle_unknown != "error" else NAN
        found.append(_table_wire(wire, values, *_known(values), 0.0, unknown))
    return found


def _target_encoder(step, wires):
    found = []
    per_feature = len(step.encodings_) // len(wires)
    means = np.atleast_1d(step.target_mean_)
    for j, given in enumerate(wires):
        wire = _encoder_input(step, given)
        levels = [_level(value) for value in step.categories_[j]]
        known = _known(levels)
        for c in range(per_feature):
            encoding = step.encodings_[j * per_feature + c]
            values = {level: float(v) for level, v in zip(levels, encoding, strict=True)}
            found.append(_table_wire(wire, values, *known, 0.0, float(means[c])))
    return found


RULES: dict[type, Callable] = {
    StandardScaler: _standard_scaler,
    MinMaxScaler: _min_max_scaler,
    MaxAbsScaler: _max_abs_scaler,
    RobustScaler: _robust_scaler,
    FunctionTransformer: _identity,
    SimpleImputer: _simple_imputer,
    MissingIndicator: _indicator,
    OneHotEncoder: _one_hot_encoder,
    OrdinalEncoder: _ordinal_encoder,
    TargetEncoder: _target_encoder,
}
"""How wires go through each kind of step."""
