"""Learning from rows that come in parts."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.class_weight import compute_class_weight

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor


def test_a_class_that_the_first_rows_lack_is_learnt_later():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.standard_normal((300, 3)) + 2 * np.eye(3)[y]
    neurons = NeuronClassifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert neurons.coef_.shape == (3, 3)
    assert np.all(np.abs(neurons.intercept_) < 10)
    for _ in range(100):
        neurons.partial_fit(X, y)
    assert neurons.score(X, y) > 0.85


@pytest.mark.parametrize("neuron", [NeuronRegressor(), NeuronLayer(3, random_state=0)])
def test_another_solver_goes_on_from_the_same_weights(neuron):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)) * [1, 10, 0.1] + 5
    y = X @ [1.0, -0.1, 10.0]
    neuron.set_params(solver="adam").partial_fit(X, y)
    before = neuron.history_["objective"][-1]
    for _ in range(20):
        neuron.set_params(solver="sgd").partial_fit(X, y)
    assert neuron.solver_ == "sgd"
    assert neuron.history_["objective"][-1] < 0.5 * before


def test_a_bias_can_go_and_come_back():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)) + 3
    y = X @ [1.0, 2.0, 3.0]
    neuron = NeuronRegressor().partial_fit(X, y)
    neuron.set_params(fit_intercept=False).partial_fit(X, y)
    assert neuron.intercept_ == 0
    neuron.set_params(fit_intercept=True).partial_fit(X, y)
    assert neuron.intercept_ != 0


def test_another_number_of_neurons_is_refused_in_words():
    X = np.random.default_rng(0).standard_normal((50, 3))
    layer = NeuronLayer(3, random_state=0).partial_fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"weights of shape \(3, 3\).*need \(5, 3\)"):
        layer.set_params(n_neurons=5).partial_fit(X, X[:, 0])


@pytest.mark.parametrize("factor", [2.0**500, 2.0**-500, 2.0**1000, 2.0**-1000])
@pytest.mark.parametrize("l1_ratio", [0, 0.5])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_only_how_weights_compare_matters(solver, l1_ratio, factor):
    """However large or small they are: their squares overflow, or vanish."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    y = (X[:, 0] + rng.logistic(size=300) > 0).astype(int)
    weight = rng.integers(1, 5, 300).astype(float)
    params = {"solver": solver, "l1_ratio": l1_ratio, "alpha": 0.01, "random_state": 0}
    neurons = [NeuronClassifier(**params), NeuronClassifier(**params)]
    for neuron, given in zip(neurons, [weight, factor * weight], strict=True):
        for _ in range(3):
            neuron.partial_fit(X, y, classes=[0, 1], sample_weight=given)
    plain, scaled = neurons
    assert np.all(np.abs(plain.coef_) > 1e-3)
    np.testing.assert_allclose(scaled.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-12)


ONE_TARGET_FIRST = {
    "classes": (NeuronClassifier(), lambda z: (z > 0).astype(int), [0, 1]),
    "sgd": (NeuronClassifier(solver="sgd"), lambda z: (z > 0).astype(int), [0, 1]),
    "probit": (NeuronClassifier("probit"), lambda z: (z > 0).astype(int), [0, 1]),
    "labels": (NeuronClassifier(), lambda z: np.column_stack([z > 0, z > 1]).astype(int), None),
    "layer": (NeuronLayer(3, random_state=0), lambda z: (z > 0).astype(int), [0, 1]),
    "counts": (NeuronRegressor("exp", "poisson"), lambda z: np.maximum(np.round(z), 0), None),
    "shares": (NeuronRegressor("sigmoid", "log_loss"), lambda z: np.clip(z, 0, 1), None),
}


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("name", ONE_TARGET_FIRST)
def test_first_rows_of_one_target_put_no_other_out_of_reach(name, storage):
    neuron, targets_of, classes = ONE_TARGET_FIRST[name]
    neuron = clone(neuron)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    z = X @ [1.0, 2.0, 3.0]
    first, y = z < 0, targets_of(z)
    assert not np.any(y[first])
    named = {} if classes is None else {"classes": classes}
    neuron.partial_fit(storage(X[first]), y[first], **named)
    biases = neuron.output_intercept_ if name == "layer" else neuron.intercept_
    assert np.all(np.abs(biases) < 10)
    for _ in range(15):
        neuron.partial_fit(storage(X), y)
    from_all = clone(neuron).partial_fit(storage(X), y, **named)
    assert neuron.history_["objective"][-1] < from_all.history_["objective"][-1]


def test_rows_without_a_loss_stop_no_training():
    """Rows of one class may cost a hinge nothing, and then say nothing of how it bends."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = (X @ [1.0, 2.0, 3.0] > 0).astype(int)
    neuron = NeuronClassifier("identity", "hinge").partial_fit(X[y == 1], y[y == 1], classes=[0, 1])
    for _ in range(60):
        neuron.partial_fit(X, y)
    assert neuron.score(X, y) > 0.9


@pytest.mark.parametrize("neuron", [NeuronClassifier(), NeuronLayer(3, random_state=0)])
def test_classes_of_parts_are_not_balanced_in_silence(neuron):
    X, y = np.random.default_rng(0).standard_normal((20, 2)), np.arange(20) % 5 == 0
    neuron.set_params(class_weight="balanced")
    with pytest.raises(ValueError, match=r"needs all rows.*dict\(zip\(classes, compute_class"):
        neuron.partial_fit(X, y, classes=[False, True])
    sizes = compute_class_weight("balanced", classes=np.array([False, True]), y=y)
    neuron.set_params(class_weight=dict(enumerate(sizes))).partial_fit(X, y, classes=[False, True])


def test_rows_after_the_first_are_held_to_its_columns():
    """Plain ones too, which are looked at in a shorter way."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    plain = NeuronRegressor(random_state=0).partial_fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features, but NeuronRegressor is expecting 3"):
        plain.partial_fit(X[:, :2], y)
    named = NeuronRegressor(random_state=0).partial_fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        named.partial_fit(X, y)
    assert named.feature_names_in_.tolist() == ["a", "b", "c"]
    plain.partial_fit(X.tolist(), y.tolist())
    # A frame lies otherwise in memory, and its sums are rounded otherwise.
    np.testing.assert_allclose(plain.coef_, named.coef_, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_parts_go_on_from_a_fit_whose_counts_are_all_zero(solver, n):
    """The bias that it goes on from is as far out as floats go."""
    X = np.random.default_rng(0).standard_normal((n, 2))
    neuron = NeuronRegressor("exp", "poisson", alpha=0, random_state=0).fit(X, np.zeros(n))
    assert neuron.intercept_ < -700
    neuron.set_params(solver=solver)
    for _ in range(3):
        neuron.partial_fit(X, np.zeros(n))
        assert neuron.intercept_ < -700
        assert np.all(np.abs(neuron.coef_) < 1)


def test_rows_may_lack_the_class_that_class_weight_names():
    X = np.random.default_rng(0).standard_normal((8, 2))
    neuron = NeuronClassifier(class_weight={1: 5.0}, random_state=0)
    neuron.partial_fit(X, np.zeros(8, dtype=int), classes=[0, 1])
    neuron.partial_fit(X, np.ones(8, dtype=int))
    assert neuron.n_iter_ == 2
    with pytest.raises(ValueError, match="contains the label 7"):
        neuron.partial_fit(X, np.full(8, 7))
