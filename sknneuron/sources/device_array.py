"""numpy's functions on arrays of another library, on a device or not.

The kernels, activations and losses are written with numpy. numpy lets other arrays take its calls
over (NEP 13 and 18), so a `DeviceArray` hands them to its own library: ``np.exp(z)`` on a GPU's z
is computed there. Nothing has to be written twice, and numpy arrays do not pay for it. What the
library has no counterpart for is computed on the host and sent back: rarer, slower, as right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

DTYPES = ("float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool")


class DeviceArray(NDArrayOperatorsMixin):
    """An array of another library that numpy's functions work on.

    Parameters
    ----------
    array : array
        Of a library that follows the Array API.
    """

    __slots__ = ("array", "xp")

    def __init__(self, array, xp=None):
        self.array = array
        self.xp = array_api_compat.array_namespace(array) if xp is None else xp

    # -- what numpy arrays have --------------------------------------------------------------------

    @property
    def shape(self):
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        return len(self.array.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype:
        return _numpy_dtypes(self.xp)[self.array.dtype]

    @property
    def device(self):
        return array_api_compat.device(self.array)

    @property
    def T(self):
        return self._like(self.array.T if self.ndim == 2 else self.array)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(to_host(self.array), dtype=dtype)

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __format__(self, spec: str) -> str:
        return format(float(self), spec)

    def __repr__(self) -> str:
        return f"DeviceArray({self.array!r})"

    def astype(self, dtype, copy=True):
        dtype = np.dtype(dtype)
        if dtype == self.dtype and not copy:
            return self
        return self._like(self.xp.astype(self.array, getattr(self.xp, dtype.name)))

    def copy(self, order="C"):
        return self._like(self.xp.asarray(self.array, copy=True))

    def reshape(self, *shape):
        shape = shape[0] if isinstance(shape[0], tuple) else shape
        return self._like(self.xp.reshape(self.array, shape))

    def sum(self, axis=None, keepdims=False, **unusual):
        return self._reduced("sum", axis, keepdims, unusual, counts=True)

    def prod(self, axis=None, keepdims=False, **unusual):
        return self._reduced("prod", axis, keepdims, unusual, counts=True)

    def max(self, axis=None, keepdims=False, **unusual):
        return self._reduced("max", axis, keepdims, unusual)

    def min(self, axis=None, keepdims=False, **unusual):
        return self._reduced("min", axis, keepdims, unusual)

    def any(self, axis=None, keepdims=False, **unusual):
        return self._reduced("any", axis, keepdims, unusual)

    def all(self, axis=None, keepdims=False, **unusual):
        return self._reduced("all", axis, keepdims, unusual)

    def argmax(self, axis=None, keepdims=False, **unusual):
        return self._reduced("argmax", axis, keepdims, unusual)

    def mean(self, axis=None, keepdims=False):
        floats = self if self.dtype.kind == "f" else self.astype(np.float64)
        return self._like(self.xp.mean(floats.array, axis=axis, keepdims=keepdims))

    def _reduced(self, name: str, axis, keepdims: bool, unusual: dict, counts: bool = False):
        if unusual:
            host = getattr(np.asarray(self), name)(axis=axis, keepdims=keepdims, **unusual)
            return self._like(to_device(host, self))
        # Truth values are counted as numbers.
        array = self.astype(np.int64).array if counts and self.dtype.kind == "b" else self.array
        return self._like(getattr(self.xp, name)(array, axis=axis, keepdims=keepdims))

    def __getattr__(self, name: str):
        # Whatever else numpy arrays can do is done on the host.
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"DeviceArray has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __getitem__(self, key):
        try:
            return self._like(self.array[self._key(key)])
        except (TypeError, IndexError, ValueError, NotImplementedError):
            return self._like(to_device(to_host(self.array)[_host_key(key)], self))

    def __setitem__(self, key, value):
        try:
            self.array[self._key(key)] = self._operand(value, self.dtype)
        except (TypeError, IndexError, ValueError, NotImplementedError):
            host = np.array(to_host(self.array))
            host[_host_key(key)] = _to_host(value)
            self.array[...] = to_device(host, self)

    def _key(self, key):
        """The key without slices past the end, and as long as the Array API wants it."""
        keys = key if isinstance(key, tuple) else (key,)
        if any(k is Ellipsis for k in keys):
            return key
        plain, axis = [], 0
        for k in keys:
            if isinstance(k, slice):
                start, stop, step = k.indices(self.shape[axis])
                if step < 0:
                    raise NotImplementedError
                k = slice(start, max(start, stop), step)
            elif isinstance(k, (DeviceArray, np.ndarray)):
                k = self._operand(k)
            axis += k is not None
            plain.append(k)
        return (*plain, Ellipsis) if axis < self.ndim else tuple(plain)

    # -- numpy's functions -------------------------------------------------------------------------

    def _like(self, array):
        return DeviceArray(array, self.xp)

    def _operand(self, value, dtype=None):
        """A value as an array of this library on this device, or a Python number."""
        if isinstance(value, DeviceArray):
            array = value.array
        elif isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
            return value
        else:
            value = np.asarray(value)
            if value.ndim == 0:
                return value.item()
            array = to_device(value, self)
        if dtype is not None and _numpy_dtypes(self.xp)[array.dtype] != dtype:
            array = self.xp.astype(array, getattr(self.xp, dtype.name))
        return array

    def _operands(self, inputs, *, floats=False):
        """All inputs with the type that numpy would compute in: no library mixes as many."""
        values = [
            v if isinstance(v, (DeviceArray, bool, int, float)) else np.asarray(v) for v in inputs
        ]
        dtype = np.result_type(*(getattr(v, "dtype", v) if np.ndim(v) else v for v in values))
        if floats and dtype.kind != "f":
            dtype = np.dtype(np.float64)
        return [self._operand(v, dtype) for v in values]

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, where=True, **kwargs):
        array = (
            next(x for x in inputs if isinstance(x, DeviceArray))
            if any(isinstance(x, DeviceArray) for x in inputs)
            else self
        )
        result = NotImplemented
        if method == "__call__" and not kwargs:
            result = array._call(ufunc.__name__, inputs)
        elif method == "reduce" and ufunc.__name__ in REDUCTIONS:
            result = getattr(array, REDUCTIONS[ufunc.__name__])(**kwargs)
        if result is NotImplemented:
            host = getattr(ufunc, method)(*map(_to_host, inputs), **kwargs)
            result = array._like(to_device(host, array))
        return result if out is None else _put(out[0], result, where)

    def _call(self, name: str, inputs):
        if name == "matmul" and any(isinstance(x, Float32Rows) for x in inputs):
            return _narrow_product(*inputs)
        function = OPERATORS.get(name)
        if function is not None:
            return self._like(function(*self._operands(inputs)))
        if name in FLOAT_FUNCTIONS:
            operands = self._operands(inputs, floats=True)
            return self._like(FLOAT_FUNCTIONS[name](self.xp, *operands))
        if name in FUNCTIONS:
            return self._like(FUNCTIONS[name](self.xp, *self._operands(inputs)))
        special = _special(self.xp)
        if special is not None and hasattr(special, name):
            operands = self._operands(inputs, floats=True)
            arrays = [
                x if hasattr(x, "shape") else self.xp.full_like(self.array, x) for x in operands
            ]
            return self._like(getattr(special, name)(*arrays))
        return NotImplemented

    def __array_function__(self, func, types, args, kwargs):
        own = ARRAY_FUNCTIONS.get(func.__name__)
        if own is not None:
            result = own(self, *args, **kwargs)
            if result is not NotImplemented:
                return result
        args, kwargs = all_to_host(args), all_to_host(kwargs)
        result = func(*args, **kwargs)
        return self._like(to_device(result, self)) if _fits_device(result) else result


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


# Rows whose products are added in float32 before float64 takes over.
NARROW_ROWS = 8192


def _narrow_product(a, b):
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


# -- the tables ------------------------------------------------------------------------------------

OPERATORS: dict[str, Callable] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "negative": operator.neg,
    "absolute": abs,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "invert": operator.invert,
    "matmul": operator.matmul,
}


def _larger(xp, a, b):
    if not hasattr(a, "shape"):
        a, b = b, a
    return xp.maximum(a, b) if hasattr(b, "shape") else xp.clip(a, min=b)


def _smaller(xp, a, b):
    if not hasattr(a, "shape"):
        a, b = b, a
    return xp.minimum(a, b) if hasattr(b, "shape") else xp.clip(a, max=b)


def _expit(xp, z):
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, 1 / (1 + e), e / (1 + e))


FUNCTIONS: dict[str, Callable] = {"maximum": _larger, "minimum": _smaller}
FLOAT_FUNCTIONS: dict[str, Callable] = {
    "divide": lambda xp, a, b: a / b,
    "power": lambda xp, a, b: a**b,
    "reciprocal": lambda xp, a: 1 / a,
    "arctanh": lambda xp, a: xp.atanh(a),
    "expit": _expit,
    **{
        name: lambda xp, a, name=name: getattr(xp, name)(a)
        for name in (
            "exp",
            "expm1",
            "log",
            "log1p",
            "log2",
            "sqrt",
            "square",
            "tanh",
            "sign",
            "floor",
            "isfinite",
            "isinf",
            "isnan",
        )
    },
}
REDUCING = ("sum", "prod", "max", "min", "any", "all", "argmax")
REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min"}


def _where(like, condition, a, b):
    arrays = like._operands([a, b])
    dtype = next((x.dtype for x in arrays if hasattr(x, "shape")), None)
    if dtype is None:
        dtype = getattr(like.xp, np.result_type(np.asarray(a), np.asarray(b)).name)
    arrays = [
        x if hasattr(x, "shape") else like.xp.asarray(x, dtype=dtype, device=like.device)
        for x in arrays
    ]
    return like._like(like.xp.where(like._operand(condition), *arrays))


def _filled_like(value):
    def filled(like, a, dtype=None, shape=None, order="K"):
        dtype = getattr(like.xp, np.dtype(dtype or like.dtype).name)
        shape = like.shape if shape is None else shape
        return like._like(like.xp.full(shape, value, dtype=dtype, device=like.device))

    return filled


def _concatenate(like, arrays, axis=0):
    if not all(np.ndim(a) for a in arrays):
        return NotImplemented
    return like._like(like.xp.concat(like._operands(arrays), axis=axis))


def _column_stack(like, arrays):
    columns = [a if np.ndim(a) == 2 else a[:, None] for a in arrays]
    return _concatenate(like, columns, axis=1)


def _einsum(like, subscripts, *operands):
    if subscripts != "ik,ik->k":
        return NotImplemented
    a, b = like._operands(operands)
    return like._like(like.xp.sum(a * b, axis=0))


def _take(like, a, indices, axis=None):
    a = np.asarray(a) if not isinstance(a, DeviceArray) else a
    if a.dtype.kind not in "biuf" or not isinstance(indices, DeviceArray):
        return NotImplemented
    flat = like.xp.reshape(indices.array, (-1,))
    taken = like.xp.take(indices._operand(a), flat, axis=axis or 0)
    return indices._like(like.xp.reshape(taken, indices.shape) if axis is None else taken)


def _searchsorted(like, a, v, side="left"):
    if not isinstance(v, DeviceArray) or np.asarray(a).dtype.kind not in "biuf":
        return NotImplemented
    a, v = like._operands([a, v])
    if like.xp.isdtype(v.dtype, "bool"):  # torch does not search those
        a, v = (like.xp.astype(x, like.xp.int64) for x in (a, v))
    return like._like(like.xp.searchsorted(a, v, side=side))


def _method(name):
    def call(like, a, *args, **kwargs):
        known = {key: value for key, value in kwargs.items() if key in ("axis", "keepdims")}
        if len(known) != len(kwargs) or not isinstance(a, DeviceArray):
            return NotImplemented
        return getattr(a, name)(*args, **known)

    return call


ARRAY_FUNCTIONS: dict[str, Callable] = {
    "where": _where,
    "zeros_like": _filled_like(0),
    "empty_like": _filled_like(0),
    "ones_like": _filled_like(1),
    "full_like": lambda like, a, value, **kwargs: _filled_like(value)(like, a, **kwargs),
    "broadcast_to": lambda like, a, shape: like._like(like.xp.broadcast_to(a.array, shape)),
    "concatenate": _concatenate,
    "hstack": lambda like, arrays: _concatenate(like, arrays, axis=1),
    "column_stack": _column_stack,
    "einsum": _einsum,
    "take": _take,
    "searchsorted": _searchsorted,
    "clip": lambda like, a, low, high: np.minimum(np.maximum(a, low), high),
    "result_type": lambda like, *args: np.result_type(*(getattr(a, "dtype", a) for a in args)),
    "shape": lambda like, a: a.shape,
    "ndim": lambda like, a: a.ndim,
    **{name: _method(name) for name in ("mean", *REDUCING)},
}


# -- to the host and back --------------------------------------------------------------------------


def to_host(array):
    """Copy an array of any library to the host; on it, it is only looked at as numpy's."""
    if isinstance(array, (np.ndarray, np.generic, float)):
        return array
    if array_api_compat.is_torch_array(array):
        return array.detach().cpu().numpy()
    if array_api_compat.is_cupy_array(array):
        return array.get()
    try:
        return np.asarray(array)
    except (TypeError, RuntimeError):
        return np.asarray(np.from_dlpack(array, device="cpu"))


def to_device(value, like: DeviceArray):
    """Send a numpy array to where another one is."""
    value = np.asarray(value)
    if value.dtype.name not in DTYPES:
        value = value.astype(np.float64 if value.dtype.kind == "f" else np.int64)
    if not value.flags.writeable:
        value = value.copy()
    return like.xp.asarray(np.ascontiguousarray(value), device=like.device)


def _to_host(value):
    return np.asarray(value) if isinstance(value, DeviceArray) else value


def _host_key(key):
    return tuple(map(_to_host, key)) if isinstance(key, tuple) else _to_host(key)


def all_to_host(value: Any):
    """Copy device arrays to the host, those within lists, tuples and dicts too."""
    if isinstance(value, (list, tuple)):
        return type(value)(all_to_host(v) for v in value)
    if isinstance(value, dict):
        return {key: all_to_host(v) for key, v in value.items()}
    return _to_host(value)


def _fits_device(value) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def _put(out, result, where=True):
    """Write a result where numpy's ``out=`` wants it."""
    if where is not True:
        result = np.where(where, result, out)
    if isinstance(out, DeviceArray):
        out.array[...] = out._operand(result, out.dtype)
    else:
        out[...] = np.asarray(result)
    return out


@lru_cache(maxsize=8)
def _numpy_dtypes(xp) -> dict:
    return {getattr(xp, name): np.dtype(name) for name in DTYPES}


@lru_cache(maxsize=8)
def _special(xp):
    """The library's own special functions, under scipy's names."""
    if array_api_compat.is_torch_namespace(xp):
        import torch

        return torch.special
    if array_api_compat.is_cupy_namespace(xp):
        import cupyx.scipy.special

        return cupyx.scipy.special
    return None
