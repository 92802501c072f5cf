"""The picture of a neuron as plain shapes: laid out once, painted as SVG or by matplotlib."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from html import escape
from itertools import accumulate
from numbers import Integral
from unicodedata import east_asian_width

import numpy as np

from .evidence import pair_of
from .units import Unfolded

# Blue and red tell apart for nearly everyone; negative is dashed or hatched besides.
POSITIVE = "#2166ac"
NEGATIVE = "#d6604d"
MINUS = "\N{MINUS SIGN}"
ROW = 26.0
# Inputs and neurons drawn one by one; the rest are counted.
MOST_INPUTS = 10
MOST_NEURONS = 10
MOST_LETTERS = 26
# Width of a letter at the size of weights, and of names.
LETTER = 7.4
LETTER_OF_NAMES = 7.3


@dataclass(frozen=True)
class Line:
    """A weight: as thick as it is strong, dashed if negative."""

    start: tuple[float, float]
    stop: tuple[float, float]
    width: float
    value: float


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    text: str
    anchor: str = "middle"
    size: float = 12.0
    colour: str | None = None


@dataclass
class Diagram:
    """Shapes in pixels, y downwards.

    Attributes
    ----------
    width, height : float
    lines : list of Line
    circles : list of (x, y, radius)
    boxes : list of (x, y, width, height)
    curves : list of ndarray of shape (n_points, 2)
    arrows : list of ((x, y), (x, y))
    texts : list of Text
    """

    width: float = 690.0
    height: float = 200.0
    lines: list[Line] = field(default_factory=list)
    circles: list[tuple[float, float, float]] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    curves: list[np.ndarray] = field(default_factory=list)
    arrows: list[tuple[tuple[float, float], tuple[float, float]]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def n_shown(max_features: int | None, n_features: int) -> int:
    """How many of the features are shown; None is all."""
    if max_features is None:
        return n_features
    if isinstance(max_features, bool) or not isinstance(max_features, Integral) or max_features < 0:
        raise ValueError(
            f"max_features has to be a whole number from 0, or None for all; got {max_features!r}."
        )
    return min(int(max_features), n_features)


def draw_neurons(inside: Unfolded, scale=None, neurons=None, max_features=MOST_INPUTS) -> Diagram:
    """Lay out one neuron in full, or several side by side.

    Parameters
    ----------
    inside : Unfolded
    scale : ndarray of shape (n_inputs,), default=None
        What weights are multiplied by before they are compared, standard deviations say.
    neurons : list of int, default=None
        Which neurons; None is all.
    max_features : int or None, default=10
        None shows all.
    """
    numbers = list(range(len(inside.neuron_names))) if neurons is None else neurons
    weights = inside.coef if scale is None else inside.coef * scale
    strength = np.nan_to_num(np.abs(weights[numbers])).max(axis=0)
    order = np.argsort(-strength, kind="stable")[: n_shown(max_features, len(strength))]
    order = np.sort(order)
    n_rows = len(order) + (len(order) < len(strength))
    rows = max(n_rows, 3 if len(numbers) == 1 else min(len(numbers), MOST_NEURONS) + 1)
    diagram = Diagram(height=ROW * rows + 40)
    top = 20 + ROW * (rows - n_rows) / 2
    at = {int(j): top + ROW * (i + 0.5) for i, j in enumerate(order)}
    largest = max(strength.max(initial=0.0), 1e-300)
    single = len(numbers) == 1
    # Names end where the longest weight begins.
    of_weights = [_number(weights[numbers[0], j]) for j in at] if single else []
    room = max((len(text) * LETTER + 6 for text in of_weights), default=0.0)
    name_at = 255 - max(room, 60.0) if single else 255.0
    letters = min(MOST_LETTERS, int((name_at - 4) / LETTER_OF_NAMES)) if single else MOST_LETTERS
    for j, y in at.items():
        value = weights[numbers[0], j]
        if single:
            colour = POSITIVE if value >= 0 else NEGATIVE
            diagram.texts.append(Text(255, y, _number(value), "end", 11, colour))
        diagram.texts.append(Text(name_at, y, clipped(inside.plain_names[j], letters), "end"))
        diagram.circles.append((268, y, 5))
    if len(order) < len(strength):
        y = top + ROW * (n_rows - 0.5)
        diagram.texts.append(Text(268, y, f"and {len(strength) - len(order)} more", "end", 11))
    if single:
        _draw_one(diagram, inside, numbers[0], weights[numbers[0]], at, largest)
    else:
        _draw_several(diagram, inside, numbers, weights, at, largest)
    return diagram


def _draw_one(diagram, inside, k, weights, at, largest) -> None:
    """Sum, bias, activation and output of one neuron."""
    y = diagram.height / 2
    for j, y_input in at.items():
        width = 0.5 + 6 * abs(float(weights[j])) / largest
        diagram.lines.append(Line((274, y_input), (412, y), width, float(weights[j])))
    diagram.circles.append((435, y, 22))
    diagram.texts.append(Text(435, y, "Σ", size=20))
    bias = inside.intercept[k]
    diagram.texts.append(Text(435, y - 46, f"bias {_number(bias)}", size=11))
    diagram.arrows += [((435, y - 38), (435, y - 23)), ((458, y), (490, y))]
    diagram.texts.append(Text(474, y - 10, "z", size=11))
    diagram.boxes.append((491, y - 32, 84, 64))
    pair = pair_of(inside.neuron)
    diagram.curves.append(_curve(pair.activation, 497, y - 26, 72, 52))
    diagram.texts.append(Text(533, y + 44, pair.activation.name, size=11))
    diagram.arrows.append(((576, y), (610, y)))
    several = len(inside.neuron_names) > 1
    diagram.texts.append(
        Text(616, y, clipped(inside.neuron_names[k], 12) if several else "level", "start", 12)
    )


def _draw_several(diagram, inside, numbers, weights, at, largest) -> None:
    """One circle per neuron, a line per weight."""
    shown = numbers[:MOST_NEURONS]
    n_rows = len(shown) + (len(shown) < len(numbers))
    first = diagram.height / 2 - ROW * (n_rows - 1) / 2
    for i, k in enumerate(shown):
        y = first + ROW * i
        diagram.circles.append((480, y, 9))
        for j, y_input in at.items():
            value = float(weights[k, j])
            width = 0.2 + 4 * abs(value) / largest
            diagram.lines.append(Line((274, y_input), (470, y), width, value))
        diagram.texts.append(Text(496, y, clipped(inside.neuron_names[k]), "start"))
    if len(shown) < len(numbers):
        text = f"and {len(numbers) - len(shown)} more"
        diagram.texts.append(Text(496, first + ROW * len(shown), text, "start", 11))
    name = pair_of(inside.neuron).activation.name
    diagram.texts.append(Text(480, diagram.height - 8, name, size=11))


def _curve(activation, x, y, width, height) -> np.ndarray:
    """The activation from -4 to 4 in a box."""
    z = np.linspace(-4, 4, 60)
    f = np.asarray(activation(np.array([z, -z]).T)[:, 0] if activation.coupled else activation(z))
    # exp would leave nothing of the rest to see.
    f = np.minimum(f, 4.0)
    low, high = f.min(), f.max()
    share = (f - low) / max(high - low, 1e-12)
    return np.column_stack([x + width * (z + 4) / 8, y + height * (1 - share)])


def clipped(name: str, most: int = MOST_LETTERS) -> str:
    """The name in the width of at most so many letters; Chinese ones and emoji take two."""
    ends = list(accumulate(1 + (east_asian_width(letter) in "WF") for letter in name))
    if not ends or ends[-1] <= most:
        return name
    return f"{name[: bisect_right(ends, most - 1)]}…"


def _number(value: float) -> str:
    return f"{value:+.3g}".replace("-", MINUS)


# -- painters --------------------------------------------------------------------------------------


def to_svg(diagram: Diagram, title: str) -> str:
    """Return the diagram as an SVG element that styles nothing but itself.

    Text and outlines take the colour of the text around them, so that dark pages work.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{diagram.width:g}" '
        f'viewBox="0 0 {diagram.width:g} {diagram.height:g}" style="max-width:100%;height:auto" '
        f'font-family="sans-serif"><title>{escape(title)}</title>'
    ]
    for line in diagram.lines:
        (x0, y0), (x1, y1) = line.start, line.stop
        colour = POSITIVE if line.value >= 0 else NEGATIVE
        dash = "" if line.value >= 0 else ' stroke-dasharray="7 4"'
        parts.append(
            f'<line x1="{x0:g}" y1="{y0:.1f}" x2="{x1:g}" y2="{y1:.1f}" stroke="{colour}" '
            f'stroke-width="{line.width:.2f}" stroke-opacity="0.75"{dash}/>'
        )
    outline = 'fill="none" stroke="currentColor" stroke-width="1.2"'
    for x, y, radius in diagram.circles:
        parts.append(f'<circle cx="{x:g}" cy="{y:.1f}" r="{radius:g}" {outline}/>')
    for x, y, width, height in diagram.boxes:
        parts.append(
            f'<rect x="{x:g}" y="{y:.1f}" width="{width:g}" height="{height:g}" rx="6" {outline}/>'
        )
    for curve in diagram.curves:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        parts.append(f'<polyline points="{points}" {outline}/>')
    for (x0, y0), (x1, y1) in diagram.arrows:
        parts.append(f'<path d="{_arrow(x0, y0, x1, y1)}" {outline}/>')
    for text in diagram.texts:
        colour = text.colour or "currentColor"
        parts.append(
            f'<text x="{text.x:g}" y="{text.y:.1f}" text-anchor="{text.anchor}" fill="{colour}" '
            f'dominant-baseline="central" font-size="{text.size:g}">'
            f"{escape(text.text)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _arrow(x0, y0, x1, y1) -> str:
    """A line with a head, along an axis."""
    dx, dy = float(np.sign(x1 - x0)), float(np.sign(y1 - y0))
    left = x1 - 6 * dx - 4 * dy, y1 - 6 * dy - 4 * dx
    right = x1 - 6 * dx + 4 * dy, y1 - 6 * dy + 4 * dx
    return (
        f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}M{left[0]:.1f} {left[1]:.1f}"
        f"L{x1:.1f} {y1:.1f}L{right[0]:.1f} {right[1]:.1f}"
    )


def on_axes(diagram: Diagram, ax) -> None:
    """Paint the diagram on matplotlib axes."""
    from matplotlib.patches import Circle, FancyBboxPatch

    for line in diagram.lines:
        ax.plot(
            *zip(line.start, line.stop, strict=True),
            color=POSITIVE if line.value >= 0 else NEGATIVE,
            linewidth=0.8 * line.width,
            linestyle="-" if line.value >= 0 else (0, (4, 2)),
            alpha=0.75,
            zorder=1,
        )
    for x, y, radius in diagram.circles:
        ax.add_patch(Circle((x, y), radius, facecolor="white", edgecolor="black", zorder=2))
    for x, y, width, height in diagram.boxes:
        ax.add_patch(
            FancyBboxPatch(
                (x + 4, y + 4),
                width - 8,
                height - 8,
                boxstyle="round,pad=4",
                facecolor="white",
                edgecolor="black",
            )
        )
    for curve in diagram.curves:
        ax.plot(*curve.T, color="black", zorder=3)
    for start, stop in diagram.arrows:
        ax.annotate("", stop, start, arrowprops={"arrowstyle": "->"})
    sides = {"start": "left", "middle": "center", "end": "right"}
    for text in diagram.texts:
        ax.text(
            text.x,
            text.y,
            text.text.replace("$", r"\$"),
            ha=sides[text.anchor],
            va="center",
            fontsize=0.8 * text.size,
            color=text.colour or "black",
            zorder=4,
        )
    ax.set(xlim=(0, diagram.width), ylim=(diagram.height, 0), aspect="equal")
    ax.axis("off")
