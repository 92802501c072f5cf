"""How long the neuron page takes: to write it, and to follow a slider.

    python -m tests.benchmarks.neuron_page [--write]

Needs playwright and a Chromium (the variable CHROMIUM, or one on the path). With ``--write`` the
table of the docs page is written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from sknneuron.inspection import to_html
from tests.inspection.page.models import model

TABLE = Path(__file__).parents[2] / "docs" / "neuron_page.inc"
NAMES = {
    "log price": "Sacramento, log price",
    "digits": "digits, ten neurons",
    "tanh": "diabetes, tanh",
}
STEPS = 60
ROUNDS = 7

# From the event to the finished layout: what a frame needs before it can be painted.
SLIDE = """(steps) => {
  const slider = document.querySelector('#controls input[type=range]');
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const times = [];
  for (let i = 0; i < steps; i += 1) {
    slider.value = low + ((high - low) * i) / steps;
    const began = performance.now();
    slider.dispatchEvent(new Event('input'));
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
}"""


def seconds_to_write(estimator, *data) -> float:
    """Median time of writing the page."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        to_html(estimator, *data)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def slider_steps(browser, html: str) -> list[float]:
    """Milliseconds of each step of a slider."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        page.evaluate(SLIDE, 10)
        times = page.evaluate(SLIDE, STEPS)
        page.close()
    return sorted(times)


def measure() -> list[list[str]]:
    """One row of the table for each page."""
    rows = []
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, words in NAMES.items():
            estimator, X, y = model(name)
            html = to_html(estimator, X, y)
            times = slider_steps(browser, html)
            rows.append(
                [
                    words,
                    f"{1000 * seconds_to_write(estimator):.0f} ms",
                    f"{1000 * seconds_to_write(estimator, X, y):.0f} ms",
                    f"{len(html.encode()) / 1000:.0f} kB",
                    f"{statistics.median(times):.1f} ms",
                    f"{times[int(0.95 * len(times))]:.1f} ms",
                ]
            )
            print("  ".join(rows[-1]), flush=True)
        browser.close()
    return rows


HEAD = [
    "page",
    "written without rows",
    "written with rows and check-up",
    "size with rows",
    "a step of a slider, median",
    "95 of 100 steps within",
]


def table(rows: list[list[str]]) -> str:
    """The rows as reStructuredText."""
    lines = [
        ".. Written by python -m tests.benchmarks.neuron_page --write",
        "",
        "Time and size",
        "-------------",
        "",
        "With a sample of 500 rows, on a machine of two cores. A step is from the slider's event",
        "to the finished layout.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
    ]
    for row in [HEAD, *rows]:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="update the table of the docs page")
    options = parser.parse_args()
    rows = measure()
    if options.write:
        TABLE.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
