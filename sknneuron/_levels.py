"""What fitted neurons make of rows: z and levels."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._dispatch import wherever
from ._labels import ClassEncoder
from ._overflow import within_floats
from ._plain import by_rows, weighted_sum
from ._validation import checked
from ._values import ValueEncoder
from .sources.device_array import DeviceArray, to_host


class LevelsMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Gives estimators with `coef_` and `intercept_` their `pre_activation` and `transform`."""

    @abstractmethod
    def _fitted_targets(self) -> ValueEncoder | ClassEncoder:
        """What an earlier fit has learnt of y."""

    def _weights_2d(self):
        """coef_ and intercept_ as (n_neurons, n_features) and (n_neurons,)."""
        return np.atleast_2d(to_host(self.coef_)), np.atleast_1d(to_host(self.intercept_))

    @wherever
    def pre_activation(self, X):
        """Weighted sum and bias, ``z = X @ w + b``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        z : ndarray of shape (n_samples, n_neurons)
            In X's dtype.
        """
        if "coef_" in vars(self) and "feature_names_in_" not in vars(self):
            z = weighted_sum(X, *self._weights_2d())
            if z is not None:
                return z
        check_is_fitted(self)
        if type(X) is not DeviceArray:
            X = checked(self, X, reset=False)
        return self._weighted_sum(X)

    def _weighted_sum(self, X):
        coef, intercept = self._weights_2d()
        if isinstance(X, np.ndarray):
            X = by_rows(X)
        if type(X) is DeviceArray:
            z = X @ coef.astype(X.dtype, copy=False).T
            z += intercept.astype(X.dtype, copy=False)
            return z
        with np.errstate(over="ignore", invalid="ignore"):
            z = X @ coef.astype(X.dtype, copy=False).T
            z += intercept.astype(X.dtype, copy=False)
        return within_floats(z, X, coef, intercept)

    @wherever
    def transform(self, X):
        """Activation levels, ``activation(X @ w + b)``: what a next neuron would see.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        levels : ndarray of shape (n_samples, n_neurons)
            In X's dtype.
        """
        return self._levels(X)

    def _levels(self, X):
        z = self.pre_activation(X)
        return self._fitted_targets().pair.level(z)

    @property
    def _n_features_out(self) -> int:
        """Number of neurons, which scikit-learn's naming mixin asks for."""
        return len(self._weights_2d()[0])
