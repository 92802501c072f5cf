"""What history keeps, and how it thins."""

import numpy as np
import pytest

from sknneuron.history import WEIGHT_BYTES, History


def entry(i, size=10):
    return {
        "iteration": i, "n_rows": 5, "elapsed": 0.1 * i, "loss": 1.0 / (i + 1),
        "coef": np.full((1, size), float(i)), "intercept": np.array([float(i)]),
    }


def filled(record, n, size=10, previous=None):
    history = History(record, previous)
    for i in range(n):
        history.append(entry(i, size))
    return history.to_dict()


@pytest.mark.parametrize("record", ["auto", True])
def test_everything_is_kept_while_it_is_small(record):
    kept = filled(record, 7)
    assert kept["iteration"].tolist() == list(range(7))
    assert kept["coef"].shape == (7, 1, 10)
    assert kept["intercept"].shape == (7, 1)


def test_loss_keeps_the_curves_alone_and_false_nothing():
    kept = filled("loss", 7, size=100_000)
    assert set(kept) == {"iteration", "n_rows", "elapsed", "loss"}
    assert len(kept["loss"]) == 7
    assert filled(False, 7) == {}


@pytest.mark.parametrize(("n", "size"), [(1000, 1000), (777, 5000), (50, 40_000), (9, 300_000), (2, 300_000)])
def test_auto_thins_evenly_and_keeps_first_and_last(n, size):
    kept = filled("auto", n, size)
    steps = kept["iteration"]
    assert steps[0] == 0
    assert steps[-1] == n - 1
    assert kept["coef"].nbytes <= max(WEIGHT_BYTES, 2 * size * 8)
    assert len(set(np.diff(steps)[:-1])) <= 1
    assert all(len(values) == len(steps) for values in kept.values())
    assert np.array_equal(kept["coef"][:, 0, 0], steps)
    if size <= 40_000:
        # Not thinner than it needs to be.
        assert kept["coef"].nbytes > WEIGHT_BYTES / 5


def test_true_keeps_all_whatever_it_weighs():
    assert filled(True, 40, 40_000)["coef"].shape == (40, 1, 40_000)


def test_a_history_goes_on():
    first = filled("auto", 4)
    both = filled("auto", 3, previous=first)
    assert both["iteration"].tolist() == list(range(7))
    assert np.all(np.diff(both["elapsed"]) >= 0)
    assert both["coef"][:, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert filled("auto", 3, previous={})["iteration"].tolist() == [0, 1, 2]


def test_a_history_that_goes_on_may_change_its_record():
    curves = filled("loss", 3)
    both = filled("auto", 2, previous=curves)
    assert np.isnan(both["coef"][:3]).all()
    assert both["coef"][3:, 0, 0].tolist() == [0, 1]
    assert "coef" not in filled("loss", 2, previous=both)
