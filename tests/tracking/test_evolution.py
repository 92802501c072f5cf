import io

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron._tracking.evolution import MAX_POINTS, N_TRACKED, Evolution
from sknneuron._tracking.find import find


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return StandardScaler().set_output(transform="pandas").fit_transform(X), y


def evolution(estimator, **kwargs):
    return Evolution(find(estimator), **kwargs)


def made_up(k, n_features, n_neurons=1, seed=0):
    """A neuron whose history is made up."""
    rng = np.random.default_rng(seed)
    y = np.arange(8) % 2 if n_neurons == 1 else np.arange(4 * n_neurons) % n_neurons
    neuron = NeuronClassifier().fit(rng.normal(size=(len(y), n_features)), y)
    neuron.history_ = {
        "iteration": np.arange(k),
        "elapsed": np.arange(k) / 10,
        "loss": np.exp(-np.arange(k)),
        "objective": np.exp(-np.arange(k)) + 1,
        "gradient_norm": np.exp(-np.arange(k)),
        "coef": rng.normal(size=(k, n_neurons, n_features)),
        "intercept": rng.normal(size=(k, n_neurons)),
    }
    return neuron


def test_series_of_a_layer(iris):
    neuron = NeuronClassifier(activation="sigmoid").fit(*iris)
    by_key = {one.key: one for one in evolution(neuron).series()}
    assert np.array_equal(by_key["train/loss"].values, neuron.history_["loss"])
    assert np.array_equal(by_key["train/bias/1"].values, neuron.history_["intercept"][:, 1])
    saturated = by_key["activation/saturated_fraction/2"].values
    assert np.array_equal(saturated, neuron.history_["saturated_fraction"][:, 2])
    weight = by_key["weights/2/petal length _cm_"]
    assert np.array_equal(weight.values, neuron.history_["coef"][:, 2, 2])
    assert (weight.neuron, weight.feature) == ("2", "petal length (cm)")


def test_validation_loss_and_dead_fraction_have_series(iris):
    X, y = iris
    neuron = NeuronRegressor("relu", random_state=0).fit(X, y, X_val=X[::3], y_val=y[::3])
    keys = {one.key for one in evolution(neuron).series()}
    assert {"validation/loss", "activation/dead_fraction"} <= keys


def test_the_weights_that_moved_most_have_series():
    neuron = made_up(5, 10_000)
    neuron.history_["coef"][:, 0, [77, 7777]] *= 100
    series = [one for one in evolution(neuron).series() if one.quantity == "weight"]
    assert len(series) == N_TRACKED
    assert {"x77", "x7777"} <= {one.feature for one in series}
    movement = np.ptp(neuron.history_["coef"][:, 0], axis=0)
    least = min(np.ptp(one.values) for one in series)
    assert (movement > least).sum() == N_TRACKED - 1


def test_keys_do_not_depend_on_which_weights_move():
    neuron = made_up(3, 100)
    neuron.feature_names_in_ = np.array([f"a={i % 50}" for i in range(50)] + ["b"] * 50, object)
    series = {(one.feature, one.key) for one in evolution(neuron).series()}
    neuron.history_["coef"][:, 0, 60:80] *= 100
    moved = {(one.feature, one.key) for one in evolution(neuron).series()}
    assert len({key for _, key in moved}) == len({one.key for one in evolution(neuron).series()})
    assert {key for feature, key in series | moved if feature == "a=7"} <= {"weights/a_7"}


def test_ten_thousand_iterations_give_no_more_points_than_a_chart_shows():
    some = evolution(made_up(10_000, 3))
    points = list(some.points(some.series(), MAX_POINTS))
    by_key = {}
    for key, _, position in points:
        by_key.setdefault(key, []).append(position)
    for positions in by_key.values():
        assert len(positions) <= MAX_POINTS
        assert positions[0] == 0
        assert positions[-1] == 9999
        assert set(np.diff(positions)) <= {31, 32}
    assert sorted(by_key) == sorted(one.key for one in some.series())


def test_values_that_are_not_finite_have_no_point():
    neuron = made_up(6, 2)
    neuron.history_["loss"][:] = [np.inf, np.nan, 1, 2, -np.inf, 3]
    some = evolution(neuron)
    losses = [p for key, _, p in some.points(some.series(), 320) if key == "train/loss"]
    assert losses == [2, 3, 5]


@pytest.mark.parametrize("record", ["loss", False])
def test_without_recorded_weights_there_are_those_of_the_end(iris, record):
    X, y = iris
    neuron = NeuronClassifier(record=record).fit(X, y > 0)
    some = evolution(neuron)
    points = [
        (value, int(some.iteration[position]))
        for key, value, position in some.points(some.series(), 320)
        if key == "weights/petal length _cm_"
    ]
    assert points == [(neuron.coef_[0, 2], neuron.n_iter_)]


def test_only_what_a_warm_start_added(iris):
    X, y = iris
    neuron = NeuronClassifier(warm_start=True).fit(X, y)
    last = neuron.history_["iteration"][-1]
    neuron.set_params(alpha=1e-2).fit(X, y)
    assert evolution(neuron, after=last).iteration[0] == last + 1


@pytest.mark.parametrize("n_neurons", [1, 3])
def test_the_table_has_every_number(n_neurons):
    neuron = made_up(4, 5, n_neurons)
    # Two columns may have the same name.
    neuron.feature_names_in_ = np.array(["a", "b", "c", "d", "a"], dtype=object)
    table = evolution(neuron).table(first_step=100)
    assert list(table.columns) == [
        "step",
        "iteration",
        "elapsed",
        "quantity",
        "neuron",
        "feature",
        "value",
    ]
    assert len(table) == 4 * (3 + n_neurons + 5 * n_neurons)
    weight = table[(table.quantity == "weight") & (table.feature == "c")]
    if n_neurons > 1:
        weight = weight[weight.neuron == "1"]
    n = min(1, n_neurons - 1)
    assert np.array_equal(weight.value, neuron.history_["coef"][:, n, 2])
    assert np.array_equal(weight.step, weight.iteration + 100)
    loss = table[table.quantity == "loss"]
    assert np.array_equal(loss.value, neuron.history_["loss"])
    assert set(loss.feature) == {""}
    stream = io.BytesIO()
    table.to_parquet(stream)
    assert pd.read_parquet(stream).equals(table)


def test_the_table_of_a_hidden_layer_has_its_output_neurons(iris):
    X, y = iris
    layer = NeuronLayer(4, "tanh", random_state=0, max_iter=500).fit(X, y)
    keys = {one.key for one in evolution(layer).series()}
    assert {"train/bias/3", "activation/saturated_fraction/0"} <= keys
    assert sum(key.startswith("weights/") for key in keys) == 16
    table = evolution(layer).table()
    last = table[table["iteration"] == table["iteration"].max()].astype({"quantity": str})
    weights = last[last["quantity"] == "output_weight"].set_index(["feature", "neuron"])["value"]
    assert weights["2", "3"] == layer.output_coef_[2, 3]
    assert weights["0", "1"] == layer.output_coef_[0, 1]
    biases = last[last["quantity"] == "output_bias"].set_index("feature")["value"]
    assert biases["1"] == layer.output_intercept_[1]
    hidden = last[last["quantity"] == "weight"].set_index(["neuron", "feature"])["value"]
    assert hidden["3", "petal width (cm)"] == layer.coef_[3, 3]


def test_the_outputs_of_a_layer_for_numbers_are_counted(iris):
    X, _ = iris
    layer = NeuronLayer(2, random_state=0).fit(X.iloc[:, :2], X.iloc[:, 2:])
    table = evolution(layer).table()
    assert {"output0", "output1"} <= set(table["feature"])
