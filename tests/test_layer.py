"""NeuronLayer: what it learns, and that it is one estimator among scikit-learn's."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    make_circles,
    make_moons,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron
from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning
from sknneuron.losses import Huber
from sknneuron.solvers.choose_layer import LAYER_SOLVERS

QUICK, ALL = range(4), range(20)


def xor(n=400):
    X = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return X, ((X[:, 0] > 0) != (X[:, 1] > 0)).astype(int)


CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
# What one neuron cannot separate, and the accuracy that shows the pattern to be learnt.
PATTERNS = {
    "four corners": (*CORNERS, 1.0),
    "xor": (*xor(), 0.98),
    "moons": (*make_moons(400, noise=0.1, random_state=0), 0.99),
    "circles": (*make_circles(400, noise=0.05, factor=0.5, random_state=0), 0.99),
}


def outputs(layer, X):
    """What the layer's own output neurons make of its levels."""
    return layer.transform(X) @ layer.output_coef_.T + layer.output_intercept_


def own_score(layer, X, y):
    """Accuracy, or R2, of the layer's own output neurons."""
    o = outputs(layer, X)
    if layer.loss_ == "squared_error":
        y = y.reshape(len(y), -1)
        return 1 - np.sum((y - o) ** 2) / np.sum((y - y.mean(axis=0)) ** 2)
    code = (o[:, 0] > 0).astype(int) if o.shape[1] == 1 else o.argmax(axis=1)
    return np.mean(layer.output_classes_[code] == y)


# -- learning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [QUICK, pytest.param(ALL, marks=pytest.mark.slow)], ids=len)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_learns_what_one_neuron_cannot_from_every_seed(pattern, activation, seeds):
    X, y, enough = PATTERNS[pattern]
    assert LogisticRegression().fit(X, y).score(X, y) < 0.9
    for seed in seeds:
        network = make_pipeline(NeuronLayer(8, activation, random_state=seed), NeuronClassifier())
        assert network.fit(X, y).score(X, y) >= enough, seed


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_two_neurons_are_enough_for_four_corners(activation):
    X, y = CORNERS
    for seed in range(10):
        layer = NeuronLayer(2, activation, random_state=seed).fit(X, y)
        assert own_score(layer, X, y) == 1, seed


@pytest.mark.parametrize("solver", LAYER_SOLVERS)
def test_every_solver_learns_and_never_ends_above_its_start(solver):
    X, y, _ = PATTERNS["moons"]
    layer = NeuronLayer(8, "tanh", solver=solver, random_state=0).fit(X, y)
    assert layer.solver_ == solver
    assert own_score(layer, X, y) > 0.97
    assert layer.history_["objective"][-1] < 0.3 * layer.history_["objective"][0]
    assert_allclose(layer.history_["coef"][-1], layer.coef_)
    assert_allclose(layer.history_["output_intercept"][-1], layer.output_intercept_)


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs"])
def test_full_batch_steps_never_climb_after_the_draw(solver):
    X, y, _ = PATTERNS["circles"]
    layer = NeuronLayer(6, "gelu", solver=solver, random_state=1).fit(X, y)
    # The first entry is the layer that knows nothing, the second the weights drawn.
    assert np.all(np.diff(layer.history_["objective"][1:]) <= 1e-10)


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs"])
def test_ends_where_the_gradient_vanishes(solver):
    X, y = load_iris(return_X_y=True)
    layer = NeuronLayer(
        3, "tanh", solver=solver, alpha=1e-2, tol=1e-12, max_iter=5000, random_state=0
    ).fit(X, y)
    assert layer.history_["gradient_norm"][-1] < 1e-5
    assert layer.converged_


def test_linear_data_come_out_as_from_one_neuron():
    X = np.random.default_rng(0).standard_normal((300, 4))
    y = X @ [1.0, -2, 0.5, 3] + 5
    layer = NeuronLayer(4, "identity", alpha=1e-8, tol=1e-9, random_state=0).fit(X, y)
    assert own_score(layer, X, y) > 1 - 1e-6
    assert_allclose(layer.output_coef_ @ layer.coef_, [[1, -2, 0.5, 3]], atol=1e-3)


def test_raw_columns_and_raw_targets_train_as_tidy_ones_do():
    X, y = load_diabetes(return_X_y=True)
    scale, shift = 10.0 ** np.arange(-4, 6), 10.0 ** np.arange(-3, 7)
    tidy = NeuronLayer(4, "tanh", alpha=0, tol=1e-2, random_state=0)
    raw = clone(tidy).fit(X * scale + shift, 1e6 * y)
    tidy.fit(X, y)
    assert own_score(raw, X * scale + shift, 1e6 * y) > 0.5
    assert_allclose(own_score(raw, X * scale + shift, 1e6 * y), own_score(tidy, X, y), atol=1e-3)


# -- targets of every kind -------------------------------------------------------------------------


def test_targets_decide_the_loss():
    X = np.random.default_rng(0).standard_normal((120, 3))
    labels = np.array(["no", "yes", "perhaps"])[np.arange(120) % 3]
    cases = {
        "strings": (labels, "log_loss", 3),
        "booleans": (X[:, 0] > 0, "log_loss", 1),
        "few whole numbers": (np.arange(120) % 4, "log_loss", 4),
        "two floats": ((X[:, 0] > 0).astype(float), "log_loss", 1),
        "indicator": ((X > 0).astype(int), "log_loss", 3),
        "floats": (X[:, 0], "squared_error", 1),
        "prices": (np.round(1e5 + 1e4 * X[:, 0]).astype(int), "squared_error", 1),
        "several": (X[:, :2], "squared_error", 2),
    }
    for name, (y, loss, n_outputs) in cases.items():
        layer = NeuronLayer(3, "tanh", max_iter=500, random_state=0).fit(X, y)
        assert layer.loss_ == loss, name
        assert layer.coef_.shape == (3, 3), name
        assert layer.intercept_.shape == (3,), name
        assert layer.output_coef_.shape == (n_outputs, 3), name
        assert layer.output_intercept_.shape == (n_outputs,), name
        assert hasattr(layer, "output_classes_") == (loss == "log_loss"), name


@pytest.mark.parametrize(
    "loss", ["poisson", "gamma", "tweedie", "huber", Huber(delta=0.5), "absolute_error", "quantile"]
)
def test_losses_for_numbers(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 2))
    mean = np.exp(0.5 + np.abs(X[:, 0]))
    y = rng.gamma(5.0, mean / 5)
    layer = NeuronLayer(6, "tanh", loss=loss, random_state=0).fit(X, y)
    o = outputs(layer, X)[:, 0]
    level = np.exp(o) if loss in ("poisson", "gamma", "tweedie") else o
    assert np.corrcoef(level, mean)[0, 1] > 0.8
    assert layer.solver_ == ("adam" if loss in ("absolute_error", "quantile") else "lbfgs") or (
        layer.solver_ == "levenberg_marquardt"
    )


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_margins(loss):
    X, y, _ = PATTERNS["circles"]
    layer = NeuronLayer(8, loss=loss, random_state=0).fit(X, y)
    assert own_score(layer, X, y) > 0.97


def test_many_classes_and_labels():
    X, y = load_digits(return_X_y=True)
    layer = NeuronLayer(16, random_state=0).fit(X[:1200] / 16, y[:1200])
    assert own_score(layer, X[1200:] / 16, y[1200:]) > 0.9
    X = np.random.default_rng(0).uniform(-1, 1, (400, 3))
    Y = np.column_stack([X[:, 0] * X[:, 1] > 0, np.abs(X[:, 2]) > 0.5]).astype(int)
    layer = NeuronLayer(8, random_state=0).fit(X, Y)
    assert layer.output_multilabel_
    assert np.mean((outputs(layer, X) > 0) == Y) > 0.97


def test_regression_beats_a_plane():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (400, 2))
    Y = np.column_stack([np.sin(2 * X[:, 0]) * X[:, 1], np.abs(X[:, 1])])
    layer = NeuronLayer(20, "tanh", random_state=0).fit(X, Y)
    plane = NeuronRegressor().fit(X, Y).score(X, Y)
    network = make_pipeline(layer, NeuronRegressor()).fit(X, Y)
    assert plane < 0.2
    assert network.score(X, Y) > 0.95


# -- weights, sparse rows, float32 -----------------------------------------------------------------


def test_a_weight_of_k_is_k_copies():
    X, y = load_iris(return_X_y=True)
    k = np.random.default_rng(0).integers(0, 4, len(y))
    layer = NeuronLayer(4, "tanh", random_state=0, alpha=1e-2)
    weighted = clone(layer).fit(X, y, sample_weight=k)
    copies = clone(layer).fit(np.repeat(X, k, axis=0), np.repeat(y, k))
    assert_allclose(weighted.transform(X), copies.transform(X), rtol=1e-5, atol=1e-7)


def test_class_weight_is_a_sample_weight():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:, :5]
    layer = NeuronLayer(3, "tanh", random_state=0, alpha=1e-2)
    by_class = clone(layer).set_params(class_weight={0: 3.0, 1: 0.5}).fit(X, y)
    by_row = clone(layer).fit(X, y, sample_weight=np.where(y == 0, 3.0, 0.5))
    assert_allclose(by_class.coef_, by_row.coef_)
    with pytest.raises(ValueError, match="class_weight was given, but y holds numbers"):
        clone(layer).set_params(class_weight="balanced").fit(X, X[:, 0])


@pytest.mark.parametrize("solver", LAYER_SOLVERS)
def test_sparse_rows_are_as_dense_ones(solver):
    rng = np.random.default_rng(0)
    X = sparse.random(300, 12, 0.3, "csr", random_state=0)
    y = (np.asarray(X[:, :6].sum(axis=1)).ravel() > 1).astype(int)
    # Steps drift apart by rounding, so few of them are compared.
    layer = NeuronLayer(4, "tanh", solver=solver, max_iter=5, random_state=rng.integers(100))
    with pytest.warns(ConvergenceWarning):
        from_sparse = clone(layer).fit(X, y).transform(X)
    with pytest.warns(ConvergenceWarning):
        from_dense = clone(layer).fit(X.toarray(), y).transform(X.toarray())
    assert_allclose(from_sparse, from_dense, rtol=1e-6, atol=1e-8)


def test_float32_in_float32_out():
    X, y = load_iris(return_X_y=True)
    layer = NeuronLayer(4, random_state=0).fit(X.astype(np.float32), y)
    assert layer.coef_.dtype == np.float64
    assert layer.transform(X.astype(np.float32)).dtype == np.float32
    assert layer.pre_activation(X).dtype == np.float64


# -- one estimator among others --------------------------------------------------------------------


def test_levels_are_the_activation_of_the_weighted_sum():
    X, y = load_iris(return_X_y=True, as_frame=True)
    layer = NeuronLayer(5, random_state=0).fit(X, y)
    z = X.to_numpy() @ layer.coef_.T + layer.intercept_
    assert_allclose(layer.pre_activation(X), z)
    assert_allclose(layer.transform(X), np.maximum(z, 0))
    assert list(layer.get_feature_names_out()) == [f"neuronlayer{k}" for k in range(5)]
    frame = layer.set_output(transform="pandas").transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert not hasattr(layer, "predict")


def test_two_layers_and_other_estimators_behind_them():
    X, y, _ = PATTERNS["moons"]
    deep = make_pipeline(
        StandardScaler(),
        NeuronLayer(8, random_state=0),
        NeuronLayer(4, "tanh", random_state=0),
        NeuronClassifier(),
    )
    assert cross_val_score(deep, X, y).mean() > 0.97
    forest = RandomForestClassifier(20, random_state=0)
    assert cross_val_score(make_pipeline(NeuronLayer(random_state=0), forest), X, y).mean() > 0.97


def test_in_a_grid():
    X, y, _ = PATTERNS["circles"]
    network = make_pipeline(NeuronLayer(random_state=0), NeuronClassifier())
    grid = GridSearchCV(network, {"neuronlayer__n_neurons": [1, 8]}, cv=3).fit(X, y)
    assert grid.best_params_ == {"neuronlayer__n_neurons": 8}


def test_same_seed_same_bits_whatever_the_threads():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 20))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    layer = NeuronLayer(4, max_iter=3, random_state=3, solver="lbfgs")
    weights = []
    for n_jobs in (1, 2):
        with pytest.warns(ConvergenceWarning):
            weights.append(clone(layer).set_params(n_jobs=n_jobs).fit(X, y).coef_)
    assert_array_equal(*weights)
    with pytest.warns(ConvergenceWarning):
        other = clone(layer).set_params(random_state=4).fit(X, y)
    assert not np.allclose(other.coef_, weights[0])


def test_pickles():
    X, y = load_iris(return_X_y=True)
    layer = NeuronLayer(5, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(layer))
    assert_array_equal(again.transform(X), layer.transform(X))


def test_warm_start_goes_on():
    X, y, _ = PATTERNS["moons"]
    layer = NeuronLayer(8, "tanh", warm_start=True, random_state=0, max_iter=5, solver="lbfgs")
    with pytest.warns(ConvergenceWarning):
        layer.fit(X, y)
    before, n_before = layer.objective_, len(layer.history_["objective"])
    layer.set_params(max_iter=1000).fit(X, y)
    assert layer.history_["objective"][n_before] == pytest.approx(before, rel=1e-9)
    assert layer.objective_ < before
    with pytest.raises(ValueError, match="warm_start=True goes on from weights of shape"):
        layer.set_params(n_neurons=3).fit(X, y)
    assert layer.coef_.shape == (8, 2)


def test_warm_start_goes_on_from_weights_that_are_worse_than_none():
    """There is more than one valley, and these weights may lie in that which is wanted."""
    X, y, _ = PATTERNS["moons"]
    layer = NeuronLayer(8, "tanh", warm_start=True, random_state=0).fit(X, y)
    weights = layer.coef_.copy()
    layer.output_coef_ = -layer.output_coef_
    n_before = len(layer.history_["objective"])
    layer.fit(X, y)
    assert layer.history_["objective"][n_before] > 3 * np.log(2)
    assert_allclose(layer.history_["coef"][n_before], weights, rtol=1e-9)


@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_partial_fit_learns_and_can_be_pickled_in_between(solver):
    X, y, _ = PATTERNS["circles"]
    layer = NeuronLayer(8, "tanh", solver=solver, random_state=0)
    for _ in range(150):
        layer = pickle.loads(pickle.dumps(layer.partial_fit(X, y, classes=[0, 1])))
    assert layer.n_iter_ == 150
    assert layer.solver_ == ("adam" if solver == "auto" else "sgd")
    assert own_score(layer, X, y) > 0.97
    numbers = NeuronLayer(8, "tanh", random_state=0)
    for _ in range(300):
        numbers.partial_fit(X, 1e5 * np.sin(3 * X[:, 0]))
    assert own_score(numbers, X, 1e5 * np.sin(3 * X[:, 0])) > 0.9


def test_partial_fit_weighs_classes_of_which_a_few_rows_show_some():
    X, y = load_iris(return_X_y=True)
    weights = {0: 1, 1: 2, 2: 3}
    layer = NeuronLayer(4, class_weight=weights, random_state=0)
    layer.partial_fit(X[45:55], y[45:55], classes=[0, 1, 2])
    same = NeuronLayer(4, random_state=0)
    same.partial_fit(
        X[45:55], y[45:55], classes=[0, 1, 2], sample_weight=np.array([1, 2, 3])[y[45:55]]
    )
    assert_array_equal(layer.coef_, same.coef_)


def test_partial_fit_needs_all_classes_at_first():
    X, y, _ = PATTERNS["xor"]
    layer = NeuronLayer(4, random_state=0).partial_fit(X[:10], y[:10], classes=[0, 1, 2])
    layer.partial_fit(X[:10], np.full(10, 2))
    with pytest.raises(ValueError, match="not among the classes"):
        layer.partial_fit(X[:10], np.full(10, 3))
    with pytest.raises(ValueError, match="classes= was given, but loss='squared_error'"):
        NeuronLayer(loss="squared_error").partial_fit(X, X[:, 0], classes=[0, 1])


def test_early_stopping_keeps_the_best():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 20))
    y = (X[:, 0] + rng.standard_normal(200) > 0).astype(int)
    layer = NeuronLayer(20, alpha=0, early_stopping=True, random_state=0).fit(X, y)
    loss = layer.history_["validation_loss"]
    assert_allclose(layer.coef_, layer.history_["coef"][np.argmin(loss)])
    given = NeuronLayer(20, alpha=0, random_state=0).fit(
        X[:150], y[:150], X_val=X[150:], y_val=y[150:]
    )
    o = outputs(given, X[150:])[:, 0]
    expected = np.mean(np.log1p(np.exp(-np.where(y[150:] == 1, o, -o))))
    assert_allclose(given.history_["validation_loss"][-1], expected, rtol=1e-6)


def test_history_is_of_the_objective():
    X, y = load_iris(return_X_y=True)
    layer = NeuronLayer(4, "tanh", alpha=0.01, random_state=0, record=True).fit(X, y)
    h = layer.history_
    for i in (0, len(h["loss"]) // 2, -1):
        a = np.tanh(X @ h["coef"][i].T + h["intercept"][i])
        o = a @ h["output_coef"][i].T + h["output_intercept"][i]
        loss = np.mean(np.log(np.exp(o).sum(axis=1)) - o[np.arange(len(y)), y])
        penalty = 0.005 * (np.sum(h["coef"][i] ** 2) + np.sum(h["output_coef"][i] ** 2))
        assert_allclose(h["loss"][i], loss, rtol=1e-8)
        assert_allclose(h["penalty"][i], penalty, rtol=1e-8)
    assert_allclose(layer.objective_, h["objective"][-1])
    assert h["saturated_fraction"].shape == (len(h["loss"]), 4)
    assert NeuronLayer(4, record=False, random_state=0).fit(X, y).history_ == {}


# -- dead neurons ----------------------------------------------------------------------------------


def test_dead_neurons_are_revived():
    X, y, _ = PATTERNS["circles"]
    layer = NeuronLayer(8, alpha=1e-5, warm_start=True, random_state=0)
    for solver in ("levenberg_marquardt", "lbfgs"):
        layer.set_params(solver=solver).fit(X, y)
        # All but one neuron are pushed out of sight of every row.
        layer.intercept_[1:] = -100
        layer.fit(X, y)
        alive = layer.transform(X).max(axis=0) > 0
        assert alive.sum() >= 6
        assert own_score(layer, X, y) > 0.97


def test_mostly_dead_layers_are_reported():
    X, y, _ = PATTERNS["circles"]
    with pytest.warns(NeuronWarning, match=r"Dead neurons: .* of 8"):
        NeuronLayer(8, alpha=10.0, random_state=0).fit(X, y)


# -- bad input -------------------------------------------------------------------------------------


def test_bad_parameters_are_refused_in_words():
    X, y = load_iris(return_X_y=True)
    for params, words in {
        "n_neurons 0": ({"n_neurons": 0}, "'n_neurons' parameter of NeuronLayer"),
        "solver": ({"solver": "newton"}, "'solver' parameter of NeuronLayer"),
        "activation": ({"activation": "rellu"}, "Did you mean 'relu'"),
        "softmax": ({"activation": "softmax"}, "activation='softmax' makes one neuron win"),
        "kink": ({"loss": "hinge", "solver": "lbfgs"}, "has a kink"),
        "labels": ({"loss": "poisson"}, "not numbers"),
    }.values():
        target = np.array(["a", "b", "c"])[y] if words == "not numbers" else y
        with pytest.raises(ValueError, match=words):
            NeuronLayer(**params).fit(X, target)
    with pytest.raises(ValueError, match="words, 'b' for one, and other things, 1 for one"):
        NeuronLayer().fit(X[:3], np.array(["a", 1, "b"], dtype=object))
    with pytest.raises(ValueError, match="1 labels are missing, the first in row 2"):
        NeuronLayer().fit(X[:3], np.array(["a", "b", None], dtype=object))
    with pytest.raises(ValueError, match=r"Hessian of .* GiB"):
        NeuronLayer(4000, solver="levenberg_marquardt").fit(X, y)
    with pytest.raises(NotFittedError):
        NeuronLayer().transform(X)
    with pytest.raises(ValueError, match="requires y"):
        NeuronLayer().fit(X)


@pytest.mark.filterwarnings("ignore::sknneuron.NeuronWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", LAYER_SOLVERS)
def test_odd_columns_give_finite_weights(solver):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    rows = {
        "constant": np.ones((60, 3)),
        "tiny": 1e-160 * rng.standard_normal((60, 3)),
        "one tiny": rng.standard_normal((60, 3)) * [1, 1e-45, 1],
        "large": 1e100 * rng.standard_normal((60, 3)),
        "one row repeated": np.tile(rng.standard_normal(3), (60, 1)),
    }
    for name, X in rows.items():
        layer = NeuronLayer(4, solver=solver, random_state=0, max_iter=50).fit(X, y)
        for weights in layer._weights():
            assert np.all(np.isfinite(weights)), name
        assert np.isfinite(layer.objective_), name
        assert layer.objective_ <= layer.history_["objective"][0] * (1 + 1e-3), name


@pytest.mark.filterwarnings("ignore::sknneuron.NeuronWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("unit", [1e-4, 1e-8, 1e-16, 1e-45])
@pytest.mark.parametrize("solver", LAYER_SOLVERS)
def test_a_column_in_small_units_is_left_aside_and_the_others_are_learnt(solver, unit):
    """The penalty on its weights is all that curves the objective along them, by 1e-4 / unit**2."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 3))
    y = X[:, 0] + 0.5 * X[:, 1] > 0
    for seed in range(5):
        layer = NeuronLayer(4, solver=solver, random_state=seed)
        without = layer.fit(X[:, :2], y).objective_
        beside = layer.fit(X * [1, 1, unit], y).objective_
        assert beside < without + 0.1, seed


def test_goes_through_skops_with_the_trusted_types():
    skops = pytest.importorskip("skops.io")
    X, y = load_iris(return_X_y=True)
    layer = NeuronLayer(3, random_state=0).fit(X, y)
    again = skops.loads(skops.dumps(layer), trusted=sknneuron.TRUSTED_TYPES)
    assert_array_equal(again.transform(X), layer.transform(X))


# -- rows that live elsewhere ----------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs", "adam"])
def test_rows_in_a_dask_array_train_as_rows_in_memory_do(solver):
    da = pytest.importorskip("dask.array")
    X, y, _ = PATTERNS["moons"]
    layer = NeuronLayer(4, "tanh", solver=solver, random_state=0)
    there = clone(layer).fit(da.from_array(X, chunks=(150, 2)), da.from_array(y, chunks=150))
    assert_allclose(there.objective_, layer.fit(X, y).objective_, rtol=1e-6)
    assert_allclose(there.output_coef_, layer.output_coef_, rtol=1e-3)


def test_classes_are_told_from_numbers_in_a_dask_array_too():
    da = pytest.importorskip("dask.array")
    X, _, _ = PATTERNS["moons"]
    rows = da.from_array(X, chunks=(150, 2))
    for y, loss in ((np.arange(400) % 3, "log_loss"), (X[:, 0], "squared_error")):
        layer = NeuronLayer(2, "tanh", solver="lbfgs", random_state=0)
        assert layer.fit(rows, da.from_array(y, chunks=150)).loss_ == loss == layer.fit(X, y).loss_


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs", "adam"])
def test_rows_in_tensors_train_as_numpy_arrays_do(solver):
    torch = pytest.importorskip("torch")
    if not os.environ.get("SCIPY_ARRAY_API"):
        pytest.skip("SCIPY_ARRAY_API is not set")
    X, y, _ = PATTERNS["moons"]
    layer = NeuronLayer(4, "tanh", solver=solver, random_state=0)
    with config_context(array_api_dispatch=True):
        there = clone(layer).set_params(warm_start=True).fit(torch.tensor(X), torch.tensor(y))
        levels = there.transform(torch.tensor(X))
        assert isinstance(levels, torch.Tensor)
        assert isinstance(there.output_coef_, torch.Tensor)
        objective = there.objective_
        assert there.fit(torch.tensor(X), torch.tensor(y)).objective_ <= objective * (1 + 1e-9)
    assert_allclose(objective, layer.fit(X, y).objective_, rtol=1e-6)
