"""Writes what is known of a fit into the MLflow run that tracks it."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric

from ..exceptions import warn
from .evolution import MAX_POINTS, Evolution
from .find import Found, find, model_of
from .guard import take

# MLflow takes so many metrics in one call, and to make one call is what keeps this cheap.
BATCH = 1000
# Its history says how far an earlier fit in the same run has come.
LAST_STEP_OF = "train/objective"


@dataclass(frozen=True)
class Options:
    """What is written beside metrics and history.

    Parameters
    ----------
    page_rows : int, default=0
        Rows of X that go into the page.
    plots, diagnosis, coef_table : bool, default=False
    max_points : int, default=None
        Points a metric, at most MAX_POINTS. None: as many as fit into one call.
    """

    page_rows: int = 0
    plots: bool = False
    diagnosis: bool = False
    coef_table: bool = False
    max_points: int | None = None

    def __post_init__(self):
        if not isinstance(self.page_rows, Integral) or self.page_rows < 0:
            raise ValueError(
                f"log_page_rows must be a whole number, 0 or more; got {self.page_rows!r}."
            )
        points = self.max_points
        if points is not None and not (isinstance(points, Integral) and 2 <= points <= MAX_POINTS):
            raise ValueError(
                f"max_points must be a whole number from 2 to {MAX_POINTS}, or None for as many as "
                f"go into one call; got {points!r}."
            )


#: What autologging writes; `sknneuron.mlflow.autolog` sets it.
autolog_options = Options()


def set_autolog_options(options: Options) -> None:
    """Set what autologged fits write from now on."""
    global autolog_options
    autolog_options = options


class FitNotes:
    """What has to be known before a fit to tell afterwards what was new in it.

    Parameters
    ----------
    root : estimator
        The one whose `fit` is tracked.
    X, y : array-like
        As given to its `fit`.
    """

    def __init__(self, root, X, y, sample_weight=None):
        self.root, self.X, self.y, self.sample_weight = root, X, y, sample_weight
        self.began = time.time()
        self.after = -1
        neuron = model_of(root)
        self.earlier_history = getattr(neuron, "history_", None)
        if self.earlier_history and getattr(neuron, "warm_start", False):
            self.after = int(self.earlier_history["iteration"][-1])

    @classmethod
    def afterwards(cls, root, neuron, X=None, y=None, sample_weight=None) -> FitNotes:
        """Notes made when the fit is done, as if it had ended just now."""
        notes = cls(root, X, y, sample_weight)
        notes.after = -1
        elapsed = neuron.history_.get("elapsed")
        notes.began -= 0.0 if elapsed is None else float(elapsed[-1])
        return notes


def record_fit(notes: FitNotes, run_id: str) -> None:
    """Write an autologged fit into its run; what cannot be written is warned of, and no more."""
    try:
        found = find(notes.root, notes.y)
        # A prefitted neuron, or a search without refit: nothing was learnt here.
        if found is None or found.neuron.history_ is notes.earlier_history:
            return
        record(notes, found, run_id, autolog_options)
    except Exception as error:  # a training does not fail with its tracking
        warn(
            f"The evolution of the weights, or a part of it, was not written to MLflow run "
            f"{run_id}: {type(error).__name__}: {error}. The fit itself is complete; once MLflow "
            f"can be reached, sknneuron.mlflow.log_history(estimator, run_id={run_id!r}) writes it."
        )


def record(notes: FitNotes, found: Found, run_id: str, options: Options) -> None:
    """Write metrics and artifacts of a fitted neuron into a run."""
    client = mlflow.MlflowClient()
    first_step, evolution = _place_in_run(client, run_id, notes, found)
    series = evolution.series()
    per_series = options.max_points or max(BATCH // max(len(series), 1), 2)
    points = evolution.points(series, int(min(per_series, MAX_POINTS)))
    metrics = [
        Metric(
            key,
            value,
            int(1000 * (notes.began + evolution.elapsed[position])),
            int(evolution.iteration[position]) + first_step,
        )
        for key, value, position in points
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    with tempfile.TemporaryDirectory() as folder:
        _write_artifacts(Path(folder), notes, evolution, series, first_step, options)
        client.log_artifacts(run_id, folder)


def _place_in_run(client, run_id, notes, found) -> tuple[int, Evolution]:
    """What to call the step of iterate 0, and the iterates that the run does not have yet."""
    earlier = client.get_metric_history(run_id, LAST_STEP_OF)
    if not earlier:
        return 0, Evolution(found)
    evolution = Evolution(found, after=notes.after)
    first = int(evolution.iteration[0]) if len(evolution.iteration) else 0
    return max(metric.step for metric in earlier) + 1 - first, evolution


def _write_artifacts(folder, notes, evolution, series, first_step, options) -> None:
    first = int(evolution.iteration[0]) + first_step if len(evolution.iteration) else 0
    # A second fit in the same run keeps the files of the first.
    suffix = f"_from_step_{first}" if first else ""
    _write_table(evolution.table(first_step), folder / f"history{suffix}")
    names = {one.key: {"neuron": one.neuron, "feature": one.feature} for one in series}
    (folder / f"metric_names{suffix}.json").write_text(
        json.dumps({key: value for key, value in names.items() if any(value.values())}, indent=1),
        encoding="utf-8",
    )


def _write_table(table, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        table.to_csv(path.with_suffix(".csv.gz"), index=False)
    else:
        table.to_parquet(path.with_suffix(".parquet"), index=False)


def _rows(X, y, n_rows: int) -> tuple[Any, Any]:
    """At most `n_rows` rows, evenly spaced."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    rows = np.unique(np.linspace(0, n - 1, min(n, n_rows)).astype(int))
    return take(X, rows), None if y is None else take(y, rows)
