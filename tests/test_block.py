"""Few rows, standardised once: the same sums as those of the kernels."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.block import MAX_ENTRIES, StandardBlock
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.sources import ArraySource

PAIRS = [
    ("identity", "squared_error", False),
    ("sigmoid", "log_loss", True),
    ("tanh", "squared_error", False),
    ("exp", "poisson", False),
    ("softmax", "log_loss", True),
]


def make_objective(activation, loss, classifier, *, weighted, fit_intercept, dtype, n=60, p=4):
    rng = np.random.default_rng(3)
    X = (rng.standard_normal((n, p)) * [1, 30, 0.01, 5] + [0, 200, 0, -3]).astype(dtype)
    pair = make_pair(activation, loss, classifier=classifier)
    n_neurons = 3 if pair.coupled else 2
    y = rng.integers(0, 3, n) if pair.coupled else rng.integers(0, 2, (n, 2)).astype(float)
    weight = rng.uniform(0.1, 3, n) if weighted else None
    source = ArraySource(X, y, weight)
    return Objective(source, pair, ElasticNet(0.1, 0.0), n_neurons, fit_intercept=fit_intercept)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(map(str, pair[:2])))
def test_same_sums_as_the_kernels(pair, weighted, fit_intercept, dtype):
    options = {"weighted": weighted, "fit_intercept": fit_intercept, "dtype": dtype}
    block, kernels = make_objective(*pair, **options), make_objective(*pair, **options)
    assert isinstance(block._block, StandardBlock)
    kernels.__dict__["_block"] = None
    theta = 0.3 * np.random.default_rng(4).standard_normal(block.shape)
    # Without weights all rows are of one level.
    for at, gauss_newton in itertools.product((theta, block.null()), (True, False)):
        found = block.value_gradient_hessian(at, gauss_newton)
        expected = kernels.value_gradient_hessian(at, gauss_newton)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    columns = [np.arange(block.n_features)] * block.n_neurons
    value, gradient, hessians = block.value_gradient_working(theta, columns)
    expected = kernels.value_gradient_working(theta, columns)
    assert_allclose(value, expected[0], rtol=1e-9)
    assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-10)
    for a, b in zip(hessians, expected[2], strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    if block.pair.self_concordance:
        step = np.random.default_rng(5).standard_normal(block.shape)
        expected = kernels.bend(theta, step)
        assert_allclose(block.bend(theta, step), expected, rtol=1e-9, atol=1e-10)
        # Somewhere else than the last Hessian was taken.
        assert_allclose(block.bend(theta.copy(), step), expected, rtol=1e-9, atol=1e-10)
    assert_allclose(block.value(theta), kernels.value(theta), rtol=1e-12)
    for objective in (block, kernels):
        assert_allclose(objective.null_value, kernels.value(kernels.null()).sum(), rtol=1e-12)
    assert_allclose(block.pre_activation(theta), kernels.pre_activation(theta), atol=2e-5)


def test_no_block_where_rows_are_many_or_lie_on_kinks():
    rows = np.ones((MAX_ENTRIES + 1, 1))
    source = ArraySource(rows, rows)
    pair = make_pair("identity", "squared_error")
    assert Objective(source, pair, ElasticNet(0.0, 0.0), 1)._block is None
    few = ArraySource(np.eye(5), np.eye(5)[:, :1])
    assert Objective(few, make_pair("relu", "squared_error"), ElasticNet(0, 0), 1)._block is None
