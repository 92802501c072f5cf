"""`NeuronRegressor` and `NeuronClassifier`: the public estimators."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from . import _special as special
from ._class_weights import class_weighted
from ._dispatch import scorer_of, wherever
from ._earlier_fit import KeepingEarlierFit
from ._labels import ClassEncoder, find_classes, strata, warn_of_one_hot
from ._parameters import CLASSIFIER_CONSTRAINTS, CONSTRAINTS
from ._plain import plain_accuracy, plain_r2
from ._values import ValueEncoder, numeric
from .base import BaseNeuron
from .pairing import make_pair


class NeuronRegressor(RegressorMixin, BaseNeuron):
    r"""Artificial neurons that predict numbers, ``activation(X @ w + b)``.

    Each column of y is one neuron. The weights minimise

    .. math::

        \frac{\sum_i s_i \sum_k \mathrm{loss}(y_{ik}, f(x_i \cdot w_k + b_k))}{\sum_i s_i}
        + \alpha \left(\rho \|W\|_1 + \frac{1 - \rho}{2} \|W\|_2^2\right)

    with the activation f and :math:`\rho` = `l1_ratio`; the bias is never penalised.

    Parameters
    ----------
    activation : str or Activation, default="identity"
        A key of ``sknneuron.activations.ACTIVATIONS`` except "softmax", or an instance.
    loss : str or Loss, default="squared_error"
        A key of ``sknneuron.losses.LOSSES`` except the hinges, or an instance such as
        ``Quantile(quantile=0.9)``. Pairs that make no sense are refused with what would do.
    alpha : float, default=1e-4
        Strength of the penalty, in [0, inf). Beside scikit-learn: ``1 / (C * n_samples)`` of
        LogisticRegression, ``1 / n_samples`` times that of Ridge.
    l1_ratio : float, default=0
        Share of the L1 penalty, in [0, 1].
    fit_intercept : bool, default=True
        Whether the neuron has a bias.
    solver : str, default="auto"
        "auto" chooses by penalty, convexity, size and sparsity, and `solver_` says what. Otherwise
        "least_squares", "newton", "lbfgs", "proximal_newton", "levenberg_marquardt", "sgd" or
        "adam".
    max_iter : int, default=1000
        Most iterations, at least 1; epochs for "sgd" and "adam".
    tol : float or "auto", default="auto"
        How far from the optimum training may end, from 0 on: a share of what there was to gain from
        the best neuron with a bias alone. "auto" is 1e-8, and less where that leaves weights
        visibly off. For "sgd" and "adam" the least relative improvement over `n_iter_no_change`
        epochs, 1e-4 with "auto".
    batch_size : int, default=256
        Rows per step of "sgd" and "adam", at least 1; fewer where an epoch would have less than
        eight steps.
    learning_rate_init : float or "auto", default="auto"
        First step size of "sgd" and "adam", positive, in standardised columns; "auto" takes it from
        the curvature.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1).
    early_stopping : bool, default=False
        Stop when the validation loss has not improved for `n_iter_no_change` iterations, and keep
        the best iterate.
    validation_fraction : float, default=0.1
        Share of the rows, in (0, 1), set apart for `early_stopping` where `fit` gets no X_val.
    n_iter_no_change : int, default=10
        Patience of "sgd", "adam" and `early_stopping`, at least 1.
    record : {"auto", "loss"} or bool, default="auto"
        What `history_` keeps. "auto": weights and curves, thinned evenly past 2 MiB; True: all of
        them; "loss": the curves; False: nothing.
    warm_start : bool, default=False
        Go on from the weights of the earlier fit.
    random_state : int, RandomState instance or None, default=None
        For "sgd", "adam", the validation split and the starts of pairs that are not convex. Other
        fits are the same each time.
    n_jobs : int or None, default=None
        Threads, not 0. None is as many as BLAS would use here, -1 all cores. Results do not depend
        on it.
    verbose : int, default=0
        1 prints a line an iteration.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights, float64; two-dimensional if y was.
    intercept_ : float or ndarray of shape (n_targets,)
        Bias of each neuron.
    n_iter_ : int
        Iterations done.
    objective_ : float
        The objective reached, penalty included.
    converged_ : bool
        Whether the promise of `tol` holds, as far as the solver can tell.
    solver_ : str
        The solver that did it.
    history_ : dict of ndarray
        One entry per recorded iterate, the start included: iteration, n_rows, elapsed (seconds),
        loss, penalty, objective, gradient_norm, step_size, coef (n_entries, n_neurons, n_features),
        intercept (n_entries, n_neurons), and where they apply validation_loss, dead_fraction and
        saturated_fraction (n_entries, n_neurons).
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string names.

    See Also
    --------
    NeuronClassifier : Neurons that predict classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sknneuron import NeuronRegressor
    >>> square_feet = np.array([[800.0], [1200.0], [1500.0], [2400.0]])
    >>> price = np.array([90_000.0, 130_000.0, 160_000.0, 250_000.0])
    >>> neuron = NeuronRegressor(alpha=0).fit(square_feet, price)
    >>> neuron.coef_.round(6)
    array([100.])
    >>> round(neuron.intercept_, 6)
    10000.0
    >>> neuron.predict([[2000.0]]).round(6)
    array([210000.])
    """

    _constraints = CONSTRAINTS

    def __init__(
        self,
        activation="identity",
        loss="squared_error",
        *,
        alpha=1e-4,
        l1_ratio=0.0,
        fit_intercept=True,
        solver="auto",
        max_iter=1000,
        tol="auto",
        batch_size=256,
        learning_rate_init="auto",
        momentum=0.9,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        record="auto",
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.activation = activation
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.record = record
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one stochastic epoch on these rows, going on from the last call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            For bad parameters and bad input, and where the steps diverge; the weights are then as
            they were.

        Notes
        -----
        The rule of a step is `solver` if that is "sgd" or "adam", else that of "adam".
        """
        with KeepingEarlierFit(self):
            return self._partial_fit(X, y, sample_weight)

    @wherever
    def predict(self, X):
        """Activation levels as predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In X's dtype.
        """
        levels = self._levels(X)
        return levels[:, 0] if self.coef_.ndim == 1 else levels

    def score(self, X, y=None, sample_weight=None):
        """R2, the share of the targets' variance that the predictions explain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            None is for a `ParquetSource` that names their column.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            At most 1; a mean over targets where there are several.
        """
        if sample_weight is None and type(X) is np.ndarray:
            score = plain_r2(y, self.predict(X))
            if score is not None:
                return score
        return scorer_of(self, X, super().score)(X, y, sample_weight)

    def _learn_targets(self, y, classes=None):
        y = numeric(y)
        n_neurons = 1 if y.ndim == 1 else y.shape[1]
        return ValueEncoder(make_pair(self.activation, self.loss), n_neurons, y.ndim == 1)

    def _fitted_targets(self):
        is_1d = self.coef_.ndim == 1
        n_neurons = 1 if is_1d else self._n_features_out
        return ValueEncoder(make_pair(self.activation, self.loss), n_neurons, is_1d)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        try:
            pair = make_pair(self.activation, self.loss)
        except (TypeError, ValueError):
            # Tags are asked of misconfigured estimators too; `fit` words what is wrong.
            return tags
        tags.target_tags.positive_only = pair.loss.target_range[0] >= 0
        tags.regressor_tags.poor_score = not np.all(np.isinf(pair.activation.range))
        return tags


def _gives_probabilities(estimator) -> bool:
    """Whether the loss leaves the classifier with probabilities; a margin has none."""
    loss = estimator._names()[1]
    if loss.endswith("hinge"):
        raise AttributeError(
            f"loss='{loss}' trains a margin, not probabilities. Use decision_function, or "
            "loss='log_loss'."
        )
    return True


class NeuronClassifier(ClassifierMixin, BaseNeuron):
    r"""Artificial neurons that predict classes, ``activation(X @ w + b)``.

    The weights minimise

    .. math::

        \frac{\sum_i s_i \sum_k \mathrm{loss}(y_{ik}, f(x_i \cdot w_k + b_k))}{\sum_i s_i}
        + \alpha \left(\rho \|W\|_1 + \frac{1 - \rho}{2} \|W\|_2^2\right)

    with the activation f and :math:`\rho` = `l1_ratio`; the bias is never penalised.

    Parameters
    ----------
    activation : str or Activation, default="auto"
        "auto" is one sigmoid neuron for two classes, a softmax layer for more, and one sigmoid
        neuron per column of a multilabel indicator. Bounded activations (sigmoid, tanh, softsign,
        probit, cloglog) give probabilities by rescaling their range to (0, 1); with more than two
        classes they train one neuron per class against the rest. "identity" goes with the hinges.
    loss : str or Loss, default="auto"
        "auto" is "log_loss", or "squared_hinge" for the identity. "log_loss" and "squared_error"
        act on the rescaled level (tanh with log_loss is a sigmoid of 2z), "hinge" and
        "squared_hinge" on z itself, without probabilities.
    alpha : float, default=1e-4
        Strength of the penalty, in [0, inf). Beside scikit-learn: ``1 / (C * n_samples)`` of
        LogisticRegression, ``1 / n_samples`` times that of Ridge.
    l1_ratio : float, default=0
        Share of the L1 penalty, in [0, 1].
    fit_intercept : bool, default=True
        Whether the neuron has a bias.
    solver : str, default="auto"
        "auto" chooses by penalty, convexity, size and sparsity, and `solver_` says what. Otherwise
        "least_squares", "newton", "lbfgs", "proximal_newton", "levenberg_marquardt", "sgd" or
        "adam".
    max_iter : int, default=1000
        Most iterations, at least 1; epochs for "sgd" and "adam".
    tol : float or "auto", default="auto"
        How far from the optimum training may end, from 0 on: a share of what there was to gain from
        the best neuron with a bias alone. "auto" is 1e-8, and less where that leaves weights
        visibly off. For "sgd" and "adam" the least relative improvement over `n_iter_no_change`
        epochs, 1e-4 with "auto".
    batch_size : int, default=256
        Rows per step of "sgd" and "adam", at least 1; fewer where an epoch would have less than
        eight steps.
    learning_rate_init : float or "auto", default="auto"
        First step size of "sgd" and "adam", positive, in standardised columns; "auto" takes it from
        the curvature.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1).
    early_stopping : bool, default=False
        Stop when the validation loss has not improved for `n_iter_no_change` iterations, and keep
        the best iterate.
    validation_fraction : float, default=0.1
        Share of the rows, in (0, 1), set apart for `early_stopping` where `fit` gets no X_val.
    n_iter_no_change : int, default=10
        Patience of "sgd", "adam" and `early_stopping`, at least 1.
    record : {"auto", "loss"} or bool, default="auto"
        What `history_` keeps. "auto": weights and curves, thinned evenly past 2 MiB; True: all of
        them; "loss": the curves; False: nothing.
    warm_start : bool, default=False
        Go on from the weights of the earlier fit.
    random_state : int, RandomState instance or None, default=None
        For "sgd", "adam", the validation split and the starts of pairs that are not convex. Other
        fits are the same each time.
    n_jobs : int or None, default=None
        Threads, not 0. None is as many as BLAS would use here, -1 all cores. Results do not depend
        on it.
    verbose : int, default=0
        1 prints a line an iteration.
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes, by which sample weights are multiplied.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights, float64; one neuron for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Bias of each neuron.
    classes_ : ndarray of shape (n_classes,)
        The labels; 0, 1, ... for a multilabel indicator.
    multilabel_ : bool
        Whether y was a multilabel indicator.
    n_iter_ : int
        Iterations done.
    objective_ : float
        The objective reached, penalty included.
    converged_ : bool
        Whether the promise of `tol` holds, as far as the solver can tell.
    solver_ : str
        The solver that did it.
    history_ : dict of ndarray
        One entry per recorded iterate, the start included: iteration, n_rows, elapsed (seconds),
        loss, penalty, objective, gradient_norm, step_size, coef (n_entries, n_neurons, n_features),
        intercept (n_entries, n_neurons), and where they apply validation_loss, dead_fraction and
        saturated_fraction (n_entries, n_neurons).
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string names.

    See Also
    --------
    NeuronRegressor : Neurons that predict numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknneuron import NeuronClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> neurons = NeuronClassifier().fit(X, y)
    >>> neurons.coef_.shape
    (3, 4)
    >>> round(neurons.score(X, y), 2)
    0.98
    >>> neurons.transform(X[70:71]).round(2)
    array([[0.  , 0.48, 0.52]])
    """

    _constraints = CLASSIFIER_CONSTRAINTS

    def __init__(
        self,
        activation="auto",
        loss="auto",
        *,
        alpha=1e-4,
        l1_ratio=0.0,
        fit_intercept=True,
        solver="auto",
        max_iter=1000,
        tol="auto",
        batch_size=256,
        learning_rate_init="auto",
        momentum=0.9,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        record="auto",
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
        class_weight=None,
    ):
        self.activation = activation
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.record = record
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.class_weight = class_weight

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one stochastic epoch on these rows, going on from the last call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come: for the first call, where its y lacks some.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            For bad parameters and bad input, labels that the first call did not know,
            ``class_weight="balanced"``, which takes the sizes of all classes, and where the steps
            diverge; the weights are then as they were.

        Notes
        -----
        The rule of a step is `solver` if that is "sgd" or "adam", else that of "adam".
        """
        if classes is not None and hasattr(self, "classes_"):
            named = np.unique(classes).tolist()
            if named != self.classes_.tolist():
                raise ValueError(
                    f"classes={named[:10]} are not those of the first call to partial_fit, "
                    f"{self.classes_[:10].tolist()}. Name all of them in the first call, to a "
                    "fresh estimator."
                )
        with KeepingEarlierFit(self):
            return self._partial_fit(X, y, sample_weight, classes)

    @wherever
    def decision_function(self, X):
        """Distance of z from where the probability is one half.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One-dimensional for two classes, where positive means ``classes_[1]``.
        """
        decision = self.pre_activation(X)
        threshold = self._fitted_targets().pair.threshold
        if threshold:
            decision = decision - threshold
        return decision[:, 0] if self._is_binary() else decision

    @wherever
    def predict(self, X):
        """Most probable class of each row; an indicator matrix for a multilabel fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        decision = self.decision_function(X)
        if self.multilabel_:
            return (decision > 0).astype(int)
        if decision.ndim == 1:
            if type(decision) is np.ndarray and self.classes_.dtype.kind in "biuf":
                # A million rows: one pass, where an index would be made first.
                return np.where(decision > 0, self.classes_[1], self.classes_[0])
            return np.take(self.classes_, (decision > 0).astype(int))
        return np.take(self.classes_, decision.argmax(axis=1))

    @available_if(_gives_probabilities)
    @wherever
    def predict_proba(self, X):
        """Probability of each class; of each label for a multilabel fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            In X's dtype, in the order of `classes_`.
        """
        z = self.pre_activation(X)
        pair = self._fitted_targets().pair
        if self._is_binary():
            return pair.both_probabilities(z)
        probability = pair.probability(z)
        if self.multilabel_ or pair.coupled:
            return probability
        total = probability.sum(axis=1, keepdims=True)
        # Every neuron silent: nothing speaks for one class more than for another.
        even = np.full_like(probability, 1 / probability.shape[1])
        return np.divide(probability, total, out=even, where=total > 0)

    @available_if(_gives_probabilities)
    @wherever
    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`, exact far out for sigmoid and softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
        """
        z = self.pre_activation(X)
        activation = self._fitted_targets().pair.activation.name
        if activation == "softmax":
            return special.log_softmax(z, axis=1)
        if activation == "sigmoid" and self._is_binary():
            return special.log_softmax(np.concatenate([np.zeros_like(z), z], axis=1), axis=1)
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(self, X, y=None, sample_weight=None):
        """Accuracy, the share of rows whose class (all of whose labels) is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            None is for a `ParquetSource` that names their column.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if sample_weight is None and type(X) is np.ndarray and not self.multilabel_:
            score = plain_accuracy(y, self.predict(X))
            if score is not None:
                return score
        return scorer_of(self, X, super().score)(X, y, sample_weight)

    def _is_binary(self) -> bool:
        return len(self.classes_) == 2 and not self.multilabel_

    def _names(self) -> tuple[str, str]:
        """Names of activation and loss, "auto" where the number of classes decides."""
        activation = getattr(self.activation, "name", self.activation)
        loss = getattr(self.loss, "name", self.loss)
        if loss == "auto":
            loss = "squared_hinge" if activation == "identity" else "log_loss"
        return activation, loss

    def _pair(self, n_classes: int, is_multilabel: bool):
        """The pair for this many classes."""
        activation, loss = self._names()
        margin = loss.endswith("hinge")
        if is_multilabel and activation == "softmax":
            raise ValueError(
                "activation='softmax' makes one class win, but y is a multilabel indicator whose "
                "labels can hold together. Use activation='auto' or 'sigmoid'."
            )
        one_each = is_multilabel or n_classes == 2
        if activation == "auto":
            chosen = "identity" if margin else "sigmoid" if one_each else "softmax"
        elif activation == "softmax" and one_each:
            chosen = "sigmoid"
        else:
            chosen = self.activation
        pair = make_pair(chosen, loss if self.loss == "auto" else self.loss, classifier=True)
        return pair.of_classes(n_classes)

    def _learn_targets(self, y, classes=None):
        classes, is_multilabel = find_classes(y, type(self).__name__, classes)
        targets = ClassEncoder(self._pair(len(classes), is_multilabel), classes, is_multilabel)
        if is_multilabel:
            warn_of_one_hot(y)
        return targets

    def _fitted_targets(self):
        pair = self._pair(len(self.classes_), self.multilabel_)
        return ClassEncoder(pair, self.classes_, self.multilabel_)

    def _weight_classes(self, y, sample_weight, targets):
        return class_weighted(y, self.class_weight, sample_weight, targets.classes)

    def _strata(self, y, n_validation):
        return strata(y, n_validation)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A softmax layer makes one class win; labels of a multilabel y can hold together.
        tags.classifier_tags.multi_label = self._names()[0] != "softmax"
        return tags
