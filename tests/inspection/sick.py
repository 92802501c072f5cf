"""Fits with one thing wrong each, and what the advice makes of them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Quantile

from .healthy import ames, sacramento, scaled, texts


def refit(model, X, y, **fit_params):
    """Fit whatever warnings come: the fits here deserve some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, **fit_params)


# -- following the advice --------------------------------------------------------------------------


def change_params(finding, model, X, y):
    model = clone(model)
    inside = model
    while not hasattr(inside, "activation"):
        inside = inside.regressor if hasattr(inside, "regressor") else inside[-1]
    return inside.set_params(**finding.params) and model, X, y


def drop_columns(finding, model, X, y):
    return clone(model), X.drop(columns=list(finding.features)), y


def drop_rows(finding, model, X, y):
    kept = np.setdiff1d(np.arange(len(X)), finding.rows)
    return clone(model), X.iloc[kept], np.asarray(y)[kept]


def put_before(step):
    def cure(finding, model, X, y):
        return make_pipeline(step, clone(model)), X, y

    return cure


def impute(finding, model, X, y):
    mark = X[finding.features[0]].iloc[finding.rows[0]]
    return make_pipeline(SimpleImputer(missing_values=mark, add_indicator=True), clone(model)), X, y


def scale_target(finding, model, X, y):
    return TransformedTargetRegressor(clone(model), transformer=MinMaxScaler()), X, y


@dataclass(frozen=True)
class Sick:
    """A fit whose diagnosis should hold `code`, and the cure of it."""

    code: str
    make: Callable
    data: Callable
    cure: Callable
    fit_params: dict = field(default_factory=dict)
    train: Callable = refit


# -- data ------------------------------------------------------------------------------------------


def made(n=300, p=4, seed=0, noise=0.5, z=lambda X: X["a"] - 0.5 * X["b"]):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.standard_normal((n, p)), columns=list("abcdefghijklmnop"[:p]))
    return X, z(X) + noise * rng.standard_normal(n)


def labels(n=300, p=4, seed=0, shift=0.0):
    X, z = made(n, p, seed)
    return X, (z + shift > 0).astype(int)


def bundled(load, **kwargs):
    return lambda: load(return_X_y=True, as_frame=True, **kwargs)


diabetes = bundled(load_diabetes, scaled=False)
SIZES = {"small": (100, 3, 1), "middle": (300, 5, 2), "large": (3000, 8, 3)}


def dead():
    for size, shape in SIZES.items():
        for activation in ("relu", "gelu"):

            def data(shape=shape):
                X, z = made(*shape)
                return X, np.zeros(len(z))

            if activation == "relu":
                yield (
                    f"zeros, {activation}, {size}",
                    Sick("DEAD", lambda a=activation: NeuronRegressor(a), data, change_params),
                )
    for activation in ("relu", "gelu", "silu", "elu"):
        for solver in ("sgd", "lbfgs"):

            def train(model, X, y):
                """Go on from weights that no row wakes."""
                refit(model, X, y)
                model.intercept_ = -100.0
                model.coef_ = np.zeros_like(model.coef_)
                return refit(model.set_params(warm_start=True), X, y)

            def data():
                X, z = made(200)
                return X, np.maximum(z, 0) + 0.1

            yield (
                f"resumed, {activation}, {solver}",
                Sick(
                    "DEAD",
                    lambda a=activation, s=solver: NeuronRegressor(
                        a, solver=s, max_iter=50, random_state=0
                    ),
                    data,
                    change_params,
                    train=train,
                ),
            )


def dead_by_its_start():
    """Dead from weights of its own, with as many targets at the threshold as above it."""

    def train(model, X, y):
        refit(model, X, y)
        model.coef_, model.intercept_ = np.zeros_like(model.coef_), -1.0
        return refit(model.set_params(warm_start=True, solver="sgd"), X, y)

    for seed in range(3):
        yield (
            f"half at zero, {seed}",
            Sick(
                "DEAD",
                lambda: NeuronRegressor("relu", random_state=0),
                lambda seed=seed: (made(seed=seed)[0], np.maximum(made(seed=seed)[1] - 0.2, 0)),
                change_params,
                train=train,
            ),
        )


def saturated():
    for activation in ("sigmoid", "tanh", "probit", "cloglog"):
        for solver in ("sgd" if activation == "tanh" else "lbfgs", "adam"):

            def train(model, X, y):
                """Go on from weights so large that every level is at its limit."""
                refit(model, X, y)
                model.coef_ = 1000 * np.ones_like(model.coef_)
                return refit(model.set_params(warm_start=True), X, y)

            def data():
                X, z = made(300, seed=4)
                return X, 1 / (1 + np.exp(-z))

            yield (
                f"resumed, {activation}, {solver}",
                Sick(
                    "SATURATED",
                    lambda a=activation, s=solver: NeuronRegressor(
                        a, solver=s, max_iter=100, random_state=0
                    ),
                    data,
                    change_params,
                    train=train,
                ),
            )


def target_range():
    for activation in ("sigmoid", "tanh", "relu", "probit", "softsign"):
        for size, shape in list(SIZES.items())[:2]:
            yield (
                f"{activation}, {size}",
                Sick(
                    "TARGET_RANGE",
                    lambda a=activation: NeuronRegressor(a),
                    lambda shape=shape: made(*shape, z=lambda X: 2 * X["a"]),
                    scale_target,
                ),
            )


RATES = {"sgd": 50.0, "adam": 1e6}


def diverged():
    for solver, rate in RATES.items():
        for name, (make, data) in {
            "diabetes": (NeuronRegressor, diabetes),
            "labels": (NeuronClassifier, labels),
            "sigmoid": (
                lambda **kw: NeuronRegressor("sigmoid", **kw),
                lambda: (made()[0], 1 / (1 + np.exp(-made()[1]))),
            ),
            "large": (NeuronRegressor, lambda: made(3000, 8, 3)),
        }.items():
            yield (
                f"{name}, {solver}",
                Sick(
                    "DIVERGED",
                    lambda make=make, s=solver, r=rate: make(
                        solver=s, learning_rate_init=r, random_state=0
                    ),
                    data,
                    change_params,
                ),
            )


def not_converged():
    for name, (neuron, data) in {
        "newton, labels": (NeuronClassifier(solver="newton", max_iter=1), labels),
        "lbfgs, labels": (NeuronClassifier(solver="lbfgs", max_iter=2), labels),
        "lbfgs, diabetes": (NeuronRegressor(solver="lbfgs", max_iter=2), diabetes),
        "poisson": (
            NeuronRegressor("exp", "poisson", max_iter=1),
            lambda: (made()[0], np.floor(np.exp(made()[1]))),
        ),
        "tanh": (
            NeuronRegressor("tanh", max_iter=1),
            lambda: (made()[0], np.tanh(made()[1])),
        ),
        "lasso": (
            NeuronRegressor(l1_ratio=1, solver="proximal_newton", loss="huber", max_iter=1),
            made,
        ),
        "softmax": (NeuronClassifier(max_iter=1), bundled(load_iris)),
        "huber of prices": (
            NeuronRegressor(loss="huber", max_iter=1),
            lambda: (made()[0], 1e5 * made()[1]),
        ),
    }.items():
        yield name, Sick("NOT_CONVERGED", lambda neuron=neuron: scaled(neuron), data, change_params)


def other_rows():
    def on_others(change):
        def train(model, X, y):
            X, y, *weight = change(X, y)
            return refit(model, X, y, sample_weight=weight[0] if weight else None)

        return train

    def again(finding, model, X, y):
        return clone(model), X, y

    def bent():
        return made(z=lambda X: np.exp(X["a"] + X["c"]))

    for name, change in {
        "target in other units": lambda X, y: (X, 2 * y),
        "columns in other units": lambda X, y: (X * 3, y),
        "shuffled": lambda X, y: (X, np.random.default_rng(0).permutation(y)),
        "weighted": lambda X, y: (X, y, np.exp(3 * X["c"])),
    }.items():
        yield name, Sick("OTHER_ROWS", NeuronRegressor, bent, again, train=on_others(change))
    yield (
        "labels",
        Sick(
            "OTHER_ROWS",
            NeuronClassifier,
            labels,
            again,
            train=on_others(lambda X, y: (X * [1, -1, 1, 1], y)),
        ),
    )


def underfit():
    def xor(shape):
        X, _ = made(*shape)
        return X, (X["a"] * X["b"] > 0).astype(int)

    def bowl(shape):
        X, noise = made(*shape, z=lambda X: 0.0)
        return X, X["a"] ** 2 + 0.1 * noise

    for size, shape in list(SIZES.items())[1:]:
        yield (
            f"xor, {size}",
            Sick(
                "UNDERFIT",
                NeuronClassifier,
                lambda shape=shape: xor(shape),
                put_before(PolynomialFeatures(2, include_bias=False)),
            ),
        )
    yield (
        "bowl",
        Sick(
            "UNDERFIT", NeuronRegressor, lambda: bowl((3000, 4, 6)), put_before(SplineTransformer())
        ),
    )
    yield (
        "bowl, exp",
        Sick(
            "UNDERFIT",
            lambda: NeuronRegressor("exp", "gamma"),
            lambda: (bowl((3000, 3, 6))[0], 1 + np.abs(bowl((3000, 3, 6))[1])),
            put_before(SplineTransformer()),
        ),
    )


def overpenalised():
    for name, (neuron, data) in {
        "diabetes": (NeuronRegressor(alpha=10), diabetes),
        "made": (NeuronRegressor(alpha=3), made),
        "large": (NeuronRegressor(alpha=3), lambda: made(3000, 8, 3)),
        "labels": (NeuronClassifier(alpha=1), lambda: labels(1000)),
        "cancer": (NeuronClassifier(alpha=10), bundled(load_breast_cancer)),
        "wine": (NeuronClassifier(alpha=10), bundled(load_wine)),
        "tanh": (NeuronRegressor("tanh", alpha=3), lambda: (made(1000)[0], np.tanh(made(1000)[1]))),
        "poisson": (
            NeuronRegressor("exp", "poisson", alpha=30),
            lambda: (made(1000)[0], np.floor(np.exp(made(1000)[1]))),
        ),
        "lasso": (NeuronRegressor(alpha=100, l1_ratio=1), diabetes),
        "median": (NeuronRegressor(alpha=1e3, l1_ratio=1, loss="absolute_error"), diabetes),
    }.items():
        yield name, Sick("OVERPENALISED", lambda neuron=neuron: scaled(neuron), data, change_params)
    for n_classes in (2, 5):
        yield (
            f"texts, {n_classes}",
            Sick(
                "OVERPENALISED",
                lambda: NeuronClassifier(alpha=0.1),
                lambda k=n_classes: texts(k),
                change_params,
            ),
        )
    for loss in ("absolute_error", Quantile(0.9)):
        yield (
            f"prices, {getattr(loss, 'name', loss)}",
            Sick(
                "OVERPENALISED",
                lambda loss=loss: scaled(NeuronRegressor(loss=clone(loss, safe=False))),
                lambda: (made()[0], 1e5 * made()[1]),
                change_params,
            ),
        )
    for name, neuron in {
        "small units": NeuronRegressor(),
        "small units, tanh": NeuronRegressor("tanh", random_state=0),
    }.items():
        yield (
            name,
            Sick(
                "OVERPENALISED",
                lambda neuron=neuron: clone(neuron),
                lambda: (made()[0] * 1e-8, np.tanh(made()[1])),
                put_before(StandardScaler()),
            ),
        )


def unscaled():
    def in_two_units(n, seed, factor):
        X, y = made(n, seed=seed)
        return X.assign(a=X["a"] / factor, c=X["c"] * 100), y

    for n, seed, factor in ((300, 0, 1e3), (2000, 1, 1e4), (100, 2, 1e5)):
        yield (
            f"regressor, {n}",
            Sick(
                "UNSCALED",
                NeuronRegressor,
                lambda n=n, s=seed, f=factor: in_two_units(n, s, f),
                put_before(StandardScaler()),
            ),
        )

        def labelled(n=n, s=seed, f=factor):
            X, y = in_two_units(n, s, f)
            return X, (y > 0).astype(int)

        yield (
            f"classifier, {n}",
            Sick("UNSCALED", NeuronClassifier, labelled, put_before(StandardScaler())),
        )
    yield (
        "cancer",
        Sick(
            "UNSCALED", NeuronClassifier, bundled(load_breast_cancer), put_before(StandardScaler())
        ),
    )


def stuck():
    for solver, rate in {"sgd": 1e-6, "adam": 1e-6}.items():
        for name, (make, data) in {
            "diabetes": (NeuronRegressor, diabetes),
            "labels": (NeuronClassifier, labels),
            "large": (NeuronRegressor, lambda: made(3000, 8, 3)),
            "sigmoid": (
                lambda **kw: NeuronRegressor("sigmoid", **kw),
                lambda: (made()[0], 1 / (1 + np.exp(-made()[1]))),
            ),
        }.items():
            yield (
                f"{name}, {solver}",
                Sick(
                    "STUCK",
                    lambda make=make, s=solver, r=rate: make(
                        solver=s, learning_rate_init=r, random_state=0, max_iter=100
                    ),
                    data,
                    change_params,
                ),
            )


def oscillating():
    for size, rate, momentum in (
        ("small", 0.05, 0.99),
        ("small", 0.2, 0.99),
        ("middle", 0.05, 0.99),
        ("middle", 0.3, 0.99),
        ("large", 0.2, 0.99),
        ("large", 0.4, 0.99),
    ):
        yield (
            f"{size}, {rate}",
            Sick(
                "OSCILLATING",
                lambda r=rate, m=momentum: NeuronRegressor(
                    solver="sgd", learning_rate_init=r, momentum=m, random_state=0
                ),
                lambda size=size: made(*SIZES[size]),
                change_params,
            ),
        )

    def by_parts(model, X, y):
        for _ in range(20):
            model.partial_fit(X, y)
        return model

    for size, rate in (("middle", 0.4), ("middle", 0.6), ("small", 0.4)):
        yield (
            f"partial_fit, {size}, {rate}",
            Sick(
                "OSCILLATING",
                lambda r=rate: NeuronRegressor(solver="sgd", learning_rate_init=r, random_state=0),
                lambda size=size: made(*SIZES[size]),
                change_params,
                train=by_parts,
            ),
        )


def overfit():
    def few_rows(seed, n=40, p=30, task="numbers"):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame(rng.standard_normal((400, p)))
        X.columns = [f"x{j}" for j in X]
        z = X["x0"] + X["x1"] + rng.standard_normal(400)
        y = z if task == "numbers" else (z > 0).astype(int)
        return X, y, n

    for seed in range(5):
        for task, make in {
            "numbers": lambda: NeuronRegressor(alpha=1e-6, solver="lbfgs"),
            "labels": lambda: NeuronClassifier(alpha=1e-6),
        }.items():
            X, y, n = few_rows(seed, task=task)
            yield (
                f"{task}, {seed}",
                Sick(
                    "OVERFIT",
                    make,
                    lambda X=X, y=y, n=n: (X[:n], y[:n]),
                    change_params,
                    {"X_val": X[n:], "y_val": y[n:]},
                ),
            )


def separable():
    for name, data in {
        "iris": lambda: (load_iris(as_frame=True).data[:100], load_iris().target[:100]),
        "one column": lambda: (made(100)[0], (made(100)[0]["a"] > 0).astype(int)),
        "wide": lambda: (made(40, 16)[0], np.arange(40) % 2),
        "large": lambda: (made(2000)[0], (made(2000)[0]["a"] > 0.5).astype(int)),
    }.items():
        for activation in ("auto", "probit"):
            yield (
                f"{name}, {activation}",
                Sick(
                    "SEPARABLE",
                    lambda a=activation: scaled(NeuronClassifier(a, alpha=0, max_iter=50)),
                    data,
                    change_params,
                ),
            )


def separable_by_a_level():
    """Classes of which one is missing in one level of a column."""
    for name, n_classes, share in (("two", 2, 0.1), ("two, rare", 2, 0.02), ("three", 3, 0.1)):

        def data(n_classes=n_classes, share=share):
            X, z = made(600)
            X["flag"] = (np.random.default_rng(1).random(600) < share) * 1.0
            return X, np.where(X["flag"] > 0, 0, np.digitize(z, [0, 1][: n_classes - 1]))

        yield (
            f"a level, {name}",
            Sick("SEPARABLE", lambda: scaled(NeuronClassifier(alpha=0)), data, change_params),
        )


def collinear():
    def repeated(n, seed, factor, noise=0.0):
        X, y = made(n, seed=seed)
        rng = np.random.default_rng(seed)
        X["again"] = factor * X["a"] + 3 + noise * rng.standard_normal(n)
        X["sum"] = X["b"] + X["c"]
        return X, y

    for n, seed, factor in ((60, 0, 0.0929), (300, 1, -2.0), (3000, 2, 1e-3)):
        for name, neuron in {
            "squared": NeuronRegressor(alpha=1e-3),
            "median": NeuronRegressor(loss="absolute_error"),
            "sigmoid": NeuronClassifier(alpha=1e-3),
        }.items():

            def data(n=n, s=seed, f=factor, is_classifier=name == "sigmoid"):
                X, y = repeated(n, s, f)
                return X, (y > 0).astype(int) if is_classifier else y

            yield (
                f"{name}, {n}",
                Sick("COLLINEAR", lambda neuron=neuron: scaled(neuron), data, drop_columns),
            )
    yield (
        "nearly",
        Sick("COLLINEAR", NeuronRegressor, lambda: repeated(500, 3, 1, 1e-3), drop_columns),
    )

    def whole_ames():
        X, y = ames()
        X["area"] = X["X1st.Flr.SF"] + X["X2nd.Flr.SF"] + X["Low.Qual.Fin.SF"]
        return X[["X1st.Flr.SF", "X2nd.Flr.SF", "Low.Qual.Fin.SF", "area", "Lot.Area"]], y

    yield "ames", Sick("COLLINEAR", lambda: scaled(NeuronRegressor()), whole_ames, drop_columns)


def constant_feature():
    for size, shape in SIZES.items():
        yield (
            f"regressor, {size}",
            Sick(
                "CONSTANT_FEATURE",
                NeuronRegressor,
                lambda shape=shape: (made(*shape)[0].assign(same=0.1), made(*shape)[1]),
                put_before(VarianceThreshold()),
            ),
        )
    yield (
        "classifier",
        Sick(
            "CONSTANT_FEATURE",
            NeuronClassifier,
            lambda: (labels()[0].assign(same=0.0), labels()[1]),
            drop_columns,
        ),
    )


def imbalanced():
    for n, seed in ((1000, 0), (3000, 1), (5000, 2)):

        def rare(n=n, seed=seed):
            X, z = made(n, seed=seed, noise=5.0)
            return X, (z > np.quantile(z, 0.98)).astype(int)

        yield f"two, {n}", Sick("IMBALANCED", NeuronClassifier, rare, change_params)
        yield (
            f"probit, {n}",
            Sick("IMBALANCED", lambda: NeuronClassifier("probit"), rare, change_params),
        )

        def one_of_many(seed=seed):
            X, _ = made(20_000, 2, seed=seed)
            rare = np.arange(len(X)) < 20
            X["b"] += 2.5 * rare
            return X, rare.astype(int)

        yield f"hardly, {n}", Sick("IMBALANCED", NeuronClassifier, one_of_many, change_params)

        def three(n=n, seed=seed):
            X, z = made(n, seed=seed, noise=5.0)
            return X, np.digitize(z, np.quantile(z, [0.02, 0.5]))

        yield f"three, {n}", Sick("IMBALANCED", NeuronClassifier, three, change_params)


def outliers():
    def in_target(n, seed, size):
        X, y = made(n, seed=seed)
        y = np.array(y)
        y[[3, n // 2]] = size, -size
        return X, y

    def in_column(n, seed):
        X, y = made(n, seed=seed)
        X.loc[7, "a"] = 1e4
        return X, y

    for n, seed in ((100, 0), (300, 1), (2000, 2)):
        yield (
            f"target, {n}",
            Sick(
                "OUTLIERS",
                NeuronRegressor,
                lambda n=n, s=seed: in_target(n, s, 1000.0),
                change_params,
            ),
        )
        yield (
            f"target, dropped, {n}",
            Sick(
                "OUTLIERS",
                NeuronRegressor,
                lambda n=n, s=seed: in_target(n, s, 500.0),
                drop_rows,
            ),
        )
        yield (
            f"column, {n}",
            Sick("OUTLIERS", NeuronRegressor, lambda n=n, s=seed: in_column(n, s), drop_rows),
        )

    def counted():
        X, z = made(400, seed=5)
        y = np.floor(np.exp(z))
        y[11] = 5000
        return X, y

    yield "poisson", Sick("OUTLIERS", lambda: NeuronRegressor("exp", "poisson"), counted, drop_rows)

    def a_price_too_many():
        X, y = sacramento()
        return X[["sqft", "beds", "baths"]], y.where(y.index != 100, y * 1000)

    yield "price", Sick("OUTLIERS", NeuronRegressor, a_price_too_many, change_params)


def missing_mark():
    def marked(mark, n, seed, share=0.1):
        X, y = made(n, seed=seed)
        X["a"] = (1500 + 300 * X["a"]).round()
        X.loc[np.random.default_rng(seed).random(n) < share, "a"] = mark
        return X, y

    for n, seed in ((100, 0), (300, 1), (3000, 2)):
        for mark in (-999, 9999):
            yield (
                f"{mark}, {n}",
                Sick(
                    "MISSING_MARK",
                    lambda: scaled(NeuronRegressor()),
                    lambda mark=mark, n=n, seed=seed: marked(mark, n, seed),
                    impute,
                ),
            )

    def classes():
        X, y = marked(-999, 500, 3, share=0.02)
        return X, (y > 0).astype(int)

    yield "classes", Sick("MISSING_MARK", lambda: scaled(NeuronClassifier()), classes, impute)


def leak():
    for n, seed in ((60, 0), (300, 1), (3000, 2)):

        def told(n=n, seed=seed):
            X, y = made(n, seed=seed)
            rng = np.random.default_rng(seed)
            return X.assign(told=y + 0.05 * rng.standard_normal(n)), y

        yield f"regressor, {n}", Sick("LEAK", NeuronRegressor, told, drop_columns)

        def class_told(n=n, seed=seed):
            X, y = labels(n, seed=seed)
            rng = np.random.default_rng(seed)
            return X.assign(told=y + 0.05 * rng.standard_normal(n)), y

        yield (
            f"logarithm, {n}",
            Sick(
                "LEAK",
                NeuronRegressor,
                lambda told=told: (told()[0].assign(told=np.log(9 + told()[1])), told()[1]),
                drop_columns,
            ),
        )
        yield (
            f"classifier, {n}",
            Sick("LEAK", lambda: NeuronClassifier(alpha=1e-2), class_told, drop_columns),
        )


KINDS = (
    dead,
    dead_by_its_start,
    saturated,
    target_range,
    diverged,
    not_converged,
    other_rows,
    underfit,
    overpenalised,
    unscaled,
    stuck,
    oscillating,
    overfit,
    separable,
    separable_by_a_level,
    collinear,
    constant_feature,
    imbalanced,
    missing_mark,
    outliers,
    leak,
)
SICK = {f"{fit.code}: {name}": fit for kind in KINDS for name, fit in kind()}
