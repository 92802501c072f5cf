"""Terms of z, row by row."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_transformer,
)
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.inspection import coef_table, contributions, unfold

from .pipelines import PIPELINES, table

OWN = ["bias", "pre_activation", "activation"]


def assert_sums_to_z(result):
    terms = result.drop(columns=OWN[1:])
    size = terms.abs().sum(axis=1)
    assert ((terms.sum(axis=1) - result["pre_activation"]).abs() <= 1e-12 * size).all()


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("baseline", [None, "mean", "row"])
def test_terms_sum_to_z_in_raw_columns(name, baseline):
    X, y = table()
    model = make_pipeline(clone(PIPELINES[name]), NeuronRegressor()).fit(X, y)
    result = contributions(model, X, baseline=X[:1] if baseline == "row" else baseline)
    assert_sums_to_z(result)
    assert set(result.columns) <= {*X.columns, *OWN}
    assert list(result.columns[-3:]) == OWN
    np.testing.assert_allclose(result["activation"], model.predict(X), rtol=1e-12)
    if baseline == "row":
        np.testing.assert_array_equal(result.drop(columns=OWN).iloc[0], 0)


def test_a_term_is_weight_times_input():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :3]
    neuron = NeuronClassifier().fit(X, y)
    result = contributions(neuron, X)
    np.testing.assert_allclose(result[X.columns], X * neuron.coef_[0])
    assert (result["bias"] == neuron.intercept_[0]).all()
    np.testing.assert_allclose(result["activation"], neuron.predict_proba(X)[:, 1])
    assert result.index.equals(X.index)


@pytest.mark.parametrize("make", [lambda: NeuronRegressor("exp", "poisson"), NeuronClassifier])
def test_equals_shap(make):
    shap = pytest.importorskip("shap")
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    neuron = make().fit(X, y)
    background = X[100:200]
    linear = np.ravel(neuron.coef_), float(np.ravel(neuron.intercept_)[0])
    explained = shap.LinearExplainer(linear, background)
    row = background.mean(axis=0)
    result = contributions(neuron, X, baseline=row)
    np.testing.assert_allclose(result.iloc[:, :-3], explained.shap_values(X), rtol=0, atol=1e-10)
    np.testing.assert_allclose(result["bias"], explained.expected_value, rtol=0, atol=1e-10)
    against_mean = contributions(neuron, background, baseline="mean")
    np.testing.assert_allclose(
        against_mean.iloc[:, :-3], explained.shap_values(background), rtol=0, atol=1e-10
    )


def test_several_neurons():
    X, y = load_iris(return_X_y=True, as_frame=True)
    named = load_iris().target_names[y]
    layer = make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, named)
    result = contributions(layer, X)
    assert result.columns.names == ["neuron", "feature"]
    assert list(result.columns.levels[0]) == ["setosa", "versicolor", "virginica"]
    for k, name in enumerate(layer.classes_):
        assert_sums_to_z(result[name])
        np.testing.assert_allclose(result[name, "activation"], layer.predict_proba(X)[:, k])
        pd.testing.assert_frame_equal(
            result[name], contributions(layer, X, output=k), check_names=False
        )
        pd.testing.assert_frame_equal(
            result[name], contributions(layer, X, output=name), check_names=False
        )
    with pytest.raises(ValueError, match=r"'tulip' is no neuron.*setosa"):
        contributions(layer, X, output="tulip")


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_number_that_is_a_class_is_the_class(first):
    X, y = load_iris(return_X_y=True)
    neurons = NeuronClassifier().fit(X, y + first)
    result = contributions(neurons, X)
    for k, label in enumerate(neurons.classes_):
        chosen = contributions(neurons, X, output=label)
        np.testing.assert_array_equal(
            chosen["pre_activation"], result[str(label), "pre_activation"]
        )
        np.testing.assert_array_equal(chosen["pre_activation"], neurons.pre_activation(X)[:, k])


def test_a_whole_number_asks_for_a_class_that_is_a_float():
    X, y = load_iris(return_X_y=True)
    neurons = NeuronClassifier().fit(X, y + 1.0)
    for k, label in enumerate([1, 2, 3]):
        chosen = contributions(neurons, X, output=label)
        np.testing.assert_array_equal(chosen["pre_activation"], neurons.pre_activation(X)[:, k])


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows(make):
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 20), density=0.2, rng=rng)
    y = np.asarray(X.sum(axis=1)).ravel()
    model = make_pipeline(StandardScaler(with_mean=False), NeuronRegressor()).fit(make(X), y)
    result = contributions(model, make(X))
    assert_sums_to_z(result)
    pd.testing.assert_frame_equal(result, contributions(model, X.toarray()))
    assert_sums_to_z(contributions(model, make(X), baseline="mean"))


def test_imputed_values_are_marked():
    X, y = table()
    model = make_pipeline(clone(PIPELINES["standard, one-hot"]), NeuronRegressor()).fit(X, y)
    imputed = contributions(model, X).attrs["imputed"]
    assert set(imputed) == {"sqft", "age", "kind"}
    assert imputed["sqft"] == np.flatnonzero(X["sqft"].isna()).tolist()
    # The term of a missing value is that of the value in its place.
    filled = X.fillna(
        {"sqft": X["sqft"].mean(), "age": X["age"].mean(), "kind": X["kind"].mode()[0]}
    )
    np.testing.assert_allclose(contributions(model, filled), contributions(model, X), rtol=1e-9)


def test_features_with_our_names_keep_them():
    X = pd.DataFrame({"bias": [1.0, 2.0, 4.0], "activation": [0.0, 1.0, 0.0]})
    neuron = NeuronRegressor().fit(X, [1.0, 2.0, 3.0])
    result = contributions(neuron, X)
    assert list(result) == ["bias", "activation", "bias_", "pre_activation", "activation_"]
    np.testing.assert_allclose(result["activation_"], neuron.predict(X))


def test_steps_that_mix_columns():
    X, y = table(missing=False)
    ct = ColumnTransformer([("mix", PCA(2), ["sqft", "age"]), ("zip", OneHotEncoder(), ["zip"])])
    result = contributions(make_pipeline(ct, NeuronRegressor()).fit(X, y), X)
    assert list(result) == ["zip", "pca0", "pca1", *OWN]
    assert "PCA" in result.attrs["not_unfolded"][0]
    assert_sums_to_z(result)


def test_log_target():
    X, y = table(missing=False)
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), NeuronRegressor()), func=np.log, inverse_func=np.exp
    ).fit(X[["sqft", "age"]], y)
    result = contributions(model, X[["sqft", "age"]])
    np.testing.assert_allclose(np.exp(result["activation"]), model.predict(X[["sqft", "age"]]))


def test_baselines_of_many_forms():
    X, y = table(missing=False)
    model = make_pipeline(clone(PIPELINES["standard, one-hot"]), NeuronRegressor()).fit(X, y)
    expected = contributions(model, X, baseline=X[3:4])
    for row in (X.iloc[3], X.iloc[3].to_dict(), X.iloc[3].to_numpy(), X.iloc[3].tolist()):
        pd.testing.assert_frame_equal(contributions(model, X, baseline=row), expected)
    for row, words in (
        ([1.0, 2.0], "2 values, but X has 5"),
        ({"sqft": 1.0}, "lacks"),
        (X[:0], "no rows|0 sample"),
        ("median", "'median'"),
    ):
        with pytest.raises(ValueError, match=words):
            contributions(model, X, baseline=row)
    # A missing word stays a word.
    model = make_pipeline(clone(PIPELINES["standard, one-hot"]), NeuronRegressor())
    X.loc[3, "kind"] = np.nan
    expected = contributions(model.fit(X, y), X, baseline=X[3:4])
    pd.testing.assert_frame_equal(contributions(model, X, baseline=X.iloc[3]), expected)
    plain = NeuronRegressor().fit(X[["sqft", "age"]].to_numpy(), y)
    result = contributions(plain, X[["sqft", "age"]].to_numpy(), baseline=[1000, 10])
    assert_sums_to_z(result)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_values_that_the_neuron_could_not_take_are_refused(value, word):
    X, y = table(missing=False)
    X = X[["sqft", "age"]].astype(float)
    neuron = NeuronRegressor().fit(X, y)
    bad = X.copy()
    bad.iloc[3, 1] = value
    place = f"contains {word} where it reaches the neuron: 1 value, the first in row"
    with pytest.raises(ValueError, match=f"^X {place} 3, input 'age'"):
        contributions(neuron, bad)
    with pytest.raises(ValueError, match=f"^The baseline {place} 0, input 'age'"):
        contributions(neuron, X, baseline=bad[3:4])


def test_rows_of_dask():
    dask = pytest.importorskip("dask.dataframe")
    X, y = table()
    X = X[["sqft", "age"]].astype(float)
    model = make_pipeline(SimpleImputer(), NeuronRegressor()).fit(X, y)
    rows = dask.from_pandas(X, npartitions=2)
    expected = contributions(model, X, baseline=X)
    assert expected.attrs["imputed"]
    result = contributions(model, rows, baseline=rows)
    np.testing.assert_array_equal(result, expected)
    assert result.attrs == expected.attrs
    z = unfold(model).pre_activation(X)
    np.testing.assert_array_equal(unfold(model).pre_activation(rows), z)


def test_broken_sparse_rows_are_refused():
    X = np.eye(4)
    neuron = NeuronRegressor().fit(X, [1.0, 2.0, 4.0, 3.0])
    broken = sparse.csr_array(X)
    broken.indices[1] = 9
    with pytest.raises(ValueError, match="entries in column 9"):
        contributions(neuron, broken)


def test_what_a_mask_hides_is_missing():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    y = X[:, 0] + rng.standard_normal(30)
    neuron = NeuronRegressor().fit(X, y)
    masked = np.ma.array(X, mask=np.zeros((30, 2), dtype=bool))
    np.testing.assert_array_equal(contributions(neuron, masked), contributions(neuron, X))
    masked[3, 1] = np.ma.masked
    with pytest.raises(ValueError, match=r"X contains NaN .* first in row 3, input 'x1'"):
        contributions(neuron, masked)
    first = np.arange(30) == 0
    with pytest.raises(ValueError, match="y contains missing values"):
        coef_table(neuron, X, np.ma.array(y, mask=first))
    with pytest.raises(ValueError, match="sample_weight must be >= 0"):
        coef_table(neuron, X, y, np.ma.array(np.ones(30), mask=first))


def test_words_before_a_neuron_are_named():
    X, y = table(missing=False)
    X = X[["sqft", "age"]].astype(float)
    neuron = NeuronRegressor().fit(X, y)
    with pytest.raises(ValueError, match="columns of words, not numbers: age"):
        contributions(neuron, X.assign(age="old"))
    with pytest.raises(ValueError, match="the string 'old' in row 0, column 1"):
        contributions(neuron.fit(X.to_numpy(), y), [[1.0, "old"]])


def test_dates_before_a_neuron_are_refused():
    days = np.arange(8).astype("datetime64[D]").reshape(4, 2)
    neuron = NeuronRegressor().fit(days.astype(float), [1.0, 2.0, 4.0, 3.0])
    with pytest.raises(ValueError, match="dates or durations"):
        contributions(neuron, days)
    with pytest.raises(ValueError, match="columns of dates, not numbers: a, b"):
        contributions(neuron, pd.DataFrame(days, columns=["a", "b"]))


def test_a_row_against_the_mean_of_other_rows():
    X, y = table(missing=False)
    model = make_pipeline(clone(PIPELINES["standard, one-hot"]), NeuronRegressor()).fit(X, y)
    expected = contributions(model, X, baseline="mean").iloc[[7]]
    for rows in (X, X.to_numpy(dtype=object)):
        result = contributions(model, X.iloc[[7]], baseline=rows)
        pd.testing.assert_frame_equal(result, expected, rtol=1e-9)


def test_one_row_against_its_own_mean_is_warned_of():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    neuron = NeuronClassifier(alpha=0.0).fit(X[["mean radius"]], y)
    X = X[["mean radius"]]
    with pytest.warns(NeuronWarning, match="baseline=X_train"):
        contributions(neuron, X[:1], baseline="mean")


def test_a_baseline_with_a_missing_word():
    X, y = table()
    X, y = X[["beds", "kind"]], y
    model = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(model, NeuronRegressor()).fit(X, y)
    row = X[X["kind"].isna()].iloc[0]
    expected = contributions(model, X, baseline=row.to_frame().T.astype(X.dtypes))
    for form in (row, row.to_dict(), row.tolist()):
        pd.testing.assert_frame_equal(contributions(model, X, baseline=form), expected)


@pytest.mark.parametrize("form", [list, pd.Series, np.array])
def test_texts_against_texts(form):
    texts = form(["big house", "old house", "big old flat", "flat", "new flat"])
    model = make_pipeline(TfidfVectorizer(), NeuronRegressor()).fit(texts, [3.0, 2, 2, 1, 2])
    result = contributions(model, texts[:2], baseline=texts[3:4])
    assert_sums_to_z(result)
    np.testing.assert_allclose(result["bias"], model.predict(texts[3:4])[0])


def test_too_large_a_table(monkeypatch):
    monkeypatch.setattr("sknneuron.inspection.terms.MOST_ENTRIES", 100)
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match="fewer rows"):
        contributions(NeuronRegressor().fit(X[:, :3], y), X[:, :3])


def test_columns_of_another_order_or_name_are_refused():
    X, y = load_iris(return_X_y=True, as_frame=True)
    neurons = NeuronClassifier().fit(X, y)
    with pytest.raises(ValueError, match="same order"):
        contributions(neurons, X[X.columns[::-1]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- width"):
        contributions(neurons, X.rename(columns={"petal width (cm)": "width"}))
    with pytest.raises(ValueError, match="same order"):
        contributions(neurons, X, baseline=X[X.columns[::-1]])


def test_a_row_that_is_no_table():
    X = pd.DataFrame({"left": [0, 0, 1, 1], "right": [0, 1, 0, 1]})
    neuron = NeuronClassifier().fit(X, [0, 0, 0, 1])
    for row in ([1, 0], X.iloc[0], [[1]]):
        with pytest.raises(ValueError, match=r"table with 2 columns.*X\.iloc\[\[0\]\]"):
            contributions(neuron, row)
    assert len(contributions(neuron, [[1, 0]])) == 1


@pytest.mark.parametrize("name", PIPELINES)
def test_columns_in_any_order_are_known_by_their_names(name):
    X, y = table()
    model = make_pipeline(clone(PIPELINES[name]), NeuronRegressor()).fit(X, y)
    elsewhere = X.assign(price=y, agent="none")[["price", *X.columns[::-1], "agent"]]
    ours, theirs = (contributions(model, rows) for rows in (X, elsewhere))
    pd.testing.assert_frame_equal(ours, theirs)
    assert ours.attrs == theirs.attrs
    tables = (coef_table(model, rows, y, scale="original") for rows in (X, elsewhere))
    pd.testing.assert_frame_equal(*tables)
    inside = unfold(model, elsewhere)
    np.testing.assert_array_equal(inside.pre_activation(elsewhere), inside.pre_activation(X))
