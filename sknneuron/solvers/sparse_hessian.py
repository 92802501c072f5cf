"""A neuron's Hessian in many sparse columns: multiplied through the rows, never formed whole."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._csr import with_values
from ..objective import Objective
from ..products import centred

# Columns whose products with each other are formed.
BLOCK = 256


class SparseHessian:
    """Hessian of one neuron: ``S (X - c)^T D (X - c) S + l2``, and that of the bias.

    Parameters
    ----------
    X : CSR matrix of shape (n_rows, n_columns)
    curvature : ndarray of shape (n_rows,)
        Of each row's loss in z, times the row's share of the weights: D.
    center, inverse_scale : ndarray of shape (n_columns,)
        The coordinates: c, and the diagonal of S.
    l2 : ndarray of shape (size,)
    fit_intercept : bool
    """

    def __init__(self, X, curvature, center, inverse_scale, l2, *, fit_intercept: bool):
        self.X, self.curvature = X, curvature
        self.center, self.inverse_scale = center, inverse_scale
        self.fit_intercept = fit_intercept
        self.n_columns = X.shape[1]
        self.total = float(curvature.sum())
        # What has no curvature keeps a little, so that steps stay finite.
        without = self._diagonal() + l2
        little = max(1e-30 * (without.max(initial=0.0) or 1.0), np.finfo(float).tiny)
        self.l2 = np.where(without > little, l2, little)

    def __matmul__(self, v):
        return self.gradient(self.curvature * self.change(v)) + self.l2 * v

    def change(self, v):
        """What a change of the parameters changes z by, row by row."""
        weights = v[: self.n_columns] * self.inverse_scale
        z = self.X @ weights
        if self.fit_intercept:
            z += v[-1] - self.center @ weights
        return z

    def gradient(self, slopes):
        """What slopes of the rows in z make of a gradient in the parameters."""
        g = self.X.T @ slopes
        if not self.fit_intercept:
            return g * self.inverse_scale
        total = slopes.sum()
        return np.append((g - self.center * total) * self.inverse_scale, total)

    def diagonal(self):
        return self._diagonal() + self.l2

    def _diagonal(self):
        """Of the loss alone."""
        of_bias, X = self.X.T @ self.curvature, self.X
        squares = with_values(X, X.data**2) if X.has_canonical_format else X.multiply(X)
        diagonal = squares.T @ self.curvature
        if not self.fit_intercept:
            return diagonal * self.inverse_scale**2
        diagonal += self.center * (self.total * self.center - 2 * of_bias)
        return np.append(np.maximum(diagonal, 0.0) * self.inverse_scale**2, self.total)

    @cached_property
    def blocks(self) -> list[Block]:
        """Some columns each, and their part of the Hessian."""
        X = self.X.tocsc()
        curved = with_values(X, X.data * self.curvature[X.indices])
        return [
            self._block(slice(start, min(start + BLOCK, self.n_columns)), X, curved)
            for start in range(0, self.n_columns, BLOCK)
        ]

    def _block(self, columns: slice, X, curved) -> Block:
        X, curved = X[:, columns], curved[:, columns]
        H = (X.T @ curved).toarray()
        if self.fit_intercept:
            center = self.center[columns]
            of_bias = np.asarray(curved.sum(axis=0)).ravel()
            H -= np.outer(center, of_bias)
            H -= np.outer(of_bias - self.total * center, center)
        H *= self.inverse_scale[columns]
        H *= self.inverse_scale[columns, None]
        H[np.diag_indices_from(H)] += self.l2[columns]
        return Block(columns, X, H)


class Block:
    """Some columns, X of them, and their part of the Hessian."""

    def __init__(self, columns: slice, X, hessian):
        self.columns, self.X, self.hessian = columns, X, hessian


def sparse_hessians(objective: Objective, theta, columns, gauss_newton: bool):
    """The Hessian of each neuron in its own columns, bias included, at `theta`."""
    source, coordinates = objective.source, objective.coordinates
    X = centred(source.X, objective.row_center)
    curvature = objective.row_curvature(theta, gauss_newton) / source.total_weight
    inverse_scale = 1 / coordinates.scale
    if coordinates.constant is not None:
        inverse_scale[coordinates.constant] = 0.0
    return [
        SparseHessian(
            X if len(inside) == objective.n_features else X[:, inside],
            curvature[:, k],
            objective.left_to_center[inside],
            inverse_scale[inside],
            objective.l2[index],
            fit_intercept=objective.fit_intercept,
        )
        for k, (inside, index) in enumerate(
            zip(columns, objective.working_index(columns), strict=True)
        )
    ]
