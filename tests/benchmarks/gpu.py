"""A logistic fit on a GPU beside the card's memory bandwidth, and beside torch's own L-BFGS.

    SCIPY_ARRAY_API=1 python -m tests.benchmarks.gpu --output docs/_static/gpu.json

`--device cpu --rows 200000` tries the script itself on a machine without a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn import config_context

from sknneuron import NeuronClassifier
from sknneuron.sources.device import DeviceSource

N_FEATURES = 100
ALPHA = 1e-4


def make(n_rows: int, device: str):
    """Correlated float32 columns and labels, made on the device."""
    random = torch.Generator(device=device).manual_seed(0)
    X = torch.randn(n_rows, N_FEATURES, generator=random, device=device)
    mix = torch.randn(N_FEATURES, N_FEATURES, generator=random, device=device)
    X = X @ (torch.eye(N_FEATURES, device=device) + 0.03 * mix)
    z = X @ (torch.randn(N_FEATURES, generator=random, device=device) / 10)
    y = (torch.rand(n_rows, generator=random, device=device) < torch.sigmoid(z)).to(torch.int64)
    return X, y


def seconds(do, device: str):
    """Seconds that something takes, all its work on the device included; and its result."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    result = do()
    wait()
    return time.perf_counter() - start, result


def bandwidth(X, device: str) -> float:
    """Bytes a second of the fastest of some sums over X."""
    times = [seconds(lambda: X.sum(), device)[0] for _ in range(5)]
    return X.element_size() * X.nelement() / min(times)


def objective(X, y, coef, intercept) -> float:
    """The objective in float64, a million rows at a time."""
    coef, total = coef.to(torch.float64), 0.0
    for i in range(0, len(X), 1_000_000):
        z = X[i : i + 1_000_000].to(torch.float64) @ coef + intercept
        t = y[i : i + 1_000_000].to(torch.float64)
        total += torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="sum").item()
    return total / len(X) + 0.5 * ALPHA * float(coef @ coef)


def ours(X, y, device: str, tol) -> dict:
    """Fit, and count what was summed over all rows."""
    sums: list = []
    plain = DeviceSource.map_sum

    def map_sum(self, kernel, *params):
        took, result = seconds(lambda: plain(self, kernel, *params), device)
        if self.n_rows == len(X):
            sums.append((f"{type(kernel).__name__}{getattr(kernel, 'order', '')}", took))
        return result

    neuron = NeuronClassifier(alpha=ALPHA, tol=tol, record="loss")
    with config_context(array_api_dispatch=True):
        neuron.fit(X, y)  # to warm up
        took, _ = seconds(lambda: neuron.fit(X, y), device)
        DeviceSource.map_sum = map_sum
        neuron.fit(X, y)
        DeviceSource.map_sum = plain
    evaluations = [s for name, s in sums if name.startswith("LossSums")]
    # Loss and gradient read X twice.
    moved = 2 * len(evaluations) * X.element_size() * X.nelement()
    return {
        "seconds": took,
        "evaluations": len(evaluations),
        "seconds_in_evaluations": float(np.sum(evaluations)),
        "bytes_moved": moved,
        "objective": objective(X, y, neuron.coef_[0], float(neuron.intercept_[0])),
        "converged": neuron.converged_,
    }


def torch_lbfgs(X, y, device: str, target: float) -> dict:
    """torch's L-BFGS with a line search, more and more steps until it is as accurate."""
    t = y.to(X.dtype)

    def run(steps: int):
        w = torch.zeros(N_FEATURES, device=device, requires_grad=True)
        b = torch.zeros(1, device=device, requires_grad=True)
        solver = torch.optim.LBFGS(
            [w, b],
            max_iter=steps,
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )
        calls = []

        def closure():
            solver.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(X @ w + b, t)
            loss = loss + 0.5 * ALPHA * (w @ w)
            loss.backward()
            calls.append(0)
            return loss

        solver.step(closure)
        return w.detach(), float(b.detach()), len(calls)

    run(2)  # to warm up
    for steps in (5, 10, 20, 40, 80, 160, 320):
        took, (w, b, calls) = seconds(lambda steps=steps: run(steps), device)
        value = objective(X, y, w, b)
        if value <= target:
            break
    return {
        "seconds": took,
        "evaluations": calls,
        "objective": value,
        "reached": bool(value <= target),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tol", type=float, default=1e-6)
    parser.add_argument("--output", type=Path, default=None)
    args = parser.parse_args()
    X, y = make(args.rows, args.device)
    speed = bandwidth(X, args.device)
    found = ours(X, y, args.device, args.tol)
    share = y.to(torch.float64).mean().item()
    null = -share * np.log(share) - (1 - share) * np.log(1 - share)
    target = found["objective"] + args.tol * (null - found["objective"])
    peer = torch_lbfgs(X, y, args.device, target)
    cuda = args.device == "cuda"
    report = {
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "torch": torch.__version__,
        "n_rows": args.rows,
        "n_features": N_FEATURES,
        "tol": args.tol,
        "GB_per_second": speed / 1e9,
        "sknneuron": found,
        "seconds_at_full_bandwidth": found["bytes_moved"] / speed,
        "fit_over_full_bandwidth": found["seconds"] * speed / found["bytes_moved"],
        "torch_lbfgs": peer,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
