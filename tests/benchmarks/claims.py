"""The claims of the README, taken from the committed results.

    python -m tests.benchmarks.claims

writes them into README.md anew, as ``tests.benchmarks.run --write`` and ``tests.benchmarks.coverage
--write`` do.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from . import report

ROOT = Path(__file__).parents[2]
README, COVERAGE = ROOT / "README.md", ROOT / "docs" / "coverage.csv"
PLACE = re.compile(r"(?<=<!-- claims -->\n).*(?=<!-- end -->)", re.DOTALL)


def claims() -> str:
    """Return the table of claims, in Markdown."""
    results = report.load()
    logistic = [
        _row(results["speed"], f"logistic 500k x 50, {columns}, to 1e-06")["ratio"]
        for columns in ("correlated", "independent")
    ]
    kinked = [
        row["ratio"] for row in results["speed"] if "200k x 50, correlated, to 1e-6" in row["work"]
    ]
    ridge = _row(results["memory"], "ridge 500k x 50, share of X")
    with open(COVERAGE, encoding="utf-8") as file:
        means = [float(row["mean"]) for row in csv.DictReader(file)]
    rows = [
        (
            f"logistic regression on 500,000 x 50 rows takes {logistic[0]:.0%} (correlated columns) "
            f"and {logistic[1]:.0%} (independent ones) of the time of whichever of scikit-learn's "
            "solvers and glum gets as near to the optimum first",
            'python -m tests.benchmarks.run --only "logistic 500k"',
        ),
        (
            f"hinge, absolute error and a quantile on 200,000 x 50 rows take {min(kinked):.0%} to "
            f"{max(kinked):.0%} of the time of whichever of LinearSVC, LinearSVR, QuantileRegressor "
            "and statsmodels gets as near to the optimum first",
            'python -m tests.benchmarks.run --only "200k x 50, correlated, to 1e-6"',
        ),
        (
            f"to train on 500,000 x 50 rows takes {ridge['sknneuron']:.0%} of X's memory on top of X; "
            f"Ridge takes {ridge['scikit-learn']:.0%}",
            'python -m tests.benchmarks.run --only "ridge 500k"',
        ),
        (
            f"95% intervals of weights hold the true one in {min(means):.1%} to {max(means):.1%} of "
            f"fits, for each of {len(means)} pairs of activation and loss",
            "python -m tests.benchmarks.coverage",
        ),
    ]
    lines = ["| measured | by |", "|---|---|", *(f"| {what} | `{how}` |" for what, how in rows)]
    return "\n".join(lines) + "\n"


def _row(rows, work):
    return next(row for row in rows if row["work"] == work)


def main():
    """Write the claims into the README."""
    text = README.read_text(encoding="utf-8")
    README.write_text(PLACE.sub(lambda _: claims(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
