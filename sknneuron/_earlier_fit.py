"""What becomes of an earlier fit if a new one fails: it stays whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keeping_earlier_fit(estimator) -> Iterator[None]:
    """Put the fitted attributes back as they were if what is inside fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        for name in filter(_is_fitted, list(vars(estimator))):
            delattr(estimator, name)
        for name in filter(_is_fitted, before):
            setattr(estimator, name, before[name])
        raise


def _is_fitted(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")
