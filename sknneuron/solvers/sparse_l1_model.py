"""A quadratic with an L1 norm in many sparse columns: `L1Model` where a factor is too dear.

Coordinate descent goes through the columns block by block, each with its own small part of the
Hessian, and finds out which weights are zero and which sign the others have; conjugate gradients
then lead to the minimum for those signs. Neither needs more of the Hessian than products with rows.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import daxpy

from ..penalties import soft_threshold
from .l1_model import INEXACT, Quadratic
from .sparse_hessian import Block, SparseHessian

# Sweeps over all blocks before each search for the minimum for the signs at hand, and within each.
N_SWEEPS, N_INNER_SWEEPS = 3, 2
MAX_ROUNDS = 100
# Share of what may be left that single weights have to gain at most, where a round gained more.
SURE = 0.01
# Faces, each of fewer weights than the one before, that a search goes through.
MAX_FACES = 10
# Steps of conjugate gradients after which a first look is taken at what crosses zero; each next one
# after twice as many. The share of the squared residual that they leave, and their most.
FIRST_LOOK, RESIDUAL, MAX_CG = 8, 1e-4, 1000
EPS = float(np.finfo(float).eps)


class SparseL1Model(Quadratic):
    """The quadratic with its L1 norm.

    Parameters
    ----------
    gradient : ndarray of shape (size,)
        Of the smooth part at `at`.
    hessian : SparseHessian
    l1 : ndarray of shape (size,)
        Zero for what is not penalised.
    at : ndarray of shape (size,)
        Where gradient and Hessian are from, and where the search begins.

    References
    ----------
    Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models via
    coordinate descent, J. Stat. Softw. 33 (2010). Hestenes and Stiefel, Methods of conjugate
    gradients for solving linear systems, J. Res. NBS 49 (1952).
    """

    # Nothing was factored, so nothing was added for that.
    ridge = 0.0

    def __init__(self, gradient, hessian: SparseHessian, l1, at):
        super().__init__(gradient, hessian, l1, at)
        self.diagonal = hessian.diagonal()

    def minimise(self, tol: float, most: float = np.inf):
        """Return the minimiser, exact zeros included: within `tol`, or `INEXACT` of the gain.

        The search ends where it has gained more than `most`.
        """
        u, gain = self.at.copy(), 0.0
        for _ in range(MAX_ROUNDS):
            self._descend(u)
            u, is_end = self._to_end_of_face(u, most)
            slope = self._slope(u)
            before, gain = gain, self._gain(u, slope)
            if gain > most:
                break
            enough, left = max(tol, INEXACT * gain), self._left(u, slope)
            # One weight alone may have little to gain and much with others that it resembles.
            if is_end and left <= (enough if gain - before <= enough else SURE * enough):
                break
        return u

    def _left(self, u, slope) -> float:
        """What single coordinates could still gain, in all."""
        moved = soft_threshold(u - slope / self.diagonal, self.l1 / self.diagonal)
        change = moved - u
        gain = -float(change @ (slope + 0.5 * self.diagonal * change))
        return gain - float(self.l1 @ (np.abs(moved) - np.abs(u)))

    def _value(self, u) -> float:
        change = u - self.at
        z = self.H.change(change)
        smooth = self.gradient_at @ change + 0.5 * (self.H.l2 * change) @ change
        return float(smooth + 0.5 * np.sum(self.H.slopes(z) * z) + self.l1 @ np.abs(u))

    # -- coordinate descent ------------------------------------------------------------------------

    def _descend(self, u) -> None:
        """Sweep over the blocks, in place, with the neuron's bias at its best after each."""
        H = self.H
        slopes = H.slopes(H.change(u - self.at))
        for _ in range(N_SWEEPS):
            for block in H.blocks:
                self._sweep_block(block, u, slopes)

    def _sweep_block(self, block: Block, u, slopes) -> None:
        H, columns, of_neuron = self.H, block.columns, slopes[:, block.neuron]
        total = of_neuron.sum()
        slope = (block.X.T @ of_neuron - block.center * total) * block.inverse_scale
        slope += self.gradient_at[columns] + (H.l2 * (u - self.at))[columns]
        change = self._swept(block, u[columns], slope)
        if change is None:
            return
        weights = change * block.inverse_scale
        z = block.X @ weights
        u[columns] += change
        if block.bias is not None:
            curvature = self.diagonal[block.bias]
            shift = -float(block.center @ weights)
            total += float(H.curvature[:, block.neuron] @ z) + shift * curvature
            bias = -(self.gradient_at[block.bias] + total) / curvature
            u[block.bias] += bias
            z += shift + bias
        slopes += H.slopes_by_one(z, block.neuron)

    def _swept(self, block: Block, start, slope):
        """How sweeps over one block's columns change them; None if they do not."""
        columns, H = block.columns, block.hessian
        size, rows = len(H), list(H)
        diagonal, l1 = self.diagonal[columns], self.l1[columns]
        u = start.copy()
        for _ in range(N_INNER_SWEEPS):
            active = np.flatnonzero((u != 0) | (np.abs(slope) > l1))
            numbers = (active.tolist(), l1[active].tolist(), diagonal[active].tolist())
            for j, threshold, h in zip(*numbers, strict=True):
                old = u.item(j)
                x = old * h - slope.item(j)
                new = x - threshold if x > threshold else x + threshold if x < -threshold else 0.0
                new /= h
                if new != old:
                    daxpy(rows[j], slope, size, new - old)
                    u[j] = new
        change = u - start
        return change if change.any() else None

    # -- faces -------------------------------------------------------------------------------------

    def _to_end_of_face(self, u, most: float):
        """Go to the minimum for the signs at hand, as far as they hold; and whether they do."""
        for _ in range(MAX_FACES):
            step, gain = self._conjugate_gradients(u, most)
            if not self._crosses(u, u + step).any():
                return u + step, gain <= most
            u = self._cut(u, step)
        return u, False

    def _crosses(self, u, to):
        return (self.l1 > 0) & (u != 0) & (to * u <= 0)

    def _conjugate_gradients(self, u, most: float):
        """The step to the minimum for the signs at hand, or one on which some do not hold.

        Returns it, and what it gains as long as they do.
        """
        free = (u != 0) | (self.l1 == 0)
        inverse = np.where(free, 1 / self.diagonal, 0.0)
        left = np.where(free, -(self._slope(u) + np.sign(u) * self.l1), 0.0)
        step = direction = np.zeros_like(left)
        before, small, look, gain = 1.0, None, FIRST_LOOK, 0.0
        for k in range(1, MAX_CG):
            v = inverse * left
            size = float(left @ v)
            small = RESIDUAL * size if small is None else small
            if size <= small:
                break
            direction = v + size / before * direction
            before, curved = size, np.where(free, self.H @ direction, 0.0)
            bend = float(direction @ curved)
            if not bend > 0:
                break
            length = size / bend
            step = step + length * direction
            gain += 0.5 * length * size
            if gain > most:
                break
            left = left - length * curved
            if k == look:
                look *= 2
                if self._crosses(u, u + step).any():
                    break
        return step, gain

    def _cut(self, u, step):
        """Go along the step to where the model is lowest; what crosses zero stays there.

        Looked at is where all that do have crossed it, half of them, a quarter, and the first.
        """
        crosses = self._crosses(u, u + step)
        shares = np.sort(-u[crosses] / step[crosses])
        best, lowest, n_crossed = u, self._value(u), len(shares)
        while n_crossed:
            length = 1.0 if n_crossed == len(shares) else shares[n_crossed - 1]
            to = u + length * step
            # The weight that just comes to zero may miss it by a rounding.
            to[crosses & ((to * u <= 0) | (np.abs(to) <= 4 * EPS * np.abs(u)))] = 0.0
            value = self._value(to)
            if value < lowest:
                best, lowest = to, value
            elif best is not u:
                break
            n_crossed //= 2
        # But for rounding it is lower where the first crosses.
        return to if best is u else best
