"""The picture of a neuron, and what notebooks show."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.activations import ACTIVATIONS
from sknneuron.inspection import NeuronDisplay, unfold
from sknneuron.inspection.diagram import draw_neurons, to_svg

RNG = np.random.default_rng(0)
NASTY = "</text><script>alert('x')</script>"


def fitted(n_features=3, **kwargs):
    X = pd.DataFrame(RNG.standard_normal((80, n_features)))
    X.columns = [f"feature {j}" for j in range(n_features)]
    return NeuronRegressor(**kwargs).fit(X, X.iloc[:, 0] - 0.5 * X.iloc[:, 1])


def parse(svg):
    return ElementTree.fromstring(svg)


@pytest.mark.parametrize("n_features", [1, 3, 10, 11, 300])
def test_as_many_lines_as_fit(n_features):
    inside = unfold(
        fitted(n_features) if n_features > 1 else NeuronRegressor().fit([[1.0], [2]], [1, 2])
    )
    diagram = draw_neurons(inside)
    assert len(diagram.lines) == min(n_features, 10)
    texts = {text.text for text in diagram.texts}
    assert (f"and {n_features - 10} more" in texts) == (n_features > 10)
    strongest = np.argsort(-np.abs(inside.coef[0]))[:10]
    np.testing.assert_allclose(
        sorted(line.value for line in diagram.lines), np.sort(inside.coef[0, strongest])
    )
    assert all(0 <= text.y <= diagram.height for text in diagram.texts)


def test_strength_is_width_and_sign_is_dashes():
    svg = parse(to_svg(draw_neurons(unfold(fitted())), "title"))
    lines = [e for e in svg.iter() if e.tag.endswith("line") and not e.tag.endswith("polyline")]
    strong, negative = lines[0], lines[1]
    assert float(strong.get("stroke-width")) > float(negative.get("stroke-width"))
    assert strong.get("stroke-dasharray") is None
    assert negative.get("stroke-dasharray") is not None
    assert strong.get("stroke") != negative.get("stroke")


def test_several_neurons_and_many():
    X, y = load_iris(return_X_y=True, as_frame=True)
    layer = NeuronClassifier().fit(X, y)
    assert len(draw_neurons(unfold(layer)).lines) == 12
    assert len(draw_neurons(unfold(layer), neurons=[1]).lines) == 4
    many = NeuronRegressor().fit(X, RNG.standard_normal((150, 25)))
    texts = [t.text for t in draw_neurons(unfold(many)).texts]
    assert "and 15 more" in texts


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_every_activation_has_a_curve(activation):
    model = fitted().set_params(activation=activation)
    (curve,) = draw_neurons(unfold(model)).curves
    assert np.isfinite(curve).all()
    assert np.ptp(curve[:, 1]) > 10


def test_names_are_escaped():
    X = pd.DataFrame({NASTY: [1.0, 2, 3, 4], "$b$": [0.0, 1, 0, 1]})
    model = NeuronRegressor().fit(X, [1.0, 2, 3, 4])
    svg = NeuronDisplay(unfold(model)).to_svg()
    assert "<script" not in svg
    parse(svg)
    html = model._repr_html_()
    assert "<script>alert" not in html


def test_notebooks_show_the_diagram_beside_the_table():
    model = fitted()
    html = model._repr_html_()
    assert "<svg" in html
    assert "feature 1" in html
    assert html == model._repr_mimebundle_()["text/html"] or "<svg" in html
    plain = NeuronRegressor()._repr_html_()
    assert 'role="img"' not in plain
    assert "NeuronRegressor" in plain
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")


def test_the_picture_brings_no_style_sheet():
    svg = NeuronDisplay(unfold(fitted())).to_svg()
    assert "<style" not in svg
    assert "class=" not in svg


def test_pipelines_show_as_scikit_learn_shows_them():
    X, y = load_iris(return_X_y=True)
    html = make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, y)._repr_html_()
    assert 'role="img"' not in html


def test_notebooks_need_no_matplotlib():
    program = (
        "import sys, sknneuron\n"
        "n = sknneuron.NeuronRegressor().fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.1])\n"
        "assert '<svg' in n._repr_html_()\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
