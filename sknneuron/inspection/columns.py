"""Columns as the user knows them, the target, and values of any kind of table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from .._odd import is_arrow, with_gaps
from ..sources.device_array import to_host
from .wires import is_missing


@dataclass(frozen=True)
class Column:
    """One column as the user knows it, and what it does to the neuron's inputs.

    For each neuron input that the column feeds (arrays run along `inputs`)::

        input = offset + slope * x            where the column is a number
        input = offset + codes[level of x]    where it is a category
        input = missing                       where x is missing

    Parameters
    ----------
    name : str
    kind : {"number", "passthrough", "categorical", "derived", "unused"}
        "passthrough" is a number that the neuron sees as it is. "derived" is no raw column but an
        output of a step that could not be unfolded. "unused" reaches no input.
    position : int or None
        Where it stands among the raw columns; None for a derived one.
    inputs : ndarray of int
        The neuron's inputs that it feeds.
    slope, offset : ndarray of shape (n_inputs,)
    levels : tuple
        The levels of a category, as the encoder knows them; missing ones are not among them.
    codes : csr_array of shape (n_levels, n_inputs), or None
        What each level adds to `offset`.
    missing : ndarray of shape (n_inputs,)
        The inputs where x is missing; nan where the pipeline takes no missing value.
    unknown : ndarray of shape (n_inputs,)
        The inputs at a level that the encoder does not know; nan where it raises.
    imputed : object
        What an imputer puts in x's place where x is missing, in x's own unit; None without one.
    indicators : ndarray of int
        Those of `inputs` that only say whether x is missing.
    """

    name: str
    kind: str
    position: int | None
    inputs: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    levels: tuple = ()
    codes: Any = None
    missing: np.ndarray = field(default_factory=lambda: np.zeros(0))
    unknown: np.ndarray = field(default_factory=lambda: np.zeros(0))
    imputed: Any = None
    indicators: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    @property
    def is_number(self) -> bool:
        """Whether the column has a slope rather than levels."""
        return self.codes is None and self.kind != "unused"

    @property
    def takes_missing(self) -> bool:
        """Whether the pipeline knows what to do with a missing value here."""
        return bool(np.all(np.isfinite(self.missing)))

    def raw(self, X) -> np.ndarray:
        """Return this column of X. Derived columns have none."""
        assert self.position is not None
        return raw_values(X, self.position, self.name)

    def is_missing(self, X) -> np.ndarray:
        """Return in which rows of X the raw value is missing; nowhere for a derived column."""
        if self.position is None:
            return np.zeros(X.shape[0], dtype=bool)
        return np.asarray(pd.isna(self.raw(X)), dtype=bool)

    def weights(self, coef):
        """Return what one unit of a number adds to each z.

        Parameters
        ----------
        coef : ndarray of shape (n_neurons, n_inputs of the neuron)

        Returns
        -------
        weight : ndarray of shape (n_neurons,)
        """
        return coef[:, self.inputs] @ self.slope

    def level_effects(self, coef):
        """Return what each level of a category adds to each z, `offset` left out.

        Returns
        -------
        effects : ndarray of shape (n_levels, n_neurons)
        """
        if self.codes is None:
            return np.zeros((0, len(coef)))
        return np.asarray(self.codes @ coef[:, self.inputs].T)

    def level_codes(self):
        """Return what each level adds to `offset`, a csr_array of shape (n_levels, n_inputs).

        In a column of numbers that is encoded as well, a level is worth its slope, too.
        """
        if not np.any(self.slope):
            return self.codes
        worth = np.outer(np.array(self.levels, dtype=float), self.slope)
        return sparse.csr_array(self.codes + sparse.csr_array(worth))

    def levels_of(self, X, inputs) -> np.ndarray:
        """Return the position of each row's level among `levels`, as `level_numbers` does.

        Parameters
        ----------
        X : table of shape (n_samples, n_raw_columns)
        inputs : ndarray or csr_array of shape (n_samples, n_inputs of the neuron)
            The same rows as the neuron sees them: a derived column is known by these alone.
        """
        if self.position is not None:
            return self.level_numbers(self.raw(X))
        behind = inputs[:, self.inputs]
        behind = (behind.toarray() if sparse.issparse(behind) else behind) - self.offset
        codes = self.level_codes()
        # Least |behind - code|^2.
        nearest = codes @ behind.T - 0.5 * codes.multiply(codes).sum(axis=1)[:, None]
        number = nearest.argmax(axis=0)
        return np.where(np.isclose(codes[number].toarray(), behind).all(axis=1), number, -1)

    def level_numbers(self, values) -> np.ndarray:
        """Return the position of each value among `levels`; -1 for unknown, -2 for missing."""
        where = {level: k for k, level in enumerate(self.levels)}
        return np.array(
            [-2 if is_missing(v) else where.get(v, -1) for v in _plain(values)], dtype=int
        )

    def values(self, raw) -> np.ndarray:
        """Return the neuron's inputs that come of these raw values.

        Parameters
        ----------
        raw : array-like of shape (n_samples,)

        Returns
        -------
        inputs : ndarray of shape (n_samples, n_inputs)
        """
        gone = np.array([is_missing(v) for v in _plain(raw)], dtype=bool)
        found = np.tile(self.offset, (len(gone), 1))
        if np.any(self.slope):
            x = np.zeros(len(gone))
            x[~gone] = np.asarray(raw, dtype=object)[~gone].astype(float)
            found += x[:, None] * self.slope
        if self.codes is not None:
            number = self.level_numbers(raw)
            known = number >= 0
            found[known] += self.codes[number[known]].toarray()
            found[number == -1] = self.unknown
        found[gone] = self.missing
        return found


@dataclass(frozen=True)
class Target:
    """What happens to y before the neuron, and to the level behind it.

    Parameters
    ----------
    kind : {"none", "affine", "log", "log1p", "other"}
        "affine": ``y = offset + slope * level``. "log": the neuron's level is log(y), so a weight
        is a share of y; "log1p" that of y + 1.
    slope, offset : ndarray of shape (n_targets,)
        Of an affine one.
    inverse : callable
        From levels, (n_samples,) or (n_samples, n_neurons), to y.
    transform : callable
        From y to what the neuron is trained on.
    func, inverse_func : callable or None
        As they were given to TransformedTargetRegressor.
    """

    kind: str = "none"
    slope: np.ndarray = field(default_factory=lambda: np.ones(1))
    offset: np.ndarray = field(default_factory=lambda: np.zeros(1))
    inverse: Callable = field(default=lambda level: level)
    transform: Callable = field(default=lambda y: y)
    func: Callable | None = None
    inverse_func: Callable | None = None

    @property
    def is_transformed(self) -> bool:
        return self.kind != "none"


def to_numpy(array) -> np.ndarray:
    """Return an array of any kind or device as numpy float64."""
    return np.asarray(to_host(array), dtype=np.float64)


def host_targets(y) -> np.ndarray:
    """Return targets of any kind and device as they are, dense, with NaN for what is masked."""
    return y.toarray() if sparse.issparse(y) else np.asarray(to_host(with_gaps(y)))


def in_memory(rows):
    """Return rows of a Dask collection, which can be looked at but not picked; others as given."""
    return rows.compute() if hasattr(rows, "compute") else rows


def raw_values(X, position: int, name: str = ""):
    """Return one raw column of a DataFrame, an array, a list of rows or a sparse matrix.

    ColumnTransformers take their columns by name, in any order and beside others: in a dataframe it
    is the one column of this name, where there is one, and else the one at the position.
    """
    if is_arrow(X):
        names = X.column_names
        return X.column(names.index(name) if names.count(name) == 1 else position).to_numpy()
    if name in getattr(X, "columns", ()):
        named = X.columns.get_loc(name) if hasattr(X, "iloc") else X.columns.index(name)
        # Of several columns of one name it is a mask.
        position = named if isinstance(named, int) else position
    if hasattr(X, "iloc"):
        return X.iloc[:, position].to_numpy()
    if hasattr(X, "get_column"):
        return X[:, position].to_numpy()
    if sparse.issparse(X):
        return X[:, [position]].toarray().ravel()
    X = X if hasattr(X, "shape") else np.asarray(X)
    return np.asarray(to_host(X[:, position]))


def _plain(values) -> list:
    """Return values as plain Python ones, to compare with levels."""
    return np.asarray(values, dtype=object).tolist()
