"""From raw columns to the neuron's inputs and back."""

import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.inspection import coef_table, diagnose, to_html, unfold

from .pipelines import PIPELINES, table


@pytest.fixture(params=PIPELINES)
def fitted(request):
    X, y = table()
    return make_pipeline(clone(PIPELINES[request.param]), NeuronRegressor()).fit(X, y), X


def test_raw_columns_reproduce_the_pipeline(fitted):
    model, X = fitted
    inside = unfold(model)
    assert not inside.not_unfolded
    z = model[:-1].transform(X) @ np.ravel(model[-1].coef_) + model[-1].intercept_
    np.testing.assert_allclose(inside.pre_activation(X)[:, 0], z, rtol=1e-12)
    np.testing.assert_allclose(inside.pre_activation(X)[:, 0], model.predict(X), rtol=1e-12)


def test_each_column_gives_the_inputs_that_the_steps_give(fitted):
    model, X = fitted
    inside = unfold(model)
    inputs = inside.inputs(X)
    inputs = inputs.toarray() if hasattr(inputs, "toarray") else inputs
    fed = np.concatenate([column.inputs for column in inside.columns])
    assert sorted(fed) == list(range(inputs.shape[1]))
    for column in inside.columns:
        if len(column.inputs):
            got = column.values(X[column.name])
            np.testing.assert_allclose(got, inputs[:, column.inputs], rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
def test_unknown_levels_are_what_the_encoder_makes_of_them():
    X, y = table(missing=False)
    strange = X[:4].assign(zip="00000", kind="tent")
    for name in ("rare levels", "ordinal", "target encoder", "scaled dummies"):
        model = make_pipeline(clone(PIPELINES[name]), NeuronRegressor()).fit(X, y)
        z = unfold(model).pre_activation(strange)[:, 0]
        np.testing.assert_allclose(z, model.predict(strange), rtol=1e-12)
    refusing = make_pipeline(clone(PIPELINES["standard, one-hot"]), NeuronRegressor()).fit(X, y)
    assert np.isnan(unfold(refusing).columns[1].unknown).all()


def test_units_of_housing():
    X, y = table()
    model = make_pipeline(clone(PIPELINES["indicator"]), NeuronRegressor(alpha=0)).fit(X, y)
    inside = unfold(model)
    sqft, zip_code, _, kind, _ = inside.columns
    assert [c.kind for c in inside.columns] == [
        "number",
        "categorical",
        "number",
        "categorical",
        "number",
    ]
    # One more square foot, tried out on the pipeline itself.
    more = X[:1].assign(sqft=1001.0), X[:1].assign(sqft=1000.0)
    difference = model.predict(more[0]) - model.predict(more[1])
    np.testing.assert_allclose(sqft.weights(inside.coef), difference, rtol=1e-9)
    assert sqft.imputed == pytest.approx(-1)
    assert sqft.takes_missing
    assert len(sqft.indicators) == 1
    assert zip_code.levels == ("95603", "95610", "95621", "95630", "95683")
    assert zip_code.imputed is None
    moved = model.predict(X[:1].assign(zip="95630")) - model.predict(X[:1].assign(zip="95603"))
    effects = zip_code.level_effects(inside.coef)[:, 0]
    np.testing.assert_allclose(effects[3] - effects[0], moved, rtol=1e-9)
    assert kind.takes_missing  # OneHotEncoder has a level for it


def test_a_bare_neuron_sees_its_columns_as_they_are():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [0.0, 1.0, 0.0, 1.0]})
    neuron = NeuronRegressor().fit(X, [1.0, 2.0, 3.0, 4.0])
    inside = unfold(neuron)
    assert inside.is_plain
    assert inside.is_unfolded
    assert inside.input_names == ("a", "b")
    assert [c.kind for c in inside.columns] == ["passthrough", "passthrough"]
    np.testing.assert_array_equal(inside.inputs(X), X)
    unnamed = NeuronRegressor().fit(X.to_numpy(), [1.0, 2.0, 3.0, 4.0])
    assert unfold(unnamed).input_names == ("x0", "x1")
    assert unfold(unnamed, X).input_names == ("a", "b")


@pytest.mark.parametrize("kind", ["sparse", "list", "polars", "arrow"])
def test_other_kinds_of_tables(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    model = make_pipeline(StandardScaler(with_mean=False), NeuronRegressor()).fit(X, X[:, 0])
    if kind == "sparse":
        from scipy.sparse import csr_matrix

        given = csr_matrix(X)
    elif kind == "polars":
        given = pytest.importorskip("polars").DataFrame(X, schema=["a", "b", "c"])
        model.fit(given, X[:, 0])
    elif kind == "arrow":
        pa = pytest.importorskip("pyarrow")
        given = pa.table(dict(zip("abc", X.T, strict=True)))
        assert unfold(model, given).columns[1].name == "b"
        model.fit(given, X[:, 0])
    else:
        given = X.tolist()
    is_frame = kind in ("polars", "arrow")
    np.testing.assert_allclose(
        unfold(model).pre_activation(given)[:, 0], model.predict(given if is_frame else X)
    )


def test_steps_that_cannot_be_unfolded_say_so():
    X, y = table(missing=False)
    ct = ColumnTransformer(
        [
            ("bent", PolynomialFeatures(2, include_bias=False), ["sqft", "age"]),
            ("log", FunctionTransformer(np.log, feature_names_out="one-to-one"), ["beds"]),
            ("zip", OneHotEncoder(), ["zip"]),
        ]
    )
    inside = unfold(make_pipeline(ct, StandardScaler(), NeuronRegressor()).fit(X, y))
    assert not inside.is_unfolded
    assert "PolynomialFeatures" in inside.not_unfolded[0]
    assert "FunctionTransformer(log)" in inside.not_unfolded[1]
    derived = [c.name for c in inside.columns if c.kind == "derived"]
    assert derived == ["sqft", "age", "sqft^2", "sqft age", "age^2", "beds"]
    assert [c.kind for c in inside.columns[:5]] == [
        "unused",
        "categorical",
        "unused",
        "unused",
        "unused",
    ]
    with pytest.raises(ValueError, match="PolynomialFeatures"):
        inside.pre_activation(X)


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (PCA(2), "PCA"),
        (MinMaxScaler(clip=True), "clip"),
        (SimpleImputer(missing_values=-1), "-1"),
        (FunctionTransformer(lambda X: X[:, ::-1]), "lambda"),
    ],
)
def test_words_for_what_is_not_affine(step, word):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    inside = unfold(make_pipeline(step, NeuronRegressor()).fit(X, X[:, 0]))
    assert word in inside.not_unfolded[0]
    assert {c.kind for c in inside.columns} == {"unused", "derived"}
    assert sum(len(c.inputs) for c in inside.columns) == inside.coef.shape[1]


def lengths(frame):
    return pd.DataFrame({"n": frame["word"].str.len(), "twice": 2 * frame["word"].str.len()})


@pytest.mark.parametrize("beside", [False, True])
def test_a_function_of_words_without_names(beside):
    # It cannot be tried out on numbers to see how many columns it gives.
    X = pd.DataFrame({"word": ["a", "bb", "ccc", "dd"] * 5, "x": np.arange(20.0)})
    y = np.arange(20.0)
    step = FunctionTransformer(lengths)
    if beside:
        step = ColumnTransformer([("words", step, ["word"]), ("x", StandardScaler(), ["x"])])
    inside = unfold(make_pipeline(step, StandardScaler(), NeuronRegressor()).fit(X, y))
    derived = [c.name for c in inside.columns if c.kind == "derived"]
    assert derived == ["functiontransformer0", "functiontransformer1"]
    assert [len(c.inputs) for c in inside.columns] == [0, int(beside), 1, 1]
    assert "FunctionTransformer(lengths)" in inside.not_unfolded[0]


class Misnamed(TransformerMixin, BaseEstimator):
    """Names another column than it gives."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)

    def get_feature_names_out(self, input_features=None):
        return np.array(["word", "one too many"], dtype=object)


def test_a_step_that_names_too_many_columns():
    X = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) ** 2})
    ct = ColumnTransformer([("m", Misnamed(), ["a"]), ("s", StandardScaler(), ["b"])])
    inside = unfold(make_pipeline(ct, NeuronRegressor()).fit(X, X["a"]))
    assert [c.name for c in inside.columns] == ["a", "b", "misnamed0"]
    assert [len(c.inputs) for c in inside.columns] == [0, 1, 1]


def test_texts():
    texts = ["a good house", "a bad house", "good street", "bad street"] * 5
    model = make_pipeline(TfidfVectorizer(), NeuronClassifier()).fit(texts, [1, 0, 1, 0] * 5)
    inside = unfold(model)
    assert [c.name for c in inside.columns] == ["bad", "good", "house", "street"]
    assert inside.inputs(texts).shape == (20, 4)


def test_target_in_log_and_in_other_units():
    X, y = table(missing=False)
    X = X[["sqft", "age"]]
    neuron = make_pipeline(StandardScaler(), NeuronRegressor())
    plain = unfold(neuron.fit(X, y)).target
    assert plain.kind == "none"
    assert not plain.is_transformed

    logged = TransformedTargetRegressor(neuron, func=np.log, inverse_func=np.exp).fit(X, y)
    target = unfold(logged).target
    assert (target.kind, target.func, target.inverse_func) == ("log", np.log, np.exp)
    np.testing.assert_allclose(target.transform(y), np.log(y))
    np.testing.assert_allclose(
        target.inverse(unfold(logged).pre_activation(X)[:, 0]), logged.predict(X)
    )

    scaled = TransformedTargetRegressor(neuron, transformer=StandardScaler()).fit(X, y)
    target = unfold(scaled).target
    assert target.kind == "affine"
    z = unfold(scaled).pre_activation(X)[:, 0]
    np.testing.assert_allclose(target.offset + target.slope * z, scaled.predict(X))

    for func, kind in ((np.sqrt, "other"), (np.log1p, "log1p")):
        inverse = {np.sqrt: np.square, np.log1p: np.expm1}[func]
        model = TransformedTargetRegressor(neuron, func=func, inverse_func=inverse).fit(X, y)
        assert unfold(model).target.kind == kind
    assert not unfold(TransformedTargetRegressor(neuron).fit(X, y)).target.is_transformed


def test_wherever_the_neuron_sits():
    X, y = table(missing=False)
    X = X[["sqft", "age"]]
    inner = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), NeuronRegressor()), func=np.log, inverse_func=np.exp
    )
    model = Pipeline([("scale", StandardScaler()), ("none", "passthrough"), ("model", inner)])
    model.fit(X, y)
    inside = unfold(model)
    np.testing.assert_allclose(
        inside.target.inverse(inside.pre_activation(X)[:, 0]), model.predict(X)
    )
    search = GridSearchCV(model, {"model__regressor__neuronregressor__alpha": [0, 1e-3]}, cv=2)
    assert unfold(search.fit(X, y)).neuron is not inside.neuron


def test_none_among_words_is_what_the_encoder_makes_of_it():
    X = pd.DataFrame({"kind": pd.Series(["a", "b", None] * 20, dtype=object)})
    for encoder in (OrdinalEncoder(encoded_missing_value=-5), OneHotEncoder()):
        model = make_pipeline(encoder, NeuronRegressor()).fit(X, np.arange(60.0))
        np.testing.assert_allclose(unfold(model).pre_activation(X)[:, 0], model.predict(X))


@pytest.mark.parametrize(
    "around", [TunedThresholdClassifierCV, partial(FixedThresholdClassifier, threshold=0.3)]
)
def test_a_threshold_classifier_stands_for_the_one_that_it_is_around(around):
    X, y = table(missing=False)
    X, y = X[["sqft", "age"]], y > np.median(y)
    model = around(make_pipeline(StandardScaler(), NeuronClassifier())).fit(X, y)
    inside = unfold(model)
    assert inside.neuron is model.estimator_[-1]
    np.testing.assert_allclose(
        expit(inside.pre_activation(X)[:, 0]), model.predict_proba(X)[:, 1], rtol=1e-9
    )
    assert "has a threshold of its own" in to_html(model, X, y)
    assert "has a threshold of its own" not in to_html(model.estimator_, X, y)


def test_frozen_estimators_stand_for_what_they_hold():
    X, y = table(missing=False)
    X, y = X[["sqft", "age"]], y > np.median(y)
    scaler = StandardScaler().fit(X)
    step = make_pipeline(FrozenEstimator(scaler), NeuronClassifier()).fit(X, y)
    frozen = FrozenEstimator(step)
    tuned = TunedThresholdClassifierCV(frozen, cv="prefit", refit=False).fit(X, y)
    for model in (step, frozen, tuned):
        inside = unfold(model)
        assert inside.neuron is step[-1]
        assert [column.kind for column in inside.columns] == ["number", "number"]
        np.testing.assert_allclose(inside.pre_activation(X)[:, 0], step.decision_function(X))


def test_a_frozen_layer_is_found():
    X, y = table(missing=False)
    X, y = X[["sqft", "age"]], y > np.median(y)
    layer = make_pipeline(StandardScaler(), NeuronLayer(3, random_state=0)).fit(X, y)
    model = make_pipeline(FrozenEstimator(layer), NeuronClassifier(alpha=0.01)).fit(X, y)
    plain = Pipeline([*layer.steps, model.steps[-1]])
    assert diagnose(model, X, y).codes == diagnose(plain, X, y).codes
    assert diagnose(model, X, y).subject == "network"


def test_names_of_several_neurons():
    X, y = table(missing=False)
    X = X[["sqft", "age"]] / [1000, 10]
    classes = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    named = np.array(["low", "middle", "high"])[classes]
    assert unfold(NeuronClassifier().fit(X, named)).neuron_names == ("high", "low", "middle")
    assert unfold(NeuronClassifier().fit(X, classes > 0)).neuron_names == ("neuron0",)
    two = NeuronRegressor().fit(X, np.column_stack([y, y]) / 1e5)
    assert unfold(two).neuron_names == ("neuron0", "neuron1")


def test_what_is_no_neuron():
    X = np.arange(8.0).reshape(4, 2)
    with pytest.raises(TypeError, match=r"no neuron at the end of Ridge\. Give"):
        unfold(Ridge().fit(X, X[:, 0]))
    with pytest.raises(TypeError, match=r"at the end of <class .*NeuronRegressor'>\. Give"):
        unfold(NeuronRegressor)
    search = GridSearchCV(NeuronRegressor(), {"alpha": [0.1]}, cv=2, refit=False)
    with pytest.raises(TypeError, match="GridSearchCV: with refit=False a search keeps no best"):
        unfold(search.fit(X, X[:, 0]))
    with pytest.raises(TypeError, match="no neuron at the end of Pipeline, but Ridge"):
        unfold(make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 0]))
    with pytest.raises(NotFittedError):
        unfold(NeuronRegressor())
    with pytest.raises(NotFittedError):
        unfold(make_pipeline(StandardScaler(), NeuronRegressor()))
    with pytest.raises(NotFittedError):
        unfold(TransformedTargetRegressor(NeuronRegressor()))
    twice = TransformedTargetRegressor(
        TransformedTargetRegressor(NeuronRegressor(), transformer=StandardScaler()),
        transformer=StandardScaler(),
    )
    with pytest.raises(TypeError, match="transform the target once"):
        unfold(twice.fit(X, X[:, 0]))


def test_an_imputed_zip_code_is_no_number():
    X = pd.DataFrame({"zip": ["95603", "95610", "95603", None] * 5}, dtype=object)
    steps = SimpleImputer(strategy="most_frequent", missing_values=None), OneHotEncoder()
    model = make_pipeline(*steps, NeuronRegressor()).fit(X, np.arange(20.0))
    (zip_code,) = unfold(model).columns
    assert zip_code.imputed == "95603"
    np.testing.assert_allclose(unfold(model).pre_activation(X)[:, 0], model.predict(X))


@pytest.mark.parametrize("look", [unfold, coef_table, diagnose, to_html])
def test_thousands_of_zip_codes_take_no_square_of_memory(look):
    n_levels = 4000
    X = pd.DataFrame({"zip": [f"{i:05d}" for i in range(n_levels)] * 2})
    y = np.arange(len(X)) % 7.0
    model = make_pipeline(OneHotEncoder(), NeuronRegressor()).fit(X, y)
    tracemalloc.start()
    try:
        look(model, X) if look is unfold else look(model, X, y)
        assert tracemalloc.get_traced_memory()[1] < 8 * n_levels**2 / 2
    finally:
        tracemalloc.stop()
