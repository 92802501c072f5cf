"""Rows standardised once, and in float32, against the kernel on rows as they are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import sknneuron.layer_objective
from sknneuron.layer_block import LayerBlock
from sknneuron.layer_objective import LayerObjective
from sknneuron.sources import ArraySource

from .test_layer_objective import OUTPUTS, layer, point, rows


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_is_what_the_kernel_sums(activation, output, weighted, dtype):
    objective = layer(output, activation, weighted=weighted)
    theta = point(objective)
    kernel = objective._kernel(1)
    loss, *sums = objective.source.map_sum(kernel, *objective.kernel_parameters(theta))
    total = objective.source.total_weight
    block = LayerBlock(objective, dtype)
    value, gradient = block.means(theta, 1)
    expected = objective.gradient_of(*sums) / total
    digits = 1e-12 if dtype == np.float64 else 1e-5
    assert_allclose(value, loss / total, rtol=digits)
    assert_allclose(gradient, expected, rtol=digits, atol=digits * np.abs(expected).max())
    assert value.dtype == gradient.dtype == np.float64
    assert_allclose(block.means(theta, 0)[0], value, rtol=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_second_moments_are_those_of_standardised_columns(weighted):
    objective = layer("number", weighted=weighted)
    rows, at = objective.source, objective.coordinates
    X1 = np.column_stack([(rows.X - at.center) / at.scale, np.ones(rows.n_rows)])
    weight = np.ones(rows.n_rows) if rows.sample_weight is None else rows.sample_weight
    expected = X1.T @ (weight[:, None] * X1) / weight.sum()
    assert_allclose(LayerBlock(objective).second_moments(), expected, atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_curvatures_are_those_of_the_biases(output, weighted):
    objective = layer(output, weighted=weighted)
    theta = point(objective)
    hidden, of_output, moments = LayerBlock(objective).curvatures(theta)
    hessian = objective.value_gradient_hessian(theta)[2]
    expected = [part[:, -1] for part in objective.split(hessian.diagonal(axis1=1, axis2=2))]
    assert_allclose(hidden, expected[0], rtol=1e-10)
    assert_allclose(of_output, expected[1], rtol=1e-10)

    rows = objective.source
    coef, intercept = objective.to_weights(theta)[:2]
    a1 = np.column_stack([objective.activation(rows.X @ coef.T + intercept), np.ones(rows.n_rows)])
    weight = np.ones(rows.n_rows) if rows.sample_weight is None else rows.sample_weight
    assert_allclose(moments, a1.T @ (weight[:, None] * a1) / weight.sum(), atol=1e-13)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_flat_shares_are_counted(activation, is_sparse):
    objective = layer("number", activation, is_sparse=is_sparse)
    thetas = np.stack([point(objective, seed) for seed in range(3)])
    shares = objective.flat_fraction(thetas)
    for theta, share in zip(thetas, shares, strict=True):
        coef, intercept = objective.to_weights(theta)[:2]
        flat = objective.activation.is_flat(objective.source.X @ coef.T + intercept)
        assert_allclose(share, flat.mean(axis=0), rtol=1e-13)


def test_only_dense_rows_that_are_few_are_copied():
    assert LayerBlock.fits(layer("number").source, 120)
    assert not LayerBlock.fits(layer("number").source, 119)
    assert not LayerBlock.fits(layer("number", is_sparse=True).source, 120)


def test_float32_pays_where_products_take_the_time(monkeypatch):
    objective = layer("classes")
    assert objective.narrowed() is objective
    monkeypatch.setattr(sknneuron.layer_objective, "NARROW_WORK", 0)
    narrow = objective.narrowed()
    assert narrow.exact is objective
    assert objective.exact is objective
    theta = point(objective)
    for weights, expected in zip(
        narrow.to_weights(theta), objective.to_weights(theta), strict=True
    ):
        assert_allclose(weights, expected, rtol=0)
    change = float((narrow.value(theta) - objective.value(theta))[0])
    assert 0 < abs(change) < 10 * narrow.rounding
    assert objective.rounding < 1e-6 * narrow.rounding


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_float32_is_not_used_on_what_it_cannot_hold(size, monkeypatch):
    monkeypatch.setattr(sknneuron.layer_objective, "NARROW_WORK", 0)
    source = rows("number")
    targets = ArraySource(source.X, size * source.y, source.sample_weight)
    near = layer("number")
    objective = LayerObjective(targets, near.activation, near.pair, 0.0, near.n_neurons, 1)
    assert objective.narrowed() is objective
