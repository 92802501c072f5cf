"""What each constructor parameter may be, and the words when it is not."""

from __future__ import annotations

import difflib
from functools import lru_cache, partial
from numbers import Integral, Real

from ._sklearn_compat import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from .activations import ACTIVATIONS, ALIASES, Activation
from .losses import LOSSES, Loss
from .solvers import SOLVERS
from .solvers.choose_layer import LAYER_SOLVERS

PLAIN_TYPES = {str, int, float, bool, type(None)}
AUTO_OR_POSITIVE = [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")]

CONSTRAINTS: dict[str, list] = {
    "activation": [StrOptions(set(ACTIVATIONS) | set(ALIASES)), Activation],
    "loss": [StrOptions(set(LOSSES)), Loss],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "fit_intercept": ["boolean"],
    "solver": [StrOptions({"auto"} | set(SOLVERS))],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": AUTO_OR_POSITIVE,
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "record": [StrOptions({"auto", "loss"}), "boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "n_jobs": [
        None,
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
    ],
    "verbose": ["verbose"],
}
CLASSIFIER_CONSTRAINTS = {
    **CONSTRAINTS,
    "activation": [StrOptions({"auto"} | set(ACTIVATIONS) | set(ALIASES)), Activation],
    "loss": [StrOptions({"auto"} | set(LOSSES)), Loss],
    "class_weight": [dict, list, StrOptions({"balanced"}), None],
}

LAYER_CONSTRAINTS = {
    **{k: v for k, v in CLASSIFIER_CONSTRAINTS.items() if k not in ("l1_ratio", "fit_intercept")},
    "n_neurons": [Interval(Integral, 1, None, closed="left")],
    "activation": CONSTRAINTS["activation"],
    "solver": [StrOptions({"auto"} | set(LAYER_SOLVERS))],
}
TABLES = (CONSTRAINTS, CLASSIFIER_CONSTRAINTS, LAYER_CONSTRAINTS)


# Names that Keras, PyTorch and others have for what is here.
ELSEWHERE = {
    "linear": "identity",
    "none": "identity",
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "mse": "squared_error",
    "mean_squared_error": "squared_error",
    "mseloss": "squared_error",
    "mae": "absolute_error",
    "mean_absolute_error": "absolute_error",
    "l1loss": "absolute_error",
    "pinball": "quantile",
    "bce": "log_loss",
    "binary_crossentropy": "log_loss",
    "bcewithlogitsloss": "log_loss",
    "categorical_crossentropy": "log_loss",
    "cross_entropy": "log_loss",
    "crossentropyloss": "log_loss",
    "logistic_loss": "log_loss",
    "svd": "least_squares",
    "cholesky": "least_squares",
    "newton-cg": "newton",
    "newton-cholesky": "newton",
    "saga": "proximal_newton",
    "liblinear": "newton",
}


def check_parameters(estimator, constraints: dict[str, list]) -> None:
    """Raise an error that names the parameter, what was given and what would do.

    Raises
    ------
    InvalidParameterError
        A ValueError and TypeError both, as scikit-learn's own.
    """
    values = tuple(map(partial(getattr, estimator), constraints))
    types = tuple(map(type, values))
    if PLAIN_TYPES.issuperset(types) and _pass(TABLES.index(constraints), types, values):
        return
    try:
        validate_parameter_constraints(
            constraints, estimator.get_params(deep=False), type(estimator).__name__
        )
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{error}{_suggestion(estimator, constraints)}") from None


# The full check takes as long as a step of a small training, and a grid repeats it for values that
# hardly change. Types are part of the keys because True == 1 == 1.0.


@lru_cache(maxsize=1024)
def _pass(kind: int, types: tuple[type, ...], values: tuple) -> bool:
    return all(map(partial(_passes, kind), TABLES[kind], types, values))


@lru_cache(maxsize=4096)
def _passes(kind: int, name: str, of_type: type, value) -> bool:
    try:
        validate_parameter_constraints({name: TABLES[kind][name]}, {name: value}, "")
    except InvalidParameterError:
        return False
    return True


def _suggestion(estimator, constraints) -> str:
    """ " Did you mean ...?" for the first misspelt name or class given for its instance."""
    for name, value in estimator.get_params(deep=False).items():
        if isinstance(value, type) and issubclass(value, (Activation, Loss)):
            return f" Did you mean {value.__name__}()?"
        options = {
            option
            for constraint in constraints.get(name, ())
            if isinstance(constraint, StrOptions)
            for option in constraint.options
        }
        if isinstance(value, str) and options and value not in options:
            here = ELSEWHERE.get(value.lower())
            if here in options:
                return f" What is called {value!r} elsewhere is {here!r} here."
            close = difflib.get_close_matches(value.lower(), options, n=1)
            return f" Did you mean {close[0]!r}?" if close else ""
    return ""
