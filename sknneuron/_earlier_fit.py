"""What becomes of an earlier fit if a new one fails: it stays whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keeping_earlier_fit(estimator) -> Iterator[None]:
    """Put the fitted attributes back as they were if what is inside fails."""
    before = {name: getattr(estimator, name) for name in _fitted_names(estimator)}
    try:
        yield
    except BaseException:
        for name in _fitted_names(estimator):
            delattr(estimator, name)
        for name, value in before.items():
            setattr(estimator, name, value)
        raise


def _fitted_names(estimator) -> list[str]:
    return [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]
