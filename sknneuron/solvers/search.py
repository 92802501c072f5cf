"""The best of many starts on a sample of rows, for a pair that is not convex.

Starts are taken down, round by round, until nothing lower comes up.

References
----------
Boender and Rinnooy Kan, Bayesian stopping rules for multistart global optimization methods, Math.
Programming 37 (1987): w different ends of n starts let expect w (n - 1) / (n - w - 2) in all.
Lourenco, Martin and Stuetzle, Iterated local search, Handbook of Metaheuristics (2003): kicks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..objective import Objective
from .base import Iterate
from .kinks import SoftPair
from .linear_algebra import SpdSolver, dot, positive_solver
from .race import ENOUGH_HITS, RACE_SHARE, Race
from .sample import Sample
from .starts import Starts
from .yardstick import TOL, Yardstick

# Random starts of a round, a few on the smaller sample; and kicked ends of a round.
N_RANDOM = 16
N_RANDOM_SCREEN = 6
N_KICKS = 16
# Ends further apart than this share of the gain count as different valleys.
DIFFERENT = 1e-3
# Narrow valleys may hide where rows are few: for each of these numbers of rows per weight that
# there are not, another round must have brought nothing lower.
ROWS_PER_WEIGHT = (40, 25, 12)
MAX_ROUNDS = 10
# Multiplications that all descents together may take, and the steps that one takes, about.
BUDGET = 1e11
TYPICAL_STEPS = 25
LEAST_STARTS = 5
# Steps after which the activation's curvature is no longer left out.
GAUSS_NEWTON_STEPS = 8
# Ends of a group that are handed on, and where it is not sure that the lowest is no accident.
MAX_RIVALS = 3
MAX_UNSURE = 6
# What weights that fit noise gain is no more than this share of the gain where kinks are no matter.
SMOOTH = 1e-4
# Widths that kinks are rounded off over, as shares of the targets' spread, one after the other.
SOFT_WIDTHS = (0.1, 0.01, 1e-3)


@dataclass
class End:
    """Where a descent ended: one neuron, and the way there.

    Parameters
    ----------
    theta : ndarray
    value : float
    steps : list of tuple
        Of all the descents beside this one: position of each or -1, thetas, values, gradients.
    number : int
        Which one of them this is.
    hessian : ndarray, default=None
        The last one that was asked for, of descents by Newton's steps.
    """

    theta: np.ndarray
    value: float
    steps: list[tuple] = field(default_factory=list, repr=False)
    number: int = 0
    hessian: np.ndarray | None = field(default=None, repr=False)

    def path(self) -> list[tuple]:
        """(theta, value, gradient) at each step; of a pair with kinks, those of its stand-ins."""
        i = self.number
        return [tuple(each[at[i]] for each in found) for at, *found in self.steps if at[i] >= 0]


class Search:
    """Descents from many starts on a sample of rows.

    Parameters
    ----------
    objective : Objective
        On the sample.
    null : ndarray
        The best neuron with a bias alone.
    rounding : float
        What rounding may add to a value.
    rng : Generator
    tol : float
        How close to its end a descent goes, as a share of the gain.
    widths : tuple of float
        Of kinks that are rounded off, see `SOFT_WIDTHS`.
    n_sharp : int
        Of a pair whose kinks hold no minimum, the number of all rows: fits go down on the pair as
        it is at first, and kinks are rounded off only where so many rows would still leave many
        small valleys. 0 rounds them off from the start.
    earlier : ndarray, default=None
        One more start, (n_groups, size).

    Attributes
    ----------
    ends : list of list of End
        Per group, in the order found.
    factor : SpdSolver or None
        Of the Hessian at the ends, where one step from near by led to them all.
    """

    def __init__(
        self,
        objective: Objective,
        null,
        rounding: float,
        rng: np.random.Generator,
        tol: float = TOL,
        widths: tuple[float, ...] = SOFT_WIDTHS,
        n_sharp: int = 0,
        earlier=None,
    ):
        self.objective = objective
        self.sample = Sample(objective)
        self.starts = Starts(self.sample, rng)
        self.widths = widths
        self.n_sharp = n_sharp
        self.rounds_off = not n_sharp and bool(objective.pair.activation.kinks)
        self.null = null
        self.earlier = earlier
        # The bias comes last, if there is one.
        self.null_value = self.sample.constant_values(null[:, objective.n_features :].sum(axis=1))
        self.yardstick = Yardstick(self.sample, self.null_value, rounding, tol)
        self.factor: SpdSolver | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.ends: list[list[End]] = [[] for _ in self.null]
        self._lowest: list[End] = [End(theta, np.inf) for theta in self.null]

    def _add(self, k: int, end: End) -> None:
        """Take one more end of group k."""
        self.ends[k].append(end)
        if end.value < self._lowest[k].value:
            self._lowest[k] = end

    # -- the search --------------------------------------------------------------------------------

    def run(self, *, trusts_fits: bool) -> None:
        """Go down from more and more starts until nothing lower comes up.

        With `trusts_fits`, rows are enough for fits that agree and explain much to be believed.
        """
        is_screen = self.yardstick.is_screen
        affordable = self._affordable_starts()
        fits = self._with_earlier(self.starts.fits, affordable)
        if trusts_fits:
            first = fits
            if not self.rounds_off and self.starts.flattens:
                first = self._with_earlier(self.starts.stretched(), affordable)
            self.descend(first, early=False)
            if self._is_plain() and not self._is_rough():
                return
            if self.rounds_off or not self.sample.pair.activation.kinks:
                fits = fits[:0]
            else:
                self.rounds_off = True
                self._begin_anew()
        informed = np.concatenate([fits, self.null[None], self.starts.others()])[:affordable]
        n_random = N_RANDOM_SCREEN if is_screen else N_RANDOM
        self.descend(informed, self.starts.random(min(n_random, affordable - len(informed))))
        rows_per_weight = self.sample.n_rows / self.sample.size
        patience = sum(rows_per_weight < bound for bound in ROWS_PER_WEIGHT)
        if is_screen:
            patience = 0 if self.is_sure() else 1
        idle = 0
        for _ in range(MAX_ROUNDS):
            if idle >= patience and all(self._is_settled(k) for k in range(len(self.ends))):
                return
            if len(self.ends[0]) + N_KICKS + N_RANDOM > affordable:
                return
            before = [self.lowest(k).value - self._same(k) for k in range(len(self.ends))]
            thetas = [[end.theta for end in ends] for ends in self.rivals(1.0)]
            self.descend(self.starts.kicks(N_KICKS, thetas), self.starts.random(N_RANDOM))
            is_lower = any(self.lowest(k).value < value for k, value in enumerate(before))
            idle = 0 if is_lower else idle + 1

    def _with_earlier(self, fits, n: int):
        """At most n of the fits, and among them where an earlier fit ended, if there is one."""
        if self.earlier is None:
            return fits[:n]
        return np.concatenate([self.earlier[None], fits[: n - 1]])

    def _is_plain(self) -> bool:
        """Whether most of a few ends are one, far below the others, and no accident of the rows."""
        for k, ends in enumerate(self.ends):
            limit = self._within(k, RACE_SHARE)
            low = [end.value for end in ends if end.value <= limit]
            if len(low) < ENOUGH_HITS or max(low) > self.lowest(k).value + self._same(k):
                return False
        return self.is_sure()

    def _is_rough(self) -> bool:
        """Whether kinks make many small valleys: each time that some rows change sides, a new one.

        They differ by no more than what weights gain that fit noise.
        """
        if self.rounds_off or not self.sample.pair.activation.kinks:
            return False
        share = self.sample.n_rows / self.n_sharp
        return any(
            share * self.yardstick.by_chance(end.value) > SMOOTH * self._gain(k)
            for k, end in enumerate(self._lowest)
        )

    def is_sure(self) -> bool:
        """Whether the lowest ends explain so much that it can be no accident of the rows."""
        return all(
            self.yardstick.is_sure(self._gain(k), end.value) for k, end in enumerate(self._lowest)
        )

    def _affordable_starts(self) -> int:
        """How many starts may be taken down; a wide problem pays for each of their Hessians."""
        price = self.sample.n_rows * self.sample.size**2 * len(self._pairs()) * self.null.shape[0]
        return max(LEAST_STARTS, int(BUDGET / (TYPICAL_STEPS * price)))

    def _is_settled(self, k: int) -> bool:
        """Whether more starts would hardly show a lower end.

        The lowest one has come up several times, and by the number of starts and of different ends
        that they reached, there are no others to be expected.
        """
        lowest, gain = self.lowest(k).value, self._gain(k)
        values = np.sort([end.value for end in self.ends[k]])
        hits = int(np.sum(values <= lowest + self._same(k)))
        if self.yardstick.is_screen:
            return hits >= ENOUGH_HITS
        values = values[values <= lowest + RACE_SHARE * gain]
        n = len(values)
        different = 1 + int(
            np.sum(np.diff(values) > DIFFERENT * gain + 10 * self.yardstick.rounding)
        )
        unseen = different * (n - 1) / max(n - different - 2, 1e-9) - different
        return hits >= ENOUGH_HITS and unseen <= 0.5

    def lowest(self, k: int) -> End:
        """The lowest end of group k."""
        return self._lowest[k]

    def rivals(self, close: float) -> list[list[End]]:
        """Per group: a few different ends within `close`, lowest first."""
        rivals, n_most = [], MAX_RIVALS if self.is_sure() else MAX_UNSURE
        for k, ends in enumerate(self.ends):
            chosen: list[End] = []
            limit, same = self._within(k, close), self._same(k)
            for end in sorted(ends, key=lambda end: end.value):
                is_new = not chosen or end.value > chosen[-1].value + same
                if is_new and end.value <= limit and len(chosen) < n_most:
                    chosen.append(end)
            rivals.append(chosen)
        return rivals

    def _within(self, k, share: float) -> float:
        """What lies within a share of the gain above the lowest end, or may be chance."""
        lowest = self.lowest(k).value
        return lowest + share * self._gain(k) + self.yardstick.by_chance(lowest)

    def _gain(self, k) -> float:
        return max(self.null_value[k] - self.lowest(k).value, 0.0)

    def _same(self, k) -> float:
        """Ends of group k whose values differ by no more are one."""
        yardstick = self.yardstick
        return max(10 * yardstick.tol, 1e-5) * self._gain(k) + 10 * yardstick.rounding

    # -- going down --------------------------------------------------------------------------------

    def descend(self, good, wild=None, *, is_near: bool = False, early: bool = True) -> None:
        """Take starts (n_starts, n_groups, size) down to their ends.

        The wild ones go in small steps at first, and so end in the valley where they began. Starts
        near their ends take Newton's steps at once. On a small sample all stop `early`, once the
        lowest end has come up often enough; if not, each is followed until it joins another.
        """
        damping = np.full(good.shape[:2], 0.0 if is_near else 1e-3)
        starts = good
        if wild is not None:
            starts = np.concatenate([good, wild])
            damping = np.concatenate([damping, np.ones(wild.shape[:2])])
        theta = starts.reshape(-1, starts.shape[2])
        lowest = np.array([end.value for end in self._lowest])
        owner = np.arange(len(theta)) % starts.shape[1]
        steps: list[tuple] = []
        for pair in self._pairs():
            race = Race(
                pair,
                theta,
                damping.ravel(),
                owner,
                lowest,
                self.yardstick,
                turn=0 if is_near else GAUSS_NEWTON_STEPS,
                early=early,
                rounds_off=self.rounds_off,
            )
            race.run(steps)
            theta, value = race.ends, race.values
        if pair is not self.sample.pair:
            y = self.sample.targets(owner)
            value = self.sample.evaluate(theta, y, self.sample.pair, order=0)[0]
        for i, k in zip(race.joined.tolist(), owner.tolist(), strict=True):
            if np.isfinite(value[i]):
                self._add(k, End(theta[i], float(value[i]), steps, i, race.hessians.get(i)))

    def refine(self, theta) -> bool:
        """From near its end, take each group there by one Newton step, if that is all it takes."""
        sample = self.sample
        value, gradient, hessian = sample.evaluate(theta, sample.y, sample.pair, False)
        factor = positive_solver(hessian)
        if factor is None:
            return False
        step = -factor(gradient)
        predicted = -0.5 * dot(gradient, step)
        yardstick = self.yardstick
        if np.any(yardstick.left(step, predicted) > yardstick.tol * yardstick.gain(value)):
            return False
        self.factor = factor
        steps = [(np.arange(len(theta)), theta, value, gradient)]
        ends = zip(theta + step, (value - predicted).tolist(), strict=True)
        for k, (end, lowest) in enumerate(ends):
            self._add(k, End(end, lowest, steps, k))
        return True

    def _pairs(self) -> list:
        """The pair, or its stand-ins with narrower and narrower kinks."""
        pair = self.sample.pair
        if not self.rounds_off:
            return [pair]
        return [SoftPair(pair, share * float(self.sample.spread.mean())) for share in self.widths]

    def hessian(self, k: int, end: End):
        """The Hessian at an end of group k."""
        if end.hessian is not None:
            return end.hessian
        y = self.sample.targets([k])
        return self.sample.evaluate(end.theta[None], y, self.sample.pair, False)[2][0]

    # -- what came of it ---------------------------------------------------------------------------

    def iterates(self, start=None) -> Iterator[Iterate]:
        """The way from `start` to the lowest end, measured on the sample."""
        if start is not None:
            value, gradient, _ = self.sample.evaluate(
                start, self.sample.y, self.sample.pair, order=1
            )
            yield Iterate(start, float(value.sum()), gradient, self.objective)
        paths = [self.lowest(k).path() for k in range(len(self.ends))]
        n = max(map(len, paths))
        points = [
            zip(*(path[min(i, len(path) - 1)] for path in paths), strict=True) for i in range(n)
        ]
        thetas, values, gradients = (np.array(part) for part in zip(*points, strict=True))
        if self.rounds_off:
            # The way led over stand-ins.
            values, gradients = self.sample.values_and_gradients(thetas)
        for theta, value, gradient in zip(thetas, values, gradients, strict=True):
            yield Iterate(theta, float(value.sum()), gradient, self.objective)


def measured(objective: Objective, theta) -> Iterate:
    """An iterate with its value and gradient on the rows of `objective`."""
    value, gradient = objective.value_and_gradient(theta)
    norm = objective.weight_gradient_norm(gradient)
    return Iterate(theta, float(value.sum()), norm, objective)
