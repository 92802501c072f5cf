"""Losses: what a level costs beside its target.

Each is one class; the table `LOSSES` is built from the classes here. Scaling follows scikit-learn's
half losses, so that `alpha` means the same as there. All work element by element, on targets y and
levels a of the same shape.
"""

from __future__ import annotations

import difflib
import math
from typing import ClassVar

import numpy as np
from scipy import optimize

from . import _special as special
from ._dot import dot
from ._parametrized import Parametrized

INF = float("inf")
# Rows whose slopes are held at once.
ROWS_AT_ONCE = 1 << 16


class Loss(Parametrized):
    """Base of the losses, ``loss(y, a)``.

    Attributes
    ----------
    name : str
        Key in the table.
    smooth : bool
        Whether the loss has a derivative everywhere.
    quadratic_pieces : bool
        Whether its second derivative jumps, as Huber's does.
    softness : float
        Of a loss that has `pieces`: the distance from the kink over which its slope changes by one.
    fixed_dispersion : bool
        Whether `dispersion` is 1 whatever the levels.
    nonnegative : bool
        Whether the loss is never below zero, so that no optimum is either.
    margin : bool
        Whether y is -1 or 1 and the loss acts on the margin ``y * z``.
    in_units_of_y : bool
        Whether it grows with the error itself, where a penalty grows with squares.
    mean_decides : bool
        Whether the best constant level depends on the mean of the targets alone.
    linear_in_y : bool
        Whether the loss of a level is on average that of the mean of the targets.
    level_range : tuple of float
        Open interval in which levels must lie.
    target_range : tuple
        (low, high, low included, high included) of the targets.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = True
    quadratic_pieces: ClassVar[bool] = False
    softness: ClassVar[float] = 0.0
    fixed_dispersion: ClassVar[bool] = False
    nonnegative: ClassVar[bool] = False
    margin: ClassVar[bool] = False
    in_units_of_y: ClassVar[bool] = False
    mean_decides: ClassVar[bool] = True
    linear_in_y: ClassVar[bool] = False
    level_range: ClassVar[tuple[float, float]] = (-INF, INF)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._unshare(Loss, "with_derivative", "__call__", "derivative")
        cls._unshare(Loss, "sum_with_derivative", "with_derivative")
        cls._unshare(Loss, "pieces", "__call__", "derivative")

    @property
    def target_range(self) -> tuple[float, float, bool, bool]:
        return (-INF, INF, False, False)

    @property
    def has_ends(self) -> bool:
        """Whether the interval in which levels must lie ends anywhere."""
        return tuple(self.level_range) != (-INF, INF)

    def __call__(self, y, a):
        """Return the loss of each level."""
        raise NotImplementedError

    def derivative(self, y, a):
        """Return the derivative in a; a subgradient at a kink."""
        raise NotImplementedError

    def second_derivative(self, y, a):
        """Return the second derivative in a."""
        raise NotImplementedError

    def with_derivative(self, y, a):
        """Return the loss and its derivative, sharing what the two have in common."""
        return self(y, a), self.derivative(y, a)

    def sum_with_derivative(self, y, a):
        """Return the loss summed over rows, and the derivative of each row's."""
        terms, slope = self.with_derivative(y, a)
        return np.add.reduce(terms, axis=0), slope

    def optimal_level(self, y, sample_weight=None):
        """Return the constant level with the least loss, one per column of y."""
        return _weighted_mean(y, sample_weight)

    def dispersion(self, y, a, sample_weight=None):
        """Return the scale of the noise about the levels, one per column; 1 where it is known."""
        return np.ones(y.shape[1:])

    def smoothed(self, width: float) -> Loss:
        """Return the Moreau envelope of this width; the loss itself if it is smooth."""
        return self

    def pieces(self, y):
        """Return (kink, slope below, slope above) of a loss of two straight pieces; None of others.

        The kink is the level at which the pieces meet, and the loss is zero. Where `softness` is
        not zero a parabola lies between them, which may have no end.
        """
        return None


class SquaredError(Loss):
    """``(y - a)^2 / 2``.

    Examples
    --------
    >>> from sknneuron.losses import SquaredError
    >>> float(SquaredError()(1.0, 3.0))
    2.0
    """

    name = "squared_error"
    nonnegative = True

    def __call__(self, y, a):
        r = a - y
        return 0.5 * r * r

    def derivative(self, y, a):
        return a - y

    def with_derivative(self, y, a):
        r = a - y
        terms = 0.5 * r
        terms *= r
        return terms, r

    def sum_with_derivative(self, y, a):
        # Without an array of the rows' losses.
        r = a - y
        return 0.5 * dot(r.T, r.T), r

    def second_derivative(self, y, a):
        return np.ones_like(a)

    def dispersion(self, y, a, sample_weight=None):
        return _weighted_mean((y - a) ** 2, sample_weight)


class Quantile(Loss):
    """``(y - a) * (quantile - [y < a])``, the pinball loss: levels are conditional quantiles.

    Parameters
    ----------
    quantile : float, default=0.5
        In (0, 1).

    Examples
    --------
    >>> from sknneuron.losses import Quantile
    >>> float(Quantile(0.9)(1.0, 0.0))
    0.9
    """

    name = "quantile"
    in_units_of_y = True
    nonnegative = True
    smooth = False
    mean_decides = False

    def __init__(self, quantile: float = 0.5):
        self.quantile = quantile

    def _slopes(self) -> tuple[float, float]:
        """Slopes in a below and above the target."""
        quantile = self.number("quantile")
        if not 0 < quantile < 1:
            raise ValueError(f"quantile must lie in (0, 1), got {quantile!r}.")
        return -quantile, 1 - quantile

    def __call__(self, y, a):
        below, above = self._slopes()
        r = a - y
        return np.maximum(below * r, above * r)

    def derivative(self, y, a):
        below, above = self._slopes()
        slope = np.where(a < y, below, np.where(a > y, above, 0.5 * (below + above)))
        return slope.astype(np.result_type(a), copy=False)

    def second_derivative(self, y, a):
        return np.zeros_like(a)

    def optimal_level(self, y, sample_weight=None):
        below, above = self._slopes()
        return np.array(
            [_weighted_quantile(col, sample_weight, -below / (above - below)) for col in y.T]
        )

    def dispersion(self, y, a, sample_weight=None):
        return _weighted_mean(self(y, a), sample_weight)

    def smoothed(self, width: float) -> Loss:
        return _SmoothedKink(*self._slopes(), width)

    def pieces(self, y):
        below, above = self._slopes()
        return y, np.full(y.shape, below), np.full(y.shape, above)


class AbsoluteError(Quantile):
    """``|y - a|``: levels are conditional medians.

    Examples
    --------
    >>> from sknneuron.losses import AbsoluteError
    >>> float(AbsoluteError()(1.0, 3.0))
    2.0
    """

    name = "absolute_error"
    in_units_of_y = True

    def __init__(self):
        pass

    def _slopes(self) -> tuple[float, float]:
        return -1.0, 1.0


class Huber(Loss):
    """Quadratic up to `delta`, linear past it: outliers pull with bounded force.

    ``r^2 / 2`` for ``|r| <= delta``, ``delta * (|r| - delta / 2)`` otherwise.

    Parameters
    ----------
    delta : float, default=1.35
        In the units of y, positive.

    Examples
    --------
    >>> from sknneuron.losses import Huber
    >>> float(Huber(delta=1.0)(0.0, 3.0))
    2.5
    """

    name = "huber"
    in_units_of_y = True
    nonnegative = True
    quadratic_pieces = True
    softness = 1.0
    mean_decides = False

    def __init__(self, delta: float = 1.35):
        self.delta = delta

    def _checked_delta(self) -> float:
        delta = self.number("delta")
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta!r}.")
        return delta

    def __call__(self, y, a):
        delta = self._checked_delta()
        r = np.abs(a - y)
        near = np.minimum(r, delta)
        return near * (r - 0.5 * near)

    def derivative(self, y, a):
        delta = self._checked_delta()
        return np.clip(a - y, -delta, delta)

    def second_derivative(self, y, a):
        return (np.abs(a - y) <= self._checked_delta()).astype(np.result_type(a))

    def optimal_level(self, y, sample_weight=None):
        return _minimize_levels(self, y, sample_weight)

    def dispersion(self, y, a, sample_weight=None):
        return _weighted_mean(self(y, a), sample_weight)

    def smoothed(self, width: float) -> Loss:
        """Return the Moreau envelope of this width: as steep, and quadratic further out.

        Where hardly a residual is within `delta` there is hardly any curvature to go by.
        """
        return _WideHuber(self._checked_delta(), width)

    def pieces(self, y):
        delta = self._checked_delta()
        return y, np.full(y.shape, -delta), np.full(y.shape, delta)


class _WideHuber(Huber):
    """``r^2 / (2 (1 + width))`` up to ``delta (1 + width)``, linear with slope `delta` past it."""

    def __init__(self, delta: float, width: float):
        super().__init__(delta * (1 + width))
        self.width = width

    def __call__(self, y, a):
        return super().__call__(y, a) / (1 + self.width)

    def derivative(self, y, a):
        return super().derivative(y, a) / (1 + self.width)

    def second_derivative(self, y, a):
        return super().second_derivative(y, a) / (1 + self.width)


class Poisson(Loss):
    """``a - y log a``, for counts; positive levels.

    Examples
    --------
    >>> from sknneuron.losses import Poisson
    >>> float(Poisson()(0.0, 3.0))
    3.0
    """

    name = "poisson"
    fixed_dispersion = True
    level_range = (0.0, INF)

    @property
    def target_range(self):
        return (0.0, INF, True, False)

    def __call__(self, y, a):
        return a - special.xlogy(y, a)

    def derivative(self, y, a):
        return 1 - y / a

    def second_derivative(self, y, a):
        return y / a**2


class Gamma(Loss):
    """``log a + y / a``, for positive amounts; positive levels.

    Examples
    --------
    >>> from sknneuron.losses import Gamma
    >>> float(Gamma()(2.0, 1.0))
    2.0
    """

    name = "gamma"
    level_range = (0.0, INF)

    @property
    def target_range(self):
        return (0.0, INF, False, False)

    def __call__(self, y, a):
        return np.log(a) + y / a

    def derivative(self, y, a):
        return (a - y) / a**2

    def second_derivative(self, y, a):
        return (2 * y - a) / a**3

    def dispersion(self, y, a, sample_weight=None):
        return _weighted_mean(((y - a) / a) ** 2, sample_weight)


class Tweedie(Loss):
    """Half the Tweedie deviance of a power, up to a constant; positive levels.

    ``a^(2-p) / (2-p) - y a^(1-p) / (1-p)``: power 0 is the squared error, 1 poisson, 2 gamma.

    Parameters
    ----------
    power : float, default=1.5
        In (-inf, 0] or [1, inf).

    Examples
    --------
    >>> from sknneuron.losses import Tweedie
    >>> float(Tweedie(1.5)(1.0, 1.0))
    4.0
    """

    name = "tweedie"
    level_range = (0.0, INF)

    def __init__(self, power: float = 1.5):
        self.power = power

    def _checked_power(self) -> float:
        power = self.number("power")
        if 0 < power < 1 or not np.isfinite(power):
            raise ValueError(
                f"power must be at most 0 or at least 1, got {power!r}: no distribution has "
                "that variance."
            )
        return float(power)

    @property
    def target_range(self):
        power = self._checked_power()
        if power <= 0:
            return (-INF, INF, False, False)
        return (0.0, INF, power < 2, False)

    def __call__(self, y, a):
        p = self._checked_power()
        if p == 1:
            return a - special.xlogy(y, a)
        if p == 2:
            return np.log(a) + y / a
        return a ** (2 - p) / (2 - p) - y * a ** (1 - p) / (1 - p)

    def derivative(self, y, a):
        p = self._checked_power()
        return (a - y) * a**-p

    def second_derivative(self, y, a):
        p = self._checked_power()
        return ((1 - p) * a + p * y) * a ** (-p - 1)

    def optimal_level(self, y, sample_weight=None):
        # With power <= 0 targets may be negative, but levels may not.
        return np.maximum(_weighted_mean(y, sample_weight), np.finfo(float).tiny)

    def dispersion(self, y, a, sample_weight=None):
        # A level may have underflown to zero, where a division would warn.
        level = np.maximum(a, np.finfo(float).tiny)
        return _weighted_mean((y - a) ** 2 * level**-self.power, sample_weight)


class LogLoss(Loss):
    """``-y log a - (1 - y) log(1 - a)``; targets in [0, 1], levels between.

    Examples
    --------
    >>> from sknneuron.losses import LogLoss
    >>> round(float(LogLoss()(1.0, 0.5)), 4)
    0.6931
    """

    name = "log_loss"
    nonnegative = True
    fixed_dispersion = True
    linear_in_y = True
    level_range = (0.0, 1.0)

    @property
    def target_range(self):
        return (0.0, 1.0, True, True)

    def __call__(self, y, a):
        return -special.xlogy(y, a) - special.xlog1py(1 - y, -a)

    def derivative(self, y, a):
        return (a - y) / (a * (1 - a))

    def second_derivative(self, y, a):
        return y / a**2 + (1 - y) / (1 - a) ** 2


class Hinge(Loss):
    """``max(0, 1 - y z)`` with y in {-1, 1}: the margin of a support vector machine.

    Examples
    --------
    >>> from sknneuron.losses import Hinge
    >>> float(Hinge()(1.0, 0.25))
    0.75
    """

    name = "hinge"
    nonnegative = True
    fixed_dispersion = True
    smooth = False
    margin = True

    @property
    def target_range(self):
        return (-1.0, 1.0, True, True)

    def __call__(self, y, a):
        return np.maximum(0.0, 1 - y * a)

    def derivative(self, y, a):
        m = y * a
        return np.where(m < 1, -y, np.where(m == 1, -0.5 * y, 0.0))

    def second_derivative(self, y, a):
        return np.zeros_like(a)

    def optimal_level(self, y, sample_weight=None):
        return np.where(_weighted_mean(y, sample_weight) >= 0, 1.0, -1.0)

    def smoothed(self, width: float) -> Loss:
        return _SmoothedHinge(width)

    def pieces(self, y):
        return 1 / y, np.minimum(-y, 0.0), np.maximum(-y, 0.0)


class SquaredHinge(Loss):
    """``max(0, 1 - y z)^2`` with y in {-1, 1}.

    Examples
    --------
    >>> from sknneuron.losses import SquaredHinge
    >>> float(SquaredHinge()(1.0, 0.5))
    0.25
    """

    name = "squared_hinge"
    nonnegative = True
    fixed_dispersion = True
    quadratic_pieces = True
    softness = 0.5
    margin = True

    @property
    def target_range(self):
        return (-1.0, 1.0, True, True)

    def __call__(self, y, a):
        return np.square(np.maximum(0.0, 1 - y * a))

    def derivative(self, y, a):
        return -2 * y * np.maximum(0.0, 1 - y * a)

    def second_derivative(self, y, a):
        return np.where(y * a < 1, 2.0, 0.0).astype(np.result_type(a), copy=False)

    def optimal_level(self, y, sample_weight=None):
        # Within [-1, 1] it is a squared error of y = -1 and 1.
        return _weighted_mean(y, sample_weight)

    def pieces(self, y):
        return 1 / y, np.where(y > 0, -INF, 0.0), np.where(y > 0, 0.0, INF)


class _SmoothedKink(Loss):
    """Moreau envelope of ``max(below * r, above * r)``: quadratic near the kink."""

    quadratic_pieces = True
    mean_decides = False

    def __init__(self, below: float, above: float, width: float):
        self.below = below
        self.above = above
        self.width = width

    def __call__(self, y, a):
        r = a - y
        g = self.derivative(y, a)
        return g * r - 0.5 * self.width * g * g

    def derivative(self, y, a):
        return np.clip((a - y) / self.width, self.below, self.above)

    def second_derivative(self, y, a):
        r = (a - y) / self.width
        near = (r >= self.below) & (r <= self.above)
        return near.astype(np.result_type(a)) / self.width

    def optimal_level(self, y, sample_weight=None):
        return _minimize_levels(self, y, sample_weight)


class _SmoothedHinge(Loss):
    """Moreau envelope of the hinge."""

    margin = True
    quadratic_pieces = True
    mean_decides = False

    def __init__(self, width: float):
        self.width = width

    def __call__(self, y, a):
        u = self._slope(y, a)
        return u * (1 - y * a) - 0.5 * self.width * u * u

    def _slope(self, y, a):
        return np.clip((1 - y * a) / self.width, 0.0, 1.0)

    def derivative(self, y, a):
        return -y * self._slope(y, a)

    def second_derivative(self, y, a):
        u = (1 - y * a) / self.width
        near = (u >= 0) & (u <= 1)
        return near.astype(np.result_type(a)) / self.width

    def optimal_level(self, y, sample_weight=None):
        # Past 1 and -1 the rows of that class cost nothing any more.
        return _minimize_levels(self, y, sample_weight)


def _weighted_mean(values, sample_weight):
    # Not np.average: it copies the weights to the values' shape.
    if sample_weight is None:
        return np.add.reduce(values, axis=0) / len(values)
    return sample_weight @ values / sample_weight.sum()


def _weighted_quantile(y, sample_weight, quantile: float) -> float:
    if sample_weight is None:
        rank = max(math.ceil(quantile * len(y)) - 1, 0)
        return float(np.partition(y, rank)[rank])
    order = np.argsort(y, kind="stable")
    cumulated = sample_weight[order]
    np.cumsum(cumulated, out=cumulated)
    index = np.searchsorted(cumulated, quantile * cumulated[-1])
    return float(y[order[min(index, len(y) - 1)]])


def _minimize_levels(loss: Loss, y, sample_weight):
    """Least constant level of a convex loss, column by column: where the slope crosses zero."""

    def level(column):
        low, high = float(column.min()), float(column.max())
        if low == high:
            return low
        # As arguments: what the function itself holds would stay until garbage is collected.
        rows = loss, column, sample_weight
        return optimize.brentq(_mean_slope, low, high, rows, xtol=1e-14 * (high - low) + 1e-300)

    return np.array([level(column) for column in y.T])


def _mean_slope(a: float, loss: Loss, y, sample_weight) -> float:
    """Mean slope at a constant level, of some rows at once: that of all would take memory."""
    total = 0.0
    for start in range(0, len(y), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        slope = loss.derivative(y[part], np.full(len(y[part]), a))
        total += np.add.reduce(slope) if sample_weight is None else sample_weight[part] @ slope
    return float(total / (len(y) if sample_weight is None else sample_weight.sum()))


LOSSES: dict[str, type[Loss]] = {
    cls.name: cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, Loss) and "name" in vars(cls)
}
"""Every loss by its name."""


def get_loss(loss: str | Loss) -> Loss:
    """Return the loss of this name, or the instance itself.

    Parameters
    ----------
    loss : str or Loss

    Returns
    -------
    loss : Loss

    Raises
    ------
    ValueError
        For an unknown name; the message says which one is close.

    Examples
    --------
    >>> from sknneuron.losses import get_loss
    >>> get_loss("huber")
    Huber(delta=1.35)
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    close = difflib.get_close_matches(str(loss), LOSSES, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"The loss must be a Loss instance or one of {sorted(LOSSES)}. Got {loss!r} instead.{hint}"
    )
