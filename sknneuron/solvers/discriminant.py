"""The first step of a classifier that has learnt nothing, lengthened to Fisher's discriminant.

Without weights all rows have the same curvature, so Newton's step S is a fit by least squares: it
inverts the covariance of all rows. Were the classes normal and of one covariance, the best weights
W would invert that one, which is less by what lies between the classes. With the gradient G, and a
class's weights in a row of each,

    W = (I - A)^-1 S,    A = -S G',    b_k = log p_k - mu_k . W_k / 2

where ``mu_k = -G_k / p_k`` is a class's mean; of two classes, ``W = S / (1 - R^2)``. What a penalty
takes of S is left out of A.

References
----------
Efron, The efficiency of logistic regression compared to normal discriminant analysis, Journal of
the American Statistical Association 70 (1975).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack

from .. import _special as special
from ..objective import Objective
from .linear_algebra import TINY, dot

# Most that the step is lengthened: classes further apart than that are hardly normal.
MOST_LENGTHENED = 3.0
MOST_BETWEEN = 1 - 1 / MOST_LENGTHENED
# Most that it may change any row's curvature: normal rows are not that far out.
MOST_SHIFT = 20.0


def is_blank(objective: Objective, theta) -> bool:
    """Whether a descent from here may begin with the discriminant: classes, and no weights."""
    if not (objective.pair.discriminant and objective.fit_intercept):
        return False
    return not np.count_nonzero(theta.reshape(objective.n_neurons, -1)[:, :-1])


def discriminant(objective: Objective, theta, gradient, step):
    """Newton's step from neurons without weights, lengthened and its biases moved.

    Parameters
    ----------
    objective : Objective
        Of a pair whose model discriminant analysis shares, see `Pair.discriminant`.
    theta : ndarray of shape (n_groups, size)
        Biases, and weights of zero.
    gradient, step : ndarray of shape (n_groups, size)
        There, and Newton's step.

    Returns
    -------
    step : ndarray of shape (n_groups, size), or None
        None where rows far out say that the classes are not normal.
    """
    of_classes = _of_softmax if objective.pair.coupled else _of_two
    step = of_classes(objective, theta, gradient, step)
    return step if objective.watched_shift(step, theta) <= MOST_SHIFT else None


def _of_two(objective, theta, gradient, step):
    """Of neurons for two classes each."""
    explained = TINY - dot(step[:, :-1], gradient[:, :-1])
    penalty = dot(objective.l2 * step, step)
    between = np.minimum((explained - penalty) ** 2 / explained, MOST_BETWEEN)
    lengthened = 1 / (1 - between)
    p = objective.pair.probability(theta[:, -1])
    step = step * lengthened[:, None]
    step[:, -1] -= (0.5 - p) * lengthened * between / (p * (1 - p))
    return step


def _of_softmax(objective, theta, gradient, step):
    """Of a softmax layer, one neuron per class."""
    n = objective.n_neurons
    bias, step = theta.reshape(n, -1)[:, -1], step.reshape(n, -1)
    weights, slopes = step[:, :-1], gradient.reshape(n, -1)[:, :-1]
    explained = -weights.dot(slopes.T)
    penalty = (weights * objective.l2[: objective.n_features]).dot(weights.T)
    between = (explained - penalty) * (1 - penalty.trace() / (TINY + explained.trace()))
    between *= MOST_BETWEEN / max(math.sqrt(np.vdot(between, between)), MOST_BETWEEN)
    identity = np.eye(n)
    lengthened = lapack.dgesv(identity - between, identity)[2]
    p = special.softmax(bias, axis=0)
    # The weights of the classes sum to zero; here those that sum to it by their shares are meant.
    spread = lengthened.dot(between)
    shift = (spread.diagonal() - p.dot(spread)) / p
    step = lengthened.dot(step)
    step[:, -1] -= 0.5 * (shift - np.add.reduce(shift) / n)
    return step.reshape(theta.shape)
