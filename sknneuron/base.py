"""What regressor and classifier share: `fit` from parameters to fitted attributes, and z."""

from __future__ import annotations

import time
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._callbacks import CallbackBridge
from ._fit_warnings import column_names, warn_of_bad_fit, warn_of_other_scale
from ._parameters import check_parameters
from ._sklearn_compat import CallbackSupportMixin, check_sample_weight, with_callbacks
from ._targets import ClassEncoder, ValueEncoder
from ._tracking.hook import tracked
from .history import History
from .objective import Coordinates, Objective
from .penalties import ElasticNet
from .solvers import SOLVERS, Iterate, Solver, make_solver
from .solvers.stochastic import Stochastic
from .sources import ArraySource
from .sources._blas import available_threads, single_threaded_blas
from .training import Outcome, Stopping, Training, describe

# Entries of X below which threads cost more than they bring.
SMALL = 8192
# Multiplications below which BLAS stays on one thread of itself.
SMALL_PRODUCT = 200_000
# Bytes of X up to which `predict` copies what is not stored by rows.
REORDERED = 64 << 20
DTYPES = [np.float64, np.float32]
# Sizes of columns between which their squares, and the squares of those, can be computed with.
TINY, LARGE = 1e-140, 1e150


class BaseNeuron(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """One or several artificial neurons, ``activation(X @ w + b)``."""

    _constraints: dict[str, list]

    # -- what regressor and classifier differ in ---------------------------------------------------

    @abstractmethod
    def _learn_targets(self, y, classes=None) -> ValueEncoder | ClassEncoder:
        """Look at y for the first time, and at the pair that parameters and y ask for."""

    @abstractmethod
    def _fitted_targets(self) -> ValueEncoder | ClassEncoder:
        """What an earlier fit has learnt of y."""

    # -- fitting -----------------------------------------------------------------------------------

    @tracked
    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the neuron on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; float32 and float64 are used as they are, never copied.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: numbers for the regressor, labels or a 0/1 indicator matrix for the classifier.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of k counts as k copies of the row.
        X_val, y_val, sample_weight_val : array-like, default=None
            Validation rows: their loss is recorded at each iterate, and with
            ``early_stopping=True`` decides when to stop. In a Pipeline, send X_val through the same
            steps with ``Pipeline(..., transform_input=["X_val"])``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For bad parameters and bad input, before any work; an earlier fit stays whole.

        Warns
        -----
        ConvergenceWarning
            If the optimum was not reached; the message says why and what would do.
        NeuronWarning
            If the neuron is dead, predicts a constant, or a penalty acts on columns in small units.
        """
        with keeping_earlier_fit(self):
            check_parameters(self, self._constraints)
            outcome = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        if outcome.interrupted:
            raise KeyboardInterrupt
        return self

    def _fit(self, X, y, sample_weight, validation) -> Outcome:
        X_given, y_given = X, y
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=DTYPES, multi_output=True, y_numeric=False
        )
        if sample_weight is not None:
            sample_weight = _checked_weight(sample_weight, X, "sample_weight")
        targets = self._learn_targets(y)
        weight = self._weight_classes(y, sample_weight)
        validation = self._checked_validation(*validation)
        if self.early_stopping and validation is None:
            X, y, weight, validation = self._split(X, y, weight)
        source = ArraySource(X, targets.encode(y), weight, n_threads=self._n_threads(X))
        size = X.shape[1] * (targets.n_neurons if targets.pair.coupled else 1)
        small = X.shape[0] * size**2 <= SMALL_PRODUCT
        with nullcontext() if small else single_threaded_blas():
            objective = self._objective(source, targets.pair, targets.n_neurons)
            start = self._start(objective)
            solver = make_solver(self.solver, objective, **self._solver_options())
            callbacks = self._callbacks(X_given, y_given, sample_weight, targets)
            outcome = Training(
                objective,
                Stopping(self.max_iter, self.tol, self.n_iter_no_change, self.early_stopping),
                history := History(self.record, self._earlier_history()),
                validation=self._validation_objective(objective, validation, targets),
                on_iterate=callbacks,
                verbose=int(self.verbose),
                name=type(self).__name__,
            ).run(solver, start, np.random.default_rng(self._seed()))
            self._store(outcome, history, targets, solver.name)
            # Momentum and rates of an earlier partial_fit belong to weights that are gone.
            self.__dict__.pop("optimizer_state_", None)
            if callbacks is not None:
                callbacks.end(outcome.coef, outcome.intercept)
            warn_of_bad_fit(self, objective, outcome)
        return outcome

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One epoch over these rows alone, going on from where the last call ended."""
        check_parameters(self, self._constraints)
        first = not hasattr(self, "coef_")
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=DTYPES, multi_output=True, reset=first
        )
        if sample_weight is not None:
            sample_weight = _checked_weight(sample_weight, X, "sample_weight")
        targets = self._learn_targets(y, classes) if first else self._fitted_targets()
        weight = self._weight_classes(y, sample_weight)
        source = ArraySource(X, targets.encode(y), weight)
        state = getattr(self, "optimizer_state_", None)
        coordinates = None if state is None else Coordinates(state["center"], state["scale"])
        objective = self._objective(source, targets.pair, targets.n_neurons, coordinates)
        name = self.solver if SOLVERS.get(self.solver, Solver).is_stochastic else "adam"
        solver = make_solver(name, objective, **self._solver_options())
        n_epochs = 0 if first else self.n_iter_
        rng = np.random.default_rng([self._seed(), n_epochs])
        began = time.perf_counter()
        start = objective.null() if first else objective.from_weights(*self._weights_2d())
        assert isinstance(solver, Stochastic)
        theta, self.optimizer_state_ = solver.epoch(objective, start, state, rng)
        if not np.all(np.isfinite(theta)):
            raise ValueError(
                f"partial_fit diverged with learning_rate_init={self.learning_rate_init!r}: lower "
                "it, or leave it at 'auto'. The weights are as they were before this call."
            )
        history = History(self.record, getattr(self, "history_", None))
        value, gradient = objective.value_and_gradient(theta)
        norm = objective.weight_gradient_norm(gradient)
        entry = describe(Iterate(theta, float(value.sum()), norm, objective))
        history.append({**entry, "iteration": 0, "elapsed": time.perf_counter() - began})
        coef, intercept = objective.to_weights(theta)
        outcome = Outcome(coef, intercept, entry["objective"], n_epochs + 1, False, "")
        self._store(outcome, history, targets, name)
        return self

    def _solver_options(self) -> dict:
        return {
            "batch_size": self.batch_size,
            "learning_rate_init": self.learning_rate_init,
            "momentum": self.momentum,
        }

    def _seed(self) -> int:
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _weights_2d(self):
        """coef_ and intercept_ as (n_neurons, n_features) and (n_neurons,)."""
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)

    def _objective(self, source, pair, n_neurons, coordinates: Coordinates | None = None):
        penalty = ElasticNet(self.alpha, self.l1_ratio)
        with np.errstate(over="ignore", invalid="ignore"):
            objective = Objective(
                source,
                pair,
                penalty,
                n_neurons,
                fit_intercept=self.fit_intercept,
                coordinates=coordinates,
            )
            at_null = objective.null_value
        self._check_sizes(objective.coordinates.scale)
        if not np.isfinite(at_null):
            raise ValueError(
                "The loss is not finite even with all weights at zero: y holds values too large to "
                "compute with (their squares overflow). Divide y by its size, with "
                "TransformedTargetRegressor say."
            )
        return objective

    def _check_sizes(self, scale) -> None:
        """Refuse columns whose squares overflow or underflow."""
        for bad, size, fate in (
            (~(scale < LARGE), "large", "overflow"),
            (scale < TINY, "small", "vanish"),
        ):
            if bad.any():
                columns = np.flatnonzero(bad)
                raise ValueError(
                    f"X holds values too {size} to compute with: those of "
                    f"{column_names(self, columns)} are about {scale[columns[0]]:.0e} in size, and "
                    f"their squares {fate}. Divide the columns by their size, with StandardScaler "
                    "say."
                )

    def _start(self, objective: Objective):
        if not (self.warm_start and hasattr(self, "coef_")):
            return objective.null()
        coef, intercept = self._weights_2d()
        expected = (objective.n_neurons, objective.n_features)
        if coef.shape != expected:
            raise ValueError(
                f"warm_start=True goes on from weights of shape {coef.shape}, but these data need "
                f"{expected}. Fit a fresh estimator, or set warm_start=False."
            )
        return objective.from_weights(coef, intercept)

    def _earlier_history(self):
        return getattr(self, "history_", None) if self.warm_start else None

    def _store(self, outcome: Outcome, history: History, targets, solver: str) -> None:
        for name, value in targets.attributes.items():
            setattr(self, name, value)
        self.coef_, self.intercept_ = targets.shape_weights(outcome.coef, outcome.intercept)
        self.solver_ = solver
        self.n_iter_ = max(outcome.n_iter, 1)
        self.objective_ = outcome.objective
        self.converged_ = outcome.converged
        self.history_ = history.to_dict()

    def _weight_classes(self, y, sample_weight):
        """Sample weights, times class weights in the classifier."""
        return sample_weight

    def _n_threads(self, X) -> int:
        if X.shape[0] * X.shape[1] <= SMALL:
            return 1
        return available_threads() if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    # -- validation rows ---------------------------------------------------------------------------

    def _checked_validation(self, X_val, y_val, weight):
        if X_val is None:
            if y_val is not None or weight is not None:
                raise ValueError("y_val and sample_weight_val need X_val: pass X_val and y_val.")
            return None
        if y_val is None:
            raise ValueError("X_val was given without y_val: pass both, or neither.")
        X_val, y_val = validate_data(
            self, X_val, y_val, accept_sparse="csr", dtype=DTYPES, multi_output=True, reset=False
        )
        if weight is not None:
            weight = _checked_weight(weight, X_val, "sample_weight_val")
        return X_val, y_val, weight

    def _split(self, X, y, weight):
        """Set a `validation_fraction` of the rows apart."""
        n_validation = int(np.ceil(self.validation_fraction * X.shape[0]))
        if X.shape[0] - n_validation < 1:
            raise ValueError(
                f"early_stopping=True sets {n_validation} of {X.shape[0]} rows apart for "
                "validation and leaves none to train on. Give more rows, a smaller "
                "validation_fraction, or early_stopping=False."
            )
        rows, validation_rows = train_test_split(
            np.arange(X.shape[0]),
            test_size=n_validation,
            random_state=self._seed(),
            stratify=self._strata(y, n_validation),
        )

        def take(r):
            return X[r], y[r], None if weight is None else weight[r]

        return *take(rows), take(validation_rows)

    def _strata(self, y, n_validation):
        """What the validation split keeps the shares of: nothing, in a regressor."""
        return None

    def _validation_objective(self, objective, validation, targets):
        if validation is None:
            return None
        X_val, y_val, weight = validation
        source = ArraySource(X_val, targets.encode(y_val, "y_val"), weight)
        warn_of_other_scale(self, objective, source)
        return objective.over(source)

    def _callbacks(self, X, y, sample_weight, targets) -> CallbackBridge | None:
        # A callback context costs microseconds per iterate: none without callbacks.
        if not getattr(self, "_skl_callbacks", None):
            return None

        def attributes(coef, intercept):
            coef, intercept = targets.shape_weights(coef, intercept)
            return {**targets.attributes, "coef_": coef, "intercept_": intercept}

        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        return CallbackBridge(self, X, y, metadata, attributes)

    # -- looking through the neuron ----------------------------------------------------------------

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
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=DTYPES, reset=False)
        return self._weighted_sum(X)

    def _weighted_sum(self, X):
        coef, intercept = self._weights_2d()
        if isinstance(X, np.ndarray) and X.nbytes <= REORDERED:
            # The order of memory decides the last bit of a sum: the same rows shall give the same
            # level as a DataFrame, which is stored by columns, and as an array.
            X = np.ascontiguousarray(X)
        z = X @ coef.astype(X.dtype, copy=False).T
        z += intercept.astype(X.dtype, copy=False)
        return z

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
        return np.atleast_2d(self.coef_).shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _checked_weight(weight, X, name):
    weight = check_sample_weight(weight, X)
    if not weight.any():
        raise ValueError(
            f"All values of {name} are zero, so no row counts. Give at least one row a weight > 0."
        )
    return weight


@contextmanager
def keeping_earlier_fit(estimator) -> Iterator[None]:
    """Put the fitted attributes back as they were if what is inside fails."""
    before = {name: value for name, value in vars(estimator).items() if _is_fitted_name(name)}
    try:
        yield
    except BaseException:
        for name in [name for name in vars(estimator) if _is_fitted_name(name)]:
            delattr(estimator, name)
        for name, value in before.items():
            setattr(estimator, name, value)
        raise


def _is_fitted_name(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")
