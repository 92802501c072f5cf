"""Targets that are classes, as the loss wants them, and errors for those it cannot take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from .exceptions import warn
from .pairs import Pair

# Whole numbers with more values, or fewer rows to each, are taken for numbers, not for classes.
MOST_CLASSES = 100
LEAST_ROWS_PER_CLASS = 5
# Classes whose codes fit in a byte.
MOST_IN_BYTES = 256
# In so few rows there may be nearly as many classes.
FEW_ROWS = 20
# In fewer rows labels that can hold together may happen not to.
LEAST_ONE_HOT = 20
# Rows that are encoded at once, of many: what is made on the way stays in a cache.
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class ClassEncoder:
    """A classifier's labels as 0 and 1, -1 and 1 for a margin, or codes for a softmax layer.

    Parameters
    ----------
    pair : Pair
    classes : ndarray
    is_multilabel : bool
        y is an indicator matrix, one column and one neuron per label.
    """

    pair: Pair
    classes: np.ndarray
    is_multilabel: bool

    @property
    def attributes(self) -> dict:
        """Fitted attributes that say what was learnt of y."""
        return {"classes_": self.classes, "multilabel_": self.is_multilabel}

    def encode(self, y, name="y", weight=None):
        """Return (n_samples, n_neurons) floats; (n_samples,) class codes for a softmax layer.

        In errors y is called `name`; labels are in reach, whatever their rows count for.

        Raises
        ------
        ValueError
            For labels other than `classes`.
        """
        if self.is_multilabel:
            indicator = self._indicator(y, name)
        else:
            codes = self._codes(y if np.ndim(y) == 1 else column_or_1d(y, warn=True), name)
            if self.pair.coupled:
                return codes
            if len(self.classes) == 2:
                indicator = codes[:, None].astype(np.float64)
            else:
                indicator = (codes[:, None] == np.arange(len(self.classes))).astype(np.float64)
        return 2 * indicator - 1 if self.pair.loss.margin else indicator

    def encode_compact(self, y, weight=None):
        """`encode` in bytes, which sources of rows hand out as floats and codes; few rows as ever.

        Of a row of X with 50 numbers a float would be 2%.
        """
        n_rows = y.shape[0]
        if n_rows <= ROWS_AT_ONCE or len(self.classes) > MOST_IN_BYTES:
            return self.encode(y)
        if not self.is_multilabel and y.ndim > 1:
            y = column_or_1d(y, warn=True)
        if self.pair.coupled:
            encoded = np.empty(n_rows, dtype=np.uint8)
        else:
            encoded = np.empty((n_rows, self.n_neurons), dtype=np.int8)
        for part in gen_batches(n_rows, ROWS_AT_ONCE):
            encoded[part] = self.encode(y[part])
        return encoded

    def encode_unchecked(self, y, name: str = "y"):
        """`encode`: labels have no range."""
        return self.encode(y, name)

    @property
    def ends(self) -> tuple[float, float]:
        """What the two kinds of labels are encoded as."""
        return (-1.0, 1.0) if self.pair.loss.margin else (0.0, 1.0)

    def outside(self, encoded, weight=None):
        """Mask of the targets out of reach: none."""
        return np.zeros(len(encoded), dtype=bool)

    def _codes(self, y, name):
        if self._consecutive and y.dtype.kind in "iu":
            # Labels 0, 1, 2, ... need no search.
            codes = y.astype(np.intp, copy=False)
            if self.classes[0]:
                codes = codes - int(self.classes[0])
            # Below zero is far above, seen without a sign.
            if len(y) == 0 or np.maximum.reduce(codes.view(np.uintp)) < len(self.classes):
                return codes
        try:
            codes = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
        except TypeError:
            # Labels that cannot be ordered.
            _refuse_odd_labels(y, name)
            raise
        unknown = np.take(self.classes, codes) != y
        if np.any(unknown):
            raise ValueError(
                f"{name} contains the label {y[unknown].tolist()[0]!r}, which is not among the "
                f"classes {self.classes[:10].tolist()}. All labels have to be in the y of fit, or "
                "be named in the first call to partial_fit (classes=)."
            )
        return codes

    @property
    def _consecutive(self) -> bool:
        classes = self.classes
        is_whole = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu"
        if not is_whole or int(classes[-1]) - int(classes[0]) != len(classes) - 1:
            return False
        return -(2**62) < int(classes[0]) and int(classes[-1]) < 2**62

    def _indicator(self, y, name):
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        n_labels = len(self.classes)
        if y.ndim != 2 or y.shape[1] != n_labels:
            raise ValueError(
                f"{name} has shape {y.shape}, but there are {n_labels} labels: give an "
                f"indicator matrix with {n_labels} columns of 0 and 1."
            )
        if not np.isin(y, (0, 1)).all():
            raise ValueError(f"A multilabel {name} holds 0 and 1 only; got {np.unique(y)[:5]}.")
        return y.astype(np.float64)

    def shape_weights(self, coef, intercept):
        """Weights and biases as they are: (n_neurons, n_features) and (n_neurons,)."""
        return coef, intercept

    @property
    def n_neurons(self) -> int:
        """One for two classes, else one per class or label."""
        one_will_do = len(self.classes) == 2 and not self.is_multilabel
        return 1 if one_will_do else len(self.classes)


def find_classes(y, name: str, classes=None):
    """Return (classes, is_multilabel) of a classifier's labels, or of those named in `classes`.

    Raises
    ------
    ValueError
        For continuous targets, several columns of classes, and a single class.
    """
    _refuse_odd_labels(y)
    # Whole numbers, booleans and strings in a vector are classes without looking any closer.
    is_plain = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuU"
    kind = "classes" if is_plain else type_of_target(y, input_name="y", raise_unknown=True)
    if kind == "multilabel-indicator":
        return np.arange(y.shape[1]), True
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"y has several columns of classes. Fit one {name} per column; "
            "sklearn.multioutput.MultiOutputClassifier does that."
        )
    if not is_plain:
        y = column_or_1d(y, warn=True)
        if kind.startswith("continuous"):
            numbers = np.asarray(y, dtype=np.float64)
            broken = numbers[numbers != np.floor(numbers)]
            raise ValueError(
                f"Unknown label type: {kind}. y holds numbers, {broken[0]:.6g} for one, and a "
                "classifier needs classes. For numbers there is NeuronRegressor; or make classes "
                "of them, with y > threshold or numpy.digitize."
            )
        check_classification_targets(y)
    classes = distinct(y) if classes is None else np.unique(classes)
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs samples of at least 2 classes in the data, but y contains only one "
            f"class: {np.asarray(classes).tolist()[0]!r}. With one class there is nothing to tell "
            "apart; partial_fit can be told of others by classes=."
        )
    if is_plain and len(y) > FEW_ROWS and len(classes) > len(y) / 2:
        # Of other y `check_classification_targets` says so.
        warn(
            f"y holds {len(classes)} classes in {len(y)} rows, {classes.tolist()[0]!r} for one. If "
            "these are numbers, prices or counts say, use NeuronRegressor; if they are names of "
            "the rows, there is nothing to learn."
        )
    return classes, False


def warn_of_one_hot(y) -> None:
    """Warn of an indicator matrix in which each row has one label: they may exclude each other."""
    if y.shape[0] < LEAST_ONE_HOT or not np.all(y.sum(axis=1) == 1) or not np.all(y.sum(axis=0)):
        return
    warn(
        "y is an indicator matrix, whose labels can hold together, but each row has exactly one: "
        "every label gets a neuron of its own, and a row may be predicted to have none. If they "
        "are classes that exclude each other, give them in one column: numpy.argmax(y, axis=1)."
    )


def _refuse_odd_labels(y, name: str = "y") -> None:
    """Refuse objects that are no words, and words or dates among which some are missing."""
    kind = getattr(getattr(y, "dtype", None), "kind", "-")
    if kind not in "OmM":
        return
    gone = pd.isna(y)
    if not gone.any():
        if kind != "O":
            return
        labels = {isinstance(label, str): label for label in np.ravel(y)}
        if len(labels) == 2:
            raise ValueError(
                f"{name} holds words, {labels[True]!r} for one, and other things, "
                f"{labels[False]!r} for one. Make all labels words, with {name}.astype(str), or "
                "all numbers."
            )
        other = labels.get(False)
        if other is not None and not np.iterable(other):
            is_number = isinstance(other, (int, float, np.number, np.bool_))
            kind = f"{name}.astype({type(other).__name__!r}) or " if is_number else ""
            raise ValueError(
                f"Unknown label type: {name} holds objects, {other!r} for one, of dtype=object. "
                f"Make labels of them, with {kind}{name}.astype(str)."
            )
        return
    rows = np.flatnonzero(gone if gone.ndim == 1 else gone.any(axis=1))
    raise ValueError(
        f"Input {name} contains NaN: {len(rows)} labels are missing, the first in row {rows[0]}. "
        "Leave those rows out, of X and y, or give them a label of their own."
    )


def are_classes(y) -> bool:
    """Whether y is of classes rather than numbers, where nothing but y says so.

    Strings, booleans and 0/1 indicator matrices are classes. Whole numbers are, if their values
    are few: counts and prices are whole numbers as well.
    """
    if getattr(y, "shape", ())[1:] == (1,):
        y = np.asarray(y).ravel()
    try:
        kind = type_of_target(y, input_name="y")
    except (TypeError, ValueError):
        _refuse_odd_labels(y)
        raise
    if kind in ("binary", "multilabel-indicator"):
        return True
    if kind not in ("multiclass", "multiclass-multioutput"):
        return False
    y = np.asarray(y)
    if y.dtype.kind not in "iuf":
        return True
    n_values = len(np.unique(y)) if y.ndim == 1 else 0
    return 0 < n_values <= min(MOST_CLASSES, len(y) / LEAST_ROWS_PER_CLASS)


def specimen(labels, n_rows: int):
    """A short vector of which `are_classes` and scikit-learn say what they would of all rows."""
    return np.repeat(labels, min(max(n_rows // max(len(labels), 1), 1), 100))


def strata(y, n_validation: int):
    """What a validation split keeps the shares of: classes, where each has rows enough."""
    y = y.ravel() if y.shape[1:] == (1,) else y
    counts = np.unique(y, return_counts=True)[1] if np.ndim(y) == 1 else np.zeros(1)
    enough = counts.min() >= 2 and n_validation >= len(counts)
    return y if enough and len(y) - n_validation >= len(counts) else None


def distinct(y):
    """``np.unique``; by counting where y holds few small whole numbers."""
    if len(y) and y.dtype.kind in "iu" and y.dtype.itemsize <= 8:
        low, high = int(np.minimum.reduce(y)), int(np.maximum.reduce(y))
        if low >= 0 and high < max(len(y), 256):
            return np.bincount(y).nonzero()[0].astype(y.dtype)
    if len(y) <= ROWS_AT_ONCE:
        return np.unique(y)
    # It sorts a copy, so one of some rows at once.
    parts = gen_batches(len(y), ROWS_AT_ONCE)
    return np.unique(np.concatenate([np.unique(y[part]) for part in parts]))
