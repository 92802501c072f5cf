"""Which neuron of a layer answers to what, as a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..specialisation import specialisation
from .base import Display, short

# Neurons past which names and numbers would run into each other.
MOST_NAMED = 24


class SpecialisationDisplay(Display):
    """What the neurons of a layer answer to, and how alike their answers are.

    On the left each neuron's mean level for each class (or, with numbers, its correlation with
    them), on the right the correlation of every two neurons' levels. Neurons that answer to the
    same class stand together; dead and duplicate ones are named so.

    Parameters
    ----------
    table : DataFrame
        From :func:`specialisation`.
    title : str, default="What the neurons answer to"

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Both, where both are drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronLayer
    >>> from sknneuron.inspection import SpecialisationDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> layer = NeuronLayer(4, "tanh", random_state=0).fit(X, y)
    >>> display = SpecialisationDisplay.from_estimator(layer, X, y)
    >>> display.frame().shape[0]
    4
    """

    figsize = (9.5, 4.5)

    def __init__(self, table: pd.DataFrame, *, title: str = "What the neurons answer to"):
        self.table = table
        self.title = title

    @classmethod
    def from_estimator(cls, estimator, X, y=None, sample_weight=None, *, layer=-1, ax=None):
        """Draw the specialisation of a fitted layer.

        Parameters
        ----------
        estimator : NeuronLayer, or Pipeline with one or more
        X : array-like
        y, sample_weight : array-like, default=None
        layer : int, default=-1
            Which of several layers.
        ax : matplotlib Axes, default=None
            For the levels (without y, the correlations) alone; without it both are drawn.

        Returns
        -------
        display : SpecialisationDisplay
        """
        return cls(specialisation(estimator, X, y, sample_weight, layer=layer)).plot(ax=ax)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn: the table of :func:`specialisation`, in the picture's order."""
        return self.table.iloc[self._order()]

    def _order(self) -> np.ndarray:
        """Neurons by what they answer to, the most selective first; silent ones last."""
        table = self.table
        strength = -table.get("selectivity", table["deviation"]).fillna(-1).to_numpy()
        silent = table["deviation"].to_numpy() == 0
        if "answers_to" not in table:
            return np.lexsort((strength, silent))
        return np.lexsort((strength, [str(label) for label in table["answers_to"]], silent))

    def plot(self, ax=None):
        """Draw what the neurons answer to, and how alike.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            For the levels (without y, the correlations) alone; None draws both in a new figure.

        Returns
        -------
        display : SpecialisationDisplay
            Itself, with `ax_`, `axes_` and `figure_`.
        """
        table = self.frame()
        has_answers = "selectivity" in table
        if ax is not None or not has_answers:
            self._begin(ax)
            self.axes_ = np.array([self.ax_])
        else:
            self.ax_, right = self._two()
            self.axes_ = np.array([self.ax_, right])
        if has_answers:
            self._draw_answers(self.axes_[0], table)
        if not has_answers or len(self.axes_) == 2:
            self._draw_likeness(self.axes_[-1], table)
        if ax is None:
            self.figure_.suptitle(self.title)
        else:
            self.ax_.set_title(self.title)
        return self

    def _two(self):
        first = self._begin(None)
        first.remove()
        return self.figure_.subplots(1, 2)

    def _draw_answers(self, ax, table) -> None:
        means = [name for name in table if name.startswith("mean/")]
        if means:
            # In deviations of each neuron's own level, so that loud neurons do not hide quiet ones.
            centre, size = table["mean"].to_numpy(), table["deviation"].to_numpy()
            values = (table[means].to_numpy() - centre[:, None]) / np.where(size > 0, size, np.inf)[
                :, None
            ]
            labels, words = [short(name[5:], 12) for name in means], "mean level, in deviations"
        else:
            values, labels = table[["correlation_with_y"]].to_numpy(), ["y"]
            words = "correlation"
        bound = max(float(np.nanmax(np.abs(values), initial=0)), 1e-12)
        image = ax.imshow(values, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
        self._label(ax, labels, self._names(table))
        ax.set_xlabel("class" if means else "target")
        if values.size <= 12 * MOST_NAMED:
            for (i, j), value in np.ndenumerate(values):
                if np.isfinite(value):
                    colour = "white" if abs(value) > 0.6 * bound else "black"
                    ax.text(j, i, f"{value:+.1f}", ha="center", va="center", color=colour, size=8)
        ax.figure.colorbar(image, ax=ax, label=words)

    def _draw_likeness(self, ax, table) -> None:
        order = self._order()
        correlation = np.array(self.table.attrs["correlation"])[np.ix_(order, order)]
        image = ax.imshow(correlation, cmap="RdBu", vmin=-1, vmax=1)
        names = [short(name, 10) for name in table.index]
        self._label(ax, names, names if "selectivity" in table else self._names(table))
        ax.set_xlabel("correlation of every two neurons' levels")
        ax.figure.colorbar(image, ax=ax)

    @staticmethod
    def _names(table) -> list[str]:
        return [
            short(f"{name} ({state})" if state else name, 24)
            for name, state in zip(table.index, table["state"], strict=True)
        ]

    @staticmethod
    def _label(ax, below, beside) -> None:
        every = max(1, -(-len(beside) // MOST_NAMED))
        ax.set_yticks(range(0, len(beside), every), beside[::every])
        every = max(1, -(-len(below) // MOST_NAMED))
        rotation = 90 if len(below) > 6 and max(map(len, below)) > 2 else 0
        ax.set_xticks(range(0, len(below), every), below[::every], rotation=rotation)
