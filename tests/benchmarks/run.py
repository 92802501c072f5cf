"""Run the benchmarks, ours and the peers in turn, and write the tables of the docs page.

    python -m tests.benchmarks.run [--quick] [--only WORDS] [--rounds 5] [--write]

Everyone's tolerance is tightened until the objective is within the row's target of the optimum, as a
share of what there was to gain; then all are timed in turn (A B A B ...), and the medians compared.
With ``--write`` rows are merged into docs/benchmarks.json, and docs/benchmarks.inc is made from it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import warnings

from . import report
from .cases import CASES
from .contests import CONTESTS
from .defaults import everyones_defaults
from .digits import digits_of_accuracy
from .memory import MEMORY
from .timing import run_contest
from .tolerances import contest_of

TABLES = {
    "digits": ("digits of accuracy", digits_of_accuracy),
    "defaults": ("everyone's defaults", everyones_defaults),
}
PEERS = ("numpy", "scipy", "scikit-learn", "glum", "skglm", "torch", "statsmodels")


def machine() -> str:
    """What the numbers were measured on."""
    versions = []
    for name in PEERS:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"without {name}")
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(versions)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a subset, in under five minutes")
    parser.add_argument("--only", default="", help="rows whose name contains these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="update the tables of the docs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    def wanted(row) -> bool:
        return options.only in row.name and (row.quick or not options.quick)

    results = report.load() if options.write else report.empty()
    contests = [*map(contest_of, filter(wanted, CASES)), *filter(wanted, CONTESTS)]
    for contest in contests:
        row = run_contest(contest, options.rounds)
        report.add(results, "speed", {**row, "machine": machine()})
        print(report.line(row), flush=True)
        if options.write:
            # Row by row: a run of hours may be cut short.
            report.save(results)
    for measure in filter(wanted, MEMORY):
        row = measure.run()
        report.add(results, "memory", {**row, "machine": machine()})
        print(row, flush=True)
    if not options.quick:
        for name, (title, table) in TABLES.items():
            if options.only in title:
                for row in table():
                    report.add(results, name, {**row, "machine": machine()})
                    print(row, flush=True)
                    if options.write:
                        report.save(results)
    if options.write:
        report.save(results)


if __name__ == "__main__":
    main()
