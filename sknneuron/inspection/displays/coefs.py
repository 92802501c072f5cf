"""Weights with their intervals."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from ..diagram import n_shown
from ..terms import neuron_numbers
from ..units import Unfolded, unfold
from ..weights import coef_table
from .base import GREY, Display, colour_of, short

UNITS = {
    "raw": "weight (z per unit of the neuron's input)",
    "std": "weight (z per standard deviation)",
    "original": "weight (z per unit or level of the column)",
}
# Letters in a line of the remark.
REMARK_WIDTH = 90


class CoefDisplay(Display):
    """Weights with confidence intervals, the strongest on top.

    Parameters
    ----------
    table : DataFrame
        As :func:`coef_table` returns it.
    level : float, default=0.95
    unit : str, default="weight"

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import CoefDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> neuron = NeuronRegressor(alpha=0).fit(X[["bmi", "bp", "age"]], y)
    >>> display = CoefDisplay.from_estimator(neuron, X[["bmi", "bp", "age"]], y)
    >>> display.frame()["feature"].tolist()
    ['bmi', 'bp', 'age']
    """

    def __init__(self, table: pd.DataFrame, *, level: float = 0.95, unit: str = "weight"):
        self.table = table
        self.level = level
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        y=None,
        sample_weight=None,
        *,
        scale=None,
        level=0.95,
        output=None,
        max_features=20,
        ax=None,
        **kwargs,
    ):
        """Draw the weights of a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        X, y, sample_weight : array-like, default=None
            The rows that it was fitted on; without them there are no intervals.
        scale : {"raw", "std", "original"}, default=None
            As in :func:`coef_table`; None is "std" with X, "raw" without.
        level : float, default=0.95
        output : int or str, default=None
            Which of several neurons, or its name in the table; None is the first there. Of a
            softmax layer the class that is held against the reference.
        max_features : int or None, default=20
            How many are drawn; None is all.
        ax : matplotlib Axes, default=None
        **kwargs
            For :func:`coef_table`.

        Returns
        -------
        display : CoefDisplay
        """
        scale = scale or ("raw" if X is None else "std")
        table = coef_table(estimator, X, y, sample_weight, scale=scale, level=level, **kwargs)
        unit = UNITS[scale]
        if "neuron" in table:
            names = list(table["neuron"].unique())
            chosen = names[0] if output is None else _name_of(output, names, unfold(estimator, X))
            table = table[table["neuron"] == chosen]
            unit = f"{unit}, {chosen}"
        elif output is not None:
            neuron_numbers(unfold(estimator, X), output)  # refuses one that is not there
        return cls(table, level=level, unit=unit).plot(ax=ax, max_features=max_features)

    def frame(self) -> pd.DataFrame:
        """Return the rows of the table, the strongest weight first, without the bias."""
        rows = self.table[self.table["feature"] != "bias"]
        order = np.argsort(-rows["weight"].abs().to_numpy(), kind="stable")
        return rows.iloc[order].reset_index(drop=True)

    def plot(self, ax=None, *, max_features=20):
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.
        max_features : int or None, default=20
            How many are drawn; None is all.

        Returns
        -------
        display : CoefDisplay
            Itself, with `ax_` and `figure_`.
        """
        everything = self.frame()
        rows = everything[: n_shown(max_features, len(everything))]
        ax = self._begin(ax, (7.0, 1.2 + 0.28 * len(rows)))
        at = np.arange(len(rows))[::-1]
        weight = rows["weight"].to_numpy()
        for y, w, low, high in zip(at, weight, rows["ci_low"], rows["ci_high"], strict=True):
            unsure = not (low > 0 or high < 0) if np.isfinite(low) else False
            ax.plot([low, high], [y, y], color=colour_of(w), linewidth=2, alpha=0.6)
            ax.plot(
                w, y, "o" if w >= 0 else "s", color=colour_of(w), mfc="white" if unsure else None
            )
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(at, [short(name) for name in rows["feature"]])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        has_intervals = rows["ci_low"].notna().any()
        title = f"Weights with {self.level:.0%} intervals" if has_intervals else "Weights"
        if len(rows) < len(everything):
            title += f", the strongest {len(rows)} of {len(everything)}"
        ax.set(xlabel=self.unit, title=title)
        remark = "hollow: the interval holds 0"
        if not has_intervals:
            remark = f"no intervals: {self.table.attrs.get('reason', '')}"
        if has_intervals or self.table.attrs.get("reason"):
            ax.annotate(
                textwrap.fill(short(remark, 3 * REMARK_WIDTH), REMARK_WIDTH),
                (1, -0.01),
                xycoords="axes fraction",
                ha="right",
                va="top",
                xytext=(0, -40),  # below the label of the axis
                textcoords="offset points",
                fontsize="x-small",
                color=GREY,
            )
        ax.grid(axis="x", alpha=0.3)
        ax.ticklabel_format(axis="x", useOffset=False)
        return self


def _name_of(output, names: list[str], inside: Unfolded) -> str:
    """What the table calls the neuron that `output` asks for, or its class beside the reference."""
    if output in names:
        return output
    name = inside.neuron_names[neuron_numbers(inside, output)[0]]
    beside = [f"{name} - {other}" for other in inside.neuron_names]
    found = [n for n in (name, *beside) if n in names]
    if not found:
        raise ValueError(
            f"output={output!r} is the class that the others are held against. Give another of "
            f"{list(inside.neuron_names[:20])}, or another reference=."
        )
    return found[0]
