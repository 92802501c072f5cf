"""Parts of a sum, worked out by several threads."""

import threading
import time

import numpy as np
import pytest

from sknneuron.sources.lanes import OrderedSum, add_in_order, sum_in_order

# Sums of these depend on the order in which they are added.
PARTS = np.random.default_rng(0).standard_normal((40, 3)) * np.geomspace(1, 1e12, 40)[:, None]


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_whoever_is_first_the_order_is_the_same(n_threads):
    delays = np.random.default_rng(n_threads).random(len(PARTS)) * 2e-3
    workers, all_have_begun = set(), threading.Barrier(n_threads, timeout=60)

    def work_out(i):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            all_have_begun.wait()
        time.sleep(delays[i])
        return PARTS[i].copy(), float(PARTS[i, 0])

    vector, number = sum_in_order(work_out, len(PARTS), n_threads)
    expected = add_in_order((part.copy(), float(part[0])) for part in PARTS)
    assert np.array_equal(vector, expected[0])
    assert number == expected[1]
    assert np.any(vector != add_in_order((part.copy(),) for part in PARTS[::-1])[0])
    assert threading.get_ident() in workers
    assert len(workers) == n_threads


def test_parts_that_are_early_wait_and_no_others():
    total = OrderedSum()
    for i in (2, 1, 0, 4):
        total.take(i, (np.array([float(i)]),))
    assert total.total[0] == 3
    total.take(3, (np.array([3.0]),))
    assert total.total[0] == 10


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (ValueError, "here"),
        (ValueError, "elsewhere"),
        (IndexError, "here"),
        (IndexError, "elsewhere"),
        # Ctrl-C comes to the main thread alone.
        (KeyboardInterrupt, "here"),
    ],
)
def test_an_error_in_any_thread_ends_the_sum(error, place):
    here, begun = threading.get_ident(), []

    def work_out(i):
        begun.append(i)
        if (threading.get_ident() == here) == (place == "here"):
            raise error("of this part")
        time.sleep(1e-3)
        return (np.ones(1),)

    with pytest.raises(error, match="of this part"):
        sum_in_order(work_out, 1000, 2)
    assert len(begun) < 100
