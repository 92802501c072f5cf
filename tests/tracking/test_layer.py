"""What MLflow's autologging writes of a layer."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning
from sknneuron._tracking.find import find, learners

mlflow = pytest.importorskip("mlflow")


def test_autologging_writes_weights_of_hidden_neurons(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run() as run:
        layer = NeuronLayer(3, "tanh", random_state=0).fit(X, y)
    client = mlflow.MlflowClient()
    metrics = client.get_run(run.info.run_id).data.metrics
    assert metrics["weights/1/mean radius"] == pytest.approx(layer.coef_[1, 0])
    assert metrics["train/bias/2"] == pytest.approx(layer.intercept_[2])
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"neuron.html", "metric_names.json"} <= files


def network(last, **params):
    return make_pipeline(StandardScaler(), NeuronLayer(3, "tanh", random_state=0, **params), last)


def test_a_layer_before_a_neuron_is_tracked_under_its_steps_name(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    model = network(NeuronClassifier()).fit(X, y)
    run, layer, neuron = tracked.run(), model[1], model[-1]
    assert tracked.steps(run, "train/loss")[1] == list(neuron.history_["loss"])
    steps, losses = tracked.steps(run, "neuronlayer/train/loss")
    assert (steps, losses) == (list(layer.history_["iteration"]), list(layer.history_["loss"]))
    metrics = run.data.metrics
    assert metrics["neuronlayer/weights/1/mean radius"] == pytest.approx(layer.coef_[1, 0])
    assert metrics["neuronlayer/train/bias/2"] == pytest.approx(layer.intercept_[2])
    assert metrics["weights/neuronlayer2"] == pytest.approx(neuron.coef_[0, 2])
    files = {"history.parquet", "metric_names.json", "neuron.html"}
    assert files | {f"neuronlayer/{file}" for file in files} <= set(tracked.artifacts(run))
    table = pd.read_parquet(tracked.download(run, "neuronlayer/history.parquet"))
    last = table[(table.step == steps[-1]) & (table.quantity == "weight")]
    assert list(last.value) == list(layer.coef_.ravel())
    names = json.loads(Path(tracked.download(run, "neuronlayer/metric_names.json")).read_text())
    assert names["neuronlayer/weights/1/mean radius"] == {"neuron": "1", "feature": "mean radius"}


def test_a_layer_is_tracked_before_any_last_step_and_in_a_search(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=0)
    grid = {"neuronlayer__alpha": [1e-3, 1e-2]}
    search = GridSearchCV(network(LogisticRegression()), grid, cv=2).fit(X, y)
    run, layer = tracked.run(), search.best_estimator_[1]
    assert tracked.steps(run, "neuronlayer/train/loss")[1] == list(layer.history_["loss"])
    assert "train/loss" not in run.data.metrics


def test_fits_of_a_network_in_one_run_follow_on(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    model = network(NeuronClassifier())
    with mlflow.start_run():
        first = list(model.fit(X, y)[1].history_["loss"])
        second = list(model.fit(X, y)[1].history_["loss"])
    steps, losses = tracked.steps(tracked.run(), "neuronlayer/train/loss")
    assert (steps, losses) == (list(range(len(losses))), first + second)
    later = f"neuronlayer/history_from_step_{len(first)}.parquet"
    assert later in tracked.artifacts(tracked.run())


def test_history_of_a_network_is_logged_on_request(tracked, cancer):
    X, y = cancer
    model = network(NeuronClassifier()).fit(X, y)
    with mlflow.start_run():
        sknneuron.mlflow.log_history(model)
    run = tracked.run()
    assert tracked.steps(run, "neuronlayer/train/loss")[1] == list(model[1].history_["loss"])
    assert tracked.steps(run, "train/loss")[1] == list(model[-1].history_["loss"])


def test_a_history_that_was_not_kept_is_said(tracked, cancer):
    X, y = cancer
    neuron = NeuronClassifier(record=False).fit(X, y)
    with mlflow.start_run(), pytest.warns(NeuronWarning, match="kept no history"):
        sknneuron.mlflow.log_history(neuron)


def test_a_layer_is_logged_as_a_model(tracked, cancer):
    X, y = cancer
    layer = NeuronLayer(2, random_state=0).fit(X, y)
    with mlflow.start_run():
        info = sknneuron.mlflow.log_model(layer)
    again = mlflow.sklearn.load_model(info.model_uri)
    np.testing.assert_array_equal(again.transform(X), layer.transform(X))


def test_only_fitted_neurons_are_logged_as_models(tracked):
    with mlflow.start_run(), pytest.raises(NotFittedError):
        sknneuron.mlflow.log_model(NeuronClassifier())


def test_a_frozen_layer_learns_nothing(tracked, cancer):
    X, y = cancer
    layer = NeuronLayer(2, random_state=0).fit(X, y)
    mlflow.sklearn.autolog(log_models=False)
    make_pipeline(FrozenEstimator(layer), NeuronClassifier()).fit(X, y)
    run = tracked.run()
    assert "train/loss" in run.data.metrics
    assert not [name for name in run.data.metrics if name.startswith("frozenestimator")]


def test_learners_of_nested_pipelines_have_the_names_of_raw_columns(cancer):
    X, y = cancer
    inner = Pipeline([("a/b", NeuronLayer(2, random_state=0)), ("neuron", NeuronRegressor())])
    first = make_pipeline(StandardScaler(), NeuronLayer(2, random_state=0))
    model = TransformedTargetRegressor(
        Pipeline([("first", first), ("inner", inner)]), func=np.negative, inverse_func=np.negative
    )
    model.fit(X, y)
    found = {name: find(root) for name, root in learners(model).items()}
    assert list(found) == ["", "first", "a_b"]
    assert found["first"].features == list(X.columns)
    assert found["a_b"].features == ["neuronlayer0", "neuronlayer1"]
    assert found["a_b"].neuron is model.regressor_[-1][0]
    assert found[""].neuron is model.regressor_[-1][-1]
