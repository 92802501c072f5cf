"""How a stochastic training goes: its best point, and when to go back there with a lower rate."""

from __future__ import annotations

import numpy as np

from .base import Iterate

# What is remembered from epoch to epoch: rates, momentum and the like.
State = dict[str, np.ndarray]


class Course:
    """How a training goes: the best point so far, and how long ago it was.

    Parameters
    ----------
    share : float
        Share of what was gained so far that counts as progress.
    patience : int
        Epochs without progress before the rate is cut.
    first : Iterate
    state : dict of arrays
    """

    def __init__(self, share: float, patience: int, first: Iterate, state: State):
        self.share = share
        self.patience = patience
        self.first = first
        self.best = first
        self.previous = first
        self.state = _copy(state)
        self.waited = 0
        self.cuts = 0
        self.retreats = 0

    def is_lost(self, now: Iterate) -> bool:
        """Not finite, or as far above the start as the best point is below it."""
        gained = self.first.total - self.best.total
        # A start that nothing beats is left by no more than rounding, and returned to.
        return not now.total <= self.first.total + gained + self.first.objective.rounding

    def rises(self, now: Iterate) -> bool:
        """Take the next point; True if it lies above the one before."""
        rises = now.total > self.previous.total
        self.previous = now
        return rises

    def stalls(self, now: Iterate, state: State) -> bool:
        """Take the next point; True once `patience` epochs in a row brought no progress."""
        best = self.best.total
        progress = now.total < best - self.share * (self.first.total - best)
        if now.total < best:
            self.best, self.state = now, _copy(state)
        self.waited = 0 if progress else self.waited + 1
        return self.waited >= self.patience

    def turn_back(self, state: State, cut: float):
        """The best point so far and its state, with a lower rate."""
        self.waited = 0
        back = _copy(self.state)
        back["share"] = state["share"] * cut
        return self.best.theta, back


def _copy(state: State) -> State:
    return {key: np.array(value) for key, value in state.items()}
