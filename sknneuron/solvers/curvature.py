"""Where Hessians of proximal Newton steps are from: all rows, a part of them, or another loss."""

from __future__ import annotations

import numpy as np

from ..majorised import MAJORISED, HardlyCurved, Majorised
from ..objective import Objective
from ..pairs import Pair
from .working_set import WorkingSet

# An old Hessian, or a subsample's, serves while steps leave no more than this of the decrement.
SLOW = 0.1
# Steps that change z by no more than this, in any row, may go by the objective's own curvature.
NEAR = 2.0


class Curvature:
    """Chooses, step by step, whose Hessians serve.

    Those of a subsample do at first. Far from where a loss bends, a curvature that hardly is one
    leads too far: that of a parabola above the loss leads safely, if slowly in the end. So it
    serves where a step had to be cut, until steps are short. On pieces that are straight it does
    from the first step on, and a hundredth of it leads to where the objective's own will do.

    Parameters
    ----------
    objective : Objective

    Attributes
    ----------
    whole : WorkingSet
        The objective's own, over all rows.
    current : WorkingSet
        What serves now.
    """

    def __init__(self, objective: Objective):
        self.whole = self.current = WorkingSet(objective)
        self._sample: WorkingSet | None = None
        self._safe: WorkingSet | None = None
        self._quick: WorkingSet | None = None
        if self.whole.in_one_pass:
            return
        pair = objective.pair

        def of(cls: type[Pair]) -> WorkingSet:
            return WorkingSet(objective.with_pair(cls(pair.activation, pair.loss, pair.convex)))

        if Majorised.serves(pair, objective.watched.y):
            self._safe, self._quick = of(Majorised), of(HardlyCurved)
            self.current = self._safe
        elif type(pair) in MAJORISED:
            self._safe = of(MAJORISED[type(pair)])

    @property
    def is_exact(self) -> bool:
        return self.current is self.whole

    @property
    def is_of_sample(self) -> bool:
        return self.current is self._sample

    @property
    def is_safe(self) -> bool:
        """Whether the safe one serves: of two straight pieces, of a model above the loss."""
        return self.current is self._safe

    def serve_from(self, sample: Objective) -> None:
        """Take Hessians over a subsample, where rows are smooth enough for that."""
        if self._quick is None:
            self.current = self._sample = WorkingSet(sample)

    def better(
        self, step_size: float, ratio: float, exact: bool, shift: float
    ) -> WorkingSet | None:
        """What promises more than the Hessian at hand; None if none does.

        Parameters
        ----------
        step_size, ratio : float
            What the last step came to.
        exact : bool
            Whether the Hessian is the objective's own, from where the step begins.
        shift : float
            Largest change of a row's curvature along the step.
        """
        if self.is_safe:
            if self._quick is None:
                return self.whole if shift <= NEAR else None
            return self._quick if step_size == 1 and ratio > SLOW else None
        if self._quick is None and not exact and (step_size < 1 or ratio > SLOW):
            return self.whole
        return None

    def most_gain(self, value: float) -> float:
        """What a step may gain at most, or its Hessian leads too far: no loss here is below zero.

        Only where another Hessian would be better.
        """
        may_cut = self._safe is not None and self._quick is None and self.is_exact
        return value if may_cut else np.inf

    def cut(self, shift: float) -> WorkingSet:
        """A step of this shift leads too far: choose for where it is cut, or one in its place."""
        is_far = self._quick is not None or shift > NEAR
        if self._safe is not None and is_far and not self.is_of_sample:
            self.current = self._safe
        return self.current

    def after(self, ratio: float) -> None:
        """Choose for the next steps, by what the one before the last left."""
        if self.current is self._quick and self._quick is not None and ratio <= SLOW:
            self.current = self.whole
