"""Proximal Newton steps on many sparse columns, beside the optimum found otherwise."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Huber
from sknneuron.solvers import choose, working_set
from sknneuron.solvers.central_path import CentralPath
from sknneuron.solvers.sparse_l1_model import SparseL1Model
from sknneuron.solvers.working_pieces import WorkingPieces


def problem(n_rows, n_features, seed=0, spread=0):
    """CSR rows, and targets of a long tail."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n_rows, n_features), density=0.02, rng=rng, format="csr")
    X.data = 1.0 + rng.poisson(1.0, len(X.data))
    X = sparse.csr_array(X * 10.0 ** rng.uniform(-spread, spread, n_features))
    scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel()) + 1e-12
    z = X @ (rng.standard_normal(n_features) * (rng.random(n_features) < 0.05) / scale)
    return X, z / z.std() + 0.5 * rng.standard_t(2, n_rows)


def counted(monkeypatch):
    """A list that grows with each model whose Hessian is never formed."""
    models, minimise = [], SparseL1Model.minimise
    monkeypatch.setattr(
        SparseL1Model, "minimise", lambda self, *args: models.append(1) or minimise(self, *args)
    )
    return models


@pytest.mark.parametrize("alpha", [1e-3, 5e-4])
def test_lasso_of_hundreds_of_weights_is_scikit_learns(alpha, monkeypatch):
    X, y = problem(700, 2000)
    n_never_formed = counted(monkeypatch)
    neuron = NeuronRegressor(alpha=alpha, l1_ratio=1.0, tol=1e-10).fit(X, y)
    lasso = Lasso(alpha=alpha, tol=1e-12, max_iter=100_000).fit(X, y)
    assert n_never_formed
    assert neuron.converged_
    error = y - X @ lasso.coef_ - lasso.intercept_
    best = 0.5 * np.mean(error**2) + alpha * np.abs(lasso.coef_).sum()
    assert neuron.objective_ <= best + 1e-9 * y.var()


@pytest.mark.parametrize("spread", [0, 2])
@pytest.mark.parametrize("delta", [1.35, 0.3])
@pytest.mark.parametrize("alpha", [3e-3, 1e-3])
def test_huber_is_led_by_parabolas_above_it(alpha, delta, spread, monkeypatch):
    """A path that goes the other way round the kinks ends at the same height."""
    X, y = problem(300, 900, spread=spread)
    options = {"loss": Huber(delta), "alpha": alpha, "l1_ratio": 0.9}
    with monkeypatch.context() as patch:
        patch.setitem(choose.MOST_STEPS, WorkingPieces, 0)
        other = NeuronRegressor(**options, tol=1e-9).fit(X, y)
    monkeypatch.setattr(CentralPath, "__init__", lambda *_: pytest.fail("it led nowhere"))
    neuron = NeuronRegressor(**options, tol=1e-8).fit(X, y)
    assert neuron.converged_
    assert other.converged_
    gain = other.history_["objective"][0] - other.objective_
    assert abs(neuron.objective_ - other.objective_) <= 2e-8 * gain


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_of_hundreds_of_weights_end_where_a_formed_hessian_leads(
    weighted, l1_ratio, monkeypatch
):
    X, z = problem(500, 900)
    y = np.digitize(z, np.quantile(z, [0.3, 0.7]))
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    neuron = NeuronClassifier(alpha=1e-3, l1_ratio=l1_ratio, tol=1e-8)
    monkeypatch.setattr(working_set, "MANY_COLUMNS", 100)
    n_never_formed = counted(monkeypatch)
    neuron.fit(X, y, sample_weight=weight)
    assert neuron.converged_
    assert n_never_formed
    objective, start = neuron.objective_, neuron.history_["objective"][0]
    monkeypatch.setattr(working_set, "MANY_COLUMNS", 10**9)
    monkeypatch.setattr(SparseL1Model, "minimise", lambda *_: pytest.fail("it is formed"))
    neuron.set_params(tol=1e-10).fit(X, y, sample_weight=weight)
    assert abs(objective - neuron.objective_) <= 1e-8 * (start - neuron.objective_)
