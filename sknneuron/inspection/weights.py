"""The table of a neuron's weights: in whose units, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from .covariance import MOST_PARAMETERS, Precision, precision
from .evidence import Evidence, gather, pair_of
from .functions import (
    Function,
    evaluate,
    in_units_of_target,
    original_functions,
    raw_functions,
    std_functions,
)
from .networks import is_layer
from .units import Unfolded, unfold
from .words import collinear_notes, effect_notes

COLUMNS = (
    "feature",
    "weight",
    "std_error",
    "statistic",
    "p_value",
    "ci_low",
    "ci_high",
    "shrinkage",
    "note",
)
# Past this many standard errors an interval about a penalised weight misses too often.
MOST_SHRINKAGE = 0.1
# Training ends within a few hundredths; other rows of the same kind are about one or more away.
MOST_DISTANCE = 0.3


def coef_table(
    estimator,
    X=None,
    y=None,
    sample_weight=None,
    *,
    scale="raw",
    level=0.95,
    cov_type="nonrobust",
    weights="frequency",
    information="observed",
    reference=None,
) -> pd.DataFrame:
    r"""Return the weights and bias with standard errors, p-values and intervals.

    The covariance of the weights is the inverse of the observed information at the optimum,

    .. math:: \phi \Bigl(\sum_i s_i \, \ell''(z_i) \, x_i x_i^\top\Bigr)^{-1},

    with the dispersion :math:`\phi` of the residuals for the squared error, Pearson's for gamma and
    tweedie, and 1 for log_loss and poisson; or the sandwich of White (1980) and MacKinnon and White
    (1985).

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        Fitted; see :func:`unfold`.
    X, y, sample_weight : array-like, default=None
        The rows that it was fitted on. Without X and y there are no errors, and they are NaN.
    scale : {"raw", "std", "original"}, default="raw"
        "raw": weights of the neuron's own inputs. "std": per standard deviation of each (needs X),
        the least bad scale to compare weights on. "original": per unit, or level, of the raw
        columns before the pipeline, and of an identity neuron in y's units where the target was
        shifted and scaled. A level is held against the dropped one or, without one, the mean over
        the rows.
    level : float, default=0.95
        Of the intervals, in (0, 1).
    cov_type : {"nonrobust", "HC0", "HC1"}, default="nonrobust"
        The latter are sandwiches, right also where the variance is not that of the model. Pairs
        that are no likelihood and class weights get HC1 in any case; the note says so.
    weights : {"frequency", "importance"}, default="frequency"
        Whether a sample weight of k is k copies of a row, or one row k times as precise.
    information : {"observed", "expected"}, default="observed"
        The same for canonical pairs; for probit, cloglog and gamma a few percent apart.
    reference : label, default=None
        The class that those of a softmax layer are held against; None is the first.

    Returns
    -------
    table : DataFrame
        Columns `feature`, `weight`, `std_error`, `statistic` (t for the squared error, z
        otherwise), `p_value` (two-sided, of a weight of zero), `ci_low`, `ci_high`, `shrinkage`
        (how many standard errors the penalty has moved the weight, to first order) and `note`;
        before them `neuron` where there are several. ``attrs`` holds `cov_type`, `dispersion`,
        `degrees_of_freedom` and `reason` (why there are no errors, or "").

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`.
    NotFittedError
        If it is not fitted.
    ValueError
        For unknown options, ``scale="std"`` without X, or data that do not go together.

    Notes
    -----
    Errors are NaN, with the reason in `note`, where they would mean nothing: rows that the neuron
    was not fitted on, losses and activations with kinks, an L1 penalty, or an L2 penalty that moved
    some weight by more than 0.1 standard errors. A weight is not importance: see `note` for columns
    that are collinear, and for levels that are rare.

    References
    ----------
    H. White, "A heteroskedasticity-consistent covariance matrix estimator and a direct test for
    heteroskedasticity", Econometrica 48, 1980. J. MacKinnon and H. White, "Some
    heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties", Journal of Econometrics 29, 1985.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import coef_table
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> neuron = NeuronRegressor(alpha=0).fit(X[["bmi", "bp"]], y)
    >>> coef_table(neuron, X[["bmi", "bp"]], y).round(3)[["feature", "weight", "std_error"]]
      feature   weight  std_error
    0     bmi    8.519      0.705
    1      bp    1.385      0.225
    2    bias -203.623     22.234
    """
    _check_options(scale, level, cov_type, weights, information)
    inside = unfold(estimator, X)
    evidence = None if X is None else gather(inside, X, y, sample_weight)
    functions = _functions(inside, evidence, X, scale)
    neurons, names = _groups(inside, reference)
    reason, cov_type = _refusal(inside, evidence, cov_type, len(neurons[0]))
    tables = []
    found: list[Precision] = []
    for members, labels in zip(neurons, names, strict=True):
        sure, own = None, functions
        if scale == "original":
            own = in_units_of_target(functions, inside, members[0])
        if not reason:
            assert evidence is not None
            matrix = _stacked(own, len(members), labels, inside)
            sure = precision(
                evidence,
                members,
                matrix,
                cov_type=cov_type,
                weights=weights,
                information=information,
            )
            found.append(sure)
        tables.append(_table(inside, own, members, labels, sure, reason, level))
    table = pd.DataFrame(
        {key: np.concatenate([rows[key] for rows in tables]) for key in tables[0] if key != "doubt"}
    )
    _add_notes(table, inside, functions, evidence, cov_type)
    table.attrs = {
        "cov_type": cov_type,
        "reason": next((rows["doubt"] for rows in tables if rows["doubt"]), ""),
        "dispersion": [s.dispersion for s in found],
        "degrees_of_freedom": [s.degrees for s in found],
    }
    return table


def _check_options(scale, level, cov_type, weights, information) -> None:
    for name, given, allowed in (
        ("scale", scale, ("raw", "std", "original")),
        ("cov_type", cov_type, ("nonrobust", "HC0", "HC1")),
        ("weights", weights, ("frequency", "importance")),
        ("information", information, ("observed", "expected")),
    ):
        if given not in allowed:
            raise ValueError(f"{name} must be one of {list(allowed)}; got {given!r}.")
    if not isinstance(level, (float, np.floating)) or not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1); got {level!r}.")


def _functions(inside, evidence, X, scale) -> list[Function]:
    if scale == "raw":
        return raw_functions(inside)
    if scale == "original":
        return original_functions(inside, evidence, X)
    if evidence is None:
        raise ValueError("scale='std' needs X, to take the standard deviations from.")
    return std_functions(inside, evidence)


def _groups(inside: Unfolded, reference) -> tuple[list[list[int]], list[list]]:
    """Neurons that share parameters to be looked at together, and what their rows are called.

    A softmax layer is one group with a label (k, reference) for each class but one.
    """
    n_neurons = len(inside.neuron_names)
    if not pair_of(inside.neuron).coupled:
        if reference is not None:
            raise ValueError(
                "reference= is for a softmax layer, whose classes are held against one of them; "
                "here there is none."
            )
        return [[k] for k in range(n_neurons)], [[(k, None)] for k in range(n_neurons)]
    base = 0
    if reference is not None:
        named = inside.neuron_number(reference)
        if named is None:
            raise ValueError(
                f"reference={reference!r} is none of the classes {list(inside.neuron_names[:20])}."
            )
        base = named
    labels = [(k, base) for k in range(n_neurons) if k != base]
    return [list(range(n_neurons))], [labels]


def _stacked(functions: Sequence[Function], n_members: int, labels, inside: Unfolded):
    """The functions of each label as rows over the parameters of all members of the group."""
    width = inside.coef.shape[1] + 1
    one = evaluate(functions, np.eye(width))
    if n_members == 1:
        return one
    blocks = []
    for k, base in labels:
        block = np.zeros((len(one), n_members * width))
        block[:, k * width : (k + 1) * width] = one
        if base is not None:
            block[:, base * width : (base + 1) * width] = -one
        blocks.append(block)
    return np.vstack(blocks)


def _refusal(inside: Unfolded, evidence, cov_type: str, n_members: int) -> tuple[str, str]:
    """Return why there can be no errors, or "", and the kind of covariance that is right."""
    if is_layer(inside.neuron):
        return "neurons of a hidden layer have no targets of their own", cov_type
    pair = pair_of(inside.neuron)
    if evidence is None or evidence.y is None:
        return "standard errors need X and y", cov_type
    if pair.activation.kinks or not pair.loss.smooth:
        what = f"activation='{pair.activation.name}'"
        if not pair.loss.smooth:
            what = f"loss='{pair.loss.name}'"
        return f"{what} has kinks: its curvature says nothing about errors", cov_type
    if evidence.penalty[0] > 0:
        return "an L1 penalty chooses columns by the same rows that errors would use", cov_type
    n_parameters = n_members * (inside.coef.shape[1] + 1)
    if n_parameters > MOST_PARAMETERS:
        return f"{n_parameters} parameters are too many (at most {MOST_PARAMETERS})", cov_type
    if cov_type == "nonrobust" and not (is_likelihood(evidence) and _same_for_all(evidence)):
        cov_type = "HC1"
    return "", cov_type


def _same_for_all(evidence: Evidence) -> bool:
    """Whether no class weights are at work."""
    return bool(np.all(evidence.class_weight == 1))


def is_likelihood(evidence: Evidence) -> bool:
    """Whether the loss is the negative log-likelihood of some distribution of y."""
    pair = evidence.pair
    if pair.loss.name == "squared_error":
        return pair.activation.name == "identity"
    if pair.loss.name == "log_loss":
        return pair.coupled or bool(np.isin(evidence.y, (0, 1)).all())
    return pair.loss.name in ("poisson", "gamma", "tweedie")


def _table(inside, functions, members, labels, sure, reason, level) -> dict:
    """The rows of one group of neurons, as columns."""
    parameters = np.column_stack([inside.coef[members], inside.intercept[members]]).T
    own = dict(zip(members, evaluate(functions, parameters).T, strict=True))
    weight = np.concatenate([own[k] if base is None else own[k] - own[base] for k, base in labels])
    weight += np.tile([f.constant for f in functions], len(labels))
    feature = np.array([f.feature for f in functions] * len(labels), dtype=object)
    notes = [f.note for f in functions] * len(labels)
    table: dict = {}
    if len(inside.neuron_names) > 1:
        words = np.array([_label(inside, label) for label in labels], dtype=object)
        table["neuron"] = np.repeat(words, len(functions))
    table |= {"feature": feature, "weight": weight}
    table |= {name: np.full(len(weight), np.nan) for name in COLUMNS[2:-1]}
    if sure is not None:
        error = np.sqrt(np.maximum(np.diag(sure.covariance), 0))
        error[sure.undetermined] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            table["shrinkage"] = np.where(sure.moved == 0, 0.0, np.abs(sure.moved) / error)
        reason = _doubt(inside, sure, feature, table["shrinkage"])
        lost = "not determined: its column is constant, or a sum of others"
        notes = [_join(n, lost if u else "") for n, u in zip(notes, sure.undetermined, strict=True)]
        if not reason:
            degrees = sure.degrees if pair_of(inside.neuron).loss.name == "squared_error" else None
            table |= _inference(weight, error, level, degrees)
    table["note"] = np.array([_join(note, reason) for note in notes], dtype=object)
    table["doubt"] = reason
    return table


def _doubt(inside: Unfolded, sure: Precision, features, shrinkage) -> str:
    """Why the errors found mean nothing, or ""."""
    if sure.problem:
        return sure.problem
    if sure.distance > MOST_DISTANCE:
        cause = "these are not the rows, targets and weights that this neuron was fitted on"
        if not inside.neuron.converged_ or inside.neuron.early_stopping:
            cause = "the training ended before the optimum, or on other rows than these"
        elif inside.cross_fits:
            cause = "TargetEncoder coded these rows otherwise in the fit, without their own targets"
        return f"the gradient is {sure.distance:.2g} standard errors from zero: {cause}"
    worst = np.nan_to_num(shrinkage).max()
    if worst > MOST_SHRINKAGE:
        feature = features[np.nan_to_num(shrinkage).argmax()]
        return (
            f"alpha={inside.neuron.alpha:g} moved weights by up to {worst:.2g} standard errors "
            f"({feature}): intervals would be about the wrong place; fit with alpha=0"
        )
    return ""


def _inference(weight, error, level: float, degrees: float | None) -> dict:
    """Statistics and intervals by Student's t with these degrees of freedom, or the normal law."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = weight / error
    if degrees is None:
        quantile, tail = special.ndtri(0.5 + level / 2), special.ndtr(-np.abs(statistic))
    else:
        quantile = special.stdtrit(degrees, 0.5 + level / 2)
        tail = special.stdtr(degrees, -np.abs(statistic))
    half = quantile * error
    return {
        "std_error": error,
        "statistic": statistic,
        "p_value": 2 * tail,
        "ci_low": weight - half,
        "ci_high": weight + half,
    }


def _label(inside: Unfolded, label) -> str:
    k, base = label
    names = inside.neuron_names
    return names[k] if base is None else f"{names[k]} - {names[base]}"


def _add_notes(table, inside, functions, evidence, cov_type) -> None:
    """Words on units, collinear columns and rare levels."""
    repeats = len(table) // len(functions)
    notes = [list(table["note"])]
    if evidence is not None:
        notes.append(collinear_notes(functions, evidence) * repeats)
    notes.append(effect_notes(table, functions * repeats, inside))
    if cov_type != "nonrobust" and table["std_error"].notna().any():
        notes.append([f"{cov_type} errors"] * len(table))
    table["note"] = [_join(*words) for words in zip(*notes, strict=True)]


def _join(*words: str) -> str:
    return "; ".join(word for word in words if word)
