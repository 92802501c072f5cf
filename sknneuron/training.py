"""The one training loop: a solver's iterates in, the trained weights and their history out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from .history import History
from .objective import Objective
from .solvers.base import Goal, Iterate, Solver

STOCHASTIC_TOL = 1e-4
# Iterates are written into the history together, in parts of at most so many or of this size.
UNWRITTEN = 64
UNWRITTEN_BYTES = 1 << 18
# What history calls the share of rows on which a neuron's derivative vanishes.
FLAT_COLUMNS = {"dead": "dead_fraction", "saturated": "saturated_fraction"}


@dataclass
class Outcome:
    """What a training came to.

    Parameters
    ----------
    weights : tuple of ndarray
        Weights (n_neurons, n_features) and biases (n_neurons,); of a layer those of its output too.
    objective : float
        The objective on all rows, penalty included.
    n_iter : int
        Iterates after the start, those of a warm start on a subsample included.
    converged : bool
    reason : str
        Why the training ended, in words for a warning.
    interrupted : bool
        Ctrl-C: the weights are those of the last good iterate.
    """

    weights: tuple[np.ndarray, ...]
    objective: float
    n_iter: int
    converged: bool
    reason: str
    interrupted: bool = False

    @property
    def coef(self) -> np.ndarray:
        return self.weights[0]

    @property
    def intercept(self) -> np.ndarray:
        return self.weights[1]


@dataclass
class Stopping:
    """When to end a training.

    Parameters
    ----------
    max_iter : int
    tol : float or "auto"
    n_iter_no_change : int
        Patience, in iterates, of stochastic solvers and of early stopping.
    early_stopping : bool
        Stop when the validation loss no longer falls, and keep the best iterate.
    """

    max_iter: int
    tol: float | str
    n_iter_no_change: int
    early_stopping: bool

    @property
    def progress(self) -> float:
        """Least relative improvement that counts as one."""
        return STOCHASTIC_TOL if self.tol == "auto" else float(self.tol)


class Patience:
    """Counts how long a curve has not fallen by a share of what it fell so far.

    Parameters
    ----------
    share : float
    n_iter : int
    """

    def __init__(self, share: float, n_iter: int):
        self.share = share
        self.n_iter = n_iter
        self.first: float | None = None
        self.best = np.inf
        self.waited = 0

    def runs_out(self, value: float) -> bool:
        """Take the next value; True once `n_iter` in a row brought no improvement."""
        if self.first is None:
            self.first = self.best = value
            return False
        improved = value < self.best - self.share * (self.first - self.best)
        self.waited = 0 if improved else self.waited + 1
        self.best = min(self.best, value)
        return self.waited >= self.n_iter


class Training:
    """One training: takes a solver's iterates, records them, and decides when to end.

    Parameters
    ----------
    objective : Objective
        On all training rows.
    stopping : Stopping
    history : History
    validation : Objective, default=None
        On the validation rows; only its loss is used.
    on_iterate : callable, default=None
        Called as ``on_iterate(*weights, n_iter_=..., objective_=...)`` after each; True asks to
        stop.
    verbose : int, default=0
        1 prints a line an iterate.
    name : str, default=""
        Whose training it is, for what is printed.
    """

    def __init__(
        self,
        objective: Objective,
        stopping: Stopping,
        history: History,
        *,
        validation: Objective | None = None,
        on_iterate: Callable[..., bool] | None = None,
        verbose: int = 0,
        name: str = "",
    ):
        self.objective = objective
        self.stopping = stopping
        self.history = history
        self.validation = validation
        self.on_iterate = on_iterate
        self.verbose = verbose
        self.name = name
        self._unwritten: list[Measured] = []
        self._n_seen, self._last_is_wanted = 0, True
        self._best: tuple[float, Iterate] | None = None

    def run(
        self, solver: Solver, start: np.ndarray, rng: np.random.Generator | None = None
    ) -> Outcome:
        """Train from `start` and return what came of it."""
        goal = Goal(self.stopping.tol, self.objective.null_value, self.objective)
        progress = Patience(self.stopping.progress, self.stopping.n_iter_no_change)
        patience = Patience(self.stopping.progress, self.stopping.n_iter_no_change)
        began = time.perf_counter()
        last: Iterate | None = None
        good: Iterate | None = None
        n_iter, reason, converged, interrupted = -1, "", False, False
        try:
            for iterate in solver.iterate(self.objective, start, goal, rng):
                is_new = last is None or iterate.theta is not last.theta
                on_all_rows = iterate.objective.exact is self.objective
                last = iterate if on_all_rows else self._without_rows(iterate)
                if is_new:
                    n_iter += 1
                    stop, validation_loss = self._record(
                        iterate, n_iter, time.perf_counter() - began
                    )
                    if stop:
                        reason = "a callback asked to stop"
                        break
                    if self._stops_early(last, validation_loss, patience):
                        reason, converged = "the validation loss no longer falls", True
                        break
                # A stochastic solver's epochs are measured on a part of many rows, always the same.
                if on_all_rows or solver.is_stochastic:
                    ended = self._ended(solver, iterate, goal, progress)
                    if ended is not None:
                        converged, reason = ended
                        if good is not None and not math.isfinite(iterate.total):
                            last = good
                        break
                if n_iter >= self.stopping.max_iter:
                    reason = f"max_iter={self.stopping.max_iter} was reached"
                    break
                good = last
                # Its rows may go while the solver works on the next.
                del iterate
        except KeyboardInterrupt:
            if last is None:
                raise
            interrupted, reason = True, "the training was interrupted"
        self._write_later()
        final = self._best[1] if self._best is not None else last
        assert final is not None
        weights = final.objective.settled_weights(final.theta)
        value = final.total
        if final.objective is not self.objective or math.isnan(value):
            value = self.objective.total(final.theta)
        return Outcome(weights, value, max(n_iter, 0), converged, reason, interrupted)

    def _without_rows(self, iterate: Iterate) -> Iterate:
        """An iterate of a subsample that does not hold it: its value on all rows is not known."""
        return replace(iterate, objective=self.objective, value=math.nan)

    def _ended(self, solver, iterate, goal, progress) -> tuple[bool, str] | None:
        """Whether the optimum is reached or the solver can do no better: (converged, reason)."""
        value = iterate.total
        if not math.isfinite(value):
            return False, "the objective is no longer finite: the training diverged"
        if solver.tol_is_progress:
            if progress.runs_out(value) and not self.stopping.early_stopping:
                return True, "the objective no longer falls"
        else:
            left = self._left(iterate, value)
            # The share of the gain that `tol` allows costs no look at the rows. "auto" asks for
            # more than that, of solvers that can.
            allowed, ends = goal.target(value), iterate.last and not iterate.message
            if left <= allowed and (ends or left <= goal.target(value, iterate.theta)):
                return self._reached(iterate, allowed)
        if iterate.last:
            # More is left than `tol` allows, or nobody knows.
            reached = solver.tol_is_progress and not iterate.message
            return reached, iterate.message or "the solver can do no better"
        return None

    def _reached(self, iterate: Iterate, target: float) -> tuple[bool, str]:
        """Whether the optimum is still one once weights are in the units of X: (converged, reason).

        Solvers have centred and scaled columns to work with, in which digits are not lost.
        """
        lost, columns = self.objective.lost_in_units(iterate.theta)
        if not lost > target:
            return True, "the optimum is reached"
        shown = ", ".join(map(str, columns[:10])) + (", ..." if len(columns) > 10 else "")
        return False, (
            f"the weights of columns {shown} are so large that z, in which their terms cancel, "
            "keeps too few digits. Drop one of columns that depend on each other"
        )

    def _left(self, iterate: Iterate, value: float) -> float:
        """What is left to the optimum: no more than all of it, where the loss ends at zero."""
        gap = iterate.gap
        if not self.objective.pair.loss.nonnegative:
            return gap
        return value if math.isnan(gap) else min(gap, value)

    def _stops_early(self, iterate, validation_loss, patience) -> bool:
        if not self.stopping.early_stopping or validation_loss is None:
            return False
        if self._best is None or validation_loss < self._best[0]:
            self._best = (validation_loss, iterate)
        return patience.runs_out(validation_loss)

    def _record(self, iterate: Iterate, n_iter: int, elapsed: float) -> tuple[bool, float | None]:
        """Keep, print and hand on one iterate; return (asked to stop, validation loss)."""
        validation_loss, stop = None, False
        if self.validation is not None or self.on_iterate is not None:
            weights = iterate.objective.settled_weights(iterate.theta)
            if self.validation is not None:
                validation_loss = self._validation_loss(weights)
            if self.on_iterate is not None:
                stop = self.on_iterate(*weights, n_iter_=n_iter, objective_=iterate.total)
        if self.verbose:
            self._print(iterate, n_iter, validation_loss)
        if self.history.record is not False:
            self._keep(Measured.of(iterate, n_iter, elapsed, validation_loss))
        return bool(stop), validation_loss

    def _keep(self, measured: Measured) -> None:
        """Put an iterate with those to be written into the history together.

        Those that history would thin out stay only until the next one comes.
        """
        if self._unwritten and not self._last_is_wanted:
            self._unwritten.pop()
        self._last_is_wanted = self.history.wants(self._n_seen)
        self._n_seen += 1
        self._unwritten.append(measured)
        n = len(self._unwritten) - (not self._last_is_wanted)
        if n >= UNWRITTEN or n * measured.theta.nbytes >= UNWRITTEN_BYTES:
            self._write()

    def _write(self) -> None:
        if self._unwritten:
            columns = columns_of_history(self.objective, self._unwritten)
            self.history.extend(columns, self._n_seen)
        self._unwritten, self._n_seen, self._last_is_wanted = [], 0, True

    def _write_later(self) -> None:
        """Write the last iterates once somebody wants to see them; what rows tell of them, now."""
        if self._unwritten:
            flat = flat_shares(self.objective, self._unwritten)
            frame = self.objective.without_rows()
            write = partial(columns_of_history, frame, self._unwritten, flat)
            self.history.extend_later(write, self._n_seen)

    def _validation_loss(self, weights) -> float:
        assert self.validation is not None
        theta = self.validation.from_weights(*weights)
        return float((self.validation.value(theta) - self.validation.l2_value(theta)).sum())

    def _print(self, iterate: Iterate, n_iter: int, validation_loss) -> None:
        words = [
            f"[{self.name}] iteration {n_iter}",
            f"objective {iterate.total:.8g}",
        ]
        # The last step may be taken without a look at the slope where it ends.
        if not np.isnan(iterate.gradient_norm):
            words.append(f"gradient {iterate.gradient_norm:.2g}")
        if np.isfinite(iterate.gap):
            words.append(f"to the optimum {iterate.gap:.2g}")
        if iterate.objective is not self.objective:
            words.append(f"on {iterate.objective.source.n_rows} rows")
        if validation_loss is not None:
            words.append(f"validation loss {validation_loss:.6g}")
        print("  ".join(words), flush=True)


class Measured(NamedTuple):
    """What is kept of an iterate until it is written: not its objective, which may hold rows."""

    n_iter: int
    elapsed: float
    n_rows: int
    value: float
    step_size: float
    theta: np.ndarray
    gradient: float | np.ndarray
    validation_loss: float | None = None

    @classmethod
    def of(
        cls, iterate: Iterate, n_iter: int, elapsed: float, validation_loss: float | None = None
    ) -> Measured:
        """An iterate with what the training loop adds to it."""
        n_rows = iterate.objective.source.n_rows
        step = iterate.value, iterate.step_size, iterate.theta, iterate.gradient
        return cls(n_iter, elapsed, n_rows, *step, validation_loss)


def flat_shares(objective: Objective, measured: list[Measured]) -> dict[str, np.ndarray]:
    """Shares of the rows on which neurons are dead or saturated, where they can be."""
    column = FLAT_COLUMNS.get(objective.activation.flat or "")
    if column is None:
        return {}
    return {column: objective.flat_fraction(np.array([each.theta for each in measured]))}


def columns_of_history(
    objective: Objective, measured: list[Measured], flat: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """What history keeps of iterates, all of them in one go.

    A small training is over in a few hundred microseconds; to look at each of its iterates by
    itself would take as long again. `objective` may be that of any rows, as all have its
    coordinates, or of none if `flat` has the `flat_shares`.
    """
    *numbers, thetas, gradients, validation_loss = zip(*measured, strict=True)
    thetas = np.array(thetas)
    iteration, elapsed, n_rows, value, step_size = map(np.array, numbers)
    l2 = np.add.reduce(objective.l2_value(thetas), axis=-1)
    l1 = objective.l1_value(thetas).sum(axis=-1) if objective.penalty.l1 else 0.0
    columns = {
        "iteration": iteration,
        "elapsed": elapsed,
        "n_rows": n_rows,
        "loss": value - l2,
        "penalty": l1 + l2,
        "objective": value + l1,
        "gradient_norm": _gradient_norms(objective, gradients),
        "step_size": step_size,
    }
    columns.update(zip(objective.weight_names, objective.settled_weights(thetas), strict=True))
    if validation_loss[0] is not None:
        columns["validation_loss"] = np.array(validation_loss)
    columns.update(flat_shares(objective, measured) if flat is None else flat)
    return columns


def _gradient_norms(objective: Objective, given: Sequence[float | np.ndarray]):
    """Norms of the iterates' gradients; those not taken yet, all at once."""
    untaken = [gradient for gradient in given if isinstance(gradient, np.ndarray)]
    if not untaken:
        return np.array(given)
    norms = iter(objective.weight_gradient_norm(np.array(untaken)).tolist())
    return np.array([next(norms) if isinstance(g, np.ndarray) else g for g in given])
