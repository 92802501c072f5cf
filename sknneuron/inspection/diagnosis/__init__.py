"""A doctor for neurons: what is wrong with a fit, the number that shows it, and what to do."""

from __future__ import annotations

import numpy as np
from sklearn.utils import indexable

from ..._sklearn_compat import num_samples, safe_indexing
from ..columns import to_numpy
from ..evidence import gather
from ..networks import ends_in_layer, is_layer, layers_before
from ..specialisation import Levels
from ..units import unfold, unfold_layer
from .activity import Dead, Saturated, TargetRange
from .base import Check
from .data import Collinear, ConstantFeature, Imbalanced, Leak, Outliers
from .finding import Diagnosis, Finding
from .fit import Overpenalised, Separable, Underfit, Unscaled
from .layer import check_units
from .marks import MissingMark
from .subject import Subject
from .training import Diverged, NotConverged, Oscillating, OtherRows, Overfit, Stuck

__all__ = ["CHECKS", "Check", "Diagnosis", "Finding", "Subject", "diagnose"]

CHECKS: dict[str, type[Check]] = {
    check.code: check
    for check in (
        Dead,
        Diverged,
        NotConverged,
        Saturated,
        TargetRange,
        Underfit,
        Overpenalised,
        Unscaled,
        Stuck,
        Oscillating,
        Overfit,
        Separable,
        Collinear,
        ConstantFeature,
        MissingMark,
        Imbalanced,
        Outliers,
        Leak,
        OtherRows,
    )
}
"""Every check by its code."""

# What can be said of hidden neurons, which have no targets of their own.
LAYER_CHECKS: dict[str, type[Check]] = {
    check.code: check for check in (Diverged, NotConverged, Oscillating, Overfit, ConstantFeature)
}
"""Checks of a layer by their codes; `check_units` looks at its neurons."""

# Said of columns, not of the levels of hidden neurons, which are made to tell y.
OF_COLUMNS = {"LEAK", "COLLINEAR", "UNSCALED", "CONSTANT_FEATURE", "MISSING_MARK"}
# Findings that others among them explain: one cause is said once.
CONSEQUENCES = {
    "UNDERFIT": {
        "DEAD",
        "DIVERGED",
        "STUCK",
        "SATURATED",
        "OVERPENALISED",
        "OUTLIERS",
        "NOT_CONVERGED",
    },
    "OVERPENALISED": {"UNSCALED"},
    "NOT_CONVERGED": {"DIVERGED"},
    "OUTLIERS": {"DIVERGED", "STUCK"},
}
# Rows past which evenly spaced ones do for a diagnosis.
MOST_ROWS = 100_000


def diagnose(estimator, X, y=None, sample_weight=None) -> Diagnosis:
    """Look for what is wrong with a fit.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        Fitted; see :func:`unfold`. Of a NeuronLayer, alone or before a neuron, the hidden neurons
        are looked at: DEAD, SATURATED and DUPLICATE ones are named.
    X : DataFrame or array-like of shape (n_samples, n_features), dense or sparse
    y, sample_weight : array-like, default=None
        The rows that it was fitted on. Without y, checks that need targets are left out. Rows
        without weight are not looked at; of more than 100,000 as many evenly spaced ones are.

    Returns
    -------
    diagnosis : Diagnosis
        Findings (`code`, `severity`, `value`, `message`, `advice`, ...), the gravest first. It
        prints, has `to_frame()`, and is True if any finding is a warning or an error.

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`.
    NotFittedError
        If it is not fitted.
    ValueError
        For rows that it does not take, and for X, y and sample_weight that do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import diagnose
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = X[:, 0] + 0.1 * X[:, 1] ** 3
    >>> diagnose(NeuronRegressor().fit(X, y), X, y)
    Nothing to report on this neuron.
    >>> found = diagnose(NeuronRegressor(alpha=100).fit(X, y), X, y)
    >>> found.codes, bool(found)
    (['OVERPENALISED'], True)
    """
    inside = unfold(estimator, X)
    numbers, (X, y, sample_weight) = _looked_at(X, y, sample_weight)
    subject = Subject(gather(inside, X, y, sample_weight), numbers)
    of_layer = is_layer(inside.neuron)
    layers = list(layers_before((*inside.steps, inside.neuron)))
    reads_layer = ends_in_layer(inside.steps)
    findings = [
        finding
        for code, check in (LAYER_CHECKS if of_layer else CHECKS).items()
        if subject.has_targets or not check.needs_targets
        if not (reads_layer and code in OF_COLUMNS)
        for finding in check()(subject)
    ]
    for i, (layer, steps) in enumerate(layers):
        levels = Levels.of(unfold_layer(layer, steps, X), X, sample_weight)
        where = f" of layer {i}" if len(layers) > 1 else "" if of_layer else " of the layer"
        findings += check_units(levels, where)
    grave = {finding.code for finding in findings if finding.severity != "info"}
    findings = [f for f in findings if not CONSEQUENCES.get(f.code, set()) & grave]
    return Diagnosis(findings, "layer" if of_layer else "network" if layers else "neuron")


def _looked_at(X, y, sample_weight):
    """Return the numbers of the rows to look at, and X, y and sample_weight of these."""
    n_rows = num_samples(X)
    numbers = np.arange(n_rows)
    if sample_weight is not None:
        counts = to_numpy(sample_weight).ravel() != 0
        # What does not go together `gather` refuses.
        numbers = numbers[counts] if len(counts) == n_rows and counts.any() else numbers
    numbers = numbers[:: max(-(-len(numbers) // MOST_ROWS), 1)]
    given = X, y, sample_weight
    if len(numbers) == n_rows:
        return numbers, given
    return numbers, [None if a is None else safe_indexing(a, numbers) for a in indexable(*given)]
