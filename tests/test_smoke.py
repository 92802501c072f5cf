"""What must work with the core dependencies alone, in any version that is admitted."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron
from sknneuron import NeuronClassifier, NeuronRegressor

PAIRS = [
    ("identity", "squared_error"),
    ("identity", "huber"),
    ("identity", "absolute_error"),
    ("tanh", "squared_error"),
    ("relu", "squared_error"),
    ("gelu", "squared_error"),
    ("exp", "poisson"),
    ("exp", "gamma"),
    ("softplus", "tweedie"),
    ("sigmoid", "log_loss"),
]


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_every_kind_of_fit_beats_a_constant(activation, loss):
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    y = (y - y.min() + 1) / (y.max() + 1)
    neuron = NeuronRegressor(activation, loss, random_state=0).fit(X, y)
    assert neuron.converged_
    assert neuron.score(X, y) > 0.4
    assert np.array_equal(pickle.loads(pickle.dumps(neuron)).predict(X), neuron.predict(X))


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "proximal_newton", "sgd", "adam"])
def test_every_solver_learns_iris(solver):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), NeuronClassifier(solver=solver, random_state=0)).fit(
        X, y
    )
    assert model.score(X, y) > 0.95
    assert model[-1].history_["loss"][-1] < 0.2


def test_a_grid_over_activations():
    X, y = load_iris(return_X_y=True)
    grid = {"activation": ["sigmoid", "softmax", "probit"], "alpha": [1e-3, 1e-1]}
    search = GridSearchCV(NeuronClassifier(), grid, cv=3).fit(StandardScaler().fit_transform(X), y)
    assert search.best_score_ > 0.93


def test_optional_packages_are_not_imported():
    code = (
        "import sys, sknneuron\n"
        "found = {'mlflow', 'matplotlib', 'dask', 'torch', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    # pandas itself imports pyarrow where it finds it; block that, it is not ours.
    block = "import sys; sys.modules['pyarrow'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", block + code.replace("'pyarrow'", "'pyarrow.fs'")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_package_says_its_types_and_version():
    from importlib.metadata import version

    assert version("sknneuron") == sknneuron.__version__
    assert (Path(sknneuron.__file__).parent / "py.typed").exists()
