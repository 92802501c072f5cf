"""Rows of an array that are looked up whenever they are read."""

import numpy as np
import pytest

from sknneuron.kernels import LossSums
from sknneuron.pairing import make_pair
from sknneuron.sources.array import ArraySource, Gathered
from sknneuron.sources.lanes import Workers

N_ROWS, N_FEATURES = 40_000, 30
rng = np.random.default_rng(0)
X = rng.standard_normal((N_ROWS, N_FEATURES))
Y = (rng.random((N_ROWS, 1)) < 0.4).astype(float)
WEIGHT = rng.random(N_ROWS)
ROWS = np.sort(rng.choice(N_ROWS, 30_000, replace=False))


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_are_those_of_a_copy(weight, order, dtype):
    source = ArraySource(X.astype(dtype, order), Y, weight, workers=Workers(2))
    gathered, copy = source.subset(ROWS), source.take(ROWS)
    assert isinstance(gathered, Gathered)
    assert gathered.dtype == dtype
    assert gathered.total_weight == pytest.approx(copy.total_weight)
    kernel = LossSums(make_pair("sigmoid", "log_loss", classifier=True), 2)
    params = rng.standard_normal((1, N_FEATURES)) / 5, np.array([0.1])
    for ours, theirs in zip(
        gathered.map_sum(kernel, *params), copy.map_sum(kernel, *params), strict=True
    ):
        assert np.allclose(ours, theirs, rtol=1e-11, atol=1e-8)


def test_rows_of_rows_are_rows():
    gathered = ArraySource(X, Y, WEIGHT).subset(ROWS)
    some = np.array([3, 17, 4000])
    taken = gathered.take(some)
    assert np.array_equal(taken.X, X[ROWS[some]])
    assert np.array_equal(taken.y, Y[ROWS[some]])
    assert np.array_equal(taken.sample_weight, WEIGHT[ROWS[some]])
    assert np.array_equal(gathered.take(some, np.ones(3)).sample_weight, np.ones(3))
    assert np.array_equal(gathered.gathered().X, X[ROWS])


def test_few_rows_are_copied():
    assert not isinstance(ArraySource(X, Y).subset(ROWS[:100]), Gathered)


def test_few_rows_that_are_read_once_are_not_copied():
    source = ArraySource(X, Y, WEIGHT)
    once, copy = source.subset(ROWS[:100], once=True), source.take(ROWS[:100])
    assert isinstance(once, Gathered)
    for ours, theirs in zip(once.block(0, 100), copy.block(0, 100), strict=True):
        assert np.array_equal(ours, theirs)


def test_rows_stored_by_columns_are_gathered_alike():
    by_columns = ArraySource(np.asfortranarray(X), Y).subset(ROWS).block(10, 500)
    assert np.array_equal(by_columns[0], X[ROWS[10:500]])


@pytest.mark.parametrize("shape", [(N_ROWS, 1), N_ROWS], ids=["labels", "codes"])
def test_bytes_are_handed_out_as_what_they_stand_for(shape):
    dtype, small = (np.float64, np.int8) if isinstance(shape, tuple) else (np.intp, np.uint8)
    y = rng.integers(0, 2, shape).astype(dtype)
    source = ArraySource(X, y.astype(small))
    some = ROWS[:2000]
    gathered = source.subset(some)
    parts = {
        "block": (source.block(5, 500)[1], y[5:500]),
        "take": (source.take(some).y, y[some]),
        "in_single": (source.in_single(some).y, y[some]),
        "targets": (source.targets, y),
        "gathered block": (Gathered(source, some).block(5, 500)[1], y[some[5:500]]),
        "gathered": (gathered.gathered().y, y[some]),
        "gathered targets": (Gathered(source, some).targets, y[some]),
    }
    for name, (ours, expected) in parts.items():
        assert ours.dtype == dtype, name
        assert np.array_equal(ours, expected), name


def test_all_that_a_source_offers_is_of_the_rows_alone():
    source = ArraySource(X, Y, WEIGHT)
    gathered, copy = Gathered(source, ROWS), source.take(ROWS)
    some = np.arange(0, 20_000, 7)
    assert np.array_equal(gathered.column(3), copy.column(3))
    assert np.array_equal(gathered.y, copy.y)
    assert np.array_equal(gathered.sample_weight, copy.sample_weight)
    for ours, theirs in (
        (gathered.in_single(some), copy.in_single(some)),
        (Gathered(source, ROWS).subset(some).gathered(), copy.take(some)),
        (gathered.subset(some, WEIGHT[some]).gathered(), copy.take(some, WEIGHT[some])),
    ):
        assert np.array_equal(ours.X, theirs.X)
        assert np.array_equal(ours.y, theirs.y)
        assert np.array_equal(ours.sample_weight, theirs.sample_weight)
