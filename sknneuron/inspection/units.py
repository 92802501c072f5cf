"""Unfold what stands before a neuron: from raw columns, in the user's own units, to its inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted, validate_data

from .._odd import names_of_columns, prepared, refuse_no_table
from .columns import Column, Target, in_memory, raw_values, to_numpy
from .tracer import Tracer, steps_of, thawed
from .wires import NAN, SCALERS, UnfoldError, Wire, is_missing

# They draw the line between the classes of another classifier elsewhere.
THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)


@dataclass(frozen=True)
class Unfolded:
    """A neuron, the columns before it and the target behind it. `unfold` makes one.

    Parameters
    ----------
    estimator : estimator
        As given.
    neuron : estimator
        The fitted neuron (or layer of neurons) inside it.
    steps : tuple of transformer
        What stands before the neuron, outermost first.
    columns : tuple of Column
        The raw columns in their order, then derived ones.
    input_names : tuple of str
        Names of the neuron's own inputs.
    neuron_names : tuple of str
        One per neuron: the class for a classifier of several, otherwise "neuron0" and so on.
    target : Target
    not_unfolded : tuple of str
        Which steps could not be unfolded, and why; empty if all could.
    cross_fits : bool
        Whether a TargetEncoder is among the steps: in the fit it codes each row without the row's
        own target, and later with it.
    """

    estimator: Any
    neuron: Any
    steps: tuple
    columns: tuple[Column, ...]
    input_names: tuple[str, ...]
    neuron_names: tuple[str, ...]
    target: Target
    not_unfolded: tuple[str, ...] = ()
    cross_fits: bool = False

    @cached_property
    def coef(self) -> np.ndarray:
        """Weights, (n_neurons, n_inputs), numpy float64 whatever they were fitted on."""
        return np.atleast_2d(to_numpy(self.neuron.coef_))

    @cached_property
    def intercept(self) -> np.ndarray:
        """Biases, (n_neurons,)."""
        return np.atleast_1d(to_numpy(self.neuron.intercept_))

    @cached_property
    def source(self) -> np.ndarray:
        """For each neuron input, which of `columns` it comes from."""
        source = np.full(self.coef.shape[1], -1)
        for k, column in enumerate(self.columns):
            source[column.inputs] = k
        return source

    @cached_property
    def plain_names(self) -> tuple[str, ...]:
        """Names of the inputs without the prefixes of transformers, where they stay different."""
        names = [name.rpartition("__")[2] for name in self.input_names]
        times = Counter(names)
        return tuple(
            name if name and times[name] == 1 else full
            for full, name in zip(self.input_names, names, strict=True)
        )

    @property
    def is_plain(self) -> bool:
        """Whether the neuron sees the raw columns as they are."""
        return not self.steps

    @property
    def is_unfolded(self) -> bool:
        """Whether every input is known in terms of a raw column."""
        return not self.not_unfolded

    def neuron_number(self, label) -> int | None:
        """Return which neuron has this name or is of this class; None if there is none."""
        # Classes may be floats, 3.0 say, and are asked for as 3.
        is_whole = isinstance(label, (int, np.integer))
        names = [str(label), str(float(label))] if is_whole else [str(label)]
        return next((self.neuron_names.index(n) for n in names if n in self.neuron_names), None)

    def inputs(self, X):
        """Return X as the neuron sees it, (n_samples, n_inputs), dense float64 or CSR."""
        if self.is_plain:
            # Steps look at these themselves; columns in another order are refused, as in `predict`.
            X = prepared(X)
            if hasattr(X, "columns") and hasattr(self.neuron, "feature_names_in_"):
                validate_data(self.neuron, X, reset=False, skip_check_array=True)
        for step in self.steps:
            X = step.transform(X)
        try:
            X = sparse.csr_array(X) if sparse.issparse(X) else to_numpy(X)
        except (TypeError, ValueError):
            self.neuron.pre_activation(X)  # says which value is no number
            raise
        n_inputs = self.coef.shape[1]
        if X.ndim != 2 or X.shape[1] != n_inputs:
            raise ValueError(
                f"X must be a table with {n_inputs} columns, but has the shape {X.shape}. One row "
                "is a table too: X.iloc[[0]] of a DataFrame, X[:1] of an array, [[...]] of numbers."
            )
        return X

    def raw_bias(self) -> np.ndarray:
        """Return each neuron's z where every number is 0 and every level adds nothing."""
        offset = np.zeros(self.coef.shape[1])
        for column in self.columns:
            offset[column.inputs] = column.offset
        return self.intercept + self.coef @ offset

    def pre_activation(self, X) -> np.ndarray:
        """Return z from the raw columns by slopes, levels and imputed values alone.

        It equals what the pipeline computes, to rounding. Needs that every step is unfolded.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_raw_columns)

        Returns
        -------
        z : ndarray of shape (n_samples, n_neurons)
        """
        if self.not_unfolded:
            raise ValueError("z cannot be had from the raw columns: " + " ".join(self.not_unfolded))
        X = in_memory(X)
        z = np.tile(self.intercept, (len(raw_values(X, 0)) if self.columns else 0, 1))
        for column in self.columns:
            if column.position is not None and len(column.inputs):
                z += column.values(column.raw(X)) @ self.coef[:, column.inputs].T
        return z


def unfold(estimator, X=None) -> Unfolded:
    """Take a fitted estimator apart: the neuron, the columns before it, the target behind it.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        A fitted neuron, a Pipeline that ends in one, a TransformedTargetRegressor around either, in
        any nesting; a fitted search over them stands for its `best_estimator_`, a
        TunedThresholdClassifierCV or FixedThresholdClassifier for its `estimator_`, and a
        FrozenEstimator for what it holds.
    X : DataFrame or array, default=None
        Only its column names are used, where the estimator has seen none.

    Returns
    -------
    unfolded : Unfolded

    Raises
    ------
    TypeError
        If there is no neuron at the end, or X is no table in memory.
    NotFittedError
        If it is not fitted.

    Notes
    -----
    Scalers (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler), OneHotEncoder,
    OrdinalEncoder, TargetEncoder, SimpleImputer, MissingIndicator, feature selection and
    "passthrough", and any nesting of Pipeline, ColumnTransformer and FeatureUnion of them, are
    followed exactly. The outputs of any other step count as columns of their own, of the kind
    "derived", and `not_unfolded` says so.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import unfold
    >>> X = pd.DataFrame({"sqft": [800.0, 1200.0, 1500.0, 2400.0]})
    >>> y = [90_000.0, 130_000.0, 160_000.0, 250_000.0]
    >>> model = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0)).fit(X, y)
    >>> inside = unfold(model)
    >>> inside.columns[0].name, inside.columns[0].kind
    ('sqft', 'number')
    >>> inside.columns[0].weights(inside.coef).round(6)  # dollars per square foot
    array([100.])
    >>> inside.raw_bias().round(4)
    array([10000.])
    """
    neuron, steps, target = _take_apart(estimator)
    if X is not None:
        refuse_no_table(X)
    return _unfolded(estimator, neuron, tuple(steps), target, X)


def unfold_layer(layer, steps, X=None) -> Unfolded:
    """Take apart what stands before a layer of neurons that is itself a step."""
    return _unfolded(layer, layer, tuple(steps), Target(), X)


def _unfolded(estimator, neuron, steps: tuple, target: Target, X) -> Unfolded:
    check_is_fitted(neuron, "coef_")
    n_inputs = np.atleast_2d(to_numpy(neuron.coef_)).shape[1]
    n_raw, names = _raw_columns(steps[0] if steps else neuron, X)
    tracer = Tracer(n_raw)
    wires = [Wire(source=j) for j in range(n_raw)]
    try:
        wires = tracer.along(list(steps), wires, n_inputs)
    except UnfoldError as reason:
        wires = []
        tracer.notes.append(f"{reason}.")
    input_names = _input_names(neuron, steps, n_inputs, names if not steps else None)
    if len(wires) != n_inputs:
        # A step that hides its outputs: the neuron's own inputs are the columns.
        tracer.derived, first = list(input_names), n_raw
        tracer.notes = tracer.notes or ["The steps before the neuron do not name their outputs."]
        wires = [Wire(source=first + j) for j in range(n_inputs)]
    return Unfolded(
        estimator=estimator,
        neuron=neuron,
        steps=steps,
        columns=_columns(names, tracer.derived, wires),
        input_names=input_names,
        neuron_names=_neuron_names(neuron),
        target=target,
        not_unfolded=tuple(tracer.notes),
        cross_fits=tracer.cross_fits,
    )


def _take_apart(estimator):
    """Return (neuron, steps before it, target)."""
    steps: list = []
    target = Target()
    inner = estimator
    while True:
        inner = thawed(inner)
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif isinstance(inner, THRESHOLDS) and hasattr(inner, "estimator_"):
            inner = inner.estimator_
        elif isinstance(inner, Pipeline):
            steps += steps_of(inner)[:-1]
            inner = inner.steps[-1][1]
        elif isinstance(inner, TransformedTargetRegressor):
            check_is_fitted(inner, "regressor_")
            if target.is_transformed:
                raise TypeError(
                    "A TransformedTargetRegressor inside another one cannot be unfolded: "
                    "transform the target once."
                )
            target = _target(inner)
            inner = inner.regressor_
        else:
            break
    if not (hasattr(inner, "pre_activation") and hasattr(inner, "activation")):
        given = repr(estimator) if isinstance(estimator, type) else type(estimator).__name__
        what = f"There is no neuron at the end of {given}"
        if inner is not estimator:
            what += f", but {type(inner).__name__}"
        if hasattr(inner, "cv_results_"):
            what += f": with refit={inner.refit!r} a search keeps no best one"
        raise TypeError(
            f"{what}. Give a fitted NeuronRegressor or NeuronClassifier, a Pipeline that ends in "
            "one, or a TransformedTargetRegressor around either."
        )
    return inner, steps, target


def _target(ttr) -> Target:
    transformer = ttr.transformer_

    def inverse(level):
        level = np.asarray(level)
        y = np.asarray(transformer.inverse_transform(level.reshape(len(level), -1)))
        return y.reshape(level.shape)

    def transform(y):
        y = np.asarray(y)
        return np.asarray(transformer.transform(y.reshape(len(y), -1))).reshape(y.shape)

    kind = "other"
    slope = offset = np.full(1, NAN)
    if isinstance(transformer, FunctionTransformer):
        if transformer.func is None and transformer.inverse_func is None:
            return Target()
        kind = {np.log: "log", np.log1p: "log1p"}.get(transformer.func, "other")
    elif isinstance(transformer, SCALERS) and not getattr(transformer, "clip", False):
        at = inverse(np.zeros((1, transformer.n_features_in_))).ravel()
        step = inverse(np.ones((1, transformer.n_features_in_))).ravel() - at
        kind, slope, offset = "affine", step, at
    return Target(kind, slope, offset, inverse, transform, ttr.func, ttr.inverse_func)


def _raw_columns(first, X) -> tuple[int, list[str]]:
    """Number and names of the raw columns, 0 where the first step takes no table."""
    n_raw = getattr(first, "n_features_in_", None)
    if n_raw is None and isinstance(first, Pipeline):
        n_raw = getattr(first.steps[0][1], "n_features_in_", None)
    if n_raw is None:
        return 0, []
    names = getattr(first, "feature_names_in_", None)
    if names is None:
        given = names_of_columns(X)
        if given is not None and len(given) == n_raw:
            names = given
    return n_raw, [f"x{j}" for j in range(n_raw)] if names is None else [str(n) for n in names]


def _input_names(neuron, steps, n_inputs, raw_names) -> tuple[str, ...]:
    names = getattr(neuron, "feature_names_in_", raw_names)
    if names is None and steps:
        try:
            names = _names_behind(steps)
        except (AttributeError, ValueError, TypeError):
            names = None
    if names is None or len(names) != n_inputs:
        names = [f"x{j}" for j in range(n_inputs)]
    return tuple(str(name) for name in names)


def _names_behind(steps):
    names = None
    for step in steps:
        names = step.get_feature_names_out(names)
    return names


def _neuron_names(neuron) -> tuple[str, ...]:
    n_neurons = len(np.atleast_2d(to_numpy(neuron.coef_)))
    classes = getattr(neuron, "classes_", None)
    if classes is not None and len(classes) == n_neurons:
        return tuple(str(c) for c in classes)
    return tuple(f"neuron{k}" for k in range(n_neurons))


# -- from wires to columns -------------------------------------------------------------------------


def _columns(names, derived, wires: list[Wire]) -> tuple[Column, ...]:
    fed: list[list[int]] = [[] for _ in range(len(names) + len(derived))]
    for i, wire in enumerate(wires):
        fed[wire.source].append(i)
    all_names = [*names, *derived]
    return tuple(
        _column(all_names[k], k if k < len(names) else None, inputs, [wires[i] for i in inputs])
        for k, inputs in enumerate(fed)
    )


def _column(name, position, inputs, wires) -> Column:
    levels = _all_levels(wires)
    slope = np.array([wire.slope if wire.table is None else 0.0 for wire in wires])
    offset = np.array([wire.offset for wire in wires])
    missing = np.array([wire.missing for wire in wires], dtype=object)
    missing = np.array([NAN if is_missing(v) or isinstance(v, str) else v for v in missing], float)
    is_indicator = [wire.table is None and wire.slope == 0 for wire in wires]
    return Column(
        name=name,
        kind=_kind(position, wires, levels),
        position=position,
        inputs=np.array(inputs, dtype=int),
        slope=slope,
        offset=offset,
        levels=levels,
        codes=_codes(wires, levels) if levels else None,
        missing=missing,
        unknown=np.array([_at_unknown(wire) for wire in wires]),
        imputed=next((wire.imputed for wire in wires if wire.imputed is not None), None),
        indicators=np.array(inputs, dtype=int)[np.array(is_indicator, dtype=bool)],
    )


def _kind(position, wires, levels) -> str:
    if position is None:
        return "derived"
    if not wires:
        return "unused"
    if levels:
        return "categorical"
    return "passthrough" if len(wires) == 1 and wires[0].is_raw else "number"


def _all_levels(wires) -> tuple:
    collections = {id(wire.levels): wire.levels for wire in wires}.values()
    return tuple(dict.fromkeys(level for levels in collections for level in levels))


def _at_unknown(wire: Wire) -> float:
    return wire.unknown if wire.table is not None else NAN


def _codes(wires, levels):
    """What each level adds to the offset of each input."""
    where = {level: k for k, level in enumerate(levels)}
    rows, columns, values = [], [], []
    for i, wire in enumerate(wires):
        if wire.table is None:
            continue
        foreign = [] if len(wire.levels) == len(levels) else set(levels) - set(wire.levels)
        at = {**wire.table, **dict.fromkeys(foreign, wire.unknown)}
        rows += [where[level] for level in at]
        columns += [i] * len(at)
        values += [value - wire.offset for value in at.values()]
    shape = len(levels), len(wires)
    return sparse.csr_array((values, (rows, columns)), shape=shape)
