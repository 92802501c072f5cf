"""Rows of float32 on a device, multiplied as they are."""

from __future__ import annotations

import array_api_compat
import numpy as np

from .device_array import DeviceArray

# Rows whose products are added in float32 before float64 takes over.
NARROW_ROWS = 8192


class Float32Rows(DeviceArray):
    """Rows of float32 that compute as float64, and are multiplied without being widened.

    A copy in float64 would take three times the rows' own traffic to and from memory, which is all
    that a product with few columns costs. So the other factor is split into two float32 parts that
    add up to it, and the products are added in float64: what is left is the rounding of single
    products, which differs from row to row and averages out.
    """

    __slots__ = ("_wide", "narrow")

    def __init__(self, narrow, xp):
        self.narrow, self.xp, self._wide = narrow, xp, None

    @property
    def array(self):
        if self._wide is None:
            self._wide = self.xp.astype(self.narrow, self.xp.float64)
        return self._wide

    @property
    def shape(self):
        return tuple(self.narrow.shape)

    @property
    def dtype(self):
        return np.dtype(np.float64)

    @property
    def device(self):
        return array_api_compat.device(self.narrow)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        # numpy asks this class before its parent, wherever it stands among the inputs.
        if ufunc is np.matmul and method == "__call__" and not kwargs:
            return _product(*inputs)
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)


def _product(a, b):
    """``a @ b`` where one of them, 2-D both, is `Float32Rows`."""
    rows = a if isinstance(a, Float32Rows) else b
    xp, n_rows = rows.xp, rows.shape[0]
    other = rows._operand(b if rows is a else a, np.dtype(np.float64))
    if other.ndim != 2:
        return DeviceArray(xp.matmul(*((rows.array, other) if rows is a else (other, rows.array))))
    high = xp.astype(other, xp.float32)
    low = xp.astype(other - xp.astype(high, xp.float64), xp.float32)
    if rows is a:
        parts = xp.astype(xp.matmul(rows.narrow, xp.concat([high, low], axis=1)), xp.float64)
        k = other.shape[1]
        return DeviceArray(parts[:, :k] + parts[:, k:], xp)
    both = xp.concat([high, low], axis=0)
    n_even = n_rows - n_rows % NARROW_ROWS
    total = xp.zeros((both.shape[0], rows.shape[1]), dtype=xp.float64, device=rows.device)
    if n_even:
        slabs = xp.reshape(rows.narrow[:n_even, ...], (-1, NARROW_ROWS, rows.shape[1]))
        factors = xp.reshape(both[:, :n_even], (both.shape[0], -1, NARROW_ROWS))
        sums = xp.matmul(xp.permute_dims(factors, (1, 0, 2)), slabs)
        total = total + xp.sum(xp.astype(sums, xp.float64), axis=0)
    if n_even < n_rows:
        rest = xp.matmul(both[:, n_even:], rows.narrow[n_even:, ...])
        total = total + xp.astype(rest, xp.float64)
    k = other.shape[0]
    return DeviceArray(total[:k, ...] + total[k:, ...], xp)
