"""Where a descent on all rows begins, if the pair is not convex: samples, from small to large.

A few hundred rows tell most valleys apart, at a thousandth of the price. Which rows are enough the
samples say themselves: by how far what a neuron gains is above what chance gives weights to gain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..objective import Objective
from .search import ROWS_PER_WEIGHT, End, Search

# Rows of the sample, so many per weight and at least so many, and of the one before it.
SAMPLE_PER_WEIGHT, LEAST_SAMPLE = 95, 2000
SCREEN_PER_WEIGHT, LEAST_SCREEN = 20, 400
# Entries of the largest sample, for what smaller ones cannot tell from chance.
MAX_ENTRIES = 1_000_000
# How exact ends are from which another descent goes on, and widths of their rounded kinks.
TOL = 1e-4
WIDTHS_FIRST, WIDTHS_AFTER = (0.1, 0.01), (0.01,)
# Ends this close, as a share of the gain, are compared again where there are more rows.
CLOSE_CALL = 0.05


def find_start(
    objective: Objective, rng: np.random.Generator, earlier=None
) -> tuple[list[Search], list[End]]:
    """Search for the best start.

    Parameters
    ----------
    objective : Objective
        On all rows, of a pair that is not convex.
    rng : Generator
    earlier : ndarray, default=None
        Where an objective much like this one had its minimum: a start, too. On all rows it is to be
        beaten.

    Returns
    -------
    searches : list of Search
        On larger and larger samples.
    ends : list of End
        The best one of each group.
    """
    search = partial(
        Search,
        null=objective.null(),
        rounding=objective.rounding,
        rng=rng,
        earlier=earlier,
    )
    n_sharp = 0 if objective.minima_lie_on_kinks else objective.source.n_rows
    size = objective.neuron_size
    n_most = max(MAX_ENTRIES // size, LEAST_SAMPLE)
    sample = _draw(objective, min(max(SAMPLE_PER_WEIGHT * size, LEAST_SAMPLE), n_most), rng)
    n_screen = max(SCREEN_PER_WEIGHT * size, LEAST_SCREEN)
    if sample.source.n_rows < 2 * n_screen:
        searches = [search(sample, n_sharp=n_sharp)]
        searches[0].run(
            trusts_fits=sample.source.n_rows >= max(LEAST_SCREEN, ROWS_PER_WEIGHT[0] * size)
        )
    else:
        first = sample.over(sample.source.spread(n_screen))
        searches = [search(first, tol=TOL, widths=WIDTHS_FIRST, n_sharp=n_sharp)]
        searches[0].run(trusts_fits=True)
        searches.append(_go_on(searches[0], search, sample))
    n_most = min(objective.source.n_rows, n_most)
    while True:
        last = searches[-1]
        ends = _lowest(objective, last)
        n = 4 * last.objective.source.n_rows
        if n // 4 >= n_most or _holds(objective, last, ends):
            break
        searches.append(_go_on(last, search, _draw(objective, min(n, n_most), rng)))
    if earlier is not None:
        ends = _lower(objective, earlier, ends)
    return searches, ends


def _draw(objective: Objective, n: int, rng: np.random.Generator) -> Objective:
    """The objective over n random rows, one of each n-th part; over all if there are no more."""
    n_rows = objective.source.n_rows
    if n_rows <= n:
        return objective.over(objective.source.gathered())
    rows = (np.arange(n) + rng.random(n)) * (n_rows / n)
    return objective.subsample(rows.astype(np.intp))


def _go_on(before: Search, search: Callable[..., Search], sample: Objective) -> Search:
    """The search on more rows, from the ends on fewer that come into question."""
    n_sharp = 0 if before.rounds_off else before.n_sharp
    found = search(sample, tol=TOL, widths=WIDTHS_AFTER, n_sharp=n_sharp)
    rivals = before.rivals(CLOSE_CALL)
    if not before.is_sure() and not np.any(sample.flat_fraction(found.null) == 1):
        # What a few rows show may be worse than nothing on more.
        for theta, ends in zip(found.null, rivals, strict=True):
            ends.append(End(theta, np.inf))
    if before.earlier is not None:
        for theta, ends in zip(before.earlier, rivals, strict=True):
            ends.append(End(theta, np.inf))
    thetas = _aligned(rivals)
    if len(thetas) > 1 or found.rounds_off or not found.refine(thetas[0]):
        found.descend(thetas, is_near=True)
    return found


def _lowest(objective: Objective, found: Search) -> list[End]:
    """The best end of each group, by all rows where it is a close call."""
    rivals = found.rivals(CLOSE_CALL)
    thetas = _aligned(rivals)
    if len(thetas) == 1 or found.objective.source.n_rows == objective.source.n_rows:
        return [ends[0] for ends in rivals]
    best = np.array([objective.value(theta) for theta in thetas]).argmin(axis=0)
    return [ends[min(i, len(ends) - 1)] for ends, i in zip(rivals, best, strict=True)]


def _lower(objective: Objective, earlier, ends: list[End]) -> list[End]:
    """The ends that on all rows are lower than `earlier`, which stands in for the others."""
    is_lower = objective.value(np.array([end.theta for end in ends])) < objective.value(earlier)
    return [
        end if lower else End(theta, end.value)
        for theta, end, lower in zip(earlier, ends, is_lower, strict=True)
    ]


def _holds(objective: Objective, found: Search, ends: list[End]) -> bool:
    """Whether what was gained on the sample is, by half at least, gained on all rows."""
    if found.is_sure():
        return True
    theta = np.array([end.theta for end in ends])
    gain = found.null_value - np.array([end.value for end in ends])
    return bool(np.all(objective.value(found.null) - objective.value(theta) >= 0.5 * gain))


def _aligned(rivals: list[list[End]]) -> np.ndarray:
    """Rivals of all groups as (n_rivals, n_groups, size); who has fewer repeats the last one."""
    n = max(map(len, rivals))
    return np.array([[ends[min(i, len(ends) - 1)].theta for ends in rivals] for i in range(n)])
