"""The evolution of weights and bias as metrics and as a table, without a word of MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..inspection.networks import is_layer, output_names
from ..sources.device_array import to_host
from .find import Found
from .keys import safe_keys

# The UI's chart is drawn from at most so many points.
MAX_POINTS = 320
# Features, and neurons, with metrics of their own; the table has them all.
N_TRACKED = 20
CURVES = {
    "train/loss": "loss",
    "train/objective": "objective",
    "train/gradient_norm": "gradient_norm",
    "validation/loss": "validation_loss",
}
FRACTIONS = ("saturated_fraction", "dead_fraction")


class Series(NamedTuple):
    """One quantity over the iterates kept.

    Parameters
    ----------
    key : str
        The metric's.
    quantity : str
    neuron, feature : str
        Names as given; empty where the quantity has none.
    values : ndarray of shape (n_iterates,)
    """

    key: str
    quantity: str
    neuron: str
    feature: str
    values: np.ndarray


class Evolution:
    """What a fitted neuron's ``history_`` says, with names.

    Where no weights were recorded, the last entry has those of the fitted neuron.

    Parameters
    ----------
    found : Found
    after : int, default=-1
        Only iterates later than this one: those of a fit that went on from an earlier one.
    """

    def __init__(self, found: Found, after: int = -1):
        neuron, self.features, self.outputs = found
        self.layer_outputs = output_names(neuron) if is_layer(neuron) else []
        history = dict(neuron.history_) or {
            "iteration": np.array([neuron.n_iter_]),
            "objective": np.array([neuron.objective_]),
        }
        fitted = {"coef": np.atleast_2d(to_host(neuron.coef_))}
        fitted["intercept"] = np.atleast_1d(to_host(neuron.intercept_))
        for name, last in fitted.items():
            if name not in history:
                history[name] = np.full((len(history["iteration"]), *last.shape), np.nan)
                history[name][-1] = last
        keep = np.asarray(history["iteration"]) > after
        self.history = {name: np.asarray(values)[keep] for name, values in history.items()}

    @property
    def iteration(self) -> np.ndarray:
        """Numbers of the iterates."""
        return self.history["iteration"]

    @property
    def elapsed(self) -> np.ndarray:
        """Seconds since the training began."""
        return self.history.get("elapsed", np.zeros(len(self.iteration)))

    def series(self) -> list[Series]:
        """The series that become metrics: all curves, and the weights and biases that moved most.

        Ties go to the first. Keys do not depend on which ones they are.
        """
        history = self.history
        found = [
            Series(key, name, "", "", history[name])
            for key, name in CURVES.items()
            if name in history
        ]
        if not len(self.iteration):
            return found
        neurons = self.outputs or [""]
        neuron_keys = [f"/{key}" for key in safe_keys(self.outputs)] or [""]
        for n in _most_moved(history["intercept"]):
            key, name = neuron_keys[n], neurons[n]
            found.append(Series(f"train/bias{key}", "bias", name, "", history["intercept"][:, n]))
            for fraction in FRACTIONS:
                if fraction in history:
                    values = history[fraction].reshape(len(self.iteration), -1)[:, n]
                    found.append(Series(f"activation/{fraction}{key}", fraction, name, "", values))
        feature_keys = safe_keys(self.features)
        n_features = len(self.features)
        coef = history["coef"].reshape(len(self.iteration), -1)
        for position in _most_moved(coef):
            n, j = divmod(int(position), n_features)
            key = f"weights{neuron_keys[n]}/{feature_keys[j]}"
            found.append(Series(key, "weight", neurons[n], self.features[j], coef[:, position]))
        return found

    def points(self, series: list[Series], max_points: int) -> Iterator[tuple[str, float, int]]:
        """Yield (key, value, position in the history), evenly thinned, first and last kept.

        Values that are not finite have no place in a chart and are left out.
        """
        n = len(self.iteration)
        kept = np.unique(np.linspace(0, n - 1, min(n, max_points)).round().astype(int))
        for position in kept:
            for one in series:
                value = float(one.values[position])
                if np.isfinite(value):
                    yield one.key, value, int(position)

    def table(self, first_step: int = 0) -> pd.DataFrame:
        """Everything in the history, one number a row.

        Parameters
        ----------
        first_step : int, default=0
            What MLflow calls the step of iterate 0.

        Returns
        -------
        table : DataFrame
            Columns step, iteration, elapsed (s), quantity, neuron, feature, value. Of a layer's
            output neurons the `feature` is the name of the output.
        """
        names = [name for name in self.history if name not in ("iteration", "elapsed")]
        kinds = {
            "coef": "weight",
            "intercept": "bias",
            "output_coef": "output_weight",
            "output_intercept": "output_bias",
        }
        values = [self.history[name].reshape(len(self.iteration), -1) for name in names]
        # By position in the concatenated columns, the same for each iterate.
        widths = [part.shape[1] for part in values]
        quantity = np.repeat(np.arange(len(names)), widths)
        owners = [self._owners(*column) for column in zip(names, widths, strict=True)]
        neuron, feature = (np.concatenate(part) for part in zip(*owners, strict=True))
        k, width = len(self.iteration), sum(widths)
        return pd.DataFrame(
            {
                "step": np.repeat(self.iteration + first_step, width),
                "iteration": np.repeat(self.iteration, width),
                "elapsed": np.repeat(self.elapsed, width),
                "quantity": _named(quantity, [kinds.get(name, name) for name in names], k),
                "neuron": _named(neuron, self.outputs, k),
                "feature": _named(feature, [*self.features, *self.layer_outputs], k),
                "value": np.concatenate(values, axis=1).ravel().astype(np.float64),
            }
        )

    def _owners(self, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Which neuron and feature each of a quantity's columns belongs to; -1 for none."""
        n_neurons, n_features, column = len(self.outputs), len(self.features), np.arange(width)
        nobody = np.full(width, -1)
        if name == "output_coef":
            n = width // len(self.layer_outputs)
            return column % n if n_neurons else nobody, n_features + column // n
        if name == "output_intercept":
            return nobody, n_features + column
        feature = column % n_features if name == "coef" else nobody
        if not n_neurons or width % n_neurons:
            return nobody, feature
        return column // (width // n_neurons), feature


def _named(codes: np.ndarray, names: list[str], k: int) -> pd.Categorical:
    """Names by code, k times over; -1 stands for no name. Names may occur twice."""
    categories = list(dict.fromkeys(["", *names]))
    position = {name: i for i, name in enumerate(categories)}
    lookup = np.array([*(position[name] for name in names), 0])
    return pd.Categorical.from_codes(np.tile(lookup[codes], k), categories)


def _most_moved(values: np.ndarray) -> np.ndarray:
    """Columns with the greatest range over the rows, at most N_TRACKED, in their order."""
    width = values.shape[1]
    if width <= N_TRACKED:
        return np.arange(width)
    filled = np.where(np.isfinite(values), values, np.nan)
    known = ~np.all(np.isnan(filled), axis=1)
    filled = filled[known]
    if len(filled) < 2:
        movement = np.abs(filled).sum(axis=0)
    else:
        movement = np.fmax.reduce(filled, axis=0) - np.fmin.reduce(filled, axis=0)
    movement = np.nan_to_num(movement, nan=-1.0)
    return np.sort(np.argsort(-movement, kind="stable")[:N_TRACKED])
