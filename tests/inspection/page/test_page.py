"""The page in a real browser: what it computes, what it does, and what it must never do."""

import copy
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sknneuron
from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.activations import ACTIVATIONS
from sknneuron.inspection import coef_table, to_html

from .. import pipelines
from .models import MODELS, first_rows, html_of, model, neuron_of, outputs

pytestmark = pytest.mark.browser
SCRIPT = Path(sknneuron.__file__).parent / "inspection" / "page" / "script"


def shown(page):
    """Return the values that the page shows, to the last digit."""
    many = page.eval_on_selector_all(
        "[data-output]", "all => all.map(n => [n.dataset.output, n.dataset.value])"
    )
    if many:
        return np.array([float(value) for _, value in sorted(many, key=lambda pair: int(pair[0]))])
    return np.array([float(page.get_attribute("#prediction", "data-value"))])


def load(page, row):
    """Load a row of the sample, counted from zero."""
    page.fill("#row", str(row + 1))
    page.press("#row", "Enter")


def feature_named(page, name):
    """Return the number of the control of a feature."""
    found = page.locator(".control", has=page.locator(f'label bdi:text-is("{name}")'))
    return found.get_attribute("data-feature")


def slide(page, name, value):
    """Move a feature's slider as a pointer would: the value, then the event."""
    feature = feature_named(page, name)
    page.eval_on_selector(
        f"#feature-{feature}",
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }",
        str(value),
    )
    return float(page.input_value(f"#feature-{feature}"))


def agree(page, expected):
    np.testing.assert_allclose(shown(page), np.ravel(expected), rtol=1e-9, atol=1e-9)


def with_value(X, row, column, value):
    """Return one row of X in which a column has another value."""
    if isinstance(X, pd.DataFrame):
        changed = X.iloc[[row]].copy()
        changed[column] = value
        return changed
    changed = X[[row]].copy()
    changed[0, column] = value
    return changed


# -- what it computes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_page_and_python_agree(pages, name):
    estimator, X, _y = first_rows(name)
    page = pages.open(html_of(name))
    line = page.locator("#difference")
    assert float(line.get_attribute("data-relative")) < 1e-12
    assert "differ by at most" in line.inner_text()
    load(page, 7)
    agree(page, outputs(estimator, X[7:8]))
    if name == "text":
        return
    for column, label in numbers_of(X)[:2]:
        values = X[column] if isinstance(column, str) else X[:, column]
        load(page, 7)
        value = slide(page, label, values.min() + 0.3 * (values.max() - values.min()))
        agree(page, outputs(estimator, with_value(X, 7, column, value)))


def numbers_of(X):
    """Columns of numbers, and what the page calls them."""
    if isinstance(X, pd.DataFrame):
        return [(name, name) for name in X if X[name].dtype.kind == "f"]
    return [(j, f"x{j}") for j in range(X.shape[1]) if np.ptp(X[:, j])]


@pytest.mark.parametrize("name", ["log price", "digits", "text", "one feature"])
def test_without_rows_it_is_held_against_made_up_ones(pages, name):
    page = pages.open(to_html(model(name)[0]))
    assert float(page.get_attribute("#difference", "data-relative")) < 1e-12
    assert page.locator("#rows").is_hidden()
    assert "No row of data is in this file" in page.inner_text("#notes")
    before = shown(page)
    slide(page, page.locator(".control .name").first.inner_text(), 0.1)
    assert (shown(page) != before).any()


def test_square_feet_and_zip_codes(pages):
    estimator, X, _y = first_rows("log price")
    page = pages.open(html_of("log price"))
    load(page, 100)
    sqft, zip_code = feature_named(page, "sqft"), feature_named(page, "zip")
    assert float(page.get_attribute(f"#feature-{sqft}", "max")) == X["sqft"].max()
    square_feet = slide(page, "sqft", 2500)
    assert square_feet == 2500
    changed = with_value(X, 100, "sqft", square_feet)
    agree(page, estimator.predict(changed))
    page.select_option(f"#feature-{zip_code}", label="95864")
    changed["zip"] = "95864"
    agree(page, estimator.predict(changed))
    page.select_option(f"#feature-{zip_code}", label="other (not seen in training)")
    changed["zip"] = "00000"
    agree(page, estimator.predict(changed))
    # A number that no slider reaches, typed in.
    field = page.locator(f'.control[data-feature="{sqft}"] input[type=number]')
    field.fill("12000.5")
    field.press("Enter")
    changed["sqft"] = 12000.5
    agree(page, estimator.predict(changed))


def test_a_missing_value_is_imputed(pages):
    estimator, X, _y = first_rows("price")
    page = pages.open(html_of("price"))
    load(page, 3)
    sqft = feature_named(page, "sqft")
    button = page.locator(f'.control[data-feature="{sqft}"] button')
    button.click()
    agree(page, estimator.predict(with_value(X, 3, "sqft", np.nan)))
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert np.isfinite(shown(page)).all()


def test_words_of_a_text(pages):
    estimator, X, _y = first_rows("text")
    page = pages.open(html_of("text"))
    assert "This page shows 60" in page.inner_text("#unshown")
    load(page, 11)
    agree(page, estimator.predict_proba(X[11:12]))
    inputs = estimator[:-1].transform(X[11:12]).toarray()
    names = list(estimator[:-1].get_feature_names_out())
    for word in page.locator(".control .name").all_inner_texts()[:3]:
        inputs[0, names.index(word)] = slide(page, word, 0.25)
    agree(page, estimator[-1].predict_proba(inputs))


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_every_activation_far_out(pages, activation):
    rng = np.random.default_rng(0)
    X = np.linspace(-40, 40, 300)[:, None]
    low, high = ACTIVATIONS[activation].range
    y = np.clip(rng.uniform(0.1, 0.9, 300), low + 0.1, high - 0.1)
    neuron = NeuronRegressor(activation, record=False, random_state=0, tol=1e-2).fit(X / 40, y)
    neuron.coef_, neuron.intercept_ = np.array([1.0]), 0.125
    page = pages.open(to_html(neuron, X))
    assert float(page.get_attribute("#difference", "data-relative")) < 2e-15
    for row in (0, 140, 170, 299):
        load(page, row)
        np.testing.assert_allclose(shown(page), neuron.predict(X[[row]]), rtol=1e-9, atol=0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("activation", ["tanh", "softsign", "cloglog"])
def test_every_activation_of_a_classifier(pages, activation, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    neuron = NeuronClassifier(activation, alpha=1e-2).fit(X, y)
    page = pages.open(to_html(neuron, X, y))
    assert float(page.get_attribute("#difference", "data-absolute")) < 1e-14
    labels = [
        page.inner_text("#prediction .headline") for row in range(0, 90, 30) if not load(page, row)
    ]
    assert labels == [str(label) for label in neuron.predict(X[0:90:30])]


def test_erfc_to_the_last_digits(browser):
    page = browser.new_page()
    page.set_content("<p>")
    page.add_script_tag(path=SCRIPT / "maths.js")
    points = [*np.linspace(-6, 6, 241), 1 - 1e-12, 1.0, 1 + 1e-12, 9.5, 20.0, 26.0, 30.0]
    found = page.evaluate("points => points.map(erfc)", [float(x) for x in points])
    with mpmath.workdps(40):
        expected = [float(mpmath.erfc(mpmath.mpf(float(x)))) for x in points]
    # Far out the rounding of x * x, of which an exponential is taken, is what remains.
    np.testing.assert_allclose(found[:244], expected[:244], rtol=2e-14)
    np.testing.assert_allclose(found, expected, rtol=2e-13, atol=1e-320)
    page.close()


# -- what it does ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["price", "digits", "relu"])
def test_weights_can_be_edited_and_come_back(pages, name):
    estimator, X, _y = first_rows(name)
    page = pages.open(html_of(name))
    load(page, 20)
    before = shown(page)
    changed = copy.deepcopy(estimator)
    neuron = neuron_of(changed)
    coef = np.atleast_2d(neuron.coef_)
    k = int(page.input_value("#neuron")) if len(coef) > 1 else 0
    field = page.locator("#weights-body input").first
    own = int(field.locator("xpath=ancestor::tr").get_attribute("data-input"))
    per_unit = 1.0 if name == "digits" else float(_scale(estimator, own))
    field.fill("0.75")
    field.press("Enter")
    coef[k, own] = 0.75 * per_unit
    agree(page, outputs(changed, X[20:21]))
    assert "edited weights" in page.inner_text("#state")
    fitted = page.input_value("#bias")
    page.fill("#bias", "")
    page.press("#bias", "Enter")
    assert page.input_value("#bias") == fitted
    page.fill("#bias", "0.5")
    page.press("#bias", "Enter")
    intercept = np.atleast_1d(neuron.intercept_).copy()
    intercept[k] = 0.5
    neuron.intercept_ = intercept if np.ndim(neuron.intercept_) else 0.5
    agree(page, outputs(changed, X[20:21]))
    page.click("#weights-back")
    np.testing.assert_array_equal(shown(page), before)
    assert page.locator("#state").is_hidden()


def _scale(estimator, own):
    """Standard deviation by which the scaler before the neuron divides one of its inputs."""
    step = estimator[0]
    if hasattr(step, "named_transformers_"):
        step = step.named_transformers_["n"][-1]
    return step.scale_[own]


def test_an_indicators_weight_is_that_of_a_missing_value(pages):
    X, y = pipelines.table()
    X = X[["sqft"]]
    steps = SimpleImputer(add_indicator=True), StandardScaler(), NeuronRegressor(alpha=0)
    model = make_pipeline(*steps).fit(X, y)
    page = pages.open(to_html(model, X, y))
    row = page.locator("#weights-body tr", has=page.locator('bdi:text-is("sqft is missing")'))
    expected = coef_table(model, X, y, scale="original").set_index("feature")["weight"]
    value = float(row.locator("input").input_value())
    assert value == pytest.approx(expected["sqft is missing"], rel=1e-5)
    assert row.locator("small").inner_text() == "where it is missing"


@pytest.mark.parametrize("name", ["above the median", "digits", "tanh"])
def test_the_scrubber_shows_the_weights_of_then(pages, name):
    estimator, X, _y = first_rows(name)
    page = pages.open(html_of(name))
    load(page, 5)
    fitted = shown(page)
    then = copy.deepcopy(estimator)
    neuron = neuron_of(then)
    history = neuron.history_
    for step in (0, len(history["iteration"]) // 2):
        page.eval_on_selector(
            "#scrubber",
            "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }",
            str(step),
        )
        neuron.coef_ = history["coef"][step].reshape(neuron.coef_.shape)
        intercept = history["intercept"][step]
        neuron.intercept_ = intercept if np.ndim(neuron.intercept_) else float(intercept[0])
        agree(page, outputs(then, X[5:6]))
        assert f"iteration {history['iteration'][step]}," in page.inner_text("#scrub-text")
        assert page.locator("#state").is_visible()
    page.click("#to-fitted")
    np.testing.assert_array_equal(shown(page), fitted)


def test_playing_runs_through_the_training(pages):
    page = pages.open(html_of("above the median"))
    fitted = shown(page)
    page.click("#play")
    last = page.get_attribute("#scrubber", "max")
    expect(page.locator("#play")).to_have_text("Play")
    assert page.input_value("#scrubber") == last
    np.testing.assert_allclose(shown(page), fitted, rtol=1e-9)


@pytest.mark.parametrize("name", ["price", "digits", "multilabel"])
def test_rows_of_the_histogram_load(pages, name):
    estimator, X, _y = first_rows(name)
    page = pages.open(html_of(name))
    page.locator(".histogram-bar").last.click()
    row = int(page.input_value("#row")) - 1
    agree(page, outputs(estimator, X[row : row + 1]))
    k = int(page.input_value("#neuron")) if name != "price" else 0
    levels = neuron_of(estimator).transform(estimator[:-1].transform(X) if name == "price" else X)
    assert row == levels[:, k].argmax() or levels[row, k] >= np.quantile(levels[:, k], 0.9)
    page.locator("#weakest button").first.click()
    row = int(page.input_value("#row")) - 1
    assert row == levels[:, k].argmin()
    agree(page, outputs(estimator, X[row : row + 1]))


def test_what_was_observed_is_said(pages):
    estimator, X, y = first_rows("price")
    page = pages.open(html_of("price"))
    load(page, 0)
    off = float(estimator.predict(X[:1])[0] - y[0])
    words = page.inner_text("#actual").replace("\u202f", "")
    assert f"actual {y[0]:.0f}" in words
    assert ("low" if off < 0 else "high") in words
    slide(page, "sqft", 3000)
    assert page.inner_text("#actual").strip() == ""


def test_neurons_side_by_side(pages):
    estimator, X, _y = first_rows("digits")
    page = pages.open(html_of("digits"))
    assert page.locator(".card").count() == 10
    page.locator(".card").nth(3).click()
    assert page.input_value("#neuron") == "3"
    # A stroke from top to bottom.
    before = shown(page)
    page.locator("#clear").click()
    box = page.locator(".canvas").bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.9 * box["height"], steps=20)
    page.mouse.up()
    drawn = np.zeros((8, 8))
    drawn[:, 4] = X.max()
    agree(page, estimator.predict_proba(drawn.reshape(1, 64)))
    assert not np.allclose(shown(page), before)


@pytest.mark.parametrize("activation", ["exp", "identity", "cloglog"])
def test_values_that_overflow_break_nothing(pages, activation):
    X, y = load_iris(return_X_y=True, as_frame=True)
    y = np.clip(y / 2, 0.1, 0.9)
    page = pages.open(to_html(NeuronRegressor(activation, random_state=0).fit(X, y), X, y))
    for value in ("1e308", "-1e308", "1e-308", "0"):
        for field in page.locator(".control input[type=number]").all():
            field.fill(value)
            field.press("Enter")
    page.fill("#bias", "1e300")
    page.press("#bias", "Enter")
    page.click("#back")
    load(page, 0)
    assert np.isfinite(shown(page)).all()


def test_a_neuron_without_any_weight_left(pages):
    X, y = load_iris(return_X_y=True, as_frame=True)
    with pytest.warns(NeuronWarning):
        neuron = NeuronClassifier(alpha=10.0, l1_ratio=1.0, record=False).fit(X, y == 1)
    assert not neuron.coef_.any()
    page = pages.open(to_html(neuron, X, y == 1))
    assert set(page.locator(".push").all_inner_texts()) == {"· 0"}
    assert page.locator("#training").is_hidden()


def test_a_category_too_large_to_show(pages, monkeypatch):
    monkeypatch.setattr("sknneuron.inspection.page.subject.MAX_WEIGHTS", 3)
    monkeypatch.setattr("sknneuron.inspection.page.subject.MAX_COLUMNS", 3)
    X = pd.DataFrame({"town": list("abcdefgh") * 5})
    y = np.arange(40) % 8 + 0.5
    estimator = make_pipeline(OneHotEncoder(), NeuronRegressor()).fit(X, y)
    page = pages.open(to_html(estimator, X, y))
    assert page.locator(".control").count() == 0
    load(page, 5)
    agree(page, estimator.predict(X[5:6]))
    assert "The other 1 stay" in page.inner_text("#unshown")


def test_of_many_classes_the_likeliest_are_shown(pages):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.arange(200) % 40
    neuron = NeuronClassifier(alpha=0.1).fit(X, y)
    page = pages.open(to_html(neuron, X, y))
    load(page, 3)
    probability = np.sort(neuron.predict_proba(X[3:4])[0])[::-1]
    values = page.eval_on_selector_all("[data-output]", "all => all.map(n => +n.dataset.value)")
    np.testing.assert_allclose(values, probability[:12], rtol=1e-9)
    assert "and 28 more" in page.inner_text("#outputs")


# -- for everyone ----------------------------------------------------------------------------------


def test_by_keyboard_alone(pages):
    estimator, X, _y = first_rows("price")
    page = pages.open(html_of("price"))
    load(page, 9)
    before = shown(page)
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className.baseVal || ''"
            )
        )
        if reached[-1] == f"feature-{feature_named(page, 'sqft')}":
            page.keyboard.press("ArrowRight")
            assert shown(page) > before
        if "histogram-bar" in reached[-1]:
            break
    assert "histogram-bar" in reached[-1]
    page.keyboard.press("Home")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    row = int(page.input_value("#row")) - 1
    predicted = estimator.predict(X)
    assert predicted[row] > np.quantile(predicted, 0.95)
    assert "histogram-bar" in page.evaluate("document.activeElement.className.baseVal")


def test_every_control_has_a_name(pages):
    page = pages.open(html_of("digits"))
    nameless = page.eval_on_selector_all(
        "input, select, button",
        """all => all.filter(n => !(n.labels?.length || n.getAttribute('aria-label')
             || n.textContent.trim())).map(n => n.outerHTML)""",
    )
    assert nameless == []
    assert (
        page.eval_on_selector_all(
            "svg[role=img]", "all => all.filter(n => !n.getAttribute('aria-label')).length"
        )
        == 0
    )


def test_dark_and_light(pages):
    html = html_of("tanh")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = pages.open(html, color_scheme="light")
    dark = pages.open(html, color_scheme="dark")
    assert light.evaluate(colour) != dark.evaluate(colour)
    light.click("#theme")
    assert light.evaluate(colour) == dark.evaluate(colour)


@pytest.mark.parametrize("name", ["log price", "digits", "text"])
def test_narrow_screens_need_no_sideways_scrolling(pages, name):
    page = pages.open(html_of(name), width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.eval_on_selector_all(
        ".panel, .inputs, .prediction, svg",
        "all => all.filter(n => n.getBoundingClientRect().right > 391).map(n => n.outerHTML)",
    )
    assert wide == []


def test_sign_is_more_than_colour(pages):
    page = pages.open(html_of("price"))
    for push in page.locator(".push").all():
        text = push.inner_text()
        assert text[0] in "▲▼·"
        assert ("\N{MINUS SIGN}" in text) == (text[0] == "▼")
    fills = page.eval_on_selector_all(
        ".fall", "all => all.map(n => [n.classList.contains('neg'), getComputedStyle(n).fill])"
    )
    hollow = page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--hollow')"
    )
    assert len({fill for _, fill in fills}) == 2
    assert hollow.strip().startswith("#")


# -- what it must never do -------------------------------------------------------------------------


def test_inside_a_sandboxed_frame(pages):
    html = html_of("price")
    escaped = html.replace("&", "&amp;").replace('"', "&quot;")
    page = pages.open(f'<iframe sandbox="allow-scripts" width=1200 height=800 srcdoc="{escaped}">')
    frame = page.frames[1]
    frame.wait_for_selector("html[data-ready]")
    before = frame.get_attribute("#prediction", "data-value")
    slide(frame, "sqft", 3000)
    assert frame.get_attribute("#prediction", "data-value") != before
    pages.requests = [url for url in pages.requests if url != "about:srcdoc"]


HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "\"quotes\" & 'apostrophes' <b>",
    "שלום עולם",
    "🏠🏡",
    "n" * 1000,
    "${alert(1)}",
    "<!--<script>",
    "line\u2028separator",
]


def hostile():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, len(HOSTILE))), columns=HOSTILE)
    y = pd.Series(np.where(X.iloc[:, 0] + 0.5 * rng.normal(size=60) > 0, HOSTILE[0], HOSTILE[1]))
    return NeuronClassifier().fit(X, y), X, y.rename(HOSTILE[0])


@pytest.mark.parametrize("title", [HOSTILE[0], HOSTILE[1], "</title><script>alert(1)</script>"])
def test_hostile_names_are_text(pages, title):
    page = pages.open(to_html(*hostile(), title=title))
    assert page.title() == title
    assert page.inner_text("h1") == title
    assert page.locator("img, b").count() == 0
    assert page.locator("script").count() == 2
    labels = page.locator(".control label").all_inner_texts()
    assert set(labels) == set(HOSTILE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_policy_admits_no_other_script(browser, tmp_path):
    page = browser.new_page()
    path = tmp_path / "page.html"
    path.write_text(html_of("one feature"), encoding="utf-8")
    page.goto(path.as_uri())
    refused = page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener('securitypolicyviolation', (event) => {
            refused.push(event.effectiveDirective);
          });
          const script = document.createElement('script');
          script.textContent = 'window.intruder = 1';
          document.body.append(script);
          const image = document.createElement('img');
          image.src = 'https://example.org/pixel.png';
          document.body.append(image);
          await fetch('https://example.org/').catch(() => {});
          await new Promise((done) => { setTimeout(done, 50); });
          return refused;
        }"""
    )
    assert sorted(refused) == ["connect-src", "img-src", "script-src-elem"]
    assert page.evaluate("window.intruder") is None
    page.close()


def test_levels_alike_but_for_rounding_stand_in_one_bar(pages):
    X = np.linspace(0, 1, 40)[:, None]
    page = pages.open(to_html(NeuronClassifier().fit(X, X[:, 0] > 0.5), X))
    page.fill("#bias", "40")
    page.press("#bias", "Enter")
    assert page.locator(".histogram-bar").count() == 1
    ticks = page.locator("#histogram .tick[text-anchor=middle]").all_text_contents()
    assert len(set(ticks)) == len(ticks) > 1


def test_ticks_close_together_differ(pages):
    X = np.linspace(0, 1, 40)[:, None]
    page = pages.open(to_html(NeuronRegressor(alpha=0).fit(X, 5 + 1e-5 * X[:, 0]), X))
    ticks = page.locator("#histogram .tick[text-anchor=middle]").all_text_contents()
    assert len(set(ticks)) == len(ticks) > 1


def test_numbers_fit_into_their_fields(pages):
    rng = np.random.default_rng(0)
    sizes = [0.1, 0.001, 1e9]
    X = pd.DataFrame(-rng.uniform(1, 2, (40, 3)) * sizes, columns=["a", "b", "c"])
    page = pages.open(to_html(NeuronRegressor(alpha=0).fit(X, X["a"]), X))
    cut = page.eval_on_selector_all(
        ".control input[type=number]",
        "all => all.filter(n => n.scrollWidth > n.clientWidth).map(n => n.value)",
    )
    assert cut == []


def test_names_are_cut_by_their_width(browser):
    page = browser.new_page()
    page.add_script_tag(content=(SCRIPT / "dom.js").read_text(encoding="utf-8"))
    assert page.evaluate("clip('x'.repeat(40), 10)") == "x" * 9 + "…"
    # Chinese letters and emoji are as wide as two.
    assert page.evaluate("clip('数'.repeat(40), 10)") == "数" * 4 + "…"
    assert page.evaluate("clip('🧠'.repeat(40), 6)") == "🧠" * 2 + "…"
    fit = "[clip('数'.repeat(5), 10), clip('abc', 3), clip('', 3)]"
    assert page.evaluate(fit) == ["数" * 5, "abc", ""]
    page.close()
