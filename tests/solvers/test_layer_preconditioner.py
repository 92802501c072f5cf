"""The guess of a layer's curvature, and what it is good for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import sknneuron.layer_objective
from sknneuron import NeuronLayer
from sknneuron.solvers import layer_descent
from sknneuron.solvers.layer_preconditioner import (
    REFRESH_AT,
    Factor,
    LayerPreconditioner,
    Unconditioned,
)

from ..test_layer_objective import layer, point


@pytest.fixture
def float32_always(monkeypatch):
    monkeypatch.setattr(sknneuron.layer_objective, "NARROW_WORK", 0)


@pytest.fixture
def data():
    """Columns of which most directions hardly vary."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3)) @ rng.standard_normal((3, 12))
    X += 0.3 * rng.standard_normal(X.shape)
    return X, np.tanh(X[:, 0]) + np.sin(X[:, 1]) + 0.1 * rng.standard_normal(400)


def test_neurons_alike_are_divided_by_their_hessian():
    rng = np.random.default_rng(0)
    X1 = rng.standard_normal((50, 4))
    moments, penalty = X1.T @ X1 / 50, np.array([0.1, 0.2, 0.3, 0.0])
    factor = Factor(moments, np.array([2.0, 2.0]), penalty)
    gradient = rng.standard_normal((2, 4))
    divided = np.empty_like(gradient)
    factor.divide(gradient, divided)
    assert_allclose(divided @ (2 * moments + np.diag(penalty)), gradient, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("output", ["number", "numbers", "two classes", "classes"])
def test_is_symmetric_and_positive(output, float32_always):
    objective = layer(output, "relu").narrowed()
    divide = LayerPreconditioner(objective)
    a, b = np.random.default_rng(0).standard_normal((2, *objective.shape))
    assert divide(a) is a
    divide.refresh(point(objective), REFRESH_AT[0] + 1)
    assert divide(a) is a
    divide.refresh(point(objective), REFRESH_AT[0])
    assert np.vdot(a, divide(a)) > 0
    assert np.vdot(b, divide(b)) > 0
    assert_allclose(np.vdot(a, divide(b)), np.vdot(divide(a), b), rtol=1e-4)


def test_pays_on_many_rows_of_few_columns_in_float32(float32_always):
    objective = layer("number")
    assert not LayerPreconditioner.pays(objective)
    assert LayerPreconditioner.pays(objective.narrowed())


def test_saves_steps_where_columns_go_together(data, float32_always, monkeypatch):
    def curve():
        layer = NeuronLayer(8, "tanh", alpha=1e-3, solver="lbfgs", tol=1e-6, random_state=0).fit(
            *data
        )
        return layer.history_["objective"]

    with_it = curve()
    monkeypatch.setattr(layer_descent, "LayerPreconditioner", NeverPays)
    without = curve()
    assert with_it[-1] <= without[-1]
    assert np.argmax(with_it < 1.01 * without[-1]) < 0.7 * np.argmax(without < 1.01 * without[-1])


class NeverPays(Unconditioned):
    @staticmethod
    def pays(objective):
        return False


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_float32_first_and_float64_in_the_end(activation, data, float32_always):
    layer = NeuronLayer(
        4, activation, alpha=1e-2, solver="lbfgs", tol=1e-13, max_iter=5000, random_state=0
    ).fit(*data)
    end = layer.history_["objective"][-1]
    assert_allclose(layer.objective_, end, rtol=1e-13)
    if activation == "tanh":
        assert layer.history_["gradient_norm"][-1] < 1e-6
    # Between, a step may go up by no more than what float32 cannot tell.
    assert np.diff(layer.history_["objective"][2:]).max() < 1e-7


def test_objective_is_exact_after_steps_in_float32(data, float32_always):
    X, y = data
    layer = NeuronLayer(4, solver="lbfgs", random_state=0).fit(X, y)
    o = layer.transform(X) @ layer.output_coef_.T + layer.output_intercept_
    weights = np.sum(layer.coef_**2) + np.sum(layer.output_coef_**2)
    expected = 0.5 * np.mean((o[:, 0] - y) ** 2) + 0.5 * layer.alpha * weights
    assert_allclose(layer.objective_, expected, rtol=1e-13)
