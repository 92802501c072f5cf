"""Squared error with an L1 norm: one pass over the rows, and the optimum of ElasticNet."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LinearRegression

from sknneuron import NeuronRegressor, NeuronWarning
from sknneuron.solvers.lasso import FEW_ROWS, MAX_FEATURES, MAX_FEATURES_FEW_ROWS


def rows(n_rows, n_features, seed=0, mixing=0.0):
    """Columns, mixed by so much, and targets that a few of them make."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    X = X + mixing * X @ rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
    return X, 3 + X[:, ::7].sum(axis=1) + rng.standard_normal(n_rows)


def objective(neuron, X, y, weight=None):
    off = np.average((X @ neuron.coef_ + neuron.intercept_ - y) ** 2, weights=weight) / 2
    sizes = neuron.l1_ratio * np.abs(neuron.coef_) + (1 - neuron.l1_ratio) / 2 * neuron.coef_**2
    return off + neuron.alpha * sizes.sum()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n_rows", "n_features", "mixing"), [(60, 3, 0.0), (442, 30, 1.0), (9000, 40, 0.5)]
)
def test_optimum(n_rows, n_features, mixing, weighted, fit_intercept, l1_ratio):
    X, y = rows(n_rows, n_features, mixing=mixing)
    weight = np.random.default_rng(1).uniform(0.5, 2, n_rows) if weighted else None
    options = {"alpha": 0.1, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    ours = NeuronRegressor(**options).fit(X, y, weight)
    peer = ElasticNet(**options, tol=1e-15, max_iter=100_000).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=0, atol=1e-9)
    assert ours.solver_ == "proximal_newton"
    assert ours.converged_
    assert ours.n_iter_ == 1
    assert ours.objective_ == pytest.approx(objective(ours, X, y, weight), rel=1e-13)
    # Of what is written of the two ends of that one step, the second is an optimum.
    assert ours.history_["gradient_norm"][-1] < 1e-10 < ours.history_["gradient_norm"][0]


@pytest.mark.parametrize(
    ("n_rows", "n_features", "once"),
    [
        (FEW_ROWS, MAX_FEATURES_FEW_ROWS, True),
        (FEW_ROWS, MAX_FEATURES_FEW_ROWS + 1, False),
        (FEW_ROWS + 1, MAX_FEATURES, True),
        (FEW_ROWS + 1, MAX_FEATURES + 1, False),
    ],
)
def test_one_pass(passes, n_rows, n_features, once):
    X, y = rows(n_rows, n_features)
    neuron = NeuronRegressor(alpha=0.5, l1_ratio=1.0).fit(X, y)
    assert 0 < np.count_nonzero(neuron.coef_) < n_features
    assert (passes == ["NullLoss", "Products"]) == once


def test_several_outputs_have_zeros_of_their_own():
    X, _ = rows(500, 12, mixing=1.0)
    Y = np.column_stack([X[:, 0] - X[:, 3], 2 * X[:, 5], X[:, 9]]) + 1
    Y += 0.1 * np.random.default_rng(2).standard_normal(Y.shape)
    together = NeuronRegressor(alpha=0.05, l1_ratio=1.0).fit(X, Y)
    assert together.n_iter_ == 1
    for k in range(3):
        alone = NeuronRegressor(alpha=0.05, l1_ratio=1.0).fit(X, Y[:, k])
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-13)
    zero = together.coef_ == 0
    assert zero.any(axis=1).all()
    assert len(np.unique(zero, axis=0)) == 3


def test_a_warm_start_ends_where_a_cold_one_does():
    X, y = rows(500, 20, mixing=1.0)
    warm = NeuronRegressor(alpha=0.5, l1_ratio=1.0, warm_start=True).fit(X, y)
    warm.set_params(alpha=0.05).fit(X, y)
    cold = NeuronRegressor(alpha=0.05, l1_ratio=1.0).fit(X, y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-13)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e9])
def test_constant_columns_have_no_weight(shift):
    X, y = rows(300, 6)
    X[:, 2] = 7.0
    X[:, 4] = 0.0
    X[:, 5] = 1e8 + 1 / 3
    neuron = NeuronRegressor(alpha=0.01, l1_ratio=1.0).fit(X + shift, y)
    np.testing.assert_array_equal(neuron.coef_[[2, 4, 5]], 0.0)
    rest = NeuronRegressor(alpha=0.01, l1_ratio=1.0).fit((X + shift)[:, [0, 1, 3]], y)
    np.testing.assert_allclose(neuron.coef_[[0, 1, 3]], rest.coef_, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 5.0])
@pytest.mark.parametrize("n_features", [1, 3])
def test_nothing_but_constant_columns(value, n_features):
    y = np.arange(6.0)
    neuron = NeuronRegressor(l1_ratio=1.0).fit(np.full((6, n_features), value), y)
    assert neuron.converged_
    np.testing.assert_array_equal(neuron.coef_, 0.0)
    assert neuron.intercept_ == y.mean()


@pytest.mark.parametrize("apart", [1e-2, 1e-4, 1e-7, 0.0])
def test_columns_in_use_that_sums_cannot_tell_apart(passes, apart):
    """Rows are looked at again, and where that is done no digit of the objective is lost."""
    X, y = rows(20_000, 8)
    rng = np.random.default_rng(3)
    X[:, 1] = X[:, 0] + apart * rng.standard_normal(len(X))
    y = y + X[:, 1] - 0.5 * X[:, 0]
    neuron = NeuronRegressor(alpha=1e-9, l1_ratio=1.0).fit(X, y)
    assert neuron.converged_
    # Of two that are nearer still, one does.
    assert ("WorkingSums" in passes) == (apart == 1e-4)
    # With so little of a penalty, that is next to least squares with both columns or with one.
    for columns in (range(8), [0, *range(2, 8)]):
        peer = LinearRegression().fit(X[:, columns], y)
        off = np.mean((peer.predict(X[:, columns]) - y) ** 2) / 2
        least = off + neuron.alpha * np.abs(peer.coef_).sum()
        assert objective(neuron, X, y) <= least + 1e-9 * np.var(y)


def test_columns_far_from_zero():
    X, y = rows(3000, 10, mixing=1.0)
    near = NeuronRegressor(alpha=0.05, l1_ratio=1.0).fit(X, y)
    far = NeuronRegressor(alpha=0.05, l1_ratio=1.0).fit(X + 1e6, y)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-8)


def test_no_column_is_worth_its_weight():
    X, y = rows(200, 5)
    with pytest.warns(NeuronWarning, match="lower alpha"):
        neuron = NeuronRegressor(alpha=1e3, l1_ratio=1.0).fit(X, y)
    np.testing.assert_array_equal(neuron.coef_, 0.0)
    assert neuron.intercept_ == pytest.approx(y.mean(), rel=1e-14)
