"""Follow columns through the steps of a pipeline, as long as each stays a function of one column.

Behind a step that mixes columns or bends them, its outputs start wires of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import TargetEncoder

from .wires import RULES, UnfoldError, Wire


@dataclass
class Tracer:
    """Sends wires through steps, and starts new ones behind a step that cannot be unfolded.

    Attributes
    ----------
    derived : list of str
        Names of the columns that start behind such a step.
    notes : list of str
        Which steps could not be unfolded, and why.
    cross_fits : bool
        Whether a step codes rows otherwise in its fit than later.
    """

    n_raw: int
    derived: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cross_fits: bool = False

    def along(self, steps: list, wires: list[Wire], n_out: int | None = None) -> list[Wire]:
        """Return the wires behind fitted steps, one after the other.

        Parameters
        ----------
        steps : list of transformer
        wires : list of Wire
        n_out : int, default=None
            How many columns the last one gives, where what stands behind it says so.
        """
        widths = [getattr(step, "n_features_in_", None) for step in steps[1:]]
        for step, n in zip(steps, [*widths, n_out], strict=False):
            wires = self.through(step, wires, n)
        return wires

    def through(self, step, wires: list[Wire], n_out: int | None = None) -> list[Wire]:
        """Return the wires behind a fitted step, which gives `n_out` columns if that is known."""
        step = thawed(step)
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return wires
        self.cross_fits |= isinstance(step, TargetEncoder)
        if isinstance(step, Pipeline):
            return self.along(steps_of(step), wires, n_out)
        if isinstance(step, ColumnTransformer):
            return self._column_transformer(step, wires)
        try:
            if isinstance(step, FeatureUnion):
                return self._feature_union(step, wires)
            if isinstance(step, SelectorMixin):
                return [wires[j] for j in step.get_support(indices=True)]
            rule = RULES.get(type(step))
            if rule is None:
                raise UnfoldError(f"{type(step).__name__} is not affine column by column")
            return rule(step, wires)
        except UnfoldError as reason:
            return self._start_anew(step, str(reason), n_out)

    def _feature_union(self, step, wires):
        parts = [
            _times_weight(step, name, self.through(inner, wires))
            for name, inner in step.transformer_list
            if not (isinstance(inner, str) and inner == "drop")
        ]
        return [wire for part in parts for wire in part]

    def _column_transformer(self, step, wires):
        by_position: dict[int, Wire] = {}
        for name, inner, columns in step.transformers_:
            if isinstance(inner, str) and inner == "drop":
                continue
            chosen = [wires[j] for j in positions(step, columns)]
            where = step.output_indices_[name]
            if not chosen:
                continue
            behind = self.through(inner, chosen, where.stop - where.start)
            behind = _times_weight(step, name, behind)
            by_position.update(zip(range(where.start, where.stop), behind, strict=True))
        return [by_position[k] for k in sorted(by_position)]

    def _start_anew(self, step, reason: str, n_out: int | None) -> list[Wire]:
        names = _output_names(step, n_out)
        first = self.n_raw + len(self.derived)
        self.derived += names
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        self.notes.append(f"{reason}: its outputs ({shown}) are shown as they are.")
        return [Wire(source=first + k) for k in range(len(names))]


def steps_of(pipeline: Pipeline) -> list:
    """Return the steps of a pipeline that do something."""
    return [step for _, step in pipeline.steps if step is not None and not isinstance(step, str)]


def thawed(estimator):
    """Return what a FrozenEstimator keeps from being fitted again, and another one as it is."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def _times_weight(step, name: str, wires: list[Wire]) -> list[Wire]:
    """Return the wires behind one of a step's transformers, times what the step weights it by."""
    weight = (step.transformer_weights or {}).get(name)
    return wires if weight is None else [wire.affine(weight, 0.0) for wire in wires]


def _output_names(step, n_out: int | None) -> list[str]:
    try:
        names = [str(name) for name in step.get_feature_names_out()]
    except (AttributeError, ValueError):
        names = []
    if names and n_out in (None, len(names)):
        return names
    kind = type(step).__name__
    if n_out is None:
        raise UnfoldError(f"{kind} does not say how many columns it gives")
    return [f"{kind.lower()}{k}" for k in range(n_out)]


def positions(step, columns) -> list[int]:
    """Return the positions that a ColumnTransformer's column specification stands for."""
    n = step.n_features_in_
    names = list(getattr(step, "feature_names_in_", range(n)))
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            start = 0 if columns.start is None else names.index(columns.start)
            stop = n if columns.stop is None else names.index(columns.stop) + 1
            return list(range(n))[start : stop : columns.step]
        return list(range(n))[columns]
    listed: list[Any] = [columns] if np.isscalar(columns) else list(columns)
    if listed and all(isinstance(c, (bool, np.bool_)) for c in listed):
        return [j for j, chosen in enumerate(listed) if chosen]
    return [names.index(c) if isinstance(c, str) else range(n)[int(c)] for c in listed]
