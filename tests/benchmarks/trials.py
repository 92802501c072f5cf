"""Fits of peers in a process of their own, which can be ended: some take minutes, or for ever."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings


class Trials:
    """Runs peers' fits of one case, each for no longer than a limit.

    Parameters
    ----------
    case_name : str
        Of one of the cases: the process makes the rows anew, from the same seeds.
    """

    def __init__(self, case_name: str):
        self.case_name = case_name
        self._process = self._pipe = None

    def fit(self, peer: str, level: int, limit: float):
        """((coef, intercept), seconds) of a peer's fit; None if it takes longer than `limit`."""
        if self._process is None:
            self._start()
        self._pipe.send((peer, level))
        if self._pipe.poll(limit):
            return self._pipe.recv()
        self.close()
        return None

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(self.case_name, end), daemon=True)
        self._process.start()
        self._pipe.recv()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _serve(case_name: str, pipe):
    from .cases import CASES

    # A benchmark that is killed takes this process along, whatever peer is at work in it.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # That a peer stops short at a loose tolerance is what is looked for.
    warnings.simplefilter("ignore")
    (case,) = (case for case in CASES if case.name == case_name)
    X, y = case.make()
    pipe.send("ready")
    while True:
        peer, level = pipe.recv()
        began = time.perf_counter()
        weights = case.peers[peer](X, y, case.alpha, level)
        pipe.send((weights, time.perf_counter() - began))
