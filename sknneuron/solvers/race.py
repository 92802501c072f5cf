"""Descents from many starts side by side on a sample, each as a neuron of its own.

They race: those that are behind are given up, and those that near one end become one.
"""

from __future__ import annotations

import numpy as np

from .damping import DampedDescent
from .linear_algebra import dot
from .yardstick import Yardstick

MAX_STEPS = 60
# After so many steps, those that are behind by more than this share of the gain are given up.
RACE_STEPS = 12
RACE_STEPS_SCREEN = 4
RACE_SHARE = 0.2
# A fit to the targets that after so many steps is worse than no weights at all is on a plateau; on
# rounded kinks it takes one more.
STEPS_TO_NULL = 1
# Descents that near one end, and are no further from it than this share of the gain, become one.
JOIN_SHARE = 0.03
# Descents on a screen end where a step promises no more than this share of the gain: on more rows
# the end is about as far off.
ROUGH_END = 5e-3
# On a screen all stop once the lowest end has come up so often.
ENOUGH_HITS = 3


class Race:
    """Go down on one pair from many starts.

    Parameters
    ----------
    pair : Pair
        That of the sample, or a stand-in with rounded kinks.
    theta : ndarray of shape (n_starts, size)
    damping : ndarray of shape (n_starts,)
        That of the first step.
    owner : ndarray of shape (n_starts,)
        Group of each start.
    known : ndarray of shape (n_groups,)
        Lowest value that is known of each group.
    yardstick : Yardstick
    turn : int
        Steps after which the activation's curvature is no longer left out.
    early : bool
        On a screen: whether all stop once the lowest end has come up often enough. If not, each is
        followed until it joins another.
    rounds_off : bool
        Whether kinks are rounded off.

    Attributes
    ----------
    ends : ndarray of shape (n_starts, size)
    values : ndarray of shape (n_starts,)
        There; infinite where there is no end.
    hessians : dict
        Those at the ends by the number of the start, if the curvature never was left out.
    joined : ndarray of int
        For each start, the one that it became one with.
    """

    def __init__(
        self,
        pair,
        theta,
        damping,
        owner,
        known,
        yardstick: Yardstick,
        *,
        turn: int,
        early: bool,
        rounds_off: bool,
    ):
        n = len(owner)
        self.pair = pair
        self.owner = owner
        self.known = known
        self.yardstick = yardstick
        self.turn = turn
        self.early = early
        self.rounds_off = rounds_off
        self.ends, self.values = theta.copy(), np.full(n, np.inf)
        self.hessians: dict[int, np.ndarray] = {}
        self.joined = np.arange(n)
        # Who still goes down: a mask of the starts, their numbers, and their groups.
        self.live, self.number, self.owners = np.ones(n, dtype=bool), np.arange(n), owner
        self.down = DampedDescent(
            self._evaluation(turn > 0),
            theta,
            rounding=yardstick.rounding,
            damping=damping,
            is_positive=turn > 0,
        )

    def run(self, steps: list[tuple]) -> None:
        """Go down until all have ended; what they come by is added to `steps`, see `End.steps`."""
        for n_steps in range(MAX_STEPS):
            self._keep(np.isfinite(self.down.value))
            self._note(steps)
            lowest = self.known.copy()
            np.minimum.at(lowest, self.owner, self.values)
            step, predicted = self.down.propose()
            gain = self.yardstick.gain(lowest)[self.owners]
            ended = self._have_ended(predicted, gain) | self._are_behind(n_steps, lowest, gain)
            if n_steps >= self.turn and self.pair is self.yardstick.sample.pair:
                # Where next to nothing is left, the end needs no look.
                left = self.yardstick.left(step, predicted)
                last = (left <= self.yardstick.tol * gain) & (self.down.damping == 0) & ~ended
                ended |= self._end(last, step, predicted)
            if not (self.early or self.rounds_off):
                ended |= self._join(step, predicted, JOIN_SHARE * gain, ended)
                if self.yardstick.is_screen:
                    rough = (predicted <= ROUGH_END * gain) & (self.down.damping <= 1e-3) & ~ended
                    ended |= self._end(rough, step, predicted)
                    # Worse than nothing, where all others have ended: not waited for.
                    hopeless = self.down.value > self.yardstick.null_value[self.owners]
                    ended |= hopeless & (ended | hopeless).all()
            still = ~ended
            self.live[self.number] = still
            if not still.any() or (self.early and self._is_clear(lowest)):
                break
            if not still.all():
                self._keep(still)
                step, predicted = step[still], predicted[still]
            gauss_newton = n_steps + 1 < self.turn
            self.down.evaluate, self.down.is_positive = self._evaluation(gauss_newton), gauss_newton
            self.down.advance(step, predicted)
        while (self.joined != self.joined[self.joined]).any():
            self.joined = self.joined[self.joined]

    def _evaluation(self, gauss_newton: bool):
        sample, pair = self.yardstick.sample, self.pair
        y = sample.targets(self.owners)
        return lambda theta: sample.evaluate(theta, y, pair, gauss_newton)

    def _keep(self, mask) -> None:
        """Go on with these of those that still go down."""
        if not mask.all():
            self.live[self.number], self.number = mask, self.number[mask]
            self.owners = self.owners[mask]
            self.down.keep(mask)

    # -- the way -----------------------------------------------------------------------------------

    def _note(self, steps: list[tuple]) -> None:
        """Keep where all are."""
        down = self.down
        at = np.full(len(self.owner), -1)
        at[self.number] = np.arange(len(self.number))
        steps.append((at, down.theta, down.value, down.gradient))
        self.ends[self.number] = down.theta
        self.values[self.number] = down.value
        if self.turn == 0:
            self.hessians.update(zip(self.number, down.hessian, strict=True))

    def _end(self, last, step, predicted):
        """Let these end where their steps lead, without a look at it; return them."""
        if last.any():
            self.ends[self.number[last]] += step[last]
            self.values[self.number[last]] -= predicted[last]
        return last

    # -- who has ended -----------------------------------------------------------------------------

    def _have_ended(self, predicted, gain):
        """Where a step promises next to nothing, or none is short enough."""
        allowed, damping = self.yardstick.tol * gain, self.down.damping
        # A step that is held short promises little: about as much as that of a whole one.
        small = predicted * (1 + damping) <= allowed + 0.1 * self.yardstick.rounding
        return small | (damping >= 1e8)

    def _are_behind(self, n_steps: int, lowest, gain):
        """Who after so many steps is far above the lowest, or above no weights at all."""
        value, owners = self.down.value, self.owners
        behind = np.zeros(len(value), dtype=bool)
        if n_steps >= (RACE_STEPS_SCREEN if self.yardstick.is_screen else RACE_STEPS):
            behind |= value > lowest[owners] + RACE_SHARE * gain
        if n_steps >= STEPS_TO_NULL + self.rounds_off and not self.early:
            behind |= value > self.yardstick.null_value[owners]
        return behind

    def _join(self, step, predicted, near, ended):
        """Make one of those that will end in one place; return the mask of who joined another."""
        goes_with = self._foreseen_company(step, predicted, near)
        goes_with[ended] = np.flatnonzero(ended)
        self.joined[self.number] = self.number[goes_with]
        return goes_with != np.arange(len(self.number))

    def _foreseen_company(self, step, predicted, near):
        """For each descent, the one that ends where it will: itself, or the lowest of its group.

        Ends are foretold by the steps, distances measured by the Hessian of the lowest. With kinks
        every other place is an end of its own, and near ends tell nothing of each other.
        """
        down, owners = self.down, self.owners
        foretold = np.where(predicted <= near, down.value - predicted, np.inf)
        end, goes_with = down.theta + step, np.arange(len(owners))
        for k in set(owners.tolist()):
            group = np.flatnonzero(owners == k)
            lowest = group[foretold[group].argmin()]
            if np.isfinite(foretold[lowest]):
                off = end[group] - end[lowest]
                distance = 0.5 * dot(off.dot(down.hessian[lowest]), off)
                goes_with[group[distance <= near[group]]] = lowest
        return goes_with

    def _is_clear(self, lowest) -> bool:
        """On a screen: whether the lowest end has come up often enough already."""
        yardstick, owner = self.yardstick, self.owner
        gain = yardstick.gain(lowest)
        if not yardstick.is_screen or not yardstick.is_sure(gain, lowest).all():
            return False
        near = lowest + 10 * yardstick.tol * gain
        hit = ~self.live & (self.values <= near[owner])
        return bool(np.bincount(owner[hit], minlength=len(lowest)).min() >= ENOUGH_HITS)
