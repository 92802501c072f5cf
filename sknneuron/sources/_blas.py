"""BLAS threads: how many there are, and how to keep them out of the way of our own.

Threads over blocks of rows and threads inside BLAS would fight for the same cores, and how BLAS
splits a product decides the last bits of the result. So BLAS runs on one thread while we train.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import LibController, ThreadpoolController

_lock = threading.Lock()
_users = 0
# Threads of each library before the first user came in.
_before: list[int] = []


@cache
def _libraries() -> list[LibController]:
    # Finding the loaded BLAS libraries takes a millisecond, so it is done once.
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _set_threads(numbers: list[int]) -> None:
    """Set the threads of each library, from whichever thread this is called."""
    # threadpoolctl 3.8 has OpenBLAS controlled by one thread, and others do nothing in silence.
    # We count who is inside, and the last one out need not be the first one in.
    _give_up_control()
    for library, n_threads in zip(_libraries(), numbers, strict=True):
        library.set_num_threads(n_threads)


def _give_up_control() -> None:
    for library in _libraries():
        give_up = getattr(library, "clear_controlling_thread", None)
        if give_up is not None:
            give_up(force=True)


def available_threads() -> int:
    """Return how many threads BLAS would use now, which is what joblib limits in its workers."""
    with _lock:
        threads = _before if _users else [library.num_threads for library in _libraries()]
    return max((n or 1 for n in threads), default=1)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS on one thread inside the block, whoever else is inside at the same time.

    The limit belongs to the whole process. Were two overlapping fits to set and restore it each on
    its own, the second would take the first one's limit for the original and leave it behind for
    good (threadpoolctl #205); so the first one in sets it and the last one out restores it.
    """
    global _users, _before
    with _lock:
        if _users == 0:
            # The limiter of threadpoolctl looks at all that there is to know of each library first.
            _before = [library.num_threads for library in _libraries()]
            _set_threads([1] * len(_before))
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _set_threads(_before)
                # Others' limits hold again, in whichever thread.
                _give_up_control()
