"""Time contestants in turn: A B A B ..., so that what else the machine does hits all alike."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

OURS = "sknneuron"
# Seconds after which threads that the one before left waiting for work, busily, have gone to sleep.
SETTLE = 0.1


@dataclass
class Field:
    """Who takes part in a row, ready to run.

    Parameters
    ----------
    contestants : dict of name to function
        `OURS` among them; each does the same work once.
    missed : list of str
        Peers that did not reach the accuracy.
    left : float
        What ours leaves of the gain, nan where accuracy is no question.
    read : float
        Seconds of one pass over X, nan if that is no yardstick.
    """

    contestants: dict[str, Callable]
    missed: list[str] = field(default_factory=list)
    left: float = np.nan
    read: float = np.nan


@dataclass
class Contest:
    """One row of the table of speed.

    Parameters
    ----------
    name : str
    make : callable
        Returns a `Field`.
    must, aim : float
        Ratio of ours to the best of the others.
    quick : bool
        Whether it is part of the quick run.
    repeat : int
        How often each runs in one turn, for work of less than a millisecond or that differs from
        one time to the next.
    """

    name: str
    make: Callable[[], Field]
    must: float
    aim: float
    quick: bool = False
    repeat: int = 1


def timed(function, repeat: int = 1):
    """(wall seconds, CPU seconds) of one run."""
    gc.collect()
    time.sleep(SETTLE)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        function()
    return (time.perf_counter() - wall) / repeat, (time.process_time() - cpu) / repeat


def run_contest(contest: Contest, rounds: int) -> dict:
    """One row of the table."""
    field = contest.make()
    times: dict[str, list] = {name: [] for name in field.contestants}
    for function in field.contestants.values():
        function()
    for _ in range(rounds):
        for name, function in field.contestants.items():
            times[name].append(timed(function, contest.repeat))
    medians = {name: np.median(values, axis=0).tolist() for name, values in times.items()}
    ours = medians.pop(OURS)
    best = min(medians, key=lambda name: medians[name][0]) if medians else None
    peer = medians[best] if best else [np.nan, np.nan]
    return {
        "work": contest.name,
        "ours": ours[0],
        "reads": ours[0] / field.read,
        "left": field.left,
        "best": best,
        "peer": peer[0],
        "ratio": ours[0] / peer[0],
        "cpu_ratio": ours[1] / peer[1],
        "must": contest.must,
        "aim": contest.aim,
        "missed": field.missed,
        "load": os.getloadavg()[0],
        "rounds": rounds,
    }


def read_time(X) -> float:
    """Seconds of one pass over X, the physical yardstick."""
    values = X.data if hasattr(X, "indptr") else X
    return min(timed(lambda: np.add.reduce(values, axis=None))[0] for _ in range(5))
