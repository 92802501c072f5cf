"""What is written into a run, and what happens when that fails."""

import json
import logging
import threading
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron._tracking.evolution import MAX_POINTS, N_TRACKED


@pytest.fixture
def logged(caplog):
    """Warnings of ours; while MLflow tracks, it writes them to its log."""

    def texts():
        return [r.getMessage() for r in caplog.records if r.name == "mlflow.sknneuron"]

    logger = logging.getLogger("mlflow")
    logger.addHandler(caplog.handler)
    yield texts
    logger.removeHandler(caplog.handler)


def test_two_fits_in_one_run_follow_on(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier()
    with mlflow.start_run():
        neuron.fit(X, y)
        first = neuron.history_
        neuron.set_params(alpha=1e-4).fit(X, y)
    run = tracked.run()
    steps, losses = tracked.steps(run, "train/loss")
    assert steps == list(range(2 * len(first["loss"])))
    assert losses == [*first["loss"], *neuron.history_["loss"]]
    files = tracked.artifacts(run)
    second = f"history_from_step_{len(first['loss'])}.parquet"
    assert {"history.parquet", second} <= set(files)
    table = pd.read_parquet(tracked.download(run, second))
    assert table.step.min() == len(first["loss"])
    assert table.iteration.min() == 0


def test_a_warm_start_in_the_same_run_adds_only_what_is_new(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier(warm_start=True, solver="adam", max_iter=3, tol=0, random_state=0)
    with mlflow.start_run(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuron.fit(X, y)
        n_first = len(neuron.history_["loss"])
        neuron.fit(X, y)
    run = tracked.run()
    steps, losses = tracked.steps(run, "train/loss")
    assert steps == list(neuron.history_["iteration"])
    assert losses == list(neuron.history_["loss"])
    names = "history.parquet", f"history_from_step_{n_first}.parquet"
    tables = [pd.read_parquet(tracked.download(run, name)) for name in names]
    for table, part in zip(tables, np.split(neuron.history_["loss"], [n_first]), strict=True):
        assert_array_equal(table[table.quantity == "loss"].value, part)


def test_odd_names_are_written_and_can_be_mapped_back(tracked, cancer):
    X, y = cancer
    odd = ["zip=95608", "50% (of [<all>])", "line\nbreak", "größe", "x" * 300]
    mlflow.sklearn.autolog(log_models=False)
    NeuronClassifier().fit(X.set_axis(odd, axis=1), y)
    run = tracked.run()
    path = tracked.download(run, "metric_names.json")
    names = json.loads(Path(path).read_text(encoding="utf-8"))
    back = {names[key]["feature"] for key in run.data.metrics if key.startswith("weights/")}
    assert back == set(odd)
    table = pd.read_parquet(tracked.download(run, "history.parquet"))
    assert set(odd) <= set(table.feature)


def test_names_that_come_out_alike_are_written_apart(tracked, cancer):
    X, y = cancer
    alike = ["zip=1", "zip:1", "zip_1", "zip/1", "zip?1"]
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier().fit(X.set_axis(alike, axis=1), y)
    run = tracked.run()
    names = json.loads(Path(tracked.download(run, "metric_names.json")).read_text())
    by_name = {names[k]["feature"]: v for k, v in run.data.metrics.items() if "weights/" in k}
    assert [by_name[name] for name in alike] == list(neuron.coef_[0])


def test_many_features_have_twenty_metrics_and_all_are_in_the_table(tracked):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 10_000))
    mlflow.sklearn.autolog(log_models=False)
    NeuronRegressor(alpha=1.0).fit(X, X[:, 0])
    run = tracked.run()
    assert sum(key.startswith("weights/") for key in run.data.metrics) == N_TRACKED
    table = pd.read_parquet(tracked.download(run, "history.parquet"))
    assert table[table.quantity == "weight"].feature.nunique() == 10_000
    # A page of so many sliders is made where it is asked for.
    assert "neuron.html" not in tracked.artifacts(run)


def test_one_call_by_default_and_as_many_points_as_asked_for(tracked, cancer, monkeypatch):
    X, y = cancer
    calls = []
    log_batch = mlflow.MlflowClient.log_batch

    def counted(self, run_id, metrics=(), *args, **kwargs):
        if any("/" in metric.key for metric in metrics):
            calls.append(len(metrics))
        return log_batch(self, run_id, metrics, *args, **kwargs)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", counted)
    neuron = NeuronClassifier(solver="adam", max_iter=400, tol=0, record=True, random_state=0)
    mlflow.sklearn.autolog(log_models=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuron.fit(X, y)
        (n_default,) = calls
        calls.clear()
        sknneuron.mlflow.autolog(log_models=False, max_points=MAX_POINTS)
        neuron.fit(X, y)
    assert n_default <= 1000
    assert max(calls) <= 1000
    by_default, as_asked = tracked.runs()
    assert len(tracked.steps(as_asked, "weights/mean radius")[0]) == MAX_POINTS
    for run in (by_default, as_asked):
        steps, losses = tracked.steps(run, "train/loss")
        assert (steps[0], steps[-1]) == (0, 400)
        assert losses[-1] == neuron.history_["loss"][-1]


PLANTED = 31415.9265358


def test_no_row_of_the_data_reaches_the_store(tracked, store, cancer):
    """Neither into an artifact, nor into the database, as bytes or as text."""
    X, y = cancer
    X = X.copy()
    X.iloc[2] = PLANTED + np.arange(X.shape[1]) / 8

    def found():
        row = X.iloc[2].to_numpy()
        needles = [value.tobytes() for value in row]
        needles += [repr(float(value)).encode()[:11] for value in row]
        folders = (store.folder, Path(tracked.runs()[0].info.artifact_uri).parents[1])
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return [path for path in files if any(n in path.read_bytes() for n in needles)]

    mlflow.sklearn.autolog()
    make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, y)
    NeuronRegressor().fit(X, X.iloc[:, 0])
    NeuronClassifier().fit(X.to_numpy(), y)
    sknneuron.mlflow.log_model(NeuronClassifier().fit(X, y))
    assert not found(), found()
    # The search finds a row where there is one.
    mlflow.sklearn.autolog(log_input_examples=True)
    NeuronClassifier().fit(X, y)
    assert found()


def test_rows_in_the_page_where_they_are_asked_for(tracked, cancer):
    X, y = cancer
    X = X.copy()
    X.iloc[7] = PLANTED
    sknneuron.mlflow.autolog(log_models=False, log_page_rows=len(X))
    NeuronClassifier().fit(X, y)
    page = Path(tracked.download(tracked.run(), "neuron.html")).read_text(encoding="utf-8")
    assert repr(PLANTED)[:6] in page


def test_the_page_is_there_and_says_what_it_holds(tracked, cancer):
    mlflow.sklearn.autolog(log_models=False)
    NeuronClassifier().fit(*cancer)
    page = Path(tracked.download(tracked.run(), "neuron.html")).read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "mean radius" in page


def test_what_is_asked_for_is_written(tracked, cancer):
    sknneuron.mlflow.autolog(
        log_models=False, log_plots=True, log_diagnosis=True, log_coef_table=True
    )
    X, y = cancer
    NeuronClassifier(alpha=0).fit(X, y)
    run = tracked.run()
    assert b"<svg" in Path(tracked.download(run, "weights.svg")).read_bytes()[:1000]
    table = pd.read_csv(tracked.download(run, "coef_table.csv"))
    assert set(X.columns) <= set(table.feature)
    assert table.std_error.notna().any()
    assert isinstance(json.loads(Path(tracked.download(run, "diagnosis.json")).read_text()), list)


@pytest.mark.parametrize("how", ["alone", "alone, by position", "pipeline", "search", "routed"])
def test_what_is_written_is_of_the_weights_of_the_rows(tracked, cancer, how):
    sknneuron.mlflow.autolog(
        log_models=False,
        max_tuning_runs=0,
        log_diagnosis=True,
        log_coef_table=True,
        log_page_rows=50,
    )
    X, _ = cancer
    y = X.iloc[:, 0] + np.random.default_rng(0).normal(size=len(X))
    weight = np.where(np.arange(len(X)) < 200, 1.0, 0.01)
    y = y.where(weight == 1, -y)
    neuron = NeuronRegressor(alpha=0)
    pipeline = make_pipeline(StandardScaler(), neuron)
    if how == "alone":
        neuron.fit(X, y, sample_weight=weight)
    elif how == "alone, by position":
        neuron.fit(X, y, weight)
    elif how == "pipeline":
        pipeline.fit(X, y, neuronregressor__sample_weight=weight)
    elif how == "search":
        search = GridSearchCV(pipeline, {"neuronregressor__tol": [1e-8]}, cv=2)
        search.fit(X, y, neuronregressor__sample_weight=weight)
    else:
        with config_context(enable_metadata_routing=True):
            pipeline[0].set_fit_request(sample_weight=False)
            neuron.set_fit_request(sample_weight=True)
            pipeline.fit(X, y, sample_weight=weight)
    run = tracked.run()
    assert pd.read_csv(tracked.download(run, "coef_table.csv")).std_error.notna().all()
    found = json.loads(Path(tracked.download(run, "diagnosis.json")).read_text())
    assert not {"UNDERFIT", "OTHER_ROWS"} & {finding["code"] for finding in found}
    page = Path(tracked.download(run, "neuron.html")).read_text(encoding="utf-8")
    assert "OTHER_ROWS" not in page


@pytest.mark.parametrize("broken", ["log_batch", "log_artifacts", "get_metric_history"])
def test_a_call_that_fails_costs_one_warning(tracked, cancer, monkeypatch, logged, broken):
    original = getattr(mlflow.MlflowClient, broken)

    def fail(self, run_id, *args, **kwargs):
        # MLflow makes the same calls for what is its own.
        ours = {
            "log_batch": any("/" in metric.key for metric in kwargs.get("metrics", ())),
            "log_artifacts": args and (Path(args[0]) / "history.parquet").exists(),
            "get_metric_history": True,
        }
        if not ours[broken]:
            return original(self, run_id, *args, **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mlflow.MlflowClient, broken, fail)
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier().fit(*cancer)
    assert neuron.predict(cancer[0]).shape == (569,)
    (text,) = logged()
    assert "No space left on device" in text
    assert "log_history" in text
    assert tracked.run().info.status == "FINISHED"


def test_a_refused_name_costs_one_warning(tracked, cancer, monkeypatch, logged):
    monkeypatch.setattr("sknneuron._tracking.evolution.safe_keys", lambda names: list(names))
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    NeuronClassifier().fit(X.set_axis(["a=1", "b", "c", "d", "e"], axis=1), y)
    (text,) = logged()
    assert "a=1" in text


def test_a_file_that_cannot_be_made_keeps_no_other_from_the_run(
    tracked, cancer, monkeypatch, logged
):
    def fail(*args, **kwargs):
        raise RuntimeError("no page today")

    monkeypatch.setattr("sknneuron.inspection.to_html", fail)
    mlflow.sklearn.autolog(log_models=False)
    NeuronClassifier().fit(*cancer)
    (text,) = logged()
    assert "no page today" in text
    assert "history.parquet" in tracked.artifacts(tracked.run())


def test_silent_is_silent(tracked, cancer, monkeypatch, logged, capfd):
    monkeypatch.setattr("sknneuron._tracking.record.record", None)
    mlflow.sklearn.autolog(log_models=False, silent=True)
    with warnings.catch_warnings(record=True) as caught:
        NeuronClassifier().fit(*cancer)
    assert not caught
    assert logged()  # a record was made, and shown nowhere
    assert capfd.readouterr() == ("", "")


def test_an_interrupted_fit_shows_how_far_it_came(tracked, cancer):
    class Interrupt:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            if context.task_id == 3 and context.parent is not None:
                raise KeyboardInterrupt

    neuron = NeuronClassifier(solver="adam", random_state=0)
    if not hasattr(neuron, "set_callbacks"):
        pytest.skip("scikit-learn >= 1.9 has callbacks")
    mlflow.sklearn.autolog(log_models=False)
    with pytest.raises(KeyboardInterrupt):
        neuron.set_callbacks(Interrupt()).fit(*cancer)
    run = tracked.run()
    assert run.info.status == "FAILED"
    assert tracked.steps(run, "train/loss")[1] == list(neuron.history_["loss"])


def test_an_error_of_mlflow_behind_the_fit_costs_none_of_the_evolution(tracked, cancer):
    """Such as that of frames that it cannot show an example of."""
    polars = pytest.importorskip("polars")
    X, y = cancer
    mlflow.sklearn.autolog(log_models=True, log_input_examples=True)
    neuron = NeuronClassifier().fit(polars.from_pandas(X), y)
    assert tracked.steps(tracked.run(), "train/loss")[1] == list(neuron.history_["loss"])


def test_a_fit_that_fails_writes_nothing(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier().fit(X, y)
    with pytest.raises(ValueError, match="alpha"):
        neuron.set_params(alpha=-1).fit(X, y)
    first, second = tracked.runs()
    assert first.data.metrics
    assert not second.data.metrics


def test_a_dead_server_costs_a_warning_and_the_fit_completes(cancer, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        mlflow.sklearn.autolog(log_models=False)
        neuron = NeuronClassifier().fit(*cancer)
    finally:
        mlflow.sklearn.autolog(disable=True)
        mlflow.set_tracking_uri(store.uri)
    assert neuron.score(*cancer) > 0.8
    assert mlflow.active_run() is None


def test_a_prefitted_neuron_is_not_written_again(tracked, cancer):
    from sklearn.frozen import FrozenEstimator

    X, y = cancer
    neuron = NeuronClassifier().fit(X, y)
    mlflow.sklearn.autolog(log_models=False)
    make_pipeline(FrozenEstimator(neuron), LogisticRegression()).fit(X, y)
    assert not [key for key in tracked.run().data.metrics if "/" in key]


def test_steps_have_the_time_at_which_they_were_reached(tracked, cancer):
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier().fit(*cancer)
    run = tracked.run()
    history = tracked.client.get_metric_history(run.info.run_id, "train/loss")
    times = [metric.timestamp for metric in sorted(history, key=lambda m: m.step)]
    elapsed = 1000 * (neuron.history_["elapsed"] - neuron.history_["elapsed"][0])
    assert np.allclose(np.array(times) - times[0], elapsed, atol=2)
    assert run.info.start_time - 1 <= times[0]


def test_threads_do_not_share_their_notes(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False)
    done = []

    def fit():
        done.append(NeuronClassifier().fit(X, y))

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert tracked.run().data.metrics["train/bias"] == done[0].intercept_[0]
