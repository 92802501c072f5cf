"""What is measured: each case is data, an objective, our fit and the peers' fits.

A fit is a function of an accuracy level 0, 1, 2, ... that tightens its tolerance, so that everyone is
timed at the loosest setting that reaches the case's target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import (
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.svm import LinearSVC, LinearSVR

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Loss, Quantile

from . import generators as data


@dataclass
class Case:
    """One row of the table.

    Parameters
    ----------
    name : str
    make : callable
        Returns (X, y).
    activation : str
    loss : str or Loss
    alpha : float
    target : float
        Share of the gain that may be left.
    peers : dict of name to callable
        Each takes (X, y, alpha, level) and returns (coef, intercept).
    must, aim : float
        Ratio to the best peer.
    quick : bool
        Whether it is part of the quick run.
    repeat : int
        How often each fits in one turn, for fits of a millisecond.
    """

    name: str
    make: Callable
    activation: str
    loss: str | Loss
    alpha: float
    target: float
    peers: dict[str, Callable]
    must: float
    aim: float
    l1_ratio: float = 0.0
    quick: bool = False
    repeat: int = 1
    params: dict = field(default_factory=dict)

    @property
    def has_classes(self) -> bool:
        return self.loss in ("log_loss", "hinge", "squared_hinge")

    def ours(self, X, y, level=0):
        """Our fit, asked for just the target."""
        task = NeuronClassifier if self.has_classes else NeuronRegressor
        neuron = task(
            self.activation,
            self.loss,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            tol=self.target,
            **self.params,
        ).fit(X, y)
        return neuron.coef_, neuron.intercept_


def tolerances(level):
    return 10.0 ** -(4 + level)


def logistic(solver):
    def fit(X, y, alpha, level):
        model = LogisticRegression(
            C=1 / (alpha * X.shape[0]), solver=solver, tol=tolerances(level), max_iter=20_000
        ).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def ridge(X, y, alpha, level):
    model = Ridge(alpha=alpha * X.shape[0], tol=tolerances(level + 4)).fit(X, y)
    return model.coef_, model.intercept_


def glm(cls, solver):
    def fit(X, y, alpha, level):
        model = cls(alpha=alpha, solver=solver, tol=tolerances(level), max_iter=20_000).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def glum(family, solver="auto", l1_ratio=0.0):
    def fit(X, y, alpha, level):
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family=family,
            alpha=alpha,
            l1_ratio=l1_ratio,
            solver=solver,
            max_iter=20_000,
            gradient_tol=tolerances(level),
            scale_predictors=False,
        ).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def lasso(X, y, alpha, level):
    model = Lasso(alpha=alpha, tol=tolerances(level), max_iter=20_000).fit(X, y)
    return model.coef_, model.intercept_


def skglm_lasso(X, y, alpha, level):
    from skglm import Lasso as SkglmLasso

    model = SkglmLasso(alpha=alpha, tol=tolerances(level), max_iter=200, max_epochs=100_000)
    model.fit(X, y)
    return model.coef_, model.intercept_


def support_vectors(cls, loss, **options):
    def fit(X, y, alpha, level):
        # The bias is a column's weight, and penalised: the less, the larger its column, and the slower.
        model = cls(
            loss=loss,
            C=1 / (alpha * X.shape[0]),
            tol=tolerances(level),
            max_iter=1_000_000,
            intercept_scaling=3.0**level,
            **options,
        ).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def quantile_program(level_of_y):
    def fit(X, y, alpha, level):
        model = QuantileRegressor(quantile=level_of_y, alpha=alpha).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def quantile_reweighted(level_of_y):
    def fit(X, y, alpha, level):
        from statsmodels.regression.quantile_regression import QuantReg
        from statsmodels.tools import add_constant

        model = QuantReg(y, add_constant(X))
        bias, *coef = model.fit(q=level_of_y, p_tol=tolerances(level), max_iter=20_000).params
        return np.array(coef), bias

    return fit


def skglm_l1_logistic(X, y, alpha, level):
    from skglm import SparseLogisticRegression

    model = SparseLogisticRegression(
        alpha=alpha, tol=tolerances(level), max_iter=200, max_epochs=100_000
    )
    model.fit(X, y)
    return model.coef_, model.intercept_


def l1_logistic(solver, l1_ratio=1.0):
    def fit(X, y, alpha, level):
        model = LogisticRegression(
            C=1 / (alpha * X.shape[0]),
            l1_ratio=l1_ratio,
            solver=solver,
            tol=tolerances(level),
            max_iter=5_000,
        ).fit(X, y)
        return model.coef_, model.intercept_

    return fit


L1_LOGISTIC = {
    "skglm": skglm_l1_logistic,
    "glum": glum("binomial", l1_ratio=1.0),
    "liblinear": l1_logistic("liblinear"),
    "saga": l1_logistic("saga"),
}
DENSE_LOGISTIC = {
    "lbfgs": logistic("lbfgs"),
    "newton-cholesky": logistic("newton-cholesky"),
    "glum": glum("binomial"),
}
SPARSE_LOGISTIC = {
    "lbfgs": logistic("lbfgs"),
    "newton-cg": logistic("newton-cg"),
    "glum lbfgs": glum("binomial", "lbfgs"),
}


def _classes_of(X, shift=-1.0):
    return X, data.two_classes(data.weighted_sum(X), shift=shift)


def _one_hot(n):
    X = data.one_hot(n)
    rng = np.random.default_rng(9)
    z = X @ (0.5 * rng.standard_normal(X.shape[1]))
    return X, data.two_classes(z - z.mean())


def _with(values):
    def make(X):
        return X, values(data.weighted_sum(X))

    return make


def _logistic_cases():
    for kind, generator, must, aim in (
        ("correlated", data.correlated, 0.20, 0.07),
        ("independent", data.independent, 0.40, 0.20),
    ):
        for target in (1e-6, 1e-10):
            yield Case(
                f"logistic 500k x 50, {kind}, to {target:.0e}",
                lambda g=generator: _classes_of(g(500_000, 50)),
                "sigmoid",
                "log_loss",
                1e-5,
                target,
                DENSE_LOGISTIC,
                must,
                aim,
                quick=target == 1e-6,
            )
    for alpha in (1e-4, 1e-6, 1e-9):
        yield Case(
            f"logistic 300k x 50, ten rare dummies, alpha={alpha:g}, to 1e-8",
            lambda: _classes_of(data.rare_dummies(300_000, 50)),
            "sigmoid",
            "log_loss",
            alpha,
            1e-8,
            DENSE_LOGISTIC,
            0.30,
            0.12,
        )
    for kind, generator in (("correlated", data.correlated), ("independent", data.independent)):
        yield Case(
            f"logistic 100k x 500, {kind}, to 1e-8",
            lambda g=generator: _classes_of(g(100_000, 500)),
            "sigmoid",
            "log_loss",
            1e-5,
            1e-8,
            DENSE_LOGISTIC,
            0.25,
            0.12,
        )
    yield Case(
        "logistic CSR 500k rows, 10k one-hot + 10 numeric, to 1e-8",
        lambda: _one_hot(500_000),
        "sigmoid",
        "log_loss",
        1e-6,
        1e-8,
        SPARSE_LOGISTIC,
        0.50,
        0.25,
    )


def _other_cases():
    for kind, generator in (("correlated", data.correlated), ("independent", data.independent)):
        yield Case(
            f"ridge 1M x 50, {kind}",
            lambda g=generator: _with(lambda z: z + np.sin(7 * z))(g(1_000_000, 50)),
            "identity",
            "squared_error",
            1e-5,
            1e-8,
            {"Ridge": ridge},
            0.50,
            0.30,
            quick=kind == "correlated",
        )
    for kind, generator, must, aim in (
        ("correlated", data.correlated, 0.10, 0.02),
        ("independent", data.independent, 0.50, 0.20),
    ):

        def make(g=generator):
            X = g(200_000, 50)
            return X, data.classes(X)

        yield Case(
            f"softmax 200k x 50, 10 classes, {kind}, to 1e-8",
            make,
            "softmax",
            "log_loss",
            1e-5,
            1e-8,
            {"lbfgs": logistic("lbfgs"), "newton-cholesky": logistic("newton-cholesky")},
            must,
            aim,
        )
    for loss, values, peers in (
        (
            "poisson",
            data.counts,
            {
                "newton-cholesky": glm(PoissonRegressor, "newton-cholesky"),
                "lbfgs": glm(PoissonRegressor, "lbfgs"),
                "glum": glum("poisson"),
            },
        ),
        (
            "gamma",
            data.amounts,
            {
                "newton-cholesky": glm(GammaRegressor, "newton-cholesky"),
                "lbfgs": glm(GammaRegressor, "lbfgs"),
                "glum": glum("gamma"),
            },
        ),
    ):
        for kind, generator in (
            ("correlated", data.correlated),
            ("independent", data.independent),
        ):
            yield Case(
                f"exp + {loss} 500k x 50, {kind}, to 1e-8",
                lambda v=values, g=generator: _with(v)(g(500_000, 50)),
                "exp",
                loss,
                1e-5,
                1e-8,
                peers,
                0.25,
                0.07,
                quick=(loss, kind) == ("poisson", "correlated"),
            )


def _sparse_penalty_cases():
    small = {"quick": True, "repeat": 30}
    for name, n, p, more in (
        ("fit 500 x 10, lasso", 500, 10, small),
        ("lasso 200k x 100, correlated", 200_000, 100, {}),
    ):
        yield Case(
            name,
            lambda n=n, p=p: _with(lambda z: z + np.sin(7 * z))(data.correlated(n, p)),
            "identity",
            "squared_error",
            1e-2,
            1e-6,
            {"Lasso": lasso, "skglm": skglm_lasso, "glum": glum("normal", l1_ratio=1.0)},
            1.0,
            0.7,
            l1_ratio=1.0,
            **more,
        )
    for kind, generator in (("correlated", data.correlated), ("independent", data.independent)):
        yield Case(
            f"L1 logistic 50k x 500, {kind}, to 1e-6",
            lambda g=generator: _classes_of(g(50_000, 500)),
            "sigmoid",
            "log_loss",
            1e-2,
            1e-6,
            L1_LOGISTIC,
            0.40,
            0.20,
            l1_ratio=1.0,
        )
    yield Case(
        "elastic net logistic 50k x 500, correlated, to 1e-6",
        lambda: _classes_of(data.correlated(50_000, 500)),
        "sigmoid",
        "log_loss",
        1e-2,
        1e-6,
        {"glum": glum("binomial", l1_ratio=0.5), "saga": l1_logistic("saga", 0.5)},
        0.40,
        0.20,
        l1_ratio=0.5,
    )
    yield Case(
        "L1 logistic CSR 100k x 50k, to 1e-6",
        lambda: data.text_like(100_000, 50_000),
        "sigmoid",
        "log_loss",
        1e-3,
        1e-6,
        # glum takes a Hessian of 50,000 x 50,000.
        {name: fit for name, fit in L1_LOGISTIC.items() if name != "glum"},
        0.40,
        0.20,
        l1_ratio=1.0,
    )
    for alpha in 1e-4, 3e-5:
        yield Case(
            f"L1 logistic CSR 20k x 50k, words, alpha={alpha:.0e}, to 1e-6",
            lambda: data.text_like(20_000, 50_000),
            "sigmoid",
            "log_loss",
            alpha,
            1e-6,
            {"skglm": skglm_l1_logistic, "liblinear": l1_logistic("liblinear")},
            1.0,
            0.5,
            l1_ratio=1.0,
        )
        yield Case(
            f"lasso CSR 20k x 50k, words, alpha={10 * alpha:.0e}, to 1e-6",
            lambda: _with(lambda z: z + np.sin(7 * z))(data.text_like(20_000, 50_000)[0]),
            "identity",
            "squared_error",
            10 * alpha,
            1e-6,
            {"Lasso": lasso, "skglm": skglm_lasso},
            1.0,
            0.5,
            l1_ratio=1.0,
        )


def _kinked_cases():
    def rows(n, p):
        return _with(lambda z: z + np.sin(7 * z))(data.correlated(n, p))

    for n, p, more in ((2_000, 20, {"quick": True, "repeat": 5}), (200_000, 50, {})):
        name = f"{n // 1000}k x {p}, correlated, to 1e-6"
        yield Case(
            f"hinge {name}",
            lambda n=n, p=p: _classes_of(data.correlated(n, p)),
            "identity",
            "hinge",
            1e-3,
            1e-6,
            {"LinearSVC": support_vectors(LinearSVC, "hinge")},
            1.0,
            0.5,
            **more,
        )
        yield Case(
            f"absolute error {name}",
            lambda n=n, p=p: rows(n, p),
            "identity",
            "absolute_error",
            1e-3,
            1e-6,
            {"LinearSVR": support_vectors(LinearSVR, "epsilon_insensitive", epsilon=0.0)},
            1.0,
            0.5,
            **more,
        )
        yield Case(
            f"quantile 0.9 {name}, no penalty",
            lambda n=n, p=p: rows(n, p),
            "identity",
            Quantile(0.9),
            0.0,
            1e-6,
            {
                "QuantileRegressor": quantile_program(0.9),
                "statsmodels": quantile_reweighted(0.9),
            },
            1.0,
            0.5,
            **more,
        )
    yield Case(
        "quantile 0.9 2k x 20, correlated, L1, to 1e-6",
        lambda: rows(2_000, 20),
        "identity",
        Quantile(0.9),
        1e-2,
        1e-6,
        {"QuantileRegressor": quantile_program(0.9)},
        1.0,
        0.5,
        l1_ratio=1.0,
        quick=True,
        repeat=5,
    )


def _wide_cases():
    """More features than rows."""
    X = data.correlated(200, 5_000)
    z = data.weighted_sum(X)
    svm = {"LinearSVC": support_vectors(LinearSVC, "squared_hinge")}
    logistics = {name: logistic(name) for name in ("lbfgs", "newton-cg")}
    for work, y, activation, loss, peers in (
        ("logistic", data.two_classes(z), "sigmoid", "log_loss", logistics),
        ("softmax, 4 classes,", data.classes(X, 4), "softmax", "log_loss", logistics),
        ("squared hinge", data.two_classes(z), "identity", "squared_hinge", svm),
    ):
        yield Case(
            f"{work} 200 x 5k, correlated, to 1e-6",
            lambda y=y: (X, y),
            activation,
            loss,
            1e-2,
            1e-6,
            peers,
            1.0,
            0.5,
            quick=loss == "squared_hinge",
        )
    for n, p, tol in (5_000, 20_000, "1e-4"), (20_000, 50_000, "1e-6"):
        yield Case(
            f"hinge CSR {n // 1000}k x {p // 1000}k, words, to {tol}",
            lambda n=n, p=p: data.text_like(n, p),
            "identity",
            "hinge",
            1e-3,
            float(tol),
            {"LinearSVC": support_vectors(LinearSVC, "hinge")},
            1.0,
            0.5,
        )


def _real_cases():
    yield Case(
        "digits, softmax, to 1e-8",
        data.digits,
        "softmax",
        "log_loss",
        1e-3,
        1e-8,
        {"lbfgs": logistic("lbfgs"), "newton-cholesky": logistic("newton-cholesky")},
        0.50,
        0.20,
        quick=True,
    )
    yield Case(
        "Ames one-hot, ridge",
        data.ames,
        "identity",
        "squared_error",
        1e-3,
        1e-8,
        {"Ridge": ridge},
        0.50,
        0.30,
        quick=True,
    )
    yield Case(
        "Ames one-hot x 100, dear or not, to 1e-8",
        lambda: data.ames_copies(100),
        "sigmoid",
        "log_loss",
        1e-4,
        1e-8,
        DENSE_LOGISTIC,
        0.30,
        0.12,
    )


def _small_cases():
    X = data.independent(500, 10)
    z = data.weighted_sum(X)
    yield Case(
        "fit 500 x 10, two classes",
        lambda: (X, data.two_classes(z)),
        "sigmoid",
        "log_loss",
        1e-3,
        1e-6,
        {**DENSE_LOGISTIC, "liblinear": logistic("liblinear")},
        0.40,
        0.25,
        quick=True,
        repeat=30,
    )
    yield Case(
        "fit 500 x 10, three classes",
        lambda: (X, data.classes(X, 3)),
        "softmax",
        "log_loss",
        1e-3,
        1e-6,
        {"lbfgs": logistic("lbfgs"), "newton-cholesky": logistic("newton-cholesky")},
        0.40,
        0.25,
        quick=True,
        repeat=30,
    )
    yield Case(
        "fit 500 x 10, ridge",
        lambda: (X, z + np.sin(7 * z)),
        "identity",
        "squared_error",
        1e-3,
        1e-6,
        {"Ridge": ridge},
        1.0,
        0.7,
        quick=True,
        repeat=30,
    )
    yield Case(
        "fit 500 x 10, poisson",
        lambda: (X, data.counts(z)),
        "exp",
        "poisson",
        1e-3,
        1e-6,
        {
            "newton-cholesky": glm(PoissonRegressor, "newton-cholesky"),
            "lbfgs": glm(PoissonRegressor, "lbfgs"),
            "glum": glum("poisson"),
        },
        0.40,
        0.25,
        quick=True,
        repeat=30,
    )


CASES = [
    *_small_cases(),
    *_real_cases(),
    *_logistic_cases(),
    *_other_cases(),
    *_sparse_penalty_cases(),
    *_kinked_cases(),
    *_wide_cases(),
]
