"""Pipelines of many makes before a neuron, and a table that goes into all of them."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

NUMBERS = ["sqft", "beds", "age"]
CATEGORIES = ["zip", "kind"]


def table(n=120, missing=True, seed=0):
    """Return X with numbers and categories, some missing, and a y in dollars."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "sqft": rng.uniform(500, 4000, n),
            "zip": rng.choice(
                ["95603", "95610", "95621", "95630", "95683"], n, p=[5 / 9] + 4 * [1 / 9]
            ),
            "beds": rng.integers(1, 6, n).astype(float),
            "kind": rng.choice(["condo", "flat", "house"], n),
            "age": rng.uniform(0, 90, n),
        }
    )
    y = 50_000 + 90 * X["sqft"] + 20_000 * (X["zip"] == "95630") - 300 * X["age"]
    y += 20_000 * rng.standard_normal(n)
    if missing:
        for name in ("sqft", "age", "kind"):
            X.loc[rng.random(n) < 0.15, name] = np.nan
    return X, y.to_numpy()


def impute(*steps, **kwargs):
    return make_pipeline(SimpleImputer(**kwargs), *steps)


def _columns(numbers, categories, **kwargs):
    return ColumnTransformer([("n", numbers, NUMBERS), ("c", categories, CATEGORIES)], **kwargs)


FREQUENT = {"strategy": "most_frequent"}
PIPELINES = {
    "standard, one-hot": _columns(impute(StandardScaler()), impute(OneHotEncoder(), **FREQUENT)),
    "scale before imputing": _columns(
        make_pipeline(RobustScaler(), SimpleImputer(strategy="median")),
        OneHotEncoder(drop="first", sparse_output=False),
    ),
    "indicator": _columns(
        impute(MinMaxScaler(), strategy="constant", fill_value=-1, add_indicator=True),
        OneHotEncoder(drop="if_binary"),
    ),
    "rare levels": _columns(
        impute(MaxAbsScaler()),
        OneHotEncoder(min_frequency=20, drop="first", handle_unknown="infrequent_if_exist"),
        sparse_threshold=1,
    ),
    "ordinal": _columns(
        impute("passthrough"),
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
    ),
    "rare ordinal": _columns(
        impute(RobustScaler(with_centering=False)),
        impute(OrdinalEncoder(max_categories=3), **FREQUENT),
    ),
    "target encoder": _columns(impute(StandardScaler(with_std=False)), TargetEncoder()),
    "scaled dummies": make_pipeline(
        _columns(SimpleImputer(), OneHotEncoder(handle_unknown="ignore"), sparse_threshold=0),
        StandardScaler(),
        MinMaxScaler((-1, 1)),
    ),
    "selected": make_pipeline(
        _columns(SimpleImputer(), OneHotEncoder(sparse_output=False)),
        VarianceThreshold(0.01),
        SelectKBest(f_regression, k=6),
    ),
    "union": make_pipeline(
        ColumnTransformer([("n", "passthrough", NUMBERS)]),
        FeatureUnion(
            [
                ("values", impute(StandardScaler())),
                ("missing", MissingIndicator()),
                ("none", "drop"),
            ]
        ),
        FunctionTransformer(),
    ),
    "a column twice": ColumnTransformer(
        [
            ("n", SimpleImputer(), ["beds", "sqft"]),
            ("again", impute(StandardScaler()), ["sqft"]),
            ("levels", OneHotEncoder(handle_unknown="ignore"), ["beds"]),
            ("more levels", OneHotEncoder(min_frequency=20), [2]),
        ]
    ),
    "weighted": make_pipeline(
        _columns(
            SimpleImputer(add_indicator=True),
            OneHotEncoder(drop="first"),
            transformer_weights={"n": 2.0, "c": 0.5},
            sparse_threshold=0,
        ),
        FeatureUnion(
            [("scaled", StandardScaler()), ("as they are", "passthrough")],
            transformer_weights={"as they are": -3.0},
        ),
    ),
    "nested": make_pipeline(
        ColumnTransformer(
            [
                ("zip", OneHotEncoder(sparse_output=False), ["zip"]),
                ("drop", "drop", ["kind"]),
            ],
            remainder=impute("passthrough"),
            verbose_feature_names_out=False,
        ).set_output(transform="pandas"),
        ColumnTransformer([("n", StandardScaler(), ["sqft", "age"])], remainder="passthrough"),
    ),
}
