"""The best neurons with a bias alone: what the targets tell, without a look at X."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .kernels import ClassWeights, NullLoss, TargetSums
from .pairs import Pair

# Rows that the best constant level is taken from where it is no mean and rows are far away.
N_LEVEL_ROWS = 1 << 16


class NullModel:
    """The best neurons with a bias alone, where every training begins.

    Parameters
    ----------
    source : source of rows
    pair : Pair
    n_outputs : int
        Number of neurons that the loss compares with targets.
    fit_intercept : bool
        Whether they have a bias; it is zero otherwise.
    """

    def __init__(self, source, pair: Pair, n_outputs: int, fit_intercept: bool):
        self.source = source
        self.pair = pair
        self.n_outputs = n_outputs
        self.fit_intercept = fit_intercept

    @cached_property
    def bias(self):
        """Bias of each neuron, (n_outputs,)."""
        if not self.fit_intercept:
            return np.zeros(self.n_outputs)
        return self.pair.null_bias(*self.targets())

    @property
    def value(self) -> float:
        """Mean loss."""
        return self._losses[0]

    @property
    def absolute(self) -> float:
        """Mean absolute loss term, the yardstick for what rounding does to the loss."""
        return self._losses[1]

    def targets(self):
        """Targets and weights whose best constant level is that of all rows."""
        source, loss = self.source, self.pair.loss
        if self.pair.coupled:
            return self._class_weights
        if loss.linear_in_y or (loss.mean_decides and not source.in_memory):
            return self._mean_targets, None
        if source.is_near:
            return source.targets, source.sample_weight
        # A start, and a yardstick for `tol`: neither needs the exact level.
        rows = source.spread(N_LEVEL_ROWS)
        return rows.y, rows.sample_weight

    @cached_property
    def _class_weights(self):
        """Class codes, and the weight of each."""
        (weights,) = self.source.sum_targets(ClassWeights(self.n_outputs))
        return np.arange(self.n_outputs), weights

    @cached_property
    def _mean_targets(self):
        """Mean of the targets, as of a single row."""
        (total,) = self.source.sum_targets(TargetSums())
        return total[None] / self.source.total_weight

    @cached_property
    def _losses(self) -> tuple[float, float]:
        """Mean loss and mean absolute loss term."""
        bias = self.bias
        if self.pair.coupled:
            # All rows of a class have the same loss, which is not negative.
            codes, weights = self._class_weights
            loss = absolute = NullLoss(self.pair)(None, codes, weights, bias)[0]
        elif self.pair.loss.linear_in_y and self.pair.loss.nonnegative:
            terms = self.pair.derivatives(self._mean_targets, bias[None], 0)[0]
            return (value := sum(terms[0].tolist())), value
        else:
            loss, absolute = self.source.map_sum(NullLoss(self.pair), bias)
        total = self.source.total_weight
        return sum(loss.tolist()) / total, sum(absolute.tolist()) / total
