"""NeuronLayer beside scikit-learn's MLP: the same network, penalty and rows, from ten seeds each.

    python -m tests.benchmarks.layer [--only WORDS] [--seeds 10] [--write docs/layer_benchmark.inc]

Both minimise mean loss + alpha / 2 * (squared weights of both layers). scikit-learn divides its alpha
by the number of rows in what one step sees, so it is given alpha times the rows of a batch ("adam") or
times all rows ("lbfgs"). Fits are run in turn; objective and score are taken from the weights of
either, by the same code.
"""

from __future__ import annotations

import argparse
import gc
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from scipy import special
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

import sknneuron
from sknneuron import NeuronLayer

AMES = Path(__file__).parents[2] / "examples" / "data" / "ames.csv"
BATCH = 200


@dataclass
class Case:
    """One row of the table: data, and the network to be trained on them."""

    name: str
    load: Callable
    n_neurons: int
    activation: str
    alpha: float
    is_regression: bool = False
    peers: tuple[str, ...] = ("MLP adam", "MLP lbfgs")


def digits():
    return load_digits(return_X_y=True)


def breast_cancer():
    return load_breast_cancer(return_X_y=True)


def ames():
    """Log prices, standardised, of the 2,930 houses."""
    houses = pd.read_csv(AMES).drop(columns=["Order", "PID"])
    price = np.log(houses.pop("price").to_numpy())
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True))
    labels = OneHotEncoder(
        min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (labels, make_column_selector(dtype_exclude="number")),
    )
    return columns.fit_transform(houses), (price - price.mean()) / price.std()


def synthetic(n=200_000):
    """Two classes, apart by six soft steps and one product of two columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 50))
    z = np.tanh(X @ rng.standard_normal((50, 6)) / np.sqrt(7)).sum(axis=1) + X[:, 0] * X[:, 1]
    return X, (z + 0.5 * rng.standard_normal(n) > 0).astype(int)


CASES = [
    Case("digits", digits, 32, "relu", 1e-3),
    Case("breast cancer", breast_cancer, 16, "relu", 1e-2),
    Case("Ames, log price", ames, 16, "relu", 1e-2, is_regression=True),
    # MLP's L-BFGS takes minutes a fit here, and ends above its Adam.
    Case("200k x 50, two classes", synthetic, 16, "relu", 1e-5, peers=("MLP adam",)),
]


def train(case: Case, who: str, seed: int, X, y):
    """Train and return (seconds, weights as NeuronLayer has them)."""
    solver = who.partition(" ")[2]
    if who == "sknneuron":
        loss = "squared_error" if case.is_regression else "log_loss"
        model = NeuronLayer(
            case.n_neurons, case.activation, loss=loss, alpha=case.alpha, random_state=seed
        )
    else:
        task = MLPRegressor if case.is_regression else MLPClassifier
        rows = min(BATCH, len(X)) if solver == "adam" else len(X)
        model = task(
            hidden_layer_sizes=(case.n_neurons,),
            activation=case.activation,
            alpha=case.alpha * rows,
            solver=solver,
            random_state=seed,
        )
    gc.collect()
    # On one thread: a few threads of BLAS on small products are slower, not faster, for either.
    with warnings.catch_warnings(), threadpool_limits(1):
        # That MLP ends at its default of 200 iterations is part of the comparison.
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - began
    if who == "sknneuron":
        return seconds, (model.coef_, model.intercept_, model.output_coef_, model.output_intercept_)
    (W, V), (b, c) = model.coefs_, model.intercepts_
    return seconds, (W.T, b, V.T, c)


def outputs(case: Case, weights, X):
    coef, intercept, output_coef, output_intercept = weights
    z = X @ coef.T + intercept
    a = np.maximum(z, 0) if case.activation == "relu" else np.tanh(z)
    return a @ output_coef.T + output_intercept


def objective(case: Case, weights, X, y):
    o = outputs(case, weights, X)
    if case.is_regression:
        loss = 0.5 * np.mean((o[:, 0] - y) ** 2)
    elif o.shape[1] == 1:
        loss = np.mean(np.logaddexp(0, np.where(y == 1, -o[:, 0], o[:, 0])))
    else:
        loss = np.mean(special.logsumexp(o, axis=1) - o[np.arange(len(y)), y])
    return loss + 0.5 * case.alpha * (np.sum(weights[0] ** 2) + np.sum(weights[2] ** 2))


def score(case: Case, weights, X, y):
    o = outputs(case, weights, X)
    if case.is_regression:
        return 1 - np.sum((o[:, 0] - y) ** 2) / np.sum((y - y.mean()) ** 2)
    return np.mean((o[:, 0] > 0) == y if o.shape[1] == 1 else o.argmax(axis=1) == y)


def contest(case: Case, n_seeds: int) -> list[dict]:
    """Medians of seconds, objective and score of each contestant."""
    X, y = case.load()
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    results: dict[str, list] = {who: [] for who in ("sknneuron", *case.peers)}
    for seed in range(n_seeds):
        for who, found in results.items():
            seconds, weights = train(case, who, seed, X, y)
            found.append(
                (seconds, objective(case, weights, X, y), score(case, weights, X_test, y_test))
            )
    ours = np.median(results["sknneuron"], axis=0)
    rows = []
    for who, found in results.items():
        seconds, value, held_out = np.median(found, axis=0)
        rows.append(
            {
                "data": case.name,
                "network": f"{case.n_neurons} {case.activation}, alpha {case.alpha:g}",
                "who": who,
                "seeds": n_seeds,
                "seconds": f"{seconds:.3g}",
                "time of ours / its": "" if who == "sknneuron" else f"{ours[0] / seconds:.2f}",
                "training objective": f"{value:.5f}",
                "held-out score": f"{held_out:.4f}",
            }
        )
        print("  ".join(str(value) for value in rows[-1].values()), flush=True)
    return rows


def table(rows: list[dict]) -> str:
    """The results as reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [dict.fromkeys(rows[0]), *rows]:
        cells = list(row) if row["who"] is None else list(row.values())
        lines += [
            f"   {'* -' if i == 0 else '  -'} {cell}".rstrip() for i, cell in enumerate(cells)
        ]
    lines += [
        "",
        "Medians of so many seeds, a quarter of the rows held out; accuracy, R2 for prices. "
        f"sknneuron {sknneuron.__version__}, scikit-learn {sklearn.__version__}, numpy "
        f"{np.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        "one thread. Written by ``python -m tests.benchmarks.layer``.",
        "",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    rows = [row for case in CASES if args.only in case.name for row in contest(case, args.seeds)]
    if args.write:
        args.write.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
