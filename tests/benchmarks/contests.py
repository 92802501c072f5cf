"""Rows of the table of speed that are not one fit to a tolerance."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.stochastic import SGD, Adam
from sknneuron.sources import ArraySource

from . import generators as data
from .nonconvex import NONCONVEX
from .timing import OURS, Contest, Field, read_time

STRENGTHS = np.geomspace(1e-4, 1e-1, 40)


def small_grid() -> Field:
    """200 fits of 400 rows, scored, in one process."""
    X = data.independent(500, 10)
    y = data.two_classes(data.weighted_sum(X))

    def search(model, grid):
        return GridSearchCV(model, grid, cv=5, refit=False).fit(X, y)

    C = (1 / (STRENGTHS * 400)).tolist()
    return Field(
        {
            OURS: lambda: search(NeuronClassifier(tol=1e-6), {"alpha": STRENGTHS.tolist()}),
            **{
                solver: lambda s=solver: search(LogisticRegression(solver=s), {"C": C})
                for solver in ("lbfgs", "liblinear", "newton-cholesky")
            },
        }
    )


def prediction(method: str, n_rows: int):
    """One call on `n_rows` rows of a plain array."""

    def make() -> Field:
        X = data.independent(max(n_rows, 2000), 50)
        y = data.two_classes(data.weighted_sum(X))
        some = slice(0, 2000)
        ours = NeuronClassifier().fit(X[some], y[some])
        peer = LogisticRegression().fit(X[some], y[some])
        rows = X[:n_rows]
        return Field(
            {
                OURS: lambda: getattr(ours, method)(rows),
                "LogisticRegression": lambda: getattr(peer, method)(rows),
            },
            read=read_time(rows) if n_rows > 1 else np.nan,
        )

    return make


def regression_of_one_row() -> Field:
    X = data.independent(2000, 50)
    y = data.weighted_sum(X)
    ours, peer = NeuronRegressor().fit(X, y), Ridge().fit(X, y)
    row = X[:1]
    return Field({OURS: lambda: ours.predict(row), "Ridge": lambda: peer.predict(row)})


def epoch(solver):
    """One pass over the rows in batches of 256, without what surrounds it, as far as can be."""

    def make() -> Field:
        X = data.correlated(200_000, 50)
        y = data.two_classes(data.weighted_sum(X))
        source = ArraySource(X, y[:, None].astype(float))
        pair = make_pair("sigmoid", "log_loss", classifier=True)
        objective = Objective(source, pair, ElasticNet(1e-4, 0.0), 1)
        ours = solver(256, "auto")
        theta, state = ours.epoch(objective, objective.null(), None, np.random.default_rng(0))
        peer = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0)
        peer.partial_fit(X, y, classes=[0, 1])
        return Field(
            {
                OURS: lambda: ours.epoch(objective, theta, state, np.random.default_rng(1)),
                "SGDClassifier.partial_fit": lambda: peer.partial_fit(X, y),
            },
            read=read_time(X),
        )

    return make


def float32_beside_float64() -> Field:
    X = data.correlated(500_000, 50)
    y = data.two_classes(data.weighted_sum(X))
    X32 = X.astype(np.float32)

    def fit(rows):
        return NeuronClassifier(alpha=1e-5, tol=1e-6).fit(rows, y)

    return Field({OURS: lambda: fit(X32), "ours on float64": lambda: fit(X)}, read=read_time(X32))


def ten_times_the_rows(activation, loss, values):
    def make() -> Field:
        X = data.correlated(1_000_000, 50)
        y = values(data.weighted_sum(X))
        task = NeuronClassifier if loss == "log_loss" else NeuronRegressor

        def fit(n):
            return task(activation, loss, alpha=1e-5, tol=1e-8).fit(X[:n], y[:n])

        return Field(
            {OURS: lambda: fit(1_000_000), "ours on 100k rows": lambda: fit(100_000)},
            read=read_time(X),
        )

    return make


CONTESTS = [
    Contest("grid of 200 fits, 400 x 10", small_grid, 0.50, 0.30, quick=True),
    Contest("predict, one row x 50", prediction("predict", 1), 0.80, 0.25, True, 1000),
    Contest("predict_proba, one row x 50", prediction("predict_proba", 1), 0.80, 0.25, True, 1000),
    Contest("regressor's predict, one row x 50", regression_of_one_row, 0.80, 0.25, True, 1000),
    Contest("predict, 1M rows x 50", prediction("predict", 1_000_000), 0.80, 0.70, True),
    Contest("predict_proba, 1M rows x 50", prediction("predict_proba", 1_000_000), 0.80, 0.70, True),
    Contest("epoch of sgd, batches of 256, 200k x 50", epoch(SGD), 0.40, 0.15, True),
    Contest("epoch of adam, batches of 256, 200k x 50", epoch(Adam), 0.40, 0.15, True),
    *NONCONVEX,
    Contest("float32 X, logistic 500k x 50 to 1e-6", float32_beside_float64, 0.75, 0.55),
    Contest(
        "ten times the rows: logistic 1M x 50 to 1e-8",
        ten_times_the_rows("sigmoid", "log_loss", data.two_classes),
        11.0,
        10.0,
    ),
    Contest(
        "ten times the rows: ridge 1M x 50",
        ten_times_the_rows("identity", "squared_error", lambda z: z + np.sin(7 * z)),
        11.0,
        10.0,
    ),
]  # fmt: skip
