"""What tracking costs: ``python -m tests.benchmarks.tracking [--write]``.

Two promises. Where MLflow is not there, or not switched on, a fit pays under 20 microseconds for the
hook. Where it is, all that is ours costs at most 0.2 s or a tenth of what the autologged fit takes
without it, whichever is more. Runs with and without ours alternate in one process; times are of the
processor, the least of each, which other work on the machine touches little.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "tracking.json"
HOOK = """
import json, sys, timeit
if {mlflow!r} == "absent": sys.modules["mlflow"] = None
import sknneuron
if {mlflow!r} == "imported": import mlflow.sklearn
if {mlflow!r} == "switched off":
    import mlflow.sklearn
    mlflow.sklearn.autolog()
    mlflow.sklearn.autolog(disable=True)
from sknneuron._tracking.hook import tracked
class Neuron(sknneuron.NeuronClassifier):
    def bare(self, X, y=None): return self
    hooked = tracked(bare)
one = Neuron()
def best(f): return min(timeit.repeat(lambda: f(1, 2), number=2000, repeat=25)) / 2000
print(json.dumps(1e6 * (best(one.hooked) - best(one.bare))))
"""


def hook_microseconds(mlflow: str) -> float:
    """What the hook adds to a fit, in a process of its own."""
    program = HOOK.format(mlflow=mlflow)
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def data(n_features: int):
    """Rows, and labels that follow some of the features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, n_features))
    return X, (X[:, :3].sum(axis=1) + rng.normal(size=2000) > 0).astype(int)


def seconds_of_ours(estimator, X, y, repeats: int, **settings) -> dict:
    """Least times of an autologged fit with and without what is ours, alternating."""
    import mlflow

    from sknneuron._tracking import autologging

    mlflow.sklearn.autolog(silent=True, **settings)
    record_fit = autologging.record_fit
    times: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(repeats + 1):
        for name, function in (("with", record_fit), ("without", lambda *args: None)):
            autologging.record_fit = function
            start = time.process_time()
            estimator.fit(X, y)
            times[name].append(time.process_time() - start)
    autologging.record_fit = record_fit
    mlflow.sklearn.autolog(disable=True)
    # The first of each pays for imports.
    least = {name: min(values[1:]) for name, values in times.items()}
    ours = least["with"] - least["without"]
    allowed = max(0.2, 0.1 * least["without"])
    return {**least, "ours": ours, "allowed": allowed, "kept": bool(ours <= allowed)}


def autologged(repeats: int) -> dict:
    """The cases, and scikit-learn's LogisticRegression beside them."""
    import mlflow
    from sklearn.linear_model import LogisticRegression

    from sknneuron import NeuronClassifier

    slow = {"solver": "adam", "max_iter": 400, "tol": 0, "random_state": 0}
    cases = {
        "8 steps, 10 features, no model": (NeuronClassifier(), 10, False),
        "8 steps, 30 features, no model": (NeuronClassifier(), 30, False),
        "8 steps, 30 features, model": (NeuronClassifier(), 30, True),
        "400 epochs, 30 features, no model": (NeuronClassifier(**slow), 30, False),
        "8 steps, 300 features, no model": (NeuronClassifier(alpha=1.0), 300, False),
        "8 steps, 3000 features, no model": (NeuronClassifier(alpha=1.0), 3000, False),
    }
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("tracking", f"{folder}/artifacts")
        mlflow.set_experiment("tracking")
        for name, (estimator, n_features, models) in cases.items():
            X, y = data(n_features)
            results[name] = seconds_of_ours(estimator, X, y, repeats, log_models=models)
            print(name, {k: round(v, 3) for k, v in results[name].items()}, flush=True)
        X, y = data(30)
        mlflow.sklearn.autolog(silent=True)
        start = time.perf_counter()
        LogisticRegression().fit(X, y)
        # Most of it in another process, which finds out what packages the model needs.
        wall = time.perf_counter() - start
        results["LogisticRegression, 30 features, model, wall clock"] = {"without": wall}
        mlflow.sklearn.autolog(disable=True)
        mlflow.set_tracking_uri(None)
    return results


def main() -> None:
    """Measure, print, and with --write keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    hook = {m: hook_microseconds(m) for m in ("absent", "imported", "switched off")}
    print("hook, microseconds a fit:", {name: round(value, 2) for name, value in hook.items()})
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results = {"hook_microseconds": hook, "autologged_seconds": autologged(arguments.repeats)}
    if arguments.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
