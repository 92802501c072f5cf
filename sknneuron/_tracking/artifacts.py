"""The files of a run: history and page by default, and what else was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from .evolution import MAX_POINTS, Evolution, Series
from .guard import opened, reason_to_stay, sample

# Weights up to which the page is made unasked: past that it takes longer than the rest together,
# and shows less.
PAGE_WEIGHTS = 300


@dataclass(frozen=True)
class Options:
    """What is written beside metrics and history.

    Parameters
    ----------
    page_rows : int, default=0
        Rows of X that go into the page.
    plots, diagnosis, coef_table : bool, default=False
    max_points : int, default=None
        Points a metric, at most MAX_POINTS. None: as many as fit into one call.
    """

    page_rows: int = 0
    plots: bool = False
    diagnosis: bool = False
    coef_table: bool = False
    max_points: int | None = None

    def __post_init__(self):
        if not isinstance(self.page_rows, Integral) or self.page_rows < 0:
            raise ValueError(
                f"log_page_rows must be a whole number, 0 or more; got {self.page_rows!r}."
            )
        points = self.max_points
        if points is not None and not (isinstance(points, Integral) and 2 <= points <= MAX_POINTS):
            raise ValueError(
                f"max_points must be a whole number from 2 to {MAX_POINTS}, or None for as many as "
                f"go into one call; got {points!r}."
            )


@dataclass(frozen=True)
class Artifacts:
    """Makes the files of one fit.

    Parameters
    ----------
    root : estimator
        The one whose `fit` was tracked.
    data : tuple
        X, y and sample_weight as given to it; used for nothing that was not asked for.
    evolution : Evolution
    series : list of Series
        Those that became metrics.
    first_step : int
        What MLflow calls the step of iterate 0.
    follows : bool
        Whether the run has an earlier fit.
    options : Options
    """

    root: object
    data: tuple
    evolution: Evolution
    series: list[Series]
    first_step: int
    follows: bool
    options: Options

    def write(self, folder: Path) -> list[str]:
        """Write all files that are to be; return what could not be made, and why."""
        failed = []
        for name, (make, wanted) in self._files().items():
            if not wanted:
                continue
            stem, _, ending = name.partition(".")
            path = folder / f"{stem}{self._suffix()}.{ending}"
            try:
                make(path)
            except Exception as error:  # a file that cannot be made keeps no other from the run
                path.unlink(missing_ok=True)
                failed.append(f"{name} ({type(error).__name__}: {error})")
        return failed

    def _files(self) -> dict[str, tuple[Callable[[Path], object], bool]]:
        options = self.options
        return {
            "history.parquet": (self._history, True),
            "metric_names.json": (self._metric_names, True),
            "neuron.html": (self._page, self._is_small() or options.page_rows > 0),
            "weights.svg": (self._weight_paths, options.plots),
            "coef_table.csv": (self._coef_table, options.coef_table),
            "diagnosis.json": (self._diagnosis, options.diagnosis),
        }

    def _is_small(self) -> bool:
        return len(self.evolution.features) * max(len(self.evolution.outputs), 1) <= PAGE_WEIGHTS

    def _suffix(self) -> str:
        """A second fit in the same run keeps the files of the first."""
        if not self.follows:
            return ""
        iteration = self.evolution.iteration
        first = self.first_step + (int(iteration[0]) if len(iteration) else 0)
        return f"_from_step_{first}"

    def _history(self, path: Path) -> None:
        table = self.evolution.table(self.first_step)
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            table.to_csv(path.with_suffix(".csv.gz"), index=False)
        else:
            table.to_parquet(path, index=False)

    def _metric_names(self, path: Path) -> None:
        names = {
            one.key: {"neuron": one.neuron, "feature": one.feature}
            for one in self.series
            if one.neuron or one.feature
        }
        path.write_text(json.dumps(names, indent=1), encoding="utf-8")

    def _page(self, path: Path) -> None:
        from ..inspection import to_html

        if not self.options.page_rows or self.data[0] is None:
            to_html(self.root, path=path)
            return
        X, y, weight = self.data
        if reason_to_stay(X) is not None:
            X, y, weight = sample(X, y, weight)
        max_rows = self.options.page_rows
        to_html(self.root, X, y, path, max_rows=max_rows, sample_weight=weight)

    def _weight_paths(self, path: Path) -> None:
        from ..inspection import WeightPathDisplay

        figure = WeightPathDisplay.from_estimator(self.root).figure_
        figure.savefig(path, format="svg")
        from matplotlib import pyplot

        pyplot.close(figure)

    def _coef_table(self, path: Path) -> None:
        from ..inspection import coef_table

        coef_table(self.root, *opened(*self.data)).to_csv(path, index=False)

    def _diagnosis(self, path: Path) -> None:
        from ..inspection import diagnose

        frame = diagnose(self.root, *opened(*self.data)).to_frame()
        frame.to_json(path, orient="records", indent=1)
