"""The file itself: what is in it, what is not, and how large it grows."""

import base64
import hashlib
import html
import json
import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import to_html
from sknneuron.inspection.page.html import DTYPES, MAX_BYTES, SCRIPTS, _packed

from .models import MODELS, model, sales


def data_of(page):
    """Return the data inside a page, numbers unpacked."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(
        1
    )

    def unpack(value):
        if set(value) != {"type", "packed"}:
            return value
        dtype = np.dtype(DTYPES[value["type"]]).newbyteorder("<")
        return np.frombuffer(base64.b64decode(value["packed"]), dtype).astype(float).tolist()

    return json.loads(text, object_hook=unpack)


def numbers_in(value):
    """Every number inside the data of a page."""
    if isinstance(value, (int, float)):
        return {float(value)}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(numbers_in(part) for part in inner))


PLANTED = [1234.5678, 2345.6789, 3456.7891]


@pytest.fixture(scope="module")
def planted():
    """A fit whose rows hold numbers, words and a name that can be looked for."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"income": rng.uniform(0, 9000, 60), "age": rng.uniform(0, 90, 60)})
    X["town"] = rng.choice(["north", "south"], 60)
    X.loc[[7, 21, 40], "income"] = PLANTED
    X.index = [f"person-{i}" for i in range(60)]
    y = 3 * X["income"] + rng.normal(size=60)
    encode = ColumnTransformer(
        [("n", StandardScaler(), ["income", "age"]), ("c", OneHotEncoder(), ["town"])]
    )
    return make_pipeline(encode, NeuronRegressor()).fit(X, y), X, y


def test_without_rows_no_row_is_in_the_file(planted):
    estimator, X, y = planted
    page = to_html(estimator)
    found = numbers_in(data_of(page))
    assert found.isdisjoint(X["income"])
    assert found.isdisjoint(X["age"])
    assert found.isdisjoint(y)
    assert "person-" not in page
    assert not any(f"{value:.4f}" in page for value in [*PLANTED, *y])
    assert "No row of data is in this file" in page


def test_with_rows_they_are_and_the_page_says_so(planted):
    estimator, X, y = planted
    page = to_html(estimator, X, y)
    assert numbers_in(data_of(page)) >= {*PLANTED, *y}
    assert "person-7" in page
    assert "are in this file: mind whom you send it to" in page


def test_it_is_written_where_asked(planted, tmp_path):
    page = to_html(planted[0], path=tmp_path / "neuron.html", title="Income")
    assert (tmp_path / "neuron.html").read_text(encoding="utf-8") == page
    assert "<title>Income</title>" in page


def test_a_terminal_names_it_and_a_notebook_shows_it(planted):
    page = to_html(*planted)
    assert re.fullmatch(r"<neuron page, \d+ kB>", repr(page))
    shown = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" .*', page._repr_html_())
    assert html.unescape(shown.group(1)) == page


def test_the_same_fit_gives_the_same_file(planted):
    assert to_html(*planted) == to_html(*planted)


@pytest.mark.parametrize("name", MODELS)
def test_policy_admits_own_script_and_style_alone(name):
    page = to_html(model(name)[0])
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    script = re.search(r"<script>(.*?)</script>", page, re.S).group(1)
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    for rule, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert page.count("<script") == page.count("</script>") == 2


@pytest.mark.parametrize(
    "name", ["</script><img src=x onerror=alert(1)>", "<!--<script>", '" onload="x']
)
def test_hostile_names_never_become_markup(name):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 2)), columns=[name, "b"])
    y = pd.Series(np.where(X["b"] > 0, name, "other"), name=name)
    page = to_html(NeuronClassifier().fit(X, y), X, y, title=name)
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    assert 'onload="x' not in page.replace(r"\" onload=\"x", "")
    assert data_of(page)["features"][0]["name"] == name


def test_a_title_that_utf8_cannot_hold():
    assert "<title>half ?</title>" in to_html(model("one feature")[0], title="half \ud83d")


def test_sacramento_is_under_a_megabyte():
    for name in ("price", "log price", "above the median"):
        assert len(to_html(*model(name)).encode()) < 1_000_000


def wide(n_rows=600, n_columns=4000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_columns))


def many_columns():
    X = wide()
    return NeuronRegressor(alpha=1.0).fit(X, X[:, 0]), X


def many_targets():
    X = wide(120, 30)
    Y = X @ wide(30, 3000, 1)
    return NeuronRegressor().fit(X, Y), X, Y


def long_names():
    X = pd.DataFrame(wide(60, 900), columns=[f"{i}" + "é" * 9000 for i in range(900)])
    return NeuronRegressor(alpha=1.0).fit(X, X.iloc[:, 0]), X


def many_levels():
    X = pd.DataFrame({"a": [f"level {i} {'x' * 500}" for i in range(6000)]})
    y = np.arange(6000) % 7.0
    return make_pipeline(OneHotEncoder(), NeuronRegressor()).fit(X, y), X, y


def long_history():
    X = wide(200, 300)
    neuron = NeuronRegressor(solver="adam", record=True, max_iter=60, random_state=0, tol=1e-3)
    return neuron.fit(X, X[:, :40]), X


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [many_columns, many_targets, long_names, many_levels, long_history]
)
def test_no_page_grows_past_three_megabytes(make):
    page = to_html(*make())
    assert len(page.encode()) <= MAX_BYTES
    assert data_of(page)["features"]


def test_packing_is_exact():
    rng = np.random.default_rng(0)
    lists = {
        "u1": rng.integers(0, 255, 40).tolist(),
        "i2": rng.integers(-30_000, 30_000, 40).tolist(),
        "i4": rng.integers(-(10**9), 10**9, 40).tolist(),
        "f4": (rng.integers(0, 999, 40) / 16).tolist(),
        "f8": rng.normal(size=40).tolist(),
    }
    for name, values in lists.items():
        packed = _packed(values, 100)
        assert packed["type"] == name
        dtype = np.dtype(DTYPES[name]).newbyteorder("<")
        assert np.frombuffer(base64.b64decode(packed["packed"]), dtype).tolist() == values
    missing = _packed([1.0, None, 3.0], 100)
    assert np.isnan(np.frombuffer(base64.b64decode(missing["packed"]), "<f4")[1])


def test_every_script_file_is_used():
    folder = files("sknneuron.inspection.page").joinpath("script")
    assert {f"{name}.js" for name in SCRIPTS} == {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("max_rows", [0, -1, 2.5, "all", True])
def test_max_rows_is_a_number_of_rows(planted, max_rows):
    with pytest.raises(ValueError, match="max_rows must be an integer"):
        to_html(*planted, max_rows=max_rows)


def test_a_number_can_be_the_title(planted):
    assert "<title>7</title>" in to_html(planted[0], title=7)


def test_rows_and_targets_must_be_as_many(planted):
    estimator, X, y = planted
    with pytest.raises(ValueError, match="X has 60 rows and y has 59"):
        to_html(estimator, X, y[:-1])


def test_rows_that_cannot_be_shown_are_refused_in_words(planted):
    estimator, X, y = planted
    with pytest.raises(ValueError, match="X has no rows"):
        to_html(estimator, X[:0], y[:0])
    with pytest.raises(ValueError, match="y holds 'dear', which is no number"):
        to_html(estimator, X, ["dear"] * len(X))
    with pytest.raises(TypeError, match=r"path='neuron\.html'"):
        to_html(estimator, "neuron.html")
    with pytest.raises(TypeError, match=r"X must be a table.*a dict"):
        to_html(estimator, X.to_dict("list"))


def test_tables_of_arrow_are_shown_as_dataframes_are():
    pa = pytest.importorskip("pyarrow")
    # Sums of these are exact, in whatever order of memory.
    X = pd.DataFrame(np.random.default_rng(0).integers(4, size=(32, 2)) / 4, columns=["a", "b"])
    model = NeuronRegressor().fit(X, X["a"])
    assert to_html(model, pa.table(X), X["a"]) == to_html(model, X, X["a"])
    model.fit(X, X)
    assert to_html(model, X, pa.table(X)) == to_html(model, X, X)


def test_rows_of_dask_are_shown(planted):
    dask = pytest.importorskip("dask.dataframe")
    X, y = (dask.from_pandas(v.reset_index(drop=True), npartitions=3) for v in planted[1:])
    assert to_html(planted[0], X, y) == to_html(planted[0], X.compute(), y.compute())


def test_too_many_neurons_are_refused():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(8, 2)), rng.normal(size=(8, 5001))
    with pytest.raises(ValueError, match="at most 5000 neurons"):
        to_html(NeuronRegressor(record=False).fit(X, Y))


def test_only_fitted_neurons_have_pages():
    X, y = sales()
    with pytest.raises(NotFittedError):
        to_html(NeuronRegressor())
    with pytest.raises(TypeError, match="no neuron"):
        to_html(LinearRegression().fit(X[["sqft"]], y))
