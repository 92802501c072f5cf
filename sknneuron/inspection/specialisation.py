"""Which neuron of a layer answers to what, and which answer alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target

from .columns import host_targets
from .evidence import gather, pair_of
from .networks import layers_before
from .units import Unfolded, unfold, unfold_layer

# Neurons whose levels correlate by more are one neuron twice.
ALIKE = 0.99
# A level that varies by less, as a share of its size, does not vary.
CONSTANT = 1e-6


@dataclass(frozen=True)
class Levels:
    """Activation levels of a layer's neurons on some rows.

    Parameters
    ----------
    names : tuple of str
    level : ndarray of shape (n_samples, n_neurons)
    flat : ndarray of shape (n_samples, n_neurons)
        Where the activation's derivative has all but vanished.
    kind : {"dead", "saturated"} or None
        What that means for this activation.
    weight : ndarray of shape (n_samples,)
        Of the rows, with a sum of one.
    """

    names: tuple[str, ...]
    level: np.ndarray
    flat: np.ndarray
    kind: str | None
    weight: np.ndarray

    @classmethod
    def of(cls, inside: Unfolded, X, sample_weight=None) -> Levels:
        """Levels of the neurons of an unfolded estimator on rows of X."""
        evidence = gather(inside, X, sample_weight=sample_weight)
        activation = pair_of(inside.neuron).activation
        weight = evidence.weight / evidence.total_weight
        flat = activation.is_flat(evidence.z)
        return cls(inside.neuron_names, evidence.level, flat, activation.flat, weight)

    @property
    def mean(self) -> np.ndarray:
        return self.weight @ self.level

    @property
    def deviation(self) -> np.ndarray:
        return np.sqrt(self.weight @ (self.level - self.mean) ** 2)

    @property
    def is_constant(self) -> np.ndarray:
        """Which neurons pass on the same level whatever the row."""
        size = np.abs(self.level).max(axis=0)
        return self.deviation <= CONSTANT * np.maximum(size, 1e-300)

    def correlation(self) -> np.ndarray:
        """Correlation of every two neurons' levels, nan where one is constant."""
        centred = (self.level - self.mean) * np.sqrt(self.weight)[:, None]
        scale = np.where(self.is_constant, np.nan, np.maximum(self.deviation, 1e-300))
        return np.clip((centred / scale).T @ (centred / scale), -1, 1)

    def state(self) -> list[str]:
        """Per neuron "dead", "saturated", "constant", "duplicate of ..." or ""."""
        states = [""] * len(self.names)
        size = np.abs(self.correlation())
        for k in range(len(self.names)):
            if self.kind and self.flat[self.weight > 0, k].all():
                states[k] = self.kind
            elif self.is_constant[k]:
                states[k] = "constant"
            else:
                twins = [j for j in range(k) if size[j, k] > ALIKE and not states[j]]
                states[k] = f"duplicate of {self.names[twins[0]]}" if twins else ""
        return states


def specialisation(estimator, X, y=None, sample_weight=None, *, layer=-1) -> pd.DataFrame:
    r"""Return what each neuron of a layer answers to.

    Parameters
    ----------
    estimator : NeuronLayer, or Pipeline with one or more
        Fitted. Neurons of a NeuronClassifier or NeuronRegressor are looked at where there is no
        layer.
    X : DataFrame or array-like of shape (n_samples, n_features), dense or sparse
        Rows as the estimator takes them.
    y : array-like of shape (n_samples,), default=None
        Labels, or numbers. Whole numbers past 0 and 1 are labels where the layer was trained on
        classes, else numbers.
    sample_weight : array-like of shape (n_samples,), default=None
    layer : int, default=-1
        Which of several layers.

    Returns
    -------
    table : DataFrame
        One row per neuron: `active` (share of rows on which it answers to a change), `mean` and
        `deviation` of its level; with labels the mean level of each class (``mean/<class>``),
        `answers_to` (the class with the highest one) and
        `selectivity`, the share of the level's variance that lies between classes,

        .. math:: \eta^2 = \frac{\sum_c p_c (\bar a_c - \bar a)^2}{\mathrm{var}(a)},

        1 if it knows nothing but the class; with numbers `correlation_with_y` and its square as
        `selectivity`. Then `most_like` and `likeness`, the neuron whose levels correlate most with
        its own, and how much; and `state`: "dead", "saturated", "constant", "duplicate of ..." (a
        correlation past 0.99) or "". ``attrs["correlation"]`` is the whole matrix, as lists.

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`.
    NotFittedError
        If it is not fitted.
    ValueError
        If there is no such layer, or y has several columns.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknneuron import NeuronClassifier, NeuronLayer
    >>> from sknneuron.inspection import specialisation
    >>> X, y = load_iris(return_X_y=True)
    >>> network = make_pipeline(
    ...     StandardScaler(), NeuronLayer(3, "tanh", random_state=0), NeuronClassifier()
    ... ).fit(X, y)
    >>> table = specialisation(network, X, y)
    >>> table.shape[0], bool((table["selectivity"] > 0.3).all())
    (3, True)
    """
    inside = find_layer(estimator, X, layer)
    levels = Levels.of(inside, X, sample_weight)
    flat = levels.weight @ levels.flat
    columns: dict[str, Any] = {
        "active": np.clip(1 - flat, 0, 1),
        "mean": levels.mean,
        "deviation": levels.deviation,
        **_answers(levels, y, inside.neuron),
    }
    correlation = levels.correlation()
    itself = np.eye(len(correlation), dtype=bool)
    others = np.where(itself | np.isnan(correlation), -1, np.abs(correlation))
    nearest = others.argmax(axis=1)
    has_other = others.max(axis=1) >= 0
    columns["most_like"] = [
        levels.names[j] if known else None for j, known in zip(nearest, has_other, strict=True)
    ]
    rows = np.arange(len(nearest))
    columns["likeness"] = np.where(has_other, correlation[rows, nearest], np.nan)
    columns["state"] = levels.state()
    table = pd.DataFrame(columns, index=pd.Index(levels.names, name="neuron"))
    table.attrs["correlation"] = correlation.tolist()
    return table


def find_layer(estimator, X=None, layer: int = -1) -> Unfolded:
    """Unfold up to a layer of neurons: the last one, or the one asked for.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    inside = unfold(estimator, X)
    found = list(layers_before((*inside.steps, inside.neuron)))
    if not found:
        found = [(inside.neuron, inside.steps)]
    try:
        neurons, steps = found[layer]
    except IndexError:
        raise ValueError(f"layer={layer}, but there are {len(found)} layers.") from None
    return inside if neurons is inside.neuron else unfold_layer(neurons, steps, X)


def _answers(levels: Levels, y, neuron) -> dict[str, Any]:
    """Columns that say how the levels go with y."""
    if y is None:
        return {}
    y = host_targets(y)
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or len(y) != len(levels.level):
        raise ValueError(
            f"y has shape {y.shape}, but there are {len(levels.level)} rows. Give one value a row; "
            "of several targets one at a time."
        )
    variance = np.where(levels.is_constant, np.nan, levels.deviation**2)
    if not _are_labels(y, neuron):
        centred = y - levels.weight @ y
        spread = np.sqrt(levels.weight @ centred**2)
        r = (levels.weight * centred) @ (levels.level - levels.mean)
        r = r / np.maximum(spread, 1e-300) / np.sqrt(variance)
        return {"correlation_with_y": r, "selectivity": r**2}
    classes, codes = np.unique(y, return_inverse=True)
    share = np.bincount(codes, levels.weight, len(classes))
    sums = np.array([(levels.weight * (codes == c)) @ levels.level for c in range(len(classes))])
    means = sums / np.maximum(share, 1e-300)[:, None]
    apart = means - levels.mean
    furthest = apart.argmax(axis=0)
    known = ~levels.is_constant
    answers = [classes[c] if ok else None for c, ok in zip(furthest, known, strict=True)]
    return {
        **{f"mean/{c}": means[k] for k, c in enumerate(classes)},
        # As objects whole numbers stay so beside None.
        "answers_to": np.array(answers, dtype=object),
        "selectivity": share @ apart**2 / variance,
    }


def _are_labels(y, neuron) -> bool:
    """Whether y is of classes; of whole numbers that is said by what the neuron was trained on."""
    kind = type_of_target(y)
    if kind == "multiclass" and y.dtype.kind in "iuf":
        return hasattr(neuron, "output_classes_") or hasattr(neuron, "classes_")
    return not kind.startswith("continuous")
