"""What MLflow's autologging writes of a layer."""

import pytest

from sknneuron import NeuronLayer

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
