"""Ways down from a vertex: a point where rows lie on kinks, some of them concave.

The loss of a relu's neuron has a concave kink in z on rows whose target is above zero. With
discrete columns many rows lie on kinks of both kinds at once. Smoothing rounds off those of the
loss alone: a target of zero then holds no row that another one drives up, and there is a minimum of
its width beside a point that is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..objective import Objective
from ..pairs import Pair
from ..products import centred, weighted_sum
from .kinks import in_coordinates, step_over_kinks
from .linear_algebra import dot

# Parameters of a neuron up to which ways down are looked for, with a matrix of that size.
MOST_PARAMETERS = 1000
# Different rows on kinks that are looked at: a neuron without weights has all of its rows on one.
MOST_ROWS = 1000
# What a first step has to promise, in terms of what it has to win.
PROMISE = 4.0
# Rows on concave kinks that are tried one by one.
MOST_TRIED = 16
# Share by which a way has to be steeper than another to be so.
ROUNDING = 1e-9


class Aside(Pair):
    """A pair as it is a little aside of each z.

    Parameters
    ----------
    pair : Pair
    by : float
    """

    def __init__(self, pair: Pair, by: float):
        super().__init__(pair.activation, pair.loss, pair.convex)
        self.pair = pair
        self.by = by

    def derivatives(self, y, z, order, gauss_newton=False):
        return self.pair.derivatives(y, z + self.by, order, gauss_newton)


@dataclass(frozen=True)
class RowsOnKinks:
    """Kernel: the rows that have kinks of a loss with straight pieces within reach, per neuron.

    Rows that are alike count as one.

    Returns
    -------
    list of (neuron, X, jump)
        How much the weighted loss's slope in z rises over the kinks, or falls.
    """

    pair: Pair
    reach: float
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        z = weighted_sum(centred(X, self.row_center), weights, bias)
        below, above = (Aside(self.pair, by).slope(y, z) for by in (-self.reach, self.reach))
        jumps = above - below
        if sample_weight is not None:
            jumps = sample_weight[:, None] * jumps
        found = []
        for k in range(jumps.shape[1]):
            rows = np.flatnonzero(jumps[:, k])
            part = X[rows].toarray() if sparse.issparse(X) else X[rows]
            found.append((k, *without_copies(part.astype(np.float64), jumps[rows, k])))
        return (found,)


def without_copies(rows, jump):
    """Each row once, with the sum of the jumps of all that are alike; of many those that count."""
    distinct, copy = np.unique(rows, axis=0, return_inverse=True)
    jump = np.bincount(copy.ravel(), jump, minlength=len(distinct))
    kept = np.sort(np.argsort(-np.abs(jump), kind="stable")[:MOST_ROWS])
    return distinct[kept], jump[kept]


def way_down(objective: Objective, theta, reach: float, allowed: float):
    """A point lower than a vertex by more than is allowed; None if no way leads down to one.

    Parameters
    ----------
    objective : Objective
        The loss is made of straight pieces.
    theta : ndarray
        Next to the vertex.
    reach : float
        Kinks no further away in z are taken for those of the vertex.
    allowed : float
    """
    if objective.neuron_size > MOST_PARAMETERS:
        return None
    kernel = RowsOnKinks(objective.pair, reach, objective.row_center)
    (found,) = objective.source.map_sum(kernel, *objective.kernel_parameters(theta))
    below = objective.with_pair(Aside(objective.pair, -reach)).value_and_gradient(theta)[1]
    step = np.zeros_like(theta)
    for k in range(objective.n_neurons):
        parts = [part[1:] for part in found if part[0] == k]
        X, jump = without_copies(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        rows, jump = in_coordinates(objective, X), jump / objective.source.total_weight
        # So has the L1 penalty, at zero.
        zero = np.flatnonzero((theta[k] == 0) & (objective.l1 > 0))
        rows = np.concatenate([rows, np.eye(objective.neuron_size)[zero]])
        jump = np.concatenate([jump, 2 * objective.l1[zero]])
        slope = below[k] + np.where(theta[k] > 0, objective.l1, -objective.l1)
        # What is less steep wins next to nothing on a way as long as theta.
        flat = (allowed / (1 + np.linalg.norm(theta[k]))) ** 2
        step[k] = steepest(slope, rows, jump, flat)
    return _lowest(objective, theta, step, allowed)


def steepest(below, rows, jump, flat=0.0):
    """Return the steepest way down from a vertex, zero if there is none.

    .. math:: \\min_x \\; g \\cdot x + \\sum_i c_i \\max(0, a_i \\cdot x) + \\tfrac12 |x|^2

    Parameters
    ----------
    below : ndarray of shape (size,)
        g, with the slopes of all rows on the vertex as they are below their kinks.
    rows : ndarray of shape (n_rows, size)
        a_i.
    jump : ndarray of shape (n_rows,)
        c_i, less than zero if the kink is concave.
    flat : float, default=0
        A slope whose square is no larger than this is none.

    Notes
    -----
    A concave kink lies below both of its sides drawn out. So with a side chosen for each, what a
    convex problem finds is a way down, and where it leads to shows the sides to go on with. Rows
    begin below their kinks, above them, and one of them above at a time: not all ways are found.

    References
    ----------
    Tao and An, Convex analysis approach to d.c. programming, Acta Math. Vietnam. 22 (1997).
    """
    concave = jump < 0
    convex, bent = rows[~concave], jump[~concave]
    rows, jump = rows[concave], jump[concave]
    best, most = np.zeros_like(below), flat
    steep = np.argsort(jump, kind="stable")[:MOST_TRIED]
    for above in [jump > 0, jump < 0, *np.eye(len(rows), dtype=bool)[steep]]:
        while True:
            slope = below + (jump * above) @ rows
            start = np.zeros(len(convex))
            x, fall = step_over_kinks(np.eye(len(slope)), slope, convex, start, bent, 1e-3 * flat)
            moved = rows @ x
            fall += jump @ (above * moved - np.maximum(moved, 0))
            if fall <= most * (1 + ROUNDING):
                break
            best, most, above = x, fall, moved > 0
    return best


def _lowest(objective: Objective, theta, step, allowed):
    """Each neuron's lowest point on its way, by doubling its length; None if little is won."""
    steepness = dot(step, step)
    going = steepness > 0
    length = PROMISE * allowed / np.where(going, steepness, np.inf)
    best, value = theta, objective.value(theta) + objective.l1_value(theta)
    lowest = value
    while going.any():
        trial = np.where(going[:, None], theta + length[:, None] * step, best)
        reached = objective.value(trial) + objective.l1_value(trial)
        going = going & (reached < lowest)
        best = np.where(going[:, None], trial, best)
        lowest = np.where(going, reached, lowest)
        length = 2 * length
    return best if np.sum(value - lowest) > allowed else None
