"""Sums whose parts are worked out by several threads and added in a fixed order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from threading import Lock

import numpy as np


def sum_in_order(work_out: Callable[[int], tuple], n_parts: int, n_threads: int) -> tuple:
    """Sum ``work_out(i)`` over `n_parts`, by so many threads, the calling one among them.

    The sum is the same to the last bit whoever worked out what. A part may take no longer than it
    takes to hand it out and to wake who waits for it: so threads help themselves, and each adds
    what it can.
    """
    if n_threads == 1:
        return add_in_order(map(work_out, range(n_parts)))
    ahead, total = deque(range(n_parts)), OrderedSum()

    def work() -> None:
        try:
            while ahead:
                try:
                    i = ahead.popleft()
                except IndexError:
                    return  # Another thread was quicker.
                total.take(i, work_out(i))
        finally:
            # After an error, or Ctrl-C, nobody needs the rest.
            ahead.clear()

    with ThreadPoolExecutor(n_threads - 1) as pool:
        others = [pool.submit(work) for _ in range(n_threads - 1)]
        work()
    for other in others:
        other.result()
    return total.total


class OrderedSum:
    """A sum of parts that come in any order and are added in theirs: those that are early wait."""

    def __init__(self):
        self.total: tuple = ()
        self._lock = Lock()
        self._early: dict[int, tuple] = {}
        self._n_added = 0

    def take(self, i: int, part: tuple) -> None:
        """Take part `i`, which comes once."""
        with self._lock:
            self._early[i] = part
            while self._n_added in self._early:
                part = self._early.pop(self._n_added)
                self.total = add(self.total, part) if self._n_added else part
                self._n_added += 1


def add_in_order(parts) -> tuple:
    """The sum of what a kernel returned for several blocks, one after the other as they come."""
    return reduce(add, parts)


def add(total: tuple, part: tuple) -> tuple:
    """Add what a kernel returned for one block to the total, in place where that can be."""
    # Results of a kernel are its own fresh arrays.
    return tuple(
        np.add(a, b, out=a) if isinstance(a, np.ndarray) else a + b
        for a, b in zip(total, part, strict=True)
    )
