"""Small objects with named parameters, as scikit-learn's Gaussian-process kernels have them."""

from __future__ import annotations

import inspect
from numbers import Real
from typing import Any


class Parametrized:
    """Parameters read from the signature of ``__init__``, which stores them as they are."""

    @classmethod
    def _unshare(cls, base, name: str, *parts: str) -> None:
        """Take the method `name` from `base` again where this class changes a part of it.

        What a parent shares between several parts is not right for a child's own.
        """
        own = vars(cls)
        if name not in own and any(part in own for part in parts):
            setattr(cls, name, getattr(base, name))

    @classmethod
    def _parameter_names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Taken for compatibility; there is nothing deeper.

        Returns
        -------
        params : dict
        """
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params):
        """Set parameters by name, so that ``loss__quantile`` works in a grid.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For a name that is no parameter.
        """
        names = self._parameter_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {names or 'none'}."
                )
            setattr(self, name, value)
        return self

    def number(self, name: str):
        """Return the parameter of that name.

        Raises
        ------
        TypeError
            If it is no number.
        """
        value = getattr(self, name)
        if not isinstance(value, Real):
            raise TypeError(f"{name} must be a number, got {value!r}.")
        return value

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({params})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_params() == other.get_params()

    def __hash__(self) -> int:
        return hash((type(self), *self.get_params().items()))
