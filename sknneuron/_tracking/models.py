"""Models that load: the types to trust, the packages to install, nothing that is not the model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

import numpy as np
import pandas as pd
from sklearn import config_context

from .find import holds_neuron, parts_of
from .hook import TRUSTED_TYPES

# Packages whose estimators and functions need nothing that `requirements` does not name.
COVERED = {"builtins", "numpy", "pandas", "scipy", "sklearn", "sknneuron"}


def saving(save_model):
    """Wrap ``mlflow.sklearn.save_model`` so that what it saves of a neuron can be loaded."""

    @functools.wraps(save_model)
    def save_loadable(sk_model, *args, **kwargs):
        if not holds_neuron(sk_model):
            return save_model(sk_model, *args, **kwargs)
        given = inspect.signature(save_model).bind_partial(sk_model, *args, **kwargs)
        for name, value in _added(sk_model, given.arguments).items():
            given.arguments[name] = value
        with without_callbacks(sk_model):
            return save_model(*given.args, **given.kwargs)

    return save_loadable


def _added(model, given: dict) -> dict:
    """What to pass beside what was given."""
    added: dict = {}
    file_format = given.get("serialization_format") or _default_format()
    if file_format == "skops":
        added["skops_trusted_types"] = [
            *TRUSTED_TYPES,
            *(given.get("skops_trusted_types") or []),
        ]
    if given.get("conda_env") is None and given.get("pip_requirements") is None:
        extra = given.get("extra_pip_requirements")
        if extra is None and is_covered(model):
            added["pip_requirements"] = requirements(file_format)
        elif not isinstance(extra, str):
            # A model with parts that only MLflow's inference can name.
            added["extra_pip_requirements"] = [*(extra or []), _pinned("sknneuron")]
    return added


def _default_format() -> str:
    from mlflow.sklearn import _get_default_serialization_format

    return _get_default_serialization_format()


def requirements(file_format: str = "skops") -> list[str]:
    """Pinned requirements of a model that is made of scikit-learn's estimators and ours."""
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in metadata.requires("sknneuron") or []]
    names = ["sknneuron", *(r.name for r in needed if r.marker is None)]
    names += [file_format] if file_format in ("skops", "cloudpickle") else []
    return [_pinned(name) for name in names]


def _pinned(name: str) -> str:
    return f"{name}=={metadata.version(name)}"


def is_covered(model) -> bool:
    """Whether all parts of a model come from packages that `requirements` names."""
    return all(_package(part) in COVERED for part in _flattened(parts_of(model)))


def _flattened(parts) -> Iterator:
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _flattened(part)
        elif isinstance(part, dict):
            yield from _flattened(part.values())
        else:
            yield part


def _package(part) -> str:
    is_code = isinstance(part, type) or inspect.isroutine(part)
    module = getattr(part, "__module__", None) if is_code else type(part).__module__
    return (module or "").partition(".")[0]


def example_and_signature(neuron):
    """An input that is no row of the data, and what goes in and comes out.

    Returns
    -------
    example : DataFrame or ndarray
        A row of zeros, with the names of the features where the neuron knows them.
    signature : mlflow.models.ModelSignature
    """
    from mlflow.models import infer_signature

    example = np.zeros((1, neuron.n_features_in_))
    if hasattr(neuron, "feature_names_in_"):
        example = pd.DataFrame(example, columns=neuron.feature_names_in_)
    # A layer hands levels to a next step.
    answer = neuron.predict if hasattr(neuron, "predict") else neuron.transform
    # The example is in memory, wherever the weights are.
    with config_context(array_api_dispatch=False):
        return example, infer_signature(example, answer(example))


@contextmanager
def without_callbacks(model) -> Iterator[None]:
    """Take callbacks off an estimator and its parts: they belong to a fit, not to a model."""
    taken = [
        (part, vars(part).pop("_skl_callbacks"))
        for part in parts_of(model)
        if "_skl_callbacks" in _vars(part)
    ]
    try:
        yield
    finally:
        for part, callbacks in taken:
            part._skl_callbacks = callbacks


def _vars(part) -> dict:
    return getattr(part, "__dict__", {}) if not isinstance(part, type) else {}
