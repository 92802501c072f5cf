"""Layers of neurons inside an estimator: which there are, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.pipeline import Pipeline

from ..losses import SquaredError
from ..pairs import ChainRule, Pair
from .tracer import steps_of, thawed


def is_layer(estimator) -> bool:
    """Whether this is a fitted `NeuronLayer`: neurons with output neurons of their own."""
    return hasattr(estimator, "output_coef_") and hasattr(estimator, "pre_activation")


def hidden_pair(layer) -> Pair:
    """The activation of a layer's neurons, as part of a pair: no target is theirs alone."""
    return ChainRule(layer._hidden_activation(), SquaredError())


def output_names(layer) -> list[str]:
    """Names of a layer's output neurons: its classes, where there is a neuron for each."""
    n_outputs = len(layer.output_coef_)
    classes = getattr(layer, "output_classes_", ())
    if len(classes) == n_outputs:
        return [str(label) for label in classes]
    return [f"output{k}" for k in range(n_outputs)]


def ends_in_layer(steps) -> bool:
    """Whether what these steps give are the levels of a layer, pipelines within unrolled."""
    flat = tuple(_unrolled(steps))
    return bool(flat) and is_layer(flat[-1])


def layers_before(steps) -> Iterator[tuple[Any, tuple]]:
    """Yield each layer among these steps, and the steps before it, pipelines within unrolled."""
    flat = tuple(_unrolled(steps))
    for i, step in enumerate(flat):
        if is_layer(step):
            yield step, flat[:i]


def _unrolled(steps) -> Iterator[Any]:
    for step in map(thawed, steps):
        if isinstance(step, Pipeline):
            yield from _unrolled(steps_of(step))
        else:
            yield step
