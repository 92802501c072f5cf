"""Checks of what the fit came to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..covariance import separated
from .base import Check
from .finding import Finding

# Share of the loss below which weights explain nothing.
NOTHING = 0.01
MANY_ROWS = 100
# So few rows show nothing either way.
FEW_ROWS = 10
# Part of the gain that a penalty may cost before it is called too strong.
COSTS = 0.25
# Per-column share of that, and of the curvature, past which a column in small units is named.
COLUMN_COSTS = 5e-3
BITTEN = 0.5
SMALL_UNITS = 0.5
SCALES_APART = 1e2
# Share of the curvature at which a penalty is moderate.
MODERATE = 1e-3


class Underfit(Check):
    """Weights that explain nothing: a neuron with a bias alone would do."""

    code = "UNDERFIT"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        explained = subject.explained
        span = subject.null_loss - subject.least_loss
        whole = 1 - (subject.loss - subject.least_loss).sum() / max(span.sum(), 1e-300)
        n_rows, n_inputs = subject.evidence.X.shape
        if n_rows < FEW_ROWS or not np.any(span > 0):
            return
        # As much as columns of noise would explain; among few rows that may be a good deal.
        by_chance = n_inputs / n_rows if n_rows >= MANY_ROWS else 0.0
        if whole < NOTHING + by_chance:
            if self._penalty_is_why(subject):
                advice, params = too_strong(subject)
            else:
                advice = (
                    "The columns say nothing about y as they are: add features that bend or "
                    "combine them (SplineTransformer, PolynomialFeatures), and check that the rows "
                    "of X and y belong together."
                )
                params = {}
            yield Finding(
                self.code,
                "warning",
                float(whole),
                f"The weights explain {max(whole, 0):.1%} of the loss: a neuron with a bias alone "
                "does as well.",
                advice,
                params=params,
            )
            return
        for k in np.flatnonzero(explained < NOTHING + by_chance) if len(explained) > 1 else ():
            yield Finding(
                self.code,
                "info",
                float(explained[k]),
                f"The weights explain {max(explained[k], 0):.1%} of the loss"
                f"{subject.of_neuron(k)}.",
                "Its columns may say nothing about this target.",
            )

    @staticmethod
    def _penalty_is_why(subject) -> bool:
        if subject.neuron.alpha == 0:
            return False
        if not subject.has_curvature:
            return not np.any(subject.evidence.inside.coef)
        return subject.unused_gain(with_penalty=False) > 0.05 * float(
            (subject.null_loss - subject.least_loss).sum()
        )


class Overpenalised(Check):
    """A penalty that costs a good part of what the columns could explain."""

    code = "OVERPENALISED"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        if subject.neuron.alpha == 0:
            return
        if not subject.has_curvature:
            if not np.any(subject.evidence.inside.coef):
                yield self._finding(subject, 1.0)
            return
        is_done = subject.neuron.converged_ and not subject.is_stochastic
        if not is_done and subject.unused_gain(with_penalty=True) > 0.05 * max(subject.gain, 0):
            return  # What is missing may be the training's fault.
        lost = subject.unused_gain(with_penalty=False)
        total = lost + max(subject.gain, 0.0)
        if total <= 0 or lost < COSTS * total:
            return
        # Freed weights always win something: it should be more than they would from noise alone.
        n_weights = subject.evidence.X.shape[1] * subject.n_neurons
        units = 2 * subject.evidence.total_weight * lost / max(self._noise(subject, lost), 1e-300)
        if units > 3 * n_weights and subject.evidence.n_rows > 2 * subject.evidence.X.shape[1]:
            yield self._finding(subject, lost / total)

    @staticmethod
    def _noise(subject, lost: float) -> float:
        """Dispersion that would be left without the penalty."""
        noise = subject.unexplained_noise
        if subject.pair.loss.fixed_dispersion or subject.is_classifier:
            return noise
        left = subject.loss.sum() - subject.least_loss.sum()
        return noise * max(1 - lost / left, 1e-3) if left > 0 else noise

    def _finding(self, subject, value: float) -> Finding:
        advice, params = too_strong(subject)
        return Finding(
            self.code,
            "warning",
            float(value),
            f"alpha={subject.neuron.alpha:g} costs {value:.0%} of what the columns could explain.",
            advice,
            params=params,
        )


def too_strong(subject) -> tuple[str, dict]:
    """Advice on an alpha that holds weights down, with one that does not."""
    alpha = float(subject.neuron.alpha) / 1000
    if subject.has_curvature:
        curvature = subject.column_curvature.max(axis=0)
        typical = np.median(curvature[curvature > 0]) if np.any(curvature > 0) else 1.0
        alpha = min(alpha, MODERATE * float(typical))
    else:
        alpha = min(alpha, MODERATE * float(np.abs(subject.weight_gradient).max()))
    alpha = float(f"{alpha:.0e}")
    return (
        f"Lower alpha to {alpha:g}, or choose it by cross-validation (GridSearchCV).",
        {"alpha": alpha},
    )


class Unscaled(Check):
    """Columns in units so far apart that the penalty, or a comparison of weights, is unfair."""

    code = "UNSCALED"

    def __call__(self, subject) -> Iterator[Finding]:
        scale = subject.scale
        varying = scale > 0
        if varying.sum() < 2:
            return
        ratio = scale[varying].max() / scale[varying].min()
        if ratio <= SCALES_APART:
            return
        bitten = self._bitten(subject, scale)
        low, high = (
            subject.names[np.where(varying, scale, np.inf).argmin()],
            subject.names[scale.argmax()],
        )
        message = f"Columns differ in scale by a factor of {ratio:.2g} ({low!r} to {high!r})"
        if len(bitten):
            yield Finding(
                self.code,
                "warning",
                float(ratio),
                f"{message}, and the penalty holds down those in small units: "
                f"{subject.named(bitten)}.",
                "Put StandardScaler before the neuron, in a Pipeline.",
                features=tuple(subject.names[j] for j in bitten),
            )
        elif not np.all(subject.is_two_valued[varying & (scale < scale.max() / SCALES_APART)]):
            yield Finding(
                self.code,
                "info",
                float(ratio),
                f"{message}: the training does not mind, but weights cannot be compared.",
                "Compare them with coef_table(..., scale='std'), or put StandardScaler before the "
                "neuron.",
            )

    @staticmethod
    def _bitten(subject, scale):
        """Columns in small units whose weights the penalty rather than the data decides."""
        l2 = subject.evidence.penalty[1]
        if not (l2 and subject.has_curvature):
            return np.zeros(0, dtype=int)
        curvature = subject.column_curvature
        coef = subject.evidence.inside.coef
        with np.errstate(divide="ignore", invalid="ignore"):
            share = l2 / (curvature.max(axis=0) + l2)
            won = 0.5 * ((l2 * coef) ** 2 / np.maximum(curvature, 1e-300)).sum(axis=0)
        worth = won > COLUMN_COSTS * max(subject.gain, 0.0)
        small = (subject.largest < SMALL_UNITS) & (scale > 0) & (scale < scale.max() / SCALES_APART)
        return np.flatnonzero(small & worth & (share > BITTEN))


class Separable(Check):
    """Classes that the weights tell apart without error: larger weights are always better."""

    code = "SEPARABLE"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        if not subject.is_classifier or subject.pair.loss.name != "log_loss":
            return
        for members in subject.groups:
            if not separated(subject.evidence, members):
                continue
            where = subject.of_neuron(members[0]) if len(members) == 1 else ""
            size = float(np.abs(subject.evidence.z[:, members]).max())
            if subject.neuron.alpha == 0:
                yield Finding(
                    self.code,
                    "warning",
                    size,
                    f"The classes separate perfectly{where}, so with alpha=0 no weights are the "
                    f"best: they grow until the training ends (|z| up to {size:.3g}).",
                    "Set alpha=0.0001.",
                    params={"alpha": 1e-4},
                )
            else:
                yield Finding(
                    self.code,
                    "info",
                    size,
                    f"The classes separate perfectly{where}; alpha={subject.neuron.alpha:g} alone "
                    "keeps the weights finite.",
                    "Check that no column gives the class away; choose alpha by cross-validation.",
                )
