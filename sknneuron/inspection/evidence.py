"""Rows and targets as the neuron sees them, with its weighted sums on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import check_array

from .._odd import refuse_dates_for_weights, with_gaps
from ..pairs import Pair
from .columns import host_targets, to_numpy
from .networks import hidden_pair, is_layer
from .units import Unfolded


@dataclass(frozen=True)
class Evidence:
    """A fitted neuron held against rows.

    Parameters
    ----------
    inside : Unfolded
    X : ndarray or csr_array of shape (n_samples, n_inputs)
        The neuron's own inputs.
    y : ndarray or None
        Targets as the pair wants them: (n_samples, n_neurons), or class codes of a softmax layer.
    sample_weight : ndarray of shape (n_samples,)
        As given by the user; ones without.
    class_weight : ndarray of shape (n_samples,)
        By which the neuron multiplies them; ones without.
    """

    inside: Unfolded
    X: Any
    y: Any
    sample_weight: np.ndarray
    class_weight: np.ndarray

    @property
    def neuron(self):
        return self.inside.neuron

    @cached_property
    def pair(self) -> Pair:
        return pair_of(self.neuron)

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @cached_property
    def weight(self) -> np.ndarray:
        """What each row counts for in the objective."""
        return self.sample_weight * self.class_weight

    @property
    def total_weight(self) -> float:
        return float(self.weight.sum())

    @cached_property
    def z(self) -> np.ndarray:
        """Weighted sums, (n_samples, n_neurons)."""
        return np.asarray(self.X @ self.inside.coef.T) + self.inside.intercept

    @cached_property
    def level(self) -> np.ndarray:
        """Activation levels, (n_samples, n_neurons)."""
        return self.pair.level(self.z)

    def derivatives(self, order: int = 2, gauss_newton: bool = False):
        """Loss, slope and curvature in z of each row."""
        key = order, gauss_newton
        if key not in self._derivatives:
            self._derivatives[key] = self.pair.derivatives(self.y, self.z, order, gauss_newton)
        return self._derivatives[key]

    @cached_property
    def _derivatives(self) -> dict:
        return {}

    @cached_property
    def mean(self) -> np.ndarray:
        """Weighted mean of each input."""
        return np.asarray(self.weight @ self.X).ravel() / self.total_weight

    @cached_property
    def deviation(self) -> np.ndarray:
        """Weighted standard deviation of each input; 0 where no more than rounding is left."""
        rounding = np.finfo(float).eps * self.n_rows
        if sparse.issparse(self.X):
            squares = np.asarray(self.weight @ self.X.multiply(self.X)).ravel() / self.total_weight
            variance = squares - self.mean**2
            return np.sqrt(np.where(variance > rounding * squares, variance, 0.0))
        deviation = np.sqrt(self.weight @ (self.X - self.mean) ** 2 / self.total_weight)
        return np.where(deviation > rounding * np.abs(self.mean), deviation, 0.0)

    def correlation(self, columns) -> np.ndarray:
        """Weighted correlation of these inputs, none of which is constant."""
        X = self.X[:, columns]
        X = X.toarray() if sparse.issparse(X) else X
        Z = (X - self.mean[columns]) / self.deviation[columns]
        return (Z * self.weight[:, None]).T @ Z / self.total_weight

    @property
    def penalty(self) -> tuple[float, float]:
        """Strengths (L1, L2) of the penalty on each weight."""
        alpha, ratio = float(self.neuron.alpha), float(self.neuron.l1_ratio)
        return alpha * ratio, alpha * (1 - ratio)


def pair_of(neuron) -> Pair:
    """Return the activation and loss of a fitted neuron, taken together."""
    return hidden_pair(neuron) if is_layer(neuron) else neuron._fitted_targets().pair


def gather(inside: Unfolded, X, y=None, sample_weight=None) -> Evidence:
    """Send X through the steps before the neuron, and y the way that its fit sends it.

    The neurons of a hidden layer have no target each: y is left out.

    Raises
    ------
    ValueError
        If X, y and sample_weight do not go together, or y is nothing that the loss can take.
    """
    inputs = inside.inputs(X)
    refuse_gaps(inputs, inside)
    inputs = check_array(inputs, accept_sparse="csr", dtype=np.float64)
    n_rows = inputs.shape[0]
    refuse_dates_for_weights(sample_weight, "sample_weight")
    weight = (
        np.ones(n_rows) if sample_weight is None else to_numpy(with_gaps(sample_weight)).ravel()
    )
    if len(weight) != n_rows:
        raise ValueError(f"sample_weight has {len(weight)} values, but X has {n_rows} rows.")
    if not (np.all(weight >= 0) and np.any(weight > 0)):
        raise ValueError("sample_weight must be >= 0, and not all zero.")
    class_weight = np.ones(n_rows)
    if is_layer(inside.neuron):
        y = None
    if y is not None:
        y = host_targets(y)
        y = y.ravel() if y.shape[1:] == (1,) else y
        if len(y) != n_rows:
            raise ValueError(f"y has {len(y)} values, but X has {n_rows} rows.")
        if bool(np.any(pd.isna(y))):
            raise ValueError("y contains missing values. Leave those rows out, of X and y.")
        targets = inside.neuron._fitted_targets()
        # "balanced" counts rows by their weights.
        both = inside.neuron._weight_classes(y, weight, targets)
        np.divide(both, weight, out=class_weight, where=weight > 0)
        y = inside.target.transform(y) if inside.target.is_transformed else y
        # Targets out of the activation's reach are a finding of `diagnose`, no news here.
        y = targets.encode_unchecked(y)
    return Evidence(inside, inputs, y, weight, class_weight)


def refuse_gaps(inputs, inside: Unfolded, who: str = "X") -> None:
    """Refuse missing and infinite values among a neuron's inputs."""
    if np.all(np.isfinite(inputs.data if sparse.issparse(inputs) else inputs)):
        return
    entries = sparse.coo_array(inputs)
    bad = ~np.isfinite(entries.data)
    row, column = min(zip(entries.row[bad].tolist(), entries.col[bad].tolist(), strict=True))
    what = "NaN" if np.isnan(entries.data[bad]).any() else "infinity"
    n_bad = int(bad.sum())
    raise ValueError(
        f"{who} contains {what} where it reaches the neuron: {n_bad} value{'s' * (n_bad > 1)}, the "
        f"first in row {row}, input {inside.input_names[column]!r}. Leave those rows out, or "
        "impute them as for the fit."
    )
