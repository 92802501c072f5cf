import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron._tracking.evolution import Evolution
from sknneuron._tracking.find import find, holds_neuron, model_of, parts_of


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=60), "kind": list("abc") * 20})
    return X, X["size"] * 2 + rng.normal(size=60)


def columns():
    return ColumnTransformer(
        [("scale", StandardScaler(), ["size"]), ("kind", OneHotEncoder(), ["kind"])]
    )


NAMES = ["scale__size", "kind__kind_a", "kind__kind_b", "kind__kind_c"]


@pytest.mark.parametrize(
    "root",
    [
        make_pipeline(columns(), NeuronRegressor()),
        make_pipeline(columns(), make_pipeline(StandardScaler(with_mean=False), NeuronRegressor())),
        TransformedTargetRegressor(make_pipeline(columns(), NeuronRegressor()), func=None),
        GridSearchCV(make_pipeline(columns(), NeuronRegressor()), {}, cv=3),
        TransformedTargetRegressor(
            GridSearchCV(make_pipeline(columns(), NeuronRegressor()), {}, cv=3)
        ),
    ],
    ids=["pipeline", "nested", "target", "grid", "grid in target"],
)
def test_the_neuron_and_its_names_are_found(data, root):
    assert holds_neuron(root)
    root.fit(*data)
    found = find(root)
    assert isinstance(found.neuron, NeuronRegressor)
    assert found.features == NAMES
    assert found.outputs == []


def test_a_step_that_cannot_say_names(data):
    X, y = data
    root = make_pipeline(FunctionTransformer(lambda X: X[["size"]].to_numpy()), NeuronRegressor())
    assert find(root.fit(X, y)).features == ["x0"]


def test_a_single_step(data):
    X, y = data
    root = Pipeline([("neuron", NeuronRegressor())]).fit(X[["size"]], y)
    assert find(root).features == ["size"]
    assert find(root.set_params(neuron=NeuronRegressor())) is None


def test_no_neuron(data):
    X, y = data
    for root in (LogisticRegression(), make_pipeline(columns(), LogisticRegression()), None, "a"):
        assert not holds_neuron(root)
        assert model_of(root) is None
    assert find(make_pipeline(columns(), LogisticRegression()).fit(X, y > 0)) is None


def test_a_neuron_that_is_no_model_is_not_followed(data):
    X, y = data
    root = make_pipeline(columns(), NeuronRegressor(), LogisticRegression()).fit(X, y > 0)
    assert holds_neuron(root)
    assert find(root) is None


def test_outputs_are_named_by_classes_or_columns(data):
    X, _ = data
    assert find(NeuronClassifier().fit(X[["size"]], X["kind"])).outputs == ["a", "b", "c"]
    Y = pd.DataFrame({"one": X["size"], "two": -X["size"]})
    neuron = NeuronRegressor().fit(X[["size"]], Y)
    assert find(neuron, Y).outputs == ["one", "two"]
    assert find(neuron).outputs == ["0", "1"]


def test_parts_are_parameters_and_fitted_copies(data):
    neuron = NeuronRegressor()
    root = TransformedTargetRegressor(make_pipeline(columns(), neuron)).fit(*data)
    parts = parts_of(root)
    assert any(part is neuron for part in parts)
    assert any(part is root.regressor_[-1] for part in parts)
    assert root.regressor_[-1] is not neuron


def test_weights_on_a_device(data):
    xp = pytest.importorskip("array_api_strict")
    X, y = data
    neuron = NeuronRegressor(record=False).fit(X[["size"]], np.column_stack([y, -y]))
    coef, intercept = neuron.coef_, neuron.intercept_
    device = xp.Device("device1")
    neuron.coef_ = xp.asarray(coef, device=device)
    neuron.intercept_ = xp.asarray(intercept, device=device)
    found = find(neuron)
    assert found.outputs == ["0", "1"]
    history = Evolution(found).history
    np.testing.assert_array_equal(history["coef"][-1], coef)
    np.testing.assert_array_equal(history["intercept"][-1], intercept)
