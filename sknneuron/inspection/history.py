"""The training history as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .networks import output_names
from .units import Unfolded, unfold

OUTPUT = ("output_coef", "output_intercept")


def training_history(estimator) -> pd.DataFrame:
    """Return every recorded step of the training as a tidy table.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        Fitted; see :func:`unfold`.

    Returns
    -------
    history : DataFrame
        One row per recorded iterate, the start included. Columns: `iteration`, `n_rows` (an iterate
        on a part of the rows has its losses on that part), `elapsed` (seconds), `loss`, `penalty`,
        `objective`, `gradient_norm`, `step_size`, where they apply `validation_loss`,
        `dead_fraction` and `saturated_fraction`, then ``weights/<feature>`` and `bias`. With
        several neurons ``weights/<neuron>/<feature>``, ``bias/<neuron>`` and so on. Weights are
        those of the neuron's own inputs, as in `coef_`. A layer's output neurons come last, as
        ``output_weights/<output>/<neuron>`` and ``output_bias/<output>``.

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`.
    NotFittedError
        If it is not fitted.
    ValueError
        If the fit kept no history (``record=False``).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sknneuron import NeuronClassifier
    >>> from sknneuron.inspection import training_history
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> history = training_history(NeuronClassifier().fit(X[["mean radius", "mean texture"]], y))
    >>> list(history.columns[-3:])
    ['weights/mean radius', 'weights/mean texture', 'bias']
    >>> bool(history["objective"].is_monotonic_decreasing)
    True
    """
    inside = unfold(estimator)
    history = getattr(inside.neuron, "history_", {})
    if not history:
        raise ValueError(
            f"This {type(inside.neuron).__name__} kept no history (record="
            f"{inside.neuron.record!r}): fit it with record='auto'."
        )
    several = len(inside.neuron_names) > 1
    columns: dict[str, np.ndarray] = {}
    for key, values in history.items():
        if key == "coef" or key in OUTPUT:
            continue
        name = "bias" if key == "intercept" else key
        if values.ndim == 1:
            columns[name] = values
        else:
            for k, neuron in enumerate(inside.neuron_names):
                columns[f"{name}/{neuron}" if several else name] = values[:, k]
    weights = {}
    for k, neuron in enumerate(inside.neuron_names if "coef" in history else ()):
        prefix = f"weights/{neuron}" if several else "weights"
        for j, feature in enumerate(inside.input_names):
            weights[f"{prefix}/{feature}"] = history["coef"][:, k, j]
    biases = {name: columns.pop(name) for name in list(columns) if name.split("/")[0] == "bias"}
    return pd.DataFrame({**columns, **weights, **biases, **_of_outputs(inside, history)})


def _of_outputs(inside: Unfolded, history) -> dict[str, np.ndarray]:
    """Weights and biases of a layer's output neurons."""
    if "output_coef" not in history:
        return {}
    outputs = output_names(inside.neuron)
    found = {
        f"output_weights/{output}/{neuron}": history["output_coef"][:, k, j]
        for k, output in enumerate(outputs)
        for j, neuron in enumerate(inside.neuron_names)
    }
    biases = history["output_intercept"]
    return found | {f"output_bias/{name}": biases[:, k] for k, name in enumerate(outputs)}
