"""Data that must not be copied or densified on their way through autologging."""

import sys
import tracemalloc
import warnings

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier
from sknneuron._tracking.guard import MAX_BYTES, SAMPLE_ROWS, reason_to_stay, sample
from sknneuron.sources import ParquetSource

MB = 1 << 20


@pytest.fixture
def rows():
    X = sparse.random_array((300, 40), density=0.1, rng=np.random.default_rng(0), format="csr")
    return X, (np.arange(300) % 2)


@pytest.fixture
def no_densifying(monkeypatch):
    """MLflow makes no sparse matrix dense; solvers may, with a few rows."""

    def watched(original):
        def toarray(self, *args, **kwargs):
            caller = sys._getframe(1).f_globals["__name__"]
            assert not caller.startswith("mlflow"), "a sparse matrix was made dense"
            return original(self, *args, **kwargs)

        return toarray

    for name in ("csr_array", "csr_matrix", "csc_array", "csc_matrix", "coo_array", "coo_matrix"):
        for method in ("toarray", "todense"):
            cls = getattr(sparse, name)
            monkeypatch.setattr(cls, method, watched(getattr(cls, method)))


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "csc_matrix", "coo_array"])
def test_sparse_rows_stay_sparse(tracked, rows, no_densifying, kind):
    X, y = rows
    X = getattr(sparse, kind)(X)
    mlflow.sklearn.autolog()
    neuron = NeuronClassifier().fit(X, y)
    neuron.predict(X)
    neuron.predict_proba(X)
    run = tracked.run()
    assert run.info.status == "FINISHED"
    assert run.data.tags["sknneuron.training_metrics_from"] == "300 rows of 300: X is sparse"
    assert run.data.metrics["training_accuracy_score"] == neuron.score(X, y)
    assert "train/bias" in run.data.metrics
    (model,) = tracked.models()
    info = mlflow.models.get_model_info(f"models:/{model.model_id}")
    assert info.signature is not None


def test_sparse_rows_stay_sparse_in_a_pipeline_and_a_grid(tracked, rows, no_densifying):
    X, y = rows
    mlflow.sklearn.autolog(log_models=False)
    pipeline = make_pipeline(MaxAbsScaler(), NeuronClassifier())
    pipeline.fit(X, y).predict(X)
    search = GridSearchCV(pipeline, {"neuronclassifier__alpha": [1e-3, 1e-2]}, cv=2)
    search.fit(X, y).predict(X)
    statuses = [run.info.status for run in tracked.runs()]
    assert statuses == ["FINISHED"] * 4


def test_metrics_of_predictions_on_sparse_rows_are_written(tracked, rows):
    from sklearn import metrics

    X, y = rows
    mlflow.sklearn.autolog(log_models=False)
    neuron = NeuronClassifier().fit(X, y)
    X_test = X[:50]
    metrics.accuracy_score(y[:50], neuron.predict(X_test))
    assert "accuracy_score_X_test" in tracked.run().data.metrics


def test_parquet_files_are_sampled(tracked, rows, tmp_path):
    pytest.importorskip("pyarrow")
    X, y = rows[0][:, :3].toarray(), rows[1]
    data = pd.DataFrame(X, columns=["a", "b", "c"])
    data.assign(y=y).to_parquet(tmp_path / "rows.parquet")
    source = ParquetSource(tmp_path, target="y")
    sknneuron.mlflow.autolog(log_models=False, log_coef_table=True, log_diagnosis=True)
    neuron = NeuronClassifier().fit(source)
    neuron.predict(source)
    run = tracked.run()
    expected = "300 rows of 300: X is in parquet files"
    assert run.data.tags["sknneuron.training_metrics_from"] == expected
    assert run.data.metrics["training_accuracy_score"] == neuron.score(data, y)
    (dataset,) = run.inputs.dataset_inputs
    assert "features_shape" not in str(dataset.dataset.profile)
    files = {f.path for f in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert {"coef_table.csv", "diagnosis.json"} <= files
    assert reason_to_stay(source) == "in parquet files"
    taken, targets, weight = sample(source, None, None)
    pd.testing.assert_frame_equal(taken, data)
    assert np.array_equal(targets, y)
    assert weight is None
    assert sample(source, -y)[1][1] == -1


def test_rows_of_others_are_left_to_mlflow(tracked, rows):
    from sklearn.linear_model import LogisticRegression

    X, y = rows
    mlflow.sklearn.autolog(log_models=False)
    LogisticRegression().fit(X, y)
    run = tracked.run()
    assert "sknneuron.training_metrics_from" not in run.data.tags
    (dataset,) = run.inputs.dataset_inputs
    assert "features_shape" in dataset.dataset.profile


@pytest.mark.parametrize(
    ("X", "why"),
    [
        (np.zeros((3, 2)), None),
        (pd.DataFrame({"a": [1.0]}), None),
        ([[1.0]], None),
        (None, None),
        (sparse.coo_matrix(np.eye(3)), "sparse"),
        (np.broadcast_to(0.0, (MAX_BYTES // 8 + 1, 1)), "large"),
    ],
)
def test_reasons(X, why):
    assert reason_to_stay(X) == why


def test_a_memory_map_is_known_through_views(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float64, (100, 3))
    assert reason_to_stay(X) == "memory-mapped"
    assert reason_to_stay(np.asarray(X)[10:]) == "memory-mapped"
    assert reason_to_stay(np.array(X)) is None


def test_a_tensor_is_known():
    torch = pytest.importorskip("torch")
    X = torch.arange(40.0).reshape(20, 2)
    assert reason_to_stay(X) == "on a device"
    taken, y = sample(X, torch.arange(20))
    assert np.array_equal(taken, X.numpy())
    assert isinstance(y, np.ndarray)


def test_dask_rows_are_known_and_the_first_are_taken():
    da = pytest.importorskip("dask.array")
    X = da.arange(30_000, chunks=5_000).reshape(-1, 1)
    assert reason_to_stay(X) == "Dask"
    taken, y, weight = sample(X, X[:, 0], None)
    assert np.array_equal(taken[:, 0], np.arange(SAMPLE_ROWS))
    assert np.array_equal(y, taken[:, 0])
    assert weight is None


@pytest.mark.parametrize("wrap", [np.asarray, pd.DataFrame, sparse.csr_matrix, sparse.coo_array])
def test_a_sample_is_evenly_spaced_and_aligned(wrap):
    values = np.arange(1.0, 50_001)
    X = wrap(np.column_stack([values, -values]))
    taken, y, weight, nothing = sample(X, pd.Series(values), list(values), None)
    assert taken.shape == (SAMPLE_ROWS, 2)
    first = taken.toarray()[:, 0] if sparse.issparse(taken) else np.asarray(taken)[:, 0]
    assert np.array_equal(first, y)
    assert np.array_equal(first, weight)
    assert (first[0], first[-1]) == (1, 50_000)
    assert set(np.diff(first)) <= {4, 5, 6}
    assert nothing is None


def test_a_sample_of_wide_rows_is_small():
    assert sample(np.broadcast_to(1.0, (1000, 1 << 20)))[0].nbytes <= 80 * MB


def peak(function):
    """Bytes of Python's and numpy's own allocation at the peak."""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_large_sparse_matrix_costs_little_memory(tracked):
    rng = np.random.default_rng(0)
    X = sparse.random_array((60_000, 20_000), density=1e-4, rng=rng, format="csr")
    y = np.asarray(X[:, :10_000].sum(axis=1) > X[:, 10_000:].sum(axis=1)).ravel().astype(int)
    neuron = NeuronClassifier()
    alone = peak(lambda: neuron.fit(X, y))
    mlflow.sklearn.autolog()
    tracked_peak = peak(lambda: neuron.fit(X, y))
    predicted = peak(lambda: neuron.predict(X))
    assert tracked.run().info.status == "FINISHED"
    # Dense, it would take 9.6 GB.
    assert tracked_peak - alone < 100 * MB
    assert predicted < 20 * MB


@pytest.mark.slow
def test_a_memory_map_of_a_gigabyte_stays_on_disk(tracked, tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (1 << 22, 64))
    X[::1000] = np.random.default_rng(0).normal(size=X[::1000].shape)
    y = (np.arange(len(X)) % 1000 == 0).astype(int)
    assert X.nbytes == 1 << 30
    neuron = NeuronClassifier(alpha=0.1, max_iter=3, tol=0.1)
    alone = peak(lambda: neuron.fit(X, y))
    mlflow.sklearn.autolog()
    tracked_peak = peak(lambda: neuron.fit(X, y))
    assert tracked.run().info.status == "FINISHED"
    assert "10000 rows of 4194304" in str(tracked.run().data.tags)
    assert tracked_peak - alone < 150 * MB


@pytest.mark.slow
def test_wide_rows_cost_little_memory(tracked):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 40_000))
    y = (X[:, 0] > 0).astype(int)
    neuron = NeuronClassifier(alpha=1.0, max_iter=5, tol=0.1)
    alone = peak(lambda: neuron.fit(X, y))
    mlflow.sklearn.autolog()
    tracked_peak = peak(lambda: neuron.fit(X, y))
    assert tracked.run().info.status == "FINISHED"
    assert tracked_peak - alone < 150 * MB
