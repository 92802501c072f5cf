"""The neuron pages that the documentation embeds, and pictures of them.

``python docs/neuron_pages.py FOLDER`` writes the pages there. Without a folder it takes the
pictures in ``docs/_static`` anew, for which it needs playwright and a Chromium (the variable
CHROMIUM, or one on the path).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import to_html

DOCS = Path(__file__).parent
SALES = DOCS.parent / "examples" / "data" / "sacramento.csv"
NUMBERS = ["sqft", "beds", "baths", "latitude", "longitude"]
CATEGORIES = ["zip", "type"]
SIZES = {"wide": (1280, 1080), "narrow": (390, 1500)}


def housing(path: Path) -> None:
    """A neuron on the log price of a house."""
    sales = pd.read_csv(SALES, dtype={"zip": str})
    X, y = sales[NUMBERS + CATEGORIES], sales["price"]
    encoder = ColumnTransformer(
        [
            ("scale", StandardScaler(), NUMBERS),
            ("one_hot", OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
        ]
    )
    model = TransformedTargetRegressor(
        make_pipeline(encoder, NeuronRegressor(alpha=1e-3, solver="adam", random_state=0)),
        func=np.log,
        inverse_func=np.exp,
    )
    to_html(model.fit(X, y), X, y, path, title="What is a house in Sacramento worth?")


def digits(path: Path) -> None:
    """Ten neurons that look at digits."""
    X, y = load_digits(return_X_y=True)
    neurons = NeuronClassifier(alpha=1e-2).fit(X / 16, y)
    to_html(neurons, X / 16, y, path, title="Ten neurons look at a digit", max_rows=300)


def flower(path: Path) -> None:
    """A neuron that tells two kinds of iris apart, trained slowly enough to watch."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    petals = ["petal length (cm)", "petal width (cm)"]
    X, virginica = X.loc[y > 0, petals], (y[y > 0] == 2).rename("virginica")
    neuron = NeuronClassifier(solver="adam", alpha=1e-3, batch_size=10, random_state=0)
    to_html(neuron.fit(X, virginica), X, virginica, path, title="Is this iris a virginica?")


def switches(path: Path) -> None:
    """A neuron that lights up if both of two switches are on."""
    X = pd.DataFrame({"left": [0, 0, 1, 1], "right": [0, 1, 0, 1]})
    y = pd.Series([0, 0, 0, 1], name="light")
    neuron = NeuronClassifier(alpha=1e-3)
    to_html(neuron.fit(X, y), X, y, path, title="Are both switches on?")


PAGES = {"housing": housing, "digits": digits, "flower": flower, "switches": switches}
PICTURED = ["housing", "digits"]


def write_pages(folder: Path) -> None:
    """Write every page into a folder."""
    for name, write in PAGES.items():
        write(folder / f"neuron-page-{name}.html")


def take_pictures(pages: Path, pictures: Path) -> None:
    """Take a picture of each page, wide and narrow, light and dark."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in PICTURED:
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    page = browser.new_page(
                        viewport={"width": width, "height": height}, color_scheme=scheme
                    )
                    page.goto((pages / f"neuron-page-{name}.html").as_uri())
                    page.wait_for_selector("html[data-ready]")
                    page.screenshot(path=pictures / f"neuron-page-{name}-{size}-{scheme}.png")
                    page.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(exist_ok=True)
        write_pages(folder)
        print(
            "Open in a browser:", *sorted(map(str, folder.glob("neuron-page-*.html"))), sep="\n  "
        )
    else:
        with tempfile.TemporaryDirectory() as temporary:
            write_pages(Path(temporary))
            take_pictures(Path(temporary), DOCS / "_static")
