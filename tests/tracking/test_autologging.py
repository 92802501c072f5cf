"""Plain ``mlflow.sklearn.autolog()``: one run a fit, and the evolution in it."""

import mlflow
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor

CURVES = {"train/loss", "train/objective", "train/gradient_norm", "train/bias"}


def evolution_of(run):
    """Names of the metrics that are ours."""
    return {key for key in run.data.metrics if "/" in key}


@pytest.mark.parametrize("estimator", [NeuronClassifier(), NeuronRegressor()])
def test_a_bare_fit_makes_one_run_with_the_evolution(tracked, cancer, estimator):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    estimator.fit(X, y)
    run = tracked.run()
    assert run.info.status == "FINISHED"
    assert run.data.tags["estimator_name"] == type(estimator).__name__
    assert run.data.params["alpha"] == "0.0001"
    assert "training_score" in run.data.metrics
    assert evolution_of(run) >= CURVES | {f"weights/{name}" for name in X.columns}
    steps, losses = tracked.steps(run, "train/loss")
    assert steps == list(estimator.history_["iteration"])
    assert np.array_equal(losses, estimator.history_["loss"])
    assert run.data.metrics["train/bias"] == np.ravel(estimator.intercept_)[0]
    for name, weight in zip(X.columns, np.ravel(estimator.coef_), strict=True):
        assert run.data.metrics[f"weights/{name}"] == weight
    assert {"history.parquet", "metric_names.json"} <= set(tracked.artifacts(run))


def test_a_pipeline_makes_one_run_with_the_names_of_its_columns(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, y)
    run = tracked.run()
    assert run.data.tags["estimator_name"] == "Pipeline"
    assert evolution_of(run) >= {f"weights/{name}" for name in X.columns}


def test_a_transformed_target_makes_one_run(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    inner = make_pipeline(StandardScaler(), NeuronRegressor())
    TransformedTargetRegressor(inner, transformer=StandardScaler()).fit(X, y)
    run = tracked.run()
    assert run.data.tags["estimator_name"] == "TransformedTargetRegressor"
    assert evolution_of(run) >= {f"weights/{name}" for name in X.columns}


def test_a_tuned_threshold_makes_one_run_with_a_page(tracked, cancer):
    mlflow.sklearn.autolog(log_models=False)
    TunedThresholdClassifierCV(NeuronClassifier(), cv=2).fit(*cancer)
    run = tracked.run()
    assert evolution_of(run) >= {f"weights/{name}" for name in cancer[0].columns}
    assert "neuron.html" in tracked.artifacts(run)


def test_several_neurons_have_weights_and_bias_each(tracked):
    X, y = load_iris(return_X_y=True, as_frame=True)
    mlflow.sklearn.autolog(log_models=False)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    NeuronClassifier().fit(X, names)
    assert evolution_of(tracked.run()) >= {
        "train/bias/setosa",
        "weights/setosa/petal width _cm_",
        "weights/virginica/sepal length _cm_",
    }


def test_targets_of_a_regressor_give_their_names(tracked, cancer):
    X, _ = cancer
    mlflow.sklearn.autolog(log_models=False)
    NeuronRegressor().fit(X.iloc[:, :2], X.iloc[:, 2:4])
    assert f"train/bias/{X.columns[3]}" in evolution_of(tracked.run())


def test_targets_in_a_table_of_arrow_give_their_names_and_no_values(tracked, cancer):
    arrow = pytest.importorskip("pyarrow")
    X, _ = cancer
    mlflow.sklearn.autolog(log_models=False)
    NeuronRegressor().fit(X.iloc[:, :2], arrow.table({"size": X.iloc[:, 2], "age": X.iloc[:, 3]}))
    assert {"train/bias/size", "train/bias/age"} <= set(evolution_of(tracked.run()))
