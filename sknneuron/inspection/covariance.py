"""How sure the weights are: covariance of the estimates at the optimum.

All is worked out in centred and scaled columns, where the curvature is best conditioned, and in
terms of linear functions of the parameters: a weight, a contrast of two classes, an effect in
original units. A function that the rows do not determine (columns that sum to one, beside a bias)
is recognised by its share in directions without curvature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .evidence import Evidence

# Directions with less curvature than this share of the largest count as having none.
NO_CURVATURE = 1e-11
# Share of a function along such directions past which it is not determined.
UNDETERMINED = 1e-6
# Residuals under this share of the targets' spread are rounding.
EXACT = 1e-7
# Most parameters that a covariance is worked out for: time goes with their cube.
MOST_PARAMETERS = 4000


@dataclass(frozen=True)
class Precision:
    """Covariance of linear functions of the parameters.

    Parameters
    ----------
    covariance : ndarray of shape (n_functions, n_functions)
    moved : ndarray of shape (n_functions,)
        How far the penalty moved each, to first order.
    undetermined : ndarray of bool
    distance : float
        Distance of the weights from the optimum on these rows, in standard errors.
    dispersion : float
    degrees : float
        Degrees of freedom that the rows leave.
    problem : str
        Why the covariance means nothing; empty if it does.
    """

    covariance: np.ndarray
    moved: np.ndarray
    undetermined: np.ndarray
    distance: float
    dispersion: float
    degrees: float
    problem: str = ""


def precision(
    evidence: Evidence,
    neurons,
    functions: np.ndarray,
    *,
    cov_type: str,
    weights: str,
    information: str,
) -> Precision:
    """Work out how sure linear functions of some neurons' parameters are.

    Parameters
    ----------
    evidence : Evidence
    neurons : sequence of int
        One neuron, or all of a softmax layer.
    functions : ndarray of shape (n_functions, n_neurons * (n_inputs + 1))
        Coefficients of the weights of each neuron, then its bias.
    cov_type : {"nonrobust", "HC0", "HC1"}
    weights : {"frequency", "importance"}
    information : {"observed", "expected"}
    """
    rows, to_raw = own_scale_rows(evidence)
    slope, curvature = slopes(evidence, neurons, information)
    if weights == "frequency":
        count, importance = evidence.sample_weight, evidence.class_weight
    else:
        count, importance = (evidence.sample_weight > 0).astype(float), evidence.weight
    H = summed_curvature(rows, curvature, count * importance, evidence.pair.coupled)
    back = np.kron(np.eye(len(neurons)), to_raw)
    inner = functions @ back
    inverse, null, negative = pseudo_inverse(H)
    rank = len(H) - null.shape[1]
    n_neurons_free = len(neurons) - evidence.pair.coupled
    degrees = float(count.sum() - rank) if n_neurons_free else 0.0
    dispersion = _dispersion(evidence, neurons, count, importance, degrees)
    if cov_type == "nonrobust":
        inner_covariance = dispersion * inverse
    else:
        scores = _score_products(rows, slope, count * importance**2)
        inner_covariance = inverse @ scores @ inverse
        if cov_type == "HC1":
            inner_covariance = inner_covariance * count.sum() / max(degrees, 1e-300)
    pull = pull_of_penalty(evidence, neurons, back)
    gradient = summed_gradient(rows, slope, count * importance) + pull
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.linalg.norm(inner @ null, axis=1) / np.linalg.norm(inner, axis=1)
    return Precision(
        covariance=inner @ inner_covariance @ inner.T,
        moved=inner @ (inverse @ pull),
        undetermined=np.nan_to_num(share) > UNDETERMINED,
        distance=_distance(gradient, inverse, dispersion),
        dispersion=dispersion,
        degrees=degrees,
        problem=_problem(evidence, neurons, degrees, negative),
    )


def own_scale_rows(evidence: Evidence):
    """Rows with a column of ones, centred and scaled, and the map from their weights to raw ones.

    Raw parameters are ``to_raw @ inner``: weights first, then the bias.
    """
    X = evidence.X.toarray() if sparse.issparse(evidence.X) else evidence.X
    deviation = np.where(evidence.deviation > 0, evidence.deviation, 1.0)
    n_inputs = X.shape[1]
    if evidence.neuron.fit_intercept:
        centred = np.where(evidence.deviation > 0, X - evidence.mean, 0.0)
        rows = np.column_stack([centred / deviation, np.ones(len(X))])
        to_raw = np.diag(np.append(1 / deviation, 1.0))
        to_raw[-1, :-1] = -evidence.mean / deviation
        return rows, to_raw
    size = np.sqrt(evidence.mean**2 + evidence.deviation**2)
    size = np.where(size > 0, size, 1.0)
    return X / size, np.vstack([np.diag(1 / size), np.zeros(n_inputs)])


def slopes(evidence: Evidence, neurons, information: str):
    """Slope and curvature in z of each row, (n_samples, n_neurons); levels of a softmax layer."""
    _, slope, curvature = evidence.derivatives(2)
    if information == "expected" and not evidence.pair.coupled:
        pair = evidence.pair
        level, derivative = pair.level(evidence.z), pair.activation.derivative(evidence.z)
        if hasattr(evidence.neuron, "classes_") and not pair.loss.margin:
            low, high = pair.activation.range
            level, derivative = pair.probability(evidence.z), derivative / (high - low)
        # The losses' slopes are linear in y, so that their mean is the one at y = level.
        with np.errstate(divide="ignore", invalid="ignore"):
            curvature = pair.loss.second_derivative(level, level) * derivative**2
        # A level at the end of its range has nothing to say, where 0 * inf would be NaN.
        curvature = np.where(np.isfinite(curvature), curvature, 0.0)
    return slope[:, neurons], curvature[:, neurons]


def summed_curvature(rows, curvature, weight, coupled: bool):
    """Sum of the rows' Hessians."""
    if not coupled:
        return (rows * (weight * curvature[:, 0])[:, None]).T @ rows
    n, size = curvature.shape[1], rows.shape[1]
    H = np.empty((n * size, n * size))
    for k in range(n):
        for m in range(k + 1):
            d = weight * curvature[:, k] * ((k == m) - curvature[:, m])
            block = (rows * d[:, None]).T @ rows
            H[k * size : (k + 1) * size, m * size : (m + 1) * size] = block
            H[m * size : (m + 1) * size, k * size : (k + 1) * size] = block
    return H


def _score_products(rows, slope, weight):
    """Sum of the outer products of the rows' gradients."""
    scores = (slope[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    return (scores * weight[:, None]).T @ scores


def summed_gradient(rows, slope, weight):
    return ((slope * weight[:, None]).T @ rows).ravel()


def pseudo_inverse(H):
    """Pseudo-inverse, an orthonormal basis of what it leaves out, and whether H bends down."""
    scale = np.sqrt(np.maximum(np.diag(H), 0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(H / scale / scale[:, None])
    least = NO_CURVATURE * max(values[-1], 0.0)
    keep = values > least
    vectors = vectors / scale[:, None]
    inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    # The null space of H itself, whose scaling differs from that of the scaled matrix.
    null = np.linalg.qr(vectors[:, ~keep])[0]
    return inverse, null, bool(values[0] < -1e-6 * abs(values[-1]))


def pull_of_penalty(evidence: Evidence, neurons, back):
    """Gradient of the L2 penalty in the inner parameters, for a sum over rows."""
    coef = evidence.inside.coef[list(neurons)]
    raw = evidence.total_weight * evidence.penalty[1] * coef
    return back.T @ np.column_stack([raw, np.zeros(len(raw))]).ravel()


def _dispersion(evidence: Evidence, neurons, count, importance, degrees) -> float:
    loss = evidence.pair.loss
    if loss.fixed_dispersion or evidence.pair.coupled:
        return 1.0
    if degrees <= 0:
        return np.nan
    per_row = loss.dispersion(
        evidence.y[:, neurons], evidence.pair.level(evidence.z[:, neurons]), count * importance
    )
    return float(per_row[0] * (count * importance).sum() / degrees)


def _distance(gradient, inverse, dispersion) -> float:
    if not dispersion > 0:
        return 0.0
    return float(np.sqrt(max(gradient @ inverse @ gradient, 0.0) / dispersion))


def _problem(evidence: Evidence, neurons, degrees, negative) -> str:
    if degrees <= 0:
        return "there are not more rows than weights"
    if evidence.pair.loss.name == "squared_error" and _is_exact(evidence, neurons):
        return "the fit is exact, so there is no noise to tell errors by"
    if negative:
        return "the loss bends down at these weights, so they are no optimum on these rows"
    if separated(evidence, neurons):
        return "the classes are separated, so that larger weights are always better"
    return ""


def _is_exact(evidence: Evidence, neurons) -> bool:
    y, level = evidence.y[:, neurons], evidence.pair.level(evidence.z[:, neurons])
    return bool(np.abs(y - level).max() <= EXACT * np.abs(y - y.mean(axis=0)).max(initial=0.0))


def separated(evidence: Evidence, neurons) -> bool:
    """Whether these weights put every row on the right side: then no finite ones are the best."""
    counted = evidence.weight > 0
    if evidence.pair.coupled:
        return bool(np.all(evidence.z[counted].argmax(axis=1) == evidence.y[counted]))
    y = evidence.y[counted][:, neurons]
    if evidence.pair.loss.name != "log_loss" or not np.isin(y, (0, 1)).all():
        return False
    z = evidence.z[counted][:, neurons]
    return bool(np.all((evidence.pair.probability(z) > 0.5) == y))
