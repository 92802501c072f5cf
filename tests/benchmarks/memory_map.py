"""A fit on a memory map: its anonymous memory, and its passes beside reading the file once.

    python -m tests.benchmarks.memory_map --gb 8 --output docs/_static/memory_map.json

Makes a file of float32 on the spot and removes it. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import platform
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import sknneuron
from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.kernels import LossSums
from sknneuron.sources import ArraySource
from sknneuron.sources._blas import available_threads, single_threaded_blas
from sknneuron.sources.lanes import Workers

N_FEATURES = 100
CHUNK = 100_000


def make(folder: Path, n_rows: int) -> None:
    """Write correlated columns and labels, a chunk at a time."""
    rng = np.random.default_rng(0)
    mix = np.eye(N_FEATURES) + 0.3 * rng.normal(size=(N_FEATURES, N_FEATURES)) / 10
    mix, w = mix.astype(np.float32), rng.normal(size=N_FEATURES) / 10
    with open(folder / "X", "wb") as rows, open(folder / "y", "wb") as labels:
        for _ in range(n_rows // CHUNK):
            X = rng.standard_normal((CHUNK, N_FEATURES), dtype=np.float32) @ mix
            z = X @ w
            X.tofile(rows)
            (z + rng.logistic(size=CHUNK) > 0).astype(np.int64).tofile(labels)


def anonymous_bytes() -> int:
    """Memory of this process that no file stands behind."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class Peak:
    """Watches the anonymous memory while something runs."""

    def __enter__(self):
        self.bytes = self.before = anonymous_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, anonymous_bytes())

    def __exit__(self, *exception):
        self._done.set()
        self._thread.join()


def forget(X) -> None:
    """Have the kernel drop the pages of a map, so that they come from the disk again."""
    X._mmap.madvise(mmap.MADV_DONTNEED)
    file = os.open(X.filename, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def read_once(X, cold: bool) -> float:
    """Seconds to read a map from front to back, adding its numbers up."""
    if cold:
        forget(X)
    start = time.perf_counter()
    for i in range(0, len(X), CHUNK):
        X[i : i + CHUNK].sum()
    return time.perf_counter() - start


def one_pass(X, y, neuron, cold: bool) -> float:
    """Seconds of one evaluation of loss and gradient."""
    targets = neuron._fitted_targets()
    source = ArraySource(X, targets.encode(y), workers=Workers(available_threads()))
    coef, intercept = np.atleast_2d(neuron.coef_), np.atleast_1d(neuron.intercept_)
    if cold:
        forget(X)
    with single_threaded_blas():
        start = time.perf_counter()
        source.map_sum(LossSums(targets.pair, 1), coef, intercept)
        return time.perf_counter() - start


def timed_passes(n_rows: int, passes: list):
    """Have `passes` collect (kernel, seconds) of each sum over all rows."""
    plain = ArraySource.map_sum

    def map_sum(self, kernel, *params):
        start = time.perf_counter()
        result = plain(self, kernel, *params)
        if self.n_rows == n_rows:
            order = getattr(kernel, "order", "")
            passes.append((f"{type(kernel).__name__}{order}", time.perf_counter() - start))
        return result

    ArraySource.map_sum = map_sum
    return plain


def measure(neuron, folder: Path, n_rows: int) -> dict:
    """Fit once, watched."""
    X = np.memmap(folder / "X", dtype=np.float32, mode="r", shape=(n_rows, N_FEATURES))
    y = np.memmap(folder / "y", dtype=np.int64, mode="r", shape=(n_rows,))
    passes: list = []
    plain = timed_passes(n_rows, passes)
    with Peak() as peak:
        start = time.perf_counter()
        neuron.fit(X, y)
        seconds = time.perf_counter() - start
    ArraySource.map_sum = plain
    result = {
        "neuron": str(neuron),
        "solver": neuron.solver_,
        "converged": neuron.converged_,
        "seconds": round(seconds, 2),
        "peak_anonymous_MB": round(peak.bytes / 1e6),
        "anonymous_before_MB": round(peak.before / 1e6),
        "sums_over_all_rows": [[name, round(s, 2)] for name, s in passes],
    }
    for state, cold in (("cold", True), ("warm", False)):
        # In turn: whatever else the machine does hits both alike.
        pairs = [(read_once(X, cold), one_pass(X, y, neuron, cold)) for _ in range(2)]
        read, evaluation = np.min(pairs, axis=0)
        result[state] = {
            "read_once_seconds": round(float(read), 2),
            "evaluation_seconds": round(float(evaluation), 2),
            "ratio": round(float(evaluation / read), 2),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=8)
    parser.add_argument("--folder", default=None, help="where the file goes")
    parser.add_argument("--output", type=Path, default=None)
    args = parser.parse_args()
    n_rows = int(args.gb * 1e9 / 4 / N_FEATURES) // CHUNK * CHUNK
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        make(folder, n_rows)
        results = [
            measure(neuron, folder, n_rows)
            for neuron in (NeuronClassifier(record="loss"), NeuronRegressor(record="loss"))
        ]
    report = {
        "n_rows": n_rows,
        "n_features": N_FEATURES,
        "bytes": n_rows * N_FEATURES * 4,
        "machine": {
            "cores": os.cpu_count(),
            "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "sknneuron": sknneuron.__version__,
        },
        "fits": results,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
