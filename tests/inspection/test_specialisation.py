"""Which neuron of a layer answers to what; and what a network's output is made of."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.inspection import (
    SpecialisationDisplay,
    coef_table,
    contributions,
    diagnose,
    specialisation,
    training_history,
)


def hand_made(coef, intercept, activation="relu"):
    """A layer whose neurons are given."""
    X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    layer = NeuronLayer(len(coef), activation, random_state=0).fit(X, X[:, 0] > 0)
    layer.coef_, layer.intercept_ = np.array(coef, float), np.array(intercept, float)
    return layer, X


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    network = make_pipeline(
        StandardScaler(), NeuronLayer(4, "tanh", random_state=0), NeuronClassifier()
    )
    return network.fit(X, y), X, y


# -- specialisation --------------------------------------------------------------------------------


def test_numbers_are_those_of_the_levels(iris):
    network, X, y = iris
    level = network[:-1].transform(X)
    table = specialisation(network, X, y)
    assert list(table.index) == [f"neuron{k}" for k in range(4)]
    assert_allclose(table["mean"], level.mean(axis=0))
    assert_allclose(table["deviation"], level.std(axis=0))
    assert_allclose(table["active"], 1 - (np.abs(np.arctanh(level)) >= 2.99322).mean(axis=0))
    for c in range(3):
        assert_allclose(table[f"mean/{c}"], level[y == c].mean(axis=0))
    between = sum((level[y == c].mean(axis=0) - level.mean(axis=0)) ** 2 for c in range(3)) / 3
    assert_allclose(table["selectivity"], between / level.var(axis=0))
    assert_allclose(table.attrs["correlation"], np.corrcoef(level.T), atol=1e-12)
    size = np.abs(np.corrcoef(level.T)) - 2 * np.eye(4)
    assert list(table["most_like"]) == [f"neuron{j}" for j in size.argmax(axis=1)]


def test_weights_of_rows_count_as_copies(iris):
    network, X, y = iris
    k = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = specialisation(network, X, y, k).select_dtypes("number")
    copies = specialisation(network, X.loc[X.index.repeat(k)], y.repeat(k)).select_dtypes("number")
    assert_allclose(weighted, copies, rtol=1e-9)


def test_a_neuron_that_knows_only_the_class_has_a_selectivity_of_one():
    layer, X = hand_made([[1e9, 0], [0, 1]], [0, 0], "sigmoid")
    table = specialisation(layer, X, np.where(X[:, 0] > 0, "right", "left"))
    assert_allclose(table.loc["neuron0", "selectivity"], 1)
    assert table.loc["neuron0", "answers_to"] == "right"
    assert table.loc["neuron1", "selectivity"] < 0.1


def test_whole_numbers_are_what_the_layer_was_trained_on():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 2))
    y = np.round(10 * X[:, 0])
    numbers = NeuronLayer(2, loss="squared_error", random_state=0).fit(X, y)
    assert "correlation_with_y" in specialisation(numbers, X, y)
    assert "answers_to" in specialisation(numbers, X, y > 0)
    assert "answers_to" in specialisation(numbers, X, y.astype(str))
    labels = NeuronLayer(2, loss="log_loss", random_state=0).fit(X, y)
    assert "answers_to" in specialisation(labels, X, y)


def test_numbers_in_y_give_a_correlation():
    layer, X = hand_made([[1, 0], [0, -1]], [2, 2])
    table = specialisation(layer, X, 3 * X[:, 0])
    assert_allclose(table["correlation_with_y"], [1, -np.corrcoef(X.T)[0, 1]], atol=1e-9)
    assert_allclose(table["selectivity"], table["correlation_with_y"] ** 2)
    assert "answers_to" not in table


def test_states_are_named():
    layer, X = hand_made([[1, 0], [2, 0], [0, 1], [1, 1], [0, 0]], [0, 0, 0, -9, 1])
    table = specialisation(layer, X)
    assert list(table["state"]) == ["", "duplicate of neuron0", "", "dead", "constant"]
    assert np.isnan(table["likeness"].iloc[3])
    saturated, X = hand_made([[1, 0], [1, 0]], [0, 50], "tanh")
    assert list(specialisation(saturated, X)["state"]) == ["", "saturated"]


def test_each_of_several_layers_can_be_looked_at():
    X, y = make_moons(200, noise=0.1, random_state=0)
    deep = make_pipeline(
        StandardScaler(),
        make_pipeline(NeuronLayer(5, random_state=0), StandardScaler()),
        NeuronLayer(3, "tanh", random_state=0),
        NeuronClassifier(),
    ).fit(X, y)
    assert [len(specialisation(deep, X, y, layer=i)) for i in (0, 1, -1)] == [5, 3, 3]
    assert_allclose(specialisation(deep, X)["mean"], deep[:3].transform(X).mean(axis=0))
    with pytest.raises(ValueError, match="there are 2 layers"):
        specialisation(deep, X, layer=2)
    with pytest.raises(ValueError, match="one value a row"):
        specialisation(deep, X, np.ones((200, 2)))


def test_the_neurons_of_a_classifier_are_looked_at_as_well():
    X, y = load_iris(return_X_y=True)
    table = specialisation(NeuronClassifier().fit(X, y), X, y)
    assert list(table.index) == ["0", "1", "2"]
    assert list(table["answers_to"]) == [0, 1, 2]


def test_trained_neurons_differ():
    X, y = load_digits(return_X_y=True)
    layer = NeuronLayer(16, random_state=0).fit(X / 16, y)
    table = specialisation(layer, X / 16, y)
    assert table["answers_to"].nunique() >= 7
    assert (table["selectivity"] > 0.2).mean() > 0.8
    assert (table["state"] == "").all()


# -- display ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["classes", "numbers", None])
def test_display(target, iris):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    network, X, y = iris
    given = {"classes": y, "numbers": X.iloc[:, 0], None: None}[target]
    display = SpecialisationDisplay.from_estimator(network, X, given)
    assert len(display.axes_) == (1 if target is None else 2)
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == list(display.frame().index)
    drawn = display.axes_[-1].images[0].get_array()
    assert_allclose(np.diag(drawn), 1)
    plt.close(display.figure_)
    _, ax = plt.subplots()
    assert SpecialisationDisplay.from_estimator(network, X, given, ax=ax).ax_ is ax
    plt.close("all")


@pytest.mark.parametrize("names", [[0, 1], ["no", "yes"], [False, True]])
def test_display_of_a_neuron_that_answers_to_nothing(names):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    layer, X = hand_made([[1, 0], [0, 0], [-1, 0]], [0, -9, 0])
    y = np.array(names)[(X[:, 0] > 0).astype(int)]
    table = SpecialisationDisplay.from_estimator(layer, X, y).frame()
    assert list(table["state"]) == ["", "", "dead"]
    assert set(table["answers_to"][:2]) == set(names)
    assert pd.isna(table["answers_to"].iloc[2])
    plt.close("all")


# -- diagnosis -------------------------------------------------------------------------------------


def test_diagnosis_names_dead_and_duplicate_neurons():
    layer, X = hand_made([[1, 0], [2, 0], [0, 1], [1, 1]], [0, 0, 0, -9])
    found = {f.code: f for f in diagnose(layer, X)}
    assert set(found) == {"DEAD", "DUPLICATE"}
    assert "neuron3" in found["DEAD"].message
    assert "neuron1 (neuron0)" in found["DUPLICATE"].message
    assert found["DEAD"].severity == "info"
    assert found["DEAD"].params == {"n_neurons": 3}
    layer.intercept_[:3] = -9
    (finding,) = diagnose(layer, X)
    assert finding.severity == "error"
    assert finding.value == 1


def test_diagnosis_of_a_network_looks_at_its_layers_too(iris):
    network, X, y = iris
    assert diagnose(network, X, y).subject == "network"
    assert not diagnose(network, X, y)
    layer = network[1]
    kept = layer.intercept_.copy()
    try:
        layer.intercept_[0] = 1e3
        found = {f.code: f for f in diagnose(network[:-1], X, y)}
        assert "neuron0" in found["SATURATED"].message
    finally:
        layer.intercept_ = kept


def test_a_layer_in_a_pipeline_of_its_own_is_diagnosed_alike(iris):
    network, X, y = iris
    nested = make_pipeline(network[:-1], network[-1])
    assert diagnose(nested, X, y).codes == diagnose(network, X, y).codes


def test_a_healthy_layer_gives_no_warning():
    for seed in range(5):
        X, y = make_moons(300, noise=0.2, random_state=seed)
        assert not diagnose(NeuronLayer(random_state=seed).fit(X, y), X, y)


# -- contributions, tables -------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_output_is_bias_plus_weight_times_level_of_each_hidden_neuron(task):
    if task == "classes":
        X, y = load_iris(return_X_y=True, as_frame=True)
        last = NeuronClassifier()
    else:
        X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
        last = NeuronRegressor()
    network = make_pipeline(StandardScaler(), NeuronLayer(5, "gelu", random_state=0), last)
    network.fit(X, y)
    level = network[:-1].transform(X)
    names = [f"neuronlayer{k}" for k in range(5)]
    for k, weights in enumerate(np.atleast_2d(network[-1].coef_)):
        table = contributions(network, X, output=k)
        assert_allclose(table[names], weights * level, rtol=1e-12)
        z = network[-1].pre_activation(level)[:, k]
        assert_allclose(table[[*names, "bias"]].sum(axis=1), z, rtol=1e-9, atol=1e-9)
        assert_allclose(table["pre_activation"], z)


def test_each_hidden_neuron_has_contributions_of_its_own(iris):
    network, X, _ = iris
    table = contributions(network[:-1], X)
    level = network[:-1].transform(X)
    for k in range(4):
        own = table[f"neuron{k}"]
        assert list(own)[:4] == list(X.columns)
        assert_allclose(own["activation"], level[:, k], rtol=1e-9)
        assert_allclose(np.tanh(own[[*X.columns, "bias"]].sum(axis=1)), level[:, k], atol=1e-12)


def test_history_table_has_the_output_neurons(iris):
    network, _, _ = iris
    table = training_history(network[:-1])
    assert_allclose(table["weights/neuron2/petal width (cm)"].iloc[-1], network[1].coef_[2, 3])
    assert_allclose(table["output_weights/1/neuron3"].iloc[-1], network[1].output_coef_[1, 3])
    assert_allclose(table["output_bias/2"].iloc[-1], network[1].output_intercept_[2])


def test_coef_table_gives_weights_without_errors(iris):
    network, X, y = iris
    table = coef_table(network[:-1], X, y)
    assert isinstance(table, pd.DataFrame)
    assert_allclose(table["weight"].iloc[:4], network[1].coef_[0])
    assert table["std_error"].isna().all()
