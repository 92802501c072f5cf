"""Fitted neurons of every kind, with rows to show on their pages."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.inspection import to_html

NUMBERS = ["sqft", "beds", "baths", "latitude", "longitude"]
CATEGORIES = ["zip", "type"]
SACRAMENTO = Path(__file__).parents[3] / "examples" / "data" / "sacramento.csv"


def sales():
    """Return the features of each Sacramento sale and its price."""
    table = pd.read_csv(SACRAMENTO, dtype={"zip": str})
    return table[NUMBERS + CATEGORIES], table["price"].astype(float)


def encoder(**one_hot):
    """Impute and scale the numbers, one column per zip code and kind of house."""
    return ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("c", OneHotEncoder(handle_unknown="ignore", **one_hot), CATEGORIES),
        ],
        sparse_threshold=0,
    )


def _price():
    X, y = sales()
    return make_pipeline(encoder(), NeuronRegressor(alpha=1e-3)).fit(X, y), X, y


def _log_price():
    X, y = sales()
    pipeline = make_pipeline(encoder(), NeuronRegressor(alpha=1e-3, solver="newton"))
    model = TransformedTargetRegressor(pipeline, func=np.log, inverse_func=np.exp)
    return model.fit(X, y), X, y


def _above_median():
    X, y = sales()
    label = np.where(y > y.median(), "above", "below")
    return make_pipeline(encoder(), NeuronClassifier(alpha=1e-3)).fit(X, label), X, label


def _digits():
    X, y = load_digits(return_X_y=True)
    return NeuronClassifier(alpha=1e-2).fit(X / 16, y), X / 16, y


def _one_against_rest():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return NeuronClassifier("probit").fit(X, y), X, y


def _multilabel():
    X, y = make_multilabel_classification(300, 6, n_classes=4, random_state=0)
    return NeuronClassifier().fit(X, y), X, y


def _margin():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return NeuronClassifier("identity").fit(X, y), X, y


def _diabetes(activation):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    y = y if activation == "relu" else ((y - y.mean()) / y.std() / 4).clip(-0.9, 0.9)
    model = make_pipeline(StandardScaler(), NeuronRegressor(activation, random_state=0))
    return model.fit(X, y), X, y


def _one_feature():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return NeuronRegressor().fit(X[["bmi"]], y), X[["bmi"]], y


def _two_targets():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    y = pd.DataFrame({"progression": y, "root": np.sqrt(y)})
    model = TransformedTargetRegressor(NeuronRegressor(), transformer=StandardScaler())
    return model.fit(X, y), X, y


def _text():
    """Documents of 20,000 words in all, a few of which tell the two kinds apart."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(20_000)])
    numbers = (20 * rng.pareto(0.6, (400, 80))).astype(int) % len(words)
    documents = [" ".join(words[row]) for row in numbers]
    documents[0] += " " + " ".join(words)
    label = np.array(["sport" if "word3 " in text else "politics" for text in documents])
    return (
        make_pipeline(TfidfVectorizer(), NeuronClassifier()).fit(documents, label),
        documents,
        label,
    )


def _layer():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return NeuronLayer(3, "tanh", random_state=0, max_iter=50, tol=1e-2).fit(X, y), X, y


MODELS = {
    "price": _price,
    "log price": _log_price,
    "above the median": _above_median,
    "digits": _digits,
    "one against the rest": _one_against_rest,
    "multilabel": _multilabel,
    "margin": _margin,
    "tanh": lambda: _diabetes("tanh"),
    "relu": lambda: _diabetes("relu"),
    "one feature": _one_feature,
    "two targets": _two_targets,
    "text": _text,
    "layer": _layer,
}


@cache
def model(name):
    """Return (estimator, X, y)."""
    return MODELS[name]()


def first_rows(name, n=400):
    """Return an estimator and rows that all fit onto a page."""
    estimator, X, y = model(name)
    return estimator, X[:n], y[:n]


@cache
def html_of(name):
    """Return the page of a model with its first rows."""
    return to_html(*first_rows(name))


def neuron_of(estimator):
    """Return the neuron at the end of an estimator."""
    if isinstance(estimator, TransformedTargetRegressor):
        estimator = estimator.regressor_
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def outputs(estimator, X):
    """Return what the page shows of a row: probabilities, margins, or predictions."""
    for name in ("predict_proba", "decision_function", "predict", "transform"):
        if hasattr(estimator, name):
            values = np.asarray(getattr(estimator, name)(X), dtype=float)
            return values.reshape(len(values), -1)
    raise AssertionError(estimator)
