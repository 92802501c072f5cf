"""From a summary to one HTML file that needs nothing else and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ..._version import __version__
from .summary import summarize

# In the order in which they build on one another.
SCRIPTS = (
    "maths",
    "model",
    "dom",
    "page",
    "controls",
    "diagram",
    "waterfall",
    "activation",
    "slice",
    "training",
    "rows",
    "weights",
    "neurons",
    "checks",
    "main",
)
MAX_BYTES = 3_000_000
MAX_NAME = 2000
# What is tried until a page is small enough: a share of the numbers, and letters of a name.
SIZES = ((1.0, MAX_NAME), (1.0, 200), (1.0, 60), (0.3, 60), (0.1, 60), (0.03, 40), (0.01, 20))
# Lists of numbers longer than this travel as base64.
SHORT = 24
DTYPES = {"u1": np.uint8, "i2": np.int16, "i4": np.int32, "f4": np.float32, "f8": np.float64}


class Page(str):
    """The text of a page, which a terminal names and a notebook shows."""

    def __repr__(self) -> str:
        return f"<neuron page, {len(self.encode()) / 1000:.0f} kB>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self)}" sandbox="allow-scripts" title="A neuron" '
            'style="width: 100%; height: 900px; border: 0"></iframe>'
        )


def to_html(
    estimator,
    X=None,
    y=None,
    path=None,
    *,
    title: str | None = None,
    max_rows: int = 500,
    sample_weight=None,
) -> str:
    """Write a fitted neuron as a page in which it can be played with.

    One HTML file that works without a network: controls for the features in their own units, the
    neuron drawn, its activation curve, how z comes about, the training step by step, the weights to
    edit, and a check-up. The page computes as Python does, and says by how much the two differ.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        A fitted neuron, a Pipeline that ends in one, a TransformedTargetRegressor around either, or
        a fitted search over them.
    X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Rows such as the estimator takes. A sample of them is **embedded in the file**, and gives
        ranges and averages. Without X no row is in the file.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Their targets, embedded as well.
    path : str or Path, default=None
        Where to write the page.
    title : str, default=None
        Heading of the page.
    max_rows : int, default=500
        Rows to embed at most, chosen at random (always the same ones). Fewer where there are very
        many columns: a page never grows past 3 MB.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights that the neuron was fitted with on these rows, for the check-up.

    Returns
    -------
    page : str
        The whole file. At the end of a notebook's cell it shows as the page itself.

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`, or X is no table.
    NotFittedError
        If it is not fitted.
    ValueError
        For `max_rows` below 1, X without rows, X and y of different lengths, or more than 5,000
        neurons.

    Notes
    -----
    Of more than about a thousand columns the page shows those that move z most and those with the
    largest weights, and counts in what the others add. A Content-Security-Policy in the file admits
    its own script and style alone; it works in a sandboxed iframe, without storage.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import to_html
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> page = to_html(NeuronClassifier().fit(X, y), X, y, title="Iris")
    >>> page[:15]
    '<!doctype html>'
    >>> page  # doctest: +ELLIPSIS
    <neuron page, ... kB>
    """
    if isinstance(max_rows, bool) or not isinstance(max_rows, (int, np.integer)) or max_rows < 1:
        raise ValueError(f"max_rows must be an integer >= 1. Got {max_rows!r} instead.")
    if isinstance(X, (str, PathLike)):
        raise TypeError(f"X must be rows; got {X!r}. Where to write the page is path={X!r}.")
    spent = None
    for budget, longest in SIZES:
        if budget != spent:
            summary = summarize(
                estimator,
                X,
                y,
                title=title,
                max_rows=max_rows,
                sample_weight=sample_weight,
                budget=budget,
            )
            spent = budget
        page = render(summary, longest)
        if len(page.encode()) <= MAX_BYTES:
            break
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return Page(page)


def render(summary: dict, longest: int = MAX_NAME) -> str:
    """Return the page of a summary.

    Parameters
    ----------
    summary : dict
        As from `summarize`.
    longest : int
        Letters to which every string is cut.
    """
    style, script = _text("style.css"), script_text()
    return Template(_text("template.html")).substitute(
        title=html.escape(_cut(summary["title"], longest)),
        lead=html.escape(_cut(summary["lead"], longest)),
        version=__version__,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=_json(summary, longest),
    )


@cache
def script_text() -> str:
    """Return the page's whole script."""
    parts = [_text(f"script/{name}.js") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(summary: dict, longest: int) -> str:
    """The summary as JSON that can stand inside a script element."""
    text = json.dumps(
        _packed(summary, longest), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    # Neither "</script" nor "<!--" may appear; the escapes mean the same to a JSON parser.
    escapes: dict[str, str | int | None] = {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
    return text.translate(str.maketrans(escapes))


def _packed(value: Any, longest: int) -> Any:
    """Numbers in long lists as base64 of the smallest type that holds them exactly."""
    if isinstance(value, dict):
        return {key: _packed(inner, longest) for key, inner in value.items()}
    if isinstance(value, str):
        return _cut(value, longest)
    if not isinstance(value, list):
        return value
    if not _is_numbers(value):
        return [_packed(inner, longest) for inner in value]
    if len(value) < SHORT and None not in value:
        return value
    array = np.array(value, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        name = next(
            name
            for name, dtype in DTYPES.items()
            if np.array_equal(
                array.astype(dtype).astype(np.float64), array, equal_nan=name[0] == "f"
            )
        )
    packed = array.astype(np.dtype(DTYPES[name]).newbyteorder("<"))
    return {"type": name, "packed": base64.b64encode(packed.tobytes()).decode()}


def _is_numbers(values: Sequence) -> bool:
    return bool(values) and all(
        v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values
    )


def _cut(text: str, longest: int) -> str:
    """A string of at most so many letters, without lone surrogates, which UTF-8 cannot hold."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= longest else text[: longest - 1] + "…"
