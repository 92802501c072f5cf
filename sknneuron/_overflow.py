"""Weighted sums that are more than a float holds."""

from __future__ import annotations

import numpy as np

from .exceptions import warn


def within_floats(z, X, coef, intercept):
    """Return z with numbers for what has overflowed in ``X @ coef.T + intercept``, in their order.

    They have their sign and end near the largest float, so that differences and doubles are numbers
    too: levels and probabilities are those far out, where infinity less infinity is none.

    Parameters
    ----------
    z : ndarray of shape (n_samples, n_neurons)
        The sums, changed in place.
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Finite.
    coef, intercept : ndarray
    """
    bad = np.flatnonzero(~np.isfinite(z).all(axis=1))
    if not len(bad) or not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        return z
    rows = X[bad].astype(np.float64)
    of_rows, of_coef = float(abs(rows).max()) or 1.0, float(np.abs(coef).max()) or 1.0
    shares = np.asarray((rows / of_rows) @ (coef / of_coef).T)
    # The smaller one first: what is in between does not overflow.
    less, more = sorted([of_rows, of_coef])
    largest = float(np.finfo(z.dtype).max) / 8
    is_large = np.abs(shares) > largest / more / less
    moderate = np.where(is_large, 0.0, shares) * less * more + intercept
    # A bias may be too large for float32 by itself.
    moderate = np.clip(moderate, -largest, largest)
    share_of_row = np.abs(shares) / np.maximum(np.abs(shares).max(axis=1, keepdims=True), 1e-300)
    z[bad] = np.where(is_large, np.sign(shares) * (1 + share_of_row) * largest, moderate)
    is_narrow = z.dtype == np.float32
    warn(
        f"The weighted sum z of {len(bad)} row{'s' * (len(bad) > 1)}, the first in row {bad[0]}, "
        f"is more than {'a float32' if is_narrow else 'a float'} holds: it is taken to be near the "
        "largest one. Look for values too large in X"
        f"{', or give it as float64' if is_narrow else ''}."
    )
    return z
