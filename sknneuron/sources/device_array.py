"""numpy's functions on arrays of another library, on a device or not.

The kernels, activations and losses are written with numpy. numpy lets other arrays take its calls
over (NEP 13 and 18), so a `DeviceArray` hands them to its own library: ``np.exp(z)`` on a GPU's z
is computed there. Nothing has to be written twice, and numpy arrays do not pay for it. What the
library has no counterpart for is computed on the host and sent back: rarer, slower, as right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .device_functions import FLOAT_FUNCTIONS, FUNCTIONS, OPERATORS, REDUCING, REDUCTIONS

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


# -- numpy's functions that are no ufuncs ---------------------------------------------------------


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
