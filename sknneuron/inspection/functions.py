"""What a table of weights shows: linear functions of a neuron's weights and bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .columns import Column
from .evidence import Evidence
from .units import Unfolded

# Levels that share a code are named up to this many.
N_NAMED = 3


@dataclass(frozen=True)
class Function:
    """``constant + coefficients . (weights, bias)``, and what it is called.

    Parameters
    ----------
    feature : str
    coefficients : ndarray of shape (n_inputs + 1,)
        The bias comes last.
    note : str, default=""
    constant : float, default=0
    unit : str, default=""
        "each" for what one more unit of a number does, "level" for a level beside its baseline.
    """

    feature: str
    coefficients: np.ndarray
    note: str = ""
    constant: float = 0.0
    unit: str = ""


def raw_functions(inside: Unfolded) -> list[Function]:
    """The weights of the neuron's own inputs, and its bias."""
    n = inside.coef.shape[1]
    unit = np.eye(n + 1)
    found = [Function(name, unit[j]) for j, name in enumerate(inside.input_names)]
    return [*found, Function("bias", unit[n])] if inside.neuron.fit_intercept else found


def std_functions(inside: Unfolded, evidence: Evidence) -> list[Function]:
    """What one standard deviation of each input does, and z of the mean row."""
    rows = np.diag(np.append(evidence.deviation, 1.0))
    found = [Function(name, rows[j]) for j, name in enumerate(inside.input_names)]
    if inside.neuron.fit_intercept:
        found.append(Function("bias", np.append(evidence.mean, 1.0), "z of the mean row"))
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
            found.append(Function(column.name, _spread(column, column.slope, n), note, unit="each"))
        if column.codes is not None:
            functions, baseline = _levels(column, evidence, X, n)
            found += functions
            bias += baseline
        if len(column.indicators):
            found.append(_missing(column, n))
    found.append(Function("bias", bias, "z at 0 of every number and at every baseline"))
    return _in_units_of_target(found, inside)


def _spread(column: Column, values, n: int):
    coefficients = np.zeros(n + 1)
    coefficients[column.inputs] = values
    return coefficients


def _levels(column: Column, evidence: Evidence | None, X, n: int):
    """A function for each level against the baseline, and the baseline itself."""
    codes = column.codes.toarray()
    groups: dict[bytes, list[int]] = {}
    for k, code in enumerate(codes):
        groups.setdefault(code.tobytes(), []).append(k)
    dropped = groups.get(np.zeros(codes.shape[1]).tobytes())
    if dropped is not None:
        baseline, against = np.zeros(codes.shape[1]), f"against {_names(column, dropped)}"
    else:
        count: np.ndarray = np.ones(len(codes))
        against = "against the plain mean of the levels"
        if evidence is not None:
            numbers = column.levels_of(X, evidence.X)
            known = numbers >= 0
            if evidence.weight[known].any():
                count = np.bincount(numbers[known], evidence.weight[known], len(codes))
                against = "against the mean of these rows"
        baseline = count @ codes / count.sum()
    found = [
        Function(
            f"{column.name}={_names(column, members)}",
            _spread(column, codes[members[0]] - baseline, n),
            against,
            unit="level",
        )
        for members in groups.values()
        if members is not dropped
    ]
    return found, _spread(column, baseline, n)


def _names(column: Column, members: list[int]) -> str:
    shown = members if len(members) <= N_NAMED + 1 else members[:N_NAMED]
    words = [str(column.levels[k]) for k in shown]
    more = len(members) - len(shown)
    return " or ".join(words) + (f" or {more} more" if more else "")


def _missing(column: Column, n: int) -> Function:
    """What a missing value does, beside the value that is put in its place."""
    coefficients = np.zeros(n + 1)
    is_indicator = np.isin(column.inputs, column.indicators)
    coefficients[column.indicators] = (column.missing - column.offset)[is_indicator]
    imputed = column.imputed
    word = f"{imputed:.6g}" if isinstance(imputed, float) else str(imputed)
    note = "" if imputed is None else f"beside the imputed {word}"
    return Function(f"{column.name} is missing", coefficients, note, unit="level")


def _in_units_of_target(functions: list[Function], inside: Unfolded) -> list[Function]:
    """Functions in y's own units, where the target was only shifted and scaled."""
    target = inside.target
    if target.kind != "affine":
        return functions
    return [
        Function(
            f.feature,
            target.slope * f.coefficients,
            f.note.replace("z at", "level at"),
            target.offset if f.feature == "bias" else 0.0,
            f.unit,
        )
        for f in functions
    ]
