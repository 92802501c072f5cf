"""What one block of rows adds to the sums that the training of a layer needs.

Hidden neurons ``a = f(X @ w + b)`` feed the output neurons ``o = a @ v + c``; the pair of output
activation and loss makes of o what the loss is. As in `kernels`, a kernel is stateless and called
with a block and the parameters,

    kernel(X, y, sample_weight, weights, bias, output_weights, output_bias)

with `weights` (n_neurons, n_features) and `output_weights` (n_outputs, n_neurons).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .activations import Activation
from .pairs import Pair
from .products import centred, gradient_sums

# Entries of the matrix of slopes that is made at a time: a few megabytes.
SLOPE_ENTRIES = 1 << 19


@dataclass(frozen=True)
class LayerSums:
    """Loss and gradient of a layer, by backpropagation, summed over the rows of a block.

    Parameters
    ----------
    activation : Activation
        Of the hidden neurons.
    pair : Pair
        The loss as a function of the outputs o.
    order : {0, 1}
        0: the loss alone; 1: and the gradient.
    row_center : ndarray of shape (n_features,) or None
        Subtracted first, where means are so large that digits would be lost.

    Returns
    -------
    loss : ndarray of shape (1,)
    gradient : ndarray of shape (n_neurons, n_features + 1)
        Of the hidden neurons, bias last.
    output_gradient : ndarray of shape (n_outputs, n_neurons + 1)
    """

    activation: Activation
    pair: Pair
    order: int
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, output_weights, output_bias):
        X = centred(X, self.row_center)
        a, slope, o = _forward(self.activation, X, weights, bias, output_weights, output_bias)
        loss, r, _ = self.pair.sums(y, o, sample_weight, self.order, True)
        loss = np.array([loss.sum()])
        if self.order == 0:
            return (loss,)
        return loss, *_backpropagated(X, a, slope, r, output_weights)


@dataclass(frozen=True)
class LayerGradient:
    """The gradient alone: what a step of a stochastic solver needs. Otherwise as `LayerSums`."""

    activation: Activation
    pair: Pair
    row_center: np.ndarray | None = None

    def __call__(self, X, y, sample_weight, weights, bias, output_weights, output_bias):
        X = centred(X, self.row_center)
        a, slope, o = _forward(self.activation, X, weights, bias, output_weights, output_bias)
        r = self.pair.slope(y, o)
        if sample_weight is not None:
            r = sample_weight[:, None] * r
        return _backpropagated(X, a, slope, r, output_weights)


def _forward(activation, X, weights, bias, output_weights, output_bias):
    """Levels of the hidden neurons, their slopes in z, and the outputs o."""
    z = combined(X, weights)
    z += bias
    a, slope = activation.with_derivative(z)
    o = combined(a, output_weights)
    o += output_bias
    return a, slope, o


def combined(rows, weights):
    """``rows @ weights.T``; of arrays a column's numbers lie together.

    What is done row by row then runs over long vectors. And not by `matmul`, which takes no BLAS
    for a column times a row.
    """
    if isinstance(rows, np.ndarray):
        return np.dot(weights, rows.T).T
    return rows @ weights.T


def _backpropagated(X, a, slope, r, output_weights):
    """Gradients of hidden and output neurons from the slopes r of the loss in the outputs."""
    back = combined(r, output_weights.T)
    back *= slope
    return gradient_sums(X, back), gradient_sums(a, r)


@dataclass(frozen=True)
class LayerCurvature:
    """Loss, gradient and Gauss-Newton Hessian, all in the solver's coordinates.

    In the place of hidden weights and biases the kernel is called with those of centred and scaled
    columns in one array, (n_neurons, n_features + 1).

    The Hessian is ``J.T @ D @ J`` with the slopes J of the outputs in the parameters and the loss's
    curvature D in the outputs: it is never negative.

    Parameters
    ----------
    activation : Activation
    pair : Pair
    center, scale : ndarrays of shape (n_features,)
        Columns are centred and scaled; sparse blocks are made dense.
    output_scale : ndarray of shape (n_outputs,)
        Units of the outputs.

    Returns
    -------
    loss : ndarray of shape (1,)
    gradient : ndarray of shape (n_parameters,)
        Hidden neurons one after the other, each with its bias last, then the output neurons.
    hessian : ndarray of shape (n_parameters, n_parameters)
    """

    activation: Activation
    pair: Pair
    center: np.ndarray
    scale: np.ndarray
    output_scale: np.ndarray

    def __call__(self, X, y, sample_weight, hidden, output_weights, output_bias):
        size = hidden.size + output_weights.size + output_bias.size
        loss, gradient, hessian = np.zeros(1), np.zeros(size), np.zeros((size, size))
        step = max(SLOPE_ENTRIES // size, 16)
        for start in range(0, X.shape[0], step):
            rows = slice(start, start + step)
            weight = None if sample_weight is None else sample_weight[rows]
            block = self._standard(X[rows]), y[rows], weight
            loss += self._add(gradient, hessian, block, hidden, output_weights, output_bias)
        return loss, gradient, hessian

    def _standard(self, X):
        """Centred and scaled rows, with a column of ones."""
        X = X.toarray() if sparse.issparse(X) else X
        X1 = np.ones((X.shape[0], X.shape[1] + 1))
        np.subtract(X, self.center, out=X1[:, :-1])
        X1[:, :-1] /= self.scale
        return X1

    def _add(self, gradient, hessian, block, hidden, output_weights, output_bias):
        X1, y, sample_weight = block
        n_outputs, n_neurons = output_weights.shape
        n_hidden = hidden.size
        a1 = np.ones((len(X1), n_neurons + 1))
        a, slope = self.activation.with_derivative(X1 @ hidden.T)
        a1[:, :-1] = a
        o = a @ output_weights.T + output_bias
        loss, r, d = self.pair.sums(y, o, sample_weight, 2, True)
        gradient[:n_hidden] += ((r @ output_weights * slope).T @ X1).ravel()
        gradient[n_hidden:] += ((r * self.output_scale).T @ a1).ravel()
        for k, root in enumerate(_roots(self.pair, d, sample_weight)):
            through = (root @ output_weights) * slope
            # Without a coupling an output's loss depends on its own weights alone.
            own = slice(0, n_outputs) if self.pair.coupled else slice(k, k + 1)
            out = root[:, own] * self.output_scale[own]
            J = np.concatenate([_outer(through, X1), _outer(out, a1)], axis=1)
            G = J.T @ J
            first = n_hidden + own.start * (n_neurons + 1)
            last = n_hidden + own.stop * (n_neurons + 1)
            hessian[:n_hidden, :n_hidden] += G[:n_hidden, :n_hidden]
            hessian[first:last, first:last] += G[n_hidden:, n_hidden:]
            hessian[:n_hidden, first:last] += G[:n_hidden, n_hidden:]
            hessian[first:last, :n_hidden] += G[n_hidden:, :n_hidden]
        return loss.sum()


def _roots(pair: Pair, d, sample_weight):
    """Rows whose outer products sum to the curvature in the outputs: (n_rows, n_outputs) each."""
    if pair.coupled:
        weight = 1.0 if sample_weight is None else sample_weight[:, None]
        for k in range(d.shape[1]):
            # diag(p) - p p.T is the sum of p_k (e_k - p) (e_k - p).T.
            root = -d
            root[:, k] += 1
            root *= np.sqrt(weight * d[:, k : k + 1])
            yield root
        return
    d = np.sqrt(np.maximum(d, 0))
    for k in range(d.shape[1]):
        root = np.zeros_like(d)
        root[:, k] = d[:, k]
        yield root


def _outer(left, right):
    """Products of every column of `left` with every one of `right`, row by row."""
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
