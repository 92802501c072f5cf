"""What L-BFGS knows of the distance to the optimum."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.solvers import choose
from sknneuron.solvers.lbfgs import Diagonal
from sknneuron.solvers.multipliers import Multipliers

# Of words in one row the penalty holds down the weights: that is what it is for here.
pytestmark = pytest.mark.filterwarnings("ignore:The penalty")

SETTINGS = {
    "two classes": NeuronClassifier(),
    "three classes": NeuronClassifier(),
    "probit": NeuronClassifier("probit"),
    "squared hinge": NeuronClassifier("identity", "squared_hinge"),
    "poisson": NeuronRegressor("exp", "poisson"),
    "gamma": NeuronRegressor("exp", "gamma"),
    "huber": NeuronRegressor(loss="huber"),
}


def words(n_rows=300, n_features=1500, per_row=20):
    """Rows of a few words each, of a long tail."""
    rng = np.random.default_rng(0)
    columns = (n_features ** rng.random((n_rows, per_row))).astype(int) - 1
    rows = np.repeat(np.arange(n_rows), per_row)
    shares = rng.uniform(0.1, 0.4, columns.size)
    return sparse.csr_array((shares, (rows, columns.ravel())), shape=(n_rows, n_features))


def targets(name, X):
    rng = np.random.default_rng(1)
    z = X @ rng.standard_normal(X.shape[1])
    z = z / z.std() - 0.5
    return {
        "three classes": np.digitize(z + rng.standard_normal(len(z)), [-1, 0.5]),
        "poisson": rng.poisson(np.exp(z)),
        "gamma": np.exp(z) * rng.gamma(2.0, size=len(z)),
        "huber": z + rng.standard_t(3, len(z)),
    }.get(name, z + rng.logistic(size=len(z)) > 0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("name", SETTINGS)
def test_no_more_is_left_than_the_penalty_tells(name, alpha, fit_intercept, monkeypatch):
    """Beside an optimum that Newton's steps find on dense rows."""
    told = []

    def most_left(self, gradient, original=Diagonal.most_left):
        told.append(original(self, gradient))
        return told[-1]

    monkeypatch.setattr(Diagonal, "most_left", most_left)
    # With parabolas between straight pieces, others take over.
    monkeypatch.setitem(choose.MOST_STEPS, Multipliers, 1000)
    X = words(n_features=250 if name in ("squared hinge", "huber") else 1500)
    y, weight = targets(name, X), np.random.default_rng(2).uniform(0.2, 3, X.shape[0])
    neuron = clone(SETTINGS[name]).set_params(alpha=alpha, fit_intercept=fit_intercept, tol=1e-8)
    found = neuron.set_params(solver="lbfgs").fit(X, y, weight).history_["objective"]
    optimum = neuron.set_params(solver="newton", tol=1e-12).fit(X.toarray(), y, weight).objective_
    # A Newton step or two may have the last word.
    n = min(len(found), len(told))
    assert n >= max(3, len(found) - 2)
    assert np.all(found[:n] - min(optimum, found.min()) <= np.array(told[:n]) + 1e-13)


@pytest.mark.parametrize("tol", ["auto", 1e-4, 1e-8])
@pytest.mark.parametrize("alpha", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("name", ["two classes", "three classes", "squared hinge"])
def test_a_strong_penalty_ends_in_a_few_steps_that_say_so(name, alpha, tol):
    X = words()
    neuron = clone(SETTINGS[name]).set_params(
        alpha=alpha, fit_intercept=True, tol=tol, solver="lbfgs"
    )
    # Warnings are errors in these tests.
    fit = neuron.fit(X, targets(name, X))
    assert fit.converged_
    assert fit.n_iter_ <= 8


@pytest.mark.parametrize("name", ["two classes", "poisson"])
def test_without_a_penalty_nothing_is_told(name):
    X = words(600, 20, 3)
    neuron = clone(SETTINGS[name]).set_params(
        alpha=0.0, fit_intercept=True, tol=1e-6, solver="lbfgs"
    )
    assert neuron.fit(X, targets(name, X)).converged_
