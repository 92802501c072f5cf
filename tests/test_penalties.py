"""The elastic net against its formula, finite differences and numeric minimisation."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn.linear_model import enet_path

from sknneuron.penalties import ElasticNet

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

    def test_gradient_and_curvature_are_of_the_smooth_part(self, penalty):
        def smooth(w):
            return penalty.value(w) - penalty.l1 * np.abs(w).sum()

        h = 1e-4
        numeric = [
            (smooth(WEIGHTS.ravel() + h * e) - smooth(WEIGHTS.ravel() - h * e)) / (2 * h)
            for e in np.eye(WEIGHTS.size)
        ]
        gradient = penalty.gradient(WEIGHTS)
        assert_allclose(gradient.ravel(), numeric, atol=1e-9)
        change = penalty.gradient(WEIGHTS + h) - penalty.gradient(WEIGHTS - h)
        assert_allclose(change / (2 * h), penalty.curvature(), atol=1e-10)

    @pytest.mark.parametrize("step", [0.1, 1.0, 7.0])
    def test_prox_is_the_minimiser(self, penalty, step):
        found = penalty.prox(WEIGHTS, step)
        for w, v in zip(WEIGHTS.ravel(), found.ravel(), strict=True):

            def cost(v, w=w):
                return penalty.value(np.array([v])) + (v - w) ** 2 / (2 * step)

            best = minimize_scalar(cost, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10})
            assert cost(v) <= best.fun + 1e-15
            assert v == pytest.approx(best.x, abs=1e-6)

    def test_prox_gives_exact_zeros_within_the_threshold(self, penalty):
        inside = np.array([-1.0, -0.5, 0.0, 0.5, 1.0]) * penalty.l1
        assert_array_equal(penalty.prox(inside, 1.0), np.zeros(5))
        outside = np.array([-1.0, 1.0]) * (penalty.l1 + 0.1)
        assert (np.sign(penalty.prox(outside, 1.0)) == [-1, 1]).all()

    def test_prox_brings_two_points_no_further_apart(self, penalty):
        a, b = np.random.default_rng(1).normal(size=(2, 200))
        assert (np.abs(penalty.prox(a, 0.7) - penalty.prox(b, 0.7)) <= np.abs(a - b) + 1e-15).all()

    def test_inputs_are_not_written_into_and_float32_is_kept(self, penalty):
        weights = WEIGHTS.astype(np.float32)
        before = weights.copy()
        assert penalty.gradient(weights).dtype == np.float32
        assert penalty.prox(weights, 0.5).dtype == np.float32
        penalty.value(weights)
        assert_array_equal(weights, before)

    def test_copies_are_equal(self, penalty):
        copy = pickle.loads(pickle.dumps(penalty))
        assert copy == penalty
        assert copy is not penalty
        assert eval(repr(penalty)) == penalty
        assert hash(copy) == hash(penalty)


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        ElasticNet(1.0, 0.5).alpha = 2.0


def test_scikit_learns_path_is_a_fixed_point():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 5))
    y = X @ [1.0, 0, -2, 0, 0.05] + 0.1 * rng.normal(size=60)
    penalty = ElasticNet(0.2, 0.6)
    coef = enet_path(X, y, l1_ratio=0.6, alphas=[0.2], tol=1e-12)[1][:, 0]
    step = 0.1
    moved = coef - step * X.T @ (X @ coef - y) / 60
    assert (coef == 0).any()
    assert_allclose(penalty.prox(moved, step), coef, atol=1e-7)
