"""Neurons that are not convex, beside the same neuron in torch, trained by its L-BFGS."""

from __future__ import annotations

import numpy as np

from sknneuron import NeuronRegressor
from sknneuron.activations import get_activation

from . import generators as data
from .timing import OURS, Contest, Field, read_time

ALPHA = 1e-4
# As far above the lower one of the two ends as counts as the same.
SAME = 1e-4


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


def against_torch(activation):
    """Torch from the first of its random starts, and at the loosest tolerance, that get there."""

    def make() -> Field:
        X, y = teacher(activation)

        def ours():
            neuron = NeuronRegressor(activation, alpha=ALPHA, tol=1e-6, random_state=0)
            neuron.fit(X, y)
            return neuron.coef_, neuron.intercept_

        best = objective(activation, X, y, *ours())
        field = Field({OURS: ours}, read=read_time(X))
        fit = torch_neuron(activation, X, y)
        ends = {
            (seed, tolerance): objective(activation, X, y, *fit(seed, tolerance))
            for tolerance in (1e-3, 1e-4, 1e-5, 1e-7)
            for seed in range(5)
        }
        lowest = min([best, *ends.values()])
        there = [key for key, value in ends.items() if value <= lowest * (1 + SAME)]
        if there:
            field.contestants["torch LBFGS"] = lambda: fit(*there[0])
        else:
            field.missed.append("torch LBFGS")
        field.left = (best - lowest) / lowest
        return field

    return make


NONCONVEX = [
    Contest(
        f"{activation} + squared error, 20k x 20",
        against_torch(activation),
        0.25,
        0.08,
        quick=activation == "tanh",
    )
    for activation in ("tanh", "relu", "gelu", "softplus")
]
