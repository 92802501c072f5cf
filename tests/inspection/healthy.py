"""Fits with nothing wrong: a diagnosis should hold nothing above "info"."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Huber, Quantile, Tweedie

from ..references.datasets import all_rows

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"


@dataclass(frozen=True)
class Fit:
    """An estimator and the rows to fit it on."""

    make: Callable
    data: Callable
    fit_params: Callable = dict


def _bundled():
    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"):
        load = getattr(datasets, f"load_{name}")
        found[name] = lambda load=load: load(return_X_y=True, as_frame=True)
    return found


def scaled(neuron):
    return make_pipeline(StandardScaler(), neuron)


def texts(n_classes, n=1500, n_words=3000):
    """Shares of words of a long tail: more columns than rows, and all entries small."""
    rng = np.random.default_rng(n_classes)
    y = rng.integers(n_classes, size=n)
    words = (n_words ** rng.random((n, 60))).astype(int) - 1
    # Some words are those of a subject.
    words[:, :4] = n_words // 2 + 20 * y[:, None] + rng.integers(20, size=(n, 4))
    counts = sparse.csr_array((np.ones(words.size), words.ravel(), np.arange(0, 60 * n + 1, 60)))
    return TfidfTransformer().fit_transform(counts), y


def _on_texts():
    for n_classes in (2, 5):
        for name, neuron in {
            "auto": NeuronClassifier(),
            "hinge": NeuronClassifier("identity", "hinge"),
            "strong penalty": NeuronClassifier("identity", "hinge", alpha=2e-3),
        }.items():
            yield (
                f"texts, {n_classes} classes, {name}",
                Fit(lambda neuron=neuron: clone(neuron), lambda k=n_classes: texts(k)),
            )


def _on_bundled():
    data = _bundled()
    for name in ("iris", "wine", "breast_cancer", "digits"):
        # Real classes, some perfectly separable: alpha as one would choose it.
        for what, neuron in {
            "auto": NeuronClassifier(alpha=1e-2),
            "weak penalty": NeuronClassifier(alpha=1e-3),
            "balanced": NeuronClassifier(alpha=1e-2, class_weight="balanced"),
            "hinge": NeuronClassifier("identity", alpha=1e-2),
            "sgd": NeuronClassifier(alpha=1e-2, solver="sgd", random_state=0),
        }.items():
            yield f"{name}, {what}", Fit(lambda neuron=neuron: scaled(neuron), data[name])
    for name in ("iris", "wine", "digits"):
        neuron = NeuronClassifier(alpha=1e-3)
        yield f"{name}, raw columns", Fit(lambda neuron=neuron: neuron, data[name])
    for name in ("diabetes", "linnerud"):
        for what, neuron in {
            "default": NeuronRegressor(),
            "no penalty": NeuronRegressor(alpha=0),
            "huber": NeuronRegressor(loss=Huber(delta=50)),
            "lasso": NeuronRegressor(alpha=0.5, l1_ratio=1),
        }.items():
            yield f"{name}, {what}", Fit(lambda neuron=neuron: scaled(neuron), data[name])
    for what, neuron in {
        "relu": NeuronRegressor("relu"),
        "softplus": NeuronRegressor("softplus"),
        "adam": NeuronRegressor(solver="adam", random_state=0),
        "sgd": NeuronRegressor(solver="sgd", random_state=0),
        "median": NeuronRegressor(loss="absolute_error"),
        "poisson": NeuronRegressor("exp", "poisson"),
        "gamma": NeuronRegressor("exp", "gamma"),
    }.items():
        yield f"diabetes, {what}", Fit(lambda neuron=neuron: scaled(neuron), data["diabetes"])

    def diabetes_in_01():
        X, y = data["diabetes"]()
        return X, (y - y.min()) / np.ptp(y)

    for activation in ("sigmoid", "tanh", "softsign", "probit", "cloglog"):
        yield (
            f"diabetes, {activation}",
            Fit(lambda a=activation: scaled(NeuronRegressor(a)), diabetes_in_01),
        )


TASKS = {
    "binary": ("binary", lambda a: NeuronClassifier(alpha=a)),
    "probit": ("binary", lambda a: NeuronClassifier("probit", alpha=a)),
    "softmax": ("classes", lambda a: NeuronClassifier(alpha=a)),
    "numbers": ("numbers", lambda a: NeuronRegressor(alpha=a)),
    "quantile": ("numbers", lambda a: NeuronRegressor(loss=Quantile(0.7), alpha=a)),
    "poisson": ("counts", lambda a: NeuronRegressor("exp", "poisson", alpha=a)),
    "gamma": ("positive", lambda a: NeuronRegressor("exp", "gamma", alpha=a)),
    "tweedie": ("claims", lambda a: NeuronRegressor("exp", Tweedie(1.5), alpha=a)),
}


def _on_drawn_targets():
    for rows in all_rows().values():
        if rows.name == "nearly_equal":
            continue  # a sick one
        scaler = MaxAbsScaler if sparse.issparse(rows.X) else StandardScaler
        for task, (target, neuron) in TASKS.items():
            yield (
                f"{rows.name}, {task}",
                Fit(
                    lambda rows=rows, neuron=neuron, s=scaler: make_pipeline(
                        s(), neuron(rows.alpha)
                    ),
                    lambda rows=rows, target=target: (rows.X, getattr(rows, target)()),
                ),
            )


def sacramento():
    sales = pd.read_csv(EXAMPLES / "sacramento.csv", dtype={"zip": str})
    return sales[["sqft", "beds", "baths", "latitude", "longitude", "zip", "type"]], sales["price"]


def ames():
    sales = pd.read_csv(EXAMPLES / "ames.csv")
    # Living area and basement are sums of others among the columns.
    return sales.drop(columns=["Order", "PID", "price", "area", "Total.Bsmt.SF"]), sales["price"]


def housing(neuron):
    numbers = make_column_selector(dtype_include=np.number)
    texts = make_column_selector(dtype_exclude=np.number)
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", min_frequency=10), texts),
        ),
        neuron,
    )


def on_log(regressor):
    return TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)


def _housing():
    for name, data in {"sacramento": sacramento, "ames": ames}.items():
        yield f"{name}, price", Fit(lambda: housing(NeuronRegressor(alpha=1e-3)), data)
        yield f"{name}, log", Fit(lambda: on_log(housing(NeuronRegressor(alpha=1e-3))), data)
        yield (
            f"{name}, gamma",
            Fit(lambda: housing(NeuronRegressor("exp", "gamma", alpha=1e-3)), data),
        )

        def above(data=data):
            X, y = data()
            return X, np.where(y > y.median(), "dear", "cheap")

        yield f"{name}, dear", Fit(lambda: housing(NeuronClassifier(alpha=1e-3)), above)
    yield (
        "sacramento, raw columns",
        Fit(
            lambda: NeuronRegressor(),
            lambda: (sacramento()[0][["sqft", "beds", "baths"]], sacramento()[1]),
        ),
    )


def _others():
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.standard_normal((500, 4)), columns=list("abcd"))
    z = X @ [1.0, -0.5, 0.3, 0.0]
    noise = rng.standard_normal(500)
    several = np.column_stack([z + noise, X["a"] - X["d"] + noise, 3 * noise + X["b"]])
    labels = np.column_stack([z + noise > 0, X["d"] + noise > 0.5]).astype(int)
    validation = {"X_val": X[400:], "y_val": (z + noise)[400:]}
    numbers = lambda: (X, z + noise)  # noqa: E731
    yield "several targets", Fit(NeuronRegressor, lambda: (X, several))
    yield "several labels", Fit(NeuronClassifier, lambda: (X, labels))
    yield (
        "validation rows",
        Fit(NeuronRegressor, lambda: (X[:400], (z + noise)[:400]), lambda: validation),
    )
    yield (
        "early stopping",
        Fit(lambda: NeuronRegressor(solver="sgd", early_stopping=True, random_state=0), numbers),
    )
    yield (
        "sample weights",
        Fit(NeuronRegressor, numbers, lambda: {"sample_weight": np.arange(500) % 4.0}),
    )
    yield "no bias", Fit(lambda: NeuronRegressor(fit_intercept=False), numbers)
    for activation in ("leaky_relu", "elu", "gelu", "silu", "softplus", "relu"):
        yield (
            f"made for {activation}",
            Fit(
                lambda a=activation: NeuronRegressor(a),
                lambda: (X, np.maximum(z + 1, 0.1) + 0.1 * np.abs(noise)),
            ),
        )
    yield "tanh classifier", Fit(lambda: NeuronClassifier("tanh"), lambda: (X, z + noise > 0))
    yield (
        "heavy tails and huber",
        Fit(lambda: NeuronRegressor(loss="huber"), lambda: (X, z + rng.standard_t(1.5, 500))),
    )
    yield (
        "range scaled target",
        Fit(
            lambda: TransformedTargetRegressor(
                NeuronRegressor("tanh"), transformer=MinMaxScaler((-0.9, 0.9))
            ),
            numbers,
        ),
    )


HEALTHY = {
    name: fit
    for source in (_on_bundled, _on_drawn_targets, _housing, _others, _on_texts)
    for name, fit in source()
}
