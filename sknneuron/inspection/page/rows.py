"""The sample of rows on the page, and Python's own predictions to hold the page against."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn import config_context

from ..._odd import first_odd, shortened
from ..._sklearn_compat import safe_indexing
from ..columns import host_targets, to_numpy
from .features import Seen, as_list, dense
from .subject import Subject

# Numbers that the sample may take.
MAX_CELLS = 120_000
N_PROBES = 24
SNIPPET = 60


def sample_rows(subject: Subject, max_rows: int) -> np.ndarray | None:
    """Return the positions of the rows to embed, None without X."""
    if subject.X is None:
        return None
    per_row = len(subject.columns) + 2 * subject.n_neurons
    n = min(max_rows, subject.n_rows, max(int(MAX_CELLS * subject.budget) // per_row, 1))
    if n == subject.n_rows:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(subject.n_rows, n, replace=False))


def describe_rows(subject: Subject, chosen: np.ndarray) -> tuple[dict, dict, dict | None]:
    """Return the rows, Python's predictions of them, and what the columns not shown add.

    Parameters
    ----------
    subject : Subject
    chosen : ndarray of int
        Positions of the rows.

    Returns
    -------
    rows, checks : dict
    rest : dict or None
    """
    X = safe_indexing(subject.X, chosen)
    seen = Seen(X, subject.unfolded.inputs(X))
    columns = []
    for column in subject.columns:
        if column.is_number:
            columns.append(as_list(seen.numbers(column)))
        else:
            levels = seen.levels(column).astype(float)
            columns.append(as_list(np.where(levels == -2, np.nan, levels)))
    z = subject.unfolded.intercept + seen.inputs @ subject.unfolded.coef.T
    n_rows = len(chosen)
    middle = int(np.argsort(z[:, 0], kind="stable")[n_rows // 2])
    rows = {
        "n": n_rows,
        "columns": columns,
        "y": _targets(subject, chosen),
        "names": _row_names(X, chosen),
        "start": middle,
        "words": _sample_words(subject, n_rows),
    }
    values = _predictions(subject, X)
    checks = {
        "n": n_rows,
        "inputs": None,
        "values": as_list(values.ravel()),
        "words": _check_words(subject, n_rows, X),
    }
    return rows, checks, _rest(subject, seen, z)


def probe(subject: Subject) -> tuple[None, dict, dict | None]:
    """Return checks on made-up inputs, for a page without rows."""
    n_inputs = subject.unfolded.coef.shape[1]
    inputs = np.zeros((N_PROBES, n_inputs))
    inputs[:, subject.kept] = np.random.default_rng(0).normal(size=(N_PROBES, len(subject.kept)))
    values = _levels(subject, inputs)
    if subject.follows_target:
        values = np.asarray(subject.unfolded.target.inverse(values)).reshape(len(values), -1)
    checks = {
        "n": N_PROBES,
        "inputs": as_list(inputs[:, subject.kept].ravel()),
        "values": as_list(values.ravel()),
        "words": f"Computed here from what Python predicted for {N_PROBES} made-up inputs of the "
        "neuron.",
    }
    start = [0.0] * subject.n_neurons
    rest = {"count": subject.n_hidden, "start": start, "words": _hidden_words(subject)}
    return None, checks, rest if subject.n_hidden else None


def _predictions(subject: Subject, X) -> np.ndarray:
    """What Python says of X, as far as the page can follow: (n_rows, n_outputs)."""
    estimator = subject.unfolded.estimator
    if not subject.follows_target and estimator is not subject.neuron:
        return _levels(subject, subject.unfolded.inputs(X))
    values = to_numpy(getattr(estimator, _method(subject))(X))
    return values.reshape(len(values), -1)


def _levels(subject: Subject, inputs) -> np.ndarray:
    """What the neuron says of inputs in memory, wherever its weights are: (n_rows, n_outputs)."""
    names = getattr(subject.neuron, "feature_names_in_", None)
    X = inputs if names is None else pd.DataFrame(dense(inputs), columns=names)
    with config_context(array_api_dispatch=False):
        values = getattr(subject.neuron, _method(subject))(X)
    return np.asarray(values, dtype=float).reshape(len(values), -1)


def _method(subject: Subject) -> str:
    """Which method of the estimator says what the page shows."""
    return {
        "regression": "transform" if subject.is_layer else "predict",
        "margin": "decision_function",
        "sum": "pre_activation",
    }.get(subject.task, "predict_proba")


def _targets(subject: Subject, chosen: np.ndarray) -> list | None:
    # Targets are those of the output neurons; hidden ones have none.
    if subject.y is None or subject.is_layer:
        return None
    y = host_targets(safe_indexing(subject.y, chosen))
    neuron = subject.neuron
    if not hasattr(neuron, "classes_"):
        if y.dtype.kind not in "biuf" and (odd := first_odd(y.ravel())):
            raise ValueError(
                f"y holds {shortened(odd[1])}, which is no number, and this is a regressor: give "
                "the targets that it was fitted on."
            )
        return as_list(np.asarray(y, dtype=float).ravel())
    if neuron.multilabel_:
        return np.asarray(y, dtype=int).ravel().tolist()
    code = {label: k for k, label in enumerate(neuron.classes_.tolist())}
    return [code.get(label, -1) for label in y.ravel().tolist()]


def _rest(subject: Subject, seen: Seen, z: np.ndarray) -> dict | None:
    """What the columns that the page lacks add to each row's z."""
    if not subject.n_hidden:
        return None
    assert subject.seen is not None
    kept, coef = subject.kept, subject.unfolded.coef
    hidden = np.setdiff1d(np.arange(coef.shape[1]), kept)
    rest = z - subject.unfolded.intercept - seen.inputs[:, kept] @ coef[:, kept].T
    return {
        "count": subject.n_hidden,
        "rows": as_list(rest.ravel()),
        "start": (coef[:, hidden] @ subject.seen.means[hidden]).tolist(),
        "words": _hidden_words(subject),
    }


def _hidden_words(subject: Subject) -> str:
    over = " over the rows given" if subject.seen is not None else ""
    kept = (
        "stay as they are in the row, and what they add to z together is counted"
        if subject.seen is not None
        else "are taken as zero"
    )
    return (
        f"The neuron has {len(subject.used):,} features. This page shows {len(subject.columns)} of "
        f"them: those that move z most{over}, and those with the largest weights. The other "
        f"{subject.n_hidden:,} {kept}. On the way through the training they keep their fitted "
        "weights."
    )


def _sample_words(subject: Subject, n_rows: int) -> str:
    if n_rows == subject.n_rows:
        return f"All {n_rows:,} rows given are in this file. Click a bar, or a row, to load it."
    return (
        f"A random sample of {n_rows:,} of the {subject.n_rows:,} rows given is in this file. "
        "Click a bar, or a row, to load it."
    )


def _check_words(subject: Subject, n_rows: int, X) -> str:
    words = (
        f"Computed here from Python's own {_method(subject)} for the {n_rows:,} rows in this file."
    )
    if str(getattr(X, "dtype", "")).endswith("float32"):
        words += " X is float32, and Python computes in it; the page computes in double precision."
    return words


def _row_names(X, chosen: np.ndarray) -> list[str]:
    """How each row is called: its number, and its text or label where it has one."""
    names = [f"row {position:,}" for position in chosen]
    if isinstance(X, (list, pd.Series)) and all(isinstance(text, str) for text in X):
        labels = [text[:SNIPPET] for text in X]
    elif isinstance(X, pd.DataFrame) and not np.array_equal(X.index, chosen):
        if X.index.dtype.kind in "iuf":  # a number beside a number
            return [f"{name} (index {i})" for name, i in zip(names, X.index, strict=True)]
        labels = [str(label) for label in X.index]
    else:
        return names
    return [f"{name}: {label}" for name, label in zip(names, labels, strict=True)]
