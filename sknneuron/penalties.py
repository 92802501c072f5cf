"""The penalty on the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ElasticNet:
    """``alpha * (l1_ratio * |W|_1 + (1 - l1_ratio) / 2 * |W|_2^2)``; the bias is not part of W.

    Parameters
    ----------
    alpha : float
        Strength, not negative.
    l1_ratio : float
        Share of the L1 norm, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sknneuron.penalties import ElasticNet
    >>> ElasticNet(alpha=1.0, l1_ratio=0.5).value(np.array([2.0]))
    2.0
    """

    alpha: float
    l1_ratio: float

    @property
    def l1(self) -> float:
        """Strength of the L1 part."""
        return self.alpha * self.l1_ratio

    @property
    def l2(self) -> float:
        """Strength of the L2 part, which is its curvature too."""
        return self.alpha * (1 - self.l1_ratio)

    def value(self, weights) -> float:
        """Return the penalty."""
        return float(self.l1 * np.abs(weights).sum() + 0.5 * self.l2 * np.square(weights).sum())

    def gradient(self, weights):
        """Return the gradient of the L2 part."""
        return self.l2 * weights

    def curvature(self) -> float:
        """Return the second derivative of the L2 part."""
        return self.l2

    def prox(self, weights, step: float):
        """Return the minimiser of ``penalty(v) + |v - weights|^2 / (2 step)``."""
        shrunk = np.sign(weights) * np.maximum(np.abs(weights) - step * self.l1, 0.0)
        return shrunk / (1 + step * self.l2)
