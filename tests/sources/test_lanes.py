"""Parts of a sum, worked out by several threads."""

import threading
import time

import numpy as np
import pytest

from sknneuron.sources.lanes import OrderedSum, Workers, add_in_order

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

    vector, number = Workers(n_threads).sum_in_order(work_out, len(PARTS))
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
        Workers(2).sum_in_order(work_out, 1000)
    assert len(begun) < 100


def test_threads_stay_for_the_next_sum_and_end_with_their_owner():
    both = threading.Barrier(2, timeout=60)

    def taking_part(workers):
        seen = set()

        def work_out(i):
            both.wait()
            seen.add(threading.current_thread())
            return (np.ones(1),)

        workers.sum_in_order(work_out, 2)
        return seen

    workers = Workers(2)
    first, second = taking_part(workers), taking_part(workers)
    assert first == second
    (other,) = first - {threading.current_thread()}
    assert other.is_alive()
    del workers
    other.join(timeout=60)
    assert not other.is_alive()


def test_nobody_waits_for_a_thread_that_is_busy():
    workers, busy, go_on = Workers(2), threading.Barrier(3, timeout=60), threading.Event()

    def hold(i):
        busy.wait()
        go_on.wait(timeout=60)
        return (np.ones(1),)

    holder = threading.Thread(target=workers.sum_in_order, args=(hold, 2))
    holder.start()
    busy.wait()
    try:
        (total,) = workers.sum_in_order(lambda i: (np.ones(1),), 5)
        assert not go_on.is_set()
        assert total == 5
    finally:
        go_on.set()
        holder.join(timeout=60)
