"""The penalty on the weights, and the two formulas of its kink."""

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


def soft_threshold(weights, threshold):
    """Move every weight towards zero by its threshold, and not past it."""
    return weights - np.clip(weights, -threshold, threshold)


def least_subgradient(gradient, weights, l1):
    """The subgradient of least norm, from the gradient of the smooth part: zero at the optimum."""
    return np.where(weights != 0, gradient + np.sign(weights) * l1, soft_threshold(gradient, l1))
