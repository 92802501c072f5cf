"""Displays: scikit-learn's convention, data and pictures."""

import builtins

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import (
    ActivationDisplay,
    CoefDisplay,
    ContributionDisplay,
    NeuronDisplay,
    TrainingCurveDisplay,
    WeightPathDisplay,
    coef_table,
    contributions,
    training_history,
    unfold,
)
from sknneuron.inspection.diagram import draw_neurons
from sknneuron.inspection.displays.base import apart, number, short

from ..healthy import housing, on_log, sacramento

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def house():
    X, y = sacramento()
    return on_log(housing(NeuronRegressor(alpha=1e-3))).fit(X, y), X, y


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    named = load_iris().target_names[y]
    return make_pipeline(StandardScaler(), NeuronClassifier(alpha=1e-2)).fit(X, named), X, named


def wide(n_features):
    X = pd.DataFrame(RNG.standard_normal((400, n_features)))
    X.columns = [f"feature number {j} with a long name" for j in range(n_features)]
    y = X.iloc[:, :3].sum(axis=1) + RNG.standard_normal(400)
    return NeuronRegressor(solver="lbfgs", alpha=0).fit(X, y), X, y


MAKERS = {
    "neuron": lambda m, X, y, **kw: NeuronDisplay.from_estimator(m, X, **kw),
    "curve": lambda m, X, y, **kw: TrainingCurveDisplay.from_estimator(m, **kw),
    "path": lambda m, X, y, **kw: WeightPathDisplay.from_estimator(m, X, **kw),
    "waterfall": lambda m, X, y, **kw: ContributionDisplay.from_estimator(m, X, row=3, **kw),
    "activation": lambda m, X, y, **kw: ActivationDisplay.from_estimator(m, X, y, **kw),
    "coef": lambda m, X, y, **kw: CoefDisplay.from_estimator(m, X, y, **kw),
}


def ink(figure):
    """Share of the pixels that are not white."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    return (pixels < 250).any(axis=-1).mean()


def texts_inside(figure):
    """Whether every text of the axes lies within the figure."""
    figure.canvas.draw()
    box = figure.bbox
    renderer = figure.canvas.get_renderer()
    for ax in figure.axes:
        around = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_yticklabels()]
        for text in [*(around if ax.axison else []), *ax.texts]:
            if text.get_text() and text.get_visible():
                extent = text.get_window_extent(renderer)
                if extent.x0 < box.x0 - 2 or extent.x1 > box.x1 + 2:
                    return False
    return True


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", ["house", "iris"])
def test_convention(name, kind, request):
    model, X, y = request.getfixturevalue(kind)
    display = MAKERS[name](model, X, y)
    assert display.figure_ is display.ax_.figure
    assert isinstance(display.frame(), pd.DataFrame)
    assert len(display.frame())
    assert 0.01 < ink(display.figure_) < 0.8
    ax = plt.subplots()[1]
    again = display.plot(ax=ax)
    assert again.ax_ is ax
    assert MAKERS[name](model, X, y, ax=ax).ax_ is ax
    if name != "neuron":
        assert display.ax_.get_xlabel()
        assert display.ax_.get_title()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("n_features", [3, 300])
def test_stays_readable(name, n_features):
    display = MAKERS[name](*wide(n_features))
    assert texts_inside(display.figure_)
    height = display.figure_.get_size_inches()[1]
    assert height < 8
    labels = [t for t in display.ax_.get_yticklabels() if t.get_text()]
    assert len(labels) <= 25


@pytest.mark.parametrize("name", ["neuron", "path", "waterfall", "activation", "coef"])
def test_one_of_several_neurons(name, iris):
    model, X, y = iris
    display = MAKERS[name](model, X, y, output="virginica")
    assert len(display.frame())
    with pytest.raises(ValueError, match="tulip"):
        MAKERS[name](model, X, y, output="tulip")


@pytest.mark.parametrize("output", [2, "virginica", "virginica - setosa"])
def test_weights_are_of_the_class_that_was_asked_for(output, iris):
    display = CoefDisplay.from_estimator(*iris, output=output)
    assert set(display.frame()["neuron"]) == {"virginica - setosa"}


def test_the_class_that_others_are_held_against_has_no_weights_of_its_own(iris):
    with pytest.raises(ValueError, match="'setosa' is the class that the others are held against"):
        CoefDisplay.from_estimator(*iris, output="setosa")
    display = CoefDisplay.from_estimator(*iris, output="setosa", reference="virginica")
    assert set(display.frame()["neuron"]) == {"setosa - virginica"}


@pytest.mark.parametrize("name", ["neuron", "path", "waterfall", "activation", "coef"])
def test_of_one_neuron_no_other_can_be_had(name):
    X = RNG.standard_normal((50, 2))
    neuron = NeuronRegressor().fit(X, X[:, 0])
    MAKERS[name](neuron, X, X[:, 0], output=0)
    with pytest.raises(ValueError, match="output=1 is no neuron of this estimator"):
        MAKERS[name](neuron, X, X[:, 0], output=1)


@pytest.mark.parametrize("output", [1, "neuron1"])
def test_weights_are_of_the_target_that_was_asked_for(output):
    X = RNG.standard_normal((50, 2))
    display = CoefDisplay.from_estimator(
        NeuronRegressor().fit(X, X @ [[1, 2], [3, 4]]), output=output
    )
    assert set(display.frame()["neuron"]) == {"neuron1"}


@pytest.mark.parametrize("output", [1, 2, 3])
def test_the_waterfall_is_of_the_class_that_was_asked_for(output):
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = NeuronClassifier().fit(X, y + 1)
    display = ContributionDisplay.from_estimator(model, X, row=5, output=output)
    expected = contributions(model, X, output=output)["pre_activation"].iloc[5]
    assert display.pre_activation == pytest.approx(expected)
    assert display.pre_activation == pytest.approx(model.pre_activation(X)[5, output - 1])


def test_frames_are_the_tools_tables(house):
    model, X, y = house
    curve = TrainingCurveDisplay.from_estimator(model).frame()
    pd.testing.assert_series_equal(curve["loss"], training_history(model)["loss"])
    waterfall = ContributionDisplay.from_estimator(model, X, row=5).frame().set_index("feature")
    terms = contributions(model, X)
    for feature in X:
        assert waterfall["contribution"][feature] == pytest.approx(terms[feature][5])
    assert waterfall["total"]["z"] == pytest.approx(terms["pre_activation"][5])
    coefs = CoefDisplay.from_estimator(model, X, y, scale="original").frame()
    table = coef_table(model, X, y, scale="original")
    assert set(coefs["feature"]) == set(table["feature"]) - {"bias"}
    assert coefs["weight"].abs().is_monotonic_decreasing
    assert ActivationDisplay.from_estimator(model, X, y).frame()["y"].to_numpy() == pytest.approx(
        np.log(y)
    )


def test_waterfall_says_prediction_value_and_what_is_imputed(house):
    model, X, _ = house
    X = X[:6].copy()
    X.loc[2, "sqft"] = np.nan
    display = ContributionDisplay.from_estimator(model, X, row=2)
    value = display.frame().set_index("feature")["value"]
    assert value["sqft"].endswith("(imputed)")
    assert value["zip"] == X["zip"][2]
    assert number(model.predict(X[2:3])[0]) in display.ax_.get_title()
    turned = ContributionDisplay.from_estimator(model, X[X.columns[::-1]], row=2)
    pd.testing.assert_frame_equal(turned.frame(), display.frame())
    with pytest.raises(ValueError, match="row=99"):
        ContributionDisplay.from_estimator(model, X, row=99)


def test_waterfall_of_one_of_several_transformed_targets(house):
    _, X, y = house
    X = X[["sqft", "beds"]]
    both = np.column_stack([y, -y])
    model = TransformedTargetRegressor(NeuronRegressor(), transformer=StandardScaler())
    display = ContributionDisplay.from_estimator(model.fit(X, both), X, row=3, output=1)
    assert display.prediction == pytest.approx(model.predict(X)[3, 1])


def test_waterfall_of_rows_in_other_forms():
    X = RNG.standard_normal((20, 3))
    neuron = NeuronRegressor().fit(X, X[:, 0])
    expected = ContributionDisplay.from_estimator(neuron, X, row=2).frame()
    for given in (X.tolist(), sparse.coo_matrix(X)):
        found = ContributionDisplay.from_estimator(neuron, given, row=2).frame()
        pd.testing.assert_frame_equal(found, expected)
        with pytest.raises(ValueError, match="row=20 is not among the 20 rows"):
            ContributionDisplay.from_estimator(neuron, given, row=20)


def test_waterfall_of_rows_of_dask():
    dask = pytest.importorskip("dask.dataframe")
    X = pd.DataFrame(RNG.standard_normal((20, 3)), columns=["a", "b", "c"])
    neuron = NeuronRegressor().fit(X, X["a"])
    expected = ContributionDisplay.from_estimator(neuron, X, row=2).frame()
    found = ContributionDisplay.from_estimator(neuron, dask.from_pandas(X, npartitions=2), row=2)
    pd.testing.assert_frame_equal(found.frame(), expected)


def test_waterfall_against_a_baseline(iris):
    model, X, _ = iris
    display = ContributionDisplay.from_estimator(model, X, row=7, baseline="mean", output="setosa")
    expected = contributions(model, X, output="setosa", baseline="mean").iloc[7]
    assert display.bias == pytest.approx(expected["bias"])
    assert display.frame()["feature"][0] == "baseline"


def test_waterfall_collects_the_weak_ones():
    model, X, _ = wide(300)
    display = ContributionDisplay.from_estimator(model, X)
    labels = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert "288 others" in labels
    assert len(display.frame()) == 303


def test_subsample_phase_is_shaded():
    X = RNG.standard_normal((300_000, 3))
    y = (X[:, 0] + RNG.logistic(size=300_000) > 0).astype(int)
    model = NeuronClassifier().fit(X, y)
    history = model.history_
    if history["n_rows"].min() == history["n_rows"].max():
        pytest.skip("this solver took no subsample")
    legend = WeightPathDisplay.from_estimator(model).ax_.get_legend()
    assert any("rows" in text.get_text() for text in legend.get_texts())


def test_of_thousands_of_paths_some_are_drawn_and_the_legend_says_so():
    X = RNG.standard_normal((60, 3000))
    model = NeuronRegressor(alpha=1).fit(X, X[:, 0] + X[:, 1])
    display = WeightPathDisplay.from_estimator(model, max_features=5)
    (entry,) = display.ax_.get_legend().get_texts()
    n_grey = len(display.ax_.lines) - 5 - 1  # the last is the line at zero
    assert 100 < n_grey <= 200
    assert entry.get_text() == f"2,995 more, of which {n_grey} are drawn"
    assert display.frame().shape[1] == 2 + 3000
    few = WeightPathDisplay.from_estimator(NeuronRegressor().fit(X[:, :30], X[:, 0]))
    assert [text.get_text() for text in few.ax_.get_legend().get_texts()] == ["22 more"]


def test_validation_loss_is_drawn():
    X = RNG.standard_normal((200, 3))
    y = X[:, 0] + RNG.standard_normal(200)
    model = NeuronRegressor().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    display = TrainingCurveDisplay.from_estimator(model, log_scale=True)
    assert "validation loss" in [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert display.ax_.get_yscale() == "log"


@pytest.mark.parametrize("baseline", [None, "mean"])
@pytest.mark.parametrize("row", ["b", 1.5])
def test_a_row_is_named_by_its_position(row, baseline):
    X = pd.DataFrame({"x": [0.0, 1.0, 3.0]}, index=list("abc"))
    model = NeuronRegressor().fit(X, [0, 1, 2])
    with pytest.raises(TypeError, match=r"position of a row, from 0 to 2; got .*X\.loc"):
        ContributionDisplay.from_estimator(model, X, row=row, baseline=baseline)
    ContributionDisplay.from_estimator(model, X, row=np.int64(1), baseline=baseline)


def test_dead_and_saturated_zones():
    X = RNG.standard_normal((200, 3))
    relu = NeuronRegressor("relu").fit(X, np.maximum(X[:, 0], 0))
    display = ActivationDisplay.from_estimator(relu, X)
    assert "dead" in display.ax_.get_title()
    share = display.frame()["is_flat"].mean()
    assert f"{share:.0%} of 200 rows dead" in display.ax_.get_title()


def test_activation_of_a_transformed_target():
    X = RNG.standard_normal((200, 3))
    y = np.exp(X[:, 0])
    model = TransformedTargetRegressor(NeuronRegressor(), func=np.log, inverse_func=np.exp).fit(
        X, y
    )
    frame = ActivationDisplay.from_estimator(model, X, y).frame()
    np.testing.assert_allclose(frame["y"], X[:, 0])


def test_a_softmax_neuron_is_drawn_over_its_lead():
    """Its level is a sigmoid of that, which is not its z."""
    X, y = load_iris(return_X_y=True)
    display = ActivationDisplay.from_estimator(NeuronClassifier().fit(X, y), X, y, output=1)
    assert display.ax_.get_title().startswith("softmax of 1")
    assert display.ax_.get_xlabel() == "lead of z over the other classes"
    one_each = NeuronClassifier("sigmoid").fit(X, y)
    display = ActivationDisplay.from_estimator(one_each, X, y, output=1)
    assert display.ax_.get_title().startswith("sigmoid of 1")
    assert display.ax_.get_xlabel() == "weighted sum z"


def test_dollars_are_no_mathematics():
    X = pd.DataFrame(
        {"price in $ (2010$)": RNG.standard_normal(50), "a_b^c": RNG.standard_normal(50)}
    )
    y = X.sum(axis=1)
    model = NeuronRegressor().fit(X, y)
    for make in MAKERS.values():
        ink(make(model, X, y).figure_)
    assert short("$a$") == r"\$a\$"


def test_without_weights_kept():
    X, y = load_iris(return_X_y=True)
    model = NeuronClassifier(record="loss").fit(X, y)
    with pytest.raises(ValueError, match="record='loss'"):
        WeightPathDisplay.from_estimator(model)
    TrainingCurveDisplay.from_estimator(model)


def test_error_without_matplotlib(monkeypatch):
    def import_but_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", import_but_matplotlib)
    X, y = load_iris(return_X_y=True)
    model = NeuronClassifier().fit(X, y)
    with pytest.raises(ImportError, match=r"sknneuron\[plot\]"):
        TrainingCurveDisplay.from_estimator(model)


def test_labels_stay_apart():
    at = apart([0.0, 0.01, 0.02, 5.0], 1.0)
    assert np.diff(at).min() >= 1 - 1e-9
    assert at[3] == 5.0
    assert at[:3].mean() == pytest.approx(0.01)
    np.testing.assert_array_equal(apart([3.0, 1.0, 2.0], 0.5), [3.0, 1.0, 2.0])
    assert len(apart([], 1.0)) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1,234"), (0.012345, "0.0123"), (-3.14159, "-3.14"), (1e9, "1.00e+09")],
)
def test_numbers_in_few_letters(value, text):
    assert number(value) == text


def overlapping(figure):
    """Pairs of texts of the axes that are printed over each other."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    (ax,) = figure.axes
    labels = [ax.title, ax.xaxis.label, *ax.get_xticklabels()] if ax.axison else []
    texts = [text for text in [*labels, *ax.texts] if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    return [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(texts))
        for j in range(i)
        if boxes[i].overlaps(boxes[j])
    ]


@pytest.mark.parametrize("size", [1.0, 1e-9, 123456.0])
def test_weights_are_not_printed_over_names(size):
    X, y = sacramento()
    X = X[["sqft", "beds", "latitude"]].rename(columns={"sqft": "square feet of the whole house"})
    neuron = NeuronRegressor(alpha=0).fit(X, -size * y)
    assert not overlapping(NeuronDisplay.from_estimator(neuron).figure_)


@pytest.mark.parametrize("neuron", [NeuronRegressor("relu", random_state=0), NeuronRegressor()])
def test_the_remark_is_not_printed_over_the_axis(neuron):
    X = RNG.standard_normal((60, 3))
    display = CoefDisplay.from_estimator(neuron.fit(X, np.abs(X[:, 0])), X, np.abs(X[:, 0]))
    assert not overlapping(display.figure_)
    assert texts_inside(display.figure_)


@pytest.mark.parametrize("kind", ["path", "waterfall", "coef", "neuron"])
def test_max_features_is_a_number_or_none_for_all(kind):
    X = pd.DataFrame(RNG.standard_normal((50, 30)), columns=[f"column {j}" for j in range(30)])
    y = X @ np.arange(1, 31)
    model = NeuronRegressor().fit(X, y)
    draw = MAKERS[kind]
    for bad in (-1, 1.5, "x", True):
        with pytest.raises(ValueError, match=f"max_features has to be a whole.*got {bad!r}"):
            draw(model, X, y, max_features=bad)
    labels = {
        text.get_text().split(" = ")[0]
        for text in draw(model, X, y, max_features=None).ax_.findobj(matplotlib.text.Text)
    }
    assert labels >= set(X.columns)


@pytest.mark.parametrize("level", [0, 1, -1e17, 1e-12])
def test_one_iterate_and_equal_rows_have_axes_with_room(level):
    X = RNG.standard_normal((30, 2))
    y = np.full(30, float(level))
    model = NeuronRegressor().fit(X, y)
    for kind in ("path", "waterfall", "activation"):
        low, high = MAKERS[kind](model, X, y).ax_.get_xlim()
        assert high - low > 0.05 * max(abs(low), abs(high))
    ticks = WeightPathDisplay.from_estimator(model).ax_.get_xticks()
    assert np.array_equal(ticks, np.round(ticks))


def test_names_with_tabs_and_new_lines_fit_in_a_line():
    assert short("a\n b\tc") == "a b c"


def test_long_names_fit_by_their_width():
    assert short("x" * 40) == "x" * 31 + "…"
    # Chinese letters and emoji are as wide as two.
    assert short("数" * 40) == "数" * 15 + "…"
    assert short("数" * 16) == "数" * 16
    assert short("🧠" * 20, 11) == "🧠" * 5 + "…"
    assert short("") == ""
    neuron = NeuronRegressor().fit(pd.DataFrame({"数" * 60: [0.0, 1.0, 2.0]}), [0.0, 1.0, 2.0])
    (name,) = (text.text for text in draw_neurons(unfold(neuron)).texts if "数" in text.text)
    assert len(name) < 15


def test_a_long_name_leaves_its_value_in_the_waterfall():
    X = pd.DataFrame({"x" * 60: RNG.standard_normal(30), "word": ["w" * 60, "v"] * 15})
    columns = make_column_transformer(
        (OneHotEncoder(), ["word"]), remainder="passthrough", verbose_feature_names_out=False
    )
    model = make_pipeline(columns, NeuronRegressor()).fit(X, X["x" * 60] + (X["word"] == "v"))
    display = ContributionDisplay.from_estimator(model, X)
    labels = [label.get_text() for label in display.plot().ax_.get_yticklabels()]
    (number,) = (label for label in labels if label.startswith("xx"))
    assert number.endswith(f"… = {X.iloc[0, 0]:,.5g}")
    assert f"word = {'w' * 18}…" in labels
    assert max(map(len, labels)) <= 41
