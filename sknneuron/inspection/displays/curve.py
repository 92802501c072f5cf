"""The training curve."""

from __future__ import annotations

import pandas as pd

from ..history import training_history
from ..units import unfold
from .base import NEGATIVE, POSITIVE, Display, shade_subsample, whole_numbers


class TrainingCurveDisplay(Display):
    """Loss, objective and validation loss over the iterations.

    Parameters
    ----------
    history : DataFrame
        As :func:`training_history` returns it.
    name : str, default="neuron"

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import TrainingCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = TrainingCurveDisplay.from_estimator(NeuronClassifier().fit(X, y))
    >>> list(display.frame())
    ['iteration', 'n_rows', 'loss', 'objective']
    """

    def __init__(self, history: pd.DataFrame, *, name: str = "neuron"):
        self.history = history
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log_scale=False):
        """Draw the training curve of a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        ax : matplotlib Axes, default=None
            None makes a new figure.
        log_scale : bool, default=False
            Whether the axis of the losses is logarithmic.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        name = type(unfold(estimator).neuron).__name__
        return cls(training_history(estimator), name=name).plot(ax=ax, log_scale=log_scale)

    def frame(self) -> pd.DataFrame:
        """Return iteration, n_rows, loss, objective and, if recorded, validation_loss."""
        names = ["iteration", "n_rows", "loss", "objective", "validation_loss"]
        return self.history[[name for name in names if name in self.history]]

    def plot(self, ax=None, *, log_scale=False):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.
        log_scale : bool, default=False
            Whether the axis of the losses is logarithmic.

        Returns
        -------
        display : TrainingCurveDisplay
            Itself, with `ax_` and `figure_`.
        """
        ax = self._begin(ax)
        data = self.frame()
        shade_subsample(ax, data)
        marker = "o" if len(data) < 40 else None
        style = {"marker": marker, "markersize": 3.5}
        ax.plot(data["iteration"], data["loss"], color=POSITIVE, label="loss", **style)
        if (data["objective"] - data["loss"]).abs().max() > 1e-3 * data["loss"].abs().max():
            ax.plot(
                data["iteration"],
                data["objective"],
                color=POSITIVE,
                linestyle=":",
                label="loss + penalty",
            )
        if "validation_loss" in data:
            ax.plot(
                data["iteration"],
                data["validation_loss"],
                color=NEGATIVE,
                linestyle="--",
                label="validation loss",
                **style,
            )
        if log_scale:
            ax.set_yscale("log")
        ax.set(xlabel="iteration", ylabel="mean loss per row", title=f"Training of {self.name}")
        whole_numbers(ax)
        ax.grid(alpha=0.3)
        ax.legend()
        return self
