"""Hessians of a block: products of its rows with themselves, times the rows' curvature."""

from __future__ import annotations

from functools import reduce

import numpy as np
from scipy import sparse

from ._csr import transposed, with_ones, with_values
from .products import product, transposed_product

# Of a matrix that is multiplied by itself: what stays in a core's cache, and the fewest rows that
# are worth adding up what comes of them.
STRIP_BYTES = 1 << 19
LEAST_STRIP = 1024
# If no more than this share of the rows has curvature, it pays to gather them.
MOST_CURVED = 0.8


def separable_hessian(X, d, center, dtype=np.float64):
    """One matrix per neuron, ``[X 1].T @ diag(d_k) @ [X 1]``."""
    # Where curvature is negative a strip is held twice: centred, and times its curvature.
    is_held_twice = isinstance(X, np.ndarray) and d.min(initial=0.0) < 0
    strips = strips_of(X, (4 if is_held_twice else 1) * X.shape[1])
    return reduce(np.add, (_hessians_of(X[s], d[s], center, dtype) for s in strips))


def strips_of(X, n_columns: int) -> list[slice]:
    """Slices of a block's rows, for matrices with so many columns."""
    if sparse.issparse(X):
        return [slice(None)]
    least = max(LEAST_STRIP, STRIP_BYTES // (8 * max(n_columns, 1)))
    # A few rows of their own would cost as much to add up as many.
    step = -(-len(X) // max(1, len(X) // least))
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
    is_own, is_alone = False, d.shape[1] == 1
    if is_alone:
        X, d, is_own = _curved(X, d)
    if center is not None:
        X, is_own = _centred(X, center, dtype, is_own), isinstance(X, np.ndarray)
    hessian = np.empty((d.shape[1], X.shape[1] + 1, X.shape[1] + 1))
    for k, of_neuron in enumerate(hessian):
        dk = d[:, k]
        _put_hessian(of_neuron, *((X, dk, is_own) if is_alone else _curved(X, dk)))
    return hessian


def _curved(X, d):
    """The rows that have curvature, it, and whether they are a copy: if it pays to gather them."""
    # Rows on the flat side of a kink count for nothing.
    if not isinstance(X, np.ndarray) or np.count_nonzero(d) >= MOST_CURVED * len(d):
        return X, d, False
    curved = np.flatnonzero(d)
    return X.take(curved, axis=0) if X.flags.c_contiguous else X[curved], d[curved], True


def _put_hessian(hessian, X, d, is_own: bool) -> None:
    """Put ``[X 1].T @ diag(d) @ [X 1]`` into `hessian`, over X if it `is_own`."""
    if len(d) and d.min() < 0:
        hessian[:-1, :-1] = product((X * d[:, None]).T, X)
        cross = transposed_product(X, d)
    elif is_own:
        root = np.sqrt(d).astype(X.dtype, copy=False)
        X *= root[:, None]
        hessian[:-1, :-1] = product(X.T, X)
        cross = product(root, X)
    else:
        scaled = X * np.sqrt(d).astype(X.dtype, copy=False)[:, None]
        hessian[:-1, :-1] = product(scaled.T, scaled)
        cross = transposed_product(X, d)
    hessian[-1, :-1] = hessian[:-1, -1] = cross
    hessian[-1, -1] = d.sum()


def _sparse_hessians(X, d):
    X1 = with_ones(X)
    hessians = [(transposed(X1) @ _scaled_rows(X1, dk)).toarray(order="C") for dk in d.T]
    # Of thousands of columns a copy is dear.
    return hessians[0][None] if len(hessians) == 1 else np.stack(hessians)


def softmax_hessian(X, probability, weight, center, dtype=np.float64):
    """Blocks ``[X 1].T @ diag(p_k (delta_kl - p_l)) @ [X 1]`` as one matrix, neuron by neuron."""
    n_neurons = probability.shape[1]
    size = n_neurons * (X.shape[1] + 1)
    products = np.zeros((size, size))
    for s in strips_of(X, size):
        root = None if weight is None else np.sqrt(weight[s])
        products += _class_products(X[s], probability[s], root, center, dtype)
    return hessian_of_products(products, n_neurons, X.shape[1] + 1)


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


def hessian_of_products(products, n_neurons: int, size: int):
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


def _scaled_rows(X, d):
    """``diag(d) @ X`` of a CSR matrix; scipy's own product takes three times as long."""
    return with_values(X, X.data * np.repeat(d, np.diff(X.indptr)))
