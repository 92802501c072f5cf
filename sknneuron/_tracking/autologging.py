"""Goes along with ``mlflow.sklearn.autolog()``; the only file that touches MLflow's private names.

MLflow's own wrapper around ``fit`` does parameters, metrics, model, nested and failed runs for our
estimators as for scikit-learn's. What is added to a run that tracks a neuron: the evolution of its
weights, a guard for data that must not be densified, and models that load.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import mlflow

from ..exceptions import warn
from . import guard, hook, models
from .find import holds_neuron
from .record import FitNotes, record_fit

FLAVOR = "sklearn"
UTILS = "mlflow.utils.autologging_utils"
FITS = ("fit", "fit_transform", "fit_predict")
PREDICTS = ("predict", "predict_proba", "predict_log_proba", "transform")
# What of MLflow is wrapped or asked, by module.
NEEDED = {
    "mlflow.sklearn": [
        "_gen_estimators_to_patch",
        "_patch_estimator_method_if_available",
        "_SklearnTrainingSession",
        "autolog",
        "save_model",
    ],
    "mlflow.sklearn.utils": ["_get_X_y_and_sample_weight"],
    UTILS: [
        "AUTOLOGGING_INTEGRATIONS",
        "_AUTOLOGGING_GLOBALLY_DISABLED",
        "autologging_is_disabled",
    ],
}

_lock = threading.RLock()
# connected: our wrappers are in place; listed: a call of autolog() has since patched our classes.
_state = SimpleNamespace(connected=False, listed=False, missing=[], warned=False)


def connect() -> None:
    """Put our wrappers into MLflow, once, and switch autologging on again where it was on."""
    with _lock:
        if not _state.connected:
            _state.missing = _missing_names()
            if _state.missing:
                return
            _wrap("mlflow.sklearn", "_gen_estimators_to_patch", _with_neurons)
            _wrap("mlflow.sklearn", "_patch_estimator_method_if_available", _with_following)
            _wrap("mlflow.sklearn", "save_model", models.saving)
            _wrap("mlflow.sklearn.utils", "_get_X_y_and_sample_weight", guard.sampling)
            _state.connected = True
        if _is_on() and not _state.listed and not _is_busy():
            _switch_on_again()


def late_patch(cls: type) -> Any:
    """Return the class whose ``fit`` has only now been patched by MLflow, or None.

    Parameters
    ----------
    cls : type
        A registered class or a subclass of one.
    """
    if _state.listed or not _is_on() or _is_busy():
        return None
    connect()
    if _state.missing and not _state.warned:
        _state.warned = True
        warn(
            f"MLflow {mlflow.__version__} has no {', '.join(_state.missing)}, which is needed to "
            "track a neuron by mlflow.sklearn.autolog(): this fit is not tracked. Call "
            "sknneuron.mlflow.log_history and log_model in a run of yours, or use an MLflow that "
            "is known to do."
        )
    return next((c for c in cls.__mro__ if c in hook.CLASSES), None) if _state.listed else None


# Until MLflow's own lazy loading is through, the attribute `mlflow.sklearn` is a stand-in.
def _module(name: str):
    return importlib.import_module(name)


def _missing_names() -> list[str]:
    missing = []
    for name, attributes in NEEDED.items():
        try:
            module = _module(name)
        except ImportError:
            missing.append(name)
        else:
            missing += [f"{name}.{each}" for each in attributes if not hasattr(module, each)]
    return missing


def _wrap(module: str, name: str, wrapper) -> None:
    setattr(_module(module), name, wrapper(getattr(_module(module), name)))


def _is_on() -> bool:
    is_disabled = getattr(_module(UTILS), "autologging_is_disabled", None)
    # Without the name one cannot know, and a warning too many is better than silence.
    return is_disabled is None or not is_disabled(FLAVOR)


def _is_busy() -> bool:
    """Whether a tracked fit is under way in any thread, or autologging is suspended."""
    session = getattr(_module("mlflow.sklearn"), "_SklearnTrainingSession", None)
    suspended = getattr(_module(UTILS), "_AUTOLOGGING_GLOBALLY_DISABLED", False)
    return bool(suspended) or (session is not None and session.is_active())


def _switch_on_again() -> None:
    autolog = _module("mlflow.sklearn").autolog
    # After mlflow.autolog() the stored settings hold names that this function does not take.
    known = inspect.signature(autolog).parameters
    stored = _module(UTILS).AUTOLOGGING_INTEGRATIONS[FLAVOR]
    autolog(**{name: value for name, value in stored.items() if name in known})


def _with_neurons(estimators_to_patch):
    @functools.wraps(estimators_to_patch)
    def with_ours():
        return [*estimators_to_patch(), *hook.CLASSES]

    return with_ours


def _with_following(patch_method):
    @functools.wraps(patch_method)
    def patch(flavor_name, class_def, func_name, patched, *args, **kwargs):
        if flavor_name == FLAVOR:
            if func_name in FITS:
                patched = _followed_fit(patched)
            elif func_name in PREDICTS:
                patched = _guarded_predict(patched)
            _state.listed = _state.listed or class_def in hook.CLASSES
        return patch_method(flavor_name, class_def, func_name, patched, *args, **kwargs)

    return patch


def _followed_fit(patched):
    """MLflow's patch for `fit`, with ours inside: called only where this fit has the run."""
    fit_in_run, *rest = patched.args

    def fit_and_follow(original, self, *args, **kwargs):
        if not holds_neuron(self):
            return fit_in_run(original, self, *args, **kwargs)
        X, y, fit_params = _data(args, kwargs)
        run_id = mlflow.active_run().info.run_id
        notes = FitNotes(self, X, y, fit_params)
        why = guard.reason_to_stay(X)
        if why is not None:
            guard.tag_sample(run_id, X, why)
        with guard.without_datasets(fit_in_run) if why is not None else nullcontext():
            try:
                return fit_in_run(original, self, *args, **kwargs)
            finally:
                # What was learnt is written as well where the fit was interrupted, or where
                # MLflow ended in an error behind it.
                record_fit(notes, run_id)

    return functools.partial(patched.func, fit_and_follow, *rest)


def _guarded_predict(patched):
    """MLflow's patch for `predict`, which would log the rows as an evaluation data set."""

    def predict(original, self, *args, **kwargs):
        X, *_ = _data(args, kwargs)
        if guard.reason_to_stay(X) is None or not holds_neuron(self):
            return patched(original, self, *args, **kwargs)
        with guard.without_datasets(patched):
            return patched(original, self, *args, **kwargs)

    return predict


def _data(args, kwargs):
    """X, y and, by name, all else among the arguments of a fit or a prediction."""
    named = {**dict(zip(("X", "y", "sample_weight"), args, strict=False)), **kwargs}
    return named.pop("X", None), named.pop("y", None), named
