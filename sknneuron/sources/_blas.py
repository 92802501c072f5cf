"""BLAS threads: how many there are, and how to keep them out of the way of our own.

Threads over blocks of rows and threads inside BLAS would fight for the same cores, and how BLAS
splits a product decides the last bits of the result. So BLAS runs on one thread while we train.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limiter = None


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded BLAS libraries takes a millisecond, so it is done once.
    return ThreadpoolController().select(user_api="blas")


def available_threads() -> int:
    """Return how many threads BLAS would use now, which is what joblib limits in its workers."""
    with _lock:
        if _limiter is not None:
            return int(max(_limiter.get_original_num_threads().get("blas") or 1, 1))
        return max((lib.num_threads for lib in _controller().lib_controllers), default=1)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS on one thread inside the block, whoever else is inside at the same time.

    The limit belongs to the whole process. Were two overlapping fits to set and restore it each on
    its own, the second would take the first one's limit for the original and leave it behind for
    good (threadpoolctl #205); so the first one in sets it and the last one out restores it.
    """
    global _users, _limiter
    with _lock:
        if _users == 0:
            _limiter = _controller().limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                assert _limiter is not None
                _limiter.restore_original_limits()
                _limiter = None
