"""Writes what is known of a fit into the MLflow run that tracks it."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric

from .artifacts import Artifacts, Options
from .evolution import MAX_POINTS, Evolution
from .find import Found, find, learners, model_of, weight_of

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
    fit_params : dict, default=None
        What else was given to it: weights of the rows are looked up there.
    """

    def __init__(self, root, X, y, fit_params: dict | None = None):
        self.root, self.X, self.y, self.fit_params = root, X, y, fit_params or {}
        self.began = time.time()
        # By the learner's name: its history, and the last iteration of one to be gone on with.
        self.earlier: dict[str, tuple[dict, int]] = {}
        for name, part in learners(root).items():
            neuron = model_of(part)
            history = getattr(neuron, "history_", None)
            if history:
                goes_on = getattr(neuron, "warm_start", False)
                self.earlier[name] = history, int(history["iteration"][-1]) if goes_on else -1

    @classmethod
    def afterwards(cls, root, X=None, y=None, sample_weight=None) -> FitNotes:
        """Notes made when the fit is done, as if it had ended just now."""
        notes = cls(root, X, y, {"sample_weight": sample_weight})
        notes.earlier = {}
        for _, _, found in notes.learnt():
            elapsed = found.neuron.history_.get("elapsed")
            notes.began -= 0.0 if elapsed is None else float(elapsed[-1])
        return notes

    def learnt(self) -> Iterator[tuple[str, Any, Found]]:
        """Yield what learnt in this fit: name, estimator whose model it is, and the neuron."""
        for name, root in learners(self.root).items():
            found = find(root, self.y)
            # A prefitted neuron, or a search without refit, learnt nothing.
            if found is not None and found.neuron.history_ is not self._history_before(name):
                yield name, root, found

    def last_iteration_before(self, name: str) -> int:
        """The last iteration that an earlier fit has written; -1 where a fit began anew."""
        return self.earlier[name][1] if name in self.earlier else -1

    def _history_before(self, name: str):
        return self.earlier[name][0] if name in self.earlier else None


def record_fit(notes: FitNotes, run_id: str) -> None:
    """Write an autologged fit into its run; what cannot be written is warned of, and no more."""
    try:
        failed = record(notes, run_id, autolog_options)
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


def record(notes: FitNotes, run_id: str, options: Options) -> list[str]:
    """Write metrics and artifacts of all that learnt into a run; return what could not be made.

    The model's own stand at the top; those of a layer before it under the name of its step.
    """
    client = mlflow.MlflowClient()
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as top:
        for name, root, found in notes.learnt():
            prefix, folder = (f"{name}/", Path(top, name)) if name else ("", Path(top))
            folder.mkdir(exist_ok=True)
            after = notes.last_iteration_before(name)
            first_step, follows, evolution = _place_in_run(client, run_id, found, prefix, after)
            series = [one._replace(key=prefix + one.key) for one in evolution.series()]
            _log_metrics(client, run_id, evolution, series, first_step, notes.began, options)
            data = (notes.X, notes.y, weight_of(root, notes.fit_params))
            artifacts = Artifacts(root, data, evolution, series, first_step, follows, options)
            failed += [prefix + each for each in artifacts.write(folder)]
        if any(Path(top).iterdir()):
            client.log_artifacts(run_id, top)
    return failed


def _log_metrics(client, run_id, evolution, series, first_step, began, options) -> None:
    per_series = options.max_points or max(BATCH // max(len(series), 1), 2)
    metrics = [
        Metric(
            key,
            value,
            int(1000 * (began + evolution.elapsed[position])),
            int(evolution.iteration[position]) + first_step,
        )
        for key, value, position in evolution.points(series, min(per_series, MAX_POINTS))
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def _place_in_run(client, run_id, found, prefix, after) -> tuple[int, bool, Evolution]:
    """What to call the step of iterate 0, whether there was an earlier fit, and what is new."""
    earlier = client.get_metric_history(run_id, prefix + LAST_STEP_OF)
    if not earlier:
        return 0, False, Evolution(found)
    evolution = Evolution(found, after=after)
    first = int(evolution.iteration[0]) if len(evolution.iteration) else 0
    return max(metric.step for metric in earlier) + 1 - first, True, evolution
