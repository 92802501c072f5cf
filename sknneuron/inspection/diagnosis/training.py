"""Checks of how the training went."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from ...losses import Huber
from .base import Check
from .finding import Finding

AUTO = {"solver": "auto", "learning_rate_init": "auto"}
# Rise of the objective from start to end, as a share of it, that is no rounding.
ROSE = 1e-3
# Share of the loss "explained" by weights that are far worse than none.
WORSE = -10.0
# Share of what there was to gain that may be left after a stochastic training.
LEFT = 0.1
# Ups of the objective, as a share of its fall, past which it goes to and fro.
RESTLESS = 0.5
# Part of the usual delta of a Huber loss below which nearly every row is an outlier to it.
TINY_DELTA = 0.01
# Rows for each column from which what is left to gain is not their noise alone.
ROWS_A_COLUMN = 10
# Chance at which noise explains as much as columns do, past which these may be noise.
SIGNIFICANT = 0.05
JUDGE_ELSEWHERE = "Judge it on other rows (cross_val_score), and choose alpha by them."


class Diverged(Check):
    """Steps so large that the objective rose instead of falling."""

    code = "DIVERGED"

    def __call__(self, subject) -> Iterator[Finding]:
        neuron, history = subject.neuron, subject.history
        objective = history.get("objective", np.zeros(0))
        blew_up = not np.all(np.isfinite(objective)) or not np.all(
            np.isfinite(subject.evidence.inside.coef)
        )
        # A stochastic training has no other reason to end early without having converged.
        gave_up = (
            subject.is_stochastic
            and not neuron.converged_
            and neuron.n_iter_ < neuron.max_iter
            and not subject.in_parts
        )
        worse = (
            subject.is_stochastic
            and len(objective) > 1
            and objective[-1] > objective[0] + ROSE * abs(objective[0])
            # Each call of partial_fit has rows of its own: only these here can be compared.
            and (not subject.in_parts or (subject.has_targets and subject.explained.min() < WORSE))
        )
        if blew_up or gave_up or worse:
            rate = neuron.learning_rate_init
            yield Finding(
                self.code,
                "error",
                float(objective[-1]) if len(objective) else np.nan,
                f"The training diverged: with learning_rate_init={rate!r} the steps of "
                f"solver='{subject.solver}' overshoot.",
                *other_steps(subject),
            )


class NotConverged(Check):
    """The training ended before the optimum was reached."""

    code = "NOT_CONVERGED"

    def __call__(self, subject) -> Iterator[Finding]:
        neuron = subject.neuron
        if neuron.converged_:
            return
        if subject.in_parts:
            yield self._in_parts(subject)
            return
        max_iter = max(1000, 10 * neuron.max_iter)
        n_iterations = f"{neuron.n_iter_} iteration{'s' if neuron.n_iter_ > 1 else ''}"
        params: dict[str, object]
        if self._delta_is_tiny(subject):
            delta = subject.robust_delta(0)
            reason = f"delta={subject.pair.loss.delta:g} is tiny beside the spread of y"
            advice = f"Use loss=Huber(delta={delta:g}), or scale y with TransformedTargetRegressor."
            params = {"loss": Huber(delta), "max_iter": max(1000, neuron.max_iter)}
        elif neuron.n_iter_ >= neuron.max_iter:
            reason = f"max_iter={neuron.max_iter} was reached"
            is_auto = all(getattr(neuron, name) == value for name, value in AUTO.items())
            advice = f"Use solver='auto' and max_iter={max_iter}."
            if is_auto:
                advice = f"Raise max_iter to {max_iter}."
            params = {**AUTO, "max_iter": max_iter}
        else:
            reason = "the solver could do no better, diverged, or was interrupted"
            advice = "Scale the columns (StandardScaler), set alpha > 0, and use solver='auto'."
            params = {**AUTO, "alpha": max(float(neuron.alpha), 1e-4)}
        yield Finding(
            self.code,
            "warning",
            float(neuron.n_iter_),
            f"solver='{subject.solver}' ended after {n_iterations} without reaching the "
            f"optimum: {reason}.",
            advice,
            params=params,
        )

    @staticmethod
    def _delta_is_tiny(subject) -> bool:
        if not subject.has_targets or subject.pair.loss.name != "huber":
            return False
        return subject.pair.loss.delta < TINY_DELTA * subject.robust_delta(0)

    def _in_parts(self, subject) -> Finding:
        n_calls = subject.neuron.n_iter_
        calls = f"Trained by {n_calls} calls of partial_fit, which has no end to converge to"
        n_rows, n_inputs = subject.evidence.X.shape
        # Few rows always leave something to gain: by fitting their noise.
        can_tell = n_rows >= ROWS_A_COLUMN * n_inputs and subject.has_curvature
        if can_tell and (share := share_left(subject)) > LEFT:
            return Finding(
                self.code,
                "warning",
                share,
                f"{calls}, and {share:.0%} of what there is to gain on these rows is still to be "
                "had.",
                "Give partial_fit the rows in random order, in larger batches or with a lower "
                "learning_rate_init, or `fit` all of them.",
            )
        return Finding(
            self.code,
            "info",
            float(n_calls),
            f"{calls}.",
            "Nothing, while rows keep coming; `fit` finds the optimum on all rows.",
        )


class OtherRows(Check):
    """Rows, targets or sample weights that are not those of the fit."""

    code = "OTHER_ROWS"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        neuron = subject.neuron
        ended_elsewhere = neuron.early_stopping or subject.is_stochastic or not neuron.converged_
        # Steps know nothing of an L1 penalty.
        if ended_elsewhere or subject.evidence.penalty[0] > 0 or not subject.has_curvature:
            return
        share = share_left(subject)
        if share <= LEFT:
            return
        cause = "they are not those of the fit"
        advice = (
            "Give the X, y and sample_weight that the neuron was fitted on; on others no finding "
            "says anything about the fit."
        )
        if subject.evidence.inside.cross_fits:
            cause = "TargetEncoder coded them otherwise in the fit, without their own targets"
            advice = "Nothing, if the rows are those of the fit: findings are of the codes of now."
        yield Finding(
            self.code,
            "info",
            share,
            f"The training converged, and yet {share:.0%} of what there is to gain on these rows "
            f"is still to be had: {cause}.",
            advice,
        )


class Stuck(Check):
    """Steps so small that the training ends, or runs out, far from the optimum."""

    code = "STUCK"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        if not (subject.is_stochastic and subject.has_curvature):
            return
        if subject.neuron.early_stopping or not np.all(np.isfinite(subject.evidence.z)):
            return
        if subject.in_parts and subject.neuron.learning_rate_init == "auto":
            return  # NOT_CONVERGED says it.
        share = share_left(subject)
        gave_up = subject.neuron.n_iter_ <= 1
        if share < LEFT or gave_up or restlessness(subject) > RESTLESS:
            return
        rate = subject.neuron.learning_rate_init
        yield Finding(
            self.code,
            "warning",
            share,
            f"{share:.0%} of what there is to gain is still to be had: with "
            f"learning_rate_init={rate!r} the steps of solver='{subject.solver}' are too short.",
            *other_steps(subject),
        )


class Oscillating(Check):
    """Steps so large that the objective goes to and fro."""

    code = "OSCILLATING"

    def __call__(self, subject) -> Iterator[Finding]:
        if not subject.is_stochastic:
            return
        value = restlessness(subject)
        # Calls of partial_fit may have had other rows each, and rise and fall with those.
        if subject.in_parts and (
            subject.neuron.learning_rate_init == "auto"
            or not (subject.has_curvature and share_left(subject) > LEFT)
        ):
            return
        if value > RESTLESS:
            yield Finding(
                self.code,
                "warning",
                value,
                f"The objective goes to and fro: its ups sum to {value:.0%} of its whole fall. "
                f"With learning_rate_init={subject.neuron.learning_rate_init!r} the steps of "
                f"solver='{subject.solver}' are too long.",
                *other_steps(subject),
            )


def other_steps(subject) -> tuple[str, dict]:
    """Advice on steps that are too long or too short, with parameters to set."""
    if subject.in_parts:
        if subject.neuron.learning_rate_init == "auto":
            return "Lower learning_rate_init and give larger batches, or `fit` all rows.", {}
        return "Leave learning_rate_init at 'auto', or `fit` all rows.", AUTO
    if subject.neuron.learning_rate_init == "auto":
        return "Use solver='auto'.", AUTO
    return "Leave learning_rate_init at 'auto', or use solver='auto'.", AUTO


def share_left(subject) -> float:
    """Return what is still to be had of all there is to gain."""
    left = subject.unused_gain(with_penalty=True)
    total = left + max(subject.gain, 0.0)
    return left / total if total > 0 else 0.0


def restlessness(subject) -> float:
    """Sum of the ups of the objective, as a share of its fall from the start to its least value."""
    objective = subject.history.get("objective", np.zeros(0))
    if len(objective) < 4 or not np.all(np.isfinite(objective)):
        return 0.0
    fall = objective[0] - objective.min()
    ups = np.maximum(np.diff(objective), 0).sum()
    return float(ups / fall) if fall > 0 else float(ups > 0)


class Overfit(Check):
    """The validation loss rises while the training loss still falls."""

    code = "OVERFIT"

    def __call__(self, subject) -> Iterator[Finding]:
        yield from self._rising_validation_loss(subject)
        if subject.has_targets:
            yield from self._as_many_weights_as_rows(subject)

    def _rising_validation_loss(self, subject) -> Iterator[Finding]:
        history = subject.history
        if "validation_loss" not in history or subject.neuron.early_stopping:
            return
        validation, loss = history["validation_loss"], history["loss"]
        validation, loss = validation[np.isfinite(validation)], loss[np.isfinite(validation)]
        if len(validation) < 3:
            return
        best = int(validation.argmin())
        rise = validation[-1] - validation[best]
        fell = validation[0] - validation[best]
        if rise > 0.1 * max(fell, 1e-12 * abs(validation[0])) and loss[-1] < loss[best]:
            yield Finding(
                self.code,
                "warning",
                float(rise / max(fell, 1e-300)),
                f"The validation loss was least, {validation[best]:.4g}, at iteration "
                f"{int(history['iteration'][best])} and rose to {validation[-1]:.4g} while the "
                "training loss fell on.",
                "Set early_stopping=True (with the same X_val, y_val), or raise alpha.",
                params={"early_stopping": True},
            )

    def _as_many_weights_as_rows(self, subject) -> Iterator[Finding]:
        n_rows, n_inputs = subject.evidence.X.shape
        exact = bool(np.all(subject.explained > 0.999))
        if n_inputs + 1 >= n_rows and exact:
            yield Finding(
                self.code,
                "info",
                float(n_inputs / n_rows),
                f"{n_inputs} columns are enough to fit {n_rows} rows exactly, whatever y is.",
                JUDGE_ELSEWHERE,
            )
        elif self._could_be_noise(subject, n_used := subject.n_used_inputs):
            yield Finding(
                self.code,
                "info",
                float(subject.explained_in_all),
                f"The weights explain {subject.explained_in_all:.1%} of the loss, and as many "
                f"columns of noise ({n_used}) would explain about {n_used / (n_rows - 1):.1%} of "
                f"it in {n_rows} rows: these may say nothing.",
                JUDGE_ELSEWHERE,
            )

    @staticmethod
    def _could_be_noise(subject, n_used: int) -> bool:
        """Whether columns that are many beside the rows do no better than noise, by an F test.

        Where they are few, UNDERFIT is the word.
        """
        n_left = subject.evidence.n_rows - n_used - 1
        explained = subject.explained_in_all
        if n_left < 1 or n_left >= n_used or subject.pair.loss.name != "squared_error":
            return False
        if subject.is_classifier or not 0 < explained < 1:
            return False
        ratio = explained / n_used / ((1 - explained) / n_left)
        freedom = subject.n_neurons * n_used, subject.n_neurons * n_left
        return bool(stats.f.sf(ratio, *freedom) > SIGNIFICANT)
