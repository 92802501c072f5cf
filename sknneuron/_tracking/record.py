"""Writes what is known of a fit into the MLflow run that tracks it."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow.entities import Metric

from .artifacts import Artifacts, Options
from .evolution import MAX_POINTS, Evolution
from .find import Found, find, model_of

# MLflow takes so many metrics in one call, and to make one call is what keeps this cheap.
BATCH = 1000
# Its history says how far an earlier fit in the same run has come.
LAST_STEP_OF = "train/objective"
# Within MLflow's wrapper a warning goes to MLflow's log, and is silent where that is to be.
logger = logging.getLogger("mlflow.sknneuron")


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
        failed = record(notes, found, run_id, autolog_options)
        if failed:
            logger.warning("%s", not_written(run_id, failed))
    except Exception as error:  # a training does not fail with its tracking
        logger.warning(
            f"The evolution of the weights, or a part of it, was not written to MLflow run "
            f"{run_id}: {type(error).__name__}: {error}. The fit itself is complete; once MLflow "
            f"can be reached, sknneuron.mlflow.log_history(estimator, run_id={run_id!r}) writes it."
        )


def not_written(run_id: str, failed: list[str]) -> str:
    """Word what is missing in a run."""
    return f"Not written to MLflow run {run_id}: {'; '.join(failed)}. All else was."


def record(notes: FitNotes, found: Found, run_id: str, options: Options) -> list[str]:
    """Write metrics and artifacts of a fitted neuron into a run; return what could not be made."""
    client = mlflow.MlflowClient()
    first_step, evolution = _place_in_run(client, run_id, notes, found)
    series = evolution.series()
    per_series = options.max_points or max(BATCH // max(len(series), 1), 2)
    metrics = [
        Metric(
            key,
            value,
            int(1000 * (notes.began + evolution.elapsed[position])),
            int(evolution.iteration[position]) + first_step,
        )
        for key, value, position in evolution.points(series, min(per_series, MAX_POINTS))
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    data = (notes.X, notes.y, notes.sample_weight)
    artifacts = Artifacts(notes.root, data, evolution, series, first_step, options)
    with tempfile.TemporaryDirectory() as folder:
        failed = artifacts.write(Path(folder))
        client.log_artifacts(run_id, folder)
    return failed


def _place_in_run(client, run_id, notes, found) -> tuple[int, Evolution]:
    """What to call the step of iterate 0, and the iterates that the run does not have yet."""
    earlier = client.get_metric_history(run_id, LAST_STEP_OF)
    if not earlier:
        return 0, Evolution(found)
    evolution = Evolution(found, after=notes.after)
    first = int(evolution.iteration[0]) if len(evolution.iteration) else 0
    return max(metric.step for metric in earlier) + 1 - first, evolution
