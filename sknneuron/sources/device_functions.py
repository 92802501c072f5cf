"""What computes numpy's ufuncs in another array library: tables by the ufunc's name."""

from __future__ import annotations

import operator
from collections.abc import Callable

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


FUNCTIONS: dict[str, Callable] = {
    "maximum": _larger,
    "minimum": _smaller,
    "vecdot": lambda xp, a, b: xp.vecdot(a, b),
}
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
