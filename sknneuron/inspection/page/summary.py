"""A fitted neuron as a plain dict that JSON can hold: everything that its page shows."""

from __future__ import annotations

import re

import numpy as np

from ..diagnosis import diagnose
from . import words
from .features import describe_feature
from .history import describe_history
from .rows import describe_rows, probe, sample_rows
from .subject import Subject


def summarize(
    estimator, X=None, y=None, *, title=None, max_rows=500, sample_weight=None, budget=1.0
) -> dict:
    """Describe a fitted neuron, alone or at the end of a pipeline, for its page.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        As in `to_html`.
    X, y : table and array-like, default=None
        Rows to embed a sample of, and their targets.
    title : str, default=None
    max_rows : int, default=500
    sample_weight : array-like, default=None
        The rows' weights in the fit.
    budget : float, default=1.0
        Share of the numbers that a page may hold at most.

    Returns
    -------
    summary : dict
        Of dicts, lists, strings, numbers, booleans and None alone.
    """
    subject = Subject.of(estimator, X, y, sample_weight, budget)
    place = {int(j): i for i, j in enumerate(subject.kept)}
    chosen = sample_rows(subject, max_rows)
    rows, checks, rest = probe(subject) if chosen is None else describe_rows(subject, chosen)
    features = [
        {
            **describe_feature(column, subject.unfolded, subject.seen, place),
            "movement": float(subject.moves[i]),
        }
        for i, column in zip(subject.shown, subject.columns, strict=True)
    ]
    picture = _picture(subject)
    if picture is not None and subject.seen is not None:
        _share_range(features, subject)
    means = _means(subject)
    labels = subject.labels
    return {
        "title": words.title(subject) if title is None else str(title),
        "lead": words.lead(subject),
        **_behind_the_sum(subject),
        "target_name": words.target_name(subject),
        "labels": labels,
        "neurons": labels if len(labels) == subject.n_neurons else labels[-1:],
        "features": features,
        "inputs": _input_names(subject),
        "n_inputs": len(subject.kept),
        "coef": subject.unfolded.coef[:, subject.kept].ravel().tolist(),
        "intercept": subject.unfolded.intercept.tolist(),
        "means": means,
        "baseline": "bias"
        if subject.is_sparse or _has_zeros(features) or means is None
        else "average",
        "z_range": _z_range(subject),
        "picture": picture,
        "rest": rest,
        "rows": rows,
        "checks": checks,
        "history": describe_history(subject),
        "findings": _findings(subject),
        "weight_notes": words.weight_notes(subject),
        "notes": [*_data_notes(subject), *subject.notes],
        "facts": words.facts(subject),
    }


def _has_zeros(features: list[dict]) -> bool:
    """Whether zero is a value like others in every column, and the bias thus a row like others."""
    return all("min" in f and f["min"] <= 0 <= f["max"] for f in features)


def _behind_the_sum(subject: Subject) -> dict:
    """What the page needs to go on from z."""
    activation, task = subject.activation, subject.task
    names = [step.get("name") for step in subject.target]
    multiplies = task == "regression" and (
        (activation.name == "exp" and not names)
        or (activation.name == "identity" and names == ["exp"])
    )
    return {
        "task": task,
        "multilabel": bool(getattr(subject.neuron, "multilabel_", False)),
        "activation": {
            "name": activation.name,
            "params": activation.get_params() if task != "sum" else {},
            "range": [_finite(v) for v in activation.range],
            "flat": activation.flat,
            "responsive": [_finite(v) for v in activation.responsive],
            "marks": [
                float(v) for v in (*activation.kinks, *activation.responsive) if np.isfinite(v)
            ],
        },
        "threshold": float(subject.pair.threshold) if hasattr(subject.neuron, "classes_") else None,
        "target": subject.target,
        "multiplies": multiplies,
    }


def _input_names(subject: Subject) -> list[str]:
    """Names of the neuron's inputs in terms of the columns that feed them."""
    names = list(subject.unfolded.input_names)
    for column in subject.columns:
        own = np.setdiff1d(column.inputs, column.indicators)
        for j in column.indicators:
            names[j] = f"{column.name} is missing"
        if len(own) == 1:
            names[own[0]] = column.name
        elif column.codes is not None:
            by_input = column.codes.tocsc()
            for i, j in enumerate(column.inputs):
                levels = by_input.indices[by_input.indptr[i] : by_input.indptr[i + 1]]
                if len(levels) == 1:
                    names[j] = f"{column.name} = {column.levels[levels[0]]}"
    return [names[j] for j in subject.kept]


def _finite(value) -> float | None:
    return float(value) if np.isfinite(value) else None


def _means(subject: Subject) -> list | None:
    """The average of each input over the rows given."""
    if subject.seen is None:
        return None
    return subject.seen.means[subject.kept].tolist()


def _z_range(subject: Subject) -> list[float]:
    """Where z goes: around its middle, as far as the columns move it together."""
    middle = float(subject.unfolded.intercept[0])
    if subject.seen is not None:
        middle += float(subject.seen.means @ subject.unfolded.coef[0])
    reach = 2.5 * float(np.sqrt(np.square(subject.moves).sum())) or 1.0
    return [middle - reach, middle + reach]


def _picture(subject: Subject) -> dict | None:
    """The shape of the inputs as a picture: a square of unnamed columns, or of pixels."""
    n = len(subject.used)
    side = int(np.sqrt(n))
    if side < 5 or side * side != n or subject.n_hidden or not subject.unfolded.is_unfolded:
        return None
    if any(not c.is_number or len(c.inputs) != 1 for c in subject.columns):
        return None
    if not all(re.fullmatch(r"(x|pixel[_ ]?)\d+([_ ]\d+)?", c.name) for c in subject.columns):
        return None
    return {"rows": side, "columns": side}


def _share_range(features: list[dict], subject: Subject) -> None:
    """Let pixels run from the faintest to the strongest ink of any of them."""
    assert subject.seen is not None
    values = np.stack([subject.seen.numbers(column) for column in subject.columns])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    for feature in features:
        feature.update(min=low, max=high if high > low else low + 1)


def _findings(subject: Subject) -> list[dict] | None:
    """What a check-up finds; None without the rows that it needs."""
    if subject.seen is None:
        return None
    return [
        {
            "code": finding.code,
            "severity": finding.severity,
            "message": finding.message,
            "advice": finding.advice,
        }
        for finding in diagnose(
            subject.unfolded.estimator, subject.X, subject.y, subject.sample_weight
        )
    ]


def _data_notes(subject: Subject) -> list[str]:
    """What of the data is in the file."""
    if subject.seen is None:
        ranges = "Ranges of the sliders are those that the pipeline's scalers remember, or guesses"
        return [
            "No row of data is in this file: weights, training history, and names of columns and "
            f"levels are. {ranges}; any number can be typed in."
        ]
    return ["The rows named above, with their values, are in this file: mind whom you send it to."]
