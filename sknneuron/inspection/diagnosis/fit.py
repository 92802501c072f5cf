"""Checks of what the fit came to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ..covariance import separated
from .base import Check
from .data import DOMINATED, FEW, MOST_COLUMNS
from .finding import Finding

# Share of the loss below which weights explain nothing.
NOTHING = 0.01
MANY_ROWS = 100
# So few rows show nothing either way.
FEW_ROWS = 10
# Part of the gain that a penalty may cost before it is called too strong.
COSTS = 0.25
# The same where larger weights always win: of classes, and of rows that are few for the columns.
COSTS_NEARLY_ALL = 0.9
# Per-column share of that, and of the curvature, past which a column in small units is named.
COLUMN_COSTS = 5e-3
BITTEN = 0.5
SMALL_UNITS = 0.5
SCALES_APART = 1e2
# Share of the curvature at which a penalty is moderate.
MODERATE = 1e-3
# Share of the curvature at which a penalty is hardly felt.
HARDLY_FELT = 0.02


class Underfit(Check):
    """Weights that explain nothing: a neuron with a bias alone would do."""

    code = "UNDERFIT"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        yield from self._of_constant_target(subject)
        explained = subject.explained
        span = subject.null_loss - subject.least_loss
        whole = subject.explained_in_all
        n_rows = subject.evidence.X.shape[0]
        if n_rows < FEW_ROWS or not np.any(span > 0):
            return
        # As much as columns of noise would explain; among few rows that may be a good deal. Where
        # it is most of all there is, a penalty tells more than the share.
        n_used = subject.n_used_inputs
        by_chance = n_used / n_rows if n_rows >= max(MANY_ROWS, 2 * n_used) else 0.0
        if whole < NOTHING + by_chance:
            if self._without_largest(subject) >= NOTHING + by_chance:
                return  # A few rows make the loss, and all the others are explained.
            advice, params = self._cure(subject)
            no_more = f", and columns of noise {by_chance:.1%}" if by_chance > NOTHING else ""
            yield Finding(
                self.code,
                "warning",
                float(whole),
                f"The weights explain {max(whole, 0):.1%} of the loss{no_more}: a neuron with a "
                "bias alone does as well.",
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
    def _of_constant_target(subject) -> Iterator[Finding]:
        """Targets that are all the same."""
        y = subject.evidence.y
        if len(y) < FEW_ROWS or (subject.is_classifier and not subject.is_multilabel):
            return
        constant = subject.constant_targets
        for k in constant:
            said = f"All {len(y)} targets{subject.of_neuron(k)} are {y[0, k]:.6g}"
            if subject.is_multilabel:
                label = subject.evidence.inside.neuron_names[k]
                said = (
                    f"{'All' if y[0, k] > 0 else 'None of the'} {len(y)} rows have label {label!r}"
                )
            yield Finding(
                "UNDERFIT",
                "warning" if len(constant) == y.shape[1] else "info",
                0.0,
                f"{said}: there is nothing to explain.",
                "Check how y was made: a filter, a join or a default may have left one value.",
            )

    @staticmethod
    def _without_largest(subject) -> float:
        """Share of the loss that the weights explain on all but a few rows."""
        if subject.is_classifier:
            return 0.0
        evidence, pair = subject.evidence, subject.pair
        lost, start = (
            (evidence.weight[:, None] * pair.derivatives(evidence.y, z, 0)[0]).sum(axis=1)
            for z in (evidence.z, subject.null_z)
        )
        n_few = int(np.ceil(FEW * len(start)))
        rest = np.argsort(start, kind="stable")[:-n_few]
        if start[rest].sum() > (1 - DOMINATED) * start.sum():
            return 0.0
        return float(1 - lost[rest].sum() / max(start[rest].sum(), 1e-300))

    def _cure(self, subject) -> tuple[str, dict]:
        neuron = subject.neuron
        if not np.any(subject.scale):
            return "No column varies: check how X was made.", {}
        if neuron.early_stopping and not np.any(subject.evidence.inside.coef):
            return (
                "No step did better on the validation rows than the start: check that X_val and "
                "y_val are made as X and y are (validation_fraction: that there are enough rows), "
                "or set early_stopping=False.",
                {"early_stopping": False},
            )
        if self._penalty_is_why(subject):
            return too_strong(subject)
        return (
            "The columns say nothing about y as they are: add features that bend or combine them "
            "(SplineTransformer, PolynomialFeatures), and check that the rows of X and y belong "
            "together.",
            {},
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
        n_rows, n_inputs = subject.evidence.X.shape
        is_wide = n_rows <= 2 * n_inputs
        if subject.pair.loss.in_units_of_y or not subject.has_curvature or is_wide:
            yield from self._by_larger_weights(subject, is_wide or subject.is_classifier)
            return
        # What a step would win knows nothing of an L1 penalty, for which convergence has to do.
        is_optimum = subject.evidence.penalty[0] > 0 and subject.neuron.converged_
        if not is_optimum and subject.unused_gain(with_penalty=True) > 0.05 * max(subject.gain, 0):
            return  # What is missing is the training's fault, or these are not its rows.
        lost = subject.unused_gain(with_penalty=False)
        total = lost + max(subject.gain, 0.0)
        if total <= 0 or lost < COSTS * total:
            return
        # Freed weights always win something: it should be more than they would from noise alone.
        n_weights = n_inputs * subject.n_neurons
        units = 2 * subject.evidence.total_weight * lost / max(self._noise(subject, lost), 1e-300)
        if units > 3 * n_weights:
            yield self._finding(subject, lost / total)

    def _by_larger_weights(self, subject, always_win: bool):
        """Where there is no curvature to go by: whether the same weights, only larger, win."""
        if not np.any(subject.evidence.inside.coef):
            # Where no column varies, or no target, the penalty takes nothing away.
            if subject.scale.any() and len(subject.constant_targets) < subject.n_neurons:
                yield self._finding(subject, 1.0)
            return
        if not subject.neuron.converged_:
            return  # The training may be why.
        if always_win and subject.pair.loss.margin:
            return  # Which side of its margin a row is on may be right all the same.
        lost = subject.gain_of_larger_weights
        total = lost + max(subject.gain, 0.0)
        if total > 0 and lost >= (COSTS_NEARLY_ALL if always_win else COSTS) * total:
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
    if _units_are_why(subject):
        return (
            "Put StandardScaler before the neuron, in a Pipeline: in such small units a weight "
            f"has to be large, and alpha={subject.neuron.alpha:g} holds it down.",
            {},
        )
    alpha = float(subject.neuron.alpha) / 1000
    if subject.has_curvature:
        curvature = subject.column_curvature.max(axis=0)
        typical = np.median(curvature[curvature > 0]) if np.any(curvature > 0) else 1.0
        alpha = min(alpha, MODERATE * float(typical))
    else:
        alpha = min(alpha, MODERATE * float(np.abs(subject.weight_gradient).max()))
    alpha = float(f"{alpha:.0e}")
    advice = f"Lower alpha to {alpha:g}, or choose it by cross-validation (GridSearchCV)."
    if not subject.is_classifier and subject.pair.loss.in_units_of_y:
        advice += (
            f" loss='{subject.pair.loss.name}' counts units of y and the penalty their squares: "
            "where y is large, scale it with TransformedTargetRegressor."
        )
    return advice, {"alpha": alpha}


def _units_are_why(subject) -> bool:
    """Whether the same penalty would hardly be felt by the columns if they were standardised."""
    if not subject.has_curvature:
        return False
    varying = subject.scale > 0
    if not np.any(varying) or subject.scale[varying].min() > SMALL_UNITS:
        return False
    scale, (l1, l2) = subject.scale[varying], subject.evidence.penalty
    curvature = subject.column_curvature.max(axis=0)[varying]
    slope = np.abs(subject.weight_gradient).max(axis=0)[varying]
    return bool(
        l1 <= HARDLY_FELT * np.max(slope / scale)
        and l2 < HARDLY_FELT * np.median(curvature / scale**2)
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
        about = float(f"{ratio:.2g}")
        said = f"{about:,.0f}" if about < 1e6 else f"{about:g}"
        message = f"Columns differ in scale by a factor of {said} ({low!r} to {high!r})"
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
            if subject.is_multilabel and members[0] in subject.constant_targets:
                continue  # The bias alone gets them right.
            if not separated(subject.evidence, members):
                yield from self._one_sided(subject, members)
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

    @staticmethod
    def _one_sided(subject, members) -> Iterator[Finding]:
        """Two-valued columns of which one value has no row of some class."""
        if subject.neuron.alpha > 0 or not subject.pair.convex:
            return
        evidence, counted = subject.evidence, subject.evidence.weight > 0
        is_class, names = _class_masks(subject, members)
        found: list[int] = []
        said = ""
        for j in np.flatnonzero(subject.is_two_valued & (subject.scale > 0))[:MOST_COLUMNS]:
            x = evidence.X[:, [j]]
            x = x.toarray().ravel() if sparse.issparse(x) else x.ravel()
            for value in (x.max(), x.min()):
                there = (x == value) & counted
                absent = np.flatnonzero(
                    ~is_class[there].any(axis=0) & is_class[counted].any(axis=0)
                )
                if there.sum() < 2 or not len(absent):
                    continue
                raw = subject.raw_value(int(np.flatnonzero(there)[0]), j)
                said = said or (
                    f"None of the {there.sum()} rows with {raw:g} in column {subject.names[j]!r} "
                    f"is of class '{names[absent[0]]}'"
                )
                found.append(int(j))
                break
        if not found:
            return
        more, its = "", "its weight has"
        if len(found) > 1:
            more, its = f" (and {len(found) - 1} more columns are like it)", "their weights have"
        yield Finding(
            "SEPARABLE",
            "warning",
            float(len(found)),
            f"{said}{more}, so with alpha=0 {its} no best value: growth ends with the training.",
            "Set alpha=0.0001, or merge such levels with others.",
            params={"alpha": 1e-4},
            features=tuple(subject.names[j] for j in found),
        )


def _class_masks(subject, members):
    """Masks of the rows of each class that these neurons tell apart, and the classes' names."""
    y, classes = subject.evidence.y, subject.neuron.classes_.tolist()
    if y.ndim == 1:
        return y[:, None] == np.arange(len(classes)), classes
    is_class = y[:, members] > 0
    if len(classes) == 2 and subject.n_neurons == 1:
        return np.column_stack([~is_class, is_class]), classes
    return np.column_stack([is_class, ~is_class]), [
        classes[members[0]],
        f"not {classes[members[0]]}",
    ]
