"""Newton within a trust region, for smoothed kinks: curvature may vanish from one step to the next."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .base import Iterate
from .linear_algebra import dot
from .newton import Newton

ACCEPT = 1e-4
# Below this share of the largest eigenvalue curvature is rounding.
FLAT = 1e-14
# A step shorter than this share of theta changes nothing.
LEAST_STEP = 1e-15


class TrustRegionNewton(Newton):
    """Newton on a smoothed loss, with steps no longer than a radius that follows how well the quadratic model does.

    A narrowly smoothed loss is flat but for a few rows, so that its Hessian is singular at one
    point and large at the next: a line search along a Newton step then has nothing to go by.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, chapter 4.
    """

    def iterate(self, objective, start, goal, rng):
        gauss_newton = not objective.pair.convex
        theta, step_size, previous = start, np.nan, np.nan
        value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
        # Minimisers of one width and the next are about a width apart.
        radius = np.full(len(theta), 10 * objective.pair.loss.width)
        while True:
            step, within = steps(gradient, hessian, radius)
            predicted = -dot(gradient, step) - 0.5 * np.einsum("gi,gij,gj->g", step, hessian, step)
            total = float(predicted.sum())
            trusted = within.all() and total <= 0.1 * previous
            yield (
                current := Iterate(
                    theta,
                    float(value.sum()),
                    objective.weight_gradient_norm(gradient),
                    objective,
                    step_size,
                    total if trusted else np.nan,
                    last=within.all() and total <= 1e-3 * objective.rounding,
                )
            )
            if current.last:
                return
            trial = theta + step
            new = objective.value_gradient_hessian(trial, gauss_newton)
            rounding = objective.rounding + 1e-15 * np.abs(value)
            ratio = (value - new[0] + rounding) / (predicted + rounding)
            ratio = np.where(np.isfinite(new[0]), ratio, -np.inf)
            length = np.sqrt(dot(step, step))
            radius = next_radius(radius, length, ratio, within)
            take = ratio > ACCEPT
            if not take.any() and np.all(length <= LEAST_STEP * (1 + np.abs(theta).max())):
                current.last, current.message = True, "no step goes lower"
                yield current
                return
            theta = np.where(take[:, None], trial, theta)
            value = np.where(take, new[0], value)
            gradient = np.where(take[:, None], new[1], gradient)
            hessian = np.where(take[:, None, None], new[2], hessian)
            step_size = float(np.max(np.where(take, within, 0.0)))
            previous = total


def next_radius(radius, length, ratio, within):
    """Shrink where the model promised too much, grow where a step was cut short for nothing."""
    radius = np.where(ratio < 0.25, 0.25 * length, radius)
    return np.where((ratio > 0.75) & ~within, 3 * length, radius)


def steps(gradient, hessian, radius):
    """Minimum of each group's model within its radius, and whether that is the model's own."""
    step, within = np.empty_like(gradient), np.ones(len(gradient), dtype=bool)
    for k, (g, H, r) in enumerate(zip(gradient, hessian, radius, strict=True)):
        step[k], within[k] = restricted_step(g, H, r)
    return step, within


def restricted_step(g, H, radius):
    """Minimise ``g . x + x . H x / 2`` over ``|x| <= radius``."""
    eigenvalues, vectors = linalg.eigh(H, check_finite=False)
    floor = max(FLAT * eigenvalues[-1], np.finfo(float).tiny)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    slope = vectors.T @ g
    # What is left of the slope where there is no curvature is rounding, or leads far away.
    flat = eigenvalues <= floor
    noise = np.abs(slope) <= 1e-13 * np.abs(g).max(initial=0.0)
    slope[flat & noise] = 0.0

    def size(damping):
        return float(np.linalg.norm(slope / (eigenvalues + damping)))

    least = floor
    if size(least) <= radius and not np.any(flat & ~noise):
        return -vectors @ (slope / (eigenvalues + least)), True
    low, high = np.log(least), np.log(max(np.linalg.norm(slope) / radius, least)) + 1e-9
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if size(np.exp(middle)) > radius else (low, middle)
    return -vectors @ (slope / (eigenvalues + np.exp(high))), False

