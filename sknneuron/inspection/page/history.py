"""The training as the page shows it: curves, and the weights of some of the iterates."""

from __future__ import annotations

import numpy as np

from .features import as_list
from .subject import Subject

MAX_STEPS = 80
MAX_POINTS = 400
MAX_WEIGHTS = 60_000


def describe_history(subject: Subject) -> dict | None:
    """Return loss curves, and weights at recorded iterates; None where nothing was recorded."""
    history = getattr(subject.neuron, "history_", None)
    if not history or len(history["iteration"]) < 2:
        return None
    n = len(history["iteration"])
    with_weights = _steps_with_weights(subject, history)
    points = np.union1d(evenly(np.arange(n), MAX_POINTS), with_weights).astype(int)
    described = {
        "iteration": history["iteration"][points].tolist(),
        "n_rows": history["n_rows"][points].tolist(),
        "loss": as_list(history["loss"][points]),
        "validation_loss": None,
        "recorded": np.searchsorted(points, with_weights).tolist(),
        "coef": None,
        "intercept": None,
        "words": _words(subject, history, len(with_weights)),
    }
    if "validation_loss" in history:
        described["validation_loss"] = as_list(history["validation_loss"][points])
    if len(with_weights):
        coef = np.asarray(history["coef"])[with_weights][:, :, subject.kept]
        described["coef"] = coef.ravel().tolist()
        described["intercept"] = np.asarray(history["intercept"])[with_weights].ravel().tolist()
    return described


def evenly(positions: np.ndarray, most: int) -> np.ndarray:
    """Return at most this many of the positions, evenly spaced, first and last among them."""
    if len(positions) <= most:
        return positions
    return positions[np.unique(np.linspace(0, len(positions) - 1, most).round().astype(int))]


def _steps_with_weights(subject: Subject, history) -> np.ndarray:
    if "coef" not in history or len(subject.kept) == 0:
        return np.zeros(0, dtype=int)
    coef = np.asarray(history["coef"])
    # A history that "loss" began and "auto" went on with has iterates without weights.
    known = np.flatnonzero(np.isfinite(coef).all(axis=(1, 2)))
    per_step = subject.n_neurons * len(subject.kept)
    most = int(np.clip(MAX_WEIGHTS * subject.budget // per_step, 2, MAX_STEPS))
    return evenly(known, most)


def _words(subject: Subject, history, n_steps: int) -> str:
    neuron = subject.neuron
    n_iter = int(history["iteration"][-1])
    iterations = f"{n_iter:,} iteration{'s' if n_iter != 1 else ''}"
    words = f"The solver {neuron.solver_!r} took {iterations}. "
    if not n_steps:
        return words + "The weights of each step were not recorded."
    words += "Move the slider, or click the curves: the weights go back to what they were then."
    if n_steps < len(history["iteration"]):
        words += f" {n_steps} of {len(history['iteration']):,} recorded steps are on this page."
    last = np.asarray(history["coef"])[-1]
    if not np.allclose(last, subject.unfolded.coef, equal_nan=True):
        words += " The weights kept in the end are not those of the last step."
    return words
