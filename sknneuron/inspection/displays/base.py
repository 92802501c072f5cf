"""What the displays share: axes, colours, labels that stay apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..diagram import NEGATIVE, POSITIVE, clipped

GREY = "#9a9a9a"
SHADE = "#f0f0f0"
MOST_LETTERS = 32


class Display:
    """Base of the displays: data in, ``plot`` draws, ``frame`` gives the data back.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    figsize: tuple[float, float] = (7.0, 4.5)

    def _begin(self, ax, figsize=None):
        """Return the axes to draw on, and remember them and their figure."""
        self.ax_ = new_axes(ax, figsize or self.figsize)
        self.figure_ = self.ax_.figure
        return self.ax_

    def frame(self) -> pd.DataFrame:
        """Return what is drawn, as a table."""
        raise NotImplementedError

    def plot(self, ax=None):
        """Draw, on new axes if none are given."""
        raise NotImplementedError


def new_axes(ax, figsize):
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(
            "Plots need matplotlib: pip install 'sknneuron[plot]'. The data of a display is in its "
            "frame() without it."
        ) from None
    return plt.subplots(figsize=figsize, layout="constrained")[1]


def short(name: object, most: int = MOST_LETTERS) -> str:
    """A name that fits a label; dollar signs are no mathematics."""
    # A tab or a new line in a name has no picture, or spreads into the next label.
    text = " ".join(str(name).split())
    return clipped(text, most).replace("$", r"\$")


def colour_of(value: float) -> str:
    return POSITIVE if value >= 0 else NEGATIVE


def number(value: float) -> str:
    """A number in few letters."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"


def apart(positions, gap: float) -> np.ndarray:
    """Move positions as little as it takes for neighbours to be `gap` apart."""
    positions = np.asarray(positions, dtype=float)
    order = np.argsort(positions, kind="stable")
    # Pool neighbours that would touch, and centre each pool on the mean of its members.
    pools: list[list[float]] = []
    for value in positions[order]:
        pools.append([value, 1.0])
        while (
            len(pools) > 1 and pools[-1][0] - pools[-2][0] < gap * (pools[-1][1] + pools[-2][1]) / 2
        ):
            value_, n = pools.pop()
            pools[-1][0] = (pools[-1][0] * pools[-1][1] + value_ * n) / (pools[-1][1] + n)
            pools[-1][1] += n
    moved = np.concatenate(
        [center + gap * (np.arange(n) - (n - 1) / 2) for center, n in pools] or [np.zeros(0)]
    )
    result = np.empty_like(positions)
    result[order] = moved
    return result


def width(low: float, high: float) -> float:
    """How far an axis reaches that holds both; where they are all but the same, about as far."""
    size = max(abs(low), abs(high))
    return high - low if high - low > 1e-9 * size else size or 1.0


def shade_subsample(ax, history: pd.DataFrame) -> None:
    """Shade the iterates of a warm start on a part of the rows."""
    part = history["n_rows"] < history["n_rows"].iloc[-1]
    if part.any():
        iteration = history["iteration"]
        ax.axvspan(
            iteration[part].min() - 0.5,
            iteration[part].max() + 0.5,
            color=SHADE,
            zorder=0,
            label=f"on {int(history['n_rows'][part].iloc[0])} of "
            f"{int(history['n_rows'].iloc[-1])} rows",
        )


def whole_numbers(ax) -> None:
    """Iterations have no fractions, and one alone lies between its neighbours."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_xlim()
    if high - low < 1:
        middle = round((low + high) / 2)
        ax.set_xlim(middle - 1, middle + 1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
