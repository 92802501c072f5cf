"""What values on a sample are compared by: what the neurons with a bias alone leave to gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sample import Sample

# How exact ends are; those on a screen, the smaller sample before it, need not be so exact.
TOL = 1e-8
# A gain this many times that of weights which fit noise is no accident.
SURE = 12.0


@dataclass(frozen=True)
class Yardstick:
    """What values on a sample are compared by.

    Parameters
    ----------
    sample : Sample
    null_value : ndarray of shape (n_groups,)
        Values of the best neurons with a bias alone.
    rounding : float
        What rounding may add to a value.
    tol : float
        How close to its end a descent goes, as a share of the gain.
    """

    sample: Sample
    null_value: np.ndarray
    rounding: float
    tol: float

    @property
    def is_screen(self) -> bool:
        """Whether ends are only to show which of them are worth going on from."""
        return self.tol > TOL

    def gain(self, lowest):
        """What the lowest values gain on the neurons with a bias alone."""
        return np.maximum(self.null_value - lowest, 0.0)

    def is_sure(self, gain, lowest):
        """Whether a gain, down to the lowest value, is so much that it can be no accident."""
        return gain > SURE * self.by_chance(lowest)

    def by_chance(self, lowest):
        """About what weights that fit noise gain: half its loss per row and weight, and as much."""
        # Losses of positive levels may be below zero.
        return abs(lowest) * self.sample.size / self.sample.n_rows

    def left(self, step, predicted):
        """What Newton's step leaves of what it promises: the square of any row's change of z."""
        shift = np.abs(self.sample.pre_activation(step)).max(axis=0)
        return predicted * np.minimum(shift, 1.0) ** 2
