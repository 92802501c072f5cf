"""Where `partial_fit` begins if its first rows are all of one target."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._labels import ClassEncoder
from ._values import ValueEncoder
from .sources import ArraySource

# What one more row counts for, of a target that the others lack: rare, not out of reach.
HALF = 0.5


def with_what_is_lacking(source: ArraySource, targets: ValueEncoder | ClassEncoder):
    """The rows, and half a row of another target where all are at the same end of a range.

    The best bias for such rows is infinite, and far from where rows to come may need it. A softmax
    layer sees to that itself.
    """
    y = source.y
    if targets.pair.coupled or not len(y):
        return source
    low, high = targets.ends
    at_end = [np.all(y == end, axis=0) for end in (low, high)]
    if not np.any(at_end):
        return source
    other = y[0].copy()
    other[at_end[0]] = high if np.isfinite(high) else 1.0
    other[at_end[1]] = low
    weight = np.ones(len(y)) if source.sample_weight is None else source.sample_weight
    weight = np.append(weight, HALF * weight.max())
    stack = sparse.vstack if source.is_sparse else np.vstack
    X = stack([source.X, source.X[:1]])
    return ArraySource(
        sparse.csr_array(X) if source.is_sparse else X, np.vstack([y, other]), weight
    )
