"""What a page is about: the neuron, how far the page can follow it, and which columns it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import indexable

from ..._odd import names_of_columns
from ..._sklearn_compat import num_samples, safe_indexing
from ...activations import ACTIVATIONS, Activation, get_activation
from ..columns import Column, in_memory
from ..networks import is_layer
from ..units import THRESHOLDS, Unfolded, unfold
from .features import Seen, movements
from .target import target_steps

MAX_NEURONS = 5000
# Weights that the page may hold; past that it shows a few columns, and says so.
MAX_WEIGHTS = 60_000
MAX_COLUMNS = 1100
FEW_COLUMNS = 60
# Rows that ranges and movements are taken from.
LOOKED_AT = 20_000


@dataclass
class Subject:
    """A fitted neuron, the rows given, and what of them goes onto the page.

    Parameters
    ----------
    unfolded : Unfolded
    X, y, sample_weight : table and array-likes, or None
    budget : float
        Share of the numbers that a page may hold.
    notes : list of str
        What the page leaves out, in words for it.
    """

    unfolded: Unfolded
    X: Any
    y: Any
    sample_weight: Any = None
    budget: float = 1.0
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, estimator, X, y, sample_weight, budget: float) -> Subject:
        """Take an estimator apart and look at its rows."""
        unfolded = unfold(estimator, X)
        X, y, sample_weight = map(in_memory, (X, y, sample_weight))
        (X,) = indexable(_in_order(X, unfolded))
        (y,) = indexable(y)
        n_neurons = len(unfolded.coef)
        if n_neurons > MAX_NEURONS:
            raise ValueError(
                f"A page holds at most {MAX_NEURONS} neurons, and this layer has {n_neurons}. Fit "
                "a neuron on fewer targets or classes."
            )
        if X is not None and not num_samples(X):
            raise ValueError("X has no rows to show: give some, or leave X out.")
        if y is not None and X is not None and num_samples(X) != num_samples(y):
            raise ValueError(
                f"X has {num_samples(X)} rows and y has {num_samples(y)}: give the same rows."
            )
        notes = [*unfolded.not_unfolded, *_threshold_notes(estimator)]
        return cls(unfolded, X, y, sample_weight, budget, notes)

    @property
    def neuron(self):
        return self.unfolded.neuron

    @property
    def n_neurons(self) -> int:
        return len(self.unfolded.coef)

    # -- what the page can follow ------------------------------------------------------------------

    @cached_property
    def pair(self):
        """Activation and loss, "auto" resolved."""
        return self.neuron._fitted_targets().pair

    @property
    def is_layer(self) -> bool:
        """Whether these are hidden neurons, whose levels are for a next step to read."""
        return is_layer(self.neuron)

    @cached_property
    def activation(self) -> Activation:
        return get_activation(self.neuron.activation) if self.is_layer else self.pair.activation

    @cached_property
    def target(self) -> list[dict]:
        """The steps from level to prediction, see `target_steps`."""
        steps, reason = target_steps(self.unfolded)
        if steps is None:
            self.notes.append(f"{reason} It stops at the neuron's own level.")
        return steps or []

    @cached_property
    def follows_target(self) -> bool:
        """Whether the page gets as far as the estimator's own prediction."""
        return target_steps(self.unfolded)[0] is not None and self.task != "sum"

    @cached_property
    def task(self) -> str:
        """One of "regression", "binary", "multiclass", "multilabel", "margin", "sum"."""
        activation = self.activation
        if type(activation) is not ACTIVATIONS.get(activation.name):
            self.notes.append(
                f"The page does not know the activation {activation!r}: it stops at the weighted "
                "sum z."
            )
            return "sum"
        if not hasattr(self.neuron, "classes_"):
            return "regression"
        if not hasattr(self.neuron, "predict_proba"):
            return "margin"
        if self.neuron.multilabel_:
            return "multilabel"
        return "binary" if len(self.neuron.classes_) == 2 else "multiclass"

    @cached_property
    def labels(self) -> list[str]:
        """Names of the classes, or of the targets."""
        if self.is_layer:
            return list(self.unfolded.neuron_names)
        names = names_of_columns(self.y)
        if names is not None and len(names) == self.n_neurons:
            return [str(name) for name in names]
        if hasattr(self.neuron, "classes_"):
            return [str(label) for label in self.neuron.classes_]
        return [f"target {k}" for k in range(self.n_neurons)]

    # -- rows and columns --------------------------------------------------------------------------

    @cached_property
    def n_rows(self) -> int:
        return 0 if self.X is None else num_samples(self.X)

    @cached_property
    def seen(self) -> Seen | None:
        """The rows given, or many of them."""
        if self.X is None:
            return None
        X = self.X
        if self.n_rows > LOOKED_AT:
            chosen = np.sort(np.random.default_rng(0).choice(self.n_rows, LOOKED_AT, replace=False))
            X = safe_indexing(X, chosen)
            self.notes.append(
                f"Ranges and averages are those of {LOOKED_AT:,} of the {self.n_rows:,} rows given."
            )
        return Seen(X, self.unfolded.inputs(X))

    @property
    def is_sparse(self) -> bool:
        return self.seen is not None and sparse.issparse(self.seen.inputs)

    @cached_property
    def used(self) -> list[Column]:
        """The columns that reach the neuron."""
        return [c for c in self.unfolded.columns if c.kind != "unused" and len(c.inputs)]

    @cached_property
    def moves(self) -> np.ndarray:
        """How far each of `used` moves z."""
        return movements(self.unfolded, self.used, self.seen)

    @cached_property
    def shown(self) -> list[int]:
        """Which of `used` the page shows: all, or those that count most by movement and weight."""
        coef = self.unfolded.coef
        most = max(int(MAX_WEIGHTS * self.budget) // self.n_neurons, 1)
        if coef.shape[1] <= min(most, MAX_COLUMNS):
            return list(range(len(self.used)))
        few = int(np.clip(FEW_COLUMNS * self.budget, 1, most))
        weight = np.array([np.abs(coef[:, c.inputs]).max() for c in self.used])
        by_movement = np.argsort(-self.moves, kind="stable")
        by_weight = np.argsort(-weight, kind="stable")
        chosen: list[int] = []
        n_inputs = 0
        for i in np.ravel(np.column_stack([by_movement, by_weight])):
            size = len(self.used[i].inputs)
            # A category of very many levels can be too much by itself.
            if i in chosen or n_inputs + size > max(most, MAX_COLUMNS):
                continue
            chosen.append(int(i))
            n_inputs += size
            if len(chosen) == few:
                break
        return sorted(chosen)

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that the page shows."""
        return [self.used[i] for i in self.shown]

    @cached_property
    def kept(self) -> np.ndarray:
        """The neuron's inputs that those columns feed, in the order of the page."""
        return np.concatenate([np.zeros(0, dtype=int), *[c.inputs for c in self.columns]])

    @property
    def n_hidden(self) -> int:
        """How many columns the page does not show."""
        return len(self.used) - len(self.columns)


def _threshold_notes(estimator) -> list[str]:
    """What to say where the estimator draws the line between its classes by itself."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, THRESHOLDS):
        return []
    at = getattr(estimator, "best_threshold_", getattr(estimator, "threshold", None))
    if isinstance(at, str):
        return []
    return [
        f"The class on this page is the more probable one. {type(estimator).__name__} has a "
        f"threshold of its own, {at:.3g}."
    ]


def _in_order(X, unfolded: Unfolded):
    """Return the columns that the estimator knows, in its order: ColumnTransformers take any."""
    known = [column.name for column in unfolded.columns if column.position is not None]
    if (
        not isinstance(X, pd.DataFrame)
        or list(X.columns) == known
        or not set(known) <= {*X.columns}
    ):
        return X
    return X[known]
