"""What is no table, and which of many values is no number: in words for errors."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

# Letters of a value that an error shows.
SHOWN = 60
# Columns that an error names.
N_NAMED = 5
# How the names of types of dates and times begin, in pandas and polars.
TIMES = ("date", "time", "period", "duration")


def prepared(X):
    """Rows as numpy may take them: tables of Arrow as dataframes, and NaN for what is masked.

    Raises
    ------
    ValueError
        For what numpy makes numbers of in silence, and for broken sparse matrices.
    """
    X = with_gaps(as_frame(X))
    refuse_unlike_numbers(X)
    refuse_broken(X)
    return X


def is_arrow(X) -> bool:
    """Whether X is a table or record batch of Arrow; pyarrow is not imported to find out."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(X, (arrow.Table, arrow.RecordBatch))


def names_of_columns(table):
    """Names of a table's columns; None of what names none. Arrow's `columns` are their values."""
    return table.column_names if is_arrow(table) else getattr(table, "columns", None)


def as_frame(X):
    """A table of Arrow as a dataframe, and whatever else is given as it is.

    numpy counts Arrow's dates in units of its own.
    """
    # What pandas noted in a table would make an index of a column; scikit-learn does not.
    return X.to_pandas(ignore_metadata=True) if is_arrow(X) else X


def with_gaps(values):
    """A masked array with NaN for what is masked: scikit-learn takes what lies beneath."""
    if not isinstance(values, np.ma.MaskedArray) or not np.ma.is_masked(values):
        return values
    dtype = np.float64 if values.dtype.kind in "biuf" else object
    return np.ma.filled(values.astype(dtype), np.nan)


def refuse_no_table(X) -> None:
    """Refuse what is neither an array, nor becomes one, nor a list of rows."""
    is_list = isinstance(X, Sequence) and not isinstance(X, str)
    if not (is_list or hasattr(X, "__array__") or sparse.issparse(X)):
        raise TypeError(
            "X must be a table: an array, a dataframe in memory, a sparse matrix or a list of "
            f"rows. Got {shortened(X)}, a {type(X).__name__}."
        )


def first_odd(values: Iterable) -> tuple[int, Any] | None:
    """Position of the first value that is neither a number nor missing, and the value."""
    for position, value in enumerate(values):
        if value is None or value is pd.NA:
            continue
        try:
            float(value)
        except (OverflowError, TypeError, ValueError):
            return position, value
    return None


def shortened(value) -> str:
    """A value as Python writes it, or what fits an error message of that."""
    words = reprlib.Repr()
    words.maxstring = words.maxother = words.maxlong = SHOWN
    # Arrays and frames write themselves in several lines.
    return " ".join(words.repr(value.item() if isinstance(value, np.generic) else value).split())


def refuse_broken(X) -> None:
    """Refuse sparse rows with columns that are not there: products would read beyond the weights.

    scipy looks at the columns' numbers only where it is asked to, as matrices are made of them.
    """
    if not sparse.issparse(X) or X.format not in ("csr", "csc"):
        return
    what, length = ("column", X.shape[1]) if X.format == "csr" else ("row", X.shape[0])
    starts, numbers = X.indptr, X.indices
    if np.any(starts[1:] < starts[:-1]) or starts[-1] > len(numbers):
        raise ValueError(
            "X is a broken sparse matrix: the starts of its rows (indptr) do not fit its entries. "
            "Check how it was made; X.check_format() says more."
        )
    numbers = numbers[: starts[-1]]
    if not len(numbers) or (numbers.min() >= 0 and numbers.max() < length):
        return
    odd = numbers[(numbers < 0) | (numbers >= length)]
    raise ValueError(
        f"X is a broken sparse matrix: it has the shape {X.shape}, and entries in {what} {odd[0]}. "
        "Check how it was made: with a shape that holds all of its entries (shape=), or those that "
        "the fit knows of."
    )


def refuse_unlike_numbers(X) -> None:
    """Refuse what numpy makes numbers of in silence.

    Dates and durations it counts in units of its own, of complex numbers it drops the imaginary
    part; pandas and polars may do so in columns beside numbers.
    """
    is_frame = hasattr(X, "columns") and hasattr(X, "dtypes")
    kinds = {*X.dtypes} if is_frame else {getattr(X, "dtype", None)}
    if any(getattr(kind, "kind", "") == "c" for kind in kinds):
        raise ValueError("Complex data not supported: X has an imaginary part.")
    if is_frame:
        if any(_is_of_times(kind) for kind in kinds):
            refuse_dates(X)
        return
    for kind in kinds:
        if isinstance(kind, np.dtype) and kind.kind in "mM":
            raise ValueError(
                f"X holds dates or durations ({kind}), not numbers. Make numbers of them before "
                "the neuron: days since a start, the month, the day of the week."
            )


def refuse_dates(frame, name: str = "X") -> None:
    """Refuse columns of dates in a dataframe that is called `name`."""
    dates = [column for column, dtype in dtypes_of(frame) if _is_of_times(dtype)]
    if dates:
        raise ValueError(
            f"{name} holds columns of dates, not numbers: {listed(dates)}. Make numbers of them "
            "before the neuron: days since a start, the month, the day of the week."
        )


def refuse_dates_for_weights(weight, name: str) -> None:
    """Refuse dates and durations as weights of rows, which numpy would count in its own units."""
    dtype = getattr(weight, "dtype", getattr(weight, "type", None))
    if _is_of_times(dtype):
        raise ValueError(
            f"{name} holds dates or durations ({dtype}): give every row a number >= 0 for a weight."
        )


def _is_of_times(dtype) -> bool:
    return str(dtype).lower().startswith(TIMES)


def dtypes_of(X):
    """Names and types of a dataframe's columns, in pairs."""
    return zip(X.columns, X.dtypes, strict=True)


def listed(names) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - N_NAMED
    return ", ".join(map(str, names[:N_NAMED])) + (f" and {more} more" if more > 0 else "")
