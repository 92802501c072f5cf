"""What is kept of each iterate: ``history_``, thinned where it would grow heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

# History travels in every pickle and to every worker of a grid.
WEIGHT_BYTES = 2 << 20
WEIGHTS = ("coef", "intercept", "output_coef", "output_intercept")

# Some iterates: an array for each thing that is kept of them, with an entry per iterate.
Columns = Mapping[str, np.ndarray]


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

    def __init__(self, record: str | bool, previous: Columns | None = None):
        self.record = record
        self._kept: list[Columns] = []
        self._latest: Columns | None = None
        self._later: tuple[Callable[[], Columns], int] | None = None
        self._n_kept = 0
        self._count = 0
        self._stride = 1
        self._first_iteration = 0
        self._first_elapsed = 0.0
        if record is not False and previous:
            self._keep(previous)
            self._first_iteration = int(previous["iteration"][-1]) + 1
            self._first_elapsed = float(previous["elapsed"][-1])

    def wants(self, n_ahead: int) -> bool:
        """Whether the iterate that `n_ahead` others come before is kept, should it not be the last.

        Who looks at none that is not can say so to `extend`.
        """
        return (self._count + n_ahead) % self._stride == 0

    def extend(self, iterates: Columns, n_seen: int | None = None) -> None:
        """Add iterates, their `iteration` and `elapsed` counted from the start of this training.

        With `n_seen` they are the last of so many, and before it those that are wanted. Their
        arrays are history's own from now on.
        """
        if self.record is False:
            return
        if self._first_iteration:
            iterates = {
                **iterates,
                "iteration": iterates["iteration"] + self._first_iteration,
                "elapsed": iterates["elapsed"] + self._first_elapsed,
            }
        self._keep(iterates, n_seen)

    def extend_later(self, write: Callable[[], Columns], n_seen: int) -> None:
        """`extend` by what `write` returns, once somebody wants to see it: the last ones."""
        if self.record is not False:
            self._later = write, n_seen

    def _keep(self, iterates: Columns, n_seen: int | None = None) -> None:
        if self.record == "loss":
            iterates = {key: values for key, values in iterates.items() if key not in WEIGHTS}
        n = len(iterates["iteration"]) if n_seen is None else n_seen
        if n_seen is None:
            kept = _every(iterates, self._stride, -self._count % self._stride)
        else:
            kept = iterates if self.wants(n - 1) else {k: v[:-1] for k, v in iterates.items()}
        self._kept.append(kept)
        self._n_kept += len(kept["iteration"])
        self._latest = iterates
        self._count += n
        if self.record == "auto":
            self._thin()

    def _thin(self) -> None:
        # A history recorded with "loss" that is now continued has entries without weights.
        latest = self._latest
        assert latest is not None
        size = sum(latest[key].nbytes for key in WEIGHTS if key in latest) / len(
            latest["iteration"]
        )
        while self._n_kept > 1 and (self._n_kept + 1) * size > WEIGHT_BYTES:
            self._stride *= 2
            self._kept = [_every(_joined(self._kept), 2)]
            self._n_kept = len(self._kept[0]["iteration"])

    def to_dict(self) -> dict[str, np.ndarray]:
        """Return ``history_``: a dict of arrays with one entry per iterate kept."""
        if self._later is not None:
            (write, n_seen), self._later = self._later, None
            self.extend(write(), n_seen)
        if self._latest is None:
            return {}
        if (self._count - 1) % self._stride == 0:
            return _joined(self._kept)
        return _joined([*self._kept, _every(self._latest, 1, -1)])


class HistoryAttribute:
    """``history_`` of an estimator: written out when it is first asked for.

    For a fit of a few hundred rows that takes a tenth of the time, and whoever fits a grid of them
    looks at none.
    """

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self
        fitted = vars(estimator)
        if "history_" not in fitted:
            raise AttributeError(f"{type(estimator).__name__} has no history_: fit it first.")
        if isinstance(fitted["history_"], History):
            fitted["history_"] = fitted["history_"].to_dict()
        return fitted["history_"]

    def __set__(self, estimator, history: History | dict[str, np.ndarray]):
        vars(estimator)["history_"] = history

    def __delete__(self, estimator):
        del vars(estimator)["history_"]


def _every(iterates: Columns, stride: int, start: int = 0) -> Columns:
    """Every second, fourth, ... of some iterates, without a hold on the memory of the others."""
    if stride == 1 and start == 0:
        return iterates
    return {key: values[start::stride].copy() for key, values in iterates.items()}


def _joined(parts: list[Columns]) -> dict[str, np.ndarray]:
    """One after the other; nan where a part lacks what another has."""
    if len(parts) == 1:
        return dict(parts[0])
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: np.concatenate([_column(part, key, parts) for part in parts]) for key in keys}


def _column(part: Columns, key: str, parts: list[Columns]) -> np.ndarray:
    # Weights of a resumed history may be missing at its start, as may a validation loss.
    if key in part:
        return part[key]
    example = next(other[key] for other in parts if key in other)
    return np.full((len(part["iteration"]), *example.shape[1:]), np.nan)
