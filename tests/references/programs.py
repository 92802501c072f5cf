"""References for losses with a kink: a linear program, or a quadratic one with its own proof.

All are sums over rows of ``p_i max(z_i - t_i, 0) + q_i max(t_i - z_i, 0)``, p, q >= 0:
the quantile loss has t = y, p = 1 - q; the hinge for a target of 1 has t = 1, p = 0, q = 1.
"""

import numpy as np
from scipy import optimize, sparse


def quantile(y, level):
    return y, np.full(len(y), 1 - level), np.full(len(y), level)


def absolute(y):
    return y, np.ones(len(y)), np.ones(len(y))


def hinge(y):
    """Targets -1 and 1."""
    return y, (y < 0).astype(float), (y > 0).astype(float)


def objective(terms, X, coef, intercept, *, sample_weight=None, alpha=0.0, l1=0.0):
    """Value of the objective at these weights."""
    t, p, q = terms
    r = X @ coef + intercept - t
    value = np.average(p * np.maximum(r, 0) + q * np.maximum(-r, 0), weights=sample_weight)
    return value + alpha / 2 * coef @ coef + l1 * np.abs(coef).sum()


def linear_program(terms, X, *, sample_weight=None, l1=0.0):
    """The least objective without L2, by HiGHS."""
    t, p, q = terms
    n, n_features = X.shape
    s = np.ones(n) if sample_weight is None else sample_weight
    s = s / s.sum()
    eye = sparse.eye_array(n)
    A = sparse.hstack([X, -X, np.ones((n, 1)), -np.ones((n, 1)), -eye, eye], format="csc")
    cost = np.r_[np.full(2 * n_features, l1), 0, 0, s * p, s * q]
    found = optimize.linprog(
        cost * n,
        A_eq=A,
        b_eq=t,
        bounds=(0, None),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    return found.fun / n


def quadratic_program(terms, X, alpha, *, sample_weight=None):
    """The least objective with L2, by a primal-dual interior point method.

    Returns the value of a point and a lower bound of all values, from a dual feasible point: the
    difference is the proof.
    """
    t, p, q = terms
    s = np.ones(len(t)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    total = s.sum()
    alpha = alpha * total
    keep = s > 0
    X, t = X[keep], t[keep]
    p, q = (s * p)[keep], (s * q)[keep]
    n_features = X.shape[1]
    A = np.column_stack([X, np.ones(len(X))])
    penalty = np.r_[np.full(n_features, alpha), 0.0]
    x = np.zeros(n_features + 1)
    slope = (p - q) / 2
    u = v = np.full(len(t), np.abs(t).mean() + 1.0)
    best, bound = np.inf, -np.inf
    for _ in range(200):
        above, below = p - slope, q + slope
        r = A @ x - t
        best = min(best, p @ np.maximum(r, 0) + q @ np.maximum(-r, 0) + penalty @ x**2 / 2)
        bound = max(bound, _dual_value(slope, p, q, X, t, alpha))
        if best - bound <= 1e-10 * best:
            break
        mu = 0.1 * (u @ above + v @ below) / (2 * len(t))
        D = u / above + v / below
        h = -(r - u + v) + (mu / above - u) - (mu / below - v)
        H = (A.T / D) @ A + np.diag(penalty)
        dx = np.linalg.solve(H, -(penalty * x + A.T @ slope) + A.T @ (h / D))
        dslope = (A @ dx - h) / D
        du = mu / above - u + u / above * dslope
        dv = mu / below - v - v / below * dslope
        step = min(
            1.0,
            0.99 * _room(u, du),
            0.99 * _room(v, dv),
            0.99 * _room(above, -dslope),
            0.99 * _room(below, dslope),
        )
        x, slope, u, v = x + step * dx, slope + step * dslope, u + step * du, v + step * dv
    return best / total, bound / total


def _dual_value(slope, p, q, X, t, alpha):
    """A lower bound: the slopes moved to sum to zero within their bounds first."""
    excess = slope.sum()
    room = slope + q if excess > 0 else p - slope
    if room.sum() <= 0 or abs(excess) > room.sum():
        return -np.inf
    slope = slope - excess * room / room.sum()
    return -(slope @ t) - np.sum((slope @ X) ** 2) / (2 * alpha)


def _room(value, change):
    falling = change < 0
    return np.min(-value[falling] / change[falling], initial=np.inf)
