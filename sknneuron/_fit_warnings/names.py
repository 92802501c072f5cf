"""How columns are called in a warning."""

from __future__ import annotations

N_NAMED = 3


def column_names(estimator, columns) -> str:
    """Words for these columns: their names if the estimator knows them, else their numbers."""
    names = getattr(estimator, "feature_names_in_", None)
    words = [f"column {j}" if names is None else f"column {names[j]!r}" for j in columns[:N_NAMED]]
    more = len(columns) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
