"""The neuron inside an estimator, and the names of what goes into it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from .._odd import names_of_columns
from ..sources.device_array import to_host
from .hook import CLASSES
from .keys import safe_keys


class Found(NamedTuple):
    """A neuron and the names of its inputs and outputs.

    Parameters
    ----------
    neuron : estimator
    features : list of str
    outputs : list of str
        Classes or targets; empty for a single neuron.
    """

    neuron: Any
    features: list[str]
    outputs: list[str]


def is_neuron(estimator) -> bool:
    """Whether this is one of our estimators."""
    return isinstance(estimator, tuple(CLASSES))


def parts_of(root) -> list:
    """An estimator, its parameters at any depth, and those of the fitted copies in it."""
    parts = []
    for estimator in _path(root):
        parts.append(estimator)
        if hasattr(estimator, "get_params"):
            parts += estimator.get_params(deep=True).values()
    return parts


def holds_neuron(estimator) -> bool:
    """Whether this is one of our estimators, or has one among its parameters at any depth."""
    if is_neuron(estimator):
        return True
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        return False
    return any(is_neuron(value) for value in estimator.get_params(deep=True).values())


def model_of(root):
    """Follow a fitted estimator to what stands for its model; None where there is no neuron.

    Through ``best_estimator_`` of a search, ``regressor_`` of TransformedTargetRegressor,
    ``estimator_`` of the threshold classifiers, and the last step of a pipeline.
    """
    return next((e for e in _path(root) if is_neuron(e)), None)


def learners(root) -> dict[str, Any]:
    """What learns in an estimator, each as an estimator whose model it is.

    Parameters
    ----------
    root : estimator

    Returns
    -------
    learners : dict
        Under "" the estimator itself; under the name of its step each of our estimators that a
        pipeline has before its last step (a layer, as a rule), as the pipeline up to there.
    """
    names: list[str] = []
    pipelines: list[Pipeline] = []
    before: list[tuple[str, Any]] = []
    for estimator in _path(root):
        steps = list(getattr(estimator, "steps", ()))[:-1]
        for position, (name, step) in enumerate(steps, start=1):
            if _ends_in_neuron(step):
                names.append(name)
                pipelines.append(Pipeline([*before, *steps[:position]]))
        before += steps
    return {"": root, **dict(zip(safe_keys(names), pipelines, strict=True))}


def _ends_in_neuron(step) -> bool:
    return is_neuron(step) or (hasattr(step, "steps") and _ends_in_neuron(step.steps[-1][1]))


def _path(root):
    while root is not None:
        yield root
        if is_neuron(root):
            return
        if hasattr(root, "steps"):
            root = root.steps[-1][1]
        else:
            names = ("best_estimator_", "regressor_", "estimator_")
            inside = getattr(root, "__dict__", {})
            root = next((inside[name] for name in names if name in inside), None)


def weight_of(root, fit_params: dict):
    """Weights of the rows among the parameters of a fit, those for the model; None without any.

    Parameters
    ----------
    root : estimator
        A fitted one.
    fit_params : dict
        ``sample_weight``, or that of a pipeline's steps by their names.
    """
    steps = [estimator.steps[-1][0] for estimator in _path(root) if hasattr(estimator, "steps")]
    of_model = "__".join([*steps, "sample_weight"])
    return fit_params.get(of_model, fit_params.get("sample_weight"))


def find(root, y=None) -> Found | None:
    """Return the neuron of a fitted estimator with the names of its inputs and outputs.

    Parameters
    ----------
    root : estimator
    y : array-like, default=None
        Targets; a DataFrame's columns name the outputs of a regressor.
    """
    neuron = model_of(root)
    if neuron is None or not hasattr(neuron, "coef_"):
        return None
    n_neurons = len(np.atleast_2d(to_host(neuron.coef_)))
    return Found(neuron, _feature_names(root, neuron), _output_names(neuron, n_neurons, y))


def _feature_names(root, neuron) -> list[str]:
    """Names of the neuron's inputs; from the steps before it where it was given a bare array."""
    names = getattr(neuron, "feature_names_in_", None)
    if names is None:
        names = _names_from_steps(root)
    n_features = neuron.n_features_in_
    if names is None or len(names) != n_features:
        names = [f"x{i}" for i in range(n_features)]
    return [str(name) for name in names]


def _names_from_steps(root):
    names = None
    for estimator in _path(root):
        if len(getattr(estimator, "steps", ())) > 1:
            try:
                names = estimator[:-1].get_feature_names_out(names)
            except (AttributeError, TypeError, ValueError):
                # A transformer that cannot say: the names are lost from there on.
                names = None
    return names


def _output_names(neuron, n_neurons: int, y) -> list[str]:
    if n_neurons == 1:
        return []
    classes = getattr(neuron, "classes_", None)
    names = classes if classes is not None else names_of_columns(y)
    if names is None or len(names) != n_neurons:
        names = range(n_neurons)
    return [str(name) for name in names]
