"""Arrays and dataframes in `fit`: looked at, never copied, and made a source of rows."""

from __future__ import annotations

from functools import partial

from joblib import effective_n_jobs

from ._held_out import checked_validation, split
from ._inputs import Inputs, checked_weight, is_device_array, look_at_columns
from ._odd import as_frame
from ._plain import is_plain_training_set
from ._validation import checked
from .sources import ArraySource
from .sources._blas import available_threads
from .sources.device_array import to_host
from .sources.lanes import Workers

# Entries of X below which threads cost more than they bring.
SMALL = 1 << 19


def read_arrays(estimator, X, y, sample_weight, validation) -> Inputs:
    """Check arrays in memory, or what becomes one by being looked at, and learn the targets."""
    X = as_frame(X)
    look_at_columns(X)
    y = to_host(y) if is_device_array(y) else y
    X, y = validated(estimator, X, y)
    if sample_weight is not None:
        sample_weight = checked_weight(sample_weight, X, "sample_weight")
    targets = estimator._learn_targets(y)
    weight = estimator._weight_classes(y, sample_weight, targets)
    validation = checked_validation(estimator, *validation)
    workers = Workers(n_threads(estimator.n_jobs, X))
    source = ArraySource(X, targets.encode_compact(y, weight), weight, workers=workers)
    if validation is not None:
        X_val, y_val, weight_val = validation
        held_out = ArraySource(X_val, targets.encode(y_val, "y_val", weight_val), weight_val)
        return Inputs(source, targets, held_out)
    if estimator.early_stopping:
        rows, rows_apart = split(estimator, source, y)
        return Inputs(rows, targets, rows_apart)
    return Inputs(source, targets)


def validated(estimator, X, y, *, reset: bool = True):
    """Rows and targets as training takes them; what is known of X's columns is learnt or kept to.

    Parameters
    ----------
    estimator : BaseNeuron
    X, y : array-like
    reset : bool
        Whether to learn about the columns, and not to hold X to what was learnt.
    """
    plain = is_plain_training_set(X, y, partial(n_threads, estimator.n_jobs))
    if not plain or not (reset or _are_known(X.shape[1], estimator)):
        return checked(estimator, X, y, multi_output=True, reset=reset)
    if reset:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
    return X, y


def _are_known(n_columns: int, estimator) -> bool:
    """Whether so many columns without names are what the estimator was fitted on."""
    return n_columns == estimator.n_features_in_ and not hasattr(estimator, "feature_names_in_")


def n_threads(n_jobs: int | None, X) -> int:
    """Threads for the rows of X, by what `n_jobs` asks for."""
    if X.shape[0] * X.shape[1] <= SMALL:
        return 1
    return available_threads() if n_jobs is None else effective_n_jobs(n_jobs)
