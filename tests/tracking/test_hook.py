"""Whichever is imported first, and what there is of MLflow."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

FIT = """
import json, warnings
import numpy as np
from sknneuron import NeuronClassifier
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
def fit():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        neuron = NeuronClassifier().fit(X, y)
    texts = [str(w.message) for w in caught if "NeuronWarning" in w.category.__name__]
    return neuron, texts
"""
LOOK = """
runs = mlflow.search_runs(experiment_ids=["{experiment}"], output_format="list")
print(json.dumps({{
    "runs": len(runs),
    "status": [run.info.status for run in runs],
    "followed": ["weights/x0" in run.data.metrics for run in runs],
    "alpha": ["alpha" in run.data.params for run in runs],
}}))
"""
ORDERS = {
    "ours first": """
import sknneuron
import mlflow
{on}
""",
    "mlflow first": """
import mlflow
import sknneuron
{on}
""",
    "mlflow.sklearn first": """
import mlflow.sklearn
import sknneuron
{on}
""",
    "on before ours": """
import mlflow
{on}
import sknneuron
""",
    "a look at the module before its import": """
import sknneuron
import importlib.util
importlib.util.find_spec("mlflow.sklearn")
import mlflow
{on}
""",
}


def run(program, store, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "MLFLOW_TRACKING_URI": store.uri, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("on", ["mlflow.sklearn.autolog(log_models=False)", "mlflow.autolog()"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_fit_is_tracked_in_any_order(store, tracked, order, on):
    if on == "mlflow.autolog()":
        if order not in ("ours first", "on before ours"):
            pytest.skip("two orders will do")
        on = "mlflow.autolog(log_models=False)"
    program = (
        ORDERS[order].format(on=on)
        + f"mlflow.set_experiment(experiment_id='{tracked.experiment_id}')\n"
        + FIT
        + "fit(); fit()\n"
        + LOOK.format(experiment=tracked.experiment_id)
    )
    assert run(program, store) == {
        "runs": 2,
        "status": ["FINISHED"] * 2,
        "followed": [True] * 2,
        "alpha": [True] * 2,
    }


def test_on_while_a_fit_of_others_is_under_way(store, tracked):
    """Our import then switches nothing on; the next fit of ours does."""
    program = (
        f"""
import mlflow
mlflow.sklearn.autolog(log_models=False)
mlflow.set_experiment(experiment_id='{tracked.experiment_id}')
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
class Importing(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        import sknneuron
        return self
    def transform(self, X):
        return X
make_pipeline(Importing(), LogisticRegression()).fit([[0.0], [1.0]], [0, 1])
"""
        + FIT
        + "fit(); fit()\n"
        + LOOK.format(experiment=tracked.experiment_id)
    )
    seen = run(program, store)
    assert seen["runs"] == 3
    assert sum(seen["followed"]) == 2


@pytest.mark.parametrize(
    "name",
    [
        "mlflow.sklearn._gen_estimators_to_patch",
        "mlflow.sklearn._SklearnTrainingSession",
        "mlflow.sklearn.utils._get_X_y_and_sample_weight",
    ],
)
def test_names_of_mlflow_that_are_missing_cost_one_warning(store, tracked, name):
    module, _, attribute = name.rpartition(".")
    program = (
        f"""
import mlflow, mlflow.sklearn, mlflow.sklearn.utils
import {module} as module
mlflow.sklearn.autolog(log_models=False)
mlflow.set_experiment(experiment_id='{tracked.experiment_id}')
del module.{attribute}
"""
        + FIT
        + """
neuron, first = fit()
_, second = fit()
print(json.dumps([first, second, neuron.score(X, y)]))
"""
    )
    first, second, score = run(program, store)
    (text,) = first
    assert name in text
    assert second == []
    assert score > 0.9


def test_without_mlflow_nothing_is_imported():
    program = (
        "import sys; sys.modules['mlflow'] = None\n"
        + FIT
        + """
fit()
import sknneuron.mlflow
try:
    sknneuron.mlflow.autolog()
except ImportError as error:
    text = str(error)
print(json.dumps([text, [name for name in sys.modules if name.startswith("mlflow.")]]))
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    text, modules = json.loads(done.stdout.splitlines()[-1])
    assert "pip install 'sknneuron[mlflow]'" in text
    assert modules == []
