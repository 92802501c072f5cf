"""Newton steps for smoothed kinks, whose curvature may vanish from one step to the next."""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg

from ..penalties import least_subgradient
from .base import Iterate
from .l1_model import L1Model
from .linear_algebra import dot
from .newton import Newton
from .proximal_newton import ProximalNewton

ACCEPT = 1e-4
# Below this share of the largest eigenvalue curvature is rounding.
FLAT = 1e-14
# Damping below this share of the largest curvature changes no step.
NO_DAMPING = 1e-9
# A step's length may be over the radius by this share, which damping brings it to.
LEAST_EXCESS = 1e-6
MAX_DAMPINGS = 60
# A step shorter than this share of theta changes nothing.
LEAST_STEP = 1e-15


class TrustRegionNewton(Newton):
    """Newton on a smoothed loss, with steps held within a radius.

    The radius follows how well the quadratic model does.

    A narrowly smoothed loss is flat but for a few rows, so that its Hessian is singular at one
    point and large at the next: a line search along a Newton step then has nothing to go by.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, chapter 4.
    """

    def iterate(self, objective, start, goal, rng):
        gauss_newton = not objective.pair.convex
        theta, step_size, previous = start, np.nan, 0.0
        value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
        # Minimisers of one width and the next are about a width apart.
        radius = np.full(len(theta), 10 * objective.pair.loss.width)
        while True:
            step, within = steps(gradient, hessian, radius, objective.rounding)
            predicted = -dot(gradient, step) - 0.5 * np.einsum("gi,gij,gj->g", step, hessian, step)
            total = float(predicted.sum())
            trusted = within.all() and total <= max(0.1 * previous, objective.rounding)
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


class DampedProximalNewton(ProximalNewton):
    """Proximal Newton on a smoothed loss, with damping that follows how well the model does."""

    def iterate(self, objective, start, goal, rng):
        gauss_newton = not objective.pair.convex
        theta, step_size, previous = start, np.nan, 0.0
        value, gradient, hessian = objective.value_gradient_hessian(theta, gauss_newton)
        # First steps of about ten widths.
        damping = np.sqrt(dot(gradient, gradient)) / (10 * objective.pair.loss.width)
        growth = np.full(len(theta), 4.0)
        while True:
            penalty = objective.l1_value(theta)
            target = goal.target(float((value + penalty).sum()), theta)
            least = NO_DAMPING * np.einsum("gii->gi", hessian).max(axis=1)
            damping = np.maximum(damping, least)
            ends = damped_ends(objective, theta, gradient, hessian, damping, 1e-3 * target)
            step = ends - theta
            predicted = -dot(gradient, step) - 0.5 * np.einsum("gi,gij,gj->g", step, hessian, step)
            predicted += penalty - objective.l1_value(ends)
            total = float(predicted.sum())
            undamped = np.all(damping <= 10 * least)
            trusted = undamped and total <= max(0.1 * previous, objective.rounding)
            slope = least_subgradient(gradient, theta, objective.l1)
            norm = objective.weight_gradient_norm(slope)
            gap = total if trusted else np.nan
            current = Iterate(theta, float(value.sum()), norm, objective, step_size, gap)
            current.last = bool(trusted and total <= 1e-3 * objective.rounding)
            yield current
            new = objective.value_gradient_hessian(ends, gauss_newton)
            rounding = objective.rounding + 1e-15 * np.abs(value)
            decrease = value + penalty - new[0] - objective.l1_value(ends)
            ratio = (decrease + rounding) / (predicted + rounding)
            ratio = np.where(np.isfinite(new[0]), ratio, -np.inf)
            take = ratio > ACCEPT
            size = np.abs(step).max()
            if not take.any() and size <= LEAST_STEP * (1 + np.abs(theta).max()):
                current.last, current.message = True, "no step goes lower"
                yield current
                return
            damping = np.where(ratio > 0.75, 0.1 * damping, damping)
            damping = np.where(ratio < 0.25, growth * damping, damping)
            growth = np.where(take, 4.0, 2 * growth)
            theta = np.where(take[:, None], ends, theta)
            value = np.where(take, new[0], value)
            gradient = np.where(take[:, None], new[1], gradient)
            hessian = np.where(take[:, None, None], new[2], hessian)
            step_size = float(take.any())
            previous = total


def damped_ends(objective, theta, gradient, hessian, damping, tol):
    """Each group's minimum of the damped model with its L1 norm."""
    identity = np.eye(theta.shape[1])
    models = [
        L1Model(g, H + d * identity, objective.l1, t)
        for g, H, d, t in zip(gradient, hessian, damping, theta, strict=True)
    ]
    return np.array([model.minimise(tol) for model in models])


def next_radius(radius, length, ratio, within):
    """Shrink where the model promised too much, grow where a step was cut short for nothing."""
    radius = np.where(ratio < 0.25, 0.25 * length, radius)
    return np.where((ratio > 0.75) & ~within, 3 * length, radius)


def steps(gradient, hessian, radius, rounding):
    """Minimum of each group's model within its radius, and whether that is the model's own."""
    step, within = np.empty_like(gradient), np.ones(len(gradient), dtype=bool)
    for k, (g, H, r) in enumerate(zip(gradient, hessian, radius, strict=True)):
        step[k], within[k] = restricted_step(g, H, r, rounding)
    return step, within


def restricted_step(g, H, radius, rounding):
    """Minimise ``g . x + x . H x / 2`` over ``|x| <= radius``, but for gains below `rounding`.

    References
    ----------
    More and Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983).
    """
    eigenvalues, vectors = linalg.eigh(H, check_finite=False)
    slope = vectors.T @ g
    tiny = np.finfo(float).tiny
    floor = max(FLAT * max(eigenvalues[-1], np.linalg.norm(g) / max(radius, tiny)), tiny)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    # A slope where there is no curvature is rounding, or leads as far as the radius.
    flat = eigenvalues <= floor
    noise = np.abs(slope) * radius <= rounding
    slope[flat & noise] = 0.0
    curvature = eigenvalues + floor
    step = slope / curvature
    length = math.sqrt(step.dot(step))
    if length <= radius and not np.any(flat & ~noise):
        return -vectors @ step, True
    # Newton's method on 1 / length, which comes up to the radius from one side.
    for _ in range(MAX_DAMPINGS):
        if length <= radius * (1 + LEAST_EXCESS):
            break
        curvature += (length / radius - 1) * length**2 / step.dot(step / curvature)
        step = slope / curvature
        length = math.sqrt(step.dot(step))
    return -vectors @ step, False
