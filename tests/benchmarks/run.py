"""Run the benchmarks: ours and the peers in turn, at the same accuracy reached; write the table.

    python -m tests.benchmarks.run [--quick] [--only WORDS] [--write docs/benchmarks.md]

Everyone's tolerance is tightened until the objective is within the case's target of the optimum, as a
share of what there was to gain; then all are timed in turn (A B A B ...), and the medians compared.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
import platform
import time
import warnings

import numpy as np

from sknneuron.objective import Objective
from sknneuron.pairs import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.sources import ArraySource

from .cases import CASES, Case

MAX_LEVEL = 9
# A peer whose single fit takes longer than this, in multiples of ours, is out of the running.
GIVE_UP = 60.0


class Judge:
    """Measures how far weights are from the optimum, in float64, on all rows."""

    def __init__(self, case: Case, X, y):
        classifier = case.loss == "log_loss"
        pair = make_pair(case.activation, case.loss, classifier=classifier)
        n_neurons = len(np.unique(y)) if pair.coupled else 1
        targets = y if pair.coupled else np.asarray(y, float)[:, None]
        penalty = ElasticNet(case.alpha, case.l1_ratio)
        self.objective = Objective(ArraySource(X, targets), pair, penalty, n_neurons)
        self.best = np.inf

    def value(self, coef, intercept):
        theta = self.objective.from_weights(np.atleast_2d(coef), np.atleast_1d(intercept))
        value = self.objective.total(theta)
        self.best = min(self.best, value)
        return value

    def left(self, value):
        """Share of the gain that is left."""
        gain = self.objective.null_value - self.best
        return (value - self.best) / gain


def read_time(X):
    """Seconds of one pass over X, the physical yardstick."""
    values = X.data if hasattr(X, "indptr") else X
    return min(_timed(lambda: np.add.reduce(values, axis=None))[0] for _ in range(5))


def _timed(function):
    gc.collect()
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def settle(case: Case, judge: Judge, X, y):
    """The loosest level of each contestant that reaches the target: {name: fit or None}."""
    best = Case(**{**vars(case), "target": 1e-14})
    judge.value(*best.ours(X, y))
    seconds, weights = _timed(lambda: case.ours(X, y))
    judge.value(*weights)
    fits = {"sknneuron": lambda: case.ours(X, y)}
    for name, peer in case.peers.items():
        fits[name] = None
        for level in range(MAX_LEVEL):

            def fit(peer=peer, level=level):
                return peer(X, y, case.alpha, level)

            took, weights = _timed(fit)
            if judge.left(judge.value(*weights)) <= case.target:
                fits[name] = fit
                break
            if took > max(GIVE_UP * seconds, 1.0):
                break
    return fits


def run_case(case: Case, rounds: int):
    """One row of the table as a dict."""
    X, y = case.make()
    judge = Judge(case, X, y)
    fits = settle(case, judge, X, y)
    small = X.shape[0] * X.shape[1] < 1e5
    repeat = 30 if small else 1
    times: dict[str, list[float]] = {name: [] for name, fit in fits.items() if fit}
    for _ in range(rounds):
        for name in times:
            seconds, _ = _timed(lambda name=name: [fits[name]() for _ in range(repeat)])
            times[name].append(seconds / repeat)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    ours = medians.pop("sknneuron")
    best = min(medians, key=medians.get) if medians else None
    return {
        "work": case.name,
        "ours": ours,
        "reads": ours / read_time(X),
        "best": best,
        "peer": medians.get(best, np.nan),
        "ratio": ours / medians[best] if best else np.nan,
        "must": case.must,
        "aim": case.aim,
        "left": judge.left(judge.value(*fits["sknneuron"]())),
        "missed": [name for name, fit in fits.items() if fit is None],
    }


def table(rows) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| work | ours (ms) | reads of X | left | best peer | (ms) | ratio | must | aim | did not get there |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r['work']} | {1e3 * r['ours']:.4g} | {r['reads']:.1f} | {r['left']:.0e} | {r['best']} "
            f"| {1e3 * r['peer']:.4g} | {r['ratio']:.2f} | {r['must']:.2f} | {r['aim']:.2f} "
            f"| {', '.join(r['missed'])} |"
        )
    return "\n".join(lines)


def machine() -> str:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("numpy", "scipy", "scikit-learn", "glum", "skglm")
    )
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a subset, in a few minutes")
    parser.add_argument("--only", default="", help="cases whose name contains these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", help="write the table to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for case in CASES:
        if options.only in case.name and (case.quick or not options.quick):
            rows.append(run_case(case, options.rounds))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
    text = f"{machine()}\n\n{table(rows)}\n"
    print("\n" + text)
    if options.write:
        with open(options.write, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
