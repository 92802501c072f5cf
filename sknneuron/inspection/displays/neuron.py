"""The neuron itself."""

from __future__ import annotations

import pandas as pd

from ..diagram import MOST_INPUTS, draw_neurons, on_axes, to_svg
from ..evidence import gather
from ..terms import neuron_numbers
from ..units import Unfolded, unfold
from .base import Display


class NeuronDisplay(Display):
    """The neuron as a diagram: inputs, weights, sum, activation, level.

    A line is as thick as its weight is strong; a negative one is red and dashed. Several neurons
    are drawn side by side.

    Parameters
    ----------
    inside : Unfolded
    scale : ndarray of shape (n_inputs,), default=None
        What weights are multiplied by before they are compared.
    neurons : list of int, default=None

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import NeuronDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> display = NeuronDisplay.from_estimator(NeuronClassifier().fit(X, y))
    >>> display.frame().shape
    (15, 3)
    """

    def __init__(self, inside: Unfolded, *, scale=None, neurons=None):
        self.inside = inside
        self.scale = scale
        self.neurons = neurons

    @classmethod
    def from_estimator(cls, estimator, X=None, *, output=None, max_features=MOST_INPUTS, ax=None):
        """Draw a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        X : array-like, default=None
            With rows, lines are as thick as weight times standard deviation, so that inputs in
            different units can be compared.
        output : int or str, default=None
            Which of several neurons; None is all.
        max_features : int or None, default=10
            The strongest are drawn, the rest are counted; None draws all.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : NeuronDisplay
        """
        inside = unfold(estimator, X)
        scale = None if X is None else gather(inside, X).deviation
        neurons = None if output is None else neuron_numbers(inside, output)
        return cls(inside, scale=scale, neurons=neurons).plot(ax=ax, max_features=max_features)

    def _diagram(self, max_features: int | None):
        return draw_neurons(self.inside, self.scale, self.neurons, max_features)

    def frame(self) -> pd.DataFrame:
        """Return neuron, feature and weight, one row per line; the bias among the features."""
        names = self.inside.neuron_names
        chosen = range(len(names)) if self.neurons is None else self.neurons
        coef = self.inside.coef if self.scale is None else self.inside.coef * self.scale
        parts = [
            pd.DataFrame(
                {
                    "neuron": names[k],
                    "feature": [*self.inside.input_names, "bias"],
                    "weight": [*coef[k], self.inside.intercept[k]],
                }
            )
            for k in chosen
        ]
        return pd.concat(parts, ignore_index=True)

    def to_svg(self, *, max_features: int | None = MOST_INPUTS) -> str:
        """Return the diagram as an SVG element; needs no matplotlib.

        Parameters
        ----------
        max_features : int or None, default=10

        Returns
        -------
        svg : str
        """
        return to_svg(self._diagram(max_features), type(self.inside.neuron).__name__)

    def plot(self, ax=None, *, max_features: int | None = MOST_INPUTS):
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.
        max_features : int or None, default=10
            The strongest inputs are drawn, the rest are counted; None draws all.

        Returns
        -------
        display : NeuronDisplay
            Itself, with `ax_` and `figure_`.
        """
        diagram = self._diagram(max_features)
        ax = self._begin(ax, (diagram.width / 80, diagram.height / 80))
        on_axes(diagram, ax)
        return self
