"""What follows a neuron's level, as steps that the page can take."""

from __future__ import annotations

import numpy as np
from scipy import special
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import FunctionTransformer

from ..wires import SCALERS

# Functions by the names under which script/maths.js knows them.
FUNCTIONS = {
    np.exp: "exp",
    np.expm1: "expm1",
    np.exp2: "exp2",
    np.log: "log",
    np.log1p: "log1p",
    np.log2: "log2",
    np.log10: "log10",
    special.exp10: "exp10",
    np.square: "square",
    np.sqrt: "sqrt",
    np.cbrt: "cbrt",
    np.negative: "negative",
    np.reciprocal: "reciprocal",
    special.expit: "logistic",
}


def target_steps(unfolded) -> tuple[list[dict] | None, str]:
    """Return the steps from level to prediction, and why there are none.

    Parameters
    ----------
    unfolded : Unfolded

    Returns
    -------
    steps : list of dict, or None
        ``{"name": "exp"}``, or ``{"scale": [...], "shift": [...]}`` with a number per neuron. None
        where the page cannot follow.
    reason : str
        In words for the page; empty where it can.
    """
    if not unfolded.target.is_transformed:
        return [], ""
    transformer = _around(unfolded.estimator).transformer_
    if isinstance(transformer, FunctionTransformer):
        name = FUNCTIONS.get(transformer.inverse_func)
        if name is not None:
            return [{"name": name}], ""
        function = transformer.inverse_func
        what = getattr(function, "__name__", type(function).__name__)
        return None, f"The page cannot compute the target's inverse function, {what}."
    if isinstance(transformer, SCALERS) and not getattr(transformer, "clip", False):
        n = transformer.n_features_in_
        shift = transformer.inverse_transform(np.zeros((1, n)))[0]
        scale = transformer.inverse_transform(np.ones((1, n)))[0] - shift
        return [{"scale": scale.tolist(), "shift": shift.tolist()}], ""
    return None, f"The page cannot compute the target's inverse {type(transformer).__name__}."


def _around(estimator) -> TransformedTargetRegressor:
    """The TransformedTargetRegressor, in whatever it is wrapped."""
    while not isinstance(estimator, TransformedTargetRegressor):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            estimator = estimator.steps[-1][1]
    return estimator
