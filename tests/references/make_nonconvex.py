"""Make `nonconvex.json`: seeded problems that are not convex, the best of 20 scipy runs on each.

    python tests/references/make_nonconvex.py

A problem is drawn by `make_problem(activation, seed)`; the tests draw it again from the seed. The
reference knows nothing of sknneuron: objective and gradient are written out here, and scipy's
L-BFGS-B minimises them from 20 random starts, the best three polished by BFGS.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy import optimize, special

ACTIVATIONS = ("tanh", "relu", "gelu", "softplus")
N_PROBLEMS = 100
N_STARTS = 20
TARGET = Path(__file__).with_name("nonconvex.json")


def activate(name, z):
    """Return the level and its derivative."""
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a * a
    if name == "relu":
        return np.maximum(z, 0), (z > 0).astype(float)
    if name == "gelu":
        cdf = special.ndtr(z)
        return z * cdf, cdf + z * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    if name == "softplus":
        return np.logaddexp(0, z), special.expit(z)
    raise ValueError(name)


def make_problem(activation, seed):
    """Draw a problem: rows, targets of a teacher neuron with noise, and a strength of the penalty.

    The teacher has the same activation in two of three problems and another one otherwise; the
    noise goes from a hundredth of the signal to twice as much as the signal.

    Returns
    -------
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
    alpha : float
    """
    rng = np.random.default_rng([ACTIVATIONS.index(activation), seed])
    n = int(np.exp(rng.uniform(np.log(40), np.log(500))))
    p = int(rng.integers(1, 11))
    X = rng.standard_normal((n, p))
    if rng.random() < 0.5:
        X = X @ (np.eye(p) + 0.7 * rng.standard_normal((p, p)) / np.sqrt(p))
    if rng.random() < 0.3:
        X[:, rng.integers(p)] = rng.random(n) < 0.2
    X = X * np.exp(rng.uniform(-2, 2, p)) + rng.choice([0.0, 3.0]) * rng.standard_normal(p)
    w = rng.standard_normal(p) / np.sqrt(p) * rng.choice([0.5, 1.0, 3.0]) / X.std(axis=0)
    z = (X - X.mean(axis=0)) @ w + rng.normal()
    teacher = activation if rng.random() < 2 / 3 else str(rng.choice(ACTIVATIONS))
    signal = activate(teacher, z)[0]
    noise = np.exp(rng.uniform(np.log(0.01), np.log(2.0)))
    y = signal + noise * max(signal.std(), 0.05) * rng.standard_normal(n)
    if activation != "tanh":
        y = y * np.exp(rng.uniform(-1, 2))
    alpha = float(10.0 ** rng.uniform(-7, -1))
    return X, y, alpha


def reference(activation, seed):
    """Return the lowest objective that scipy finds from `N_STARTS` starts."""
    X, y, alpha = make_problem(activation, seed)
    n, p = X.shape
    center, scale = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-12)
    Z = np.c_[(X - center) / scale, np.ones(n)]
    ridge = np.r_[alpha / scale**2, 0.0]

    def objective(v):
        a, slope = activate(activation, Z @ v)
        r = a - y
        value = 0.5 * np.mean(r * r) + 0.5 * np.sum(ridge * v * v)
        return value, Z.T @ (r * slope) / n + ridge * v

    rng = np.random.default_rng([len(ACTIVATIONS), ACTIVATIONS.index(activation), seed])
    size = 1.0 if activation == "tanh" else max(np.std(y), 1e-3)
    ends = []
    for _ in range(N_STARTS):
        start = rng.standard_normal(p + 1) * size * rng.choice([0.3, 1.0, 3.0])
        end = optimize.minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
        )
        ends.append((float(end.fun), end.x))
    ends.sort(key=lambda pair: pair[0])
    best = ends[0][0]
    for _, x in ends[:3]:
        with np.errstate(all="ignore"):
            end = optimize.minimize(objective, x, jac=True, method="BFGS", options={"gtol": 1e-12})
        if np.isfinite(end.fun):
            best = min(best, float(end.fun))
    return best


def main():
    values = {}
    for activation in ACTIVATIONS:
        values[activation] = [reference(activation, seed) for seed in range(N_PROBLEMS)]
        print(activation, "done", file=sys.stderr)
    TARGET.write_text(json.dumps({"n_starts": N_STARTS, "objective": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()
