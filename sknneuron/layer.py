"""`NeuronLayer`: neurons that learn jointly what an output neuron can make use of."""

from __future__ import annotations

from ._class_weights import class_weighted
from ._earlier_fit import KeepingEarlierFit
from ._fit_warnings import warn_of_bad_layer
from ._labels import ClassEncoder, are_classes, find_classes, strata, warn_of_one_hot
from ._parameters import LAYER_CONSTRAINTS
from ._values import ValueEncoder, numeric
from .activations import Activation, get_activation
from .base import BaseNeuron
from .layer_objective import LayerCoordinates, LayerObjective
from .losses import get_loss
from .pairing import make_pair
from .solvers.choose_layer import make_layer_solver
from .sources.device_array import to_host

# Least gain, as a share of what was gained so far, that counts as progress with tol="auto".
# Many steps of L-BFGS gain little each, and much together.
AUTO_TOL = {"levenberg_marquardt": 1e-4, "lbfgs": 8e-6, "sgd": 1e-4, "adam": 1e-4}
# What the output neurons of a loss are, where not the identity.
OUTPUT_ACTIVATIONS = {"poisson": "exp", "gamma": "exp", "tweedie": "exp"}


class NeuronLayer(BaseNeuron):
    r"""A layer of neurons that specialise: each detects a pattern of its own in the same input.

    The hidden neurons, ``activation(X @ coef_.T + intercept_)``, are trained jointly with output
    neurons on y by backpropagation; `transform` gives their activation levels to the next step.
    The weights minimise

    .. math::

        \frac{\sum_i s_i \, \mathrm{loss}(y_i, g(V f(W x_i + b) + c))}{\sum_i s_i}
        + \frac{\alpha}{2} \left(\|W\|_2^2 + \|V\|_2^2\right)

    with the activation f of the hidden neurons and, by the loss, the identity, exp, sigmoid or
    softmax g of the output neurons; biases are not penalised.

    Parameters
    ----------
    n_neurons : int, default=8
        Number of hidden neurons, at least 1.
    activation : str or Activation, default="relu"
        Of the hidden neurons: a key of ``sknneuron.activations.ACTIVATIONS`` except "softmax", or
        an instance.
    loss : str or Loss, default="auto"
        "auto" is "log_loss" for classes and "squared_error" for numbers. Labels that are strings,
        booleans or a 0/1 indicator matrix are classes, and so are whole numbers with at least five
        rows to each value and at most 100 values; other numbers are numbers. `loss_` says what was
        chosen; name the loss where that is not meant. "log_loss", "hinge" and "squared_hinge" take
        classes, the others numbers. Output neurons are exponential for "poisson", "gamma" and
        "tweedie".
    alpha : float, default=1e-4
        Strength of the L2 penalty on the weights of both layers, in [0, inf). scikit-learn's MLP
        divides its own by the number of rows, or by that of a batch with its stochastic solvers:
        ``alpha_mlp / n_samples`` for "lbfgs", ``alpha_mlp / batch_size`` for "adam" and "sgd".
    solver : str, default="auto"
        "levenberg_marquardt", "lbfgs", "sgd" or "adam"; `solver_` says what "auto" chose: the
        first for few weights, with several starts, "adam" for more than 20,000 rows and for losses
        with a kink, else "lbfgs".
    max_iter : int, default=1000
        Most iterations, at least 1; epochs for "sgd" and "adam".
    tol : float or "auto", default="auto"
        Training ends once `n_iter_no_change` iterations in a row each gained less than this share,
        from 0 on, of all that was gained so far; "auto" is 8e-6 for "lbfgs", else 1e-4. A layer has
        many valleys, so there is no promise on the distance to the lowest.
    batch_size : int, default=256
        Rows per step of "sgd" and "adam", at least 1; fewer where an epoch would have less than
        eight steps.
    learning_rate_init : float or "auto", default="auto"
        First step size of "sgd" and "adam", positive, in standardised columns; "auto" takes that of
        "sgd" from the curvature, that of "adam" from the number of batches.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1).
    early_stopping : bool, default=False
        Stop when the validation loss has not improved for `n_iter_no_change` iterations, and keep
        the best iterate.
    validation_fraction : float, default=0.1
        Share of the rows, in (0, 1), set apart for `early_stopping` where `fit` gets no X_val.
    n_iter_no_change : int, default=10
        Patience of `tol` and of `early_stopping`, at least 1.
    record : {"auto", "loss"} or bool, default="auto"
        What `history_` keeps. "auto": weights and curves, thinned evenly past 2 MiB; True: all of
        them; "loss": the curves; False: nothing.
    warm_start : bool, default=False
        Go on from the weights of the earlier fit.
    random_state : int, RandomState instance or None, default=None
        For the first weights, batches and the validation split. Pass an int for the same layer
        each time.
    n_jobs : int or None, default=None
        Threads, not 0. None is as many as BLAS would use here, -1 all cores. Results do not depend
        on it.
    verbose : int, default=0
        1 prints a line an iteration.
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes, by which sample weights are multiplied.

    Attributes
    ----------
    coef_ : ndarray of shape (n_neurons, n_features)
        Weights of the hidden neurons, float64.
    intercept_ : ndarray of shape (n_neurons,)
        Their biases.
    output_coef_ : ndarray of shape (n_outputs, n_neurons)
        Weights of the output neurons: one for a number or two classes, else one per target, class
        or label.
    output_intercept_ : ndarray of shape (n_outputs,)
        Their biases.
    loss_ : str
        The loss that it was trained on.
    output_classes_ : ndarray of shape (n_classes,)
        The labels; 0, 1, ... for a multilabel indicator. Only where y was of classes.
    output_multilabel_ : bool
        Whether y was a multilabel indicator. Only where y was of classes.
    n_iter_ : int
        Iterations done.
    objective_ : float
        The objective reached, penalty included.
    converged_ : bool
        Whether training ended because it no longer gained.
    solver_ : str
        The solver that did it.
    history_ : dict of ndarray
        As for a neuron, with output_coef (n_entries, n_outputs, n_neurons) and output_intercept
        (n_entries, n_outputs) beside the weights of the hidden neurons.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string names.

    See Also
    --------
    NeuronClassifier : What reads the levels of a layer, for classes.
    NeuronRegressor : What reads the levels of a layer, for numbers.

    Notes
    -----
    The layer has seen y: on its own training rows its levels look better than they are. A step that
    learns from them there, a `NeuronClassifier` behind it say, is no worse for it than a network
    whose layers are trained together, but a step that *judges* by them (feature selection, the
    choice of a penalty) is misled: train it on rows that the layer has not seen, as the user guide
    shows. Levels of layers from different folds do not go together.

    References
    ----------
    Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 323
    (1986).

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknneuron import NeuronClassifier, NeuronLayer
    >>> X, y = make_moons(200, noise=0.1, random_state=0)
    >>> round(NeuronClassifier().fit(X, y).score(X, y), 2)
    0.89
    >>> network = make_pipeline(NeuronLayer(random_state=0), NeuronClassifier()).fit(X, y)
    >>> network.score(X, y)
    1.0
    >>> network[0].transform(X).shape
    (200, 8)
    """

    # What neurons can choose, for those who look inside: hidden neurons have a bias, and no L1.
    fit_intercept = True
    l1_ratio = 0.0

    _constraints = LAYER_CONSTRAINTS
    _warn_of_bad_fit = staticmethod(warn_of_bad_layer)
    _solver_for = staticmethod(make_layer_solver)  # type: ignore[assignment]

    def __init__(
        self,
        n_neurons=8,
        activation="relu",
        *,
        loss="auto",
        alpha=1e-4,
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
        self.n_neurons = n_neurons
        self.activation = activation
        self.loss = loss
        self.alpha = alpha
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
            All labels that will ever come, where y is of classes: for the first call, where its y
            lacks some, or might be taken for numbers.
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
        with KeepingEarlierFit(self):
            return self._partial_fit(X, y, sample_weight, classes)

    # -- what a layer does otherwise than a neuron -------------------------------------------------

    def _tol_for(self, solver):
        return AUTO_TOL[solver.name] if self.tol == "auto" else self.tol

    def _matrix_sizes(self, n_features, targets):
        size = self.n_neurons * (n_features + targets.n_neurons)
        return size, size

    def _hidden_activation(self) -> Activation:
        activation = get_activation(self.activation)
        if activation.coupled:
            raise ValueError(
                "activation='softmax' makes one neuron win, and is for the output layer of a "
                "NeuronClassifier. The neurons of a NeuronLayer are to answer each on its own: "
                "use activation='relu' or 'tanh', say."
            )
        return activation

    def _objective(self, source, targets, coordinates=None):
        return LayerObjective(
            source,
            self._hidden_activation(),
            targets.pair,
            self.alpha,
            self.n_neurons,
            targets.n_neurons,
            coordinates=coordinates,
        )

    def _coordinates_of(self, state):
        return LayerCoordinates(**{name: state[name] for name in LayerCoordinates.names()})

    def _weights(self):
        fitted = self.coef_, self.intercept_, self.output_coef_, self.output_intercept_
        return tuple(map(to_host, fitted))

    def _target_attributes(self, targets):
        return {f"output_{name}": value for name, value in targets.attributes.items()}

    def _weight_attributes(self, targets, weights):
        names = LayerObjective.weight_names
        found = {f"{name}_": value for name, value in zip(names, weights, strict=True)}
        return {**found, "loss_": targets.pair.loss.name}

    def _levels(self, X):
        return self._hidden_activation()(self.pre_activation(X))

    # -- targets -----------------------------------------------------------------------------------

    def _learn_targets(self, y, classes=None):
        self._hidden_activation()
        loss = self._loss_for(y, classes)
        if self._takes_classes(loss):
            classes, is_multilabel = find_classes(y, type(self).__name__, classes)
            if is_multilabel:
                warn_of_one_hot(y)
            return self._encoder(loss, classes, is_multilabel)
        if classes is not None:
            raise ValueError(
                f"classes= was given, but loss='{get_loss(loss).name}' takes numbers. Leave it "
                "out, or use loss='log_loss'."
            )
        y = numeric(y)
        return ValueEncoder(self._value_pair(loss), 1 if y.ndim == 1 else y.shape[1], False)

    def _fitted_targets(self):
        loss = self.loss_ if self.loss == "auto" else self.loss
        if self._takes_classes(loss):
            return self._encoder(loss, to_host(self.output_classes_), self.output_multilabel_)
        return ValueEncoder(self._value_pair(loss), len(self.output_coef_), False)

    def _loss_for(self, y, classes=None):
        """The loss, "auto" resolved by y and by the classes that were named."""
        if self.loss != "auto":
            return self.loss
        return "log_loss" if classes is not None or are_classes(y) else "squared_error"

    @staticmethod
    def _takes_classes(loss) -> bool:
        loss = get_loss(loss)
        return loss.name == "log_loss" or loss.margin

    @staticmethod
    def _encoder(loss, classes, is_multilabel) -> ClassEncoder:
        if get_loss(loss).margin:
            activation = "identity"
        else:
            activation = "softmax" if len(classes) > 2 and not is_multilabel else "sigmoid"
        pair = make_pair(activation, loss, classifier=True)
        return ClassEncoder(pair.of_classes(len(classes)), classes, is_multilabel)

    @staticmethod
    def _value_pair(loss):
        name = get_loss(loss).name
        return make_pair(OUTPUT_ACTIVATIONS.get(name, "identity"), loss)

    def _weight_classes(self, y, sample_weight, targets):
        if self.class_weight is None:
            return sample_weight
        if not isinstance(targets, ClassEncoder):
            raise ValueError(
                "class_weight was given, but y holds numbers, not classes. Leave it out, or use "
                "loss='log_loss'."
            )
        return class_weighted(y, self.class_weight, sample_weight, targets.classes)

    def _strata(self, y, n_validation):
        return strata(y, n_validation) if self._takes_classes(self._loss_for(y)) else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
