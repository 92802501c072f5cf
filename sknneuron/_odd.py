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


def is_arrow(X) -> bool:
    """Whether X is a table or record batch of Arrow; pyarrow is not imported to find out."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(X, (arrow.Table, arrow.RecordBatch))


def as_frame(X):
    """A table of Arrow as a dataframe, and whatever else is given as it is.

    numpy counts Arrow's dates in units of its own, and its `columns` are no names.
    """
    # What pandas noted in a table would make an index of a column; scikit-learn does not.
    return X.to_pandas(ignore_metadata=True) if is_arrow(X) else X


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
