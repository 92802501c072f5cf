"""What one block of rows adds to the sums that training needs.

A kernel is stateless and picklable: it knows the loss as a function of z and nothing of where the
rows come from. It is called with a block and the parameters,

    kernel(X, y, sample_weight, weights, bias) -> tuple of sums over the rows of the block

with `weights` (n_neurons, n_features) and `bias` (n_neurons,). All sums are float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

import numpy as np
from scipy import sparse

from ._csr import squared
from .hessians import separable_hessian, softmax_hessian
from .pairs import Pair
from .products import centred, gradient_sums, product, transposed_product, weighted_sum


class Single(Flag):
    """What may be worked out in float32, at half the price or less.

    Attributes
    ----------
    NONE
    ROWS
        Rows that are float32, for z and the gradient, and what lies between the two if the pair's
        `in_single` says so.
    HESSIAN
        The Hessian, whatever the rows are: for a preconditioner.
    LEVELS
        The activation and its slopes, whatever the rows are; what is made of them is float64.
    """

    NONE = 0
    ROWS = auto()
    HESSIAN = auto()
    LEVELS = auto()

    def __bool__(self):
        return self is not Single.NONE


@dataclass(frozen=True)
class LossSums:
    """Loss and, by `order`, gradient and Hessian, summed over the rows of a block.

    Parameters
    ----------
    pair : Pair
        The loss as a function of z.
    order : {0, 1, 2}
        0: the loss alone; 1: and the gradient; 2: and the Hessian.
    gauss_newton : bool
        Leave the activation's curvature out of the Hessian, which then is never negative.
    center : ndarray of shape (n_features,) or None
        The Hessian is taken in ``X - center``, where it is far better conditioned when means are
        large beside deviations. Dense rows only.
    row_center : ndarray of shape (n_features,) or None
        Subtracted before anything else, so that z and the gradient are in ``X - row_center`` as
        well. For means so large that ``X @ w`` would lose its digits to cancellation.
    single : Single
        What may be multiplied in float32. Dense rows only.

    Returns
    -------
    loss : ndarray of shape (n_neurons,), or (1,) for a softmax layer
    gradient : ndarray of shape (n_neurons, n_features + 1)
        The bias comes last.
    hessian : ndarray
        (n_neurons, n_features + 1, n_features + 1); one matrix over all neurons' parameters, with
        a leading axis of 1, for a softmax layer.
    """

    pair: Pair
    order: int
    gauss_newton: bool = False
    center: np.ndarray | None = None
    row_center: np.ndarray | None = None
    single: Single = Single.NONE

    def __call__(self, X, y, sample_weight, weights, bias):
        is_moved = self.row_center is not None
        if Single.ROWS not in self.single or not isinstance(X, np.ndarray) or is_moved:
            X = centred(X, self.row_center)
        z, y = sums_and_targets(self.pair, X, y, weights, bias)
        if Single.LEVELS in self.single:
            z = z.astype(np.float32)
        loss, r, d = self.pair.sums(y, z, sample_weight, self.order, self.gauss_newton)
        if self.order == 0:
            return (loss,)
        gradient = gradient_sums(X, r)
        if self.order == 1:
            return loss, gradient
        shift = None if is_moved else self.center
        dtype = np.float32 if Single.HESSIAN in self.single else np.float64
        if self.pair.coupled:
            return loss, gradient, softmax_hessian(X, d, sample_weight, shift, dtype)
        return loss, gradient, separable_hessian(X, d, shift, dtype)


@dataclass(frozen=True)
class RowsApart:
    """How many rows of a block hold another value than this one, for some columns."""

    columns: np.ndarray
    values: np.ndarray

    def __call__(self, X, y, sample_weight):
        part = X[:, self.columns]
        part = part.toarray() if sparse.issparse(part) else part
        return (np.count_nonzero(part != self.values, axis=0),)


@dataclass(frozen=True)
class LargestShift:
    """Largest change of z along a step in a block, in a list: lists of blocks add up to one of all.

    Parameters
    ----------
    pair : Pair
        In a tail that `steepens` a change counts for more.
    row_center : ndarray of shape (n_features,) or None
        Subtracted before anything else.
    """

    pair: Pair
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, weights_step, bias_step):
        X = X if self.row_center is None else centred(X, self.row_center)
        shift = np.abs(weighted_sum(X, weights_step, bias_step))
        if self.pair.steepens:
            shift *= self.pair.curvature_rate(y, weighted_sum(X, weights, bias))
        if sample_weight is not None:
            shift = np.where((sample_weight > 0)[:, None], shift, 0.0)
        return ([float(np.maximum.reduce(shift, axis=None))],)


@dataclass(frozen=True)
class BendSums:
    """Second derivative of the gradient along a step, summed over the rows of a block.

    Parameters
    ----------
    pair : Pair
        One that has `bend`.
    row_center : ndarray of shape (n_features,) or None
        Subtracted before anything else.

    Returns
    -------
    bend : ndarray of shape (n_neurons, n_features + 1)
    """

    pair: Pair
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, weights_step, bias_step):
        X = centred(X, self.row_center)
        z, dz = weighted_sum(X, weights, bias), weighted_sum(X, weights_step, bias_step)
        r = self.pair.bend(y, z, dz)
        return (gradient_sums(X, r if sample_weight is None else sample_weight[:, None] * r),)


@dataclass(frozen=True)
class HessianProduct:
    """The Hessian of the loss times a step, summed over the rows of a block.

    Parameters
    ----------
    pair, gauss_newton, row_center
        As in `LossSums`.

    Returns
    -------
    product : ndarray of shape (n_neurons, n_features + 1)
    """

    pair: Pair
    gauss_newton: bool = False
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, weights_step, bias_step):
        X = centred(X, self.row_center)
        z, r = weighted_sum(X, weights, bias), weighted_sum(X, weights_step, bias_step)
        d = self.pair.derivatives(y, z, 2, self.gauss_newton)[2]
        if self.pair.coupled:
            r = r - np.sum(d * r, axis=1, keepdims=True)
        r = d * r
        return (gradient_sums(X, r if sample_weight is None else sample_weight[:, None] * r),)


@dataclass(frozen=True)
class WorkingSums:
    """Loss, its whole gradient, and its Hessian in a few columns alone.

    Parameters
    ----------
    pair : Pair
    columns : tuple of ndarray of int
        For each neuron, the features whose weights the Hessian is wanted for.
    gauss_newton, center, row_center
        As in `LossSums`.

    Returns
    -------
    loss, gradient
        As from `LossSums`.
    *hessians : ndarray
        One matrix per neuron over its columns and its bias; a single one over those of all neurons,
        one after the other, for a softmax layer.
    """

    pair: Pair
    columns: tuple[np.ndarray, ...]
    gauss_newton: bool = False
    center: np.ndarray | None = None
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        X = centred(X, self.row_center)
        z = weighted_sum(X, weights, bias)
        terms, r, d = self.pair.derivatives(y, z, 2, self.gauss_newton)
        if sample_weight is not None:
            terms, r = sample_weight[:, None] * terms, sample_weight[:, None] * r
        sums = terms.sum(axis=0), gradient_sums(X, r)
        if self.pair.coupled:
            return *sums, self._coupled(X, d, sample_weight)
        if sample_weight is not None:
            d = sample_weight[:, None] * d
        hessians = []
        for k in range(len(self.columns)):
            part, center = self._columns(X, k)
            hessians.append(separable_hessian(part, d[:, k : k + 1], center)[0])
        return *sums, *hessians

    def _columns(self, X, k):
        """The columns of neuron k, and what they are to be centred on."""
        columns = self.columns[k]
        center = self.center if self.row_center is None else None
        center = None if center is None else center[columns]
        return X if len(columns) == X.shape[1] else X[:, columns], center

    def _coupled(self, X, probability, sample_weight):
        parts = []
        for k in range(len(self.columns)):
            part, center = self._columns(X, k)
            if sparse.issparse(part):
                part = part.toarray()
            elif center is not None:
                part = part - center
            parts.append(np.column_stack([part, np.ones(X.shape[0])]))
        root = np.ones(X.shape[0]) if sample_weight is None else np.sqrt(sample_weight)
        # One product for all the blocks: -A.T @ A with A = [p_1 X_1, ..., p_K X_K].
        A = np.hstack([(root * p)[:, None] * x for p, x in zip(probability.T, parts, strict=True)])
        hessian = -product(A.T, A)
        end = 0
        for p, x in zip(probability.T, parts, strict=True):
            start, end = end, end + x.shape[1]
            scaled = x * (root * np.sqrt(p))[:, None]
            hessian[start:end, start:end] += product(scaled.T, scaled)
        return hessian


@dataclass(frozen=True)
class CurvatureDiagonal:
    """Sums of ``d``, ``d * x`` and ``d * x**2``, from which the Hessian's diagonal follows.

    `row_center` is subtracted from x before anything else, where it is not None.
    """

    pair: Pair
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        X = centred(X, self.row_center)
        z = weighted_sum(X, weights, bias)
        d = self.pair.derivatives(y, z, 2, True)[2]
        if self.pair.coupled:
            d = d * (1 - d)
        if sample_weight is not None:
            d = sample_weight[:, None] * d
        squares = squared(X) if sparse.issparse(X) else X * X
        return d.sum(axis=0), transposed_product(X, d), transposed_product(squares, d)


@dataclass(frozen=True)
class NullLoss:
    """Sum of the loss, and of its absolute terms, of neurons without weights: X is not read.

    The absolute terms are the yardstick for what rounding does to the loss.
    """

    pair: Pair

    def __call__(self, X, y, sample_weight, bias):
        terms = self.pair.constant_terms(y, bias)
        loss = _sum_of_rows(terms, sample_weight)
        if self.pair.loss.nonnegative:
            return loss, loss.copy()
        return loss, _sum_of_rows(np.abs(terms), sample_weight)


@dataclass(frozen=True)
class ConvexKinks:
    """How many rows have a loss whose kink in z is convex: X is not read."""

    pair: Pair

    def __call__(self, X, y, sample_weight):
        activation, n = self.pair.activation, 0
        for kink in activation.kinks:
            slope = self.pair.loss.derivative(y, activation(np.array([kink])))
            n += int(np.count_nonzero(activation.jump(kink) * slope > 0))
        return (n,)


@dataclass(frozen=True)
class TargetSums:
    """Sum of the targets, a column at a time: X is not read."""

    def __call__(self, X, y, sample_weight):
        return (_sum_of_rows(y, sample_weight),)


@dataclass(frozen=True)
class ClassWeights:
    """Sum of the weights of each class's rows, from class codes: X is not read."""

    n_classes: int

    def __call__(self, X, y, sample_weight):
        return (np.bincount(y, sample_weight, self.n_classes).astype(np.float64),)


@dataclass(frozen=True)
class EnvelopeGap:
    """Sum of ``loss(z) + loss*(g) - g z`` with g the slope of the loss's Moreau envelope at z.

    Zero where the envelope touches no kink. The prox of z, ``z - width * g``, is where the loss has
    the slope g, so ``loss*(g) = g (z - width g) - loss(z - width g)``.
    """

    pair: Pair
    envelope: Pair
    width: float
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        X = centred(X, self.row_center)
        z = X @ weights.T
        z += bias
        g = self.envelope.derivatives(y, z, 1)[1]
        loss = self.pair.derivatives(y, z, 0)[0]
        at_prox = self.pair.derivatives(y, z - self.width * g, 0)[0]
        gap = np.maximum(loss - at_prox - self.width * g * g, 0.0)
        return (gap.sum(axis=0) if sample_weight is None else sample_weight @ gap,)


def _sum_of_rows(terms, sample_weight):
    return np.add.reduce(terms, axis=0) if sample_weight is None else sample_weight @ terms


def sums_and_targets(pair, X, y, weights, bias):
    """z and the targets, both in float32 where the rows are and the pair can do with it."""
    z = weighted_sum(X, weights, bias)
    if type(y) is np.ndarray:
        # A neuron's z lie together, and so must its targets for the two to be run through quickly.
        y = np.asfortranarray(y)
    if z.dtype != np.float32:
        return z, y
    return (z, y.astype(np.float32)) if pair.in_single else (z.astype(np.float64), y)
