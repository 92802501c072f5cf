"""What one block of rows adds to the sums that training needs.

A kernel is stateless and picklable: it knows the loss as a function of z and nothing of where the
rows come from. It is called with a block and the parameters,

    kernel(X, y, sample_weight, weights, bias) -> tuple of sums over the rows of the block

with `weights` (n_neurons, n_features) and `bias` (n_neurons,). All sums are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from functools import reduce

import numpy as np
from scipy import sparse

from ._csr import transposed, with_ones, with_values
from .pairs import Pair

# Of a matrix that is multiplied by itself: what stays in a core's cache, and the fewest rows that
# are worth adding up what comes of them.
STRIP_BYTES = 1 << 19
LEAST_STRIP = 1024
# If no more than this share of the rows has curvature, it pays to gather them.
MOST_CURVED = 0.8
# Bytes of a row from which on it is quicker multiplied by itself, by so few neurons' weights.
LONG_ROW, FEW_NEURONS = 256, 3
# Elements of what numpy's matmul returns up to which it keeps other threads from the interpreter.
MATMUL_HOLDS = 500
# numpy >= 2 has it.
vecdot: Callable | None = getattr(np, "vecdot", None)
# Bytes from row to row between which reading a block before its products saves up to a third.
READ_AHEAD = 512, 4096
# Rows whose products are added in float32 before float64 takes over.
SINGLE_ROWS = 4096
# Elements of the rows whose deviations are squared at once: they stay in the cache.
MOMENT_ELEMENTS = 1 << 16


class Single(Flag):
    """What may be multiplied in float32, at half the price or less.

    Attributes
    ----------
    NONE
    ROWS
        Rows that are float32, for z and the gradient, and what lies between the two if the pair's
        `in_single` says so.
    HESSIAN
        The Hessian, whatever the rows are: for a preconditioner.
    """

    NONE = 0
    ROWS = auto()
    HESSIAN = auto()

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
    center_rows : bool
        Subtract `center` before anything else, so that z and the gradient are in ``X - center`` as
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
    center_rows: bool = False
    single: Single = Single.NONE

    def __call__(self, X, y, sample_weight, weights, bias):
        if Single.ROWS not in self.single or not isinstance(X, np.ndarray) or self.center_rows:
            X = as_float64(X)
        if self.center_rows:
            X = X - self.center
        z, y = sums_and_targets(self.pair, X, y, weights, bias)
        loss, r, d = self.pair.sums(y, z, sample_weight, self.order, self.gauss_newton)
        if self.order == 0:
            return (loss,)
        gradient = gradient_sums(X, r)
        if self.order == 1:
            return loss, gradient
        shift = None if self.center_rows else self.center
        dtype = np.float32 if Single.HESSIAN in self.single else np.float64
        if self.pair.coupled:
            return loss, gradient, _softmax_hessian(X, d, sample_weight, shift, dtype)
        return loss, gradient, _separable_hessian(X, d, shift, dtype)


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
    """Largest |z| of a block, in a list: lists of blocks add up to one of all.

    Parameters
    ----------
    center : ndarray of shape (n_features,) or None
        Subtracted before anything else.
    """

    center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias):
        if self.center is not None:
            X = as_float64(X) - self.center
        z = weighted_sum(X, weights, bias)
        if sample_weight is not None:
            z = z[sample_weight > 0]
        return ([float(np.maximum.reduce(np.abs(z), axis=None, initial=0.0))],)


@dataclass(frozen=True)
class BendSums:
    """Second derivative of the gradient along a step, summed over the rows of a block.

    Parameters
    ----------
    pair : Pair
        One that has `bend`.
    center : ndarray of shape (n_features,) or None
        Subtracted before anything else.

    Returns
    -------
    bend : ndarray of shape (n_neurons, n_features + 1)
    """

    pair: Pair
    center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, weights_step, bias_step):
        X = as_float64(X)
        if self.center is not None:
            X = X - self.center
        z, dz = weighted_sum(X, weights, bias), weighted_sum(X, weights_step, bias_step)
        r = self.pair.bend(y, z, dz)
        return (gradient_sums(X, r if sample_weight is None else sample_weight[:, None] * r),)


@dataclass(frozen=True)
class WorkingSums:
    """Loss, its whole gradient, and its Hessian in a few columns alone.

    Parameters
    ----------
    pair : Pair
    columns : tuple of ndarray of int
        For each neuron, the features whose weights the Hessian is wanted for.
    gauss_newton, center, center_rows
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
    center_rows: bool = False

    def __call__(self, X, y, sample_weight, weights, bias):
        X = as_float64(X)
        if self.center_rows:
            X = X - self.center
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
            hessians.append(_separable_hessian(part, d[:, k : k + 1], center)[0])
        return *sums, *hessians

    def _columns(self, X, k):
        """The columns of neuron k, and what they are to be centred on."""
        columns = self.columns[k]
        center = None if self.center_rows or self.center is None else self.center[columns]
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
    """Sums of ``d``, ``d * x`` and ``d * x**2``, from which the Hessian's diagonal follows."""

    pair: Pair

    def __call__(self, X, y, sample_weight, weights, bias):
        X = as_float64(X)
        z = weighted_sum(X, weights, bias)
        d = self.pair.derivatives(y, z, 2, True)[2]
        if self.pair.coupled:
            d = d * (1 - d)
        if sample_weight is not None:
            d = sample_weight[:, None] * d
        squares = _squares(X) if sparse.issparse(X) else X * X
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
class TargetSums:
    """Sum of the targets, a column at a time: X is not read."""

    def __call__(self, X, y, sample_weight):
        return (y.sum(axis=0) if sample_weight is None else sample_weight @ y,)


@dataclass(frozen=True)
class ClassWeights:
    """Sum of the weights of each class's rows, from class codes: X is not read."""

    n_classes: int

    def __call__(self, X, y, sample_weight):
        return (np.bincount(y, sample_weight, self.n_classes).astype(np.float64),)


def column_moments(X, about_mean: bool, weight=None):
    """Mean of each column, and its mean squared deviation from that, or from zero."""
    total = X.shape[0] if weight is None else weight.sum()
    weight = np.ones(X.shape[0]) if weight is None else weight
    if sparse.issparse(X):
        X = as_float64(X)
        mean, mean_square = weight @ X / total, weight @ X.multiply(X) / total
        return mean, np.maximum(mean_square - mean**2, 0) if about_mean else mean_square
    n_rows = max(1, MOMENT_ELEMENTS // X.shape[1])
    blocks = [slice(start, start + n_rows) for start in range(0, len(X), n_rows)]
    # A product with ones is a sum down the columns, at half the price of numpy's own.
    mean = sum(weight[rows].dot(as_float64(X[rows])) for rows in blocks) / total
    center = mean if about_mean else np.zeros_like(mean)
    squares = np.zeros(X.shape[1])
    for rows in blocks:
        deviation = X[rows] - center
        deviation *= deviation
        squares += weight[rows].dot(deviation)
    return mean, squares / total


def _sum_of_rows(terms, sample_weight):
    return np.add.reduce(terms, axis=0) if sample_weight is None else sample_weight @ terms


def weighted_sum(X, weights, bias):
    """z, (n_rows, n_neurons)."""
    weights = weights.astype(X.dtype, copy=False)
    if vecdot is not None and _is_quicker_by_rows(X, len(weights)):
        z = np.array([vecdot(X, w) for w in weights]).T
    elif isinstance(X, np.ndarray):
        read_ahead(X)
        # A neuron's z lie together: what is done row by row then runs over long vectors.
        z = product(weights, X.T).T if len(weights) > 1 else product(X, weights.T)
    else:
        z = X @ weights.T
    z += bias
    return z


def _is_quicker_by_rows(X, n_neurons: int) -> bool:
    """Whether to multiply one row after the other, as they come from memory.

    A product goes along several rows at once, in steps that processors do not foresee. With fewer
    rows than that numpy would hold the interpreter.
    """
    return (
        isinstance(X, np.ndarray)
        and n_neurons <= FEW_NEURONS
        and len(X) > MATMUL_HOLDS
        and X.strides == (X.shape[1] * X.itemsize, X.itemsize)
        and X.strides[0] >= LONG_ROW
    )


def sums_and_targets(pair, X, y, weights, bias):
    """z and the targets, both in float32 where the rows are and the pair can do with it."""
    z = weighted_sum(X, weights, bias)
    if z.dtype != np.float32:
        return z, y
    return (z, y.astype(np.float32)) if pair.in_single else (z.astype(np.float64), y)


def read_ahead(X):
    """Bring rows from memory into the cache, where a product would be slow to do so.

    Products with a vector go along several rows at once, in steps that are too long to be foreseen
    and too short to be worth it. What owns its numbers is a copy, and was written a moment ago.
    """
    least, most = READ_AHEAD
    if isinstance(X, np.ndarray) and not X.flags.owndata and least <= X.strides[0] <= most:
        np.maximum.reduce(X, axis=None)


def as_float64(X):
    # In the block, which then sits in the cache: float32 rows are read at half the price and
    # computed with at full precision. A no-op for float64.
    return X if X.dtype == np.float64 else X.astype(np.float64)


def product(a, b):
    """``a @ b``; of arrays in a way that lets other threads go on meanwhile.

    numpy's matmul holds the interpreter where what comes of it has few elements, as a gradient has:
    threads would wait for each other.
    """
    if type(a) is type(b) is np.ndarray:
        return a.dot(b)
    return a @ b


def transposed_product(X, r):
    """``r.T @ X`` as a dense array."""
    if sparse.issparse(X):
        return np.ascontiguousarray((transposed(X) @ r).T)
    return product(r.T, X)


def gradient_sums(X, r):
    gradient = np.zeros((r.shape[1], X.shape[1] + 1))
    gradient[:, -1] = r.sum(axis=0)
    if X.dtype == r.dtype:
        gradient[:, :-1] = transposed_product(X, r)
        return gradient
    r = r.astype(X.dtype)
    for start in range(0, len(X), SINGLE_ROWS):
        rows = slice(start, start + SINGLE_ROWS)
        gradient[:, :-1] += product(r[rows].T, X[rows])
    return gradient


def _scaled_rows(X, d):
    """``diag(d) @ X`` of a CSR matrix; scipy's own product takes three times as long."""
    return with_values(X, X.data * np.repeat(d, np.diff(X.indptr)))


def _squares(X):
    """The entries' squares; where one is made up of several, that takes scipy's own product."""
    return with_values(X, X.data**2) if X.has_canonical_format else X.multiply(X).tocsr()


def _separable_hessian(X, d, center, dtype=np.float64):
    """One matrix per neuron, ``[X 1].T @ diag(d_k) @ [X 1]``."""
    # Where curvature is negative a strip is held twice: centred, and times its curvature.
    is_held_twice = isinstance(X, np.ndarray) and d.min(initial=0.0) < 0
    strips = _strips(X, (4 if is_held_twice else 1) * X.shape[1])
    return reduce(np.add, (_hessians_of(X[s], d[s], center, dtype) for s in strips))


def _strips(X, n_columns: int) -> list[slice]:
    """Slices of a block's rows, for matrices with so many columns."""
    if sparse.issparse(X):
        return [slice(None)]
    step = max(LEAST_STRIP, STRIP_BYTES // (8 * max(n_columns, 1)))
    return [slice(start, start + step) for start in range(0, len(X), step)]


def _centred(X, center, dtype, is_own: bool = False):
    """``X - center``, of numpy's rows in `dtype`; in place where X is a copy of one's own."""
    if not isinstance(X, np.ndarray):
        return X - center
    if X.dtype == dtype:
        center = center.astype(dtype, copy=False)
        return np.subtract(X, center, out=X) if is_own else X - center
    return np.subtract(X, center, out=np.empty(X.shape, dtype), casting="same_kind")


def _hessians_of(X, d, center, dtype=np.float64):
    if sparse.issparse(X):
        return _sparse_hessians(X, d)
    n_features, n_neurons = X.shape[1], d.shape[1]
    hessian = np.empty((n_neurons, n_features + 1, n_features + 1))
    if center is not None:
        is_host = isinstance(X, np.ndarray)
        if is_host and n_neurons == 1 and np.count_nonzero(d) < MOST_CURVED * len(d):
            # Rows on the flat side of a kink count for nothing.
            curved = np.flatnonzero(d)
            X, d = X.take(curved, axis=0) if X.flags.c_contiguous else X[curved], d[curved]
            X = _centred(X, center, dtype, is_own=True)
        else:
            X = _centred(X, center, dtype)
        if is_host and n_neurons == 1 and d.min(initial=0.0) >= 0:
            # The copy can be scaled where it lies.
            root = np.sqrt(d[:, 0]).astype(dtype, copy=False)
            X *= root[:, None]
            hessian[0, :-1, :-1] = product(X.T, X)
            hessian[0, -1, :-1] = hessian[0, :-1, -1] = product(root, X)
            hessian[0, -1, -1] = d.sum()
            return hessian
    for k in range(n_neurons):
        dk = d[:, k]
        if dk.min() >= 0:
            scaled = X * np.sqrt(dk).astype(X.dtype, copy=False)[:, None]
            hessian[k, :-1, :-1] = product(scaled.T, scaled)
        else:
            hessian[k, :-1, :-1] = product((X * dk[:, None]).T, X)
        hessian[k, -1, :-1] = hessian[k, :-1, -1] = transposed_product(X, dk)
        hessian[k, -1, -1] = dk.sum()
    return hessian


def _sparse_hessians(X, d):
    X1 = with_ones(X)
    hessians = [(transposed(X1) @ _scaled_rows(X1, dk)).toarray(order="C") for dk in d.T]
    # Of thousands of columns a copy is dear.
    return hessians[0][None] if len(hessians) == 1 else np.stack(hessians)


def _softmax_hessian(X, probability, weight, center, dtype=np.float64):
    """Blocks ``[X 1].T @ diag(p_k (delta_kl - p_l)) @ [X 1]`` as one matrix, neuron by neuron."""
    n_neurons = probability.shape[1]
    size = n_neurons * (X.shape[1] + 1)
    products = np.zeros((size, size))
    for s in _strips(X, size):
        root = None if weight is None else np.sqrt(weight[s])
        products += _class_products(X[s], probability[s], root, center, dtype)
    return softmax_hessian(products, n_neurons, X.shape[1] + 1)


def _class_products(X, probability, root, center, dtype):
    """``A.T @ A`` with ``A = root [p_1 [X 1], ..., p_K [X 1]]``."""
    n_neurons = probability.shape[1]
    if sparse.issparse(X):
        X = X.toarray()
    elif center is not None:
        X = _centred(X, center, dtype)
    X1 = np.empty((X.shape[0], X.shape[1] + 1), dtype)
    X1[:, :-1] = X
    X1[:, -1] = 1
    if root is not None:
        probability = root[:, None] * probability
    A = probability.astype(dtype, copy=False)[:, :, None] * X1[:, None, :]
    A = A.reshape(len(X1), n_neurons * X1.shape[1])
    return product(A.T, A)


def softmax_hessian(products, n_neurons: int, size: int):
    """Blocks ``sum_i s p_k (delta_kl - p_l) x x'`` from the products ``sum_i s p_k p_l x x'``.

    The probabilities of a row sum to one, so a row of blocks of the products does to
    ``sum_i s p_k x x'``. The products are overwritten.
    """
    blocks = products.reshape(n_neurons, size, n_neurons, size)
    totals = blocks.sum(axis=2)
    np.negative(products, out=products)
    for k, total in enumerate(totals):
        blocks[k, :, k] += total
    return products[None]


@dataclass(frozen=True)
class EnvelopeGap:
    """Sum of ``loss(z) + loss*(g) - g z`` with g the slope of the loss's Moreau envelope at z.

    Zero where the envelope touches no kink. The prox of z, ``z - width * g``, is where the loss has
    the slope g, so ``loss*(g) = g (z - width g) - loss(z - width g)``.
    """

    pair: Pair
    envelope: Pair
    width: float

    def __call__(self, X, y, sample_weight, weights, bias):
        z = as_float64(X) @ weights.T
        z += bias
        g = self.envelope.derivatives(y, z, 1)[1]
        loss = self.pair.derivatives(y, z, 0)[0]
        at_prox = self.pair.derivatives(y, z - self.width * g, 0)[0]
        gap = np.maximum(loss - at_prox - self.width * g * g, 0.0)
        return (gap.sum(axis=0) if sample_weight is None else sample_weight @ gap,)
