"""Pairs with more curvature than their own, by which the steps of a solver go.

Far from where it bends a loss is all slope. A model of its curvature there knows nothing of how far
that slope reaches, and leads beyond all bounds.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from .closed_forms import SigmoidLogLoss, SoftmaxLogLoss, one_hot
from .pairs import IdentityPair, Pair


class Majorised(IdentityPair):
    """A loss of two straight pieces and a parabola between them, for the curvature of steps alone.

    That is the slope over the distance from the kink: of the parabola about the kink that touches
    the loss and lies nowhere below it. On the straight pieces a loss has no curvature that would
    tell how far to go, and the parabola's minimum is never too far.

    References
    ----------
    Holland and Welsch, Robust regression using iteratively reweighted least-squares, Commun. Stat.
    Theory Methods 6 (1977).
    """

    # Share of it that the straight pieces have.
    share = 1.0

    @staticmethod
    def serves(pair: Pair, y) -> bool:
        """Whether the pair's loss is such, with straight pieces on both sides."""
        pieces = pair.pieces(y)
        return pair.quadratic_pieces and pieces is not None and bool(np.all(np.isfinite(pieces)))

    def derivatives(self, y, z, order, gauss_newton=False):
        loss, slope, curvature = super().derivatives(y, z, order)
        if order == 2:
            distance = z - self.pieces(y)[0]
            straight = (curvature == 0) & (distance != 0)
            curvature[straight] = self.share * slope[straight] / distance[straight]
        return loss, slope, curvature


class HardlyCurved(Majorised):
    """The same with hardly any of it: Newton's steps, which are bounded all the same."""

    share = 0.01


class MajorisedSigmoid(SigmoidLogLoss):
    """The log loss of the sigmoid, for the curvature of steps alone.

    Rows on the wrong side have that of the parabola which touches the loss at z and at -z, and lies
    nowhere below it. Rows on the right side have their own: there is hardly any slope to go by.

    References
    ----------
    Jaakkola and Jordan, Bayesian parameter estimation via variational methods, Statistics and
    Computing 10 (2000).
    """

    def derivatives(self, y, z, order, gauss_newton=False):
        loss, slope, curvature = super().derivatives(y, z, order)
        if order == 2:
            wrong = (y - 0.5) * z < 0
            far = np.abs(z[wrong])
            curvature[wrong] = np.tanh(0.5 * far) / (2 * far)
        return loss, slope, curvature

    sums = Pair.sums


class MajorisedSoftmax(SoftmaxLogLoss):
    """The log loss of softmax, for the curvature of steps alone.

    Rows on the wrong side, by g between the z of their class and of the one ahead, have that of
    ``softmax(z / T)`` with ``T = g / log(1 + 2 g)``: between the two it is about ``1 / (2 g)``, as
    of the parabola that `MajorisedSigmoid` takes.
    """

    def derivatives(self, y, z, order, gauss_newton=False):
        loss, slope, curvature = super().derivatives(y, z, order)
        if order == 2:
            own = one_hot(y, z.shape[1]) if y.ndim == 1 else y > 0.5
            gap = np.max(z, axis=1, where=~own, initial=-np.inf) - np.sum(z, axis=1, where=own)
            # Nearer by, T would be under one.
            wrong = gap > np.log1p(2 * np.maximum(gap, 0.0))
            gap = gap[wrong, None]
            curvature[wrong] = special.softmax(z[wrong] * (np.log1p(2 * gap) / gap), axis=1)
        return loss, slope, curvature

    sums = Pair.sums


# What steps may go by in place of a pair's own curvature, where that leads too far.
MAJORISED: dict[type[Pair], type[Pair]] = {
    SigmoidLogLoss: MajorisedSigmoid,
    SoftmaxLogLoss: MajorisedSoftmax,
}
