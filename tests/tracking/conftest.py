"""An MLflow store in a temporary folder, and a way to look at what a fit has written."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from sklearn.datasets import load_breast_cancer

HERE = Path(__file__).parent
# What MLflow and the packages below it do with each other's old names is theirs.
OF_OTHERS = [
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
    "ignore:.*Any type hint:UserWarning",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            for warning in OF_OTHERS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :5]
    return (X - X.mean()) / X.std(), y


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A sqlite store, made once: to create its tables takes seconds."""
    mlflow = pytest.importorskip("mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        mlflow.set_tracking_uri(uri)
        yield SimpleNamespace(uri=uri, folder=folder)
        mlflow.set_tracking_uri(None)


@pytest.fixture
def tracked(store, request, tmp_path):
    """An experiment of its own for a test; afterwards no run is open and autologging is off."""
    import mlflow

    import sknneuron.mlflow

    name = request.node.nodeid
    experiment_id = mlflow.create_experiment(name, artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment(name)
    yield Experiment(experiment_id)
    assert mlflow.active_run() is None, "a run was left open"
    sknneuron.mlflow.autolog(disable=True)


class Experiment:
    """What was written to an experiment."""

    def __init__(self, experiment_id):
        import mlflow

        self.experiment_id = experiment_id
        self.client = mlflow.MlflowClient()

    def runs(self):
        """All runs, in the order in which they began."""
        runs = self.client.search_runs([self.experiment_id], order_by=["attributes.start_time"])
        return list(runs)

    def run(self):
        """The only run."""
        (run,) = self.runs()
        return run

    def steps(self, run, key):
        """The steps and values of a metric, in the order of the steps."""
        history = self.client.get_metric_history(run.info.run_id, key)
        history.sort(key=lambda metric: metric.step)
        return [metric.step for metric in history], [metric.value for metric in history]

    def artifacts(self, run, path=None):
        """Paths of all files of a run."""
        found = []
        for file in self.client.list_artifacts(run.info.run_id, path):
            found += self.artifacts(run, file.path) if file.is_dir else [file.path]
        return sorted(found)

    def download(self, run, path):
        return self.client.download_artifacts(run.info.run_id, path)

    def models(self, run=None):
        """Logged models, of a run or of all."""
        found = self.client.search_logged_models(experiment_ids=[self.experiment_id])
        return [m for m in found if run is None or m.source_run_id == run.info.run_id]
