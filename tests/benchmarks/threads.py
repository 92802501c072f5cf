"""How the time of a fit falls with the number of threads.

python -m tests.benchmarks.threads
"""

from __future__ import annotations

import os

import numpy as np

from sknneuron import NeuronClassifier, NeuronRegressor

from . import generators as data
from .timing import timed

ROUNDS = 5


def main():
    """Print the median milliseconds with 1, 2, 4, ... threads, measured in turn."""
    threads = [2**k for k in range(os.cpu_count().bit_length())]
    for n, p in ((500_000, 50), (100_000, 500)):
        X = data.independent(n, p)
        z = data.weighted_sum(X)
        y = data.two_classes(z)

        def ridge(n_jobs, X=X, z=z):
            NeuronRegressor(alpha=1e-4, n_jobs=n_jobs).fit(X, z)

        def logistic(n_jobs, X=X, y=y):
            NeuronClassifier(alpha=1e-4, tol=1e-8, n_jobs=n_jobs).fit(X, y)

        for fit in (ridge, logistic):
            times = [[timed(lambda k=k: fit(k))[0] for k in threads] for _ in range(ROUNDS + 1)]
            # The first round warms up.
            medians = 1e3 * np.median(times[1:], axis=0)
            found = ", ".join(f"{k}: {t:.0f}" for k, t in zip(threads, medians, strict=True))
            print(f"{fit.__name__} {n} x {p}, ms by threads: {found}", flush=True)


if __name__ == "__main__":
    main()
