"""Rows in parquet files, read once into a temporary memory map."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

BATCH_ROWS = 1 << 16


class ParquetSource:
    """A parquet file or a folder of them, for ``fit(source)`` on data larger than memory.

    Decoding a parquet file takes several times as long as reading its numbers, and a training reads
    them many times. So the first use writes the features, as plain numbers, to a temporary file
    that is then mapped into memory; it is gone when the source is closed or no longer used.

    Parameters
    ----------
    path : str or path-like, or a list of them
        A file, a folder of files (partitioned or not), or several files.
    target : str or list of str, default=None
        Column of the targets; several columns for several neurons. None for rows to predict only.
    features : list of str, default=None
        Columns of the features, in this order. None is all columns but target and weight, and but
        what pandas stored as the index.
    weight : str, default=None
        Column of the sample weights.
    spool : str or path-like, default=None
        Folder for the temporary file, the system's by default. It takes 8 bytes a number, 4 where
        all features are float32: ``spool_bytes`` says how much.

    Raises
    ------
    ValueError
        For columns that are no numbers, that are missing or of another kind in some of the files,
        for missing values, and where the folder has not enough room: when the rows are first used.
    TypeError
        If `features` is a name and no list of names.
    ImportError
        Without pyarrow.

    See Also
    --------
    numpy.memmap : A file of plain numbers needs no source; ``fit`` takes it as it is.

    Notes
    -----
    A column that is integer in one file and float in another, or float32 and float64, is read as
    the wider. Targets and weights are kept in memory. Needs pyarrow: ``pip install
    "sknneuron[parquet]"``.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.sources import ParquetSource
    >>> folder = tempfile.TemporaryDirectory()
    >>> houses = pd.DataFrame({"sqft": [800.0, 1200.0, 1500.0], "price": [90e3, 130e3, 160e3]})
    >>> houses.to_parquet(folder.name + "/houses.parquet")
    >>> with ParquetSource(folder.name, target="price") as source:
    ...     neuron = NeuronRegressor(alpha=0).fit(source)
    >>> neuron.coef_.round(6), neuron.feature_names_in_
    (array([100.]), array(['sqft'], dtype=object))
    >>> folder.cleanup()
    """

    def __init__(self, path, target=None, features=None, weight=None, *, spool=None):
        self.path = path
        self.target = target
        self.features = features
        self.weight = weight
        self.spool = spool

    def __repr__(self) -> str:
        return f"ParquetSource({self.path!r}, target={self.target!r})"

    def __enter__(self) -> ParquetSource:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __getstate__(self) -> dict:
        # Another process reads the files anew.
        return {k: v for k, v in vars(self).items() if k not in ("_dataset", "_spooled")}

    # -- what is in the files ----------------------------------------------------------------------

    @cached_property
    def _dataset(self) -> Any:
        try:
            from pyarrow import dataset
        except ImportError:
            raise ImportError(
                'ParquetSource needs pyarrow: pip install "sknneuron[parquet]".'
            ) from None
        several = isinstance(self.path, (list, tuple))
        path = [os.fspath(p) for p in self.path] if several else os.fspath(self.path)
        how = {"format": "parquet", "partitioning": None if several else "hive"}
        found = dataset.dataset(path, **how)
        if not found.files:
            raise ValueError(f"There are no parquet files in {self.path!r}.")
        # Arrow takes the first file's columns and types for those of all.
        return dataset.dataset(path, schema=_common_schema(found), **how)

    @property
    def n_rows(self) -> int:
        """Rows in all files; nothing but their footers is read."""
        return self._dataset.count_rows()

    @property
    def feature_names(self) -> list[str]:
        """Columns of the features, in order."""
        if isinstance(self.features, str):
            raise TypeError(
                f"features must be a list of names, features=[{self.features!r}] say; got "
                f"{self.features!r}."
            )
        names = self._dataset.schema.names
        apart = [*self._targets, *([] if self.weight is None else [self.weight])]
        features = self.features
        if features is None:
            index = _index_columns(self._dataset.schema)
            features = [name for name in names if name not in apart and name not in index]
        missing = [n for n in (*features, *apart) if n not in names]
        if missing:
            raise ValueError(
                f"There are no columns {missing} in {self.path!r}; its columns are {names}."
            )
        twice = [name for name, n in Counter([*features, *apart]).items() if n > 1]
        if twice:
            raise ValueError(
                f"The columns {twice} are named more than once among features, target and weight: "
                "a column is one of them, once."
            )
        if not features:
            raise ValueError(f"{self.path!r} has no columns for features beside target and weight.")
        return list(features)

    @property
    def dtype(self) -> np.dtype:
        """float32 if all features are, else float64."""
        from pyarrow import types

        fields = [self._dataset.schema.field(name) for name in self.feature_names]
        words = [f.name for f in fields if not _is_number(f.type)]
        if words:
            raise ValueError(
                f"The columns {words[:5]} of {self.path!r} are no numbers. Name those that are "
                "(features=), or encode the others before the file is written."
            )
        narrow = all(types.is_float32(f.type) for f in fields)
        return np.dtype(np.float32 if narrow else np.float64)

    @property
    def spool_bytes(self) -> int:
        """Bytes of disk that the temporary file takes."""
        return self.n_rows * len(self.feature_names) * self.dtype.itemsize

    @property
    def _targets(self) -> Sequence[str]:
        if self.target is None:
            return []
        if isinstance(self.target, str):
            return [self.target]
        if not len(self.target):
            raise ValueError("target=[] names no column: name one, or None for rows to predict.")
        return list(self.target)

    # -- reading -----------------------------------------------------------------------------------

    def load(self) -> tuple:
        """Return X as a memory map, targets and weights (None where there are none).

        The first call decodes the files; later ones return the same.
        """
        return self._spooled

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the features as dataframes of some ten thousand rows, in order."""
        if self.n_rows == 0:
            raise ValueError(f"{self.path!r} has no rows.")
        for X, _, _ in self._batches():
            yield pd.DataFrame(X, columns=self.feature_names, copy=False)

    def close(self) -> None:
        """Give the temporary file back; the source can be used again, and reads anew."""
        vars(self).pop("_spooled", None)

    @cached_property
    def _spooled(self) -> tuple:
        shape = (self.n_rows, len(self.feature_names))
        if shape[0] == 0:
            raise ValueError(f"{self.path!r} has no rows.")
        self._check_room()
        with tempfile.TemporaryFile(dir=self.spool, prefix="sknneuron-") as file:
            X = np.memmap(file, dtype=self.dtype, mode="w+", shape=shape)
        start, ys, weights = 0, [], []
        for part, y, weight in self._batches():
            X[start : start + len(part)] = part
            ys.append(y)
            weights.append(weight)
            start += len(part)
        X.flags.writeable = False
        y = None if self.target is None else np.concatenate(ys)
        if y is not None and y.dtype == object:
            y = y.astype(str)
        return X, y, None if self.weight is None else np.concatenate(weights)

    def _check_room(self) -> None:
        folder = self.spool or tempfile.gettempdir()
        needed, free = self.spool_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise ValueError(
                f"Reading {self.path!r} needs a temporary file of {needed / 1e9:.3g} GB, and "
                f"{os.fspath(folder)!r} has room for {free / 1e9:.3g} GB. Name a larger folder "
                "(spool=), fewer features, or store them as float32."
            )

    def _batches(self) -> Iterator[tuple]:
        """Yield (X, y, weight) of some rows at a time, as arrays of numbers."""
        features, targets, dtype = self.feature_names, self._targets, self.dtype
        columns = [*features, *targets, *([self.weight] if self.weight else [])]
        _check_files(self._dataset, columns)
        batches = self._dataset.to_batches(
            columns=columns, batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1
        )
        start = 0
        for batch in batches:
            if not batch.num_rows:
                continue
            _check_complete(batch, start)
            start += batch.num_rows
            X = np.empty((batch.num_rows, len(features)), dtype=dtype)
            for j, name in enumerate(features):
                X[:, j] = batch.column(name).to_numpy(zero_copy_only=False)
            ys = [_labels_or_numbers(batch.column(name)) for name in targets]
            y = None if not ys else ys[0] if isinstance(self.target, str) else np.column_stack(ys)
            weight = None
            if self.weight:
                weight = batch.column(self.weight).to_numpy(zero_copy_only=False)
            yield X, y, weight


def _common_schema(found) -> Any:
    """The columns of all files, each of the widest type that it has in one of them."""
    schema = found.schema
    for file in found.get_fragments():
        for field in file.physical_schema:
            position = schema.get_field_index(field.name)
            if position < 0:
                if field.name not in _index_columns(file.physical_schema):
                    schema = schema.append(field)
                continue
            both = _common_field(schema.field(position), field)
            # Types that do not go together matter where the column is used: see `_check_files`.
            schema = schema if both is None else schema.set(position, both)
    return schema


def _common_field(one, other) -> Any:
    """A field that holds what two of one name hold; None if there is none."""
    import pyarrow as pa

    schemas = [pa.schema([_plain(field)]) for field in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except pa.ArrowTypeError:
        return None


def _plain(field):
    """A field of words for one of a dictionary of words, which is how some files hold them."""
    from pyarrow import types

    kind = field.type
    return field.with_type(kind.value_type) if types.is_dictionary(kind) else field


def _check_files(found, columns: list[str]) -> None:
    """Refuse a column that a file does not have, or has of a type that is not that of others."""
    from pyarrow.dataset import get_partition_keys

    for file in found.get_fragments():
        if file.metadata.num_rows == 0:
            continue
        schema = file.metadata.schema.to_arrow_schema()
        in_path = get_partition_keys(file.partition_expression)
        for name in columns:
            if name in in_path:
                continue
            if name not in schema.names:
                raise ValueError(
                    f"Column {name!r} is not in {file.path!r}, and it is in other files. Name the "
                    "columns that all files have (features=), or the files that have it."
                )
            stored, common = schema.field(name), found.schema.field(name)
            if _common_field(stored, common) is None:
                raise ValueError(
                    f"Column {name!r} is {stored.type} in {file.path!r} and {common.type} in other "
                    "files. Write it as one type in all of them."
                )


def _index_columns(schema) -> list:
    """Names of the columns that pandas stored as the index of a frame."""
    return [] if schema.pandas_metadata is None else schema.pandas_metadata["index_columns"]


def _is_number(kind) -> bool:
    from pyarrow import types

    return (
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    ) and not types.is_float16(kind)


def _labels_or_numbers(column):
    """A column of targets; words, dictionaries of them included, as objects."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.to_numpy(zero_copy_only=False)


def _check_complete(batch, start: int) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count:
            row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise ValueError(
                f"Column {name!r} has missing values, the first in row {row}. Drop or impute them "
                "before the file is written."
            )
