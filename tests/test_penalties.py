"""The elastic net against its formula, those of its kink against numeric minimisation."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn.linear_model import enet_path

from sknneuron.penalties import ElasticNet, least_subgradient, soft_threshold

PENALTIES = [
    ElasticNet(alpha, l1_ratio) for alpha in (0.0, 0.3, 2.0) for l1_ratio in (0.0, 0.25, 1.0)
]
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5))


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
class TestElasticNet:
    def test_value_by_the_formula(self, penalty):
        share = penalty.l1_ratio
        expected = penalty.alpha * sum(
            share * abs(w) + (1 - share) / 2 * w**2 for w in WEIGHTS.ravel()
        )
        value = penalty.value(WEIGHTS)
        assert isinstance(value, float)
        assert value == pytest.approx(expected, rel=1e-14)
        assert penalty.value(np.zeros(4)) == 0

    def test_parts_add_up(self, penalty):
        assert penalty.l1 + penalty.l2 == pytest.approx(penalty.alpha)
        assert penalty.l1 == pytest.approx(penalty.alpha * penalty.l1_ratio)

    def test_copies_are_equal(self, penalty):
        copy = pickle.loads(pickle.dumps(penalty))
        assert copy == penalty
        assert copy is not penalty
        assert eval(repr(penalty)) == penalty
        assert hash(copy) == hash(penalty)


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        ElasticNet(1.0, 0.5).alpha = 2.0


@pytest.mark.parametrize("threshold", [0.0, 0.4, 2.0])
def test_soft_threshold_is_the_minimiser(threshold):
    found = soft_threshold(WEIGHTS, threshold)
    for w, v in zip(WEIGHTS.ravel(), found.ravel(), strict=True):

        def cost(v, w=w):
            return threshold * abs(v) + (v - w) ** 2 / 2

        best = minimize_scalar(cost, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10})
        assert cost(v) <= best.fun + 1e-15
        assert v == pytest.approx(best.x, abs=1e-6)


def test_soft_threshold_gives_exact_zeros_and_keeps_its_inputs():
    weights = np.array([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=np.float32)
    before = weights.copy()
    assert_array_equal(soft_threshold(weights, np.float32(1.0)), np.zeros(5))
    assert soft_threshold(weights, np.float32(0.5)).dtype == np.float32
    assert_array_equal(weights, before)


def test_least_subgradient_is_the_shortest_there_is():
    rng = np.random.default_rng(1)
    gradient, weights = rng.normal(size=(2, 50))
    weights[::2] = 0
    l1 = rng.uniform(0, 2, 50)
    found = least_subgradient(gradient, weights, l1)
    signs = np.linspace(-1, 1, 2001)[:, None]
    choices = gradient + l1 * np.where(weights == 0, signs, np.sign(weights))
    assert_allclose(np.abs(found), np.abs(choices).min(axis=0), atol=1e-3)
    assert_allclose(found[1::2], choices[0, 1::2], rtol=1e-15)


def test_scikit_learns_path_is_a_fixed_point():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 5))
    y = X @ [1.0, 0, -2, 0, 0.05] + 0.1 * rng.normal(size=60)
    penalty = ElasticNet(0.2, 0.6)
    coef = enet_path(X, y, l1_ratio=0.6, alphas=[0.2], tol=1e-12)[1][:, 0]
    gradient = X.T @ (X @ coef - y) / 60 + penalty.l2 * coef
    assert (coef == 0).any()
    assert_allclose(least_subgradient(gradient, coef, penalty.l1), 0, atol=1e-6)
