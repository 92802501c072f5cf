"""Where Hessians of proximal Newton steps are from: all rows, a part of them, or another loss."""

from __future__ import annotations

from ..objective import Objective
from ..pairs import HardlyCurved, Majorised
from .working_set import WorkingSet

# An old Hessian, or a subsample's, serves while steps leave no more than this of the decrement.
SLOW = 0.1


class Curvature:
    """Chooses, step by step, whose Hessians serve.

    Those of a subsample do at first. On the straight pieces of a loss there is no curvature that
    would tell how far to go: that of a parabola above it leads safely, if slowly in the end, and a
    hundredth of it to where the objective's own will do.

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
        self._safe = self._quick = None
        pair = objective.pair
        if self.whole.in_one_pass or not Majorised.serves(pair, objective.watched.y):
            return
        self._safe, self._quick = (
            WorkingSet(objective.with_pair(cls(pair.activation, pair.loss, pair.convex)))
            for cls in (Majorised, HardlyCurved)
        )
        self.current = self._safe

    @property
    def is_exact(self) -> bool:
        return self.current is self.whole

    @property
    def is_of_sample(self) -> bool:
        return self._safe is None and not self.is_exact

    @property
    def is_above(self) -> bool:
        """Whether the model lies above the objective."""
        return self.current is self._safe

    def serve_from(self, sample: Objective) -> None:
        """Take Hessians over a subsample, where rows are smooth enough for that."""
        if self._safe is None:
            self.current = WorkingSet(sample)

    def better(self, step_size: float, ratio: float, exact: bool) -> WorkingSet | None:
        """What promises more than the Hessian at hand, by what the last step came to; None if none.

        `exact` says whether that is from where the step begins.
        """
        if self._safe is None:
            return self.whole if not exact and (step_size < 1 or ratio > SLOW) else None
        return self._quick if self.is_above and step_size == 1 and ratio > SLOW else None

    def after(self, step_size: float, ratio: float) -> None:
        """Choose for the next steps, by a step's length and what the one before it left."""
        if self._safe is None:
            return
        if step_size < 1:
            self.current = self._safe
        elif self.current is self._quick and ratio <= SLOW:
            self.current = self.whole
