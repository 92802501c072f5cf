"""The short way round validation gives what the long way gives, errors included."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron._plain import LOOKED_AT_ALONE

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Z = X @ [1.0, -2.0, 0.5]
LABELS = (Z + RNG.standard_normal(60) > 0).astype(int)
CLASSIFIER = NeuronClassifier().fit(X, LABELS)
REGRESSOR = NeuronRegressor().fit(X, Z)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_rows", [1, 2, 60])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "transform"])
def test_a_plain_array_and_a_list_give_the_same(method, n_rows, dtype):
    rows = X[:n_rows].astype(dtype)
    call = getattr(CLASSIFIER, method)
    expected = call(rows.astype(float).tolist())
    found = call(rows)
    if dtype == np.float64:
        assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    if method != "predict":
        assert found.dtype == dtype


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1])
def test_values_that_are_not_finite_are_refused_even_where_a_weight_is_zero(value, column):
    neuron = NeuronRegressor(alpha=0.5, l1_ratio=1.0).fit(X * [0.01, 1, 1], Z)
    assert neuron.coef_[0] == 0
    row = np.ones((1, 3))
    row[0, column] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        neuron.predict(row)


@pytest.mark.parametrize("row", [0, -1])
def test_threads_that_look_at_many_rows_miss_none(row):
    rows = np.ones((LOOKED_AT_ALONE // 80 + 1, 10))
    rows[row, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        NeuronRegressor(n_jobs=2).fit(rows, np.arange(len(rows)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones((1, 4)), "4 features"),
        (np.ones(3), "2D"),
        (np.ones((0, 3)), "0 sample"),
        (np.array([["a", "b", "c"]]), "could not convert"),
    ],
)
def test_the_long_way_words_the_errors(rows, words):
    with pytest.raises(ValueError, match=words):
        REGRESSOR.predict(rows)


def test_names_of_a_fitted_frame_are_missed_in_an_array():
    neuron = NeuronRegressor().fit(pd.DataFrame(X, columns=["a", "b", "c"]), Z)
    with pytest.warns(UserWarning, match="feature names"):
        neuron.predict(X)
    neuron.fit(X, Z)
    assert not hasattr(neuron, "feature_names_in_")
    neuron.predict(X)


@pytest.mark.parametrize("y", [Z, Z.astype(np.float32), np.round(Z).astype(int), np.full(60, 2.0)])
def test_score_is_r2(y):
    assert REGRESSOR.score(X, y) == pytest.approx(r2_score(y, REGRESSOR.predict(X)), rel=1e-6)


@pytest.mark.parametrize("names", [[0, 1], [3, 7], [False, True], ["no", "yes"]])
def test_score_is_accuracy(names):
    y = np.array(names)[LABELS]
    neuron = NeuronClassifier().fit(X, y)
    assert_array_equal(neuron.classes_, names)
    assert type(neuron.score(X, y)) is float
    assert neuron.score(X, y) == accuracy_score(y, neuron.predict(X))
    assert neuron.score(X, y.tolist()) == accuracy_score(y, neuron.predict(X))


def test_score_refuses_what_the_metric_refuses():
    with pytest.raises(ValueError, match="NaN"):
        REGRESSOR.score(X, np.where(Z > 0, np.nan, Z))
    with pytest.raises(ValueError, match="inconsistent"):
        CLASSIFIER.score(X, LABELS[:-1])


@pytest.mark.parametrize("labels", [[0, 1], [5, 9], [-3, 4], [0, 1_000_000]])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_whole_numbers_are_classes_whatever_their_range(labels, dtype):
    info = np.iinfo(dtype)
    if not info.min <= labels[0] <= labels[1] <= info.max:
        labels = [1, 2]
    y = np.array(labels, dtype=dtype)[LABELS]
    neuron = NeuronClassifier().fit(X, y)
    assert_array_equal(neuron.classes_, labels)
    assert neuron.classes_.dtype == dtype
    np.testing.assert_allclose(neuron.coef_, CLASSIFIER.coef_)


def test_booleans_are_no_numbers_among_parameters_that_passed_before():
    NeuronRegressor(fit_intercept=True, verbose=1).fit(X, Z)
    with pytest.raises(ValueError, match="fit_intercept"):
        NeuronRegressor(fit_intercept=1).fit(X, Z)
    with pytest.raises(ValueError, match="max_iter"):
        NeuronRegressor(max_iter=10.0).fit(X, Z)


@pytest.mark.parametrize("row", [0, -1])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_many_rows_are_looked_through_by_all_threads(n_jobs, bad, row):
    X = np.random.default_rng(0).standard_normal((30_000, 20))
    y = X[:, 0].copy()
    X[row, -1] = bad
    with pytest.raises(ValueError, match=f"the first in row {row % len(X)}, column 19"):
        NeuronRegressor(n_jobs=n_jobs).fit(X, y)
