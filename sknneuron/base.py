"""What regressor, classifier and layer share: `fit`, from parameters to fitted attributes."""

from __future__ import annotations

import math
import time
from abc import ABCMeta, abstractmethod
from contextlib import closing, nullcontext

import numpy as np
from sklearn.base import BaseEstimator

from ._arrays import validated
from ._beginning import with_what_is_lacking
from ._callbacks import CallbackBridge
from ._class_weights import refuse_balance_of_parts
from ._device import at_home
from ._dispatch import reader_of, refuse_elsewhere
from ._earlier_fit import KeepingEarlierFit
from ._fit_warnings import column_names, warn_of_bad_fit
from ._held_out import validation_objective
from ._inputs import Inputs, checked_weight, look_at_columns
from ._labels import ClassEncoder
from ._levels import LevelsMixin
from ._odd import as_frame
from ._parameters import PLAIN_TYPES, check_parameters
from ._seeds import seed_of
from ._sklearn_compat import CallbackSupportMixin, PictureMixin, parameter_names, with_callbacks
from ._tracking.hook import tracked
from ._values import ValueEncoder
from .activations import ACTIVATIONS
from .coordinates import Coordinates
from .history import History, HistoryAttribute
from .losses import LOSSES
from .objective import Objective
from .penalties import ElasticNet
from .solvers import SOLVERS, Iterate, Solver, make_solver
from .solvers.stochastic import Stochastic
from .sources import ArraySource
from .sources._blas import single_threaded_blas
from .training import Measured, Outcome, Stopping, Training, columns_of_history

# Entries of a matrix, multiplications, and rows of a factor up to which BLAS stays on one thread of
# itself.
SMALL_MATRIX = 8192
SMALL_PRODUCT = 200_000
SMALL_FACTOR = 64
# Sizes of columns between which their squares, and the squares of those, can be computed with.
TINY, LARGE = 1e-140, 1e150


def is_worse(objective: Objective, theta, other) -> bool:
    """Whether `theta` is worse than another, on the watched rows."""
    watched = objective.over(objective.watched)
    with np.errstate(over="ignore", invalid="ignore"):
        return not watched.total(theta) <= watched.total(other)


class BaseNeuron(PictureMixin, CallbackSupportMixin, LevelsMixin, BaseEstimator, metaclass=ABCMeta):
    """One or several artificial neurons, ``activation(X @ w + b)``."""

    _constraints: dict[str, list]

    history_ = HistoryAttribute()

    def __getstate__(self):
        # What is saved has it in full.
        getattr(self, "history_", None)
        return super().__getstate__()

    # -- what regressor and classifier differ in ---------------------------------------------------

    @abstractmethod
    def _learn_targets(self, y, classes=None) -> ValueEncoder | ClassEncoder:
        """Look at y for the first time, and at the pair that parameters and y ask for."""

    def _weight_classes(self, y, sample_weight, targets):
        """Sample weights, times class weights in the classifier."""
        return sample_weight

    def _strata(self, y, n_validation):
        """What the validation split keeps the shares of: nothing, in a regressor."""
        return None

    # -- fitting -----------------------------------------------------------------------------------

    @tracked
    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the neuron on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; float32 and float64 are used as they are, never copied. Or a memory map,
            dask collection, array on a device or `ParquetSource`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets: numbers for the regressor, labels or a 0/1 indicator matrix for the classifier.
            None is for a `ParquetSource` that names their column.
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
        with KeepingEarlierFit(self):
            check_parameters(self, self._constraints)
            outcome = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        if outcome.interrupted:
            raise KeyboardInterrupt
        return self

    def _fit(self, X, y, sample_weight, validation) -> Outcome:
        with closing(reader_of(X)(self, X, y, sample_weight, validation)) as inputs:
            return self._train(inputs, X, y, sample_weight, were_given=validation[0] is not None)

    # A step out of what floats can hold shows by its value, and is not taken.
    @np.errstate(over="ignore", invalid="ignore")
    def _train(self, inputs: Inputs, X_given, y_given, sample_weight, *, were_given) -> Outcome:
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
                validation=validation_objective(self, objective, inputs.validation, were_given),
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

    @np.errstate(over="ignore", invalid="ignore")
    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One epoch over these rows alone, going on from where the last call ended."""
        check_parameters(self, self._constraints)
        refuse_balance_of_parts(self)
        first = not hasattr(self, "coef_")
        refuse_elsewhere(X)
        X = as_frame(X)
        look_at_columns(X)
        X, y = validated(self, X, y, reset=first)
        if sample_weight is not None:
            sample_weight = checked_weight(sample_weight, X, "sample_weight")
        targets = self._learn_targets(y, classes) if first else self._fitted_targets()
        weight = self._weight_classes(y, sample_weight, targets)
        source = ArraySource(X, targets.encode(y, weight=weight), weight)
        name = self.solver if SOLVERS.get(self.solver, Solver).is_stochastic else "adam"
        state = self._optimizer_state(name)
        coordinates = None if state is None else self._coordinates_of(state)
        # The best bias of rows that are all of one target is out of reach of others to come.
        beginning = with_what_is_lacking(source, targets) if first else source
        objective = self._checked_objective(beginning, targets, coordinates)
        solver = self._make_solver(name, objective)
        assert isinstance(solver, Stochastic)
        n_epochs = 0 if first else self.n_iter_
        rng = np.random.default_rng([self._seed(), n_epochs])
        began = time.perf_counter()
        start = objective.null() if first else self._earlier_theta(objective)
        if beginning is not source:
            state = solver.begin(objective)
            objective = objective.over(source)
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

    def _optimizer_state(self, solver: str) -> dict | None:
        """What the last `partial_fit` left, if steps go on by the same rule in as many weights."""
        state = getattr(self, "optimizer_state_", None)
        if state is None or self.solver_ != solver:
            return None
        n_weights = sum(map(np.size, self._weights()))
        n_weights -= 0 if self.fit_intercept else np.size(self.intercept_)
        return state if state["precondition"].size == n_weights else None

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
        return seed_of(self.random_state)

    def _checked_objective(self, source, targets, coordinates=None):
        objective = self._objective(source, targets, coordinates)
        self._check_targets(objective)
        at_null = objective.null_value
        self._check_sizes(objective.coordinates.scale)
        if not math.isfinite(at_null):
            raise ValueError(
                "The loss is not finite even with all weights at zero: y holds values too large to "
                "compute with (their squares overflow). Divide y by its size, with "
                "TransformedTargetRegressor say."
            )
        return objective

    def _check_targets(self, objective: Objective) -> None:
        """Refuse numbers whose squares vanish, where the loss takes those of any size."""
        if math.isfinite(objective.pair.loss.target_range[0]):
            return
        rows = objective.watched
        y = rows.y if rows.sample_weight is None else rows.y[rows.sample_weight > 0]
        spread = (np.maximum.reduce(y) - np.minimum.reduce(y)).max() if len(y) else 0.0
        if 0 < spread < TINY:
            raise ValueError(
                f"y holds values too small to compute with: they differ by {spread:.0e}, and the "
                "squares of that vanish. Divide y by its size."
            )

    def _check_sizes(self, scale) -> None:
        """Refuse columns whose squares overflow or underflow."""
        if np.minimum.reduce(scale) >= TINY and np.maximum.reduce(scale) < LARGE:
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
        theta = self._earlier_theta(objective, "warm_start=True", "Set warm_start=False")
        null = objective.null()
        # What is convex has one end, and from weights that are worse than none the way there may be
        # lost: in other units, say, where exponentials overflow.
        return null if objective.convex and is_worse(objective, theta, null) else theta

    def _earlier_theta(
        self, objective: Objective, who="partial_fit", remedy="Fit a fresh estimator"
    ):
        """Weights of the earlier fit, which `who` goes on from."""
        weights = self._weights()
        for given, needed in zip(weights, objective.weight_shapes, strict=True):
            if given.shape != needed:
                raise ValueError(
                    f"{who} goes on from weights of shape {given.shape}, but these data and "
                    f"parameters need {needed}. {remedy}."
                )
            if not np.all(np.isfinite(given)):
                raise ValueError(
                    f"{who} goes on from the weights of the earlier fit, and they hold "
                    f"{given[~np.isfinite(given)][0]}. {remedy}."
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
        self.history_ = history

    def _callbacks(self, X, y, sample_weight, targets) -> CallbackBridge | None:
        # A callback context costs microseconds per iterate: none without callbacks.
        if not getattr(self, "_skl_callbacks", None):
            return None

        def attributes(*weights, **reached):
            learnt = {**self._target_attributes(targets), **reached}
            return {**learnt, **self._weight_attributes(targets, weights)}

        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        return CallbackBridge(self, X, y, metadata, attributes)

    # -- what scikit-learn asks of an estimator ----------------------------------------------------

    @classmethod
    def _get_param_names(cls):
        return list(parameter_names(cls))

    def set_params(self, **params):
        """Set parameters by name, those of an activation or a loss as ``loss__quantile``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For a name that is no parameter, and for parameters of what is given as a word.
        """
        for name in params:
            own, _, inner = name.partition("__")
            value = params.get(own, getattr(self, own, None))
            if inner and isinstance(value, str):
                kind = {**ACTIVATIONS, **LOSSES}.get(value)
                raise ValueError(
                    f"{name} is a parameter of an instance, and {own}={value!r} is a word. Give "
                    f"{own}={kind.__name__ + '()' if kind else 'an instance'} first."
                )
        return super().set_params(**params)

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
