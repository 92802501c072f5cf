"""Standard errors beside statsmodels, and refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.inspection import coef_table, diagnose, to_html, unfold
from sknneuron.losses import Huber, Quantile, Tweedie

from .pipelines import PIPELINES, table

RNG = np.random.default_rng(7)
N = 400
X = RNG.standard_normal((N, 3)) * [1, 4, 0.2] + [0, 10, 3]
Z = 0.4 * X[:, 0] - 0.1 * X[:, 1] + X[:, 2] - 2
TARGETS = {
    "numbers": Z + (0.5 + 0.3 * np.abs(X[:, 0])) * RNG.standard_normal(N),
    "labels": (RNG.random(N) < 1 / (1 + np.exp(-Z))).astype(int),
    "counts": RNG.poisson(np.exp(Z)).astype(float),
    "amounts": RNG.gamma(2.0, np.exp(Z) / 2) + 1e-6,
}
COUNTS = RNG.integers(1, 4, N).astype(float)
NOT_A_COUNT = RNG.uniform(0.5, 3, N)
STRICT = {"alpha": 0, "tol": 1e-14}

A = sm.add_constant(X, prepend=False)


def neuron_of(name):
    return {
        "ols": NeuronRegressor(**STRICT),
        "logit": NeuronClassifier(**STRICT),
        "probit": NeuronClassifier("probit", **STRICT),
        "cloglog": NeuronClassifier("cloglog", **STRICT),
        "poisson": NeuronRegressor("exp", "poisson", **STRICT),
        "gamma": NeuronRegressor("exp", "gamma", **STRICT),
        "tweedie": NeuronRegressor("exp", Tweedie(power=1.3), **STRICT),
    }[name]


def family_of(name):
    links, families = sm.families.links, sm.families
    return {
        "ols": families.Gaussian(),
        "logit": families.Binomial(),
        "probit": families.Binomial(links.Probit()),
        "cloglog": families.Binomial(links.CLogLog()),
        "poisson": families.Poisson(),
        "gamma": families.Gamma(links.Log()),
        "tweedie": families.Tweedie(links.Log(), var_power=1.3),
    }[name]


def target_of(name):
    kinds = {"ols": "numbers", "poisson": "counts", "gamma": "amounts", "tweedie": "counts"}
    return TARGETS[kinds.get(name, "labels")]


def assert_agree(got, expected, rtol=1e-6):
    """Weights, errors, statistics, p-values and intervals to 6 digits."""
    for column, theirs in (
        ("weight", expected.params),
        ("std_error", expected.bse),
        ("statistic", expected.tvalues),
        ("p_value", expected.pvalues),
        ("ci_low", expected.conf_int()[:, 0]),
        ("ci_high", expected.conf_int()[:, 1]),
    ):
        np.testing.assert_allclose(got[column], theirs, rtol=rtol, atol=1e-12, err_msg=column)


MODELS = ["ols", "logit", "probit", "cloglog", "poisson", "gamma", "tweedie"]


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.DomainWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1"])
@pytest.mark.parametrize("weights", [None, "frequency", "importance"])
def test_agrees_with_statsmodels(name, cov_type, weights):
    y, given, kwargs = target_of(name), None, {}
    if weights == "frequency":
        given, kwargs = COUNTS, {"freq_weights": COUNTS}
    if weights == "importance":
        given, kwargs = NOT_A_COUNT, {"var_weights": NOT_A_COUNT}
    model = neuron_of(name).fit(X, y, given)
    got = coef_table(model, X, y, given, cov_type=cov_type, weights=weights or "frequency")
    if name == "ols":
        if weights == "frequency":  # k copies of a row, literally
            rows = np.repeat(np.arange(N), COUNTS.astype(int))
            reference = sm.OLS(y[rows], A[rows])
        else:
            reference = sm.WLS(y, A, NOT_A_COUNT) if weights else sm.OLS(y, A)
        expected = reference.fit(cov_type=cov_type, use_t=True)
    elif weights == "frequency" and cov_type != "nonrobust":
        rows = np.repeat(np.arange(N), COUNTS.astype(int))
        expected = sm.GLM(y[rows], A[rows], family=family_of(name)).fit(
            method="newton", tol=1e-14, cov_type=cov_type
        )
    else:
        expected = sm.GLM(y, A, family=family_of(name), **kwargs).fit(
            method="newton", tol=1e-14, cov_type=cov_type
        )
    if cov_type == "HC1" and name != "ols":
        # Outside OLS, statsmodels leaves the correction n / (n - p) out.
        n_rows = COUNTS.sum() if weights == "frequency" else N
        factor = np.sqrt(n_rows / (n_rows - 4))
        np.testing.assert_allclose(got["std_error"], factor * expected.bse, rtol=1e-6)
        return
    assert_agree(got, expected)
    assert got.attrs["cov_type"] == cov_type


@pytest.mark.parametrize("name", ["logit", "probit"])
def test_agrees_with_the_discrete_models(name):
    y = target_of(name)
    model = neuron_of(name).fit(X, y)
    reference = {"logit": sm.Logit, "probit": sm.Probit}[name](y, A).fit(
        disp=0, tol=1e-14, method="newton"
    )
    assert_agree(coef_table(model, X, y), reference)


@pytest.mark.parametrize("name", ["probit", "cloglog", "gamma", "logit", "ols"])
def test_expected_information_is_that_of_iterated_least_squares(name):
    y = target_of(name)
    model = neuron_of(name).fit(X, y)
    expected = sm.GLM(y, A, family=family_of(name)).fit(tol=1e-14)
    got = coef_table(model, X, y, information="expected")
    np.testing.assert_allclose(got["std_error"], expected.bse, rtol=1e-6)
    observed = coef_table(model, X, y)["std_error"]
    canonical = name in ("logit", "ols")
    assert np.allclose(got["std_error"], observed, rtol=1e-6) == canonical


@pytest.mark.parametrize("name", ["probit", "cloglog"])
def test_expected_information_where_levels_round_to_their_ends(name):
    iris, species = load_iris(return_X_y=True)
    rows, y = StandardScaler().fit_transform(iris)[50:], (species[50:] == 2).astype(int)
    model = neuron_of(name).fit(rows, y)
    assert np.isin(model.predict_proba(rows), [0.0, 1.0]).any()
    expected = sm.GLM(y, sm.add_constant(rows, prepend=False), family=family_of(name)).fit(
        tol=1e-14
    )
    got = coef_table(model, rows, y, information="expected")
    np.testing.assert_allclose(got["std_error"], expected.bse, rtol=1e-4)


@pytest.mark.parametrize("reference", [0, 2])
def test_agrees_with_multinomial_logit(reference):
    y = np.digitize(Z + RNG.logistic(size=N), [-1, 0.5])
    layer = NeuronClassifier(**STRICT).fit(X, y)
    order = np.argsort(np.argsort([k != reference for k in range(3)], kind="stable"))
    expected = sm.MNLogit(order[y], A).fit(disp=0, tol=1e-14, method="newton")
    got = coef_table(layer, X, y, reference=reference)
    assert list(got["neuron"].unique()) == [
        f"{k} - {reference}" for k in range(3) if k != reference
    ]
    np.testing.assert_allclose(got["weight"], expected.params.T.ravel(), rtol=1e-6)
    np.testing.assert_allclose(got["std_error"], expected.bse.T.ravel(), rtol=1e-6)
    np.testing.assert_allclose(got["p_value"], expected.pvalues.T.ravel(), rtol=1e-5, atol=1e-12)
    penalised = coef_table(NeuronClassifier().fit(X, y), X, y, reference=reference)
    np.testing.assert_allclose(penalised["std_error"], got["std_error"], rtol=0.05)


def test_no_bias():
    y = TARGETS["numbers"]
    model = NeuronRegressor(fit_intercept=False, **STRICT).fit(X, y)
    assert_agree(coef_table(model, X, y), sm.OLS(y, X).fit())


def test_several_neurons_and_their_own_errors():
    Y = np.column_stack([TARGETS["numbers"], TARGETS["amounts"]])
    got = coef_table(NeuronRegressor(**STRICT).fit(X, Y), X, Y)
    for k in range(2):
        assert_agree(got[got["neuron"] == f"neuron{k}"], sm.OLS(Y[:, k], A).fit())


def test_level_of_the_intervals():
    y = TARGETS["labels"]
    got = coef_table(neuron_of("logit").fit(X, y), X, y, level=0.8)
    expected = sm.Logit(y, A).fit(disp=0).conf_int(alpha=0.2)
    np.testing.assert_allclose(got[["ci_low", "ci_high"]], expected, rtol=1e-5)


def test_sparse_rows_and_frames():
    y = TARGETS["labels"]
    dense = coef_table(neuron_of("logit").fit(X, y), X, y)
    got = coef_table(neuron_of("logit").fit(sparse.csr_array(X), y), sparse.csr_array(X), y)
    pd.testing.assert_frame_equal(got, dense, rtol=1e-6)


# -- scales ----------------------------------------------------------------------------------------


def test_scale_std():
    y = TARGETS["numbers"]
    got = coef_table(neuron_of("ols").fit(X, y), X, y, scale="std")
    scaled = coef_table(
        neuron_of("ols").fit(StandardScaler().fit_transform(X), y),
        StandardScaler().fit_transform(X),
        y,
    )
    for column in ("weight", "std_error", "p_value"):
        np.testing.assert_allclose(got[column], scaled[column], rtol=1e-6)
    with pytest.raises(ValueError, match="needs X"):
        coef_table(neuron_of("ols").fit(X, y), scale="std")


def test_scale_original_undoes_a_scaler():
    y = TARGETS["labels"]
    model = make_pipeline(StandardScaler(), neuron_of("logit")).fit(X, y)
    plain = coef_table(neuron_of("logit").fit(X, y), X, y)
    got = coef_table(model, X, y, scale="original")
    for column in ("weight", "std_error", "statistic", "p_value", "ci_low", "ci_high"):
        np.testing.assert_allclose(got[column], plain[column], rtol=1e-5)
    assert "level" in got["note"][0]


def test_levels_against_the_dropped_one():
    data, y = table(n=400, missing=False)
    data = data[["sqft", "zip"]]
    model = make_pipeline(one_hot("first"), neuron_of("ols")).fit(data, y)
    got = coef_table(model, data, y, scale="original").set_index("feature")
    dummies = pd.get_dummies(data["zip"], drop_first=True).to_numpy(float)
    expected = sm.OLS(y, np.column_stack([data["sqft"], dummies, np.ones(400)])).fit()
    np.testing.assert_allclose(got["weight"], expected.params, rtol=1e-6)
    np.testing.assert_allclose(got["std_error"], expected.bse, rtol=1e-6)
    assert list(got.index) == ["sqft", "zip=95610", "zip=95621", "zip=95630", "zip=95683", "bias"]
    assert "against 95603" in got["note"]["zip=95610"]


def one_hot(drop):
    return make_column_transformer(
        ("passthrough", ["sqft"]), (OneHotEncoder(drop=drop, sparse_output=False), ["zip"])
    )


def test_levels_against_the_mean_of_the_rows():
    data, y = table(n=400, missing=False)
    data = data[["sqft", "zip"]]
    dropped = make_pipeline(one_hot("first"), neuron_of("ols")).fit(data, y)
    full = make_pipeline(one_hot(None), NeuronRegressor(alpha=1e-9, tol=1e-14)).fit(data, y)
    reference = coef_table(dropped, data, y, scale="original").set_index("feature")
    got = coef_table(full, data, y, scale="original").set_index("feature")
    share = data["zip"].value_counts(normalize=True)
    effects = pd.Series({z: reference["weight"].get(f"zip={z}", 0.0) for z in share.index})
    expected = effects - (share * effects).sum()
    for z in share.index:
        np.testing.assert_allclose(got["weight"][f"zip={z}"], expected[z], rtol=1e-4)
        assert got["std_error"][f"zip={z}"] > 0
    # The weights themselves are not determined: what goes to the bias may go to all levels.
    raw = coef_table(full, data, y).set_index("feature")
    assert raw["std_error"].drop("passthrough__sqft", errors="ignore").isna()[1:].all()
    assert "not determined" in raw["note"].iloc[2]
    assert raw["std_error"].iloc[0] > 0


def test_levels_of_a_derived_column():
    """Bins that a one-hot encoder reads are levels; no raw column has them."""
    bins = KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")
    model = make_pipeline(bins, OneHotEncoder(), neuron_of("logit")).fit(X, TARGETS["labels"])
    got = coef_table(model, X, TARGETS["labels"], scale="original").set_index("feature")
    codes = bins.transform(X)
    neuron = model[-1]
    total = np.full(N, got["weight"]["bias"])
    for j in range(3):
        level = [f"x{j}={code:.1f}" for code in codes[:, j]]
        total += got["weight"][level].to_numpy()
        weight = neuron.coef_[0, 4 * j : 4 * j + 4]
        mean = np.bincount(codes[:, j].astype(int)) @ weight / N
        np.testing.assert_allclose(got["weight"][f"x{j}=2.0"], weight[2] - mean)
    np.testing.assert_allclose(total, model.decision_function(X), rtol=1e-9)
    assert got["note"]["x0=0.0"].startswith("against the mean of these rows")


def test_a_missing_word_beside_the_one_in_its_place():
    data = pd.DataFrame({"kind": ["a", "a", "b", None] * 25}, dtype=object)
    words = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values=None), OneHotEncoder()
    )
    union = make_union(MissingIndicator(missing_values=None), words)
    y = np.arange(100.0) % 4
    model = make_pipeline(union, NeuronRegressor()).fit(data, y)
    got = coef_table(model, scale="original").set_index("feature")
    assert got["note"]["kind is missing"].startswith("beside the imputed a;")
    np.testing.assert_allclose(got["weight"]["kind is missing"], model[-1].coef_[0])


@pytest.mark.parametrize("name", PIPELINES)
def test_original_units_reproduce_predictions(name):
    """Bias, slopes times numbers and the level's effect sum to what the pipeline predicts."""
    data, y = table(missing=False)
    if name == "union":
        data.loc[3, "age"] = np.nan
    model = make_pipeline(clone(PIPELINES[name]), NeuronRegressor()).fit(data, y)
    weight = coef_table(model, data, y, scale="original").set_index("feature")["weight"]
    total = np.full(len(data), weight["bias"])
    for column in data:
        if column in weight.index:
            total += weight[column] * data[column].fillna(0)
        for feature, w in weight.items():
            if feature.startswith(f"{column}="):
                levels = feature.partition("=")[2].split(" or ")
                total += w * data[column].astype(str).isin(levels)
    kept = data["age"].notna().to_numpy()
    np.testing.assert_allclose(total[kept], model.predict(data)[kept], rtol=1e-9)


def test_words_for_units():
    data, y = table(missing=False)
    numbers = data[["sqft", "age"]]
    scaled = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0))
    logged = TransformedTargetRegressor(scaled, func=np.log, inverse_func=np.exp).fit(numbers, y)
    got = coef_table(logged, numbers, y, scale="original")
    more = numbers[:1].assign(sqft=numbers["sqft"][0] + 1)
    percent = 100 * (logged.predict(more) / logged.predict(numbers[:1]) - 1)[0]
    assert f"one more: y {percent:+.3g}%" in got["note"][0]
    affine = TransformedTargetRegressor(scaled, transformer=StandardScaler()).fit(numbers, y)
    in_dollars = coef_table(affine, numbers, y, scale="original")
    plain = coef_table(clone(scaled).fit(numbers, y), numbers, y, scale="original")
    np.testing.assert_allclose(in_dollars["weight"], plain["weight"], rtol=1e-6)
    np.testing.assert_allclose(in_dollars["std_error"], plain["std_error"], rtol=1e-6)


def test_each_of_several_scaled_targets_has_its_unit():
    data, y = table(missing=False)
    numbers, both = data[["sqft", "age"]], np.column_stack([y, 3 - 2 * y])
    scaled = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0))
    model = TransformedTargetRegressor(scaled, transformer=MinMaxScaler()).fit(numbers, both)
    got = coef_table(model, numbers, both, scale="original")
    plain = coef_table(clone(scaled).fit(numbers, both), numbers, both, scale="original")
    for name in ("weight", "std_error"):
        np.testing.assert_allclose(got[name], plain[name], rtol=1e-6)


@pytest.mark.parametrize("activation", ["exp", "tanh"])
def test_behind_an_activation_that_bends_weights_are_of_z(activation):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    y = 50 * np.exp(0.3 * data["a"] + 0.1 * rng.normal(size=200))
    neuron = NeuronRegressor(activation, alpha=0, random_state=0)
    model = TransformedTargetRegressor(neuron, transformer=MinMaxScaler((0.1, 0.8))).fit(data, y)
    got = coef_table(model, data, y, scale="original")
    raw = coef_table(model, data, y)
    for name in ("weight", "std_error"):
        np.testing.assert_allclose(got[name], raw[name], rtol=1e-9)
    assert got["note"].iloc[-1].startswith("z at 0 of every number")
    level = unfold(model).neuron.transform
    more = level(data.assign(a=data["a"] + 1)) / level(data)
    if activation == "exp":
        assert f"one more: level {100 * (more[0, 0] - 1):+.3g}%" in got["note"][0]
    # A square is no share of y.
    model = TransformedTargetRegressor(neuron, func=np.sqrt, inverse_func=np.square)
    note = coef_table(model.fit(data, y / y.max()), data, y / y.max(), scale="original")["note"][0]
    assert "level" in note


# -- where errors mean nothing ---------------------------------------------------------------------


def assert_refused(got, word):
    assert got[["std_error", "statistic", "p_value", "ci_low", "ci_high"]].isna().all(axis=None)
    assert got["weight"].notna().all()
    assert got["note"].str.contains(word).all()
    assert word in got.attrs["reason"]


def test_without_rows():
    model = neuron_of("logit").fit(X, TARGETS["labels"])
    assert_refused(coef_table(model), "need X and y")
    assert_refused(coef_table(model, X), "need X and y")


def test_other_rows_are_noticed():
    y = TARGETS["labels"]
    half = neuron_of("logit").fit(X[::2], y[::2])
    assert_refused(coef_table(half, X, y), "not the rows")
    assert_refused(coef_table(half, X[1::2], y[1::2]), "not the rows")
    assert_refused(coef_table(half, X[::2], y[1::2]), "not the rows")
    weighted = neuron_of("logit").fit(X, y, COUNTS)
    assert_refused(coef_table(weighted, X, y), "not the rows")
    early = NeuronClassifier(early_stopping=True, random_state=1).fit(X, y)
    assert_refused(coef_table(early, X, y), "other rows than these")


def test_penalty_that_moved_weights():
    y = TARGETS["numbers"]
    got = coef_table(NeuronRegressor(alpha=0.1).fit(X, y), X, y)
    assert_refused(got, "alpha=0.1 moved weights")
    moved = coef_table(neuron_of("ols").fit(X, y), X, y)
    # To first order the shrinkage is the difference to the fit without penalty.
    light = coef_table(NeuronRegressor(alpha=1e-5, tol=1e-14).fit(X, y), X, y)
    difference = (light["weight"] - moved["weight"]).abs() / moved["std_error"]
    np.testing.assert_allclose(light["shrinkage"], difference, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize(
    ("neuron", "word"),
    [
        (NeuronRegressor("relu"), "relu"),
        (NeuronRegressor("leaky_relu"), "kinks"),
        (NeuronRegressor(loss="absolute_error"), "absolute_error"),
        (NeuronRegressor(loss=Quantile(0.7)), "quantile"),
        (NeuronRegressor(l1_ratio=0.5), "L1"),
    ],
)
def test_refusals(neuron, word):
    y = TARGETS["amounts"]
    assert_refused(coef_table(neuron.fit(X, y), X, y), word)


def test_hinge_and_too_few_rows():
    y = TARGETS["labels"]
    hinge = NeuronClassifier("identity", "hinge").fit(X, y)
    assert_refused(coef_table(hinge, X, y), "hinge")
    wide = RNG.standard_normal((5, 10))
    model = NeuronRegressor().fit(wide, wide[:, 0])
    assert_refused(coef_table(model, wide, wide[:, 0]), "not more rows than weights")


def test_no_likelihood_means_robust_errors():
    y = 1 / (1 + np.exp(-Z + 0.3 * RNG.standard_normal(N)))
    for neuron in (
        NeuronRegressor("sigmoid", alpha=0),
        NeuronRegressor("tanh", alpha=0),
        NeuronRegressor("sigmoid", "log_loss", alpha=0),
        NeuronRegressor(loss=Huber(), alpha=0),
    ):
        got = coef_table(neuron.fit(X, y), X, y)
        assert got.attrs["cov_type"] == "HC1"
        assert got["note"].str.contains("HC1").all()
        assert got["std_error"].notna().all()


def test_balanced_classes_of_weighted_rows_are_those_of_copies():
    y = TARGETS["labels"]
    model = NeuronClassifier(class_weight="balanced", **STRICT)
    counted = coef_table(model.fit(X, y, COUNTS), X, y, COUNTS)
    rows = np.repeat(np.arange(N), COUNTS.astype(int))
    copied = coef_table(model.fit(X[rows], y[rows]), X[rows], y[rows])
    for name in ("weight", "std_error"):
        np.testing.assert_allclose(counted[name], copied[name], rtol=1e-6)
    assert counted["std_error"].notna().all()


def test_class_weights_mean_robust_errors():
    y = TARGETS["labels"]
    got = coef_table(NeuronClassifier(class_weight={0: 1, 1: 3}, **STRICT).fit(X, y), X, y)
    expected = sm.GLM(y, A, family=sm.families.Binomial(), var_weights=np.where(y, 3.0, 1.0)).fit(
        cov_type="HC0"
    )
    factor = np.sqrt(N / (N - 4))
    np.testing.assert_allclose(got["std_error"], factor * expected.bse, rtol=1e-5)


def test_notes_on_collinear_and_rare_columns():
    rare = np.zeros(N)
    rare[:2] = 1
    data = pd.DataFrame(X, columns=["a", "b", "c"])
    data["d"] = data["a"] + 0.1 * RNG.standard_normal(N)
    data["rare"] = rare
    y = TARGETS["numbers"]
    notes = coef_table(NeuronRegressor(alpha=0).fit(data, y), data, y).set_index("feature")["note"]
    assert "collinear with d" in notes["a"]
    assert "collinear with a" in notes["d"]
    assert not notes["b"]
    assert "only 2 rows" in notes["rare"]


@pytest.mark.parametrize("sparse_threshold", [0.0, 1.0])
def test_notes_on_rare_indicators_and_in_the_names_of_raw_columns(sparse_threshold):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "sqft": rng.uniform(500, 4000, 300),
            "kind": rng.choice(["condo", "flat", "house"], 300, p=[0.01, 0.5, 0.49]),
        }
    )
    data.loc[5, "sqft"] = np.nan
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["sqft"]),
        (OneHotEncoder(drop="first"), ["kind"]),
        sparse_threshold=sparse_threshold,
    )
    y = data["sqft"].fillna(1000) + rng.standard_normal(300)
    model = make_pipeline(columns, NeuronRegressor(alpha=0)).fit(data, y)
    notes = coef_table(model, data, y, scale="original").set_index("feature")["note"]
    assert "only 1 row differs" in notes["sqft is missing"]
    assert "collinear with kind=house" in notes["kind=flat"]
    raw = coef_table(model, data, y).set_index("feature")["note"]
    assert "collinear with onehotencoder__kind_house" in raw["onehotencoder__kind_flat"]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_constant_column_is_not_determined_and_adds_no_distance(form):
    """A constant such as 1/3 leaves rounding where it is centred."""
    y = TARGETS["numbers"]
    rows = np.column_stack([X, np.full(N, 1 / 3)])
    table = coef_table(NeuronRegressor(alpha=0).fit(rows, y), form(rows), y)
    assert "its column is constant" in table["note"].iloc[3]
    assert np.isnan(table["std_error"].iloc[3])
    assert table["std_error"].drop(index=[3, 4]).notna().all()
    rows[0, 3] = 1.0
    model = NeuronRegressor(alpha=1e-6).fit(rows, y)
    note = coef_table(model, form(rows[1:]), y[1:] + y.std())["note"].iloc[0]
    assert "these are not the rows" in note
    assert float(note.partition(" standard errors")[0].split()[-1]) < 100


def test_separated_classes():
    data, y = load_iris(return_X_y=True, as_frame=True)
    data, y = data[y < 2], y[y < 2]
    model = make_pipeline(StandardScaler(), NeuronClassifier()).fit(data, y)
    assert_refused(coef_table(model, data, y), "separated")


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.coo_matrix])
def test_targets_in_a_sparse_matrix_are_looked_at(kind):
    Y = np.column_stack([TARGETS["labels"], TARGETS["labels"][::-1]])
    model = NeuronClassifier(alpha=0.0).fit(X, Y)
    given = kind(Y)
    pd.testing.assert_frame_equal(coef_table(model, X, given), coef_table(model, X, Y))
    assert str(diagnose(model, X, given)) == str(diagnose(model, X, Y))
    assert to_html(model, X, given) == to_html(model, X, Y)


def test_a_hidden_layer_has_no_standard_errors_and_says_why():
    y = TARGETS["labels"]
    layer = NeuronLayer(2, random_state=0).fit(X, y)
    assert_refused(coef_table(layer, X, y), "no targets of their own")


def test_options_are_checked():
    model = neuron_of("logit").fit(X, TARGETS["labels"])
    for kwargs in (
        {"scale": "units"},
        {"cov_type": "HC3"},
        {"weights": "w"},
        {"level": 95},
        {"level": "95%"},
        {"information": "fisher"},
        {"reference": 1},
    ):
        with pytest.raises(ValueError, match=next(iter(kwargs))):
            coef_table(model, X, TARGETS["labels"], **kwargs)
    with pytest.raises(ValueError, match="y has 3 values, but X has 400"):
        coef_table(model, X, [0, 1, 0])
    with pytest.raises(ValueError, match="sample_weight"):
        coef_table(model, X, TARGETS["labels"], -COUNTS)


def test_default_penalty_on_a_thousand_rows():
    data, y = load_diabetes(return_X_y=True, as_frame=True)
    data, y = pd.concat([data] * 3, ignore_index=True), np.tile(y, 3)
    model = make_pipeline(StandardScaler(), NeuronRegressor()).fit(data, y)
    assert coef_table(model, data, y)["std_error"].notna().all()


def test_tanh_is_a_sigmoid_of_twice_z():
    y = TARGETS["labels"]
    logit = coef_table(neuron_of("logit").fit(X, y), X, y)
    got = coef_table(NeuronClassifier("tanh", **STRICT).fit(X, y), X, y)
    np.testing.assert_allclose(2 * got["std_error"], logit["std_error"], rtol=1e-5)
    expected = coef_table(
        NeuronClassifier("tanh", **STRICT).fit(X, y), X, y, information="expected"
    )
    np.testing.assert_allclose(expected["std_error"], got["std_error"], rtol=1e-5)


def test_several_labels():
    Y = np.column_stack([TARGETS["labels"], RNG.integers(0, 2, N)])
    got = coef_table(NeuronClassifier(**STRICT).fit(X, Y), X, Y)
    assert_agree(got[got["neuron"] == "1"], sm.Logit(Y[:, 1], A).fit(disp=0, tol=1e-14))


def test_exact_fits_and_missing_targets():
    got = coef_table(NeuronRegressor(alpha=0).fit(X, X[:, 0]), X, X[:, 0])
    assert_refused(got, "the fit is exact")
    model = NeuronRegressor().fit(X, TARGETS["numbers"])
    with pytest.raises(ValueError, match="y contains missing values"):
        coef_table(model, X, np.where(TARGETS["numbers"] > 0, np.nan, TARGETS["numbers"]))


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(drop=["a"]),
        OrdinalEncoder(encoded_missing_value=-2),
        TargetEncoder(),
    ],
    ids=["one-hot", "dropped", "ordinal", "target"],
)
def test_a_missing_word_with_a_code_of_its_own_is_a_level(encoder):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"word": rng.choice(["a", "b", "c", None], 200), "x": rng.normal(size=200)})
    y = X["x"] + X["word"].isna() - (X["word"] == "b") + 0.1 * rng.normal(size=200)
    columns = make_column_transformer((encoder, ["word"]), ("passthrough", ["x"]))
    model = make_pipeline(columns, NeuronRegressor(alpha=1e-6)).fit(X, y)
    weight = coef_table(model, X, y, scale="original").set_index("feature")["weight"]
    z = weight["bias"] + weight["x"] * X["x"] + weight["word is missing"] * X["word"].isna()
    for level in "abc":
        z += weight.get(f"word={level}", 0.0) * (X["word"] == level)
    np.testing.assert_allclose(z, model.predict(X), rtol=1e-10, atol=1e-10)


def test_a_missing_word_that_is_like_any_unknown_one_is_no_level():
    X = pd.DataFrame({"word": ["a", "b", "c"] * 20})
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["word"]))
    model = make_pipeline(columns, NeuronRegressor()).fit(X, np.arange(60.0))
    table = coef_table(model, X, np.arange(60.0), scale="original")
    assert table["feature"].tolist() == ["word=a", "word=b", "word=c", "bias"]
