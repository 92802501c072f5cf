"""Which Hessians serve a proximal step."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers import curvature as module
from sknneuron.solvers.curvature import NEAR, Curvature
from sknneuron.sources import ArraySource


def curvature(loss="log_loss", activation="sigmoid", is_sparse=True):
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 20), density=0.3, rng=rng, format="csr")
    y = rng.integers(0, 2, (60, 1)) * 1.0
    source = ArraySource(X if is_sparse else X.toarray(), y)
    pair = make_pair(activation, loss, classifier=loss == "log_loss")
    return Curvature(Objective(source, pair, ElasticNet(0.1, 1.0), 1))


def words(n_rows, n_words, n_classes, seed=0):
    """Counts of words, of which few are frequent, and classes that some of them tell."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    drawn = rng.choice(n_words, (n_rows, 50), p=share / share.sum())
    X = np.zeros((n_rows, n_words))
    np.add.at(X, (np.arange(n_rows)[:, None], drawn), 1.0)
    W = np.zeros((n_words, n_classes))
    for k in range(n_classes):
        W[rng.choice(n_words // 4, 100), k] = rng.standard_normal(100)
    Z = X @ W
    y = np.argmax(2 * Z / Z.std() + rng.gumbel(size=Z.shape), axis=1)
    return sparse.csr_array(np.log1p(X)), y


def test_a_step_that_led_too_far_is_followed_by_ones_with_more_curvature():
    chosen = curvature()
    assert chosen.is_exact
    assert chosen.most_gain(3.0) == 3.0
    # A short one was not cut for want of curvature.
    chosen.cut(NEAR)
    assert chosen.is_exact
    chosen.cut(2 * NEAR)
    assert chosen.is_safe
    assert chosen.most_gain(3.0) == np.inf
    assert chosen.better(1.0, 0.5, False, 2 * NEAR) is None
    assert chosen.better(1.0, 0.5, False, NEAR) is chosen.whole


@pytest.mark.parametrize(
    "options", [{"is_sparse": False}, {"loss": "squared_error", "activation": "identity"}], ids=str
)
def test_elsewhere_there_is_one_curvature(options):
    chosen = curvature(**options)
    chosen.cut(np.inf)
    assert chosen.is_exact
    assert chosen.most_gain(3.0) == np.inf


@pytest.mark.parametrize("alpha", [3e-4, 1e-4])
def test_of_many_classes_it_saves_steps(alpha, monkeypatch):
    X, y = words(800, 5000, 10)
    neuron = NeuronClassifier(alpha=alpha, l1_ratio=1.0, tol=1e-8).fit(X, y)
    monkeypatch.setattr(module, "MAJORISED", {})
    other = NeuronClassifier(alpha=alpha, l1_ratio=1.0, tol=1e-8).fit(X, y)
    assert neuron.converged_
    assert other.converged_
    assert neuron.n_iter_ < other.n_iter_
    np.testing.assert_allclose(neuron.objective_, other.objective_, rtol=1e-7)
