"""What a dask cluster costs: packing once, each evaluation, and the numbers a second it adds up.

    python -m tests.benchmarks.dask_overhead --output docs/_static/dask_overhead.json

On worker processes of this machine. Evaluations of almost no rows give the latency; evaluations of
many rows, less that, the bandwidth.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import dask.array as da
import distributed
import numpy as np

from sknneuron import NeuronClassifier
from sknneuron._dask import read_dask
from sknneuron.kernels import LossSums
from sknneuron.sources import dask as source

N_FEATURES = 100
N_CHUNKS = (10, 100, 1000)
PACKS_PER_THREAD = (2, 8, 32)
REPEATS = 15


def rows(n_rows: int, n_chunks: int):
    """Rows made on the workers, so that nothing large has to be sent there."""
    chunk = n_rows // n_chunks
    random = da.random.default_rng(0)
    X = random.standard_normal((n_rows, N_FEATURES), chunks=(chunk, N_FEATURES), dtype=np.float32)
    return X, (X[:, 0] + 0.5 * X[:, 1] > 0).astype(np.int64)


def pack(n_rows: int, n_chunks: int, per_thread: int = 2):
    """Pack so many rows in so many chunks: (what was packed, what is known of it)."""
    X, y = rows(n_rows, n_chunks)
    source.PACKS_PER_THREAD = per_thread
    start = time.perf_counter()
    inputs = read_dask(NeuronClassifier(), X, y, None, (None, None, None))
    packing = time.perf_counter() - start
    return inputs, {
        "n_rows": n_rows,
        "n_chunks": n_chunks,
        "n_packs": len(inputs.source.packs),
        "packing_seconds": round(packing, 2),
    }


def measure(*packed) -> list[dict]:
    """Least milliseconds of an evaluation of loss and gradient, of each in turn."""
    weights, bias = np.full((1, N_FEATURES), 0.01), np.zeros(1)
    seconds = np.empty((REPEATS, len(packed)))
    for turn in seconds:
        for i, (inputs, _) in enumerate(packed):
            start = time.perf_counter()
            inputs.source.map_sum(LossSums(inputs.targets.pair, 1), weights, bias)
            turn[i] = time.perf_counter() - start
    found = [
        {**known, "evaluation_ms": round(1e3 * float(best), 1)}
        for (_, known), best in zip(packed, seconds.min(axis=0), strict=True)
    ]
    print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--output", type=Path, default=None)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with (
        distributed.LocalCluster(
            n_workers=args.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        measure(pack(10_000, 10))  # to warm up
        latency = measure(*(pack(10_000, n) for n in N_CHUNKS))
        by_packs = measure(*(pack(10_000, 100, per_thread) for per_thread in PACKS_PER_THREAD))
        (full,) = measure(pack(args.rows, 100))
    overheads = [found["evaluation_ms"] for found in latency]
    slope, start = np.polyfit(
        [f["n_packs"] for f in by_packs], [f["evaluation_ms"] for f in by_packs], 1
    )
    n_bytes = args.rows * N_FEATURES * 4
    report = {
        "workers": args.workers,
        "cores": os.cpu_count(),
        "latency": latency,
        "latency_1000_over_10_chunks": round(overheads[-1] / overheads[0], 2),
        "by_packs": by_packs,
        "latency_ms": round(float(start), 1),
        "latency_ms_per_pack": round(float(slope), 2),
        "full": full,
        "MB_per_second_per_worker": round(
            n_bytes / 1e6 / args.workers / (1e-3 * (full["evaluation_ms"] - overheads[1]))
        ),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
