"""Pairs whose loss in z has a closed form.

Each is equal to the chain rule, but right far out, where the composition would overflow or cancel,
and faster: terms, slope and curvature share what they have in common.
"""

from __future__ import annotations

import math

import numpy as np

from . import _special as special
from ._dot import dot
from .pairs import Pair

# Python floats, which leave float32 what it is.
SQRT_HALF = float(np.sqrt(0.5))
SQRT_2_OVER_PI = float(np.sqrt(2 / np.pi))
# Factors that are multiplied before a logarithm is taken of them.
N_FACTORS = 16
# Rows whose probabilities are worked out at once.
CACHED_ROWS = 1 << 14


class SigmoidLogLoss(Pair):
    """``log(1 + exp(z)) - y z``, from ``exp(-|z|)`` so that nothing overflows or cancels."""

    has_tails = True
    self_concordance = 1.0
    in_single = True
    discriminant = True

    def derivatives(self, y, z, order, gauss_newton=False):
        e = _exp_of_minus_abs(z)
        # max(z, 0) - y z is exact for y of 0 and 1, so that tiny terms keep their digits.
        terms = np.maximum(z, 0)
        terms -= y * z
        terms += np.log1p(e)
        return terms, *self._slopes(y, z, e, order)

    def slope(self, y, z):
        return special.expit(z) - y

    @np.errstate(over="ignore")
    def sums(self, y, z, sample_weight, order, gauss_newton=False):
        if sample_weight is not None:
            return super().sums(y, z, sample_weight, order)
        # Half as many operations as the terms take, and the sum loses no digits by it: only where
        # exp(z) overflows, or a product of a few, there is no way around them.
        e = np.exp(z)
        factors = e + 1
        loss = _sum_of_logs(factors)
        loss -= _sum_of_products(y, z)
        if not math.isfinite(sum(loss.tolist())):
            terms, *slopes = SigmoidLogLoss.derivatives(self, y, z, order)
            return _sum_of_rows(terms), *slopes
        if order == 0:
            return loss, None, None
        complement = np.reciprocal(factors, out=factors)
        e *= complement
        slope = e - y
        if order == 1:
            return loss, slope, None
        e *= complement
        return loss, slope, e

    @staticmethod
    def _slopes(y, z, e, order):
        """Slope and curvature from ``e = exp(-|z|)``, which is overwritten."""
        if order == 0:
            return None, None
        q = e + 1
        np.reciprocal(q, out=q)
        e *= q
        # q is the sigmoid of |z|, and e that of -|z|.
        slope = np.where(z >= 0, q, e)
        slope -= y
        if order == 1:
            return slope, None
        e *= q
        return slope, e

    def bend(self, y, z, dz, curvature=None):
        h = np.tanh(-0.5 * z)
        bend = dz * dz
        bend *= h
        if curvature is None:
            h *= h
            curvature = 0.25 - 0.25 * h
        bend *= curvature
        return bend

    def complement(self, z):
        return self.probability(-z)

    def both_probabilities(self, z):
        if type(z) is not np.ndarray or type(self) is not SigmoidLogLoss:
            return super().both_probabilities(z)
        both = np.empty((len(z), 2), dtype=z.dtype)
        # What lies in between stays in the cache: for a million rows it would take as long again.
        for start in range(0, len(z), CACHED_ROWS):
            rows = slice(start, start + CACHED_ROWS)
            e = _exp_of_minus_abs(z[rows, 0])
            larger = 1 / (1 + e)
            e *= larger
            is_positive = z[rows, 0] >= 0
            both[rows, 1] = np.where(is_positive, larger, e)
            both[rows, 0] = np.where(is_positive, e, larger)
        return both


class TanhLogLoss(SigmoidLogLoss):
    """A classifier's tanh: rescaled to (0, 1) it is the sigmoid of 2z."""

    self_concordance = 2.0
    discriminant = False

    def slope(self, y, z):
        return 2 * super().slope(y, 2 * z)

    def derivatives(self, y, z, order, gauss_newton=False):
        return self._of_half(*super().derivatives(y, 2 * z, order))

    def sums(self, y, z, sample_weight, order, gauss_newton=False):
        if sample_weight is not None:
            return Pair.sums(self, y, z, sample_weight, order)
        return self._of_half(*super().sums(y, 2 * z, None, order))

    @staticmethod
    def _of_half(loss, slope, curvature):
        """Derivatives in z from those in 2z."""
        return (
            loss,
            None if slope is None else 2 * slope,
            None if curvature is None else 4 * curvature,
        )

    def bend(self, y, z, dz, curvature=None):
        curvature = None if curvature is None else 0.25 * curvature
        return 2 * super().bend(y, 2 * z, 2 * dz, curvature)

    def probability(self, z):
        return special.expit(2 * z)

    def null_bias(self, y, sample_weight):
        level = self.loss.optimal_level(y, sample_weight)
        return self.activation.inverse(2 * level - 1)


class SoftmaxLogLoss(Pair):
    """``log sum_k exp(z_k) - z_y`` over the neurons of a layer; the curvature given is p itself."""

    has_tails = True
    coupled = True
    discriminant = True
    # The change is that of the largest difference between two neurons' z.
    self_concordance = 2.0

    def bend(self, y, z, dz, curvature=None):
        p = special.softmax(z, axis=1) if curvature is None else curvature
        off = dz - np.add.reduce(p * dz, axis=1, keepdims=True)
        off *= off
        off -= np.add.reduce(p * off, axis=1, keepdims=True)
        off *= p
        return off

    def derivatives(self, y, z, order, gauss_newton=False):
        e = z - np.maximum.reduce(z, axis=1, keepdims=True)
        at_class = e[np.arange(len(z)), y] if y.ndim == 1 else np.add.reduce(y * e, axis=1)
        np.exp(e, out=e)
        total = np.add.reduce(e, axis=1)
        terms = (np.log(total) - at_class)[:, None]
        if order == 0:
            return terms, None, None
        e /= total[:, None]
        slope = e - (one_hot(y, e.shape[1]) if y.ndim == 1 else y)
        return terms, slope, e if order == 2 else None

    def sums(self, y, z, sample_weight, order, gauss_newton=False):
        if y.ndim == 1 or sample_weight is not None:
            return super().sums(y, z, sample_weight, order)
        e = z - np.maximum.reduce(z, axis=1, keepdims=True)
        at_class = np.vdot(y.T, e.T)
        np.exp(e, out=e)
        total = np.add.reduce(e, axis=1, keepdims=True)
        loss = np.add.reduce(np.log(total), axis=0) - at_class
        if order == 0:
            return loss, None, None
        e /= total
        return loss, e - y, e if order == 2 else None

    def constant_terms(self, y, z):
        return -special.log_softmax(z, axis=0)[y, None]

    def null_bias(self, y, sample_weight):
        n_classes = int(y.max()) + 1 if self._n_classes is None else self._n_classes
        total = float(len(y) if sample_weight is None else np.add.reduce(sample_weight))
        share = np.bincount(y, sample_weight, n_classes) / total
        # A class that these rows lack may come with others: it begins rare, not out of reach.
        share[share == 0] = 0.5 / max(len(y), total)
        z = np.log(share)
        return z - np.add.reduce(z) / n_classes

    _n_classes: int | None = None

    def of_classes(self, n_classes: int) -> SoftmaxLogLoss:
        """The same pair, told of classes that some rows may lack."""
        pair = SoftmaxLogLoss(self.activation, self.loss, self.convex)
        pair._n_classes = n_classes
        return pair


class ProbitLogLoss(Pair):
    """``-y log Phi(z) - (1 - y) log Phi(-z)``, by the scaled complementary error function."""

    has_tails = True
    steepens = True

    def derivatives(self, y, z, order, gauss_newton=False):
        terms = -(y * special.log_ndtr(z) + (1 - y) * special.log_ndtr(-z))
        if order == 0:
            return terms, None, None
        up, down = _hazard(z), _hazard(-z)
        slope = (1 - y) * down - y * up
        if order == 1:
            return terms, slope, None
        curvature = y * up * (z + up) + (1 - y) * down * (down - z)
        # It lies in (0, 1); far out the hazard and z cancel, but for rounding.
        return terms, slope, np.clip(curvature, 0, 1)

    def curvature_rate(self, y, z):
        # Like the density's: z itself, on the side where the loss ends.
        return np.maximum(1, np.maximum(y * z, (y - 1) * z))

    def complement(self, z):
        return self.probability(-z)


class CLogLogLogLoss(Pair):
    """``-y log(1 - exp(-u)) + (1 - y) u`` with ``u = exp(z)``."""

    has_tails = True
    steepens = True

    def derivatives(self, y, z, order, gauss_newton=False):
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            u = np.exp(z)
            small = u < 1e-4
            log_level = np.where(small, z - u / 2 + u * u / 24, np.log(-np.expm1(-u)))
            silent = (1 - y) * np.where(y == 1, 0.0, u)
            terms = silent - y * log_level
            if order == 0:
                return terms, None, None
            capped = np.minimum(u, 600.0)
            q = np.where(small, 1 - u / 2 + u * u / 12, capped / np.expm1(np.maximum(capped, 1e-4)))
            slope = silent - y * q
            if order == 1:
                return terms, slope, None
            rest = np.where(small, u / 2 + u * u / 12, capped + q - 1)
        return terms, slope, silent + y * q * rest

    def curvature_rate(self, y, z):
        # Like exp(-u), where the loss ends.
        with np.errstate(over="ignore"):
            return np.maximum(1, np.where(y == 0, 0, y * np.exp(z)))

    def complement(self, z):
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(-np.exp(z))

    @property
    def threshold(self) -> float:
        return float(np.log(np.log(2)))


class ExpTweedie(Pair):
    """``exp((2-p) z) / (2-p) - y exp((1-p) z) / (1-p)``; poisson and gamma are p = 1 and 2."""

    has_tails = True
    self_concordance = 1.0

    @property
    def _power(self) -> float:
        return {"poisson": 1.0, "gamma": 2.0}.get(self.loss.name) or float(vars(self.loss)["power"])

    @np.errstate(over="ignore", under="ignore", invalid="ignore")
    def derivatives(self, y, z, order, gauss_newton=False):
        p = self._power
        if p == 1:
            e = np.exp(z)
            return e - y * z, e - y if order else None, e if order == 2 else None
        if p == 2:
            v = y * np.exp(-z)
            return z + v, 1 - v if order else None, v if order == 2 else None
        u, v = np.exp((2 - p) * z), y * np.exp((1 - p) * z)
        # Where both overflow the larger one decides.
        if p < 1:
            v[np.isinf(u)] = 0
        elif p > 2:
            u[np.isinf(v)] = 0
        terms = u / (2 - p) - v / (1 - p)
        slope = u - v if order else None
        if order < 2:
            curvature = None
        elif gauss_newton and not self.convex:
            curvature = (1 - p) * u + p * v
        else:
            curvature = (2 - p) * u - (1 - p) * v
        return terms, slope, curvature

    def constant_terms(self, y, z):
        if self._power not in (1, 2):
            return super().constant_terms(y, z)
        # One exponential in place of as many as there are rows.
        return self.derivatives(y, z[None], 0)[0]

    def bend(self, y, z, dz, curvature=None):
        p = self._power
        if p == 1:
            return (np.exp(z) if curvature is None else curvature) * dz * dz
        if p == 2:
            return (y * np.exp(-z) if curvature is None else curvature) * dz * -dz
        return (
            ((2 - p) ** 2 * np.exp((2 - p) * z) - (1 - p) ** 2 * y * np.exp((1 - p) * z)) * dz * dz
        )


class SoftplusPoisson(Pair):
    """``f - y log f`` with ``f = log(1 + exp(z))``, whose logarithm nears z far below zero."""

    has_tails = True

    def derivatives(self, y, z, order, gauss_newton=False):
        level = self.activation(z)
        # Below -30 f is exp(z) to the last digit, and further out it underflows.
        faint = z < -30
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = level - y * np.where(faint, z, np.log(level))
            if order == 0:
                return terms, None, None
            f1 = special.expit(z)
            ratio = np.where(faint, 1, f1 / level)
        slope = f1 - y * ratio
        if order == 1:
            return terms, slope, None
        curvature = f1 * (1 - f1)
        curvature += y * ratio * np.maximum(ratio - (1 - f1), 0)
        return terms, slope, curvature


def one_hot(codes, n_classes: int):
    """Class codes as a mask of each row's class, (n_rows, n_classes)."""
    return (codes == np.arange(n_classes)[:, None]).T


def _exp_of_minus_abs(z):
    e = np.abs(z)
    np.negative(e, out=e)
    return np.exp(e, out=e)


def _sum_of_rows(terms):
    """The sum over rows in float64, of terms in float32 as well."""
    if terms.dtype == np.float32:
        return np.add.reduce(terms, axis=0, dtype=np.float64)
    return np.add.reduce(terms, axis=0)


def _sum_of_products(a, b):
    """``(a * b).sum(axis=0)``; in float64 at the price of reading them."""
    if b.dtype == np.float32:
        return _sum_of_rows(a * b)
    return dot(a.T, b.T)


def _sum_of_logs(factors):
    """``log(factors).sum(axis=0)``; of many by the logarithms of products, which cost far less."""
    if len(factors) < 2048 or factors.dtype == np.float32:
        # In float32 a logarithm costs little, and products overflow.
        return _sum_of_rows(np.log(factors))
    n_even = len(factors) - len(factors) % N_FACTORS
    # A neuron's numbers lie together.
    columns = factors.T
    products = columns[:, :n_even].reshape(len(columns), N_FACTORS, -1).prod(axis=1)
    rest = columns[:, n_even:].prod(axis=1)
    return np.log(products).sum(axis=1) + np.log(rest)


def _hazard(z):
    """``phi(z) / Phi(z)``."""
    with np.errstate(over="ignore"):
        return SQRT_2_OVER_PI / special.erfcx(z * -SQRT_HALF)
