"""What a table of weights shows: linear functions of a neuron's weights and bias."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .columns import Column
from .evidence import Evidence, pair_of
from .units import Unfolded

# Levels that share a code are named up to this many.
N_NAMED = 3


@dataclass(frozen=True, eq=False)
class Function:
    """``constant + factors . parameters[where]``, less its `baseline`; and what it is called.

    Parameters
    ----------
    feature : str
    where : ndarray of int
        The parameters that it is made of: numbers of inputs, and the count of inputs for the bias.
    factors : ndarray of the same shape
    note : str, default=""
    constant : float, default=0
    unit : str, default=""
        "each" for what one more unit of a number does, "level" for a level beside its baseline.
    baseline : Function, default=None
        What it is held against. Thousands of levels share one, which is made of them all.
    """

    feature: str
    where: np.ndarray
    factors: np.ndarray
    note: str = ""
    constant: float = 0.0
    unit: str = ""
    baseline: Function | None = None


def evaluate(functions: Sequence[Function], parameters) -> np.ndarray:
    """Return the functions of these parameters, their constants left out.

    Parameters
    ----------
    functions : sequence of Function
    parameters : ndarray of shape (n_inputs + 1, k)
        Weights and, last, biases of k neurons.

    Returns
    -------
    values : ndarray of shape (n_functions, k)
    """
    starts = np.cumsum([0, *(len(f.where) for f in functions)])
    where, factors = (
        np.concatenate([getattr(f, name) for f in functions]) for name in ("where", "factors")
    )
    rows = sparse.csr_array((factors, where, starts), shape=(len(functions), len(parameters)))
    values = np.asarray(rows @ parameters)
    held: dict[Function, list[int]] = {}
    for i, f in enumerate(functions):
        if f.baseline is not None:
            held.setdefault(f.baseline, []).append(i)
    for baseline, members in held.items():
        values[members] -= baseline.factors @ parameters[baseline.where]
    return values


def raw_functions(inside: Unfolded) -> list[Function]:
    """The weights of the neuron's own inputs, and its bias."""
    n, one = inside.coef.shape[1], np.ones(1)
    found = [Function(name, np.array([j]), one) for j, name in enumerate(inside.input_names)]
    return [*found, Function("bias", np.array([n]), one)] if inside.neuron.fit_intercept else found


def std_functions(inside: Unfolded, evidence: Evidence) -> list[Function]:
    """What one standard deviation of each input does, and z of the mean row."""
    found = [
        _function(name, np.array([j]), evidence.deviation[[j]])
        for j, name in enumerate(inside.input_names)
    ]
    if inside.neuron.fit_intercept:
        mean = np.append(evidence.mean, 1.0)
        found.append(_function("bias", np.arange(len(mean)), mean, "z of the mean row"))
    return found


def original_functions(inside: Unfolded, evidence: Evidence | None, X) -> list[Function]:
    """What a unit, or a level, of each raw column does to z."""
    n = inside.coef.shape[1]
    bias = np.zeros(n + 1)
    bias[n] = float(inside.neuron.fit_intercept)
    found: list[Function] = []
    for column in inside.columns:
        bias[column.inputs] += column.offset
        if np.any(column.slope):
            note = "output of a step that is not unfolded" if column.kind == "derived" else ""
            found.append(_function(column.name, column.inputs, column.slope, note, unit="each"))
        if column.codes is not None:
            functions, baseline = _levels(column, evidence, X)
            found += functions
            bias[column.inputs] += baseline
        if len(column.indicators):
            found.append(_missing(column))
    note = "z at 0 of every number and at every baseline"
    found.append(_function("bias", np.arange(n + 1), bias, note))
    return found


def _function(feature: str, where, factors, *note, **more) -> Function:
    """The function of those parameters that count."""
    counts = factors != 0
    return Function(feature, where[counts], factors[counts], *note, **more)


def _levels(column: Column, evidence: Evidence | None, X):
    """A function for each level against the baseline, and what the baseline adds to each input."""
    codes = sparse.csr_array(column.codes)
    codes.sort_indices()
    codes.eliminate_zeros()
    rows = [slice(a, b) for a, b in itertools.pairwise(codes.indptr)]
    groups: dict[tuple, list[int]] = {}
    for k, row in enumerate(rows):
        key = codes.indices[row].tobytes(), codes.data[row].tobytes()
        groups.setdefault(key, []).append(k)
    dropped = groups.get((b"", b""))
    if dropped is not None:
        mean, against = np.zeros(codes.shape[1]), f"against {_names(column, dropped)}"
    else:
        count: np.ndarray = np.ones(codes.shape[0])
        against = "against the plain mean of the levels"
        if evidence is not None:
            numbers = column.levels_of(X, evidence.X)
            known = numbers >= 0
            if evidence.weight[known].any():
                count = np.bincount(numbers[known], evidence.weight[known], len(count))
                against = "against the mean of these rows"
        mean = count @ codes / count.sum()
    baseline = None if dropped is not None else _function("", column.inputs, mean)
    found = [
        Function(
            f"{column.name}={_names(column, members)}",
            column.inputs[codes.indices[rows[members[0]]]],
            codes.data[rows[members[0]]],
            against,
            unit="level",
            baseline=baseline,
        )
        for members in groups.values()
        if members is not dropped
    ]
    if _codes_missing(column):
        name, code = f"{column.name} is missing", column.missing - column.offset
        found.append(_function(name, column.inputs, code, against, unit="level", baseline=baseline))
    return found, mean


def _codes_missing(column: Column) -> bool:
    """Whether a missing value is a level of its own: no imputed one, nor like any unknown one."""
    return (
        column.takes_missing
        and column.imputed is None
        and not len(column.indicators)
        and not np.any(column.slope)
        and not np.array_equal(column.missing, column.unknown)
    )


def _names(column: Column, members: list[int]) -> str:
    shown = members if len(members) <= N_NAMED + 1 else members[:N_NAMED]
    words = [str(column.levels[k]) for k in shown]
    more = len(members) - len(shown)
    return " or ".join(words) + (f" or {more} more" if more else "")


def _missing(column: Column) -> Function:
    """What a missing value does, beside the value that is put in its place."""
    is_indicator = np.isin(column.inputs, column.indicators)
    factors = (column.missing - column.offset)[is_indicator]
    imputed = column.imputed
    word = f"{imputed:.6g}" if isinstance(imputed, float) else str(imputed)
    note = "" if imputed is None else f"beside the imputed {word}"
    return _function(f"{column.name} is missing", column.indicators, factors, note, unit="level")


def in_units_of_target(functions: list[Function], inside: Unfolded, k: int) -> list[Function]:
    """Functions of neuron k in y's own units, where z is y but for a shift and a scale."""
    target = inside.target
    if target.kind != "affine" or pair_of(inside.neuron).activation.name != "identity":
        return functions
    slope, offset = float(target.slope[k]), float(target.offset[k])
    baselines = {f.baseline for f in functions if f.baseline is not None}
    scaled: dict = {b: replace(b, factors=slope * b.factors) for b in baselines}
    return [
        replace(
            f,
            factors=slope * f.factors,
            note=f.note.replace("z at", "level at"),
            constant=offset if f.feature == "bias" else 0.0,
            baseline=scaled.get(f.baseline),
        )
        for f in functions
    ]
