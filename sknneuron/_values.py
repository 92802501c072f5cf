"""Targets that are numbers, as the loss wants them, and errors for those it cannot take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, time, timedelta

import numpy as np
import pandas as pd

from ._odd import first_odd, shortened
from .exceptions import warn
from .pairs import Pair

# What holds a date, a time or a duration; numpy's and pandas' own are among them.
TIMES = (date, time, timedelta, np.datetime64, np.timedelta64, pd.Period)
# A target past the end of a range by this share of it is at the end: scaling has rounded it.
ROUNDING = 1e-6


@dataclass(frozen=True)
class ValueEncoder:
    """A regressor's targets as columns, one per neuron.

    Parameters
    ----------
    pair : Pair
    n_neurons : int
    is_1d : bool
        y was a vector: weights and predictions are as well.
    """

    pair: Pair
    n_neurons: int
    is_1d: bool

    @property
    def attributes(self) -> dict:
        """Fitted attributes that say what was learnt of y."""
        return {}

    def encode(self, y, name="y", weight=None):
        """Return y, called `name` in errors, as (n_samples, n_neurons) floats.

        Parameters
        ----------
        y : array of shape (n_samples,) or (n_samples, n_neurons)
        name : str
        weight : ndarray of shape (n_samples,), default=None
            What the rows count for: targets of those that do not may be out of reach.

        Raises
        ------
        ValueError
            For targets that the loss has no value for, or wholly outside the activation's range,
            and for another number of columns than there are neurons.
        """
        encoded = self.encode_unchecked(y, name)
        low, high = self.pair.activation.range
        least, most, *_ = self.pair.loss.target_range
        if low <= least and most <= high:
            return encoded
        outside = self.outside(encoded, weight)
        if outside.any():
            n_rows = len(encoded) if weight is None else int((weight > 0).sum())
            n_targets = n_rows * self.n_neurons
            report_outside(int(outside.sum()), n_targets, encoded[outside][0], self.pair, name)
        return encoded

    def encode_compact(self, y, weight=None):
        """`encode`: numbers are used as they are given."""
        return self.encode(y, weight=weight)

    def encode_unchecked(self, y, name: str = "y"):
        """`encode`, whatever the activation's range."""
        y = numeric(y, name)
        encoded = y[:, None] if y.ndim == 1 else y
        if len(encoded) and encoded.shape[1] != self.n_neurons:
            one_each = f"{self.n_neurons} targets" if self.n_neurons > 1 else "a single target"
            raise ValueError(
                f"{name} has shape {tuple(y.shape)}, but the weights are for {one_each}: give a "
                "column for each, or fit a fresh estimator on these."
            )
        return _within_loss_range(encoded, self.pair, name)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest level."""
        return self.pair.activation.range

    def outside(self, encoded, weight=None):
        """Mask of the targets that the activation cannot reach, of rows that count."""
        low, high = self.pair.activation.range
        slack = _rounding(low, high)
        outside = (encoded < low - slack) | (encoded > high + slack)
        return outside if weight is None else outside & (weight > 0)[:, None]

    def shape_weights(self, coef, intercept):
        """Weights and biases in scikit-learn's shapes."""
        return (coef[0], float(intercept[0])) if self.is_1d else (coef, intercept)


def numeric(y, name="y"):
    """Return y, called `name` in errors, as float64.

    Raises
    ------
    ValueError
        If y holds something else than numbers.
    """
    y = y.toarray() if hasattr(y, "toarray") else y if hasattr(y, "dtype") else np.asarray(y)
    is_object = y.dtype.kind == "O"
    try:
        if y.dtype.kind in "mM":
            raise TypeError("numpy would count dates and durations in units of its own")
        if y.dtype.kind == "c":
            raise TypeError("numpy would drop the imaginary parts")
        values = y.astype(np.float64, copy=False)
        if is_object and np.isnan(values).any():
            row = int(np.argwhere(np.isnan(values))[0][0])
            raise ValueError(
                f"Input {name} contains NaN, first in row {row}. Leave such rows out, of X and "
                f"{name}."
            )
        return values
    except (OverflowError, TypeError, ValueError) as error:
        if "contains NaN" in str(error):
            raise
        odd = first_odd(y.ravel())
        value = y.ravel()[0] if odd is None else odd[1]
        remedy = "A regressor needs numbers; for labels there is NeuronClassifier."
        if y.dtype.kind in "mM" or isinstance(value, TIMES):
            remedy = "Make numbers of dates and durations: days since a start, say, or hours."
        raise ValueError(
            f"{name} holds values that are not numbers, {shortened(value)} for one. {remedy}"
        ) from None


def _rounding(low: float, high: float) -> float:
    """How far past the ends of this range a target may be."""
    return ROUNDING * (high - low) if math.isfinite(high - low) else 0.0


def _within_loss_range(y, pair: Pair, name: str):
    """The targets, those that rounding has put past the end of the loss's range at that end."""
    low, high, low_inclusive, high_inclusive = pair.loss.target_range
    if (low, high) == (-np.inf, np.inf):
        return y
    outside = (y < low) if low_inclusive else (y <= low)
    outside |= (y > high) if high_inclusive else (y >= high)
    if not outside.any():
        return y
    slack = _rounding(low, high) if low_inclusive and high_inclusive else 0.0
    outside = (y < low - slack) | (y > high + slack) if slack else outside
    if not outside.any():
        return np.clip(y, low, high)
    brackets = ("[" if low_inclusive else "("), ("]" if high_inclusive else ")")
    raise ValueError(
        f"loss='{pair.loss.name}' needs targets in {brackets[0]}{low:g}, {high:g}{brackets[1]}; "
        f"{name} contains {y[outside][0]:g}. Use a loss for such targets, loss='squared_error' "
        "say, or transform y with TransformedTargetRegressor."
    )


def report_outside(n_outside: int, n_targets: int, worst: float, pair: Pair, name="y") -> None:
    """Refuse targets wholly outside the activation's range, warn of those partly outside."""
    low, high = pair.activation.range
    activation = pair.activation.name
    remedy = (
        "Scale y into it: TransformedTargetRegressor(regressor=..., transformer=MinMaxScaler()), "
        "or use activation='identity'."
    )
    if n_outside == n_targets:
        raise ValueError(
            f"activation='{activation}' gives levels between {low:g} and {high:g} and every target "
            f"is outside that ({name} contains {worst:g}): no weights can reach one. {remedy}"
        )
    warn(
        f"activation='{activation}' gives levels between {low:g} and {high:g}, and "
        f"{n_outside / n_targets:.0%} of the targets are outside ({name} contains {worst:g}): "
        f"they are out of reach. {remedy}",
    )
