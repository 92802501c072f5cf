"""Random pipelines and tables: contributions in raw columns are exact, whatever stands before."""

import warnings

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from sknneuron import NeuronRegressor
from sknneuron.inspection import contributions, unfold

NUMBERS = ["a", "b", "c"]
CATEGORIES = ["k", "l"]


def scalers():
    return st.one_of(
        st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()),
        st.builds(MinMaxScaler, feature_range=st.sampled_from([(0, 1), (-3, 2)])),
        st.builds(MaxAbsScaler),
        st.builds(RobustScaler, with_centering=st.booleans()),
        st.just("passthrough"),
    )


def number_imputers():
    return st.builds(
        SimpleImputer,
        strategy=st.sampled_from(["mean", "median", "most_frequent"]),
        add_indicator=st.booleans(),
    )


def encoders():
    return st.one_of(
        st.builds(
            OneHotEncoder,
            drop=st.sampled_from([None, "first", "if_binary"]),
            min_frequency=st.sampled_from([None, 5, 12]),
            max_categories=st.sampled_from([None, 2]),
            handle_unknown=st.just("infrequent_if_exist"),
            sparse_output=st.booleans(),
        ),
        st.builds(
            OrdinalEncoder,
            handle_unknown=st.just("use_encoded_value"),
            unknown_value=st.just(-1),
            encoded_missing_value=st.just(-5),
            max_categories=st.sampled_from([None, 2]),
        ),
    )


@st.composite
def number_steps(draw):
    """Scalers around an imputer, in any order."""
    before, after = draw(scalers()), draw(scalers())
    return make_pipeline(before, draw(number_imputers()), after)


@st.composite
def category_steps(draw):
    encoder = draw(encoders())
    if draw(st.booleans()):
        return make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return encoder


@st.composite
def pipelines(draw):
    """A ColumnTransformer, perhaps inside another, perhaps with a scaler behind it."""
    numbers, categories = draw(number_steps()), draw(category_steps())
    if draw(st.booleans()):
        first = ColumnTransformer([("n", numbers, NUMBERS), ("c", categories, CATEGORIES)])
    else:
        inner = ColumnTransformer([("n", numbers, [0, 2])], remainder="drop")
        first = ColumnTransformer(
            [
                ("inner", inner, NUMBERS),
                ("again", draw(number_steps()), ["b"]),
                ("c", categories, draw(st.sampled_from([CATEGORIES, ["l"]]))),
            ]
        )
    steps = [("columns", first)]
    if draw(st.booleans()):
        steps.append(
            ("after", draw(st.sampled_from([MaxAbsScaler(), StandardScaler(with_mean=False)])))
        )
    return Pipeline([*steps, ("neuron", NeuronRegressor())])


@st.composite
def tables(draw):
    n = draw(st.integers(20, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e5]))
    X = pd.DataFrame(scale * rng.standard_normal((n, 3)) + rng.integers(-3, 4), columns=NUMBERS)
    X["k"] = rng.choice(["x", "y", "z", "1"], n)
    X["l"] = rng.choice(["no", "yes"], n)
    missing = draw(st.floats(0, 0.4))
    for name in X:
        hidden = rng.random(n) < missing
        hidden[:2] = False  # a column without any value has none to impute
        X.loc[hidden, name] = np.nan
    return X, rng.standard_normal(n) + 5


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(pipelines(), tables(), st.booleans(), st.sampled_from([None, "mean"]))
def test_contributions_are_exact(pipeline, data, on_log, baseline):
    X, y = data
    model = pipeline
    if on_log:
        model = TransformedTargetRegressor(
            pipeline, func=np.log1p, inverse_func=np.expm1, check_inverse=False
        )
        y = np.abs(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits on so few rows deserve some
        model.fit(X, y)
        result = contributions(model, X, baseline=baseline)
        inside = unfold(model)
        z = inside.pre_activation(X)[:, 0]
        predicted = model.predict(X)
    assert not inside.not_unfolded
    terms = result.drop(columns=["pre_activation", "activation"])
    size = terms.abs().sum(axis=1).to_numpy() + inside.coef.max() * 1e-3
    assert np.all(np.abs(terms.sum(axis=1) - result["pre_activation"]) <= 1e-12 * size)
    # Weights in the raw columns' units give the same z, and the pipeline's predictions.
    terms_of_inputs = np.abs(inside.inputs(X)) @ np.abs(inside.coef[0])
    assert np.all(np.abs(z - result["pre_activation"]) <= 1e-11 * (1 + size + terms_of_inputs))
    np.testing.assert_allclose(inside.target.inverse(z), predicted, rtol=1e-8, atol=1e-8)
