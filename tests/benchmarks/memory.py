"""Peak memory beyond X, as numpy allocates it."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from sknneuron import NeuronClassifier, NeuronRegressor

from . import generators as data

N_ROWS, N_FEATURES = 500_000, 50


@dataclass
class Memory:
    """One row: what each fit allocates at its peak, as a share of X."""

    name: str
    values: Callable
    fits: dict[str, Callable]
    must: float = 0.05
    aim: float = 0.02
    quick: bool = False

    def run(self) -> dict:
        X = data.correlated(N_ROWS, N_FEATURES)
        y = self.values(data.weighted_sum(X))
        shares = {name: peak(fit, X, y) / X.nbytes for name, fit in self.fits.items()}
        return {"work": self.name, "must": self.must, "aim": self.aim, **shares}


def peak(fit, X, y) -> int:
    """Bytes that lay beside X and y at most."""
    gc.collect()
    tracemalloc.start()
    try:
        fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def words(z):
    return np.array(["no", "yes"])[data.two_classes(z)]


def two_epochs(X, y):
    with warnings.catch_warnings():
        # Two epochs show the memory of all; that they are no optimum is meant.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return NeuronClassifier(solver="adam", max_iter=2).fit(X, y)


MEMORY = [
    Memory(
        "logistic 500k x 50 to 1e-8, share of X",
        data.two_classes,
        {
            "sknneuron": lambda X, y: NeuronClassifier(alpha=1e-5, tol=1e-8).fit(X, y),
            "scikit-learn": lambda X, y: LogisticRegression(
                C=1 / (1e-5 * len(X)), solver="newton-cholesky"
            ).fit(X, y),
        },
        quick=True,
    ),
    Memory(
        "ridge 500k x 50, share of X",
        lambda z: z,
        {
            "sknneuron": lambda X, y: NeuronRegressor(alpha=1e-5).fit(X, y),
            "scikit-learn": lambda X, y: Ridge(alpha=1e-5 * len(X)).fit(X, y),
        },
        quick=True,
    ),
    Memory(
        "logistic of words, 500k x 50, share of X",
        words,
        {"sknneuron": lambda X, y: NeuronClassifier().fit(X, y)},
    ),
    Memory(
        "logistic, balanced classes, 500k x 50, share of X",
        data.two_classes,
        {"sknneuron": lambda X, y: NeuronClassifier(class_weight="balanced").fit(X, y)},
    ),
    Memory(
        "logistic, early stopping, 500k x 50, share of X",
        data.two_classes,
        {"sknneuron": lambda X, y: NeuronClassifier(early_stopping=True, random_state=0).fit(X, y)},
    ),
    Memory(
        "logistic, L1, 500k x 50, share of X",
        data.two_classes,
        {"sknneuron": lambda X, y: NeuronClassifier(alpha=1e-3, l1_ratio=1.0).fit(X, y)},
    ),
    Memory(
        "hinge 500k x 50, share of X",
        data.two_classes,
        {"sknneuron": lambda X, y: NeuronClassifier("identity", "hinge").fit(X, y)},
    ),
    Memory(
        "absolute error 500k x 50, share of X",
        lambda z: z,
        {"sknneuron": lambda X, y: NeuronRegressor(loss="absolute_error").fit(X, y)},
    ),
    Memory(
        "huber 500k x 50, share of X",
        lambda z: z,
        {"sknneuron": lambda X, y: NeuronRegressor(loss="huber").fit(X, y)},
    ),
    Memory(
        "adam, 2 epochs of 500k x 50, share of X",
        data.two_classes,
        {"sknneuron": two_epochs},
    ),
]
