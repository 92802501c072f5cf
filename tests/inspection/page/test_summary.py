"""The summary of a fit: plain, whole, and without a row unless rows are given."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    StandardScaler,
)

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor
from sknneuron.activations import Sigmoid
from sknneuron.inspection.page.summary import summarize

from .. import pipelines
from ..pipelines import PIPELINES
from .models import MODELS, model, neuron_of, outputs

PLAIN = (dict, list, str, int, float, bool, type(None))


def everything(value):
    """Yield every value inside a summary."""
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from everything(part)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(5, 2, (80, 3)), columns=["a", "b", "c"])
    return X, X["a"] - X["b"] + rng.normal(size=80)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("with_rows", [True, False])
def test_it_is_plain(name, with_rows):
    estimator, X, y = model(name)
    summary = summarize(estimator, X, y) if with_rows else summarize(estimator)
    assert all(type(value) in PLAIN for value in everything(summary))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.parametrize("name", MODELS)
def test_inputs_and_weights_give_z(name):
    """What the script will compute, computed here from the summary alone."""
    estimator, X, y = model(name)
    summary = summarize(estimator, X, y, max_rows=20)
    z = weighted_sums(summary)
    neuron = neuron_of(estimator)
    chosen = [
        int(name.split()[1].rstrip(":").replace(",", "")) for name in summary["rows"]["names"]
    ]
    rows = X.iloc[chosen] if hasattr(X, "iloc") else [X[i] for i in chosen]
    steps = estimator.regressor_ if hasattr(estimator, "regressor_") else estimator
    if hasattr(steps, "steps"):
        rows = steps[:-1].transform(rows)
    rows = rows if hasattr(rows, "shape") else np.array(rows)
    np.testing.assert_allclose(z, neuron.pre_activation(rows), rtol=1e-10, atol=1e-10)
    again = np.reshape(summary["checks"]["values"], (len(z), -1))
    originals = X.iloc[chosen] if hasattr(X, "iloc") else [X[i] for i in chosen]
    originals = np.array(originals) if isinstance(X, np.ndarray) else originals
    np.testing.assert_array_equal(again, outputs(estimator, originals))


def weighted_sums(summary):
    coef = np.reshape(summary["coef"], (len(summary["neurons"]), summary["n_inputs"]))
    z = np.zeros((summary["rows"]["n"], len(coef)))
    for i in range(len(z)):
        x = inputs(summary, [column[i] for column in summary["rows"]["columns"]])
        z[i] = coef @ x + summary["intercept"]
        if summary["rest"]:
            z[i] += summary["rest"]["rows"][i * len(coef) : (i + 1) * len(coef)]
    return z


@pytest.mark.parametrize("name", PIPELINES)
def test_every_kind_of_pipeline_is_followed(name):
    X, y = pipelines.table()
    estimator = make_pipeline(clone(PIPELINES[name]), NeuronRegressor(alpha=1e-3)).fit(X, y)
    summary = summarize(estimator, X, y)
    np.testing.assert_allclose(weighted_sums(summary)[:, 0], estimator.predict(X), rtol=1e-9)
    assert summarize(estimator)["features"]


def test_levels_of_a_derived_column_are_known_by_the_inputs(table):
    X, y = table
    bins = KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")
    estimator = make_pipeline(bins, OneHotEncoder(), NeuronRegressor()).fit(X, y)
    summary = summarize(estimator, X, y)
    np.testing.assert_allclose(weighted_sums(summary)[:, 0], estimator.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(np.transpose(summary["rows"]["columns"]), bins.transform(X))


@pytest.mark.parametrize("make", [sparse.coo_matrix, sparse.dia_array])
def test_sparse_rows_of_any_format(table, make):
    X, y = table
    neuron = NeuronRegressor().fit(X.to_numpy(), y)
    assert (
        summarize(neuron, make(X), y)["rows"] == summarize(neuron, sparse.csr_array(X), y)["rows"]
    )


def inputs(summary, values):
    x = np.zeros(summary["n_inputs"])
    for feature, value in zip(summary["features"], values, strict=True):
        where = feature["inputs"]
        if value is None:
            x[where] = feature["missing"]
        elif feature["levels"] is None:
            x[where] = np.array(feature["offset"]) + np.array(feature["slope"]) * value
        else:
            x[where] = feature["offset"]
            first, last = feature["code_starts"][int(value) : int(value) + 2]
            for c in range(first, last):
                x[where[feature["code_inputs"][c]]] += feature["codes"][c]
    return x


def test_ranges_without_rows_come_from_the_scaler(table):
    X, y = table
    standard = summarize(make_pipeline(StandardScaler(), NeuronRegressor()).fit(X, y))
    a = standard["features"][0]
    assert (a["min"] + a["max"]) / 2 == pytest.approx(X["a"].mean())
    assert a["max"] - a["min"] == pytest.approx(5 * X["a"].std(ddof=0))
    unit = summarize(make_pipeline(MinMaxScaler(), NeuronRegressor()).fit(X, y))["features"][0]
    assert (unit["min"], unit["max"]) == pytest.approx((X["a"].min(), X["a"].max()))
    bare = summarize(NeuronRegressor().fit(X, y))["features"][0]
    assert (bare["min"], bare["max"]) == (-3, 3)
    seen = summarize(NeuronRegressor().fit(X, y), X)["features"][0]
    assert (seen["min"], seen["max"], seen["start"]) == pytest.approx(
        (X["a"].min(), X["a"].max(), X["a"].mean())
    )


def test_the_sample_is_said_and_always_the_same(table):
    X, y = table
    neuron = NeuronRegressor().fit(X, y)
    summary = summarize(neuron, X, y, max_rows=30)
    assert summary["rows"]["n"] == 30
    assert "sample of 30 of the 80 rows" in summary["rows"]["words"]
    assert summarize(neuron, X, y, max_rows=30) == summary
    assert "All 80 rows" in summarize(neuron, X, y)["rows"]["words"]


def test_many_features_are_cut_to_those_that_count():
    rng = np.random.default_rng(0)
    X = sparse.random(200, 5000, 0.01, format="lil", random_state=rng)
    X[:, 17] = rng.random((200, 1)) > 0.5
    X = X.tocsr()
    neuron = NeuronClassifier().fit(X, X[:, [17]].toarray().ravel() > 0)
    summary = summarize(neuron, X)
    assert len(summary["features"]) == 60
    assert summary["rest"]["count"] == 4940
    assert "x17" in summary["inputs"]
    assert "The other 4,940 stay as they are" in summary["rest"]["words"]
    assert "are taken as zero" in summarize(neuron)["rest"]["words"]


def test_several_targets_carry_their_names():
    summary = summarize(*model("two targets"))
    assert summary["neurons"] == ["progression", "root"]
    assert [len(step["scale"]) for step in summary["target"]] == [2]


@pytest.mark.parametrize(
    ("transformer", "steps"),
    [
        ({"func": np.log1p, "inverse_func": np.expm1}, [{"name": "expm1"}]),
        ({"func": logit, "inverse_func": expit}, [{"name": "logistic"}]),
        ({"func": np.sqrt, "inverse_func": np.square}, [{"name": "square"}]),
        ({"transformer": MinMaxScaler()}, [{"scale": [0.5], "shift": [0.25]}]),
    ],
)
def test_target_transformers_that_the_page_follows(table, transformer, steps):
    X, _ = table
    y = np.linspace(0.25, 0.75, len(X))
    estimator = TransformedTargetRegressor(NeuronRegressor(), **transformer).fit(X, y)
    summary = summarize(estimator, X)
    assert summary["target"] == steps
    np.testing.assert_array_equal(summary["checks"]["values"], estimator.predict(X))


@pytest.mark.parametrize(
    ("transformer", "what"),
    [
        ({"func": np.log, "inverse_func": lambda a: np.exp(a)}, "<lambda>"),
        ({"transformer": PowerTransformer()}, "PowerTransformer"),
    ],
)
def test_other_target_transformers_stop_the_page_at_the_neuron(table, transformer, what):
    X, _ = table
    y = np.linspace(1, 2, len(X))
    estimator = TransformedTargetRegressor(NeuronRegressor(), **transformer).fit(X, y)
    for given in (X, None):
        summary = summarize(estimator, given)
        assert summary["target"] == []
        assert any(what in note and "stops at the neuron" in note for note in summary["notes"])
    summary = summarize(estimator, X)
    np.testing.assert_array_equal(summary["checks"]["values"], estimator.regressor_.predict(X))


def test_what_cannot_be_unfolded_is_said(table):
    X, y = table
    summary = summarize(make_pipeline(PCA(2), NeuronRegressor()).fit(X, y), X, y)
    assert [feature["name"] for feature in summary["features"]] == ["pca0", "pca1"]
    assert any("PCA" in note for note in summary["notes"])


def test_behind_a_layer_its_levels_are_the_features():
    X, y = model("layer")[1:]
    network = make_pipeline(NeuronLayer(3, random_state=0), NeuronClassifier()).fit(X, y)
    summary = summarize(network, X, y)
    assert [f["name"] for f in summary["features"]] == [f"neuronlayer{k}" for k in range(3)]
    np.testing.assert_array_equal(
        np.reshape(summary["checks"]["values"], (-1, 3)), network.predict_proba(X)
    )


def test_hidden_neurons_have_no_targets():
    summary = summarize(*model("layer"))
    assert summary["rows"]["y"] is None
    assert summary["activation"]["name"] == "tanh"
    assert "transform" in summary["checks"]["words"]


def test_an_activation_of_ones_own_stops_at_z(table):
    class Mine(Sigmoid):
        """Known to the user alone."""

    X, _ = table
    neuron = NeuronRegressor(Mine(), random_state=0).fit(X, expit(X["a"] - 5))
    summary = summarize(neuron, X)
    assert summary["task"] == "sum"
    assert any("stops at the weighted sum" in note for note in summary["notes"])
    np.testing.assert_array_equal(summary["checks"]["values"], neuron.pre_activation(X).ravel())


def test_a_search_stands_for_its_best(table):
    X, y = table
    search = GridSearchCV(NeuronRegressor(), {"alpha": [1e-3, 1e-1]}, cv=3).fit(X, y)
    assert summarize(search)["coef"] == search.best_estimator_.coef_.tolist()


@pytest.mark.parametrize("record", ["auto", "loss", False])
def test_history_as_far_as_it_was_recorded(record):
    X, y = model("above the median")[1:]
    X = X[["sqft", "beds"]]
    neuron = NeuronClassifier(record=record).fit(StandardScaler().fit_transform(X), y)
    history = summarize(neuron)["history"]
    if record is False:
        assert history is None
        return
    assert history["iteration"] == neuron.history_["iteration"].tolist()
    assert history["loss"] == neuron.history_["loss"].tolist()
    if record == "loss":
        assert history["coef"] is None
        assert "not recorded" in history["words"]
    else:
        assert history["coef"] == neuron.history_["coef"].ravel().tolist()


def test_a_long_history_is_thinned_and_says_so(monkeypatch):
    monkeypatch.setattr("sknneuron.inspection.page.history.MAX_STEPS", 20)
    X, y = model("tanh")[1:]
    neuron = NeuronRegressor(solver="adam", random_state=0).fit(X, y)
    steps = neuron.history_["iteration"]
    history = summarize(neuron)["history"]
    assert len(history["recorded"]) == 20 < len(steps)
    assert f"20 of {len(steps)} recorded steps" in history["words"]
    assert history["iteration"] == steps.tolist()
    assert [history["recorded"][0], history["recorded"][-1]] == [0, len(steps) - 1]


def test_columns_in_another_order_are_put_right():
    estimator, X, y = model("price")
    mixed = X[X.columns[::-1]].assign(more=1.0)
    assert summarize(estimator, mixed, y) == summarize(estimator, X, y)


def test_single_precision_is_said(table):
    X, y = table
    neuron = NeuronRegressor().fit(X.to_numpy(), y)
    words = summarize(neuron, X.to_numpy(np.float32))["checks"]["words"]
    assert "float32" in words
    assert "float32" not in summarize(neuron, X.to_numpy())["checks"]["words"]


def test_nullable_columns():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"a": pd.array(rng.normal(size=50), dtype="Float64"), "b": rng.random(50) > 0.5}
    )
    X.loc[3, "a"] = pd.NA
    y = rng.normal(size=50)
    estimator = make_pipeline(SimpleImputer(), NeuronRegressor()).fit(X, y)
    summary = summarize(estimator, X, y)
    assert summary["rows"]["columns"][0][3] is None
    assert summary["rows"]["columns"][1] == X["b"].astype(float).tolist()


def test_pictures_are_unnamed_squares_alone(table):
    assert summarize(model("digits")[0])["picture"] == {"rows": 8, "columns": 8}
    assert summarize(model("price")[0])["picture"] is None
    assert summarize(NeuronRegressor().fit(*table))["picture"] is None


def test_notes_on_weights_name_what_blurs_them():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"small": rng.normal(size=90), "wide": 1000 * rng.normal(size=90)})
    X["double"] = 2 * X["small"] + 0.1 * rng.normal(size=90)
    y = X["small"] + X["wide"]
    notes = " ".join(summarize(NeuronRegressor(alpha=0).fit(X, y), X)["weight_notes"])
    assert "not scaled" in notes
    assert "small and double vary together" in notes


def test_inputs_beside_an_indicator_have_the_names_of_raw_columns():
    X, y = pipelines.table()
    steps = SimpleImputer(add_indicator=True), StandardScaler(), NeuronRegressor(alpha=0.001)
    summary = summarize(make_pipeline(*steps).fit(X[["sqft", "beds"]], y))
    assert summary["inputs"] == ["sqft", "sqft is missing", "beds"]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["some words here", "other words"], ["row 0: some words here", "row 1: other words"]),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=["p", "q"]), ["row 0: p", "row 1: q"]),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=[7, 9]), ["row 0 (index 7)", "row 1 (index 9)"]),
        (np.ones((2, 1)), ["row 0", "row 1"]),
    ],
)
def test_rows_are_called_by_number_and_label(rows, named):
    from sknneuron.inspection.page.rows import _row_names

    assert _row_names(rows, np.array([0, 1])) == named


@pytest.mark.parametrize(("low", "baseline"), [(0, "bias"), (1, "average")])
def test_pushes_count_from_the_bias_where_zero_is_a_case_like_others(low, baseline):
    X = low + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    neuron = NeuronClassifier(alpha=1e-3).fit(X, [0, 0, 0, 1])
    assert summarize(neuron, X)["baseline"] == baseline


def test_the_lead_says_where_the_controls_are_a_steps_outputs():
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    network = make_pipeline(NeuronLayer(2, random_state=0), NeuronClassifier(alpha=1e-3)).fit(X, y)
    assert summarize(network, X)["lead"].startswith("A neuron on 2 outputs of an earlier step that")
    assert summarize(network[:1], X)["lead"].startswith("A layer of 2 on 2 features:")


def test_findings_are_of_the_weights_that_the_rows_had(table):
    X, y = table
    weight = np.where(np.arange(80) < 40, 1.0, 0.01)
    bent = y.where(weight == 1, -y)
    neuron = NeuronRegressor().fit(X, bent, weight)
    assert summarize(neuron, X, bent, sample_weight=weight)["findings"] == []
    assert summarize(neuron, X, bent)["findings"]
