"""The loosest tolerance at which everyone reaches the same accuracy."""

from __future__ import annotations

import time

import numpy as np

from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.sources import ArraySource

from .cases import Case
from .timing import OURS, Contest, Field, read_time
from .trials import Trials

MAX_LEVEL = 9
# A peer whose single fit takes longer than this, in multiples of ours, is out of the running, but
# not before so many seconds: the first fit of some compiles them.
GIVE_UP = 60.0
LEAST_LIMIT = 30.0
# So is one that takes longer than this, in multiples of the fastest peer that got there.
HOPELESS = 4.0
# So many tolerances in a row that bring a peer no nearer say that it minimises something else.
STUCK = 4


class Judge:
    """Measures how far weights are from the optimum, in float64, on all rows."""

    def __init__(self, case: Case, X, y):
        pair = make_pair(case.activation, case.loss, classifier=case.has_classes)
        n_neurons = len(np.unique(y)) if pair.coupled else 1
        targets = y if pair.coupled else np.asarray(y, float)[:, None]
        if pair.loss.margin:
            targets = 2 * targets - 1
        penalty = ElasticNet(case.alpha, case.l1_ratio)
        self.objective = Objective(ArraySource(X, targets), pair, penalty, n_neurons)
        self.target = case.target
        self.best = np.inf

    def value(self, coef, intercept):
        theta = self.objective.from_weights(np.atleast_2d(coef), np.atleast_1d(intercept))
        value = self.objective.total(theta)
        self.best = min(self.best, value)
        return value

    def left(self, value):
        """Share of the gain that is left."""
        gain = self.objective.null_value - self.best
        return (value - self.best) / gain


def settle(case: Case) -> Field:
    """Everyone who reaches the target, each at the loosest setting that does."""
    X, y = case.make()
    judge = Judge(case, X, y)
    exact = Case(**{**vars(case), "target": 1e-14})
    judge.value(*exact.ours(X, y))
    began = time.perf_counter()
    reached = judge.value(*case.ours(X, y))
    seconds = time.perf_counter() - began
    field = Field({OURS: lambda: case.ours(X, y)}, read=read_time(X))
    trials, found, fastest = Trials(case.name), {}, np.inf
    for name in case.peers:
        level, took = loosest(name, trials, judge, max(GIVE_UP * seconds, LEAST_LIMIT), fastest)
        if level is None:
            field.missed.append(name if took is None else f"{name} (> {took / seconds:.0f} x ours)")
        else:
            found[name] = level, took
            fastest = min(fastest, took)
    trials.close()
    for name, (level, took) in found.items():
        if took > max(HOPELESS * fastest, 1.0):
            # It cannot be the best, whatever else the machine does meanwhile.
            field.missed.append(f"{name} ({took / seconds:.0f} x ours)")
            continue
        peer = case.peers[name]
        field.contestants[name] = lambda peer=peer, level=level: peer(X, y, case.alpha, level)
    field.left = judge.left(reached)
    return field


def loosest(peer: str, trials: Trials, judge: Judge, limit: float, fastest: float):
    """(level, seconds) of a peer's loosest setting that reaches the target.

    The level is None if none does; then the seconds are those it was given, None if it had enough.
    """
    nearest, stuck = np.inf, 0
    for level in range(MAX_LEVEL):
        answer = trials.fit(peer, level, limit)
        if answer is None:
            return None, limit
        weights, took = answer
        left = judge.left(judge.value(*weights))
        late = took > max(HOPELESS * fastest, 1.0)
        if left <= judge.target:
            # The first fit may have been compiled.
            again = trials.fit(peer, level, limit) if late and level == 0 else None
            return level, took if again is None else min(took, again[1])
        stuck = stuck + 1 if left > 0.9 * nearest else 0
        nearest = min(nearest, left)
        if stuck == STUCK - 1 or (late and level > 0):
            return None, None
    return None, None


def contest_of(case: Case) -> Contest:
    """The row of a fit to a tolerance."""
    return Contest(case.name, lambda: settle(case), case.must, case.aim, case.quick, case.repeat)
