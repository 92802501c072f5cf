"""Seeded random fits for the promise of `tol`: easy ones, ill-scaled ones, rare and huge ones."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from . import newton

KINDS = (
    "logistic",
    "rare_class",
    "separable",
    "poisson",
    "gamma",
    "squared",
    "noise_free",
    "huber",
)
LOSSES = {
    "logistic": ("sigmoid", "log_loss", newton.logistic),
    "rare_class": ("sigmoid", "log_loss", newton.logistic),
    "separable": ("sigmoid", "log_loss", newton.logistic),
    "poisson": ("exp", "poisson", newton.poisson),
    "gamma": ("exp", "gamma", newton.gamma),
    "squared": ("identity", "squared_error", newton.squared_error),
    "noise_free": ("identity", "squared_error", newton.squared_error),
    "huber": ("identity", "huber", newton.huber(1.35)),
}


@dataclass
class Fit:
    """One problem: `kind` names its loss in `LOSSES`."""

    name: str
    kind: str
    X: object
    y: np.ndarray
    alpha: float


def shape(rng, size):
    """Rows and columns: a few hundred rows, tens of thousands, or 200,000."""
    if size == "small":
        n = int(10 ** rng.uniform(1.7, 3.5))
        return n, int(np.clip(10 ** rng.uniform(0.3, 1.8), 2, n // 5))
    if size == "middle":
        return int(rng.integers(17_000, 40_000)), int(rng.integers(2, 40))
    return 200_000, int(rng.integers(20, 60))


def columns(rng, n, p, correlated, dummies, scaled):
    """Columns of unit deviation, some of them rare dummies; and the same in odd units."""
    X = rng.standard_normal((n, p))
    if correlated:
        X = 0.3 * X + rng.standard_normal((n, max(1, p // 5))) @ rng.standard_normal(
            (max(1, p // 5), p)
        )
        X /= X.std(axis=0)
    for j in range(dummies):
        X[:, j] = 0
        X[rng.choice(n, max(3, int(n * 10 ** rng.uniform(-4, -1.5))), replace=False), j] = 1
    units = 10 ** rng.uniform(-4, 4, p) if scaled else np.ones(p)
    return X, (X + scaled * rng.standard_normal(p)) * units


def targets(rng, kind, z):
    """Targets of a neuron with this weighted sum."""
    n = len(z)
    if kind in ("logistic", "rare_class"):
        shift = 0.0 if kind == "logistic" else -np.log(10 ** rng.uniform(1.5, 3))
        y = (rng.random(n) < 1 / (1 + np.exp(-z - shift))).astype(float)
        y[:3], y[3:6] = 1, 0
        return y
    if kind == "separable":
        return (z > np.median(z)).astype(float)
    if kind == "poisson":
        return rng.poisson(10 ** rng.uniform(-1, 6) * np.exp(0.5 * z)).astype(float)
    if kind == "gamma":
        return 10 ** rng.uniform(-4, 6) * rng.gamma(2.0, np.exp(0.5 * z)) + 1e-12
    if kind == "huber":
        return z + rng.standard_t(4, n)
    unit = 10 ** rng.uniform(-3, 5)
    if kind == "noise_free":
        return unit * z
    return unit * (z + rng.standard_t(4, n))


def make_fit(seed, size="small"):
    """The problem of this seed."""
    rng = np.random.default_rng([seed, 20261])
    kind = KINDS[seed % len(KINDS)]
    n, p = shape(rng, size)
    correlated, scaled = rng.random(2) < 0.5
    dummies = int(rng.integers(0, p // 2 + 1)) if rng.random() < 0.4 else 0
    if kind == "huber":
        # A dummy set on outliers alone has no curvature, and the reference no way to go.
        dummies = 0
    latent, X = columns(rng, n, p, correlated, dummies, scaled)
    w = rng.standard_normal(p) * rng.uniform(0.3, 2) / np.sqrt(p)
    y = targets(rng, kind, latent @ w)
    alpha = 10 ** rng.uniform(-9, -1)
    if kind == "separable":
        alpha = 10 ** rng.uniform(-6, -1)
    name = f"{seed}-{kind}-{n}x{p}"
    if rng.random() < 0.15 and not scaled and dummies:
        keep = np.abs(latent) > 1.5
        keep[:, :dummies] = True
        X, name = sparse.csr_array(np.where(keep, latent, 0)), f"{name}-sparse"
    return Fit(name, kind, X, y, float(alpha))
