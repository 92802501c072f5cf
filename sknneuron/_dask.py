"""Dask collections in `fit`: partitions checked, packed, and their targets learnt.

Nothing here is imported unless a dask collection is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import dask
import dask.array as da
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import validate_data

from ._class_weights import balanced, class_weighted
from ._held_out import checked_validation
from ._inputs import Inputs, is_dask
from ._labels import ClassEncoder, specimen
from ._odd import refuse_dates_for_weights, with_gaps
from ._values import report_outside
from .sources import ArraySource, Source
from .sources.dask import DaskSource, Pack, compute, n_packs, on_packs, persisted, stacked

# Rows of each pack that show what kind of targets several columns are.
N_SHOWN = 100


def read_dask(estimator, X, y, sample_weight, validation) -> Inputs:
    """Check partitions where they are, pack them there, and learn the targets from all of them."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} needs targets: pass y.")
    columns = Columns.of(estimator, X, reset=True)
    X_val, y_val, weight = validation
    refuse_dates_for_weights(sample_weight, "sample_weight")
    refuse_dates_for_weights(weight, "sample_weight_val")
    if not is_dask(X_val) or y_val is None:
        # Looks at rows in memory, and words what is missing of rows anywhere.
        validation = checked_validation(estimator, X_val, y_val, weight)
    packs = packed(columns, X, y, sample_weight)
    summaries = on_packs(partial(summary, of_classes=not is_regressor(estimator)), packs)
    targets = estimator._learn_targets(examples(summaries, estimator))
    by_class = explicit_class_weight(getattr(estimator, "class_weight", None), targets, summaries)
    source = encoded(packs, targets, by_class, columns, "sample_weight")
    held_out: Source | None = None
    if is_dask(X_val):
        columns = Columns.of(estimator, X_val, reset=False)
        packs = packed(columns, X_val, y_val, weight)
        held_out = encoded(packs, targets, None, columns, "sample_weight_val")
    elif validation is not None:
        X_val, y_val, weight = validation
        held_out = ArraySource(X_val, targets.encode(y_val, "y_val", weight), weight)
    elif estimator.early_stopping:
        source, held_out = split(source, estimator.validation_fraction, estimator._seed())
    return Inputs(source, targets, held_out)


@dataclass(frozen=True)
class Columns:
    """What is known of X's columns before a row is read.

    Parameters
    ----------
    n_features : int
    dtype : numpy dtype
        float32 if all of X is, else float64.
    """

    n_features: int
    dtype: np.dtype

    @classmethod
    def of(cls, estimator, X, *, reset: bool) -> Columns:
        """Check number, names and types of the columns as scikit-learn does."""
        # Of a delayed object every attribute is another one.
        shape = getattr(X, "shape", None)
        is_table = isinstance(shape, tuple) and len(shape) == 2
        if not (is_table and isinstance(X.shape[1], (int, np.integer))):
            raise ValueError(
                f"X must be a dask array or dataframe with rows and columns; got a "
                f"{type(X).__name__} of shape {shape}."
            )
        if not X.shape[1]:
            raise ValueError(f"X has no columns: {type(estimator).__name__} needs at least 1.")
        is_frame = not isinstance(X, da.Array)
        names = list(X.columns) if is_frame else ["X"]
        meta = pd.DataFrame(columns=X.columns) if is_frame else np.empty((0, X.shape[1]))
        validate_data(estimator, meta, skip_check_array=True, reset=reset)
        dtypes = list(X.dtypes) if is_frame else [X.dtype]
        words = [
            str(name)
            for name, dtype in zip(names, dtypes, strict=True)
            if not pd.api.types.is_numeric_dtype(dtype)
        ]
        if words:
            raise ValueError(
                f"X holds columns that are not numbers: {', '.join(words[:5])}. Encode them "
                "(OneHotEncoder for categories) before the neuron."
            )
        if any(pd.api.types.is_complex_dtype(dtype) for dtype in dtypes):
            raise ValueError("Complex data not supported: X has an imaginary part.")
        floats = np.float32 if all(t == np.float32 for t in dtypes) else np.float64
        return cls(int(X.shape[1]), np.dtype(floats))


def packed(columns: Columns, X, y, sample_weight) -> list:
    """Pack the partitions of X, y and weights together, on the workers."""
    X, y, sample_weight = aligned(X, y, sample_weight)
    blocks = [None if v is None else blocks_of(v) for v in (X, y, sample_weight)]
    counts = {len(b) for b in blocks if b is not None}
    if len(counts) > 1:
        raise ValueError(
            f"X, y and sample_weight have {sorted(counts)} partitions: rows could be paired "
            "wrongly. Take them from one dataframe, or repartition them alike."
        )
    n_blocks = counts.pop()
    groups = np.array_split(np.arange(n_blocks), n_packs(n_blocks))
    make = dask.delayed(make_pack, pure=False)
    packs = []
    for group in groups:
        parts = (None if b is None else [b[i] for i in group] for b in blocks)
        packs.append(make(columns, int(group[0]), *parts))
    return persisted(packs)


def blocks_of(values) -> list:
    """The partitions of a collection as delayed objects, none of them fused with another."""
    if isinstance(values, da.Array) and values.ndim == 2:
        values = values.rechunk({1: -1})
    # Optimised one by one, columns of one parquet dataset can come out in different numbers of
    # partitions.
    delayed = values.to_delayed(optimize_graph=False)
    return list(np.ravel(delayed)) if isinstance(delayed, np.ndarray) else list(delayed)


def aligned(X, *others) -> tuple:
    """Cut arrays where X is cut, if that is known, and bring arrays in memory along."""
    lengths = X.chunks[0] if isinstance(X, da.Array) else (np.nan,)
    result = [X]
    for other in others:
        if other is not None and not is_dask(other):
            if np.isnan(sum(lengths)):
                lengths = tuple(compute([dask.delayed(n_rows_of)(block) for block in blocks_of(X)]))
            other = da.from_array(np.asarray(other), chunks=-1)
        if isinstance(other, da.Array):
            if _n_blocks(other) != _n_blocks(X) and np.isnan(sum(other.chunks[0])):
                other = other.copy()
                other.compute_chunk_sizes()
            known = not np.isnan(sum(other.chunks[0]))
            if known and np.isnan(sum(lengths)) and _n_blocks(other) != _n_blocks(X):
                lengths = tuple(compute([dask.delayed(n_rows_of)(block) for block in blocks_of(X)]))
            if known and not np.isnan(sum(lengths)):
                if sum(lengths) != other.shape[0]:
                    raise ValueError(
                        f"X has {sum(lengths)} rows, but y or sample_weight has {other.shape[0]}."
                    )
                other = other.rechunk({0: lengths})
        result.append(other)
    return tuple(result)


def _n_blocks(values) -> int:
    return values.numblocks[0] if isinstance(values, da.Array) else values.npartitions


def n_rows_of(block) -> int:
    """Rows of a block; a sparse one has no len."""
    return block.shape[0]


def make_pack(columns: Columns, first: int, X, y, weight) -> Pack:
    """Check partitions and put them one behind the other. Runs on a worker."""
    weight = [None] * len(X) if weight is None else weight
    for i, parts in enumerate(zip(X, y, weight, strict=True)):
        check_partition(first + i, *parts)
        if parts[0].shape[1] != columns.n_features:
            raise ValueError(
                f"Partition {first + i} of X has {parts[0].shape[1]} columns, and X says that it "
                f"has {columns.n_features}. Check the function that makes the partitions."
            )
    lengths = [n_rows_of(block) for block in X]
    rows = stacked([_as_floats(block, columns.dtype) for block in X])
    targets = np.concatenate([np.asarray(block) for block in y])
    weights = None
    if weight[0] is not None:
        weights = np.concatenate([np.asarray(w, dtype=np.float64) for w in weight])
        weights = weights[:, 0] if weights.ndim == 2 else weights
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    return Pack(rows, targets, weights, starts, first)


def _as_floats(block, dtype):
    return block.tocsr().astype(dtype) if sparse.issparse(block) else np.asarray(block, dtype=dtype)


def check_partition(number: int, X, y, weight) -> None:
    """Errors that say in which partition something is wrong."""
    for name, values in (("y", y), ("sample_weight", weight)):
        if values is None:
            continue
        if len(values) != n_rows_of(X):
            raise ValueError(
                f"Partition {number} of X has {n_rows_of(X)} rows, but that of {name} has "
                f"{len(values)}: rows would be paired wrongly. Take both from one collection, or "
                "cut them alike (rechunk, repartition)."
            )
        if hasattr(X, "index") and hasattr(values, "index") and not X.index.equals(values.index):
            raise ValueError(
                f"Partition {number} of X and of {name} have different index labels: rows would "
                "be paired wrongly. Take both from one dataframe."
            )
    for name, values in (("X", X), ("y", y), ("sample_weight", weight)):
        is_sparse = sparse.issparse(values)
        array = values.tocoo().data if is_sparse else np.asarray(with_gaps(values))
        if array.dtype == object and name == "y":
            bad = np.asarray(pd.isna(array))
        elif array.dtype.kind in "fc" or array.dtype == object:
            # pandas.NA is no float.
            numbers = np.where(pd.isna(array), np.nan, array) if array.dtype == object else array
            bad = ~np.isfinite(numbers.astype(np.float64, copy=False))
        else:
            continue
        if values is not None and bad.any():
            what = "NaN" if pd.isna(array[bad][0]) else "infinity"
            row = int((values.tocoo().row[bad] if is_sparse else np.nonzero(bad)[0])[0])
            raise ValueError(
                f"{name} contains {what} in partition {number} (row {row} of it, "
                f"{int(bad.sum())} such values there). Drop or impute them before the fit."
            )


# -- targets ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """What a pack says of its targets: some of them, and for labels how much of each there is."""

    n_rows: int
    shown: np.ndarray
    sizes: np.ndarray | None = None


def summary(pack: Pack, of_classes: bool) -> Summary:
    """Summarise a pack's targets. Runs on a worker."""
    y = pack.y
    if not of_classes or not len(y):
        return Summary(len(y), y[:2])
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        weight = np.ones(len(y)) if pack.weight is None else pack.weight
        with_label = weight @ y.astype(np.float64)
        return Summary(len(y), y[:N_SHOWN], np.array([weight.sum() - with_label, with_label]))
    if y.dtype.kind == "f" and (parts := y != np.floor(y)).any():
        # No labels: a few are enough for scikit-learn to say so.
        return Summary(len(y), y[parts][:N_SHOWN])
    labels, codes = np.unique(y, return_inverse=True)
    return Summary(len(y), labels, np.bincount(codes, weights=pack.weight))


def examples(summaries: list[Summary], estimator):
    """Targets from which everything there is to learn of all of them can be learnt."""
    n_rows = sum(s.n_rows for s in summaries)
    if n_rows == 0:
        raise ValueError(
            f"X has no rows: every partition is empty. {type(estimator).__name__} needs at least 1."
        )
    shown = np.concatenate([s.shown for s in summaries if s.n_rows])
    if is_regressor(estimator) or shown.ndim == 2:
        return shown
    return specimen(np.unique(shown), n_rows)


def explicit_class_weight(class_weight, targets, summaries: list[Summary]):
    """`class_weight` with a number for every class, as partitions that lack some need it."""
    if class_weight is None or not isinstance(targets, ClassEncoder):
        return None
    found = [(s.shown, s.sizes) for s in summaries if s.sizes is not None]
    if targets.is_multilabel:
        if not isinstance(class_weight, str):
            return class_weight
        without_and_with = np.sum([sizes for _, sizes in found], axis=0).T
        return [dict(enumerate(balanced(sizes))) for sizes in without_and_with]
    classes = targets.classes
    if isinstance(class_weight, str):
        sizes = np.zeros(len(classes))
        for labels, of_pack in found:
            sizes[np.searchsorted(classes, labels)] += of_pack
        weights = balanced(sizes)
    else:
        weights = compute_class_weight(class_weight, classes=classes, y=classes)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def encoded(packs: list, targets, by_class, columns: Columns, name: str) -> DaskSource:
    """The packs with targets as the loss wants them and weights as they count."""
    encode = dask.delayed(encode_pack, pure=False)
    packs = persisted([encode(pack, targets, by_class, name) for pack in packs])
    facts = on_packs(partial(facts_of, targets=targets), packs)
    lengths, weights, counted, outside, worst, is_sparse = zip(*facts, strict=True)
    if len(set(is_sparse)) > 1:
        raise ValueError(
            "Some partitions of X are sparse and others dense: make them alike, with "
            "X.map_blocks(scipy.sparse.csr_array) say."
        )
    total = float(sum(weights))
    if not total > 0:
        raise ValueError(
            f"All values of {name} are zero, so no row counts. Give at least one row a weight > 0."
        )
    if not isinstance(targets, ClassEncoder) and sum(outside):
        value = next(w for w in worst if w is not None)
        report_outside(sum(outside), sum(counted) * targets.n_neurons, value, targets.pair)
    return DaskSource(packs, lengths, columns.n_features, columns.dtype, total, is_sparse[0])


def encode_pack(pack: Pack, targets, by_class, name: str) -> Pack:
    """Encode a pack's targets and weigh its rows. Runs on a worker."""
    weight = pack.weight
    if weight is not None and np.any(weight < 0):
        row = int(np.argmax(weight < 0))
        raise ValueError(
            f"Negative values in data passed to `{name}`: {weight[row]:g} in partition "
            f"{pack.partition_of(row)}."
        )
    if not len(pack.y):
        return replace(pack, y=targets.encode_unchecked(pack.y[:0]), weight=weight)
    weight = class_weighted(pack.y, by_class, weight)
    try:
        return replace(pack, y=targets.encode_unchecked(pack.y), weight=weight)
    except ValueError as error:
        last = pack.first + len(pack.starts) - 1
        which = f"s {pack.first} to {last}" if last > pack.first else f" {last}"
        raise ValueError(f"Partition{which}: {error}") from None


def facts_of(pack: Pack, targets) -> tuple:
    """(rows, their weight, how many count, targets out of reach, one of them, is sparse)."""
    outside = targets.outside(pack.y, pack.weight)
    return (
        pack.n_rows,
        _total_weight(pack),
        pack.n_rows if pack.weight is None else int(np.count_nonzero(pack.weight)),
        int(np.count_nonzero(outside)),
        float(pack.y[outside][0]) if outside.any() else None,
        sparse.issparse(pack.X),
    )


def split(source: DaskSource, fraction: float, seed: int) -> tuple[DaskSource, DaskSource]:
    """Set a share of each pack's rows apart, drawn at random."""
    part = dask.delayed(part_of, pure=False)
    parts = []
    for apart in (False, True):
        packs = persisted([part(p, fraction, [seed, i], apart) for i, p in enumerate(source.packs)])
        facts = on_packs(_size, packs)
        lengths, weights = zip(*facts, strict=True)
        if not sum(weights) > 0:
            raise ValueError(
                f"early_stopping=True with validation_fraction={fraction} leaves no rows that "
                "count on one side. Give more rows, another validation_fraction, or X_val and "
                "y_val."
            )
        parts.append(
            DaskSource(
                packs,
                lengths,
                source.n_features,
                source.dtype,
                float(sum(weights)),
                source.is_sparse,
            )
        )
    return parts[0], parts[1]


def part_of(pack: Pack, fraction: float, seed, apart: bool) -> Pack:
    """The rows of a pack that are set apart, or the others. Runs on a worker."""
    n_rows = pack.n_rows
    chosen = np.random.default_rng(seed).permutation(n_rows) < np.ceil(fraction * n_rows)
    return pack.part(np.flatnonzero(chosen == apart))


def _size(pack: Pack) -> tuple:
    return pack.n_rows, _total_weight(pack)


def _total_weight(pack: Pack) -> float:
    return float(pack.n_rows if pack.weight is None else pack.weight.sum())
