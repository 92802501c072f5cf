"""What the page says in sentences: its title, its facts, and how far weights may be read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..._version import __version__
from .features import is_scaled
from .subject import Subject

NAMES = {"leaky_relu": "leaky relu", "identity": "linear"}
# Ratio of spreads of two columns past which their weights are on scales of their own.
UNEQUAL = 3.0
MUCH_CORRELATED = 0.8


def target_name(subject: Subject) -> str | None:
    """Name of the target, where y has one."""
    name = None if subject.is_layer else getattr(subject.y, "name", None)
    return None if name is None else str(name)


def title(subject: Subject) -> str:
    """Say what the page shows, for want of a title."""
    name = target_name(subject)
    n = subject.n_neurons
    activation = NAMES.get(subject.activation.name, subject.activation.name)
    neurons = f"one {activation} neuron" if n == 1 else f"{n} {activation} neurons"
    return f"{name}: {neurons}" if name else neurons[0].upper() + neurons[1:]


def lead(subject: Subject) -> str:
    """Say in a sentence what kind of neuron this is."""
    n_columns, n_inputs = len(subject.used), subject.unfolded.coef.shape[1]
    columns = f"{n_columns:,} feature{'s' if n_columns != 1 else ''}"
    if n_columns and all(column.kind == "derived" for column in subject.used):
        columns = columns.replace("feature", "output") + " of an earlier step"
    if n_inputs != n_columns:
        columns += f" ({n_inputs:,} inputs)"
    what = {
        "regression": "predicts a number",
        "binary": "tells two classes apart",
        "multiclass": f"tell {subject.n_neurons} classes apart",
        "multilabel": f"say which of {subject.n_neurons} labels hold",
        "margin": "draws a line between classes",
        "sum": "weighs its inputs",
    }[subject.task]
    if subject.is_layer:
        return (
            f"A layer of {subject.n_neurons:,} on {columns}: their levels are what the next step "
            "sees. Move the controls and watch what they do."
        )
    if subject.n_neurons == 1:
        return f"A neuron on {columns} that {what}. Move the controls and watch what it does."
    plural = {"regression": "predict a number each", "margin": "draw lines between classes"}
    what = plural.get(subject.task, what)
    return (
        f"{subject.n_neurons:,} neurons on the same {columns}: they {what}. Move the controls and "
        "watch what they do."
    )


def facts(subject: Subject) -> list[list[str]]:
    """Name and value of what was fitted and how."""
    neuron, pair = subject.neuron, subject.pair
    found = [
        ["estimator", type(neuron).__name__],
        ["activation", repr(subject.activation)],
        ["loss", repr(pair.loss)],
        ["penalty", f"alpha={neuron.alpha:g}, l1_ratio={neuron.l1_ratio:g}"],
        ["solver", str(neuron.solver_)],
        ["iterations", f"{neuron.n_iter_:,}"],
        ["converged", "yes" if neuron.converged_ else "no"],
        ["objective", f"{neuron.objective_:.6g}"],
        ["made by", f"sknneuron {__version__}"],
    ]
    steps = [type(step).__name__ for step in subject.unfolded.steps]
    if steps:
        found.insert(1, ["before it", ", ".join(steps)])
    return found


def weight_notes(subject: Subject) -> list[str]:
    """Say why a large weight need not be an important feature, here."""
    return [
        note
        for note in (
            _scale_note(subject),
            _collinear_note(subject),
            _level_note(subject),
        )
        if note
    ] or ["how far a feature moves z depends on how much it varies as well."]


def _scale_note(subject: Subject) -> str | None:
    columns = [c for c in subject.columns if c.is_number]
    if len(columns) < 2:
        return None
    if all(is_scaled(c) for c in columns):
        return (
            "weights in the first column are per unit of each feature, whatever that unit is; "
            "those on the neuron's own scale are per unit of what the scaler makes of it."
        )
    if subject.seen is None:
        return "weights are per unit of each feature, and the units may differ."
    spread = np.array([subject.seen.spread(c) for c in columns])
    spread = spread[spread > 0]
    if len(spread) < 2 or spread.max() <= UNEQUAL * spread.min():
        return None
    return (
        "the features are not scaled: the widest varies "
        f"{spread.max() / spread.min():,.3g} times as much as the narrowest, so weights per unit "
        "cannot be compared."
    )


def _collinear_note(subject: Subject) -> str | None:
    columns = [c for c in subject.columns if c.is_number][:60]
    if subject.seen is None or len(columns) < 2 or subject.is_sparse:
        return None
    table = pd.DataFrame({i: subject.seen.numbers(c) for i, c in enumerate(columns)})
    table = table.loc[:, table.std() > 0]
    correlation = np.abs(np.triu(table.corr().to_numpy(), 1))
    if correlation.size == 0 or not np.nanmax(correlation) > MUCH_CORRELATED:
        return None
    i, j = np.unravel_index(np.nanargmax(correlation), correlation.shape)
    first, second = (columns[table.columns[k]].name for k in (i, j))
    return (
        f"{first} and {second} vary together (correlation "
        f"{table.corr().to_numpy()[i, j]:.2f}): the one's weight stands in for the other's."
    )


def _level_note(subject: Subject) -> str | None:
    if all(c.is_number for c in subject.columns):
        return None
    return "a level's weight says how it differs from the others, and few rows may speak for it."
