"""A doctor that finds what is wrong, is silent about what is not, and whose advice cures."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.inspection import Diagnosis, Finding, coef_table, diagnose
from sknneuron.inspection.diagnosis import CHECKS, MOST_ROWS

from .healthy import HEALTHY
from .sick import SICK, made, refit

# Codes that are at most a hint: they say what is worth knowing of a fit that may be as meant.
HINTS = {"LEAK", "CONSTANT_FEATURE", "OTHER_ROWS"}


def found(diagnosis, code):
    return [f for f in diagnosis if f.code == code and (f.severity != "info" or code in HINTS)]


def test_the_catalogues_are_large():
    kinds = Counter(fit.code for fit in SICK.values())
    assert set(kinds) == set(CHECKS)
    assert min(kinds.values()) >= 3
    # So many as docs/inside_doctor.rst says.
    assert min(len(SICK), len(HEALTHY)) > 170


@pytest.fixture(scope="module")
def sick_fits():
    """Sick fits and their diagnoses, made once."""
    made_once = {}

    def of(name):
        if name not in made_once:
            sick = SICK[name]
            X, y = sick.data()
            model = sick.train(sick.make(), X, y, **sick.fit_params)
            made_once[name] = X, y, model, diagnose(model, X, y)
        return made_once[name]

    return of


@pytest.mark.parametrize("name", SICK)
def test_finds_what_is_wrong(name, sick_fits):
    *_, diagnosis = sick_fits(name)
    code = SICK[name].code
    assert found(diagnosis, code), diagnosis
    if code not in HINTS:
        assert diagnosis


@pytest.mark.slow
@pytest.mark.parametrize("name", SICK)
def test_advice_cures(name, sick_fits):
    X, y, model, diagnosis = sick_fits(name)
    sick = SICK[name]
    finding = found(diagnosis, sick.code)[0]
    cured, X, y = sick.cure(finding, model, X, y)
    refit(cured, X, y, **sick.fit_params)
    assert not found(diagnose(cured, X, y), sick.code), finding


QUICK = [name for i, name in enumerate(HEALTHY) if i % 4 == 0 and "ames" not in name]


def check_healthy(name):
    fit = HEALTHY[name]
    X, y = fit.data()
    fit_params = fit.fit_params()
    # No warning of `fit` either: pytest makes an error of it.
    model = fit.make().fit(X, y, **fit_params)
    diagnosis = diagnose(model, X, y, fit_params.get("sample_weight"))
    assert not diagnosis, diagnosis


@pytest.mark.parametrize("name", QUICK)
def test_is_silent_on_healthy_fits(name):
    check_healthy(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HEALTHY if name not in QUICK])
def test_is_silent_on_the_other_healthy_fits(name):
    check_healthy(name)


@pytest.mark.parametrize(
    ("prefix", "category", "words"),
    [
        ("DEAD", NeuronWarning, "Dead neuron"),
        ("DIVERGED", ConvergenceWarning, "diverged"),
        ("NOT_CONVERGED", ConvergenceWarning, "did not converge"),
    ],
)
def test_fit_warns_of_what_makes_it_useless(prefix, category, words):
    names = [name for name in SICK if name.startswith(prefix + ":")]
    for name in names:
        sick = SICK[name]
        X, y = sick.data()
        model = sick.train(sick.make(), X, y, **sick.fit_params)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y, **sick.fit_params)
        assert any(issubclass(w.category, category) and words in str(w.message) for w in caught), (
            name
        )


@pytest.mark.parametrize("model", [NeuronRegressor(alpha=1e3), NeuronClassifier(alpha=1e3)])
def test_fit_warns_of_a_penalty_that_leaves_nothing(model):
    X, y = made(500)
    with pytest.warns(NeuronWarning, match="alpha=1000"):
        model.fit(X, y if isinstance(model, NeuronRegressor) else y > 0)


def test_fit_warns_of_a_constant_prediction():
    X, y = made(500)
    with pytest.warns(NeuronWarning, match="predicts the same for every row"):
        NeuronRegressor(alpha=100, l1_ratio=1).fit(X, y)


def test_what_a_diagnosis_is():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    diagnosis = diagnose(refit(NeuronClassifier(), X, y), X, y)
    assert isinstance(diagnosis, Diagnosis)
    assert diagnosis
    assert diagnosis.codes[0] == "UNSCALED"
    table = diagnosis.to_frame()
    assert list(table["code"]) == [f.code for f in diagnosis]
    assert list(table)[:5] == ["code", "severity", "value", "message", "advice"]
    assert len(diagnosis) == len(table)
    assert "WARNING UNSCALED" in str(diagnosis)
    assert "StandardScaler" in repr(diagnosis)
    order = ["error", "warning", "info"]
    assert [order.index(f.severity) for f in diagnosis] == sorted(
        order.index(f.severity) for f in diagnosis
    )


def test_nothing_to_report():
    X, y = made()
    diagnosis = diagnose(NeuronRegressor().fit(X, y), X, y)
    assert not diagnosis
    assert len(diagnosis) == 0
    assert str(diagnosis) == "Nothing to report on this neuron."
    assert diagnosis.to_frame().empty
    assert "Nothing to report" in diagnosis._repr_html_()


def test_names_are_escaped_in_html():
    finding = Finding("LEAK", "info", 1.0, "Column '<script>alert(1)</script>'", "drop it")
    html = Diagnosis([finding])._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_without_targets():
    X, y = made()
    X["again"] = 2 * X["a"]
    model = make_pipeline(StandardScaler(), NeuronRegressor()).fit(X, y)
    assert diagnose(model, X).codes == ["COLLINEAR"]
    relu = NeuronRegressor("relu").fit(X.iloc[:, :4], np.maximum(y, 0.1))
    assert "DEAD" in diagnose(relu, X.iloc[:, :4] * 0 - 100 * np.sign(relu.coef_)).codes


def test_several_neurons_are_named():
    X, y = made(300)
    Y = np.column_stack([y, np.random.default_rng(0).standard_normal(300)])
    diagnosis = diagnose(NeuronRegressor().fit(X, Y), X, Y)
    assert not diagnosis
    assert "neuron 'neuron1'" in str(diagnosis)


def test_partial_fit_is_no_illness():
    X, y = made(2000, noise=0.5)
    model = NeuronRegressor(random_state=0)
    for start in range(0, 2000, 50):
        model.partial_fit(X[start : start + 50], y[start : start + 50])
    diagnosis = diagnose(model, X, y)
    assert not diagnosis, diagnosis
    assert diagnosis.codes == ["NOT_CONVERGED"]


@pytest.mark.parametrize("record", [False, "loss", True])
def test_whatever_was_recorded(record):
    X, y = made()
    model = NeuronRegressor(record=record, solver="sgd", random_state=0).fit(X, y)
    assert not diagnose(model, X, y)
    model = refit(model.set_params(learning_rate_init=50.0), X, y)
    assert "DIVERGED" in diagnose(model, X, y).codes


def test_many_rows_are_thinned(monkeypatch):
    monkeypatch.setattr("sknneuron.inspection.diagnosis.MOST_ROWS", 200)
    X, y = made(1000)
    X["again"] = X["a"]
    for given in (X, X.to_numpy()):
        model = NeuronRegressor().fit(given, y)
        assert diagnose(model, given, y, np.ones(1000)).codes == ["COLLINEAR"]


def test_other_rows_than_those_fitted_on():
    X, y = load_iris(return_X_y=True)
    layer = NeuronClassifier(alpha=1e-2).fit(X, y)
    assert not diagnose(layer, X[:100], y[:100])
    frame = pd.DataFrame(X[:100])
    assert not diagnose(layer, frame.to_numpy(), y[:100])


def test_bad_input():
    X, y = made()
    model = NeuronRegressor().fit(X, y)
    with pytest.raises(ValueError, match="y has 10 values, but X has 300 rows"):
        diagnose(model, X, y[:10])
    with pytest.raises(ValueError, match="sample_weight"):
        diagnose(model, X, y, -np.ones(300))
    gaps = X.copy()
    gaps.iloc[[3, 9], 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN .*: 2 values, the first in row 3, input 'b'"):
        diagnose(model, gaps, y)
    with pytest.raises(TypeError, match="X must be a table"):
        diagnose(model, {"a": [1.0]}, y)


@pytest.mark.parametrize("n_rows", [1, 2, 20])
def test_degenerate_rows(n_rows):
    X, y = made(300)
    model = NeuronRegressor().fit(X, y)
    assert not diagnose(model, X[:n_rows], y[:n_rows]), n_rows
    constant = np.ones((20, 2))
    assert diagnose(refit(NeuronRegressor(), constant, y[:20]), constant, y[:20]).codes == [
        "UNDERFIT",
        "CONSTANT_FEATURE",
    ]


def test_a_dead_start_is_not_blamed_on_the_targets():
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = np.maximum(X @ [2.0, -1.0, 0.5], 0)
    relu = NeuronRegressor("relu", random_state=0).fit(X, y)
    relu.coef_, relu.intercept_ = np.zeros(3), -1.0
    refit(relu.set_params(warm_start=True, solver="sgd"), X, y)
    cured = relu.set_params(**diagnose(relu, X, y)[0].params).fit(X, y)
    assert cured.activation == "relu"
    assert cured.score(X, y) > 0.999


def in_parts(X, y, **params):
    neuron = NeuronRegressor(random_state=0, **params)
    for _ in range(20):
        for start in range(0, len(X), 100):
            neuron.partial_fit(X[start : start + 100], y[start : start + 100])
    return neuron


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_batches_of_other_rows_are_no_divergence(solver):
    X, y = made(1000)
    order = np.argsort(y)
    diagnosis = diagnose(in_parts(X.iloc[order], y.iloc[order], solver=solver), X, y)
    assert set(diagnosis.codes) <= {"NOT_CONVERGED"}, diagnosis


def test_partial_fit_that_leaves_much_to_gain_says_so():
    X, y = made(1000)
    order = np.argsort(X["a"])
    neuron = in_parts(X.iloc[order], y.iloc[order] * 1e5, learning_rate_init=1e-6)
    finding = next(f for f in diagnose(neuron, X, y * 1e5) if f.code == "NOT_CONVERGED")
    assert finding.severity == "warning"
    assert "still to be had" in finding.message
    assert "`fit`" in finding.advice


def test_advice_does_not_say_what_is_so_already():
    X, y = made(300)
    for params in ({}, {"learning_rate_init": 50.0}):
        neuron = refit(NeuronRegressor(solver="sgd", random_state=0, **params), X, y)
        neuron.history_["objective"][-1] = 1e9
        (finding,) = (f for f in diagnose(neuron, X, y) if f.code == "DIVERGED")
        assert ("'auto', or" in finding.advice) == bool(params)


@pytest.mark.parametrize("alpha", [3, 50])
def test_an_l1_penalty_beside_dummies_is_not_blamed_on_their_units(alpha):
    X, y = made()
    X = X.assign(zip=np.where(X["c"] > 0, "north", "south"))
    encode = make_column_transformer((StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["zip"]))
    with warnings.catch_warnings():
        # `fit` says so itself where no weight is left.
        warnings.simplefilter("ignore", NeuronWarning)
        model = make_pipeline(encode, NeuronRegressor(alpha=alpha, l1_ratio=1)).fit(X, y)
    (finding,) = found(diagnose(model, X, y), "OVERPENALISED")
    assert finding.params["alpha"] < alpha
    model[-1].set_params(**finding.params)
    assert not found(diagnose(model.fit(X, y), X, y), "OVERPENALISED")


def test_other_rows_are_not_blamed_on_the_penalty():
    X, y = made(300)
    diagnosis = diagnose(NeuronRegressor().fit(X, y), X, 2 * y)
    assert diagnosis.codes == ["OTHER_ROWS"]
    assert not diagnosis


def test_a_cross_fitted_encoder_is_not_taken_for_other_rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "zip": rng.integers(0, 150, 300).astype(str)})
    y = X["a"] + rng.normal(size=300)
    columns = make_column_transformer((TargetEncoder(), ["zip"]), remainder="passthrough")
    model = make_pipeline(columns, NeuronRegressor(alpha=0)).fit(X, y)
    (finding,) = found(diagnose(model, X, y), "OTHER_ROWS")
    assert "TargetEncoder coded them otherwise in the fit" in finding.message
    assert "TargetEncoder coded these rows otherwise" in coef_table(model, X, y).attrs["reason"]


def test_a_row_of_next_to_no_weight_decides_no_column():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    X[7, 0] = 300
    y, weight = X @ [1.0, -1.0] + rng.standard_normal(300), np.ones(300)
    y[7] = 1.0
    assert diagnose(NeuronRegressor().fit(X, y), X, y).codes == ["OUTLIERS"]
    weight[7] = 1e-6
    assert not diagnose(NeuronRegressor().fit(X, y, weight), X, y, weight).codes


def test_rows_without_weight_are_not_looked_at():
    X, y = made(300)
    weight = np.ones(300)
    weight[[7, 9, 20, 21, 22]] = 0
    X.iloc[7, 1], y[9], X.iloc[20:23, 0] = 1e5, 1e7, -999
    model = NeuronRegressor().fit(X, y, weight)
    assert not diagnose(model, X, y, weight).codes
    assert found(diagnose(model, X, y), "OUTLIERS")
    y[11] = 1e4
    (finding,) = diagnose(model.fit(X, y, weight), X, y, weight)
    assert (finding.code, finding.rows) == ("OUTLIERS", (11,))


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_of_many_rows_the_numbers_are_those_of_the_rows_given(make):
    n = 2 * MOST_ROWS + 1
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2))
    y = X[:, 0] + rng.standard_normal(n)
    X[150_000, 1] = 1e5
    (finding,) = found(diagnose(NeuronRegressor().fit(X, y), make(X), y), "OUTLIERS")
    assert finding.rows == (150_000,)
    assert "Row 150000 alone" in finding.message


def test_one_row_out_of_all_proportion():
    X, y = made(300)
    y[7] = 1e4
    (finding,) = diagnose(refit(NeuronRegressor(), X, y), X, y)
    assert (finding.code, finding.rows) == ("OUTLIERS", (7,))
    assert "Row 7 alone" in finding.message
    robust = NeuronRegressor(**finding.params).fit(X, y)
    assert not diagnose(robust, X, y)
    rest = np.arange(300) != 7
    best = NeuronRegressor().fit(X[rest], y[rest]).score(X[rest], y[rest])
    assert robust.score(X[rest], y[rest]) > best - 0.01


def test_a_value_is_said_in_the_columns_own_unit():
    X, y = made(300)
    X.loc[7, "a"] = 12345.0
    finding = diagnose(make_pipeline(StandardScaler(), NeuronRegressor()).fit(X, y), X, y)[0]
    assert "it has 1.234e+04" in finding.message


def test_columns_have_the_names_that_the_user_gave_them():
    X, y = made(300)
    X["told"] = np.where(y > 0, "high", "low")
    X["same"] = 7.0
    columns = make_column_transformer(
        (OneHotEncoder(), ["told"]), (StandardScaler(), list("abcd")), remainder="passthrough"
    )
    diagnosis = diagnose(make_pipeline(columns, NeuronClassifier()).fit(X, y > 0), X, y > 0)
    named = {f.code: f.features for f in diagnosis if f.features}
    assert named == {"LEAK": ("told",), "CONSTANT_FEATURE": ("same",)}


def test_rare_classes_are_named_together():
    X, _ = made(2000)
    labels = np.where(np.arange(2000) < 60, np.arange(2000) // 3, 99)
    diagnosis = diagnose(NeuronClassifier().fit(X, labels), X, labels)
    (finding,) = (f for f in diagnosis if f.code == "IMBALANCED")
    assert "'0', '1', '2', '3', '4' and 15 more" in finding.message
    assert "(60), and the neuron names them for none" in finding.message


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_a_constant_target(activation):
    X, _ = made(50)
    finding = diagnose(NeuronRegressor(activation).fit(X, np.full(50, 3)), X, np.full(50, 3))[0]
    assert finding.message == "All 50 targets are 3: there is nothing to explain."


def test_early_stopping_at_the_start_is_not_the_penalty():
    X, y = made(300)
    X_val, y_val = X * [-1, -1, 1, 1], y
    neuron = refit(NeuronRegressor(early_stopping=True), X, y, X_val=X_val, y_val=y_val)
    (finding,) = diagnose(neuron, X, y)
    assert "X_val" in finding.advice
    assert finding.params == {"early_stopping": False}


def test_levels_without_a_class_are_said_together():
    X, y = made(300)
    labels = y > 0
    for name in "efg":
        X[name] = (np.random.default_rng(ord(name)).random(300) < 0.05) & labels
    (finding,) = diagnose(refit(NeuronClassifier(alpha=0), X, labels), X, labels)
    assert (finding.code, finding.features) == ("SEPARABLE", ("e", "f", "g"))
    assert "with 1 in column 'e' is of class 'False' (and 2 more columns" in finding.message


def test_one_constant_target_of_several_is_named():
    X, y = made(300)
    Y = np.column_stack([y, np.full(300, 7.0)])
    (finding,) = diagnose(NeuronRegressor().fit(X, Y), X, Y)
    assert finding.severity == "info"
    assert finding.message.startswith("All 300 targets (neuron 'neuron1') are 7")


def lots(mark, share=0.1, n=500):
    """Areas of lots with a mark in some rows, standardised, and a price."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"lot": rng.lognormal(9, 0.4, n).round(), "age": rng.integers(0, 100, n)})
    y = np.log(X["lot"]) - 0.01 * X["age"] + 0.1 * rng.standard_normal(n)
    X.loc[rng.random(n) < share, "lot"] = mark
    model = make_pipeline(StandardScaler(), NeuronRegressor()).fit(X, y)
    return [f for f in diagnose(model, X, y) if f.code == "MISSING_MARK"]


def test_the_only_negative_number_is_a_hint_of_a_missing_value():
    (finding,) = lots(-1)
    assert (finding.severity, finding.features) == ("info", ("lot",))
    assert "has -1 in" in finding.message
    assert "missing_values=-1," in finding.advice


@pytest.mark.parametrize(
    ("mark", "share"),
    [(0, 0.1), (20_000, 0.1), (-999, 0.002), (-0.5, 0.1)],
    ids=["none of it", "cut off at the top", "once", "no whole number"],
)
def test_what_is_no_mark_of_a_missing_value(mark, share):
    assert not lots(mark, share)


@pytest.mark.parametrize("params", [{}, {"alpha": 0.1, "l1_ratio": 1.0}])
@pytest.mark.parametrize("n_columns", [100, 290, 300, 1000])
def test_many_columns_that_explain_y_are_no_underfit(n_columns, params):
    """As many columns of noise would explain as much, but these do not stand for noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, n_columns))
    y = X[:, :3].sum(axis=1) + rng.standard_normal(300)
    assert "UNDERFIT" not in diagnose(NeuronRegressor(**params).fit(X, y), X, y).codes


@pytest.mark.parametrize("activation", ["auto", "tanh", "softsign"])
def test_a_label_that_all_rows_have_or_none_is_not_blamed_on_the_columns(activation):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 3))
    y = np.c_[X[:, 0] + rng.logistic(size=100) > 0, np.ones(100), np.zeros(100)].astype(int)
    diagnosis = diagnose(NeuronClassifier(activation).fit(X, y), X, y)
    assert "SEPARABLE" not in diagnosis.codes
    said = [finding.message for finding in diagnosis if finding.code == "UNDERFIT"]
    assert said == [
        "All 100 rows have label '1': there is nothing to explain.",
        "None of the 100 rows have label '2': there is nothing to explain.",
    ]
    assert not diagnosis


@pytest.mark.parametrize("params", [{"alpha": 0}, {}, {"alpha": 0.1}, {"activation": "tanh"}])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(60, 40), (200, 150), (200, 110)])
def test_columns_that_are_many_and_explain_no_more_than_noise_are_said(n_rows, n_columns, params):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_rows, n_columns)), 0.1 * rng.standard_normal(n_rows)
    findings = diagnose(NeuronRegressor(**params).fit(X, y), X, y)
    (finding,) = (finding for finding in findings if finding.code == "OVERFIT")
    assert finding.severity == "info"
    share = 100 * n_columns / (n_rows - 1)
    assert f"columns of noise ({n_columns}) would explain about {share:.1f}%" in finding.message
    y = X[:, :3].sum(axis=1) + 0.5 * rng.standard_normal(n_rows)
    y *= 0.1
    assert "OVERFIT" not in diagnose(NeuronRegressor(**params).fit(X, y), X, y).codes


def test_what_columns_of_noise_explain_is_said_where_these_do_no_better():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 30)), rng.standard_normal(300)
    finding = found(diagnose(NeuronRegressor().fit(X, y), X, y), "UNDERFIT")[0]
    assert finding.value < 0.1
    assert "of the loss, and columns of noise 10.0%: a neuron" in finding.message


@pytest.mark.parametrize("activation", ["sigmoid", "probit"])
def test_a_loss_that_bends_down_in_its_level_is_diagnosed(activation):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = np.where(rng.random(60) < 0.5, 1e-6, 0.5)
    neuron = NeuronRegressor(activation, "tweedie", alpha=1, random_state=0).fit(X, y)
    neuron.intercept_ = 4.0  # where targets are far below the levels
    assert diagnose(neuron, X, y).codes


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.ones((20, 30)), np.arange(20.0)),
        (np.random.default_rng(0).normal(size=(20, 30)), np.ones(20)),
        (np.ones((1, 3)), np.ones(1)),
    ],
    ids=["no column varies", "no target varies", "one row"],
)
def test_a_penalty_that_takes_nothing_away_is_not_blamed(X, y):
    assert "OVERPENALISED" not in diagnose(refit(NeuronRegressor(), X, y), X, y).codes


def test_counts_are_said_in_good_english():
    X, y = made(300)
    codes = {
        f.code: f
        for f in diagnose(NeuronRegressor().fit(X.assign(one=1.0), y), X.assign(one=1.0), y)
    }
    constant = codes["CONSTANT_FEATURE"]
    assert "columns has a single value: 'one'" in constant.message
    assert constant.advice.startswith("Drop it,")


def test_a_solver_that_is_auto_already_is_not_advised():
    X, y = made(300)
    labels = y > np.median(y)
    for solver, advice in (
        ("auto", "Raise max_iter to 1000."),
        ("newton", "Use solver='auto' and max_iter=1000."),
    ):
        neuron = refit(NeuronClassifier(solver=solver, max_iter=1), X, labels)
        (finding,) = (f for f in diagnose(neuron, X, labels) if f.code == "NOT_CONVERGED")
        assert finding.advice == advice
        assert "after 1 iteration without" in finding.message


@pytest.mark.parametrize("add_indicator", [False, True])
def test_what_an_imputer_fills_in_is_no_mark_of_a_missing_value(add_indicator):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"lot": rng.uniform(100, 200, 300), "age": rng.uniform(0, 50, 300)})
    y = X["lot"] - X["age"] + rng.normal(size=300)
    X.loc[rng.random(300) < 0.1, "lot"] = np.nan
    imputer = SimpleImputer(strategy="constant", fill_value=-999, add_indicator=add_indicator)
    model = make_pipeline(imputer, NeuronRegressor()).fit(X, y)
    marks = [f for f in diagnose(model, X, y) if f.code == "MISSING_MARK"]
    # Beside an indicator any number will do.
    assert len(marks) == (not add_indicator)
    for finding in marks:
        assert "An imputer fills -999 into column 'lot'" in finding.message
        assert "missing_values=" not in finding.advice


def test_a_factor_between_scales_is_written_out():
    X, y = made(300)
    X = X.assign(zip=np.random.default_rng(0).integers(10_000, 99_999, 300))
    (finding,) = (f for f in diagnose(NeuronRegressor().fit(X, y), X, y) if f.code == "UNSCALED")
    assert "e+" not in finding.message
    assert ",000 (" in finding.message
