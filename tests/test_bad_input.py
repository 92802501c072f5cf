"""Bad input: the right exception, in words that name what was wrong and what would do."""

import re
import warnings
from datetime import date
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.utils.fixes import parse_version

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.activations import Sigmoid
from sknneuron.inspection import contributions, diagnose
from sknneuron.losses import Quantile

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Z = X @ [1.0, -2.0, 0.5]
LABELS = (Z > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["sqft", "beds", "zip"])


def replaced(value, row=7, column=1):
    bad = X.copy()
    bad[row, column] = value
    return bad


MISSING = FRAME.astype(float)
MISSING.iloc[[3, 8], 1] = np.nan


def masked(values, place):
    """The values with the one at that place masked."""
    mask = np.zeros(np.shape(values), dtype=bool)
    mask[place] = True
    return np.ma.masked_array(values, mask)


def broken_csr(column, starts=(0, 2, 4)):
    """Two sparse rows of three columns, whose last entry is in this one."""
    rows = sparse.csr_array((np.ones(4), [0, 1, 2, 2], [0, 2, 4]), shape=(2, 3))
    rows.indices[-1] = column
    rows.indptr[:] = starts
    return rows


def regressor(**params):
    return NeuronRegressor(**params)


def classifier(**params):
    return NeuronClassifier(**params)


def fit(**params):
    return lambda e: e.fit(**{"X": X, "y": Z, **params})


def fit_labels(**params):
    return lambda e: e.fit(**{"X": X, "y": LABELS, **params})


# (what, estimator, action, exception, words of the message)
CASES = [
    ("nan in X", regressor(), fit(X=replaced(np.nan)), ValueError, "Input X contains NaN"),
    ("inf in X", regressor(), fit(X=replaced(np.inf)), ValueError, "contains infinity"),
    (
        "where in X",
        regressor(),
        fit(X=MISSING),
        ValueError,
        "contains NaN: 2 values, the first in row 3, column 'beds'.*SimpleImputer",
    ),
    (
        "where in an array",
        regressor(),
        fit(X=MISSING.to_numpy()),
        ValueError,
        "2 values, the first in row 3, column 1",
    ),
    (
        "where in sparse X",
        regressor(),
        fit(X=sparse.csc_array(MISSING.to_numpy())),
        ValueError,
        "2 values, the first in row 3, column 1",
    ),
    (
        "where infinity is",
        regressor(),
        fit(X=FRAME.mul(np.where(np.arange(40) == 5, -np.inf, 1.0), axis=0)),
        ValueError,
        "infinity: 3 values, the first in row 5, column 'sqft'. Leave those rows out",
    ),
    (
        "where in y",
        regressor(),
        fit(y=np.where(np.arange(40) == 9, np.nan, Z)),
        ValueError,
        "y contains NaN: 1 value, the first in row 9",
    ),
    (
        "where in X_val",
        regressor(),
        fit(X=FRAME, X_val=MISSING, y_val=Z),
        ValueError,
        "In the validation rows, X_val and y_val: .* first in row 3, column 'beds'",
    ),
    (
        "where in the rows to predict",
        regressor(),
        lambda e: e.fit(FRAME, Z).predict(MISSING),
        ValueError,
        "first in row 3, column 'beds'",
    ),
    (
        "where in rows of partial_fit",
        regressor(),
        lambda e: e.partial_fit(MISSING, Z),
        ValueError,
        "first in row 3, column 'beds'",
    ),
    (
        "numbers as words",
        regressor(),
        fit(X=FRAME.astype(str)),
        ValueError,
        "numbers that are written as words: sqft, beds, zip.*to_numeric",
    ),
    (
        "numbers and a word",
        regressor(),
        fit(X=FRAME.astype(str).assign(zip=["n/a", *FRAME["zip"].astype(str)[1:]])),
        ValueError,
        "'n/a' in 'zip' is none",
    ),
    (
        "words beside numbers as words",
        regressor(),
        fit(X=FRAME.assign(city="here", zip=FRAME["zip"].astype(str))),
        ValueError,
        "words, not numbers: city. Encode.*as words: zip",
    ),
    (
        "dates",
        regressor(),
        fit(X=FRAME.assign(sold=pd.Timestamp("2026-01-01"))),
        ValueError,
        "columns of dates, not numbers: sold",
    ),
    (
        "words in partial_fit",
        regressor(),
        lambda e: e.partial_fit(FRAME.assign(city="here"), Z),
        ValueError,
        "words, not numbers: city",
    ),
    ("nan in sparse X", regressor(), fit(X=sparse.csr_array(replaced(np.nan))), ValueError, "NaN"),
    ("nan in y", regressor(), fit(y=np.where(Z > 1, np.nan, Z)), ValueError, "y contains NaN"),
    ("inf in y", regressor(), fit(y=np.where(Z > 1, np.inf, Z)), ValueError, "y contains infinity"),
    ("no rows", regressor(), fit(X=X[:0], y=Z[:0]), ValueError, "0 sample"),
    ("no columns", regressor(), fit(X=X[:, :0]), ValueError, "0 feature"),
    ("1-D X", regressor(), fit(X=Z), ValueError, "Expected 2D array, got 1D array"),
    ("3-D X", regressor(), fit(X=X[None]), ValueError, "dim 3"),
    ("3-D y", regressor(), fit(y=np.zeros((40, 2, 2))), ValueError, "dim 3"),
    ("complex X", regressor(), fit(X=X + 1j), ValueError, "Complex data not supported"),
    ("complex y", regressor(), fit(y=Z + 1j), ValueError, "Complex data not supported"),
    (
        "objects in X",
        regressor(),
        fit(X=np.array([["a", {}, 1]] * 40, dtype=object)),
        (ValueError, TypeError),
        "float",
    ),
    ("strings in X", regressor(), fit(X=np.array([["a", "b", "c"]] * 40)), ValueError, "string"),
    (
        "strings in y",
        regressor(),
        fit(y=np.array(["dear"] * 40)),
        ValueError,
        "'dear'.*NeuronClassifier",
    ),
    ("no y", regressor(), lambda e: e.fit(X), ValueError, "requires y to be passed"),
    (
        "y too short",
        regressor(),
        fit(y=Z[:-1]),
        ValueError,
        r"inconsistent numbers of samples: \[40, 39\]",
    ),
    ("weights too short", regressor(), fit(sample_weight=np.ones(39)), ValueError, "sample_weight"),
    ("2-D weights", regressor(), fit(sample_weight=np.ones((40, 1))), ValueError, "in a vector"),
    (
        "weights of too few validation rows",
        regressor(),
        fit(X_val=X, y_val=Z, sample_weight_val=np.ones(39)),
        ValueError,
        r"sample_weight_val has the shape \(39,\), but there are 40 rows",
    ),
    (
        "negative weights",
        regressor(),
        fit(sample_weight=-np.ones(40)),
        ValueError,
        "sample_weight contains negative values: 40 values, the first in row 0. .* weight >= 0",
    ),
    (
        "a negative weight of a validation row",
        regressor(),
        fit(X_val=X, y_val=Z, sample_weight_val=np.where(np.arange(40) == 3, -1, 1)),
        ValueError,
        "sample_weight_val contains negative values: 1 value, the first in row 3",
    ),
    (
        "a weight that is a word",
        regressor(),
        fit(sample_weight="balanced"),
        ValueError,
        "sample_weight .*number for each row, and holds 'balanced'.*class_weight",
    ),
    (
        "words among weights",
        classifier(),
        fit(y=LABELS, sample_weight=[1.0] * 39 + ["heavy"]),
        ValueError,
        "sample_weight .*number for each row, and holds 'heavy'",
    ),
    (
        "zero weights",
        regressor(),
        fit(sample_weight=np.zeros(40)),
        ValueError,
        "sample_weight.*zero",
    ),
    (
        "weights too large to add up",
        regressor(),
        fit(sample_weight=np.full(40, 1e308)),
        ValueError,
        "sample_weight adds up to more than a float holds.*1e[+]308.*divide them",
    ),
    (
        "masked X",
        regressor(),
        fit(X=masked(X, (3, 1))),
        ValueError,
        "X contains NaN: 1 value.*row 3, column 1",
    ),
    ("masked y", regressor(), fit(y=masked(Z, 5)), ValueError, "y contains NaN: 1 value.*row 5"),
    (
        "masked labels",
        classifier(),
        fit(y=masked(LABELS, 5)),
        ValueError,
        "y contains NaN: 1 value",
    ),
    (
        "masked words",
        classifier(),
        fit(y=masked(np.array(["a", "b"])[LABELS], 5)),
        ValueError,
        "y contains NaN: 1 value",
    ),
    (
        "masked weights",
        regressor(),
        fit(sample_weight=masked(np.ones(40), 5)),
        ValueError,
        "sample_weight contains NaN: 1 value, the first in row 5",
    ),
    (
        "nan weights",
        regressor(),
        fit(sample_weight=np.full(40, np.nan)),
        ValueError,
        "sample_weight contains NaN: 40 values, the first in row 0",
    ),
    (
        "inf weights",
        regressor(),
        fit(sample_weight=np.full(40, np.inf)),
        ValueError,
        "sample_weight contains infinity: 40 values, the first in row 0",
    ),
    (
        "huge X",
        regressor(),
        fit(X=replaced(1e300)),
        ValueError,
        "too large.*column 1 are.*StandardScaler",
    ),
    (
        "tiny X",
        regressor(),
        fit(X=X * [1, 1, 1e-300]),
        ValueError,
        "too small.*column 2 are.*StandardScaler",
    ),
    ("tiny named X", regressor(), fit(X=FRAME * 1e-300), ValueError, "too small.*'sqft'"),
    ("huge y", regressor(), fit(y=Z * 1e300), ValueError, "too large.*TransformedTargetRegressor"),
    ("one class", classifier(), fit_labels(y=np.ones(40)), ValueError, r"only one class: 1\.0\."),
    ("continuous labels", classifier(), fit(), ValueError, "[Uu]nknown label type.*continuous"),
    ("a number as a label", classifier(), fit(), ValueError, f"{Z[0]:.6g} .*NeuronRegressor"),
    ("one word", classifier(), fit_labels(y=np.array(["a"] * 40)), ValueError, "class: 'a'"),
    (
        "words and numbers as labels",
        classifier(),
        fit_labels(y=np.array(["a", 1] * 20, dtype=object)),
        ValueError,
        "words, 'a' for one, and other things, 1 for one",
    ),
    (
        "numbers as objects",
        classifier(),
        fit_labels(y=LABELS.astype(object)),
        ValueError,
        r"y holds objects, [01] for one, of dtype=object.*y\.astype\('int'\) or y\.astype\(str\)",
    ),
    (
        "booleans as objects",
        classifier(),
        fit_labels(y=pd.Series(LABELS > 0, dtype=object)),
        ValueError,
        r"y holds objects, (True|False) for one.*y\.astype\('bool'\)",
    ),
    (
        "fractions as objects",
        classifier(),
        fit_labels(y=np.array([Fraction(int(k), 2) for k in LABELS], dtype=object)),
        ValueError,
        r"y holds objects, Fraction\([01], [12]\) for one.*with y\.astype\(str\)",
    ),
    (
        "missing words",
        classifier(),
        fit_labels(y=pd.Series(["a", "b", None, "b"] * 10, dtype="str")),
        ValueError,
        "y contains NaN.* first in row 2",
    ),
    (
        "missing target in a list",
        regressor(),
        fit(y=[None, *Z[1:]]),
        ValueError,
        "y contains NaN, first in row 0",
    ),
    (
        "missing labels",
        classifier(),
        fit_labels(y=np.array(["a", "b", None, "b"] * 10, dtype=object)),
        ValueError,
        "y contains NaN: 10 labels are missing, the first in row 2",
    ),
    (
        "several columns of classes",
        classifier(),
        fit(y=RNG.integers(0, 3, (40, 2))),
        ValueError,
        "MultiOutputClassifier",
    ),
    ("nan label", classifier(), fit_labels(y=np.where(LABELS, np.nan, 0.0)), ValueError, "NaN"),
    (
        "softmax for labels that hold together",
        classifier(activation="softmax"),
        fit_labels(y=np.c_[LABELS, 1 - LABELS]),
        ValueError,
        "multilabel.*'sigmoid'",
    ),
    (
        "negative counts",
        regressor(activation="exp", loss="poisson"),
        fit(),
        ValueError,
        r"loss='poisson' needs targets in \[0, inf\); y contains -",
    ),
    (
        "zero amounts",
        regressor(activation="exp", loss="gamma"),
        fit(y=np.zeros(40)),
        ValueError,
        r"\(0, inf\); y contains 0",
    ),
    (
        "shares past 1",
        regressor(activation="sigmoid", loss="log_loss"),
        fit(y=2 + Z**2),
        ValueError,
        r"\[0, 1\]; y contains",
    ),
    (
        "targets out of a sigmoid's reach",
        regressor(activation="sigmoid"),
        fit(y=5 + Z**2),
        ValueError,
        "between 0 and 1.*every target.*TransformedTargetRegressor",
    ),
    (
        "targets out of a tanh's reach",
        regressor(activation="tanh"),
        fit(y=5 + Z**2),
        ValueError,
        "between -1 and 1.*every target",
    ),
    (
        "misspelt activation",
        regressor(activation="rellu"),
        fit(),
        ValueError,
        r"'activation' parameter of NeuronRegressor must be.*Got 'rellu'.*Did you mean 'relu'\?",
    ),
    (
        "a class for its instance",
        regressor(activation=Sigmoid),
        fit(),
        ValueError,
        r"Did you mean Sigmoid\(\)\?",
    ),
    (
        "misspelt loss",
        regressor(loss="squared_eror"),
        fit(),
        ValueError,
        "Did you mean 'squared_error'",
    ),
    (
        "misspelt solver",
        classifier(solver="lbgfs"),
        fit_labels(),
        ValueError,
        "Did you mean 'lbfgs'",
    ),
    (
        "activation of the wrong type",
        regressor(activation=3),
        fit(),
        ValueError,
        "'activation'.*Got 3",
    ),
    (
        "loss class instead of an instance",
        regressor(loss=Quantile),
        fit(),
        ValueError,
        "'loss' parameter",
    ),
    ("negative alpha", regressor(alpha=-1), fit(), ValueError, "'alpha' parameter.*Got -1"),
    ("alpha as a string", regressor(alpha="1"), fit(), ValueError, "'alpha' parameter.*Got '1'"),
    (
        "pandas.NA among labels",
        classifier(),
        fit_labels(y=pd.Series([None, *np.where(LABELS[1:], "a", "b")], dtype="string")),
        ValueError,
        "Input y contains NaN: 1 value, the first in row 0",
    ),
    (
        "dates in X",
        regressor(),
        fit(X=np.full((40, 3), np.datetime64("2020-01-01"))),
        ValueError,
        r"X holds dates or durations \(datetime64\[D\]\), not numbers",
    ),
    (
        "lists of labels",
        classifier(),
        fit_labels(y=[["sea", "sun"], ["sun"]] * 20),
        ValueError,
        r"lists of different lengths, \['sea', 'sun'\] for one.*MultiLabelBinarizer\(\)",
    ),
    (
        "dates for targets",
        regressor(),
        fit(y=np.datetime64("2020-01-01") + np.arange(40)),
        ValueError,
        r"not numbers, datetime.date\(2020, 1, 1\) for one\. Make numbers of dates and durations",
    ),
    (
        "a missing date among labels",
        classifier(),
        fit_labels(y=np.array(["2020", "NaT"] * 20, dtype="datetime64[D]")),
        ValueError,
        "y contains NaN: 20 labels are missing, the first in row 1",
    ),
    (
        "durations for targets",
        regressor(),
        fit(y=pd.Series(pd.to_timedelta(np.arange(40), unit="h"))),
        ValueError,
        "Make numbers of dates and durations: days since a start",
    ),
    (
        "dates of Python for targets",
        regressor(),
        fit(y=[*Z[1:], date(2020, 1, 1)]),
        ValueError,
        r"not numbers, datetime.date\(2020, 1, 1\) for one\. Make numbers of dates and durations",
    ),
    (
        "targets whose squares vanish",
        regressor(),
        fit(y=1e-200 * Z),
        ValueError,
        r"y holds values too small to compute with: they differ by \de-200.*Divide y by its size",
    ),
    (
        "targets of a quantile whose squares vanish",
        regressor(loss="quantile"),
        fit(y=1e-200 * Z),
        ValueError,
        "y holds values too small",
    ),
    (
        "targets of a tanh whose squares vanish",
        regressor(activation="tanh"),
        fit(y=1e-170 * np.c_[Z, Z**2]),
        ValueError,
        "y holds values too small",
    ),
    (
        "sparse rows with a column that is not there",
        regressor(),
        lambda e: e.fit(broken_csr(3), Z[:2]),
        ValueError,
        r"broken sparse matrix: it has the shape \(2, 3\), and entries in column 3\. Check how",
    ),
    (
        "sparse rows with a column below zero",
        classifier(),
        lambda e: e.partial_fit(broken_csr(-1), [0, 1], classes=[0, 1]),
        ValueError,
        "and entries in column -1",
    ),
    (
        "sparse columns with a row that is not there",
        classifier(),
        lambda e: e.fit(broken_csr(7).T, [0, 1, 1]),
        ValueError,
        r"the shape \(3, 2\), and entries in row 7",
    ),
    (
        "sparse rows that end before they start",
        regressor(),
        lambda e: e.fit(broken_csr(2, starts=[0, 4, 2]), Z[:2]),
        ValueError,
        r"the starts of its rows \(indptr\) do not fit",
    ),
    (
        "predict sparse rows with a column that is not there",
        regressor(),
        lambda e: e.fit(X, Z).predict(broken_csr(1000)),
        ValueError,
        "and entries in column 1000",
    ),
    (
        "dates in what is predicted",
        regressor(),
        lambda e: e.fit(X, Z).predict(np.full((2, 3), np.datetime64("2020-01-01"))),
        ValueError,
        "X holds dates or durations",
    ),
    (
        "durations in y",
        regressor(),
        fit(y=np.arange(40).astype("m8[s]")),
        ValueError,
        "y holds values that are not numbers",
    ),
    (
        "a negative class weight",
        classifier(class_weight={0: -1, 1: 1}),
        fit_labels(),
        ValueError,
        "class_weight must be finite and not negative, got -1",
    ),
    (
        "a missing class weight",
        classifier(class_weight={0: np.nan, 1: 1}),
        fit_labels(),
        ValueError,
        "class_weight must be finite.*nan",
    ),
    (
        "class weights of zero",
        classifier(class_weight={0: 0, 1: 0}),
        fit_labels(),
        ValueError,
        "All weights in class_weight are zero",
    ),
    (
        "infinite values of both signs",
        regressor(),
        fit(X=np.full((40, 3), np.inf) * np.where(np.arange(40) % 2, 1, -1)[:, None]),
        ValueError,
        "contains infinity: 120 values",
    ),
    ("nan alpha", regressor(alpha=np.nan), fit(), ValueError, "'alpha' parameter.*nan"),
    (
        "l1_ratio past 1",
        regressor(l1_ratio=1.5),
        fit(),
        ValueError,
        "'l1_ratio' parameter.*Got 1.5",
    ),
    ("max_iter of 0", regressor(max_iter=0), fit(), ValueError, "'max_iter' parameter.*Got 0"),
    ("max_iter as a float", regressor(max_iter=10.5), fit(), ValueError, "'max_iter' parameter"),
    ("negative tol", regressor(tol=-1e-3), fit(), ValueError, "'tol' parameter"),
    ("batch_size of 0", regressor(batch_size=0), fit(), ValueError, "'batch_size' parameter"),
    (
        "learning rate of 0",
        regressor(learning_rate_init=0),
        fit(),
        ValueError,
        "'learning_rate_init'",
    ),
    ("momentum of 1", regressor(momentum=1), fit(), ValueError, "'momentum' parameter"),
    (
        "validation_fraction of 1",
        regressor(validation_fraction=1.0),
        fit(),
        ValueError,
        "'validation_fraction'",
    ),
    (
        "n_iter_no_change of 0",
        regressor(n_iter_no_change=0),
        fit(),
        ValueError,
        "'n_iter_no_change'",
    ),
    (
        "record misspelt",
        regressor(record="all"),
        fit(),
        ValueError,
        "'record' parameter.*Got 'all'",
    ),
    ("random_state as a string", regressor(random_state="a"), fit(), ValueError, "'random_state'"),
    ("n_jobs as a float", regressor(n_jobs=1.5), fit(), ValueError, "'n_jobs' parameter"),
    ("no threads", regressor(n_jobs=0), fit(), ValueError, "'n_jobs' parameter"),
    (
        "class_weight misspelt",
        classifier(class_weight="balance"),
        fit_labels(),
        ValueError,
        "'class_weight'.*Did you mean 'balanced'",
    ),
    (
        "poisson with tanh",
        regressor(activation="tanh", loss="poisson"),
        fit(),
        ValueError,
        "makes no sense.*'exp'",
    ),
    ("log_loss with relu", classifier(activation="relu"), fit_labels(), ValueError, "'sigmoid'"),
    (
        "relu in the classifier",
        classifier(activation="relu"),
        fit_labels(),
        ValueError,
        "With activation='relu' use NeuronRegressor",
    ),
    (
        "a classifier of counts",
        classifier(activation="exp", loss="poisson"),
        fit_labels(),
        ValueError,
        "with loss='poisson' use NeuronRegressor",
    ),
    ("mse", regressor(loss="mse"), fit(), ValueError, "'mse' elsewhere is 'squared_error' here"),
    ("linear", regressor(activation="linear"), fit(), ValueError, "is 'identity' here"),
    (
        "cross entropy",
        classifier(loss="binary_crossentropy"),
        fit_labels(),
        ValueError,
        "is 'log_loss' here",
    ),
    (
        "hinge in the regressor",
        regressor(loss="hinge"),
        fit(),
        ValueError,
        "margin of a classifier",
    ),
    (
        "newton with L1",
        regressor(solver="newton", l1_ratio=0.5),
        fit(),
        ValueError,
        "solver='newton' needs a smooth penalty; l1_ratio=0.5.*'proximal_newton' or 'auto'",
    ),
    (
        "least_squares for a log loss",
        classifier(solver="least_squares"),
        fit_labels(),
        ValueError,
        "least_squares.*solver='auto'",
    ),
    (
        "quantile past 1",
        regressor(loss=Quantile(1.2)),
        fit(),
        ValueError,
        r"quantile must lie in \(0, 1\)",
    ),
    ("X_val alone", regressor(), fit(X_val=X), ValueError, "X_val was given without y_val"),
    ("y_val alone", regressor(), fit(y_val=Z), ValueError, "need X_val"),
    (
        "X_val of another width",
        regressor(),
        fit(X_val=X[:, :2], y_val=Z),
        ValueError,
        "In the validation rows, X_val and y_val: X has 2 features.*expecting 3",
    ),
    (
        "no validation rows",
        regressor(),
        fit(X_val=X[:0], y_val=Z[:0]),
        ValueError,
        r"In the validation rows, X_val and y_val: .*0 sample\(s\)",
    ),
    (
        "unknown label in y_val",
        classifier(),
        fit_labels(X_val=X, y_val=LABELS + 5),
        ValueError,
        "y_val contains the label [56], .* not among the classes",
    ),
    (
        "nothing left to train on",
        regressor(early_stopping=True),
        fit(X=X[:1], y=Z[:1]),
        ValueError,
        "leaves none to train on",
    ),
    (
        "partial_fit without rows",
        regressor(),
        lambda e: e.partial_fit(X[:0], Z[:0]),
        ValueError,
        "0 sample",
    ),
    (
        "partial_fit with a label not named",
        classifier(),
        lambda e: e.partial_fit(X, LABELS, classes=[0, 1]).partial_fit(X, LABELS + 1),
        ValueError,
        r"label .*2.* not among.*classes=",
    ),
    (
        "partial_fit with one class",
        classifier(),
        lambda e: e.partial_fit(X, np.ones(40)),
        ValueError,
        "only one class",
    ),
    (
        "partial_fit with other classes",
        classifier(),
        lambda e: e.partial_fit(X, LABELS, classes=[0, 1]).partial_fit(X, LABELS, [0, 1, 2]),
        ValueError,
        r"classes=\[0, 1, 2\] are not those of the first call to partial_fit, \[0, 1\]",
    ),
    (
        "warm start from nan",
        regressor(warm_start=True),
        lambda e: vars(e.fit(X, Z)).update(coef_=np.full(3, np.nan)) or e.fit(X, Z),
        ValueError,
        "hold nan. Set warm_start=False",
    ),
    (
        "warm start on another width",
        regressor(warm_start=True),
        lambda e: e.fit(X, Z).fit(X[:, :2], Z),
        ValueError,
        "warm_start=True.*shape",
    ),
    (
        "predict another width",
        regressor(),
        lambda e: e.fit(X, Z).predict(X[:, :2]),
        ValueError,
        "2 features.*expecting 3",
    ),
    (
        "predict nan",
        regressor(),
        lambda e: e.fit(X, Z).predict(replaced(np.nan)),
        ValueError,
        "NaN",
    ),
    (
        "predict masked rows",
        regressor(),
        lambda e: e.fit(X, Z).predict(masked(X, (3, 1))),
        ValueError,
        "X contains NaN: 1 value, the first in row 3, column 1",
    ),
    (
        "predict dates alone",
        regressor(),
        lambda e: e.fit(X, Z).predict(FRAME.apply(pd.to_datetime)),
        ValueError,
        "columns of dates, not numbers: sqft, beds, zip",
    ),
    (
        "predict dates beside numbers",
        regressor(),
        lambda e: e.fit(FRAME, Z).predict(FRAME.assign(beds=pd.Timestamp("2020"))),
        ValueError,
        "columns of dates, not numbers: beds",
    ),
    (
        "predict words beside numbers",
        regressor(),
        lambda e: e.fit(FRAME, Z).predict(FRAME.assign(beds="three")),
        ValueError,
        "columns of words, not numbers: beds",
    ),
    (
        "predict more columns than were fitted, of words",
        regressor(),
        lambda e: e.fit(FRAME, Z).predict(FRAME.assign(city="Ames")),
        ValueError,
        "feature names should match.*unseen at fit time:\n- city",
    ),
    (
        "a column of lists",
        regressor(),
        fit(X=FRAME.assign(zip=[[1, 2]] * 40)),
        ValueError,
        r"X holds \[1, 2\] in row 0, column 'zip'",
    ),
    (
        "words behind a missing value",
        regressor(),
        fit(X=FRAME.assign(zip=pd.Series([None, *["a"] * 39], dtype=object))),
        ValueError,
        "X holds the string 'a' in row 1, column 'zip'",
    ),
    (
        "a whole number too large for a float",
        regressor(),
        fit(X=[[0.0, 1.0]] * 39 + [[2.0, 10**400]]),
        ValueError,
        r"X holds 1000\S+ in row 39, column 1",
    ),
    ("a dict", regressor(), fit(X={"sqft": Z}), TypeError, "must be a table.*a dict"),
    ("nothing", regressor(), fit(X=None), TypeError, "must be a table.*a NoneType"),
    (
        "rows as dicts",
        regressor(),
        fit(X=FRAME.to_dict("records")),
        TypeError,
        "X holds {'beds': .* in row 0",
    ),
    ("no columns", regressor(), fit(X=FRAME[[]]), ValueError, "X has no columns"),
    (
        "a word among numbers in y",
        regressor(),
        fit(y=np.array([*Z[:-1], "dear"], dtype=object)),
        ValueError,
        "y holds values that are not numbers, 'dear' for one",
    ),
    (
        "a y too large for a float",
        regressor(),
        fit(y=[*Z[:-1], 10**400]),
        ValueError,
        "y holds values that are not numbers, 1000",
    ),
    (
        "y_val with more columns than y",
        regressor(),
        fit(X_val=X, y_val=np.c_[Z, Z]),
        ValueError,
        r"y_val has shape \(40, 2\), but the weights are for a single target",
    ),
    (
        "y_val with fewer columns than y",
        regressor(),
        fit(y=np.c_[Z, Z], X_val=X, y_val=Z),
        ValueError,
        r"y_val has shape \(40,\), but the weights are for 2 targets",
    ),
    (
        "partial_fit on fewer targets",
        regressor(),
        lambda e: e.fit(X, np.c_[Z, Z]).partial_fit(X, Z),
        ValueError,
        r"y has shape \(40,\), but the weights are for 2 targets",
    ),
    (
        "partial_fit with labels missing",
        classifier(),
        lambda e: e.fit(X, np.array(["a", "b"])[LABELS]).partial_fit(
            X, np.array(["a", None], dtype=object)[LABELS]
        ),
        ValueError,
        "labels are missing, the first in row",
    ),
    (
        "y_val of words and numbers",
        classifier(),
        lambda e: e.fit(
            X,
            np.array(["a", "b"])[LABELS],
            X_val=X,
            y_val=np.array(["a", 3], dtype=object)[LABELS],
        ),
        ValueError,
        "y_val holds words, 'a' for one, and other things, 3 for one",
    ),
    (
        "class weights in a list",
        classifier(class_weight=[{0: 1, 1: 2}]),
        fit_labels(),
        ValueError,
        "class_weight as a list.*one dict",
    ),
    (
        "class weights that overflow",
        classifier(class_weight={0: 1e308, 1: 1e308}),
        fit_labels(),
        ValueError,
        "by class_weight, add up to more than a float holds",
    ),
    (
        "a parameter of a word",
        regressor(loss="quantile"),
        lambda e: e.set_params(loss__quantile=0.9),
        ValueError,
        r"loss='quantile' is a word. Give loss=Quantile\(\)",
    ),
    (
        "predict one row as 1-D",
        regressor(),
        lambda e: e.fit(X, Z).predict(X[0]),
        ValueError,
        "Expected 2D array",
    ),
    (
        "predict other names",
        regressor(),
        lambda e: e.fit(FRAME, Z).predict(FRAME.rename(columns={"zip": "plz"})),
        ValueError,
        "plz",
    ),
    (
        "hinge has no probabilities",
        classifier(loss="hinge"),
        lambda e: e.fit(X, LABELS).predict_proba(X),
        AttributeError,
        "predict_proba",
    ),
]


@pytest.mark.parametrize(
    ("what", "estimator", "action", "exception", "words"), CASES, ids=[case[0] for case in CASES]
)
def test_bad_input_is_refused_in_words(what, estimator, action, exception, words):
    with pytest.raises(exception) as error:
        action(estimator)
    assert re.search(words, str(error.value), re.DOTALL), str(error.value)


def state(estimator):
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}


@pytest.mark.parametrize(
    "action",
    [
        fit(X=replaced(np.nan)),
        fit(y=np.where(Z > 1, np.nan, Z)),
        fit(X=FRAME.assign(new=1.0), y=Z[:5]),
        fit(sample_weight=-np.ones(40)),
        fit(X=X[:, :2], y=Z * 1e300),
        fit(X=X[:, :2], X_val=X, y_val=Z),
    ],
)
def test_an_earlier_fit_survives_a_failed_one(action):
    neuron = NeuronRegressor().fit(FRAME, Z)
    before = state(neuron)
    prediction = neuron.predict(FRAME)
    with pytest.raises(ValueError):  # noqa: PT011  (the words are tested above)
        action(neuron)
    assert state(neuron).keys() == before.keys()
    assert all(state(neuron)[name] is before[name] for name in before)
    np.testing.assert_array_equal(neuron.predict(FRAME), prediction)


def test_a_failed_first_fit_leaves_nothing():
    neuron = NeuronRegressor()
    with pytest.raises(ValueError, match="NaN"):
        neuron.fit(replaced(np.nan), Z)
    assert state(neuron) == {}


GOOD = {
    "constant column": (np.c_[X, np.ones(40)], Z),
    "duplicated columns": (np.c_[X, X], Z),
    "more columns than rows": (RNG.standard_normal((10, 30)), Z[:10]),
    "one row": (X[:1], Z[:1]),
    "two rows": (X[:2], Z[:2]),
    "small values": (X * 1e-100, Z),
    "large values": (X * 1e100, Z),
    "one column": (X[:, :1], Z),
    "all columns constant": (np.ones((40, 2)), Z),
    "whole numbers": ((10 * X).astype(int), Z),
    "booleans": (X > 0, Z),
    "constant targets": (X, np.full(40, 7.0)),
}


@pytest.mark.parametrize("activation", ["identity", "softplus"])
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("what", GOOD)
def test_odd_input_gets_finite_weights(what, alpha, activation):
    rows, y = GOOD[what]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuronWarning)
        neuron = NeuronRegressor(activation, alpha=alpha, random_state=0).fit(rows, np.abs(y))
    assert np.all(np.isfinite(neuron.coef_))
    assert np.isfinite(neuron.intercept_)
    assert np.all(np.isfinite(neuron.predict(rows)))
    # Never worse than no weights at all.
    mean = np.mean((np.abs(y) - np.abs(y).mean()) ** 2)
    assert np.mean((np.abs(y) - neuron.predict(rows)) ** 2) <= mean * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("what", [w for w in GOOD if "targets" not in w and w != "one row"])
def test_odd_input_gets_finite_weights_in_the_classifier(what):
    rows, y = GOOD[what]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuronWarning)
        neuron = NeuronClassifier().fit(
            rows, y > np.median(y[:2]) - 1e-9 if what == "two rows" else y > 0
        )
    assert np.all(np.isfinite(neuron.coef_))
    assert np.all(np.isfinite(neuron.predict_proba(rows)))


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "proximal_newton", "adam"])
def test_ctrl_c_keeps_the_last_good_iterate(solver, monkeypatch):
    from sknneuron.closed_forms import SigmoidLogLoss

    calls = {"made": 0, "allowed": np.inf}

    def interrupted(original):
        def evaluate(*args):
            calls["made"] += 1
            if calls["made"] > calls["allowed"]:
                raise KeyboardInterrupt
            return original(*args)

        return evaluate

    # Every evaluation of the loss goes through one of these.
    for name in ("sums", "derivatives"):
        monkeypatch.setattr(SigmoidLogLoss, name, interrupted(getattr(SigmoidLogLoss, name)))
    labels = (Z + 0.3 * RNG.standard_normal(40) > 0).astype(int)
    params = {"solver": solver, "alpha": 1e-6, "random_state": 0}
    whole = NeuronClassifier(**params).fit(X, labels)
    calls.update(made=0, allowed=2 * calls["made"] // 3)
    neuron = NeuronClassifier(**params)
    with pytest.raises(KeyboardInterrupt):
        neuron.fit(X, labels)
    assert not neuron.converged_
    assert 0 < neuron.n_iter_ < whole.n_iter_
    assert neuron.history_["objective"][0] > neuron.objective_ > whole.objective_
    assert neuron.objective_ == neuron.history_["objective"][-1]
    assert np.all(np.isfinite(neuron.predict_proba(X)))


def test_ctrl_c_before_the_first_iterate_leaves_an_earlier_fit(monkeypatch):
    from sknneuron.sources import ArraySource

    neuron = NeuronRegressor().fit(FRAME, Z)
    before = state(neuron)

    def interrupted(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(ArraySource, "map_sum", interrupted)
    with pytest.raises(KeyboardInterrupt):
        neuron.fit(X[:, :2], Z)
    assert all(state(neuron)[name] is before[name] for name in before)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="it takes columns that share a name",
)
def test_columns_that_share_a_name_are_named():
    frame = pd.DataFrame(X, columns=["sqft", "beds", "beds"])
    with pytest.raises(ValueError, match=r"several columns of one name: 'beds'\. Rename them"):
        NeuronRegressor().fit(frame, Z)


def columns_beside(kind):
    """A frame whose second column is what numpy would make numbers of, and what is said of it."""
    days = pd.date_range("2020", periods=40)
    if kind == "polars dates":
        frame = pytest.importorskip("polars").from_pandas(FRAME)
        return frame.with_columns(beds=days.to_numpy()), "columns of dates, not numbers: beds"
    frame = FRAME.assign(sqft=FRAME["sqft"] > 0)
    if kind == "complex":
        return frame.assign(beds=Z + 1j), "Complex data not supported"
    pytest.importorskip("pyarrow")
    stamps = pd.Series(days).convert_dtypes(dtype_backend="pyarrow")
    return frame.assign(beds=stamps), "columns of dates, not numbers: beds"


@pytest.mark.parametrize("kind", ["polars dates", "arrow dates", "complex"])
def test_nothing_is_made_a_number_of_in_silence(kind):
    given, said = columns_beside(kind)
    neuron = NeuronRegressor().fit(FRAME, Z)
    for method in (
        neuron.predict,
        partial(contributions, neuron),
        partial(NeuronRegressor().fit, y=Z),
    ):
        with pytest.raises(ValueError, match=said):
            method(given)


def test_columns_of_an_enum_of_polars_are_words():
    polars = pytest.importorskip("polars")
    words = polars.Series(["x", "y"] * 20).cast(polars.Enum(["x", "y"]))
    with pytest.raises(ValueError, match="columns of words, not numbers: beds"):
        NeuronRegressor().fit(polars.from_pandas(FRAME).with_columns(beds=words), Z)


@pytest.mark.parametrize("kind", [pd.Series, np.asarray, "polars", "arrow"])
@pytest.mark.parametrize("values", [pd.date_range("2020", periods=40), pd.to_timedelta(range(40))])
def test_dates_are_no_weights(kind, values):
    if kind == "polars":
        kind = pytest.importorskip("polars").Series
    elif kind == "arrow":
        kind = pytest.importorskip("pyarrow").array
    neuron = NeuronRegressor().fit(X, Z)
    said = "holds dates or durations .* give every row a number"
    for method in neuron.fit, neuron.partial_fit, partial(diagnose, neuron):
        with pytest.raises(ValueError, match=f"sample_weight {said}"):
            method(X, Z, sample_weight=kind(values))
    with pytest.raises(ValueError, match=f"sample_weight_val {said}"):
        neuron.fit(X, Z, X_val=X, y_val=Z, sample_weight_val=kind(values))


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_dates_beside_other_targets_are_named(library):
    y = pd.DataFrame({"price": Z, "sold": pd.date_range("2020", periods=40)})
    if library == "polars":
        y = pytest.importorskip("polars").from_pandas(y)
    elif library == "arrow":
        y = pytest.importorskip("pyarrow").table(y)
    with pytest.raises(ValueError, match="y holds columns of dates, not numbers: sold"):
        NeuronRegressor().fit(X, y)
