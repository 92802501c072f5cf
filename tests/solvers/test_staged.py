"""Subsamples save passes over all rows, and say nothing that all rows would not."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.subsample import Sampler
from sknneuron.sources import ArraySource

N_ROWS, N_FEATURES = 60_000, 20


def training_set(shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    z = X @ rng.standard_normal(N_FEATURES) / 3 + shift
    return X, (rng.random(N_ROWS) < 1 / (1 + np.exp(-z))).astype(int)


def sampler_of(X, y, weight=None):
    source = ArraySource(X, y[:, None].astype(float), weight)
    pair = make_pair("sigmoid", "log_loss", classifier=True)
    return Sampler(Objective(source, pair, ElasticNet(0.0, 0.0), 1), np.random.default_rng(0))


def test_rows_that_stand_for_equally_many_have_no_weights():
    sample = sampler_of(*training_set()).subsample(5000)
    assert sample.source.sample_weight is None


def test_rows_of_a_rare_class_stand_for_fewer():
    X, y = training_set(shift=-4.0)
    source = sampler_of(X, y).subsample(5000).source
    of_class = source.y[:, 0] == 1
    assert source.sample_weight[of_class].max() < source.sample_weight[~of_class].min()
    share = source.sample_weight[of_class].sum() / source.total_weight
    assert share == pytest.approx(y.mean(), rel=0.1)


def test_rows_keep_weights_of_their_own():
    X, y = training_set()
    weight = np.random.default_rng(1).uniform(0.5, 2, N_ROWS)
    source = sampler_of(X, y, weight).subsample(5000).source
    assert np.isin(source.sample_weight, weight).all()


def held(X, n_rows=1000, weight=None):
    sampler = sampler_of(X, np.arange(len(X)) % 2, weight)
    return sampler.subsample(n_rows, copy=False).source


def test_few_rows_are_held_in_float32():
    X, _ = training_set()
    weight = np.random.default_rng(1).uniform(0.5, 2, N_ROWS)
    source = held(X, weight=weight)
    assert source.X.dtype == np.float32
    rows = np.searchsorted(weight, source.sample_weight, sorter=np.argsort(weight))
    rows = np.argsort(weight)[rows]
    np.testing.assert_array_equal(source.X, X[rows].astype(np.float32))
    np.testing.assert_array_equal(source.y[:, 0], rows % 2)


# As the training has it.
@np.errstate(over="ignore", invalid="ignore")
@pytest.mark.parametrize("change", ["many", "far", "huge", "tiny"])
def test_others_are_looked_up_in_float64(change):
    """Many rows take memory, and float32 has neither the digits nor the range for all numbers."""
    X, _ = training_set()
    if change != "many":
        X[:, 3] = {"far": 1e9 + X[:, 3], "huge": 1e39 * X[:, 3], "tiny": 1e-39 * X[:, 3]}[change]
    source = held(X, 40_000 if change == "many" else 1000)
    assert source.block(0, source.block_rows)[0].dtype == np.float64


@pytest.mark.parametrize(("tol", "most"), [(1e-4, 2), (1e-6, 3), (1e-8, 4)])
def test_few_passes_over_all_rows(tol, most, monkeypatch):
    """The sample's Hessian at its optimum shrinks a decrement to a few parameters per row."""
    original, passes = ArraySource.map_sum, []

    def counted(self, kernel, *params):
        if self.n_rows == N_ROWS and hasattr(kernel, "order"):
            passes.append(kernel.order)
        return original(self, kernel, *params)

    X, y = training_set()
    monkeypatch.setattr(ArraySource, "map_sum", counted)
    neuron = NeuronClassifier(alpha=1e-6, tol=tol).fit(X, y)
    assert neuron.converged_
    assert set(passes) == {1}
    assert len(passes) <= most
