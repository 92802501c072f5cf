"""Tells scikit-learn's callbacks (1.9 and later) of each iterate of a training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial


class CallbackBridge:
    """A function for the training loop that passes iterates on to an estimator's callbacks.

    Parameters
    ----------
    estimator : estimator with callbacks
    X, y : array-like
        As the user gave them.
    metadata : dict
        Sample weights and the like.
    attributes : callable
        Takes the weights, and by name what else was reached, and returns all fitted attributes
        that prediction needs. Only called where a callback asks for the fitted estimator.
    """

    def __init__(self, estimator, X, y, metadata: dict, attributes: Callable[..., dict]):
        self.task = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.attributes = attributes
        # The start is an iterate too.
        self.context = estimator._init_callback_context(max_subtasks=estimator.max_iter + 1)
        self.context.call_on_fit_task_begin(**self.task)

    def __call__(self, *weights, **reached) -> bool:
        """Report one iterate; True if a callback asks to stop."""
        iteration = self.context.subcontext(task_name="iteration")
        iteration.call_on_fit_task_begin(**self.task)
        return iteration.call_on_fit_task_end(
            **self.task, reconstruction_attributes=partial(self.attributes, *weights, **reached)
        )

    def end(self, *weights, **reached) -> None:
        """Report the end of the fit."""
        self.context.call_on_fit_task_end(
            **self.task, reconstruction_attributes=partial(self.attributes, *weights, **reached)
        )
