"""Where our estimators and MLflow's autologging meet; nothing of MLflow is imported here.

``mlflow.sklearn.autolog()`` wraps the ``fit`` of the estimators that it knows. So that it knows
ours without an extra call, `register` gets to work as soon as ``mlflow.sklearn`` is there: at once
if it has been imported before us, else right after its import.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from typing import Any

MLFLOW = "mlflow.sklearn"
#: The estimators to be tracked, and the types that a saved model of ours may hold.
CLASSES: list[Any] = []
TRUSTED_TYPES: list[str] = []


def register(classes: Iterable[type], trusted_types: Iterable[str]) -> None:
    """Have MLflow's autologging know these estimators, whichever is imported first."""
    CLASSES.extend(classes)
    TRUSTED_TYPES.extend(trusted_types)
    if MLFLOW in sys.modules:
        _connect()
    else:
        sys.meta_path.insert(0, _AfterImport())


def tracked(fit):
    """Look once more, as `fit` runs, whether autologging is on and does not know us yet.

    It can only be so where MLflow was switched on first and a fit was under way when we came.
    """

    @functools.wraps(fit)
    def look_and_fit(self, *args, **kwargs):
        if MLFLOW in sys.modules:
            from .autologging import late_patch

            patched = late_patch(type(self))
            if patched is not None:
                return patched.fit(self, *args, **kwargs)
        return fit(self, *args, **kwargs)

    return look_and_fit


def _connect() -> None:
    from .autologging import connect

    connect()


class _AfterImport(MetaPathFinder):
    """Calls `_connect` once ``mlflow.sklearn`` has been imported, and is gone."""

    def __init__(self):
        self.searching = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != MLFLOW or self.searching:
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_connect(module):
                execute(module)
                sys.meta_path.remove(self)
                _connect()

            spec.loader.exec_module = execute_and_connect  # type: ignore[method-assign]
        return spec
