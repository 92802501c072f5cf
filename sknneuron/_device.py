"""Arrays of other libraries in `fit` and `predict`: everything stays on the device of X."""

from __future__ import annotations

import array_api_compat
import numpy as np
from sklearn import get_config
from sklearn.base import is_regressor
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from ._held_out import checked_validation, split_rows
from ._inputs import Inputs, checked_weight, is_device_array
from ._labels import specimen
from .sources.device import DeviceSource
from .sources.device_array import DeviceArray, to_device, to_host


def read_device(estimator, X, y, sample_weight, validation) -> Inputs:
    """Rows on a device: they stay there, and targets and weights join them."""
    X_val, y_val, weight = validation
    if X_val is None or y_val is None:
        # Words what is missing.
        checked_validation(estimator, X_val, y_val, weight)
    X, y = _on_one_device(estimator, X, y, reset=True)
    targets = estimator._learn_targets(_summary(y, not is_regressor(estimator)))
    source = _device_source(estimator, X, y, sample_weight, targets, "sample_weight")
    held_out = None
    if X_val is not None:
        if not is_device_array(X_val):
            raise TypeError(
                f"X is on a device ({X.device}) and X_val is a {type(X_val).__name__}. Send X_val "
                "to where X is."
            )
        X_val, y_val = _on_one_device(estimator, X_val, y_val, reset=False)
        held_out = _device_source(estimator, X_val, y_val, weight, targets, "sample_weight_val")
    elif estimator.early_stopping:
        weight = None if source.sample_weight is None else np.asarray(source.sample_weight)
        rows, validation_rows = split_rows(estimator, source.n_rows, np.asarray(y), weight)
        source, held_out = source.part(rows), source.part(validation_rows)
    return Inputs(source, targets, held_out, home=X)


def _on_one_device(estimator, X, y, *, reset: bool):
    """X on its device and y there or on the host, both looked at by scikit-learn."""
    xp = array_api_compat.array_namespace(X)
    floats = [xp.float64, xp.float32]
    _refuse_complex(X, xp)
    together = type(X) is type(y) and array_api_compat.device(X) == array_api_compat.device(y)
    if together and (len(y.shape) == 1 or is_regressor(estimator)):
        X, y = validate_data(estimator, X, y, dtype=floats, multi_output=True, reset=reset)
        return DeviceArray(X, xp), DeviceArray(y, xp)
    X = validate_data(estimator, X, dtype=floats, reset=reset)
    if y is None:
        raise ValueError(f"{type(estimator).__name__} needs targets: pass y.")
    y = to_host(y) if array_api_compat.is_array_api_obj(y) else y
    y = check_array(y, ensure_2d=False, dtype=None, accept_sparse="csr", input_name="y")
    check_consistent_length(X, y)
    return DeviceArray(X, xp), y


def _refuse_complex(X, xp) -> None:
    """Refuse complex rows, whose imaginary parts scikit-learn drops where they are."""
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError("Complex data not supported: X has an imaginary part.")


def _summary(y, of_classes: bool):
    """What there is to learn of y, on the host."""
    if not isinstance(y, DeviceArray):
        return y
    if not of_classes:
        return np.asarray(y[:2])
    return specimen(to_host(y.xp.unique_values(y.array)), len(y))


def _device_source(estimator, X, y, weight, targets, name) -> DeviceSource:
    if weight is not None:
        weight = to_host(weight) if array_api_compat.is_array_api_obj(weight) else weight
        weight = checked_weight(weight, np.empty((len(X), 1)), name)
    if name == "sample_weight":
        by_class = getattr(estimator, "class_weight", None) is not None
        weight = estimator._weight_classes(np.asarray(y) if by_class else y, weight, targets)
    there = _beside(X, weight)
    beside_y = there if isinstance(y, DeviceArray) else weight
    y = targets.encode(y, "y" if name == "sample_weight" else "y_val", beside_y)
    return DeviceSource(X, _beside(X, y), there)


def _beside(X: DeviceArray, values):
    """Values on X's device."""
    if values is None or isinstance(values, DeviceArray):
        return values
    return DeviceArray(to_device(values, X), X.xp)


def on_device(estimator, method, X):
    """Call a method on X where it is; what it returns stays there."""
    check_is_fitted(estimator)
    xp = array_api_compat.array_namespace(X)
    _refuse_complex(X, xp)
    X = validate_data(estimator, X, dtype=[xp.float64, xp.float32], reset=False)
    check_home(estimator, X, method)
    X = DeviceArray(X, xp)
    result = method(estimator, X)
    if isinstance(result, DeviceArray):
        return result.array
    return to_device(result, X) if result.dtype.kind in "biuf" else result


def check_home(estimator, X, method) -> None:
    """Refuse X of another library, or on another device, than the weights."""
    coef = vars(estimator).get("coef_")
    if coef is None or type(coef) is type(X) is np.ndarray:
        return
    if not get_config()["array_api_dispatch"]:
        return
    if type(coef) is not type(X) or array_api_compat.device(coef) != array_api_compat.device(X):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method.__name__}() must use the same "
            f"namespace and the same device as those passed to fit(): the weights are a "
            f"{_where(coef)}, X is a {_where(X)}. Send X there, or fit again."
        )


def _where(array) -> str:
    return f"{type(array).__module__}.{type(array).__name__} on {array_api_compat.device(array)}"


def at_home(home: DeviceArray | None, values):
    """Weights in the library and on the device of `home`."""
    if home is None or not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        return values
    return to_device(values, home)
