"""One row taken apart, from the bias to the activation."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import indexable

from ..._sklearn_compat import num_samples
from ..columns import in_memory
from ..diagram import MINUS, n_shown
from ..terms import contributions, neuron_numbers
from ..units import unfold
from .base import GREY, Display, colour_of, number, short, width

# Letters of a label, name and value together.
MOST_LETTERS = 38


class ContributionDisplay(Display):
    """A waterfall: the bias, what each feature adds, z, and the activation.

    Parameters
    ----------
    terms : DataFrame
        Columns `feature`, `value` (as text) and `contribution`, in the order in which they are
        drawn, without the bias.
    bias, activation : float
    title : str, default="One row"
    prediction : float, default=None
        In the target's own unit, where that was transformed.
    bias_name : str, default="bias"
        "baseline" where the terms are taken against one.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import ContributionDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> neuron = NeuronRegressor().fit(X[["bmi", "bp"]], y)
    >>> display = ContributionDisplay.from_estimator(neuron, X[["bmi", "bp"]], row=0)
    >>> display.frame()["feature"].tolist()
    ['bias', 'bmi', 'bp', 'z', 'activation']
    """

    def __init__(
        self,
        terms: pd.DataFrame,
        bias: float,
        activation: float,
        *,
        title: str = "One row",
        prediction: float | None = None,
        bias_name: str = "bias",
    ):
        self.terms = terms
        self.bias = bias
        self.activation = activation
        self.title = title
        self.prediction = prediction
        self.bias_name = bias_name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, row=0, output=0, baseline=None, max_features=12, ax=None
    ):
        """Draw one row's way through a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        X : DataFrame or array-like
            Rows, of which one is drawn.
        row : int, default=0
            Its position in X.
        output : int or str, default=0
            Which of several neurons.
        baseline : None, "mean" or rows, default=None
            As in :func:`contributions`.
        max_features : int or None, default=12
            The rest are drawn as one bar; None draws all.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : ContributionDisplay
        """
        inside = unfold(estimator, X)
        (X,) = indexable(in_memory(X))
        alone = _take(X, row)
        k = neuron_numbers(inside, output)[0]
        rows = X if isinstance(baseline, str) else alone
        # By name: a number could be that of another class.
        table = contributions(estimator, rows, output=inside.neuron_names[k], baseline=baseline)
        imputed = table.attrs["imputed"]
        where = row if isinstance(baseline, str) else 0
        numbers = table.iloc[where].to_numpy(dtype=float)
        names = list(table.columns[:-3])
        texts = _texts(inside, X, row, {n for n, rows in imputed.items() if where in rows})
        terms = pd.DataFrame(
            {"feature": names, "value": texts, "contribution": numbers[: len(names)]}
        )
        order = np.argsort(-terms["contribution"].abs().to_numpy(), kind="stable")
        prediction = None
        if inside.target.is_transformed:
            prediction = float(np.ravel(estimator.predict(alone))[k])
        several = len(inside.neuron_names) > 1
        display = cls(
            terms.iloc[order].reset_index(drop=True),
            float(numbers[-3]),
            float(numbers[-1]),
            title=f"Row {row}" + (f", neuron {inside.neuron_names[k]}" if several else ""),
            prediction=prediction,
            bias_name="bias" if baseline is None else "baseline",
        )
        return display.plot(ax=ax, max_features=max_features)

    @property
    def pre_activation(self) -> float:
        return self.bias + float(self.terms["contribution"].sum())

    def frame(self) -> pd.DataFrame:
        """Return bias, terms, z and activation: columns feature, value, contribution, total."""
        first = pd.DataFrame({"feature": [self.bias_name], "value": [""]})
        first["contribution"] = self.bias
        table = pd.concat([first, self.terms], ignore_index=True)
        table["total"] = table["contribution"].cumsum()
        z, level = self.pre_activation, self.activation
        last = pd.DataFrame({"feature": ["z", "activation"], "value": "", "total": [z, level]})
        return pd.concat([table, last], ignore_index=True)

    def plot(self, ax=None, *, max_features=12):
        """Draw the waterfall.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.
        max_features : int or None, default=12
            The rest are drawn as one bar; None draws all.

        Returns
        -------
        display : ContributionDisplay
            Itself, with `ax_` and `figure_`.
        """
        labels, values = self._bars(max_features)
        ax = self._begin(ax, (7.5, 1.6 + 0.32 * (len(values) + 2)))
        starts = self.bias + np.concatenate([[0.0], np.cumsum(values)])
        at = np.arange(len(values), 0, -1)
        self._draw_bars(ax, at, starts, values)
        ax.plot([self.bias] * 2, [len(values) + 1.35, len(values) - 0.35], color=GREY, lw=0.7)
        for height, x, text in (
            (len(values) + 1, self.bias, f"{self.bias_name} {number(self.bias)}"),
            (0, starts[-1], f"z = {number(starts[-1])}"),
        ):
            ax.plot(x, height, "D", color="black", markersize=6)
            ax.annotate(
                text,
                (x, height),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
            )
        ax.set_yticks([len(values) + 1, *at, 0], [self.bias_name, *labels, "weighted sum"])
        low, high = starts.min(), starts.max()
        span = width(low, high)
        ax.set_xlim(low - 0.08 * span, high + 0.4 * span)
        ax.set(xlabel="weighted sum z", title=f"{self.title}: {self._outcome()}")
        ax.grid(axis="x", alpha=0.3)
        return self

    def _bars(self, max_features: int | None):
        """Labels and values of the bars: the first features, and the rest as one."""
        terms = self.terms
        labels = [_label(*pair) for pair in zip(terms["feature"], terms["value"], strict=True)]
        values = terms["contribution"].to_numpy()
        n = n_shown(max_features, len(values))
        if n < len(values):
            rest = values[n:].sum()
            labels = [*labels[:n], f"{len(values) - n} others"]
            values = np.append(values[:n], rest)
        return labels, values

    @staticmethod
    def _draw_bars(ax, at, starts, values) -> None:
        for y, start, value in zip(at, starts, values, strict=False):
            ax.barh(
                y,
                value,
                left=start,
                color=colour_of(value),
                hatch=None if value >= 0 else "////",
                edgecolor="white",
                height=0.7,
            )
            ax.plot([start + value] * 2, [y + 0.35, y - 1.35], color=GREY, linewidth=0.7)
            ax.annotate(
                f"{'+' if value >= 0 else MINUS}{number(abs(value))}",
                (max(start, start + value), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )

    def _outcome(self) -> str:
        words = f"activation {number(self.activation)}"
        if self.prediction is not None:
            words += f", prediction {number(self.prediction)}"
        return words


def _label(feature: str, value: str) -> str:
    """A feature with its value; of a long name a part, of the value none is lost to it."""
    if not value:
        return short(feature, MOST_LETTERS)
    value = short(value, MOST_LETTERS // 2)
    return f"{short(feature, MOST_LETTERS - len(value))} = {value}"


def _take(X, row: int):
    n_rows = num_samples(X)
    if isinstance(row, bool) or not isinstance(row, Integral):
        raise TypeError(
            f"row has to be the position of a row, from 0 to {n_rows - 1}; got {row!r}. For a "
            "label of a DataFrame's index give the row alone, X.loc[[label]]."
        )
    if not 0 <= row < n_rows:
        raise ValueError(f"row={row} is not among the {n_rows} rows of X.")
    return X.iloc[[row]] if hasattr(X, "iloc") else X[row : row + 1]


def _texts(inside, X, row: int, imputed: set) -> list[str]:
    """The row's raw values as text; the value in its place, marked, where one is missing."""
    texts = []
    for column in inside.columns:
        if not len(column.inputs):
            continue
        if column.position is None:
            texts.append("")
        elif column.name in imputed:
            texts.append(f"{_text(column.imputed)} (imputed)")
        else:
            texts.append(_text(column.raw(_take(X, row))[0]))
    return texts


def _text(value) -> str:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return f"{value:,.5g}" if is_number else str(value)
