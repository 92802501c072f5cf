"""Seeds for numpy's generators from what scikit-learn takes as `random_state`."""

from __future__ import annotations

from numbers import Integral
from threading import Lock

import numpy as np
from sklearn.utils import check_random_state

_generator, _lock = np.random.RandomState(0), Lock()


def seed_of(random_state) -> int:
    """A seed: the same each time for an int, another each time otherwise."""
    if isinstance(random_state, Integral):
        return first_draw(int(random_state))
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def first_draw(seed: int) -> int:
    """The number that a fresh ``RandomState(seed)`` draws first.

    To make one takes as long as a pass over many rows; to seed one again, next to nothing.
    """
    with _lock:
        _generator.seed(seed)
        return _generator.randint(np.iinfo(np.int32).max)
