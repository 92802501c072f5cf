"""Checks of the neurons of a layer: which pass nothing on, which do the same as another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..specialisation import Levels
from .finding import Finding

# Share of a layer's neurons past which it is more than a few that a penalty does without.
MANY = 0.5
N_NAMED = 8


def check_units(levels: Levels, where: str = "") -> Iterator[Finding]:
    """Yield what the levels of a layer's neurons show.

    Parameters
    ----------
    levels : Levels
    where : str, default=""
        Which of several layers, in words.
    """
    states = np.array(levels.state())
    n = len(states)
    twins = np.char.startswith(states, "duplicate")
    for kind, words, cause in (
        ("dead", "are inactive on every row", "activation='leaky_relu' never dies"),
        ("saturated", "are at their limit on every row", "a larger alpha keeps weights small"),
        ("constant", "have the same level on every row", "a smaller alpha lets weights grow"),
    ):
        found = np.flatnonzero(states == kind)
        if len(found):
            yield Finding(
                "SATURATED" if kind == "saturated" else "DEAD",
                _severity(len(found), n),
                len(found) / n,
                f"{len(found)} of {n} neurons{where} {words} and pass nothing on: "
                f"{_named(levels, found)}.",
                *_advice(len(found), n, cause),
            )
    if twins.any():
        found = np.flatnonzero(twins)
        pairs = ", ".join(
            f"{levels.names[k]} ({states[k].removeprefix('duplicate of ')})"
            for k in found[:N_NAMED]
        )
        yield Finding(
            "DUPLICATE",
            "warning" if len(found) >= MANY * n else "info",
            len(found) / n,
            f"{len(found)} of {n} neurons{where} answer as another does, with a correlation past "
            f"0.99: {pairs}{_more(found)}.",
            f"n_neurons={max(n - len(found), 1)} would do; a larger alpha shares the work out "
            "evenly, another random_state may find other patterns.",
            params={"n_neurons": max(n - len(found), 1)},
        )


def _advice(n_found: int, n: int, cause: str) -> tuple[str, dict]:
    if n_found == n:
        return f"Train anew with a smaller alpha or another random_state; {cause}.", {}
    return (
        f"The others do without them: n_neurons={n - n_found} would do. If more are wanted, train "
        f"anew with another random_state; {cause}.",
        {"n_neurons": n - n_found},
    )


def _severity(n_found: int, n: int) -> str:
    if n_found == n:
        return "error"
    return "warning" if n_found >= MANY * n else "info"


def _named(levels: Levels, found) -> str:
    return ", ".join(levels.names[k] for k in found[:N_NAMED]) + _more(found)


def _more(found) -> str:
    more = len(found) - N_NAMED
    return f" and {more} more" if more > 0 else ""
