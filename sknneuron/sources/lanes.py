"""Sums whose parts are worked out by several threads and added in a fixed order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from threading import Lock

import numpy as np


class Workers:
    """Threads that work out the parts of sums, one sum after the other, and end with this object.

    Parameters
    ----------
    n_threads : int, default=1
        The calling one among them.
    """

    def __init__(self, n_threads: int = 1):
        self.n_threads = n_threads
        # It starts no thread before there is work for it.
        self._pool = ThreadPoolExecutor(n_threads - 1) if n_threads > 1 else None

    def sum_in_order(self, work_out: Callable[[int], tuple], n_parts: int) -> tuple:
        """Sum ``work_out(i)`` over `n_parts`.

        The sum is the same to the last bit whoever worked out what. A part may take no longer than
        it takes to hand it out and to wake who waits for it: so threads help themselves, and each
        adds what it can.
        """
        if self._pool is None:
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

        others = [self._pool.submit(work) for _ in range(min(self.n_threads, n_parts) - 1)]
        try:
            work()
        finally:
            # Those that were not called upon in time have nothing left to do.
            errors = [other.exception() for other in others if not other.cancel()]
        for error in errors:
            if error is not None:
                raise error
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
