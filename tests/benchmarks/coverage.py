"""How often the 95% intervals of `coef_table` hold the weight that the data were drawn with.

    python -m tests.benchmarks.coverage [--fits 20000] [--write docs/coverage.csv]

Each pair is fitted with its default penalty on so many simulated data sets; an interval that is
right about itself holds the true weight in 95% of them.
"""

import argparse
import csv
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import coef_table
from sknneuron.losses import Tweedie

from . import claims

N_TARGETS = 100
WEIGHTS = np.array([0.5, -0.3, 0.0])
BIAS = 0.2


@dataclass(frozen=True)
class Case:
    """A neuron, and how its targets are drawn from z."""

    name: str
    make: object
    draw: object
    n_rows: int = 500


def _tweedie(z, rng, power=1.5, dispersion=0.5):
    """Compound Poisson-gamma targets of mean exp(z)."""
    mean = np.exp(z)
    rate = mean ** (2 - power) / (dispersion * (2 - power))
    n = rng.poisson(rate)
    shape, scale = (2 - power) / (power - 1), dispersion * (power - 1) * mean ** (power - 1)
    return np.where(n > 0, rng.gamma(np.maximum(n, 1) * shape, scale), 0.0)


def _level_between_0_and_1(z, rng):
    """Beta-distributed shares of mean sigmoid(z), which no likelihood of ours describes."""
    mean = special.expit(z)
    return rng.beta(5 * mean, 5 * (1 - mean))


CASES = [
    Case(
        "identity + squared_error",
        NeuronRegressor,
        lambda z, rng: z + rng.standard_normal(z.shape),
        100,
    ),
    Case(
        "sigmoid + log_loss",
        NeuronClassifier,
        lambda z, rng: (rng.random(z.shape) < special.expit(z)).astype(int),
    ),
    Case(
        "probit + log_loss",
        lambda: NeuronClassifier("probit"),
        lambda z, rng: (rng.random(z.shape) < special.ndtr(z)).astype(int),
    ),
    Case(
        "cloglog + log_loss",
        lambda: NeuronClassifier("cloglog"),
        lambda z, rng: (rng.random(z.shape) < -np.expm1(-np.exp(z))).astype(int),
    ),
    Case(
        "exp + poisson",
        lambda: NeuronRegressor("exp", "poisson"),
        lambda z, rng: rng.poisson(np.exp(z)).astype(float),
    ),
    Case(
        "exp + gamma",
        lambda: NeuronRegressor("exp", "gamma"),
        lambda z, rng: rng.gamma(2.0, np.exp(z) / 2),
    ),
    Case("exp + tweedie", lambda: NeuronRegressor("exp", Tweedie(1.5)), _tweedie),
    Case(
        "sigmoid + squared_error (HC1)", lambda: NeuronRegressor("sigmoid"), _level_between_0_and_1
    ),
    Case(
        "tanh + squared_error (HC1)",
        lambda: NeuronRegressor("tanh"),
        lambda z, rng: np.tanh(z) + 0.3 * (1 + np.abs(z)) * rng.uniform(-1, 1, z.shape),
    ),
    Case(
        "sigmoid + log_loss on shares (HC1)",
        lambda: NeuronRegressor("sigmoid", "log_loss"),
        _level_between_0_and_1,
    ),
]


def softmax_case(n_fits: int, seed: int):
    """Contrasts of three classes."""
    rng = np.random.default_rng([seed, 99])
    true = np.stack([np.zeros(4), np.append(WEIGHTS, BIAS), np.append(-WEIGHTS[::-1], 0.1)])
    contrasts = (true[1:] - true[0]).ravel()
    hits = np.zeros(len(contrasts))
    for _ in range(n_fits):
        X = rng.standard_normal((500, 3))
        z = X @ true[:, :3].T + true[:, 3]
        y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
        table = coef_table(NeuronClassifier(record=False).fit(X, y), X, y)
        hits += (table["ci_low"] <= contrasts) & (contrasts <= table["ci_high"])
    return hits / n_fits


def coverage(case: Case, n_fits: int, seed: int) -> np.ndarray:
    """Share of the fits whose interval holds the truth: each weight, then the bias.

    `N_TARGETS` targets are drawn for each X, and as many neurons fitted at once, each on its own.
    """
    rng = np.random.default_rng([seed, CASES.index(case)])
    true = np.append(WEIGHTS, BIAS)
    hits = np.zeros(len(true))
    for _ in range(n_fits // N_TARGETS):
        X = rng.standard_normal((case.n_rows, 3))
        z = np.repeat((X @ WEIGHTS + BIAS)[:, None], N_TARGETS, axis=1)
        y = case.draw(z, rng)
        model = case.make().set_params(record=False)
        with warnings.catch_warnings():
            # Noise may carry a target past the range of the level.
            warnings.simplefilter("ignore")
            table = coef_table(model.fit(X, y), X, y)
        low, high = (table[c].to_numpy().reshape(-1, 4) for c in ("ci_low", "ci_high"))
        hits += ((low <= true) & (true <= high)).sum(axis=0)
    return hits / n_fits


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="pairs whose name contains these words")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(argv)
    rows = []
    runs = [(case.name, lambda c=case: coverage(c, options.fits, options.seed)) for case in CASES]
    runs.insert(7, ("softmax + log_loss", lambda: softmax_case(options.fits, options.seed)))
    for name, run in runs:
        if options.only not in name:
            continue
        start = time.perf_counter()
        share = run()
        rows.append(
            [name, options.fits, f"{share.min():.4f}", f"{share.mean():.4f}", f"{share.max():.4f}"]
        )
        print(*rows[-1], f"{time.perf_counter() - start:.0f} s", flush=True)
        if options.write:
            with options.write.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["pair", "fits", "least", "mean", "most"])
                writer.writerows(rows)
    if options.write:
        claims.main()


if __name__ == "__main__":
    main()
