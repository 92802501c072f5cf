"""The activation curve, with the rows under it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from ...activations import Sigmoid
from ..evidence import gather, pair_of
from ..terms import neuron_numbers
from ..units import unfold
from .base import NEGATIVE, POSITIVE, SHADE, Display, width

MOST_POINTS = 2000


class ActivationDisplay(Display):
    """The activation curve, where the rows lie on it, and where it is dead or saturated.

    Parameters
    ----------
    activation : Activation
    z : ndarray of shape (n_samples,)
    y : ndarray of shape (n_samples,), default=None
        Targets in the unit of the level.
    threshold : float, default=None
        The z at which a classifier decides.
    title : str, default=""
    xlabel : str, default="weighted sum z"
        What `z` is.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import ActivationDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NeuronClassifier(alpha=1e-2)).fit(X, y)
    >>> display = ActivationDisplay.from_estimator(model, X, y)
    >>> list(display.frame())
    ['z', 'level', 'is_flat', 'y']
    """

    def __init__(self, activation, z, *, y=None, threshold=None, title="", xlabel="weighted sum z"):
        self.activation = activation
        self.z = z
        self.y = y
        self.threshold = threshold
        self.title = title
        self.xlabel = xlabel

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, output=0, ax=None):
        """Draw the activation of a fitted neuron, alone or at the end of a pipeline.

        Parameters
        ----------
        estimator : neuron, Pipeline or TransformedTargetRegressor
        X : array-like
        y : array-like, default=None
        output : int or str, default=0
            Which of several neurons. A softmax neuron is drawn as a sigmoid of its lead over the
            others, which it is.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : ActivationDisplay
        """
        inside = unfold(estimator, X)
        k = neuron_numbers(inside, output)[0]
        pair = pair_of(inside.neuron)
        evidence = gather(inside, X, y)
        z, target = evidence.z[:, k], evidence.y
        activation, threshold, xlabel = pair.activation, None, "weighted sum z"
        if pair.coupled:
            z = z - logsumexp(np.delete(evidence.z, k, axis=1), axis=1)
            activation, threshold, xlabel = Sigmoid(), 0.0, "lead of z over the other classes"
            target = None if target is None else (target == k).astype(float)
        elif target is not None:
            target = target[:, k]
        if hasattr(inside.neuron, "classes_"):
            threshold = pair.threshold
            if target is not None and not pair.coupled and not pair.loss.margin:
                low, high = activation.range
                target = low + (high - low) * target
        several = len(inside.neuron_names) > 1
        title = f"{pair.activation.name} of " + (
            inside.neuron_names[k] if several else type(inside.neuron).__name__
        )
        display = cls(activation, z, y=target, threshold=threshold, title=title, xlabel=xlabel)
        return display.plot(ax=ax)

    def frame(self) -> pd.DataFrame:
        """Return z, level, is_flat and, if given, y of each row."""
        table = pd.DataFrame(
            {
                "z": self.z,
                "level": self.activation(self.z),
                "is_flat": self.activation.is_flat(self.z),
            }
        )
        if self.y is not None:
            table["y"] = self.y
        return table

    def plot(self, ax=None):
        """Draw the curve and the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : ActivationDisplay
            Itself, with `ax_` and `figure_`.
        """
        ax = self._begin(ax)
        data = self.frame()
        grid = self._grid(data["z"])
        ax.plot(grid, self.activation(grid), color="black", linewidth=2, label="activation")
        self._shade(ax, grid)
        shown = data.iloc[:: -(-len(data) // MOST_POINTS)]
        if "y" in data:
            ax.plot(shown["z"], shown["y"], "x", color=NEGATIVE, alpha=0.4, ms=4, label="target")
        ax.plot(shown["z"], shown["level"], "o", color=POSITIVE, alpha=0.35, ms=4, label="row")
        if self.threshold is not None:
            ax.axvline(self.threshold, color="black", linewidth=0.8, linestyle="--")
        self._histogram(ax, data["z"])
        flat = data["is_flat"].mean()
        title = self.title
        if self.activation.flat:
            title += f"\n{flat:.0%} of {len(data)} rows {self.activation.flat}"
        ax.set(xlabel=self.xlabel, ylabel="level a = f(z)", title=title)
        ax.legend(loc="upper left", framealpha=0.9)
        return self

    def _grid(self, z):
        low, high = float(z.min()), float(z.max())
        # The part of the curve that bends belongs into the picture even without rows.
        if self.activation.flat or self.activation.kinks:
            bend_low, bend_high = self.activation.responsive
            low = min(low, max(bend_low, -6.0) if np.isfinite(bend_low) else -1.0)
            high = max(high, min(bend_high, 6.0) if np.isfinite(bend_high) else 1.0)
        margin = 0.05 * width(low, high)
        return np.linspace(low - margin, high + margin, 400)

    def _shade(self, ax, grid) -> None:
        """Shade where the derivative has all but vanished."""
        if self.activation.flat is None:
            return
        low, high = self.activation.responsive
        label = self.activation.flat
        for start, stop in ((grid[0], low), (high, grid[-1])):
            if np.isfinite(start) and np.isfinite(stop) and start < stop:
                ax.axvspan(start, stop, color=SHADE, zorder=0, label=label)
                label = "_"
        ax.set_xlim(grid[0], grid[-1])

    @staticmethod
    def _histogram(ax, z) -> None:
        """A histogram of z along the bottom, a fifth of the height."""
        least, most = float(z.min()), float(z.max())
        if (reach := width(least, most)) > most - least:
            # All but the same: one bar.
            counts, edges = (
                np.array([len(z)]),
                np.array([least, most]) + 0.02 * reach * np.array([-1, 1]),
            )
        else:
            counts, edges = np.histogram(z, bins="auto" if len(z) < 10_000 else 60)
        low, high = ax.get_ylim()
        floor = low - 0.22 * (high - low)
        ax.bar(
            edges[:-1],
            0.18 * (high - low) * counts / max(counts.max(), 1),
            width=np.diff(edges),
            bottom=floor,
            align="edge",
            color=POSITIVE,
            alpha=0.35,
        )
        # The histogram has no levels: ticks below the curve would say it has.
        ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
        ax.set_ylim(floor, high)
