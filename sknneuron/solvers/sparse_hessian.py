"""A Hessian in many sparse columns: multiplied through the rows, never formed whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .._csr import squared, with_values
from ..objective import Objective
from ..products import centred

# Columns whose products with each other are formed.
BLOCK = 256


@dataclass
class Block:
    """Some columns of one neuron.

    Parameters
    ----------
    neuron : int
    columns : slice
        Where their weights stand among the parameters.
    bias : int or None
        Where the neuron's bias does.
    X : CSC matrix
    center, inverse_scale : ndarray
    hessian : ndarray
        Their part of the Hessian.
    """

    neuron: int
    columns: slice
    bias: int | None
    X: Any
    center: np.ndarray
    inverse_scale: np.ndarray
    hessian: np.ndarray


class NeuronColumns:
    """The columns of one neuron, ``(X - center) * inverse_scale``, and their place in a group's."""

    def __init__(self, X, center, inverse_scale, start: int, *, fit_intercept: bool):
        self.X, self.center, self.inverse_scale = X, center, inverse_scale
        self.weights = slice(start, start + X.shape[1])
        self.bias = self.weights.stop if fit_intercept else None
        self.size = X.shape[1] + fit_intercept

    def change(self, v):
        """What a change of the group's parameters changes z by, row by row."""
        weights = v[self.weights] * self.inverse_scale
        z = self.X @ weights
        if self.bias is not None:
            z += v[self.bias] - self.center @ weights
        return z

    def gradient(self, slopes):
        """What slopes of the rows in z make of a gradient in the neuron's parameters."""
        g = self.X.T @ slopes
        if self.bias is None:
            return g * self.inverse_scale
        total = slopes.sum()
        return np.append((g - self.center * total) * self.inverse_scale, total)

    def diagonal(self, curvature):
        """Diagonal of ``S (X - c)^T D (X - c) S``, and of the bias."""
        total, diagonal = curvature.sum(), squared(self.X).T @ curvature
        if self.bias is None:
            return diagonal * self.inverse_scale**2
        diagonal += self.center * (total * self.center - 2 * (self.X.T @ curvature))
        return np.append(np.maximum(diagonal, 0.0) * self.inverse_scale**2, total)


class SparseHessian:
    """Hessian of a group: one neuron, or the classes of a softmax layer, which share their loss.

    Parameters
    ----------
    neurons : list of NeuronColumns
    curvature : ndarray of shape (n_rows, n_neurons)
        Of each row's loss in z. Of a softmax layer the probabilities p, whose curvature is
        ``diag(p) - p p^T``.
    share : float or ndarray of shape (n_rows, 1)
        Each row's share of the weights.
    l2 : ndarray of shape (size,)
    """

    def __init__(self, neurons: list[NeuronColumns], curvature, share, l2):
        self.neurons, self.share = neurons, share
        self.probability = curvature if len(neurons) > 1 else None
        self.curvature = share * (curvature if len(neurons) == 1 else curvature * (1 - curvature))
        # What has no curvature keeps a little, so that steps stay finite.
        pairs = zip(neurons, self.curvature.T, strict=True)
        of_loss = np.concatenate([neuron.diagonal(curvature) for neuron, curvature in pairs])
        little = max(1e-30 * ((of_loss + l2).max(initial=0.0) or 1.0), np.finfo(float).tiny)
        self.l2 = np.where(of_loss + l2 > little, l2, little)
        self._diagonal = of_loss + self.l2

    def __matmul__(self, v):
        return self.gradient(self.slopes(self.change(v))) + self.l2 * v

    def change(self, v):
        """What a change of the parameters changes z by, (n_rows, n_neurons)."""
        return np.stack([neuron.change(v) for neuron in self.neurons], axis=1)

    def slopes(self, z):
        """What a change of z changes the rows' slopes by."""
        if self.probability is None:
            return self.curvature * z
        slopes = self.probability * z
        slopes -= self.probability * slopes.sum(axis=1, keepdims=True)
        slopes *= self.share
        return slopes

    def slopes_by_one(self, z, neuron: int):
        """The same for a change of one neuron's z."""
        if self.probability is None:
            return self.curvature * z[:, None]
        weighted = (self.probability[:, neuron] * z)[:, None]
        slopes = -self.probability * weighted
        slopes[:, neuron] += weighted[:, 0]
        slopes *= self.share
        return slopes

    def gradient(self, slopes):
        """What slopes of the rows in z make of a gradient in the parameters."""
        pairs = zip(self.neurons, slopes.T, strict=True)
        return np.concatenate([neuron.gradient(slope) for neuron, slope in pairs])

    def diagonal(self):
        return self._diagonal

    @cached_property
    def blocks(self) -> list[Block]:
        """Some columns each, neuron by neuron."""
        return [block for k in range(len(self.neurons)) for block in self._blocks_of(k)]

    def _blocks_of(self, k: int) -> list[Block]:
        columns, curvature = self.neurons[k], self.curvature[:, k]
        X = columns.X.tocsc()
        curved = with_values(X, X.data * curvature[X.indices])
        total, blocks = float(curvature.sum()), []
        for start in range(0, X.shape[1], BLOCK):
            inside = slice(start, min(start + BLOCK, X.shape[1]))
            at = slice(columns.weights.start + start, columns.weights.start + inside.stop)
            part, center = X[:, inside], columns.center[inside]
            H = (part.T @ curved[:, inside]).toarray()
            if columns.bias is not None:
                of_bias = np.asarray(curved[:, inside].sum(axis=0)).ravel()
                H -= np.outer(center, of_bias)
                H -= np.outer(of_bias - total * center, center)
            inverse_scale = columns.inverse_scale[inside]
            H *= inverse_scale
            H *= inverse_scale[:, None]
            H[np.diag_indices_from(H)] += self.l2[at]
            blocks.append(Block(k, at, columns.bias, part, center, inverse_scale, H))
        return blocks


def sparse_hessians(objective: Objective, theta, columns, gauss_newton: bool):
    """The Hessian of each group in its neurons' own columns, biases included, at `theta`."""
    source, coordinates = objective.source, objective.coordinates
    X = centred(source.X, objective.row_center)
    curvature = objective.row_curvature(theta, gauss_newton)
    weight = source.sample_weight
    share = (1.0 if weight is None else weight[:, None]) / source.total_weight
    inverse_scale = 1 / coordinates.scale
    if coordinates.constant is not None:
        inverse_scale[coordinates.constant] = 0.0

    def of_neuron(inside, start):
        part = X if len(inside) == objective.n_features else X[:, inside]
        center, scale = objective.left_to_center[inside], inverse_scale[inside]
        return NeuronColumns(part, center, scale, start, fit_intercept=objective.fit_intercept)

    index = objective.working_index(columns)
    if not objective.pair.coupled:
        return [
            SparseHessian([of_neuron(inside, 0)], curvature[:, k, None], share, objective.l2[at])
            for k, (inside, at) in enumerate(zip(columns, index, strict=True))
        ]
    neurons: list[NeuronColumns] = []
    for inside in columns:
        neurons.append(of_neuron(inside, sum(neuron.size for neuron in neurons)))
    return [SparseHessian(neurons, curvature, share, objective.l2[index[0]])]
