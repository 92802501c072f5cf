"""Keeps MLflow from copying or densifying data that are sparse, on disk, elsewhere, or just large.

Autologging copies X, describes it as a data set (``X.toarray()`` for a sparse matrix) and predicts
on all of it. Of such data it gets a sample of rows, and of the data set only that there was one.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.data.meta_dataset import MetaDataset
from scipy import sparse

from ..sources import ParquetSource
from .find import holds_neuron

# Past this many bytes of X, MLflow works on a sample.
MAX_BYTES = 256 << 20
# The sample: at most so many rows, and so many bytes.
SAMPLE_ROWS = 10_000
SAMPLE_BYTES = 32 << 20

logger = logging.getLogger("mlflow.sknneuron")
_local = threading.local()
_warned: set[str] = set()


def reason_to_stay(X) -> str | None:
    """Why X must not be copied or densified; None if it may.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> reason_to_stay(sparse.eye(3)), reason_to_stay(np.eye(3))
    ('sparse', None)
    """
    if sparse.issparse(X):
        return "sparse"
    if isinstance(X, pd.DataFrame):
        n_bytes = int(X.memory_usage(index=False).sum())
    elif isinstance(X, np.ndarray):
        if _is_on_disk(X):
            return "memory-mapped"
        n_bytes = X.nbytes
    elif hasattr(X, "__dask_graph__"):
        return "Dask"
    elif isinstance(X, ParquetSource):
        return "in parquet files"
    elif hasattr(X, "__dlpack__"):
        return "on a device"
    else:
        return None
    return "large" if n_bytes > MAX_BYTES else None


def _is_on_disk(X: np.ndarray) -> bool:
    base: Any = X
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def sampling(get_data):
    """Wrap MLflow's function that copies the arguments of `fit`: for such data, copy a sample."""

    @functools.wraps(get_data)
    def get_data_or_sample(fit, args, kwargs):
        X = args[0] if args else kwargs.get("X")
        estimator = getattr(fit, "__self__", None)
        if reason_to_stay(X) is None or not holds_neuron(estimator):
            return get_data(fit, args, kwargs)
        y = args[1] if len(args) > 1 else kwargs.get("y")
        weight = args[2] if len(args) > 2 else kwargs.get("sample_weight")
        return sample(X, y, weight)

    return get_data_or_sample


def opened(X, *others):
    """Return X and `others` as they are; of parquet files, their rows as a mapped DataFrame.

    What is None of `others`, targets and weights, is then the files' own.
    """
    if not isinstance(X, ParquetSource):
        return X, *others
    rows, *own = X.load()
    both = zip(others, own, strict=False)
    frame = pd.DataFrame(rows, columns=X.feature_names, copy=False)
    return frame, *(theirs if given is None else given for given, theirs in both)


def sample(X, *others):
    """Return rows of X, evenly spaced, and the same of `others`, in memory of their own.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    *others : array-like of shape (n_samples, ...) or None

    Returns
    -------
    X, *others : tuple
        A sparse X is a CSR matrix, whatever it was. Of parquet files X is a DataFrame, and targets
        and weights that are None are the files' own.
    """
    X, *others = opened(X, *others)
    if hasattr(X, "__dask_graph__"):
        return tuple(None if a is None else _first_rows(a) for a in (X, *others))
    rows = _rows(X)
    if sparse.issparse(X) and X.format not in ("csr", "csc", "lil"):
        X = X.tocsr()
    taken = take(X, rows)
    if sparse.issparse(taken):
        # The one kind of sparse matrix that MLflow knows to describe.
        taken = sparse.csr_matrix(taken)
    return taken, *(None if other is None else take(other, rows) for other in others)


def n_sampled(X) -> int | None:
    """Number of rows that `sample` takes; None where that is not known beforehand."""
    return None if hasattr(X, "__dask_graph__") else len(_rows(X))


def _rows(X) -> np.ndarray:
    n_rows = X.shape[0]
    if sparse.issparse(X):
        n_bytes = 12 * X.nnz
    elif isinstance(X, pd.DataFrame):
        n_bytes = int(X.memory_usage(index=False).sum())
    else:
        n_bytes = 8 * int(np.prod(X.shape, dtype=float))
    per_row = max(n_bytes / max(n_rows, 1), 1)
    n = int(np.clip(SAMPLE_BYTES / per_row, min(n_rows, 10), min(n_rows, SAMPLE_ROWS)))
    return np.linspace(0, n_rows - 1, n).astype(np.intp)


def take(values, rows):
    """Rows by position, of whatever holds rows, in memory of their own."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if isinstance(values, list | tuple):
        return [values[row] for row in rows]
    if isinstance(values, np.ndarray) or sparse.issparse(values):
        # A memory map's rows come as a plain array.
        taken = values[rows]
        return np.asarray(taken) if isinstance(taken, np.ndarray) else taken
    # A tensor of some device.
    taken = values[rows]
    return np.asarray(taken.cpu() if hasattr(taken, "cpu") else taken)


def _first_rows(values):
    """The first rows of a Dask collection; the others would all have to be computed."""
    if hasattr(values, "npartitions") and hasattr(values, "head"):
        return values.head(SAMPLE_ROWS, npartitions=1)
    return values[:SAMPLE_ROWS].compute()


def tag_sample(run_id: str, X, why: str) -> None:
    """Say in the run that its training metrics come from a sample."""
    try:
        (rows,) = opened(X)
        n = n_sampled(rows)
        taken = "first rows" if n is None else f"{n} rows of {rows.shape[0]}"
        value = f"{taken}: X is {why}"
        mlflow.MlflowClient().set_tag(run_id, "sknneuron.training_metrics_from", value)
    except Exception as error:  # a training does not fail with its tracking
        logger.warning(f"A tag was not written to MLflow run {run_id}: {error}")


@contextmanager
def without_datasets(function) -> Iterator[None]:
    """While inside, MLflow's description of data sets, somewhere below `function`, sees no rows."""
    cell = _find_cell(function, "_create_dataset")
    if cell is None:
        if mlflow.__version__ not in _warned:
            _warned.add(mlflow.__version__)
            logger.warning(
                f"MLflow {mlflow.__version__} describes data sets in another way than is known "
                "here and may densify this X: call mlflow.sklearn.autolog(log_datasets=False)."
            )
        yield
        return
    if not isinstance(cell.cell_contents, _Guarded):
        cell.cell_contents = _Guarded(cell.cell_contents)
    before = getattr(_local, "withheld", False)
    _local.withheld = True
    try:
        yield
    finally:
        _local.withheld = before


class _Guarded:
    """MLflow's function that describes a data set; inside `without_datasets` it sees no rows."""

    def __init__(self, create_dataset):
        self.create_dataset = create_dataset

    def __call__(self, X, source, *args, **kwargs):
        if getattr(_local, "withheld", False):
            return MetaDataset(source)
        return self.create_dataset(X, source, *args, **kwargs)


def _find_cell(function, name: str, depth: int = 4):
    """The closure variable `name` of a function, or of a function in its closure, and so on."""
    while isinstance(function, functools.partial):
        function = function.func
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = dict(zip(names, getattr(function, "__closure__", None) or (), strict=False))
    if name in cells:
        return cells[name]
    for cell in cells.values() if depth else ():
        try:
            inner = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        found = _find_cell(inner, name, depth - 1) if callable(inner) else None
        if found is not None:
            return found
    return None
