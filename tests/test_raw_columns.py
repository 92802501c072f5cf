"""Columns as they come: square feet beside zip numbers beside latitudes, and dollars."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import datasets, linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.losses import Huber

from .references import newton as reference

DATA = Path(__file__).parents[1] / "examples" / "data"
SAME = 1e-6


@cache
def sacramento():
    """Rows in raw units, and the price in dollars."""
    table = pd.read_csv(DATA / "sacramento.csv")
    columns = ["zip", "beds", "baths", "sqft", "latitude", "longitude"]
    return table[columns].astype(float), table["price"].to_numpy(float)


@cache
def ames():
    """Every numeric column but the row's number, the parcel's (a key) and the price."""
    table = pd.read_csv(DATA / "ames.csv")
    X = table.drop(columns=["Order", "PID", "price"]).select_dtypes("number").astype(float)
    return X.fillna(X.median()), table["price"].to_numpy(float)


HOUSES = {"sacramento": sacramento, "ames": ames}


def scaled(X):
    return pd.DataFrame(StandardScaler().fit_transform(X), columns=X.columns)


# -- without a penalty, units do not matter --------------------------------------------------------

# Name: how the neuron is made and what it is to predict of the price.
MODELS = {
    "dollars": (NeuronRegressor(alpha=0), lambda y: y),
    "huber": (NeuronRegressor(loss=Huber(delta=50_000), alpha=0), lambda y: y),
    "exp poisson": (NeuronRegressor("exp", "poisson", alpha=0), lambda y: y / 1e3),
    "exp gamma": (NeuronRegressor("exp", "gamma", alpha=0), lambda y: y),
    "sells above the median": (NeuronClassifier(alpha=0), lambda y: (y > np.median(y)).astype(int)),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("houses", HOUSES)
def test_predicts_as_with_scaled_columns(houses, model):
    estimator, target = MODELS[model]
    X, price = HOUSES[houses]()
    y = target(price)
    raw = estimator.fit(X, y)
    levels = raw.transform(X)
    assert raw.converged_
    standard = scaled(X)
    expected = estimator.fit(standard, y).transform(standard)
    # The scale of a level is that of the target: dollars, or a probability.
    assert np.abs(levels - expected).max() <= SAME * np.abs(expected).max()
    assert np.median(np.abs(levels / expected - 1)) <= SAME


def test_a_unit_is_a_unit():
    """Square metres or square inches: the weight follows the unit, the prediction stays."""
    X, price = sacramento()
    ours = NeuronRegressor("exp", "gamma", alpha=0).fit(X, price)
    for factor in (1e-8, 1e8):
        other = X.assign(sqft=X["sqft"] * factor)
        again = NeuronRegressor("exp", "gamma", alpha=0).fit(other, price)
        np.testing.assert_allclose(again.predict(other), ours.predict(X), rtol=SAME)
        np.testing.assert_allclose(again.coef_[3] * factor, ours.coef_[3], rtol=SAME)


CLASSES = np.random.default_rng(1).integers(0, 3, 300)
BESIDE_A_CONSTANT = {
    "sigmoid": (NeuronClassifier(alpha=0), CLASSES > 0),
    "softmax": (NeuronClassifier(alpha=0), CLASSES),
    "exp poisson": (NeuronRegressor("exp", "poisson", alpha=0), CLASSES),
    "L1": (NeuronClassifier(alpha=1e-6, l1_ratio=0.5), CLASSES > 0),
}


@pytest.mark.parametrize("number", [44333.5507609155, 1.05870634e-2, -7e8 / 3])
@pytest.mark.parametrize("rows", [300, 60_000])
@pytest.mark.parametrize("storage", [np.asarray, np.float32, sparse.csr_array])
@pytest.mark.parametrize("model", BESIDE_A_CONSTANT)
def test_a_constant_column_is_none(model, storage, rows, number):
    """Centred it is rounding, of which no slope and no curvature is to be made."""
    estimator, y = BESIDE_A_CONSTANT[model]
    rng = np.random.default_rng(0)
    X = np.tile(rng.standard_normal((300, 3)), (rows // 300, 1))
    y = np.tile(y, rows // 300)
    alone = estimator.fit(storage(X), y)
    predicted, coef = alone.transform(storage(X)), alone.coef_
    beside = storage(np.insert(X, 1, number, axis=1))
    ours = estimator.fit(beside, y)
    assert ours.converged_
    assert np.all(ours.coef_[..., 1] == 0)
    np.testing.assert_allclose(ours.transform(beside), predicted, atol=1e-4)
    np.testing.assert_allclose(ours.coef_[..., [0, 2, 3]], coef, atol=1e-3)


# -- with a penalty, each unit has an optimum of its own -------------------------------------------

PENALISED = {
    "dollars": (NeuronRegressor(alpha=1e-2), lambda y: y, reference.squared_error, np.mean),
    "exp gamma": (
        NeuronRegressor("exp", "gamma", alpha=1e-2),
        lambda y: y,
        reference.gamma,
        lambda y: np.log(np.mean(y)),
    ),
    "exp poisson": (
        NeuronRegressor("exp", "poisson", alpha=1e-2),
        lambda y: y / 1e3,
        reference.poisson,
        lambda y: np.log(np.mean(y)),
    ),
    "sells above the median": (
        NeuronClassifier(alpha=1e-2),
        lambda y: (y > np.median(y)).astype(int),
        reference.logistic,
        lambda y: 0.0,
    ),
}


@pytest.mark.parametrize("tol", [1e-4, 1e-10])
@pytest.mark.parametrize("model", PENALISED)
@pytest.mark.parametrize("houses", HOUSES)
@pytest.mark.filterwarnings("ignore:The penalty supplies more than half")
def test_reaches_its_own_optimum(houses, model, tol):
    estimator, target, formula, null_bias = PENALISED[model]
    X, price = HOUSES[houses]()
    y = target(price)
    ours = estimator.set_params(tol=tol).fit(X, y)
    problem = reference.Problem(formula, X.to_numpy(), y, alpha=estimator.alpha)
    start = problem.start(null_bias(y))
    best = problem.value(reference.minimize(problem, start))
    gain = problem.value(start) - best
    theta = problem.theta(np.ravel(ours.coef_), np.ravel(ours.intercept_)[0])
    assert ours.converged_
    assert problem.value(theta) - best <= tol * gain + 1e-14 * abs(best)


# -- the warning about small units -----------------------------------------------------------------


def test_warns_of_a_penalty_on_small_units():
    """Latitudes differ by tenths of a degree: their weight has to be large, and alpha forbids."""
    X, price = sacramento()
    with pytest.warns(NeuronWarning, match=r"'latitude'.*StandardScaler"):
        NeuronClassifier(alpha=1e-2).fit(X, price > np.median(price))


def test_names_no_column_in_large_units():
    X, price = sacramento()
    with pytest.warns(NeuronWarning) as caught:
        NeuronClassifier(alpha=1e-2).fit(X, price > np.median(price))
    (message,) = (str(w.message) for w in caught)
    assert "'sqft'" not in message
    assert "'zip'" not in message


@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
@pytest.mark.parametrize("model", PENALISED)
@pytest.mark.parametrize("houses", HOUSES)
def test_is_silent_on_standardised_columns(houses, model, alpha):
    estimator, target, *_ = PENALISED[model]
    X, price = HOUSES[houses]()
    # Warnings are errors in these tests.
    fitted = estimator.set_params(alpha=alpha, tol="auto").fit(scaled(X), target(price))
    assert fitted.converged_


def test_is_silent_without_penalty():
    X, price = sacramento()
    assert NeuronClassifier(alpha=0).fit(X, price > np.median(price)).converged_


def test_is_silent_where_the_penalty_does_not_bite():
    X, price = sacramento()
    assert NeuronClassifier(alpha=1e-9).fit(X, price > np.median(price)).converged_


@pytest.mark.parametrize(
    "neuron", [NeuronClassifier("identity", "hinge"), NeuronRegressor(loss="absolute_error")]
)
def test_a_loss_without_curvature_is_no_excuse_to_blame_the_penalty(neuron):
    """Freed, the weight of the latitude would win 2% of the gain at first, and nothing later."""
    X, price = sacramento()
    y = price > np.median(price) if neuron.loss == "hinge" else price / price.std()
    with pytest.warns(NeuronWarning, match="half of the curvature of column 'latitude'"):
        clone(neuron).set_params(alpha=0.1).fit(X, y)
    assert clone(neuron).set_params(alpha=1e-4).fit(X, y).converged_


# -- sgd and adam ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("houses", HOUSES)
def test_stochastic_solvers_live_with_raw_columns(houses, solver, seed):
    X, price = HOUSES[houses]()
    ridge = linear_model.Ridge().fit(scaled(X), price).score(scaled(X), price)
    ours = NeuronRegressor(solver=solver, random_state=seed, alpha=0).fit(X, price)
    assert ours.score(X, price) >= ridge - 0.02


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("houses", HOUSES)
def test_stochastic_solvers_with_default_settings(houses, solver):
    X, price = HOUSES[houses]()
    ridge = linear_model.Ridge(alpha=1e-4 * len(X)).fit(X, price).score(X, price)
    ours = NeuronRegressor(solver=solver, random_state=0).fit(X, price)
    assert ours.score(X, price) >= ridge - 0.02


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_stochastic_solvers_that_do_not_get_there_say_so(solver):
    X, price = ames()
    with pytest.warns(ConvergenceWarning, match="max_iter=2 was reached.*solver='auto'"):
        ours = NeuronRegressor(solver=solver, random_state=0, max_iter=2).fit(X, price)
    assert not ours.converged_


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_solvers_live_with_raw_columns(solver):
    X, price = sacramento()
    y = price > np.median(price)
    expected = NeuronClassifier(alpha=0, tol=1e-14).fit(scaled(X), y)
    expected = expected.predict_proba(scaled(X))
    ours = NeuronClassifier(alpha=0, solver=solver, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)


def test_breast_cancer_raw():
    """Areas of thousands beside fractal dimensions of hundredths."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    standard = StandardScaler().fit_transform(X)
    raw = NeuronRegressor(alpha=0).fit(X, y).predict(X)
    expected = NeuronRegressor(alpha=0).fit(standard, y).predict(standard)
    np.testing.assert_allclose(raw, expected, atol=SAME)
