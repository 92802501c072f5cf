"""A real tracking server and a real model server, over HTTP on 127.0.0.1."""

import json
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier, NeuronRegressor

from .conftest import Experiment
from .server import end, model_server, request, tracking_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    with tracking_server(tmp_path_factory.mktemp("server"), store.uri) as (_, address):
        yield address


@pytest.fixture
def remote(server, store, request):
    """An experiment on the server."""
    mlflow.set_tracking_uri(server)
    experiment_id = mlflow.create_experiment(f"remote {request.node.name}")
    mlflow.set_experiment(experiment_id=experiment_id)
    yield Experiment(experiment_id)
    sknneuron.mlflow.autolog(disable=True)
    mlflow.set_tracking_uri(store.uri)


def test_a_fit_is_tracked_over_http(remote, cancer):
    X, y = cancer
    mlflow.sklearn.autolog()
    model = make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, y)
    run = remote.run()
    assert run.info.status == "FINISHED"
    assert remote.steps(run, "train/loss")[1] == list(model[-1].history_["loss"])
    assert {"history.parquet", "neuron.html"} <= set(remote.artifacts(run))
    (logged,) = remote.models()
    loaded = mlflow.sklearn.load_model(f"models:/{logged.model_id}")
    assert np.array_equal(loaded.predict(X), model.predict(X))


class KillServer:
    """Ends the server in the midst of a training."""

    def __init__(self, process):
        self.process = process

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        end(self.process)


def test_a_server_that_dies_in_the_midst_of_a_fit(store, cancer, tmp_path, monkeypatch, caplog):
    X, y = cancer
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    neuron = NeuronClassifier()
    if not hasattr(neuron, "set_callbacks"):
        pytest.skip("scikit-learn >= 1.9 has callbacks")
    with tracking_server(tmp_path, store.uri) as (process, address):
        mlflow.set_tracking_uri(address)
        mlflow.sklearn.autolog(log_models=False)
        try:
            neuron.set_callbacks(KillServer(process)).fit(X, y)
        finally:
            while mlflow.active_run():
                with warnings.catch_warnings(), pytest.MonkeyPatch.context():
                    mlflow.end_run()
            mlflow.sklearn.autolog(disable=True)
            mlflow.set_tracking_uri(store.uri)
    assert neuron.score(X, y) > 0.8
    assert neuron.history_["loss"][-1] == neuron.objective_ - neuron.history_["penalty"][-1]


@pytest.mark.parametrize("kind", ["classifier", "regressor in a pipeline"])
def test_a_model_is_served(tracked, cancer, tmp_path, kind):
    X, y = cancer
    if kind == "classifier":
        estimator = NeuronClassifier().fit(X, y)
        info = sknneuron.mlflow.log_model(estimator)
    else:
        estimator = make_pipeline(StandardScaler(), NeuronRegressor("tanh", random_state=0))
        estimator.fit(X, y)
        info = sknneuron.mlflow.log_model(estimator, input_example=X[:2])
    folder = Path(mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(tmp_path)))
    shuffled = X[X.columns[::-1]]
    with model_server(folder, tmp_path) as (_, address):
        rows = {"dataframe_split": shuffled.to_dict(orient="split", index=False)}
        status, body = request(f"{address}/invocations", json.dumps(rows).encode())
        assert status == 200, body
        served = json.loads(body)["predictions"]
        assert np.array_equal(served, estimator.predict(X))
        unnamed = {"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}
        status, body = request(f"{address}/invocations", json.dumps(unnamed).encode())
        assert status == 400
        assert b"mean radius" in body
