"""Activation functions: how strongly a neuron fires for a weighted sum z.

Each is one class; the table `ACTIVATIONS` is built from the classes here. All work element by
element on arrays of any shape and keep their dtype, except `Softmax`, which works along the last
axis. None warns, none writes into its input.
"""

from __future__ import annotations

import difflib
import math
from typing import ClassVar

import numpy as np

from . import _special as special
from ._parametrized import Parametrized

INF = float("inf")
INV_SQRT_2PI = float(1 / np.sqrt(2 * np.pi))
# A derivative below this share of its largest value is as good as gone.
FLAT = 1e-2
# How far from a kink its two sides are looked at.
SIDE = 1e-9


class Activation(Parametrized):
    """Base of the activations, ``a = f(z)``.

    Attributes
    ----------
    name : str
        Key in the table.
    range : tuple of float
        Infimum and supremum of f.
    attains_low : bool
        Whether f takes its infimum, as relu takes 0.
    monotone : bool
    kinks : tuple of float
        Where the derivative jumps.
    flat : {"dead", "saturated"} or None
        What a region without slope means: no signal below a threshold, or a level at its limit.
    coupled : bool
        Whether a neuron's level depends on the others' z, as in a softmax layer.
    steepest : float
        Supremum of the size of f'.
    responsive : tuple of float
        The z between which the size of f' is at least a hundredth of `steepest`, and past which it
        has all but vanished; all z for those that never go flat.
    quicker_in_single : bool
        Whether `with_derivative` takes less than half the time in float32.
    """

    name: ClassVar[str]
    range: ClassVar[tuple[float, float]] = (-INF, INF)
    attains_low: ClassVar[bool] = False
    monotone: ClassVar[bool] = True
    kinks: ClassVar[tuple[float, ...]] = ()
    flat: ClassVar[str | None] = None
    coupled: ClassVar[bool] = False
    steepest: ClassVar[float] = 1.0
    responsive: ClassVar[tuple[float, float]] = (-INF, INF)
    quicker_in_single: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._unshare(Activation, "with_derivative", "__call__", "derivative")
        cls._unshare(Activation, "with_derivatives", "with_derivative", "second_derivative")

    def __call__(self, z):
        """Return the activation levels f(z)."""
        raise NotImplementedError

    def derivative(self, z):
        """Return f'(z)."""
        raise NotImplementedError

    def second_derivative(self, z):
        """Return f''(z)."""
        raise NotImplementedError

    def with_derivative(self, z):
        """Return (f(z), f'(z)), sharing what the two have in common."""
        return self(z), self.derivative(z)

    def with_derivatives(self, z):
        """Return (f(z), f'(z), f''(z)), sharing what they have in common."""
        return *self.with_derivative(z), self.second_derivative(z)

    def jump(self, kink: float) -> float:
        """Return how much the derivative rises at a kink."""
        below, above = self.derivative(np.array([kink - SIDE, kink + SIDE]))
        return float(above - below)

    def inverse(self, a):
        """Return a z with f(z) = a, on the rising branch; levels out of range count as near it."""
        raise NotImplementedError

    def is_flat(self, z):
        """Return a mask of where the derivative has all but vanished."""
        low, high = self.responsive
        z = _as_array(z)
        return (z <= low) | (z >= high)

    def _inside(self, a, margin: float = 1e-12):
        """Levels moved just inside the range."""
        low, high = self.range
        a = np.asarray(a, dtype=np.float64)
        if math.isfinite(low):
            a = np.maximum(a, low + margin)
        if math.isfinite(high):
            a = np.minimum(a, high - margin)
        return a


class Identity(Activation):
    """``f(z) = z``: the weighted sum itself, as in linear regression.

    Examples
    --------
    >>> from sknneuron.activations import Identity
    >>> Identity()(2.0)
    2.0
    """

    name = "identity"

    def __call__(self, z):
        return z

    def derivative(self, z):
        return np.ones_like(z)

    def second_derivative(self, z):
        return np.zeros_like(z)

    def inverse(self, a):
        return np.asarray(a, dtype=np.float64)


class Sigmoid(Activation):
    """``f(z) = 1 / (1 + exp(-z))``, the logistic function.

    Examples
    --------
    >>> from sknneuron.activations import Sigmoid
    >>> float(Sigmoid()(0.0))
    0.5
    """

    name = "sigmoid"
    range = (0.0, 1.0)
    flat = "saturated"
    responsive = (-5.98645, 5.98645)
    steepest = 0.25

    def __call__(self, z):
        return special.expit(z)

    def derivative(self, z):
        a = special.expit(z)
        return a * special.expit(-z)

    def with_derivative(self, z):
        a = special.expit(z)
        return a, a * (1 - a)

    def with_derivatives(self, z):
        a, slope = self.with_derivative(z)
        return a, slope, slope * (1 - 2 * a)

    def second_derivative(self, z):
        a, b = special.expit(z), special.expit(-z)
        return a * b * (b - a)

    def inverse(self, a):
        return special.logit(self._inside(a))


class Tanh(Activation):
    """``f(z) = tanh(z)``.

    Examples
    --------
    >>> from sknneuron.activations import Tanh
    >>> float(Tanh()(0.0))
    0.0
    """

    name = "tanh"
    range = (-1.0, 1.0)
    flat = "saturated"
    responsive = (-2.99322, 2.99322)
    quicker_in_single = True

    def __call__(self, z):
        return np.tanh(z)

    def derivative(self, z):
        e = np.exp(-2 * np.abs(z))
        return 4 * e / np.square(1 + e)

    def with_derivative(self, z):
        a = np.tanh(z)
        return a, 1 - a * a

    def with_derivatives(self, z):
        a, slope = self.with_derivative(z)
        return a, slope, -2 * a * slope

    def second_derivative(self, z):
        return -2 * np.tanh(z) * self.derivative(z)

    def inverse(self, a):
        return np.arctanh(self._inside(a))


class ReLU(Activation):
    """``f(z) = max(z, 0)``: silent up to a threshold, linear past it.

    Examples
    --------
    >>> from sknneuron.activations import ReLU
    >>> ReLU()([-1.0, 2.0])
    array([0., 2.])
    """

    name = "relu"
    range = (0.0, INF)
    attains_low = True
    kinks = (0.0,)
    flat = "dead"
    responsive = (0.0, INF)

    def __call__(self, z):
        return np.maximum(z, 0)

    def derivative(self, z):
        return np.where(_as_array(z) > 0, 1.0, 0.0).astype(np.result_type(z), copy=False)

    def with_derivative(self, z):
        return np.maximum(z, 0), (z > 0).astype(z.dtype)

    def second_derivative(self, z):
        return np.zeros_like(z)

    def inverse(self, a):
        return self._inside(a)


class LeakyReLU(Activation):
    """``f(z) = z`` for z > 0, ``negative_slope * z`` otherwise; never silent.

    Parameters
    ----------
    negative_slope : float, default=0.01
        Slope below zero, in (0, 1).

    Examples
    --------
    >>> from sknneuron.activations import LeakyReLU
    >>> LeakyReLU(0.1)([-1.0, 2.0])
    array([-0.1,  2. ])
    """

    name = "leaky_relu"
    kinks = (0.0,)

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def _checked_slope(self) -> float:
        slope = self.number("negative_slope")
        if not 0 < slope < 1:
            raise ValueError(f"negative_slope must lie in (0, 1), got {slope!r}.")
        return float(slope)

    def __call__(self, z):
        z = _as_array(z)
        return np.where(z > 0, z, self._checked_slope() * z)

    def derivative(self, z):
        z = _as_array(z)
        return np.where(z > 0, 1.0, self._checked_slope()).astype(z.dtype, copy=False)

    def second_derivative(self, z):
        return np.zeros_like(z)

    def inverse(self, a):
        a = np.asarray(a, dtype=np.float64)
        return np.where(a > 0, a, a / self._checked_slope())


class ELU(Activation):
    """``f(z) = z`` for z > 0, ``exp(z) - 1`` otherwise (Clevert et al., 2015).

    Examples
    --------
    >>> from sknneuron.activations import ELU
    >>> ELU()([0.0, 2.0])
    array([0., 2.])
    """

    name = "elu"
    range = (-1.0, INF)
    flat = "dead"
    responsive = (-4.60517, INF)

    def __call__(self, z):
        z = _as_array(z)
        return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))

    def derivative(self, z):
        return np.exp(np.minimum(z, 0))

    def with_derivative(self, z):
        z = _as_array(z)
        below = np.expm1(np.minimum(z, 0))
        return np.where(z > 0, z, below), below + 1

    def second_derivative(self, z):
        z = _as_array(z)
        return np.where(z > 0, 0, np.exp(np.minimum(z, 0))).astype(z.dtype, copy=False)

    def inverse(self, a):
        a = self._inside(a)
        return np.where(a > 0, a, np.log1p(np.minimum(a, 0)))


class Softplus(Activation):
    """``f(z) = log(1 + exp(z))``: a smooth relu, always positive.

    Examples
    --------
    >>> from sknneuron.activations import Softplus
    >>> round(float(Softplus()(0.0)), 4)
    0.6931
    """

    name = "softplus"
    range = (0.0, INF)
    flat = "dead"
    responsive = (-4.59512, INF)
    quicker_in_single = True

    def __call__(self, z):
        return special.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)

    def derivative(self, z):
        return special.expit(z)

    def with_derivative(self, z):
        return self._level_and_slope(z, np.exp(-np.abs(z)))

    def with_derivatives(self, z):
        e = np.exp(-np.abs(z))
        return *self._level_and_slope(z, e), e / np.square(1 + e)

    @staticmethod
    def _level_and_slope(z, e):
        """Level and slope from ``e = exp(-|z|)``, which is one at most."""
        level, slope = special.log1p(e) + np.maximum(z, 0), np.maximum(e, z >= 0, dtype=e.dtype)
        return level, slope / (1 + e)

    def second_derivative(self, z):
        e = np.exp(-np.abs(z))
        return e / np.square(1 + e)

    def inverse(self, a):
        a = self._inside(a)
        # log(exp(a) - 1), without the overflow of exp for large a.
        return a + np.log(-np.expm1(-a))


class _RisingBranch(Activation):
    """An activation that dips below zero before it rises: its inverse is found by Newton steps."""

    monotone = False
    flat = "dead"
    _lowest_z: ClassVar[float]

    def inverse(self, a):
        low = self._lowest_z
        a = self._inside(a, 1e-9)
        z = np.maximum(a, low + 0.5)
        for _ in range(60):
            level, slope = self.with_derivative(z)
            before, z = z, np.maximum(z - (level - a) / np.maximum(slope, 1e-3), low + 1e-6)
            if not np.any(np.abs(z - before) > 1e-12):
                break
        return z


class GELU(_RisingBranch):
    """``f(z) = z * Phi(z)`` with the normal distribution function (Hendrycks and Gimpel, 2016).

    Examples
    --------
    >>> from sknneuron.activations import GELU
    >>> float(GELU()(0.0))
    0.0
    """

    name = "gelu"
    responsive = (-3.02166, INF)
    range = (-0.16997120747990369, INF)
    attains_low = True
    steepest = 1.1289
    quicker_in_single = True
    _lowest_z = -0.7517915246935645

    def __call__(self, z):
        return z * special.ndtr(z)

    def derivative(self, z):
        return special.ndtr(z) + z * _normal_density(z)

    def with_derivative(self, z):
        share, density = _share_and_density(z)
        return z * share, share + z * density

    def with_derivatives(self, z):
        share, density = _share_and_density(z)
        return z * share, share + z * density, (2 - np.square(z)) * density

    def second_derivative(self, z):
        return (2 - np.square(z)) * _normal_density(z)


class SiLU(_RisingBranch):
    """``f(z) = z / (1 + exp(-z))``, also called swish.

    Examples
    --------
    >>> from sknneuron.activations import SiLU
    >>> float(SiLU()(0.0))
    0.0
    """

    name = "silu"
    responsive = (-6.14294, INF)
    range = (-0.2784645427610738, INF)
    attains_low = True
    steepest = 1.0999
    _lowest_z = -1.2784645427610738

    def __call__(self, z):
        return z * special.expit(z)

    def derivative(self, z):
        a = special.expit(z)
        return a * (1 + z * special.expit(-z))

    def with_derivative(self, z):
        share = special.expit(z)
        a = z * share
        return a, a + share * (1 - a)

    def with_derivatives(self, z):
        share = special.expit(z)
        a, rest = z * share, 1 - share
        return a, a + share * (1 - a), share * rest * (2 + z * (rest - share))

    def second_derivative(self, z):
        a, b = special.expit(z), special.expit(-z)
        return a * b * (2 + z * (b - a))


class Softsign(Activation):
    """``f(z) = z / (1 + |z|)``.

    Examples
    --------
    >>> from sknneuron.activations import Softsign
    >>> float(Softsign()(1.0))
    0.5
    """

    name = "softsign"
    range = (-1.0, 1.0)
    flat = "saturated"
    responsive = (-9.0, 9.0)

    def __call__(self, z):
        return z / (1 + np.abs(z))

    def derivative(self, z):
        return 1 / np.square(1 + np.abs(z))

    def second_derivative(self, z):
        return -2 * np.sign(z) / (1 + np.abs(z)) ** 3

    def inverse(self, a):
        a = self._inside(a, 1e-9)
        return a / (1 - np.abs(a))


class Exp(Activation):
    """``f(z) = exp(z)``: effects that multiply, for counts and amounts.

    Examples
    --------
    >>> from sknneuron.activations import Exp
    >>> float(Exp()(0.0))
    1.0
    """

    name = "exp"
    range = (0.0, INF)

    def __call__(self, z):
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(z)

    def derivative(self, z):
        return self(z)

    def second_derivative(self, z):
        return self(z)

    def inverse(self, a):
        return np.log(np.maximum(a, np.finfo(float).tiny))


class Probit(Activation):
    """``f(z) = Phi(z)``, the normal distribution function.

    Examples
    --------
    >>> from sknneuron.activations import Probit
    >>> float(Probit()(0.0))
    0.5
    """

    name = "probit"
    range = (0.0, 1.0)
    flat = "saturated"
    responsive = (-3.03485, 3.03485)
    steepest = INV_SQRT_2PI

    def __call__(self, z):
        return special.ndtr(z)

    def derivative(self, z):
        return _normal_density(z)

    def second_derivative(self, z):
        return -z * _normal_density(z)

    def inverse(self, a):
        return special.ndtri(self._inside(a))


class CLogLog(Activation):
    """``f(z) = 1 - exp(-exp(z))``: that at least one event happens, at the rate exp(z).

    Examples
    --------
    >>> from sknneuron.activations import CLogLog
    >>> round(float(CLogLog()(0.0)), 4)
    0.6321
    """

    name = "cloglog"
    range = (0.0, 1.0)
    flat = "saturated"
    responsive = (-5.60147, 2.03315)
    steepest = float(np.exp(-1))

    def __call__(self, z):
        with np.errstate(over="ignore", under="ignore"):
            return -np.expm1(-np.exp(z))

    def derivative(self, z):
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(z - np.exp(z))

    def second_derivative(self, z):
        # Past z = 30 the derivative has underflowed; the cut keeps 0 * inf out.
        e = np.exp(np.minimum(z, 30))
        return self.derivative(z) * (1 - e)

    def inverse(self, a):
        return np.log(-np.log1p(-self._inside(a)))


class Softmax(Activation):
    """``f_k(z) = exp(z_k) / sum_l exp(z_l)``: a classifier's layer, in which one class wins.

    Derivatives are those of a neuron's level in its own z.

    Examples
    --------
    >>> from sknneuron.activations import Softmax
    >>> Softmax()([[0.0, 0.0]])
    array([[0.5, 0.5]])
    """

    name = "softmax"
    range = (0.0, 1.0)
    flat = "saturated"
    coupled = True
    steepest = 0.25

    def __call__(self, z):
        return special.softmax(_as_array(z), axis=-1)

    def is_flat(self, z):
        a = self(z)
        slope = 1 - a
        slope *= a
        return slope < FLAT * self.steepest

    def derivative(self, z):
        a = self(z)
        return a * (1 - a)

    def second_derivative(self, z):
        a = self(z)
        return a * (1 - a) * (1 - 2 * a)

    def inverse(self, a):
        z = np.log(np.maximum(a, 1e-300))
        return z - z.mean(axis=-1, keepdims=True)


def _as_array(z):
    # Arrays of other libraries stay what they are.
    return z if hasattr(z, "dtype") else np.asarray(z)


def _normal_density(z):
    with np.errstate(under="ignore", over="ignore"):
        return np.exp(-0.5 * np.square(z)) * np.asarray(INV_SQRT_2PI, dtype=np.result_type(z))


def _share_and_density(z):
    """The normal distribution function, in float32 within 2e-7, and its density.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17.
    """
    density = _normal_density(z)
    if z.dtype != np.float32 or type(z) is not np.ndarray:
        return special.ndtr(z), density
    t = np.abs(z)
    t *= 0.2316419
    t += 1
    np.reciprocal(t, out=t)
    beyond = 1.330274429 * t
    for coefficient in (-1.821255978, 1.781477937, -0.356563782, 0.319381530):
        beyond += coefficient
        beyond *= t
    beyond *= density
    # From what lies further out than z to what lies below it.
    np.subtract(0.5, beyond, out=beyond)
    np.copysign(beyond, z, out=beyond)
    beyond += 0.5
    return beyond, density


ACTIVATIONS: dict[str, type[Activation]] = {
    cls.name: cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, Activation) and "name" in vars(cls)
}
"""Every activation by its name."""

ALIASES: dict[str, str] = {"logistic": "sigmoid"}


def get_activation(activation: str | Activation) -> Activation:
    """Return the activation of this name, or the instance itself.

    Parameters
    ----------
    activation : str or Activation

    Returns
    -------
    activation : Activation

    Raises
    ------
    ValueError
        For an unknown name; the message says which one is close.

    Examples
    --------
    >>> from sknneuron.activations import get_activation
    >>> get_activation("relu")
    ReLU()
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        name = ALIASES.get(activation, activation)
        if name in ACTIVATIONS:
            return ACTIVATIONS[name]()
    names = [*ACTIVATIONS, *ALIASES]
    close = difflib.get_close_matches(str(activation), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"The activation must be an Activation instance or one of {sorted(names)}. "
        f"Got {activation!r} instead.{hint}"
    )
