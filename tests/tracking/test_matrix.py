"""The same work by LogisticRegression and by a neuron: ours has all that it has, run by run."""

import threading
import time
from collections import Counter

import mlflow
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier

pytestmark = pytest.mark.slow

GRIDS = {
    LogisticRegression: {"C": [0.1, 1.0, 10.0]},
    NeuronClassifier: {"alpha": [1e-3, 1e-2, 0.1]},
}


@pytest.fixture(autouse=True)
def quick_requirements(monkeypatch):
    """MLflow's inference of requirements takes seconds a model and is not what is compared."""
    monkeypatch.setattr("mlflow.models.infer_pip_requirements", lambda *args, fallback: fallback)


def bare(cls, X, y):
    mlflow.sklearn.autolog()
    cls().fit(X, y)


def bare_with_keywords_and_weights(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    cls().fit(X=X, y=y, sample_weight=np.linspace(0.5, 1.5, len(y)))


def with_input_example(cls, X, y):
    mlflow.sklearn.autolog(log_input_examples=True)
    cls().fit(X, y)


def an_array(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    cls().fit(X.to_numpy(), y.to_numpy())


def in_skops(cls, X, y):
    mlflow.sklearn.autolog(serialization_format="skops")
    cls().fit(X, y)


def registered(cls, X, y):
    mlflow.sklearn.autolog(registered_model_name=f"{cls.__name__} of the matrix")
    cls().fit(X, y)


def pipeline(cls, X, y):
    mlflow.sklearn.autolog()
    make_pipeline(StandardScaler(), cls()).fit(X, y)


def refit(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    estimator = cls()
    estimator.fit(X, y)
    estimator.fit(X, y)


def two_fits_in_a_run_of_the_users(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run():
        cls().fit(X, y)
        cls().fit(X, y)


def nested_runs(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run():
        for _ in range(2):
            with mlflow.start_run(nested=True):
                cls().fit(X, y)


def exclusive_in_a_run_of_the_users(cls, X, y):
    mlflow.sklearn.autolog(log_models=False, exclusive=True)
    with mlflow.start_run():
        cls().fit(X, y)
    cls().fit(X, y)


def disabled(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    mlflow.sklearn.autolog(disable=True)
    cls().fit(X, y)


def disabled_and_on_again(cls, X, y):
    disabled(cls, X, y)
    mlflow.sklearn.autolog(log_models=False)
    cls().fit(X, y)


def all_flavors(cls, X, y):
    mlflow.autolog(log_models=False, silent=True)
    cls().fit(X, y)
    mlflow.autolog(disable=True, silent=True)


def a_subclass(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    type("OfTheUser", (cls,), {"__module__": __name__}).fit(cls(), X, y)


def predictions_and_scores(cls, X, y):
    from sklearn import metrics

    mlflow.sklearn.autolog(log_models=False)
    estimator = cls().fit(X, y)
    X_test = X[:100]
    estimator.score(X_test, y[:100])
    metrics.accuracy_score(y[:100], estimator.predict(X_test))


def grid(cls, X, y, **kwargs):
    mlflow.sklearn.autolog()
    GridSearchCV(cls(), GRIDS[cls], cv=3, **kwargs).fit(X, y)


def grid_in_processes(cls, X, y):
    grid(cls, X, y, n_jobs=2)


def grid_in_threads(cls, X, y):
    from joblib import parallel_backend

    with parallel_backend("threading", n_jobs=2):
        grid(cls, X, y)


def grid_in_forks(cls, X, y):
    from joblib import parallel_backend

    with parallel_backend("multiprocessing", n_jobs=2):
        grid(cls, X, y)


def grid_without_refit(cls, X, y):
    grid(cls, X, y, refit=False)


def grid_with_two_children(cls, X, y):
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=2)
    GridSearchCV(cls(), GRIDS[cls], cv=3).fit(X, y)


def grid_of_pipelines(cls, X, y):
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=None)
    steps = make_pipeline(StandardScaler(), cls())
    names = {f"{cls.__name__.lower()}__{name}": v for name, v in GRIDS[cls].items()}
    GridSearchCV(steps, names, cv=3).fit(X, y)


def random_search(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    RandomizedSearchCV(cls(), GRIDS[cls], n_iter=2, cv=3, random_state=0).fit(X, y)


def cross_validation_imported_before(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    cross_val_score(cls(), X, y, cv=3)


def cross_validation_imported_after(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    from sklearn import model_selection

    model_selection.cross_val_score(cls(), X, y, cv=3)


def wait_for_what_was_sent():
    """MLflow sends parameters from a thread, for whose end only a fit that succeeds waits."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (run,) = mlflow.search_runs(output_format="list")
        if run.data.params and run.inputs.dataset_inputs:
            return
        time.sleep(0.05)


def a_failed_fit(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    with pytest.raises(ValueError, match="NaN"):
        cls().fit(X.assign(hole=np.nan), y)
    wait_for_what_was_sent()


def a_failed_fit_in_a_pipeline(cls, X, y):
    mlflow.sklearn.autolog(log_models=False)
    with pytest.raises(ValueError, match="classes"):
        make_pipeline(StandardScaler(), cls()).fit(X, np.zeros(len(X), dtype=int))
    wait_for_what_was_sent()


CASES = [
    bare,
    bare_with_keywords_and_weights,
    with_input_example,
    an_array,
    in_skops,
    registered,
    pipeline,
    refit,
    two_fits_in_a_run_of_the_users,
    nested_runs,
    exclusive_in_a_run_of_the_users,
    disabled,
    disabled_and_on_again,
    all_flavors,
    a_subclass,
    predictions_and_scores,
    grid,
    grid_in_processes,
    grid_in_threads,
    grid_in_forks,
    grid_without_refit,
    grid_with_two_children,
    grid_of_pipelines,
    random_search,
    cross_validation_imported_before,
    cross_validation_imported_after,
    a_failed_fit,
    a_failed_fit_in_a_pipeline,
]
OURS = {"history.parquet", "metric_names.json", "neuron.html"}


def described(experiment, cls):
    """What can be compared of an experiment's runs, in the order in which they began."""
    own = set(cls().get_params())
    # Children begin at the same moment as their parent.
    runs = experiment.runs()
    runs.sort(key=lambda run: "mlflow.parentRunId" in run.data.tags)
    place = {run.info.run_id: i for i, run in enumerate(runs)}

    def neutral(name):
        """A parameter's name without what the two classes differ in."""
        for prefix in ("best_", f"{cls.__name__.lower()}__", "estimator__"):
            if name.startswith(prefix):
                return prefix.replace(cls.__name__.lower(), "class") + neutral(name[len(prefix) :])
        name = name.replace(cls.__name__.lower(), "class")
        return "parameter" if name in own else name

    return [
        {
            "status": run.info.status,
            "parent": place.get(run.data.tags.get("mlflow.parentRunId")),
            "params": {neutral(name) for name in run.data.params},
            "metrics": {name.replace(cls.__name__, "Class") for name in run.data.metrics},
            "tags": set(run.data.tags),
            "artifacts": set(experiment.artifacts(run)),
            "datasets": len(run.inputs.dataset_inputs),
            "models": Counter(
                (m.name, m.status, "signature" if m.params else "") for m in experiment.models(run)
            ),
        }
        for run in runs
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_neuron_has_all_that_logistic_regression_has(case, both, cancer):
    X, y = cancer
    described_runs = {}
    for cls in (LogisticRegression, NeuronClassifier):
        experiment = both(cls)
        case(cls, X, y)
        mlflow.sklearn.autolog(disable=True)
        described_runs[cls] = described(experiment, cls)
    control, ours = described_runs.values()
    assert len(ours) == len(control)
    for theirs, mine in zip(control, ours, strict=True):
        for same in ("status", "parent", "datasets", "models", "params"):
            assert mine[same] == theirs[same], same
        added = mine["metrics"] - theirs["metrics"]
        assert mine["metrics"] >= theirs["metrics"]
        assert mine["tags"] >= theirs["tags"]
        assert mine["artifacts"] >= theirs["artifacts"]
        assert all("/" in name for name in added)
        # The evolution is there exactly where a fit was tracked to its end.
        tracks_a_fit = "training_score" in theirs["metrics"]
        assert bool(added) == tracks_a_fit, added
        assert bool(mine["artifacts"] & OURS) == tracks_a_fit


@pytest.fixture
def both(tracked, tmp_path):
    """An experiment for each class."""

    def make(cls):
        name = f"{tmp_path.name} {cls.__name__}"
        where = str(tmp_path / cls.__name__)
        experiment_id = mlflow.create_experiment(name, artifact_location=where)
        mlflow.set_experiment(name)
        return type(tracked)(experiment_id)

    return make


class Meeting(TransformerMixin, BaseEstimator):
    """A step whose fit comes, and waits until it may go on."""

    events = {}

    def __init__(self, name=""):
        self.name = name

    def fit(self, X, y=None):
        came, may_go = self.events[self.name]
        came.set()
        assert may_go.wait(60)
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("first_out", ["a", "b"])
def test_two_threads_whose_fits_overlap(both, cancer, first_out):
    X, y = cancer
    described_runs = {}
    for cls in (LogisticRegression, NeuronClassifier):
        experiment = both(cls)
        mlflow.sklearn.autolog(log_models=False)
        Meeting.events = {name: (threading.Event(), threading.Event()) for name in "ab"}
        threads = {
            name: threading.Thread(target=make_pipeline(Meeting(name), cls()).fit, args=(X, y))
            for name in "ab"
        }
        for name, thread in threads.items():
            thread.start()
            assert Meeting.events[name][0].wait(60)
        for name in (first_out, "ba"["ab".index(first_out)]):
            Meeting.events[name][1].set()
            threads[name].join()
        mlflow.sklearn.autolog(disable=True)
        described_runs[cls] = described(experiment, cls)
    control, ours = described_runs.values()
    assert len(ours) == len(control) > 0
    for theirs, mine in zip(control, ours, strict=True):
        assert mine["status"] == theirs["status"] == "FINISHED"
        assert mine["metrics"] >= theirs["metrics"]
        assert any(name.startswith("weights/") for name in mine["metrics"])


def test_fits_in_threads_are_not_mixed_up(tracked, cancer):
    X, y = cancer
    mlflow.sklearn.autolog(log_models=False, silent=True)
    neurons = [NeuronClassifier(alpha=10.0**-k) for k in range(9)]

    def fit(some):
        for neuron in some:
            neuron.fit(X, y)

    threads = [threading.Thread(target=fit, args=(neurons[i::3],)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_alpha = {neuron.alpha: neuron for neuron in neurons}
    runs = tracked.runs()
    assert runs
    for run in runs:
        assert run.info.status == "FINISHED"
        if "train/bias" in run.data.metrics:
            neuron = by_alpha[float(run.data.params["alpha"])]
            assert run.data.metrics["train/bias"] == neuron.intercept_[0]
            assert tracked.steps(run, "train/loss")[1] == list(neuron.history_["loss"])
