"""Everyone at the default settings, on real data: how long to a held-out loss near the best.

A library at its defaults has one end, near the best or not: the table says how far the held-out loss
is from the lowest one that any of them reached, and the time it took.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor

from . import generators as data

NEAR = 1e-3
ROUNDS = 5


def _glum(family):
    from glum import GeneralizedLinearRegressor

    return GeneralizedLinearRegressor(family=family)


def _torch_softmax():
    import torch

    class Softmax:
        """A linear layer and the optimizer as torch hands them out: Adam, ten epochs of 32 rows."""

        def fit(self, X, y):
            torch.manual_seed(0)
            rows, codes = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
            self.layer = torch.nn.Linear(X.shape[1], int(y.max()) + 1)
            optimizer = torch.optim.Adam(self.layer.parameters())
            for _ in range(10):
                for batch in torch.randperm(len(rows)).split(32):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(
                        self.layer(rows[batch]), codes[batch]
                    ).backward()
                    optimizer.step()
            return self

        def predict_proba(self, X):
            with torch.no_grad():
                z = self.layer(torch.tensor(X, dtype=torch.float32)).double()
            return torch.softmax(z, dim=1).numpy()

    return Softmax()


def _probabilities(model, X, y):
    if hasattr(model, "predict_proba"):
        return log_loss(y, model.predict_proba(X))
    p = model.predict(X)
    return log_loss(y, np.column_stack([1 - p, p]))


def _counts(model, X, y):
    return mean_poisson_deviance(y, np.maximum(model.predict(X), 1e-9))


def _numbers(model, X, y):
    return mean_squared_error(y, model.predict(X))


def _ames_counts():
    """Rooms above ground, from all the rest."""
    X, price = data.ames()
    rng = np.random.default_rng(0)
    return X, rng.poisson(np.exp(0.5 * price)).astype(float)


TASKS = {
    "breast cancer, two classes": (
        lambda: load_breast_cancer(return_X_y=True),
        _probabilities,
        {
            "sknneuron": NeuronClassifier,
            "LogisticRegression": LogisticRegression,
            "SGDClassifier": lambda: SGDClassifier(loss="log_loss", random_state=0),
            "glum": lambda: _glum("binomial"),
            "torch Adam": _torch_softmax,
        },
    ),
    "digits, ten classes": (
        lambda: load_digits(return_X_y=True),
        _probabilities,
        {
            "sknneuron": NeuronClassifier,
            "LogisticRegression": LogisticRegression,
            "SGDClassifier": lambda: SGDClassifier(loss="log_loss", random_state=0),
            "torch Adam": _torch_softmax,
        },
    ),
    "Ames one-hot, log price": (
        data.ames,
        _numbers,
        {"sknneuron": NeuronRegressor, "Ridge": Ridge, "glum": lambda: _glum("normal")},
    ),
    "Ames one-hot, made counts": (
        _ames_counts,
        _counts,
        {
            "sknneuron": lambda: NeuronRegressor("exp", "poisson"),
            "PoissonRegressor": PoissonRegressor,
            "glum": lambda: _glum("poisson"),
        },
    ),
}


def everyones_defaults():
    """One row per task and library."""
    for task, (load, loss, models) in TASKS.items():
        X, y = load()
        X, X_test, y, y_test = train_test_split(X, y, random_state=0)
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
        losses, seconds = {}, {name: [] for name in models}
        for _ in range(ROUNDS):
            for name, make in models.items():
                began = time.perf_counter()
                try:
                    model = make().fit(X, y)
                except np.linalg.LinAlgError:
                    continue
                seconds[name].append(time.perf_counter() - began)
                losses[name] = loss(model, X_test, y_test)
        best = min(losses.values())
        for name in models:
            if name not in losses:
                yield {"work": f"{task}: {name}", "ms": "", "held-out loss": "singular, no fit"}
                continue
            yield {
                "work": f"{task}: {name}",
                "ms": round(1e3 * float(np.median(seconds[name])), 2),
                "held-out loss": losses[name],
                "above the best": losses[name] / best - 1,
                "within 0.1%": "yes" if losses[name] <= best * (1 + NEAR) else "no",
            }
