"""Directions along which rounding hides the Hessian's curvature.

Columns that are nearly collinear, as times are without a bias, differ by a share d. The Hessian
knows of that by ``d**2``, which its rounding may swallow, and its product with a direction by d.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..objective import Objective
from .linear_algebra import SpdSolver, rounding_of

# Curvatures of no more than so many roundings of the Hessian are measured, those of fewer unknown.
HIDDEN, UNKNOWN = 1e3, 10
# Most directions of a group that are measured: a pass each.
MOST_MEASURED = 20
# Change of z along a direction of unit length that rounding may make of none.
NO_SHIFT = 1e-11
# Share of the measured curvatures, scaled to one, below which one is but rounding.
LEAST_SHARE = 1e-8

# The Hessian of a group, by its number, times a direction.
Product = Callable[[int, np.ndarray], np.ndarray]


def hessian_at(objective: Objective, theta, gauss_newton: bool, index=None) -> Product:
    """The product with the Hessian at a point, in each group's parameters of an index, or all."""

    def product(k, direction):
        inside = slice(None) if index is None else index[k]
        step = np.zeros_like(theta)
        step[k, inside] = direction
        return objective.hessian_product(theta, step, gauss_newton)[k, inside]

    return product


class Revealed:
    """Solves ``H x = g`` by a factor of H, and by products where its rounding hides curvature.

    Parameters
    ----------
    solve : SpdSolver
    blocks : list of (Block or None)
        One per group; None where the factor knows all.

    Attributes
    ----------
    complete : bool
        Whether every direction was measured that has to be.
    """

    def __init__(self, solve: SpdSolver, blocks: list[Block | None]):
        self._solve = solve
        self._blocks = blocks
        self.complete = all(block is None or block.complete for block in blocks)

    def __call__(self, g):
        x = self._solve(g)
        for k, block in enumerate(self._blocks):
            if block is not None:
                x[k] = block(g[k])
        return x

    def is_exact(self, g) -> bool:
        """Whether the solution hardly depends on what a ridge stands in for."""
        return self.complete


class Block:
    """The solution of one group.

    On the eigenvectors Q of which the Hessian knows the curvature D it is diagonal. Of a few other
    directions V the product Y with the Hessian was taken. Their block of it, without what the
    eigenvectors have to do with them, is ``V.T @ Y - C.T @ inv(D) @ C`` with ``C = Q.T @ Y``.

    Parameters
    ----------
    scale : ndarray of shape (size,)
        Units in which the Hessian has a unit diagonal, and the rest is given.
    curvature, known : ndarray of shape (n_known,) and (size, n_known)
        D and Q.
    directions, products : ndarray of shape (size, n_measured)
        V and Y.
    complete : bool
        Whether V are all that the Hessian knows nothing of.
    """

    def __init__(self, scale, curvature, known, directions, products, complete: bool):
        self.complete = complete
        self.scale, self.curvature, self.known = scale, curvature, known
        # Curvatures of many magnitudes, each to its own last digit.
        unit = 1 / np.sqrt(np.einsum("ij,ij->j", directions, products))
        self.directions = directions * unit
        self.coupling = known.T @ (products * unit)
        block = self.directions.T @ (products * unit)
        block -= self.coupling.T @ (self.coupling / curvature[:, None])
        values, vectors = np.linalg.eigh(0.5 * (block + block.T))
        good = values > LEAST_SHARE
        self.inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T

    def __call__(self, g):
        g = g * self.scale
        known = (self.known.T @ g) / self.curvature
        measured = self.inverse @ (self.directions.T @ g - self.coupling.T @ known)
        known -= (self.coupling @ measured) / self.curvature
        return (self.known @ known + self.directions @ measured) * self.scale


def revealed(solve: SpdSolver, gradient, product: Product, allowed: float) -> Revealed | None:
    """A solver that knows the curvature which a factor's rounding hides; None if nothing is hidden.

    Parameters
    ----------
    solve : SpdSolver
    gradient : ndarray of shape (n_groups, size)
    product : callable
    allowed : float
        What a direction has to promise to be looked at.
    """
    blocks: list[Block | None] = [None] * len(gradient)
    for k, slope in enumerate(solve.hidden_slope(gradient).tolist()):
        if matters(slope, allowed):
            blocks[k] = _block(solve.spectrum(k), gradient[k], partial(product, k), allowed)
    if all(block is None for block in blocks):
        return None
    return Revealed(solve, blocks)


def matters(slope, allowed: float):
    """Whether a scaled slope promises enough if the curvature there is the least that rows show."""
    return 0.5 * slope**2 > allowed * NO_SHIFT**2


def _block(spectrum, g, product, allowed: float) -> Block | None:
    scale, values, vectors = spectrum
    rounding = rounding_of(vectors)
    slope = vectors.T @ (g * scale)
    hidden = np.flatnonzero((values <= HIDDEN * rounding) & matters(slope, allowed))
    known = values > UNKNOWN * rounding
    measured, products = [], []
    for i in hidden[:MOST_MEASURED]:
        change = product(vectors[:, i] * scale) * scale
        known[i] = False
        if vectors[:, i] @ change > NO_SHIFT**2:
            measured.append(i)
            products.append(change)
    if not measured:
        return None
    complete = bool(known[hidden[MOST_MEASURED:]].all())
    return Block(
        scale,
        values[known],
        vectors[:, known],
        vectors[:, measured],
        np.column_stack(products),
        complete,
    )
