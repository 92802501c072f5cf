"""The loosest tolerance at which everyone reaches the same accuracy."""

from __future__ import annotations

import time

import numpy as np

from sknneuron.objective import Objective
from sknneuron.pairs import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.sources import ArraySource

from .cases import Case
from .timing import OURS, Contest, Field, read_time

MAX_LEVEL = 9
# A peer whose single fit takes longer than this, in multiples of ours, is out of the running.
GIVE_UP = 60.0
# So is one that takes longer than this, in multiples of the fastest peer that got there.
HOPELESS = 4.0


class Judge:
    """Measures how far weights are from the optimum, in float64, on all rows."""

    def __init__(self, case: Case, X, y):
        classifier = case.loss == "log_loss"
        pair = make_pair(case.activation, case.loss, classifier=classifier)
        n_neurons = len(np.unique(y)) if pair.coupled else 1
        targets = y if pair.coupled else np.asarray(y, float)[:, None]
        penalty = ElasticNet(case.alpha, case.l1_ratio)
        self.objective = Objective(ArraySource(X, targets), pair, penalty, n_neurons)
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
    fastest = np.inf
    for name, peer in case.peers.items():
        for level in range(MAX_LEVEL):
            began = time.perf_counter()
            weights = peer(X, y, case.alpha, level)
            took = time.perf_counter() - began
            if judge.left(judge.value(*weights)) <= case.target:
                field.contestants[name] = lambda peer=peer, level=level: peer(
                    X, y, case.alpha, level
                )
                fastest = min(fastest, took)
                break
            if took > max(GIVE_UP * seconds, 1.0) or took > max(HOPELESS * fastest, 1.0):
                break
        if name not in field.contestants:
            field.missed.append(name)
    field.left = judge.left(reached)
    return field


def contest_of(case: Case) -> Contest:
    """The row of a fit to a tolerance."""
    return Contest(case.name, lambda: settle(case), case.must, case.aim, case.quick, case.repeat)
