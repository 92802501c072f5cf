"""Fits on real worker processes, some of which are killed on the way."""

import os
import signal

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from sknneuron import NeuronClassifier, NeuronRegressor

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")
from sknneuron.sources.dask import DaskSource, RowsLostError  # noqa: E402  (it imports dask)

pytestmark = [
    pytest.mark.slow,
    # dask's own: data in the graph, and what it says when workers go away.
    pytest.mark.filterwarnings("ignore:Sending large graph"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
N = 40_000
FEATURES = list("abcde")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 5))
    z = X @ [1, -2, 0.5, 0, 3]
    return X, (z + rng.logistic(size=N) > 0).astype(int), rng.uniform(0.5, 2, N)


@pytest.fixture
def cluster():
    with (
        dask.config.set({"distributed.admin.system-monitor.disk": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
    ):
        yield local, client


def cut(array, n_chunks):
    return da.from_array(array, chunks=(-(-N // n_chunks), 5)[: array.ndim])


def kill_at_evaluation(monkeypatch, cluster, number):
    """SIGKILL who holds the first pack, before this evaluation; returns the numbers of the dead."""
    local, client = cluster
    evaluate, done, dead = DaskSource.map_sum, [], []

    def map_sum(self, *args):
        done.append(0)
        if len(done) == number:
            # A worker without a pack would not be missed, and a pack may lie on both.
            (holders,) = client.who_has(distributed.futures_of(self.packs[0])).values()
            dead.extend(w.pid for w in local.workers.values() if w.worker_address in holders)
            for pid in dead:
                os.kill(pid, signal.SIGKILL)
        return evaluate(self, *args)

    monkeypatch.setattr(DaskSource, "map_sum", map_sum)
    return dead


@pytest.mark.parametrize("n_chunks", [10, 500])
def test_same_numbers_in_as_many_packs(n_chunks, cluster, rows, monkeypatch):
    expected = NeuronClassifier().fit(*rows)
    packs = []
    evaluate = DaskSource.map_sum
    monkeypatch.setattr(
        DaskSource,
        "map_sum",
        lambda self, *args: (packs.append(len(self.packs)), evaluate(self, *args))[1],
    )
    there = [cut(a, n_chunks) for a in rows]
    neuron = NeuronClassifier().fit(*there)
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8)
    assert neuron.n_iter_ == expected.n_iter_
    # Two a thread: an evaluation costs the same however many chunks there were.
    assert set(packs) == {4}
    assert neuron.score(*(cut(a, 10) for a in rows)) == pytest.approx(expected.score(*rows))


def test_a_worker_killed_amid_a_fit_from_arrays(cluster, rows, monkeypatch):
    expected = NeuronClassifier().fit(*rows)
    dead = kill_at_evaluation(monkeypatch, cluster, 3)
    neuron = NeuronClassifier().fit(*(cut(a, 20) for a in rows))
    assert dead
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-10)
    assert neuron.n_iter_ == expected.n_iter_


def test_a_worker_killed_amid_a_fit_from_parquet(cluster, rows, monkeypatch, tmp_path):
    pytest.importorskip("pyarrow")
    X, y, weight = rows
    data = pd.DataFrame(X, columns=FEATURES).assign(y=y, weight=weight)
    for i in range(20):
        data.iloc[i * N // 20 : (i + 1) * N // 20].to_parquet(tmp_path / f"part.{i:02}.parquet")
    data = dd.read_parquet(tmp_path)
    expected = NeuronClassifier().fit(X, y, weight)
    dead = kill_at_evaluation(monkeypatch, cluster, 3)
    neuron = NeuronClassifier().fit(data[FEATURES], data["y"], data["weight"])
    assert dead
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-10)
    assert neuron.n_iter_ == expected.n_iter_


def test_scattered_rows_that_are_lost(cluster, rows, monkeypatch):
    client = cluster[1]
    X, y, _ = rows
    there = []
    for array, kind in ((X, float), (y, int)):
        blocks = [dask.delayed(client.scatter(part)) for part in np.array_split(array, 10)]
        shape = (N // 10, *array.shape[1:])
        there.append(da.concatenate([da.from_delayed(b, shape, dtype=kind) for b in blocks]))
    neuron = NeuronClassifier().fit(X, y)
    before = neuron.coef_
    np.testing.assert_allclose(NeuronClassifier().fit(*there).coef_, before, rtol=1e-8)
    dead = kill_at_evaluation(monkeypatch, cluster, 3)
    with pytest.raises(RowsLostError, match=r"client\.scatter"):
        neuron.fit(*there)
    assert dead
    assert neuron.coef_ is before


def test_a_missing_value_on_a_worker(cluster, rows):
    X, y, _ = rows
    X = X.copy()
    X[N // 10 * 7 + 3, 1] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN in partition 7 \(row 3 of it"):
        NeuronClassifier().fit(cut(X, 10), cut(y, 10))


def test_a_grid_on_the_cluster(cluster, rows):
    X, y, _ = rows
    grid = {"alpha": [1e-4, 1e-1], "activation": ["sigmoid", "probit"]}
    search = GridSearchCV(NeuronClassifier(), grid, cv=3)
    serial = search.fit(X[:2000], y[:2000]).cv_results_["mean_test_score"]
    with joblib.parallel_backend("dask"):
        spread = search.fit(X[:2000], y[:2000]).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(spread, serial)


def test_relu_and_its_kinks(cluster, rows):
    """A kernel that hands back rows, not sums."""
    X, _, _ = rows
    y = np.maximum(X @ [1, -2, 0.5, 0, 3] + 0.1 * X[:, 0] ** 2, 0)
    expected = NeuronRegressor("relu", random_state=0).fit(X, y)
    neuron = NeuronRegressor("relu", random_state=0).fit(cut(X, 10), cut(y, 10))
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
