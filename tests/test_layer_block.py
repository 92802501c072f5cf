"""Rows standardised once, and in float32, against the kernel on rows as they are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import sknneuron.layer_objective
from sknneuron.layer_block import LayerBlock

from .test_layer_objective import OUTPUTS, layer, point


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
