"""scikit-learn's validation, whose errors also say where the bad value is and what would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import validate_data

from ._odd import (
    as_frame,
    dtypes_of,
    first_odd,
    listed,
    prepared,
    refuse_dates,
    refuse_no_table,
    shortened,
    with_gaps,
)

DTYPES = [np.float64, np.float32]
# Values of a column of words that are looked at for numbers among them.
N_LOOKED_AT = 1000


def checked(estimator, X, y="no_validation", **options):
    """Return X and y as `sklearn.utils.validation.validate_data` does.

    Raises
    ------
    ValueError
        For missing and infinite values: how many, where the first one is, and what would do.
    ValueError, TypeError
        For values that are no numbers: the first one, its row and column. For X that is no table,
        and for sparse matrices whose parts do not fit together.
    """
    X, y = prepared(X), with_gaps(as_frame(y))
    if hasattr(y, "dtypes") and len(getattr(y, "columns", ())) > 1:
        refuse_dates(y, "y")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return validate_data(estimator, X, y, accept_sparse="csr", dtype=DTYPES, **options)
    except (OverflowError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        # The second is what pandas.NA among labels makes of it.
        is_missing = "contains NaN" in said or "value of NA is ambiguous" in said
        if not is_missing and "contains infinity" not in said:
            if "unique column names" in said:
                raise ValueError(
                    f"X has several columns of one name: {_repeated(X.columns)}. Rename them, or "
                    "give X.to_numpy(): without names columns go by their order."
                ) from None
            # Which columns there are comes before what is in them.
            if "feature names" not in said.lower():
                refuse_odd(X, type(estimator).__name__, error)
                _refuse_lists_of_labels(y)
            raise
        # Of labels that are words scikit-learn does not say that they are y.
        name, values = ("X", X) if said.startswith("Input X") else ("y", y)
        where = _where(values, name, is_missing)
        if not where:
            raise
        what = "NaN" if is_missing else "infinity"
        remedy = f"Leave those rows out, of X and y{'' if name == 'y' else ', or cap the values'}."
        if name == "X" and is_missing:
            remedy = (
                f"{type(estimator).__name__} takes no missing values: put SimpleImputer before it, "
                "in a Pipeline, or leave those rows out."
            )
        raise ValueError(f"Input {name} contains {what}: {where}. {remedy}") from None


def _repeated(names) -> str:
    return ", ".join(repr(name) for name, times in Counter(names).items() if times > 1)


def _refuse_lists_of_labels(y) -> None:
    """Refuse a list of each row's labels."""
    if not isinstance(y, Sequence) or not all(isinstance(row, (list, tuple, set)) for row in y):
        return
    if len({len(row) for row in y}) > 1:
        raise ValueError(
            f"y holds lists of different lengths, {shortened(y[0])} for one. For labels that can "
            "hold together give an indicator matrix: MultiLabelBinarizer().fit_transform(y) makes "
            "one."
        )


def _where(values, name: str, is_missing: bool) -> str:
    """Words for how many values are bad and where the first is; "" where that cannot be told."""
    columns = getattr(values, "columns", None)
    try:
        if sparse.issparse(values):
            values = values.tocoo()
            bad = _bad(values.data, is_missing)
            rows, places = values.row[bad], values.col[bad]
            first = np.lexsort((places, rows))
            rows, places = rows[first], places[first]
        else:
            # Objects only where lists might become words: of a large array they take gigabytes.
            dtype = None if hasattr(values, "__array__") else object
            values = np.asarray(values, dtype=dtype if is_missing else np.float64)
            rows, *rest = np.nonzero(_bad(values, is_missing))
            places = rest[0] if rest else None
    except (TypeError, ValueError):
        return ""
    if not len(rows):
        return ""
    place = f"row {rows[0]}"
    if name == "X" and places is not None:
        j = places[0]
        place += f", column {j if columns is None else repr(columns[j])}"
    return f"{_count(rows)}, the first in {place}"


def refuse_weights(weight, name: str, n_rows: int, error: Exception) -> None:
    """Refuse weights that are not one number a row, missing, infinite or negative, if they are."""
    try:
        weight = np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError):
        values = [weight] if isinstance(weight, str) else weight
        odd = first_odd(values) if isinstance(values, Iterable) else None
        if not odd:
            return
        raise type(error)(
            f"{name} has to be a number for each row, and holds {shortened(odd[1])}. To give "
            "classes weights there is class_weight, in NeuronClassifier."
        ) from None
    if weight.shape != (n_rows,) and weight.ndim:
        raise ValueError(
            f"{name} has the shape {weight.shape}, but there are {n_rows} rows: give one number "
            "for each, in a vector."
        ) from None
    kinds = {"NaN": np.isnan(weight), "infinity": np.isinf(weight), "negative values": weight < 0}
    for kind, is_bad in kinds.items():
        bad = np.flatnonzero(is_bad)
        if len(bad):
            raise ValueError(
                f"{name} contains {kind}: {_count(bad)}, the first in row {bad[0]}. Give every row "
                "a weight >= 0; with 0 it does not count."
            ) from None


def _count(places) -> str:
    return f"{len(places)} value{'s' * (len(places) > 1)}"


def _bad(values, is_missing: bool):
    if is_missing:
        return np.asarray(pd.isna(values)).reshape(np.shape(values))
    return np.isinf(values)


def refuse_odd(X, estimator: str, error: Exception) -> None:
    """Refuse X that is no table, and values in it that are no numbers, if that is the error."""
    refuse_no_table(X)
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        if not len(X.columns):
            raise ValueError(f"X has no columns: {estimator} needs at least 1.")
        refuse_words_and_dates(X)
        place, value = _first_odd_in_columns(X)
    elif isinstance(X, Sequence) or (isinstance(X, np.ndarray) and X.dtype.kind not in "biufc"):
        place, value = _first_odd_in_rows(X)
    else:
        return
    if place:
        word = "the string " if isinstance(value, str) else ""
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"X holds {word}{shortened(value)} in {place}: {error}. Make numbers of such values "
            "before the neuron, or leave them out."
        )


def _first_odd_in_columns(X):
    """Words for where the first value is that is no number, and the value."""
    for j, (name, dtype) in enumerate(dtypes_of(X)):
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            continue
        column = X.iloc[:, j] if hasattr(X, "iloc") else X[name]
        if odd := first_odd(column):
            return f"row {odd[0]}, column {name!r}", odd[1]
    return "", None


def _first_odd_in_rows(X):
    """The same of an array or a list of rows."""
    if isinstance(X, np.ndarray) and not X.ndim:
        return "", None
    for i, row in enumerate(X):
        if not isinstance(row, (list, tuple, np.ndarray)):
            if odd := first_odd([row]):
                return f"row {i}", odd[1]
        elif odd := first_odd(row):
            return f"row {i}, column {odd[0]}", odd[1]
    return "", None


def refuse_words_and_dates(X) -> list:
    """Refuse columns of words or dates in a dataframe; return those of categories of numbers."""
    refuse_dates(X)
    words: list = []
    numbers: list = []
    for j, (name, dtype) in enumerate(dtypes_of(X)):
        categories = getattr(dtype, "categories", None)
        # Of polars' the categories follow in brackets.
        if str(dtype).partition("(")[0] in ("str", "string", "String", "Categorical", "Enum"):
            words.append(name)
        elif isinstance(dtype, pd.CategoricalDtype):
            (numbers if pd.api.types.is_numeric_dtype(categories) else words).append(name)
        elif str(dtype) == "object" and isinstance(next(iter(X.iloc[:, j]), None), str):
            words.append(name)
    if words:
        raise words_error(X, words)
    return numbers


def words_error(X, names) -> ValueError:
    """What to say of columns of words in a dataframe: some may be numbers, written as words."""
    numbers, odd = [], ""
    for name in names:
        column = X[name]
        if getattr(column, "ndim", 1) > 1:
            continue  # Columns that share a name.
        words = pd.Series(list(column[:N_LOOKED_AT]), dtype=object).dropna()
        as_numbers = pd.to_numeric(words, errors="coerce")
        if as_numbers.notna().mean() > 0.5:
            numbers.append(name)
            rest = words[as_numbers.isna()]
            odd = odd or (f", but {rest.iloc[0]!r} in {name!r} is none" if len(rest) else "")
    others = [name for name in names if name not in numbers]
    said = []
    if others:
        said.append(
            f"X holds columns of words, not numbers: {listed(others)}. Encode them before the "
            "neuron: OneHotEncoder in a ColumnTransformer."
        )
    if numbers:
        said.append(
            f"X holds columns of numbers that are written as words: {listed(numbers)}{odd}. "
            "Convert them, with pandas.to_numeric; or, if they name categories as zip codes do, "
            "encode them."
        )
    return ValueError(" ".join(said))
