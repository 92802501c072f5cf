"""What regressor and classifier share: `fit` from parameters to fitted attributes, and z."""

from __future__ import annotations

import time
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from numbers import Integral
from threading import Lock

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._callbacks import CallbackBridge
from ._device import at_home
from ._dispatch import columns_of, reader_of, refuse_elsewhere, wherever
from ._fit_warnings import column_names, warn_of_bad_fit, warn_of_other_scale
from ._inputs import Inputs, checked_weight, look_at_columns
from ._parameters import PLAIN_TYPES, check_parameters
from ._plain import by_rows, is_plain_training_set, weighted_sum
from ._sklearn_compat import CallbackSupportMixin, PictureMixin, parameter_names, with_callbacks
from ._targets import ClassEncoder, ValueEncoder
from ._tracking.hook import tracked
from ._validation import checked
from .coordinates import Coordinates
from .history import History
from .objective import Objective
from .penalties import ElasticNet
from .solvers import SOLVERS, Iterate, Solver, make_solver
from .solvers.stochastic import Stochastic
from .sources import ArraySource, ParquetSource
from .sources._blas import available_threads, single_threaded_blas
from .sources.device_array import DeviceArray, to_host
from .training import Measured, Outcome, Stopping, Training, columns_of_history

# Entries of X below which threads cost more than they bring.
SMALL = 1 << 19
# Entries of a matrix, multiplications, and rows of a factor up to which BLAS stays on one thread of
# itself.
SMALL_MATRIX = 8192
SMALL_PRODUCT = 200_000
SMALL_FACTOR = 64
# Sizes of columns between which their squares, and the squares of those, can be computed with.
TINY, LARGE = 1e-140, 1e150


class BaseNeuron(
    PictureMixin,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """One or several artificial neurons, ``activation(X @ w + b)``."""

    _constraints: dict[str, list]

    @classmethod
    def _get_param_names(cls):
        return list(parameter_names(cls))

    def __sklearn_clone__(self):
        """Return an unfitted estimator with the same parameters.

        scikit-learn copies each by itself. A grid does so twice a fit, and there is nothing to copy
        in numbers, words and switches.
        """
        values = self.get_params(deep=False)
        is_plain = PLAIN_TYPES.issuperset(map(type, values.values()))
        # What was asked for beside parameters, metadata or containers of output, has a name so.
        if is_plain and not any(name.startswith("_") for name in vars(self)):
            clone = type(self)(**values)
            # Another is an error, which scikit-learn words.
            if all(getattr(clone, name) is value for name, value in values.items()):
                return clone
        return super().__sklearn_clone__()

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
            ``early_stopping=True`` decides when to stop. X_val has to come through the same steps
            as X. A Pipeline does it after ``sklearn.set_config(enable_metadata_routing=True)``,
            with ``set_fit_request(X_val=True, y_val=True)`` on the neuron and
            ``Pipeline(..., transform_input=["X_val"])``.

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
        with closing(self._read(X, y, sample_weight, validation)) as inputs:
            return self._train(inputs, X, y, sample_weight)

    def _read(self, X, y, sample_weight, validation) -> Inputs:
        """Check what `fit` was given, and make it a source of rows."""
        reader = reader_of(X)
        if reader is not None:
            return reader(self, X, y, sample_weight, validation)
        look_at_columns(X)
        X, y = self._validated(X, y)
        if sample_weight is not None:
            sample_weight = checked_weight(sample_weight, X, "sample_weight")
        targets = self._learn_targets(y)
        weight = self._weight_classes(y, sample_weight, targets)
        validation = self._checked_validation(*validation)
        if self.early_stopping and validation is None:
            X, y, weight, validation = self._split(X, y, weight)
        source = ArraySource(X, targets.encode(y), weight, n_threads=self._n_threads(X))
        if validation is not None:
            X_val, y_val, weight_val = validation
            validation = ArraySource(X_val, targets.encode(y_val, "y_val"), weight_val)
        return Inputs(source, targets, validation)

    def _train(self, inputs: Inputs, X_given, y_given, sample_weight) -> Outcome:
        source, targets = inputs.source, inputs.targets
        with nullcontext() if self._is_small(source, targets) else single_threaded_blas():
            objective = self._checked_objective(source, targets)
            start = self._start(objective)
            solver = self._make_solver(self.solver, objective)
            callbacks = self._callbacks(X_given, y_given, sample_weight, targets)
            outcome = Training(
                objective,
                Stopping(
                    self.max_iter, self._tol_for(solver), self.n_iter_no_change, self.early_stopping
                ),
                history := History(self.record, self._earlier_history()),
                validation=self._validation_objective(objective, inputs.validation),
                on_iterate=callbacks,
                verbose=int(self.verbose),
                name=type(self).__name__,
            ).run(solver, start, np.random.default_rng(self._seed()) if solver.is_random else None)
            self._store(outcome, history, targets, solver.name, inputs.home)
            # Momentum and rates of an earlier partial_fit belong to weights that are gone.
            self.__dict__.pop("optimizer_state_", None)
            if callbacks is not None:
                callbacks.end(*outcome.weights, n_iter_=self.n_iter_, objective_=self.objective_)
            self._warn_of_bad_fit(self, objective, outcome)
        return outcome

    def _validated(self, X, y):
        """Rows and targets as training takes them, and what is kept about X's columns."""
        if not is_plain_training_set(X, y, self._n_threads):
            return checked(self, X, y, multi_output=True, y_numeric=False)
        self.n_features_in_ = X.shape[1]
        self.__dict__.pop("feature_names_in_", None)
        return X, y

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One epoch over these rows alone, going on from where the last call ended."""
        check_parameters(self, self._constraints)
        first = not hasattr(self, "coef_")
        refuse_elsewhere(X)
        look_at_columns(X)
        X, y = checked(self, X, y, multi_output=True, reset=first)
        if sample_weight is not None:
            sample_weight = checked_weight(sample_weight, X, "sample_weight")
        targets = self._learn_targets(y, classes) if first else self._fitted_targets()
        weight = self._weight_classes(y, sample_weight, targets)
        source = ArraySource(X, targets.encode(y), weight)
        state = getattr(self, "optimizer_state_", None)
        coordinates = None if state is None else self._coordinates_of(state)
        objective = self._checked_objective(source, targets, coordinates)
        name = self.solver if SOLVERS.get(self.solver, Solver).is_stochastic else "adam"
        solver = self._make_solver(name, objective)
        n_epochs = 0 if first else self.n_iter_
        rng = np.random.default_rng([self._seed(), n_epochs])
        began = time.perf_counter()
        start = objective.null() if first else objective.from_weights(*self._weights())
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
        reached = Iterate(theta, float(value.sum()), norm, objective)
        elapsed = time.perf_counter() - began
        columns = columns_of_history(objective, [Measured.of(reached, 0, elapsed)])
        history.extend(columns)
        weights = objective.to_weights(theta)
        outcome = Outcome(weights, float(columns["objective"][0]), n_epochs + 1, False, "")
        self._store(outcome, history, targets, name)
        return self

    # -- what a layer does otherwise ---------------------------------------------------------------

    _warn_of_bad_fit = staticmethod(warn_of_bad_fit)
    _solver_for = staticmethod(make_solver)

    def _tol_for(self, solver: Solver):
        """Tolerance of the training loop."""
        return self.tol

    def _is_small(self, source, targets) -> bool:
        """Whether BLAS would take no second thread to any product or factor."""
        columns, size = self._matrix_sizes(source.n_features, targets)
        entries = source.n_rows * columns
        return entries <= SMALL_MATRIX and entries * size <= SMALL_PRODUCT and size <= SMALL_FACTOR

    def _matrix_sizes(self, n_features: int, targets) -> tuple[int, int]:
        """Columns of the rows' matrix, and number of all neurons' weights."""
        columns = n_features + 1
        return columns, columns * targets.n_neurons

    def _objective(self, source, targets, coordinates=None) -> Objective:
        """The objective over the rows of `source`, in these coordinates or its own."""
        return Objective(
            source,
            targets.pair,
            ElasticNet(self.alpha, self.l1_ratio),
            targets.n_neurons,
            fit_intercept=self.fit_intercept,
            coordinates=coordinates,
        )

    def _coordinates_of(self, state):
        """The coordinates that an earlier `partial_fit` worked in."""
        return Coordinates(state["center"], state["scale"])

    def _weights(self) -> tuple:
        """Fitted weights and biases in the objective's shapes and order."""
        return self._weights_2d()

    def _target_attributes(self, targets) -> dict:
        """Fitted attributes that say what was learnt of y."""
        return targets.attributes

    def _weight_attributes(self, targets, weights) -> dict:
        """Fitted attributes that hold weights and biases."""
        coef, intercept = targets.shape_weights(*weights)
        return {"coef_": coef, "intercept_": intercept}

    # -- steps of a fit ----------------------------------------------------------------------------

    def _make_solver(self, name: str, objective: Objective) -> Solver:
        return self._solver_for(
            name,
            objective,
            batch_size=self.batch_size,
            learning_rate_init=self.learning_rate_init,
            momentum=self.momentum,
        )

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return first_draw(int(self.random_state))
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _weights_2d(self):
        """coef_ and intercept_ as (n_neurons, n_features) and (n_neurons,)."""
        return np.atleast_2d(to_host(self.coef_)), np.atleast_1d(to_host(self.intercept_))

    def _checked_objective(self, source, targets, coordinates=None):
        with np.errstate(over="ignore", invalid="ignore"):
            objective = self._objective(source, targets, coordinates)
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
        if scale.min() >= TINY and scale.max() < LARGE:
            return
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
        weights = self._weights()
        expected = objective.weight_shapes
        for given, needed in zip(weights, expected, strict=True):
            if given.shape != needed:
                raise ValueError(
                    f"warm_start=True goes on from weights of shape {given.shape}, but these data "
                    f"need {needed}. Fit a fresh estimator, or set warm_start=False."
                )
            if not np.all(np.isfinite(given)):
                raise ValueError(
                    "warm_start=True goes on from the weights of the earlier fit, and they hold "
                    f"{given[~np.isfinite(given)][0]}. Set warm_start=False."
                )
        return objective.from_weights(*weights)

    def _earlier_history(self):
        return getattr(self, "history_", None) if self.warm_start else None

    def _store(self, outcome: Outcome, history: History, targets, solver: str, home=None) -> None:
        for name, value in self._target_attributes(targets).items():
            # Labels may be words, so classes_ is numpy's everywhere. scikit-learn's checks want all
            # other attributes where X is, a layer's output_classes_ among them.
            setattr(self, name, value if name == "classes_" else at_home(home, value))
        for name, value in self._weight_attributes(targets, outcome.weights).items():
            setattr(self, name, at_home(home, value))
        self.solver_ = solver
        self.n_iter_ = max(outcome.n_iter, 1)
        self.objective_ = outcome.objective
        self.converged_ = outcome.converged
        self.history_ = history.to_dict()

    def _weight_classes(self, y, sample_weight, targets):
        """Sample weights, times class weights in the classifier."""
        return sample_weight

    def _n_threads(self, X) -> int:
        if X.shape[0] * X.shape[1] <= SMALL:
            return 1
        return available_threads() if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    # -- validation rows ---------------------------------------------------------------------------

    def _checked_validation(self, X_val, y_val, weight):
        if isinstance(X_val, ParquetSource):
            names = X_val.feature_names
            X_val, y_val, weight = columns_of(X_val, y_val, weight)
            if "feature_names_in_" in vars(self):
                X_val = pd.DataFrame(X_val, columns=names, copy=False)
        if X_val is None:
            if y_val is not None or weight is not None:
                raise ValueError("y_val and sample_weight_val need X_val: pass X_val and y_val.")
            return None
        if y_val is None:
            raise ValueError("X_val was given without y_val: pass both, or neither.")
        X_val, y_val = checked(self, X_val, y_val, multi_output=True, reset=False)
        if weight is not None:
            weight = checked_weight(weight, X_val, "sample_weight_val")
        return X_val, y_val, weight

    def _split(self, X, y, weight):
        """Set a `validation_fraction` of the rows apart."""
        rows, validation_rows = self._split_rows(X.shape[0], y)

        def take(r):
            return X[r], y[r], None if weight is None else weight[r]

        return *take(rows), take(validation_rows)

    def _split_rows(self, n_rows: int, y):
        """Numbers of the rows to train on, and of those set apart."""
        n_validation = int(np.ceil(self.validation_fraction * n_rows))
        if n_rows - n_validation < 1:
            raise ValueError(
                f"early_stopping=True sets {n_validation} of n_samples={n_rows} apart for "
                "validation and leaves none to train on. Give more rows, a smaller "
                "validation_fraction, or early_stopping=False."
            )
        return train_test_split(
            np.arange(n_rows),
            test_size=n_validation,
            random_state=self._seed(),
            stratify=self._strata(y, n_validation),
        )

    def _strata(self, y, n_validation):
        """What the validation split keeps the shares of: nothing, in a regressor."""
        return None

    def _validation_objective(self, objective, source):
        if source is None:
            return None
        warn_of_other_scale(self, objective, source)
        return objective.over(source)

    def _callbacks(self, X, y, sample_weight, targets) -> CallbackBridge | None:
        # A callback context costs microseconds per iterate: none without callbacks.
        if not getattr(self, "_skl_callbacks", None):
            return None

        def attributes(*weights, **reached):
            learnt = {**self._target_attributes(targets), **reached}
            return {**learnt, **self._weight_attributes(targets, weights)}

        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        return CallbackBridge(self, X, y, metadata, attributes)

    # -- looking through the neuron ----------------------------------------------------------------

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
        z = X @ coef.astype(X.dtype, copy=False).T
        z += intercept.astype(X.dtype, copy=False)
        return z

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

    def _picture(self) -> str:
        """Diagram of a fitted neuron, for notebooks."""
        if not hasattr(self, "coef_"):
            return ""
        from .inspection import NeuronDisplay, unfold

        return NeuronDisplay(unfold(self)).to_svg()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags


_generator, _lock = np.random.RandomState(0), Lock()


def first_draw(seed: int) -> int:
    """The number that a fresh ``RandomState(seed)`` draws first.

    To make one takes as long as a pass over many rows; to seed one again, next to nothing.
    """
    with _lock:
        _generator.seed(seed)
        return _generator.randint(np.iinfo(np.int32).max)


@contextmanager
def keeping_earlier_fit(estimator) -> Iterator[None]:
    """Put the fitted attributes back as they were if what is inside fails."""
    before = {name: getattr(estimator, name) for name in _fitted_names(estimator)}
    try:
        yield
    except BaseException:
        for name in _fitted_names(estimator):
            delattr(estimator, name)
        for name, value in before.items():
            setattr(estimator, name, value)
        raise


def _fitted_names(estimator) -> list[str]:
    return [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]
