"""What is kept of a training: every record mode, thinning, going on from an earlier one."""

import copy
import gc
import itertools
import pickle
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.history import WEIGHT_BYTES, WEIGHTS, History


def entry(i, n_weights=3, **more):
    """An iterate whose weights tell which it is."""
    columns = {
        "iteration": i,
        "elapsed": 0.5 * i,
        "objective": 1.0 / (i + 1),
        "coef": np.full((2, n_weights), float(i)),
        "intercept": np.full(2, -float(i)),
        **more,
    }
    return {key: np.array([value]) for key, value in columns.items()}


def entries(numbers, n_weights=3, **more):
    """Several iterates at once."""
    each = [entry(i, n_weights, **more) for i in numbers]
    return {key: np.concatenate([one[key] for one in each]) for key in each[0]}


def record(n, record="auto", previous=None, **kwargs):
    history = History(record, previous)
    for i in range(n):
        history.extend(entry(i, **kwargs))
    return history


def check_rows(kept, n_weights=3):
    """Each row is one iterate's, and all arrays have as many."""
    assert len({len(values) for values in kept.values()}) == 1
    iteration = kept["iteration"]
    assert (np.diff(iteration) > 0).all()
    if "coef" in kept:
        assert kept["coef"].shape == (len(iteration), 2, n_weights)
        assert kept["intercept"].shape == (len(iteration), 2)


@pytest.mark.parametrize("mode", ["auto", True])
def test_light_histories_are_kept_whole(mode):
    kept = record(50, mode).to_dict()
    check_rows(kept)
    assert set(kept) == {"iteration", "elapsed", "objective", "coef", "intercept"}
    assert_array_equal(kept["iteration"], np.arange(50))
    assert_array_equal(kept["elapsed"], 0.5 * np.arange(50))
    assert_array_equal(kept["objective"], 1 / (np.arange(50) + 1))
    assert_array_equal(kept["coef"][:, 0, 0], np.arange(50))
    assert_array_equal(kept["intercept"][:, 1], -np.arange(50))


def test_loss_keeps_only_the_curves_of_every_iterate():
    kept = record(300, "loss", n_weights=50_000).to_dict()
    assert set(kept) == {"iteration", "elapsed", "objective"}
    assert_array_equal(kept["iteration"], np.arange(300))


def test_false_keeps_nothing():
    assert record(10, False).to_dict() == {}
    assert record(10, False, previous=record(3).to_dict()).to_dict() == {}


@pytest.mark.parametrize("mode", ["auto", "loss", True, False])
def test_nothing_recorded_gives_an_empty_dict(mode):
    assert History(mode).to_dict() == {}
    assert History(mode, {}).to_dict() == {}


def test_true_keeps_heavy_weights_too():
    kept = record(20, True, n_weights=20_000).to_dict()
    assert len(kept["iteration"]) == 20
    assert kept["coef"].nbytes > WEIGHT_BYTES


# Weights of a neuron that fit 16, 4, 2 and 1 times into the limit, and not at all.
HEAVY = [8_000, 30_000, 60_000, 120_000, 300_000]


@pytest.mark.parametrize("n_weights", HEAVY)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 17, 33, 100])
def test_thinning(n, n_weights):
    kept = record(n, n_weights=n_weights).to_dict()
    check_rows(kept, n_weights)
    iteration = kept["iteration"]
    assert iteration[0] == 0
    assert iteration[-1] == n - 1
    size = sum(kept[key].nbytes for key in WEIGHTS[:2])
    # First and last stay, whatever they weigh.
    assert size <= WEIGHT_BYTES or len(iteration) <= 2
    gaps = np.diff(iteration)
    if len(gaps) > 1:
        stride = gaps[0]
        assert (gaps[:-1] == stride).all()
        assert 0 < gaps[-1] <= stride
        assert stride & (stride - 1) == 0
    assert_array_equal(kept["coef"][:, 1, -1], iteration)
    assert_array_equal(kept["objective"], 1 / (iteration + 1))


@pytest.mark.parametrize("n_weights", [3, *HEAVY])
@pytest.mark.parametrize("mode", ["auto", "loss", True])
@pytest.mark.parametrize("parts", [[1, 1, 1], [5, 1, 30], [64, 64, 3], [7, 64]])
def test_iterates_come_one_by_one_or_many_at_once(parts, mode, n_weights):
    together = History(mode)
    start = 0
    for part in parts:
        together.extend(entries(range(start, start + part), n_weights))
        start += part
    one_by_one = record(start, mode, n_weights=n_weights).to_dict()
    kept = together.to_dict()
    assert kept.keys() == one_by_one.keys()
    for key, values in one_by_one.items():
        assert_array_equal(kept[key], values)


def test_thinning_keeps_no_fewer_than_a_quarter_of_what_would_fit():
    n_weights = 2_000
    size = sum(entry(0, n_weights)[key].nbytes for key in WEIGHTS[:2])
    fits = WEIGHT_BYTES // size
    for n in (fits - 2, fits + 1, 3 * fits):
        assert len(record(n, n_weights=n_weights).to_dict()["iteration"]) >= min(n, fits // 4)


def test_what_lies_in_memory_meanwhile_is_bounded_too():
    history = History("auto")
    for i in range(200):
        history.extend(entry(i, n_weights=10_000))
        assert len(pickle.dumps(history)) < WEIGHT_BYTES + (64 << 10)


def test_to_dict_changes_nothing():
    history = record(33, n_weights=8_000)
    first, second = history.to_dict(), history.to_dict()
    for key in first:
        assert_array_equal(first[key], second[key])
    history.extend(entry(33, n_weights=8_000))
    assert history.to_dict()["iteration"][-1] == 33
    assert len(first["iteration"]) == len(second["iteration"])


@pytest.mark.parametrize("mode", ["auto", "loss", True])
def test_going_on(mode):
    earlier = record(5, mode).to_dict()
    before = {key: values.copy() for key, values in earlier.items()}
    kept = record(4, mode, previous=earlier).to_dict()
    check_rows(kept)
    assert_array_equal(kept["iteration"], np.arange(9))
    # The clock goes on from where it was.
    assert_array_equal(kept["elapsed"], [0, 0.5, 1, 1.5, 2, 2, 2.5, 3, 3.5])
    assert_array_equal(kept["objective"][5:], 1 / (np.arange(4) + 1))
    for key, values in earlier.items():
        assert_array_equal(values, before[key])


def test_going_on_in_many_parts_keeps_the_limit_and_both_ends():
    kept = None
    for _ in range(12):
        kept = record(9, previous=kept, n_weights=8_000).to_dict()
        check_rows(kept, 8_000)
        assert sum(kept[key].nbytes for key in WEIGHTS[:2]) <= WEIGHT_BYTES
        assert kept["iteration"][0] == 0
    assert kept["iteration"][-1] == 12 * 9 - 1


def test_going_on_without_a_further_iterate_keeps_what_there_was():
    earlier = record(40, n_weights=8_000).to_dict()
    kept = History("auto", earlier).to_dict()
    assert_array_equal(kept["iteration"][[0, -1]], [0, 39])
    check_rows(kept, 8_000)


def test_going_on_after_only_the_curves_leaves_the_weights_missing_there():
    kept = record(2, "auto", previous=record(3, "loss").to_dict()).to_dict()
    check_rows(kept)
    assert np.isnan(kept["coef"][:3]).all()
    assert np.isnan(kept["intercept"][:3]).all()
    assert_array_equal(kept["coef"][3:, 0, 0], [0, 1])


def test_going_on_with_only_the_curves_drops_the_weights():
    kept = record(2, "loss", previous=record(3, True).to_dict()).to_dict()
    assert not set(kept) & set(WEIGHTS)
    assert_array_equal(kept["iteration"], np.arange(5))


def test_a_value_some_iterates_lack_is_missing_there():
    history = History(True)
    history.extend(entry(0))
    history.extend(entry(1, validation=0.25))
    history.extend(entry(2))
    kept = history.to_dict()
    assert_array_equal(kept["validation"], [np.nan, 0.25, np.nan])
    check_rows(kept)


@pytest.mark.parametrize("mode", ["auto", "loss", True, False])
def test_entries_are_not_written_into(mode):
    given = entry(3)
    before = {key: np.copy(value) for key, value in given.items()}
    history = History(mode, record(2).to_dict())
    history.extend(given)
    history.to_dict()
    assert set(given) == set(before)
    for key, value in given.items():
        assert_array_equal(value, before[key])


def test_every_length_of_every_mode_has_arrays_of_equal_length():
    for n, mode in itertools.product(range(1, 70), ("auto", "loss", True)):
        kept = record(n, mode, n_weights=4_000).to_dict()
        assert len({len(values) for values in kept.values()}) == 1
        assert kept["iteration"][-1] == n - 1


@pytest.mark.parametrize("n_together", [1, 3, 7])
@pytest.mark.parametrize("n", [2, 60, 100, 131])
def test_who_asks_first_need_not_look_at_what_is_thinned_out(n, n_together):
    expected = record(n, n_weights=8_000).to_dict()
    history, n_looked_at = History("auto"), 0
    for start in range(0, n, n_together):
        coming = range(start, min(start + n_together, n))
        wanted = [i for i in coming[:-1] if history.wants(i - start)] + [coming[-1]]
        history.extend(entries(wanted, 8_000), len(coming))
        n_looked_at += len(wanted)
    kept = history.to_dict()
    assert set(kept) == set(expected)
    for key, values in expected.items():
        assert_array_equal(kept[key], values)
    if n_together == 7 and n > 60:
        assert n_looked_at < 0.8 * n


@pytest.mark.parametrize("mode", ["auto", "loss", True])
def test_what_is_written_later_is_the_same(mode):
    at_once, later = record(3, mode), record(3, mode)
    at_once.extend(entries([3, 4]))
    later.extend_later(lambda: entries([3, 4]), 2)
    expected, kept = at_once.to_dict(), later.to_dict()
    assert kept.keys() == expected.keys()
    for key in expected:
        assert_array_equal(kept[key], expected[key])
    assert_array_equal(later.to_dict()["iteration"], np.arange(5))


def fits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    yield NeuronClassifier(), X, X[:, 0] > 0
    yield NeuronRegressor("relu", random_state=0), X, np.maximum(X[:, 0], 0)
    yield NeuronLayer(2, random_state=0), X, X[:, 0] * X[:, 1]


@pytest.mark.parametrize("which", range(3))
def test_a_history_that_nobody_asked_for_keeps_no_rows(which):
    estimator, X, y = list(fits())[which]
    rows = weakref.ref(X)
    estimator.fit(X, y)
    del X
    gc.collect()
    assert rows() is None
    history = estimator.history_
    assert estimator.history_ is history
    assert history["objective"][-1] == pytest.approx(estimator.objective_)
    assert_array_equal(history["coef"][-1].ravel(), estimator.coef_.ravel())


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_have_the_whole_history(copied):
    estimator, X, y = next(fits())
    other = copied(estimator.fit(X, y))
    assert isinstance(vars(other)["history_"], dict)
    for key, values in estimator.history_.items():
        assert_array_equal(other.history_[key], values)


def test_there_is_no_history_before_a_fit_and_a_failed_one_leaves_it():
    estimator, X, y = next(fits())
    assert not hasattr(estimator, "history_")
    with pytest.raises(AttributeError, match="fit it first"):
        _ = estimator.history_
    n = len(estimator.fit(X, y).history_["loss"])
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(X * np.nan, y)
    assert len(estimator.history_["loss"]) == n
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(X, y).fit(X * np.nan, y)
    assert len(estimator.history_["loss"]) == n
