"""Models that load in a process of their own, with nothing to trust but a list in the code."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import sknneuron
import sknneuron.mlflow
from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron._tracking.models import is_covered, requirements, without_callbacks
from sknneuron.activations import Tanh
from sknneuron.losses import Huber

pytestmark = pytest.mark.slow

ESTIMATORS = {
    "classifier": NeuronClassifier(),
    "instances": NeuronRegressor(Tanh(), Huber(delta=0.5), random_state=0),
    "pipeline": make_pipeline(StandardScaler(), NeuronClassifier()),
    "target": TransformedTargetRegressor(NeuronRegressor(), func=np.log1p, inverse_func=np.expm1),
}


def in_a_fresh_process(program, *args):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def file_of(info, name):
    return (Path(mlflow.artifacts.download_artifacts(info.model_uri)) / name).read_text()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_loads_in_a_fresh_process_with_the_trust_list(tracked, cancer, name):
    X, y = cancer
    estimator = ESTIMATORS[name].fit(X, y)
    info = sknneuron.mlflow.log_model(estimator, input_example=X[:3])
    folder = Path(mlflow.artifacts.download_artifacts(info.model_uri))
    X.to_pickle(folder / "rows.pkl")
    program = """
import json, sys, pandas as pd, skops.io, sknneuron
folder = sys.argv[1]
model = skops.io.load(folder + "/model.skops", trusted=sknneuron.TRUSTED_TYPES)
X = pd.read_pickle(folder + "/rows.pkl")
print(json.dumps([float(value).hex() for value in model.predict(X)]))
"""
    loaded = in_a_fresh_process(program, folder)
    assert [float.fromhex(value) for value in loaded] == list(estimator.predict(X))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_loads_through_mlflow(tracked, cancer, name):
    X, y = cancer
    estimator = ESTIMATORS[name].fit(X, y)
    info = sknneuron.mlflow.log_model(estimator, input_example=X[:3])
    assert np.array_equal(
        mlflow.sklearn.load_model(info.model_uri).predict(X), estimator.predict(X)
    )
    served = mlflow.pyfunc.load_model(info.model_uri)
    assert np.array_equal(served.predict(X), estimator.predict(X))
    assert np.array_equal(served.predict(X[X.columns[::-1]]), estimator.predict(X))


def test_a_neuron_has_a_signature_and_an_example_without_data(tracked, cancer):
    X, y = cancer
    info = sknneuron.mlflow.log_model(NeuronClassifier().fit(X, y))
    assert info.signature.inputs.input_names() == list(X.columns)
    model = mlflow.pyfunc.load_model(info.model_uri)
    assert not model.input_example.to_numpy().any()
    assert model.predict(X.astype(np.float32)).shape == (len(X),)
    info = sknneuron.mlflow.log_model(NeuronClassifier().fit(X.to_numpy(), y.to_numpy()))
    assert mlflow.pyfunc.load_model(info.model_uri).predict(X.to_numpy()).shape == (len(X),)


def test_requirements_name_what_is_needed_and_no_more(tracked, cancer):
    info = sknneuron.mlflow.log_model(NeuronClassifier().fit(*cancer))
    lines = file_of(info, "requirements.txt").splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert names >= {"mlflow", "sknneuron", "scikit-learn", "numpy", "scipy", "skops"}
    assert f"sknneuron=={sknneuron.__version__}" in lines
    assert not names & {"torch", "matplotlib", "dask", "cloudpickle"}
    assert all("==" in line for line in lines)


def test_parts_of_others_are_left_to_the_inference_of_mlflow(tracked, cancer, monkeypatch):
    def not_ours(X):
        return X

    asked = []
    monkeypatch.setattr(
        "mlflow.models.infer_pip_requirements", lambda *a, **k: asked.append(1) or ["attrs"]
    )
    mixed = make_pipeline(FunctionTransformer(not_ours), NeuronClassifier()).fit(*cancer)
    assert not is_covered(mixed)
    info = sknneuron.mlflow.log_model(mixed, serialization_format="cloudpickle")
    assert asked
    assert f"sknneuron=={sknneuron.__version__}" in file_of(info, "requirements.txt")
    info = sknneuron.mlflow.log_model(NeuronClassifier().fit(*cancer), pip_requirements=["attrs"])
    assert "sknneuron" not in file_of(info, "requirements.txt")


def test_requirements_by_format():
    assert not [r for r in requirements("pickle") if r.startswith(("skops", "cloudpickle"))]
    assert [r for r in requirements("cloudpickle") if r.startswith("cloudpickle==")]


def test_mlflows_own_log_model_takes_a_neuron(tracked, cancer):
    """Its default format refuses every class that is neither scikit-learn's nor named."""
    X, y = cancer
    neuron = NeuronClassifier().fit(X, y)
    info = mlflow.sklearn.log_model(neuron, name="by mlflow", serialization_format="skops")
    assert np.array_equal(mlflow.sklearn.load_model(info.model_uri).predict(X), neuron.predict(X))


def test_models_of_others_are_saved_as_ever(tracked, cancer, monkeypatch):
    monkeypatch.setattr("mlflow.models.infer_pip_requirements", lambda *a, fallback: fallback)
    info = mlflow.sklearn.log_model(
        LogisticRegression().fit(*cancer), name="other", serialization_format="skops"
    )
    assert info.flavors["sklearn"].get("skops_trusted_types") is None


def test_the_trust_list_is_in_the_code_and_names_nothing_that_runs_other_code():
    packages = {name.partition(".")[0] for name in sknneuron.TRUSTED_TYPES}
    assert packages == {"sknneuron", "sklearn", "numpy"}
    others = [name for name in sknneuron.TRUSTED_TYPES if not name.startswith("sknneuron.")]
    for module, _, name in (other.rpartition(".") for other in others):
        assert isinstance(getattr(importlib.import_module(module), name), type)


def words(*steps):
    select = make_column_selector(dtype_exclude="number")
    return make_column_transformer((make_pipeline(*steps), select), remainder=SimpleImputer())


AROUND = {
    "imputer": make_pipeline(SimpleImputer(add_indicator=True), NeuronRegressor()),
    "words": make_pipeline(
        words(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), NeuronRegressor()
    ),
    "search": GridSearchCV(NeuronRegressor(), {"alpha": [0.1, 1.0]}, cv=2),
    "classes": RandomizedSearchCV(NeuronClassifier(), {"alpha": [0.1, 1.0]}, n_iter=1, cv=2),
    "calibrated": CalibratedClassifierCV(NeuronClassifier(loss="squared_hinge"), cv=2),
}


@pytest.mark.parametrize("name", AROUND)
def test_the_usual_parts_around_a_neuron_load_with_the_trust_list(name):
    skops = pytest.importorskip("skops.io")
    X = pd.DataFrame({"sqft": [800.0, 1200.0, 1500.0, 2400.0, 900.0, 1100.0]})
    y = np.array([0, 1, 0, 1, 0, 1])
    if name == "imputer":
        X.loc[2, "sqft"] = np.nan
    if name == "words":
        X["zip"] = pd.Series(["a", "b", None, "b", "a", "b"], dtype=object)
    model = AROUND[name].fit(X, y)
    loaded = skops.loads(skops.dumps(model), trusted=sknneuron.TRUSTED_TYPES)
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_a_pipeline_with_an_imputer_is_logged(tracked, cancer):
    X, y = cancer
    X = X.mask(X > 1)
    model = make_pipeline(SimpleImputer(), NeuronClassifier())
    mlflow.sklearn.autolog(serialization_format="skops", silent=True)
    model.fit(X, y)
    assert tracked.run().info.status == "FINISHED"
    mlflow.sklearn.autolog(disable=True)
    info = sknneuron.mlflow.log_model(model, input_example=X[:3])
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert np.array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("serialization_format", ["skops", "cloudpickle"])
def test_callbacks_are_not_saved(tracked, cancer, serialization_format):
    class Callback:
        """Cannot be pickled."""

        lock = property(lambda self: None)

        def __reduce__(self):
            raise TypeError("a callback was to be saved")

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context): ...

    X, y = cancer
    neuron = NeuronClassifier()
    if not hasattr(neuron, "set_callbacks"):
        pytest.skip("scikit-learn >= 1.9 has callbacks")
    callback = Callback()
    model = make_pipeline(StandardScaler(), neuron.set_callbacks(callback))
    mlflow.sklearn.autolog(serialization_format=serialization_format)
    model.fit(X, y)
    assert tracked.run().info.status == "FINISHED"
    (logged,) = tracked.models()
    loaded = mlflow.sklearn.load_model(f"models:/{logged.model_id}")
    assert not hasattr(loaded[-1], "_skl_callbacks")
    assert neuron._skl_callbacks == [callback]


def test_callbacks_come_back_after_an_error(cancer):
    neuron = NeuronClassifier()
    neuron._skl_callbacks = ["one"]
    with pytest.raises(ZeroDivisionError), without_callbacks(neuron):
        1 / hasattr(neuron, "_skl_callbacks")
    assert neuron._skl_callbacks == ["one"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_only_fitted_estimators_are_logged(name):
    """They could be loaded, and would predict nothing."""
    with pytest.raises(NotFittedError):
        sknneuron.mlflow.log_model(clone(ESTIMATORS[name]))
    with pytest.raises(TypeError, match="not an estimator"):
        sknneuron.mlflow.log_model("model")
