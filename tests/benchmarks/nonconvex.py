"""Neurons that are not convex, beside the same neuron in torch, trained by its L-BFGS.

Both must come within `TARGET` of the lowest objective that anyone found, as a share of the gain.
Where a training begins is drawn, and nobody knows a lucky draw beforehand: so a turn is as many
trainings as there are seeds, from one after the other. From each start torch stops at the loosest of
its tolerances that gets there; a start that ends in another valley costs its time, and the next one
follows.
"""

from __future__ import annotations

import itertools

import numpy as np

from sknneuron import NeuronRegressor
from sknneuron.activations import get_activation

from . import generators as data
from .timing import OURS, Contest, Field, read_time

ALPHA = 1e-4
TARGET = 1e-6
SEEDS = range(5)
TOLERANCES = 10.0 ** np.arange(-3, -10, -1)


def teacher(activation, n=20_000, p=20):
    """Levels of a random neuron, and noise."""
    X = data.independent(n, p)
    level = get_activation(activation)(data.weighted_sum(X, spread=1.5))
    noise = 0.1 * level.std() * np.random.default_rng(7).standard_normal(n)
    low, high = get_activation(activation).range
    return X, np.clip(level + noise, max(low, -1e9), min(high, 1e9))


def torch_neuron(activation, X, y):
    """A function that trains the neuron in torch and returns (coef, intercept)."""
    import torch

    f = {
        "tanh": torch.tanh,
        "relu": torch.relu,
        "gelu": torch.nn.functional.gelu,
        "softplus": torch.nn.functional.softplus,
    }[activation]
    rows, targets = torch.from_numpy(X), torch.from_numpy(y)

    def fit(seed, tolerance):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(X.shape[1], 1, dtype=torch.float64)
        optimizer = torch.optim.LBFGS(
            layer.parameters(),
            max_iter=1000,
            tolerance_grad=tolerance,
            tolerance_change=tolerance * 1e-3,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimizer.zero_grad()
            level = f(layer(rows)[:, 0])
            loss = 0.5 * ((level - targets) ** 2).mean()
            loss = loss + 0.5 * ALPHA * (layer.weight**2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return layer.weight.detach().numpy()[0], float(layer.bias.detach())

    return fit


def objective(activation, X, y, coef, intercept):
    level = get_activation(activation)(X @ coef + intercept)
    return 0.5 * np.mean((level - y) ** 2) + 0.5 * ALPHA * coef @ coef


def loosest_tolerances(fit, is_there) -> dict[int, float]:
    """For each seed from which torch gets there: the loosest tolerance that does."""
    found: dict[int, float] = {}
    for seed in SEEDS:
        for tolerance in TOLERANCES:
            if is_there(fit(seed, tolerance)):
                found[seed] = tolerance
                break
    return found


def restarting(fit, tolerances):
    """A function that trains from the next seed, and the next, until one gets there."""
    seeds = itertools.cycle(SEEDS)
    usual = float(np.median(list(tolerances.values())))

    def train():
        for seed in seeds:
            weights = fit(seed, tolerances.get(seed, usual))
            if seed in tolerances:
                return weights

    return train


def against_torch(activation):
    """Ours and torch, both from a new start each time."""

    def make() -> Field:
        X, y = teacher(activation)
        seeds = itertools.cycle(SEEDS)

        def ours(tol=1e-6, seed=None):
            seed = next(seeds) if seed is None else seed
            neuron = NeuronRegressor(activation, alpha=ALPHA, tol=tol, random_state=seed)
            neuron.fit(X, y)
            return neuron.coef_, neuron.intercept_

        def value(weights):
            return objective(activation, X, y, *weights)

        fit = torch_neuron(activation, X, y)
        ends = [value(ours(1e-12, seed)) for seed in SEEDS]
        ends += [value(fit(seed, TOLERANCES[-1])) for seed in SEEDS]
        lowest = min(ends)
        gain = 0.5 * y.var() - lowest
        field = Field({OURS: ours}, read=read_time(X))
        field.left = max(value(ours(seed=seed)) - lowest for seed in SEEDS) / gain
        there = loosest_tolerances(fit, lambda weights: value(weights) - lowest <= TARGET * gain)
        if there:
            field.contestants["torch LBFGS"] = restarting(fit, there)
        if len(there) < len(SEEDS):
            field.missed.append(
                f"torch LBFGS from {len(SEEDS) - len(there)} of {len(SEEDS)} starts"
            )
        return field

    return make


NONCONVEX = [
    Contest(
        f"{activation} + squared error, 20k x 20",
        against_torch(activation),
        0.25,
        0.08,
        quick=activation == "tanh",
        repeat=len(SEEDS),
    )
    for activation in ("tanh", "relu", "gelu", "softplus")
]
