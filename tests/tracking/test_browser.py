"""The run's page in MLflow's own UI, in a real Chromium."""

import os
from pathlib import Path

import mlflow
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier

from ..inspection.page.conftest import browser  # noqa: F401
from .server import tracking_server

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# The UI takes its time before a chart is drawn.
PATIENCE = 90_000


@pytest.fixture(scope="module")
def run_page(store, cancer, tmp_path_factory):
    """A run on a real server, and where its page is."""
    X, y = cancer
    with tracking_server(tmp_path_factory.mktemp("ui"), store.uri) as (_, address):
        mlflow.set_tracking_uri(address)
        try:
            experiment_id = mlflow.create_experiment("seen in a browser")
            mlflow.set_experiment(experiment_id=experiment_id)
            sknneuron.mlflow.autolog(log_models=False, log_plots=True)
            with mlflow.start_run(run_name="one neuron") as run:
                model = NeuronClassifier(solver="adam", random_state=0)
                make_pipeline(StandardScaler(), model).fit(X, y)
        finally:
            sknneuron.mlflow.autolog(disable=True)
            mlflow.set_tracking_uri(store.uri)
        yield f"{address}/#/experiments/{experiment_id}/runs/{run.info.run_id}"


@pytest.fixture
def page(browser):  # noqa: F811
    context = browser.new_context(viewport={"width": 1500, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def keep(page, name):
    """Keep a picture where the variable SCREENSHOTS says."""
    if "SCREENSHOTS" in os.environ:
        # Without the columns at its sides, which have nothing to do with the run.
        clip = {"x": 190, "y": 0, "width": 925, "height": 900}
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / name, clip=clip)


def test_the_charts_of_weights_and_bias_are_in_their_sections(run_page, page):
    page.goto(f"{run_page}/model-metrics")
    for section, charts in {
        "train": ["bias", "gradient_norm", "loss", "objective"],
        "weights": ["mean radius", "mean texture"],
    }.items():
        heading = page.get_by_text(section, exact=True).first
        # Charts are drawn as they come into view.
        heading.scroll_into_view_if_needed()
        page.mouse.move(750, 700)
        if section == "weights":
            page.mouse.wheel(0, 500)
        for chart in charts:
            page.get_by_text(chart, exact=True).first.wait_for()
    page.get_by_text("(weights/mean radius)").first.wait_for()
    page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for()
    drawn = page.locator(".js-plotly-plot .scatterlayer .point").count()
    assert drawn > 20
    keep(page, "mlflow_weights.png")


def test_the_page_of_the_neuron_works_inside_the_ui(run_page, page):
    page.goto(f"{run_page}/artifacts/neuron.html")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for()
    assert page.locator("iframe").get_attribute("sandbox") == "allow-scripts"
    frame.get_by_text("mean radius").first.wait_for()
    keep(page, "mlflow_page.png")


def test_the_weight_paths_are_shown_as_a_picture(run_page, page):
    page.goto(f"{run_page}/artifacts/weights.svg")
    picture = page.locator("img[src^='blob:'], img[src^='data:image/svg']").first
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 100
    keep(page, "mlflow_paths.png")
