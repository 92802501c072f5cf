"""Columns many standard deviations from zero, of sparse rows: times, years, prices."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning
from sknneuron.coordinates import Coordinates
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.products import column_moments
from sknneuron.sources import ArraySource

N_ROWS = 300


def rows(distance, n_rows=N_ROWS):
    """Columns of which two lie far from zero, in other units, beside dummies; and their sum."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((n_rows, 3)) + np.array([0.0, distance, -2 * distance])
    X = np.c_[X * [1.0, 3.0, 1e3], np.eye(4)[rng.integers(4, size=n_rows)][:, 1:]]
    z = ((X - X.mean(axis=0)) / X.std(axis=0)) @ [0.5, 1.0, -1.0, 0.3, 0.0, -0.4]
    return X, z + 0.5 * rng.standard_normal(n_rows)


MODELS = {
    "sigmoid": (NeuronClassifier(), lambda z: z > 0),
    "softmax": (NeuronClassifier(), lambda z: np.digitize(z, [-1, 1])),
    "squared hinge": (NeuronClassifier("identity"), lambda z: z > 0),
    "huber": (NeuronRegressor("identity", "huber"), lambda z: z),
    "absolute error": (NeuronRegressor("identity", "absolute_error"), lambda z: z),
    "poisson": (NeuronRegressor("exp", "poisson"), lambda z: np.round(np.exp(z))),
    "least squares": (NeuronRegressor(), lambda z: z),
    "tanh": (NeuronRegressor("tanh", random_state=0), np.tanh),
    "L1": (NeuronClassifier(l1_ratio=0.5), lambda z: z > 0),
    "L-BFGS": (NeuronClassifier(solver="lbfgs"), lambda z: z > 0),
}


@pytest.mark.parametrize("distance", [3e3, 1e5, 1e8])
@pytest.mark.parametrize("model", MODELS)
def test_sparse_rows_find_what_dense_ones_do(model, distance):
    estimator, target = MODELS[model]
    X, z = rows(distance)
    estimator.set_params(alpha=1e-9)
    weight = np.random.default_rng(1).choice([0.0, 1.0, 2.5], N_ROWS)
    dense = estimator.fit(X, target(z), sample_weight=weight)
    expected, null = dense.objective_, dense.history_["objective"][0]
    neuron = estimator.fit(sparse.csr_array(X), target(z), sample_weight=weight)
    assert neuron.converged_
    assert_allclose(neuron.objective_, expected, atol=1e-7 * (null - expected))


@pytest.mark.parametrize("solver", ["least_squares", "lbfgs"])
def test_what_is_too_wide_to_factor(solver):
    """The same rows beside thousands of dummies, for conjugate gradients and for L-BFGS."""
    X, z = rows(1e7, 2000)
    dummies = sparse.random(2000, 1100, 0.01, "csr", random_state=0)
    X = sparse.csr_array(sparse.hstack([X, dummies]))
    neuron = NeuronRegressor(alpha=1e-4, solver=solver, tol=1e-8, max_iter=3000)
    near = X.toarray()
    near[:, 1:3] -= near[:, 1:3].mean(axis=0)
    expected = NeuronRegressor(alpha=1e-4, tol=1e-10).fit(near, z)
    neuron.fit(X, z)
    gain = expected.history_["objective"][0] - expected.objective_
    assert neuron.converged_
    assert_allclose(neuron.objective_, expected.objective_, atol=1e-7 * gain)


def test_entries_in_parts_are_moved_once():
    X, z = rows(1e6)
    whole = sparse.csr_array(X)
    halves = sparse.csr_array(
        (np.repeat(whole.data / 2, 2), np.repeat(whole.indices, 2), 2 * whole.indptr)
    )
    assert not halves.has_canonical_format
    fits = [NeuronClassifier(alpha=1e-6).fit(A, z > 0).objective_ for A in (whole, halves)]
    assert_allclose(*fits, rtol=1e-9)


def test_rows_that_validate_may_have_zeros_where_those_that_train_have_none():
    X, z = rows(1e6)
    y, n = z > 0, N_ROWS // 2
    X[n:, 1][::10] = 0.0
    losses = []
    for make in (np.asarray, sparse.csr_array):
        with warnings.catch_warnings():
            # Rows to validate that are on another scale are what this is about.
            warnings.simplefilter("ignore", NeuronWarning)
            neuron = NeuronClassifier(alpha=1.0).fit(
                make(X[:n]), y[:n], X_val=make(X[n:]), y_val=y[n:]
            )
        losses.append(neuron.history_["validation_loss"][-1])
    assert_allclose(*losses, rtol=1e-6)


def test_only_columns_without_a_zero_are_moved():
    """Of the rows that coordinates are from, none has one; of all of them, one has."""
    X = 1.0 + 1e-5 * np.random.default_rng(0).standard_normal((6000, 2))
    X[3, 0] = 0.0
    source = ArraySource(sparse.csr_array(X), np.zeros((6000, 1)))
    pair = make_pair("identity", "huber")
    objective = Objective(source, pair, ElasticNet(0.0, 0.0), 1)
    assert objective.coordinates.far.all()
    assert objective.row_center[0] == 0
    assert objective.row_center[1] == pytest.approx(1.0)
    dense = Objective(
        ArraySource(X, source.y), pair, ElasticNet(0.0, 0.0), 1, coordinates=objective.coordinates
    )
    theta = np.array([[0.1, -0.2, 0.3]])
    hessians = (o.value_gradient_hessian(theta)[2] for o in (objective, dense))
    assert_allclose(*hessians, rtol=1e-3)
    assert_allclose(objective.curvature_diagonal(theta)[0, 1:], [1, 1], rtol=0.1)


def test_rows_that_stay_where_they_are():
    X = sparse.csr_array(np.eye(5)[np.random.default_rng(0).integers(5, size=200)])
    assert Coordinates.of(ArraySource(X, np.zeros((200, 1))), True).far is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("about_mean", [False, True])
def test_moments_of_sparse_columns(about_mean, weighted):
    X = sparse.random(200, 4, 0.3, "csr", random_state=0)
    X = np.c_[X.toarray(), 1e9 + np.random.default_rng(0).standard_normal(200)]
    weight = np.random.default_rng(1).uniform(0.1, 2, 200) if weighted else None
    expected = column_moments(X, about_mean, weight)
    for moment, of_dense in zip(
        column_moments(sparse.csr_array(X), about_mean, weight), expected, strict=True
    ):
        assert_allclose(moment, of_dense, rtol=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1.0, 300.0, 1e4, 1e7])
def test_moments_keep_their_digits_far_from_zero(distance):
    X = distance + np.random.default_rng(0).standard_normal((300, 3))
    mean, variance = column_moments(X, True)
    assert_allclose(mean, X.mean(axis=0), rtol=1e-12, atol=1e-12)
    assert_allclose(variance, X.var(axis=0), rtol=1e-8)


def test_a_layer_of_sparse_rows():
    X, z = rows(1e8)
    layer = NeuronLayer(2, "tanh", solver="lbfgs", alpha=1e-4, random_state=0)
    expected = layer.fit(X, z).objective_
    assert_allclose(layer.fit(sparse.csr_array(X), z).objective_, expected, rtol=1e-3)


# -- weights so large that z has no digits ---------------------------------------------------------

TWICE = {
    "huber by lbfgs": (NeuronRegressor("identity", "huber", alpha=0, solver="lbfgs"), lambda z: z),
    "least squares": (NeuronRegressor(alpha=0), lambda z: z),
    "sigmoid": (NeuronClassifier(alpha=0), lambda z: z > 0),
    "softmax": (NeuronClassifier(alpha=0), lambda z: np.digitize(z, [-1, 1])),
}


def twice(offset):
    """A column in two units, which differ by the rounding of numbers far from zero."""
    rng = np.random.default_rng(0)
    near = rng.standard_normal((200, 3))
    X = (np.c_[near, near[:, 0]] + offset) * [1, 1, 1, 0.3]
    return near, X, near @ [1.0, 2.0, -1.0] + 0.3 * rng.standard_normal(200)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("model", TWICE)
def test_weights_that_the_units_of_x_cannot_hold(model, make):
    estimator, target = TWICE[model]
    near, X, z = twice(1e7)
    with pytest.warns(ConvergenceWarning, match=r"columns 0, .*3 are so large .* too few digits"):
        assert not estimator.fit(make(X), target(z)).converged_
    # Rounding of data has nothing to tell; with a penalty it is not asked.
    estimator = estimator.set_params(alpha=1e-6)
    expected = estimator.fit(near, target(z)).objective_
    neuron = estimator.fit(make(X), target(z))
    estimator.set_params(alpha=0)
    assert neuron.converged_
    assert neuron.objective_ <= expected + 1e-7


def test_large_weights_of_near_columns_are_no_fault():
    """Small units ask for them, and so do columns that differ by little."""
    near, _, z = twice(0.0)
    X = np.c_[near * 1e-9, near[:, 0] * 1e-9 + 1e-14 * z**2]
    fitted = NeuronRegressor("identity", "huber", alpha=0).fit(X, z + z**2)
    assert fitted.converged_
    assert np.abs(fitted.coef_).max() > 1e13
