"""The weights over the iterations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..columns import to_numpy
from ..diagram import n_shown
from ..evidence import gather
from ..history import training_history
from ..terms import neuron_numbers
from ..units import unfold
from .base import GREY, Display, apart, shade_subsample, short, whole_numbers

# Grey paths past which no more can be told apart, and drawing takes seconds.
MOST_GREY = 200


class WeightPathDisplay(Display):
    """How each weight moved during the training; the strongest are named, others are grey.

    Of thousands some are drawn, from the strongest to the weakest; the legend says how many.

    Parameters
    ----------
    history : DataFrame
        Columns `iteration`, `n_rows`, and one per weight.
    unit : str, default="weight"
        What the weights are counted in.
    title : str, default="Weights during training"

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import WeightPathDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> display = WeightPathDisplay.from_estimator(NeuronClassifier().fit(X, y), output="2")
    >>> display.frame().columns[-1]
    'petal width (cm)'
    """

    def __init__(
        self,
        history: pd.DataFrame,
        *,
        unit: str = "weight",
        title: str = "Weights during training",
    ):
        self.history = history
        self.unit = unit
        self.title = title

    @classmethod
    def from_estimator(cls, estimator, X=None, *, output=0, max_features=8, ax=None):
        """Draw the weight paths of a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        X : array-like, default=None
            With rows, weights are per standard deviation of each input, so that they can be drawn
            on one scale.
        output : int or str, default=0
            Which of several neurons.
        max_features : int or None, default=8
            How many weights are named; None is all.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : WeightPathDisplay
        """
        inside = unfold(estimator, X)
        k = neuron_numbers(inside, output)[0]
        table = training_history(estimator)
        history = inside.neuron.history_
        if "coef" not in history:
            raise ValueError(
                f"This fit kept no weights (record={inside.neuron.record!r}): use record='auto'."
            )
        scale, unit = np.ones(inside.coef.shape[1]), "weight (z per unit of the input)"
        if X is not None:
            scale = gather(inside, X).deviation
            unit = "weight (z per standard deviation)"
        weights = pd.DataFrame(
            to_numpy(history["coef"][:, k]) * scale, columns=list(inside.plain_names)
        )
        several = len(inside.neuron_names) > 1
        title = f"Weights of {inside.neuron_names[k]}" if several else "Weights during training"
        display = cls(
            pd.concat([table[["iteration", "n_rows"]], weights], axis=1), unit=unit, title=title
        )
        return display.plot(ax=ax, max_features=max_features)

    def frame(self) -> pd.DataFrame:
        """Return iteration, n_rows, and one column per weight."""
        return self.history

    def plot(self, ax=None, *, max_features=8):
        """Draw the paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.
        max_features : int or None, default=8
            How many weights are named; None is all.

        Returns
        -------
        display : WeightPathDisplay
            Itself, with `ax_` and `figure_`.
        """
        ax = self._begin(ax)
        iteration = self.history["iteration"].to_numpy()
        weights = self.history.iloc[:, 2:]
        paths = weights.to_numpy()
        strength = np.nan_to_num(np.abs(paths[-1]))
        named, rest = np.split(
            np.argsort(-strength, kind="stable"), [n_shown(max_features, len(strength))]
        )
        shade_subsample(ax, self.history)
        if len(rest):
            grey = rest[:: -(-len(rest) // MOST_GREY)]
            lines = ax.plot(iteration, paths[:, grey], color=GREY, linewidth=0.6, alpha=0.5)
            drawn = "" if len(grey) == len(rest) else f", of which {len(grey)} are drawn"
            lines[0].set_label(f"{len(rest):,} more{drawn}")
        styles = ["-", "--", "-.", ":"]
        for i, j in enumerate(named):
            # Ten colours, and dashes past them.
            ax.plot(iteration, paths[:, j], color=f"C{i % 10}", linestyle=styles[i // 10 % 4])
        ax.axhline(0, color="black", linewidth=0.8)
        self._name_ends(ax, named, paths, weights.columns)
        ax.set(xlabel="iteration", ylabel=self.unit, title=self.title)
        whole_numbers(ax)
        ax.grid(alpha=0.3)
        if len(rest) or (self.history["n_rows"] < self.history["n_rows"].iloc[-1]).any():
            ax.legend(loc="upper left")
        return self

    @staticmethod
    def _name_ends(ax, named, paths, names) -> None:
        """Write each name at the end of its path, apart from its neighbours."""
        low, high = ax.get_ylim()
        ends = apart(paths[-1, named], (high - low) / 22)
        for i, j in enumerate(named):
            ax.annotate(
                short(names[j]),
                xy=(1, paths[-1, j]),
                xycoords=("axes fraction", "data"),
                xytext=(1.03, ends[i]),
                textcoords=("axes fraction", "data"),
                color=f"C{i % 10}",
                va="center",
                fontsize="small",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": f"C{i % 10}", "linewidth": 0.6},
            )
