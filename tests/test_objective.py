"""What solvers plan with: the targets, the watched rows and how far a step reaches."""

import numpy as np
import pytest

from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.sources import ArraySource


def teacher_data(activation, n=400, p=4, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * [1, 20, 0.1, 3] + [0, 100, 0, -5]
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal(p) + 0.3
    level = make_pair(activation, "squared_error").level(z)
    return X, level + noise * level.std() * rng.standard_normal(n)


def make_objective(X, y, activation, loss="squared_error"):
    y = y[:, None] if y.ndim == 1 else y
    pair = make_pair(activation, loss)
    return Objective(ArraySource(X, y), pair, ElasticNet(1e-4, 0.0), y.shape[1])


def test_whether_minima_may_lie_on_kinks():
    X, y = teacher_data("relu")
    assert y.min() < 0
    in_range = np.maximum(y, 0)
    assert make_objective(X, y, "relu").minima_lie_on_kinks
    assert not make_objective(X, in_range, "relu").minima_lie_on_kinks
    assert not make_objective(X, in_range, "leaky_relu", "huber").minima_lie_on_kinks
    assert make_objective(X, np.c_[in_range, y], "leaky_relu").minima_lie_on_kinks
    assert not make_objective(X, y, "softplus").minima_lie_on_kinks


def test_largest_shift_of_all_rows():
    X, y = teacher_data("tanh", n=20_000)
    X[7] += 1e3
    objective = make_objective(X, y, "tanh")
    step = np.random.default_rng(0).standard_normal((1, 5))
    shift = np.abs((X - objective.coordinates.center) / objective.coordinates.scale @ step[0, :-1])
    largest = objective.largest_shift(step, objective.null(), exact=True)
    assert largest == pytest.approx(shift.max(), rel=0.1)
    assert largest > 10 * objective.watched_shift(step, objective.null())
