"""The page of a hidden layer: pick a neuron, see inside."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer
from sknneuron.inspection import to_html
from sknneuron.inspection.page.summary import summarize


@pytest.fixture(scope="module")
def network():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :6]
    model = make_pipeline(StandardScaler(), NeuronLayer(4, random_state=0), NeuronClassifier())
    return model.fit(X, y), X, y


def test_summary_has_every_neuron(network):
    model, X, y = network
    summary = summarize(model[:-1], X, y)
    assert len(summary["neurons"]) == 4
    assert len(summarize(model, X, y)["features"]) == 4


@pytest.mark.browser
def test_each_neuron_can_be_picked_and_its_level_is_pythons(pages, network):
    model, X, y = network
    page = pages.open(to_html(model[:-1], X, y))
    page.fill("#row", "8")
    page.press("#row", "Enter")
    position = np.sort(np.random.default_rng(0).choice(len(X), 500, replace=False))[7]
    level = model[:-1].transform(X.iloc[[position]])[0]
    shown = page.eval_on_selector_all(
        "[data-output]", "all => all.map(n => [n.dataset.output, n.dataset.value])"
    )
    values = [float(value) for _, value in sorted(shown, key=lambda pair: int(pair[0]))]
    np.testing.assert_allclose(values, level, rtol=1e-9, atol=1e-9)
    page.select_option("#neuron", "2")
    assert "Neuron 3 of 4" in page.inner_text("body")
