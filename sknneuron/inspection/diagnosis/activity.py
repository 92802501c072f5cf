"""Checks of what the activation does with the weighted sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Check
from .finding import Finding

# Share of rows past which a neuron at its limit is worth a word.
MOSTLY = 0.5


class Dead(Check):
    """A relu-like neuron that no row wakes: nothing moves its weights any more."""

    code = "DEAD"

    def __call__(self, subject) -> Iterator[Finding]:
        if subject.pair.activation.flat != "dead":
            return
        share = subject.pair.activation.is_flat(subject.evidence.z).mean(axis=0)
        name = subject.pair.activation.name
        params: dict[str, object]
        for k in np.flatnonzero(share == 1):
            above = subject.evidence.y[:, k] > 0 if subject.has_targets else np.ones(1)
            # Rows above the threshold would have kept it awake, had they found it so.
            came_dead = above.any() and (subject.is_stochastic or subject.neuron.warm_start)
            if came_dead:
                advice = "Train anew with solver='auto' and warm_start=False."
                params = {"solver": "auto", "warm_start": False, "learning_rate_init": "auto"}
            elif above.mean() < 1 - MOSTLY:
                advice = (
                    "Most targets lie at or below the activation's floor: use "
                    "activation='identity', or shift y with TransformedTargetRegressor(regressor="
                    "..., transformer=MinMaxScaler())."
                )
                params = {"activation": "identity"}
            else:
                advice = "Use activation='leaky_relu', whose slope never vanishes."
                params = {"activation": "leaky_relu"}
            yield Finding(
                self.code,
                "error",
                1.0,
                f"activation='{name}' is inactive on all {subject.evidence.n_rows} rows"
                f"{subject.of_neuron(k)}: no row moves its weights.",
                advice,
                params=params,
            )


class Saturated(Check):
    """Levels at their limit on most rows, so that the gradient vanishes where it is needed."""

    code = "SATURATED"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        pair = subject.pair
        if pair.activation.flat != "saturated":
            return
        flat = pair.activation.is_flat(subject.evidence.z)
        share = flat.mean(axis=0)
        sure = []
        for k in map(int, np.flatnonzero(share > MOSTLY)):
            if not self._error_at_the_limit(subject, flat, k):
                sure.append(k)
                continue
            yield Finding(
                self.code,
                "warning",
                float(share[k]),
                f"The level of activation='{pair.activation.name}' is at its limit on "
                f"{share[k]:.0%} of the rows{subject.of_neuron(k)}, and most of the loss is on "
                "them: no gradient reaches it.",
                *self._cure(subject, k),
            )
        if sure:
            yield Finding(
                self.code,
                "info",
                float(share[sure].max()),
                f"The level of activation='{pair.activation.name}' is at its limit on "
                f"{share[sure].max():.0%} of the rows{subject.of_neurons(sure)}: there it answers "
                "to no small change of a feature.",
                "Nothing, if predictions are meant to be that sure; a larger alpha makes them less "
                "so.",
            )

    @staticmethod
    def _error_at_the_limit(subject, flat, k: int) -> bool:
        """Whether the loss that is left sits where the gradient is gone."""
        pair, evidence = subject.pair, subject.evidence
        if pair.convex or pair.loss.name != "squared_error":
            return False
        terms = evidence.weight * evidence.derivatives(0)[0][:, k]
        lost = terms[flat[:, k]].sum() > MOSTLY * terms.sum()
        return bool(lost and subject.explained[k] < 0.9)

    @staticmethod
    def _cure(subject, k: int) -> tuple[str, dict]:
        low, high = subject.pair.activation.range
        y = subject.evidence.y
        if not subject.is_classifier and np.mean((y[:, k] < low) | (y[:, k] > high)) > 0.05:
            return (
                "The targets are out of its reach: scale y with TransformedTargetRegressor("
                "regressor=..., transformer=MinMaxScaler()).",
                {},
            )
        return (
            "Train anew with solver='auto' and warm_start=False, from a start chosen by the data.",
            {"solver": "auto", "warm_start": False, "learning_rate_init": "auto"},
        )


class TargetRange(Check):
    """Targets that no level can reach."""

    code = "TARGET_RANGE"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        low, high = subject.pair.activation.range
        if subject.is_classifier or (np.isinf(low) and np.isinf(high)):
            return
        y = subject.evidence.y
        outside = (y < low) | (y > high)
        for k in np.flatnonzero(outside.any(axis=0)):
            share, worst = outside[:, k].mean(), y[outside[:, k], k][0]
            yield Finding(
                self.code,
                "warning",
                float(share),
                f"{share:.1%} of the targets are out of reach of activation="
                f"'{subject.pair.activation.name}', whose levels lie between {low:g} and {high:g} "
                f"(y contains {worst:g}){subject.of_neuron(k)}.",
                "Scale y into the range with TransformedTargetRegressor(regressor=..., "
                "transformer=MinMaxScaler()), or use activation='identity'.",
                params={"activation": "identity"},
                rows=tuple(subject.row_numbers[outside[:, k]][:20].tolist()),
            )
