"""The only file that touches private names of scikit-learn, and what differs between versions."""

import inspect
from functools import lru_cache

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support before scikit-learn 1.9."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


class PictureMixin:
    """Adds a picture to what notebooks show of an estimator."""

    def _picture(self) -> str:
        """HTML of the picture; empty without one."""
        return ""

    def _html_repr(self):
        html, picture = super()._html_repr(), self._picture()  # type: ignore[misc]
        if not picture:
            return html
        return (
            '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1.5em">'
            f"<div>{html}</div><div>{picture}</div></div>"
        )


# Since 1.9 weights that are all zero are refused there, in words that do not name the parameter.
_OPTIONS = (
    {"allow_all_zero_weights": True}
    if "allow_all_zero_weights" in inspect.signature(_check_sample_weight).parameters
    else {}
)


def check_sample_weight(sample_weight, X):
    """Return the weights of X's rows as float64, finite and not negative; all may be zero."""
    return _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, **_OPTIONS
    )


def output_container(estimator) -> str:
    """What `transform` returns: "pandas", "polars", or "default" for arrays as they are."""
    return _get_output_config("transform", estimator)["dense"]


@lru_cache(maxsize=128)
def parameter_names(cls: type[BaseEstimator]) -> tuple[str, ...]:
    """Names of an estimator's parameters.

    scikit-learn reads the signature anew each time, which clones and grids do three times a fit.
    """
    return tuple(BaseEstimator._get_param_names.__func__(cls))


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "PictureMixin",
    "StrOptions",
    "check_sample_weight",
    "num_samples",
    "output_container",
    "parameter_names",
    "safe_indexing",
    "validate_parameter_constraints",
    "with_callbacks",
]
