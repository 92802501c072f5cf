"""What is kept of each iterate: ``history_``, thinned where it would grow heavy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# History travels in every pickle and to every worker of a grid.
WEIGHT_BYTES = 2 << 20
WEIGHTS = ("coef", "intercept", "output_coef", "output_intercept")


class History:
    """A growing record of iterates.

    Parameters
    ----------
    record : {"auto", "loss"} or bool
        "auto" keeps weights, and only every second, fourth, ... iterate once their weights pass
        2 MiB, first and last always; True keeps all; "loss" keeps only the curves; False nothing.
    previous : mapping, default=None
        A ``history_`` to go on from.
    """

    def __init__(self, record: str | bool, previous: Mapping | None = None):
        self.record = record
        self._kept: list[dict] = []
        self._last: dict | None = None
        self._count = 0
        self._stride = 1
        self._first_iteration = 0
        self._first_elapsed = 0.0
        if record is not False and previous:
            for i in range(len(previous["iteration"])):
                self._keep({key: values[i] for key, values in previous.items()})
            if self._last is not None:
                self._first_iteration = int(self._last["iteration"]) + 1
                self._first_elapsed = float(self._last["elapsed"])

    def append(self, entry: Mapping) -> None:
        """Add an iterate, its `iteration` and `elapsed` counted from the start of this training."""
        if self.record is False:
            return
        self._keep(
            {
                **entry,
                "iteration": entry["iteration"] + self._first_iteration,
                "elapsed": entry["elapsed"] + self._first_elapsed,
            }
        )

    def _keep(self, entry: dict) -> None:
        if self.record == "loss":
            entry = {key: value for key, value in entry.items() if key not in WEIGHTS}
        if self._count % self._stride == 0:
            self._kept.append(entry)
        self._last = entry
        self._count += 1
        if self.record == "auto":
            self._thin()

    def _thin(self) -> None:
        # A history recorded with "loss" that is now continued has entries without weights.
        assert self._last is not None
        size: int = sum(np.asarray(self._last[key]).nbytes for key in WEIGHTS if key in self._last)
        while len(self._kept) > 1 and (len(self._kept) + 1) * size > WEIGHT_BYTES:
            self._stride *= 2
            self._kept = self._kept[::2]

    def to_dict(self) -> dict[str, np.ndarray]:
        """Return ``history_``: a dict of arrays with one entry per iterate kept."""
        entries = list(self._kept)
        if self._last is not None and (not entries or entries[-1] is not self._last):
            entries.append(self._last)
        if not entries:
            return {}
        if all(entry.keys() == entries[0].keys() for entry in entries):
            return {key: np.array([entry[key] for entry in entries]) for key in entries[0]}
        # Weights of a resumed history may be missing at its start, as may a validation loss.
        keys = list(dict.fromkeys(key for entry in entries for key in entry))
        return {key: np.array([_value(entry, key, entries) for entry in entries]) for key in keys}


def _value(entry: dict, key: str, entries: list[dict]):
    if key in entry:
        return entry[key]
    example = next(other[key] for other in entries if key in other)
    return np.full(np.shape(example), np.nan)
