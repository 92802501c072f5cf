"""An independent reference for smooth convex neurons: Newton's method, written to be trusted.

It shares nothing with the package: the losses stand here as functions of z with two derivatives,
gradients are summed in extended precision and only the Newton matrix is float64, so that the steps
are an iterative refinement and the weights come out right to about 1e-14 of their size even where
columns are badly conditioned. Slow, and plain.
"""

import numpy as np
from scipy import special, stats

LONG = np.longdouble
MAX_STEPS = 60
# Where rounding in the Newton matrix slows the refinement down, this share of the weights will do.
GOOD_ENOUGH = 1e-9


def _log1p_exp(z):
    return np.where(z > 0, z, 0) + np.log1p(np.exp(-np.abs(z)))


def _expit(z):
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def squared_error(y, z):
    return (y - z) ** 2 / 2, z - y, np.ones_like(z)


def huber(delta):
    def loss(y, z):
        r = z - y
        inside = np.abs(r) <= delta
        value = np.where(inside, r * r / 2, delta * np.abs(r) - delta * delta / 2)
        return value, np.clip(r, -delta, delta), inside.astype(r.dtype)

    return loss


def logistic(y, z):
    p = _expit(z)
    return _log1p_exp(z) - y * z, p - y, p * (1 - p)


def poisson(y, z):
    a = np.exp(z)
    return a - y * z, a - y, a


def gamma(y, z):
    a = y * np.exp(-z)
    return z + a, 1 - a, a


def tweedie(power):
    def loss(y, z):
        u, v = np.exp((1 - power) * z), np.exp((2 - power) * z)
        value = v / (2 - power) - y * u / (1 - power)
        return value, v - y * u, (2 - power) * v - (1 - power) * y * u

    return loss


def squared_hinge(y, z):
    """Targets -1 and 1."""
    gap = np.maximum(1 - y * z, 0)
    return gap**2, -2 * y * gap, 2.0 * (gap > 0)


def probit(y, z):
    """Targets 0 and 1. The tail is float64's: scipy has no extended one."""
    sign = 2 * y - 1
    t = np.asarray(sign * z, dtype=np.float64)
    log_cdf = special.log_ndtr(t)
    ratio = np.exp(stats.norm.logpdf(t) - log_cdf)
    return -log_cdf, -sign * ratio, ratio * (t + ratio)


def cloglog(y, z):
    """Targets 0 and 1: P(1) = 1 - exp(-exp(z))."""
    e = np.exp(z)
    fires = -np.log(-np.expm1(-e))
    share = e / np.expm1(e)
    value = np.where(y > 0.5, fires, e)
    slope = np.where(y > 0.5, -share, e)
    bend = np.where(y > 0.5, -share * (1 - e - share), e)
    return value, slope, bend


class Problem:
    """``sum_i s_i loss(y_i, x_i . w + b) / sum_i s_i + alpha / 2 |w|^2``, one neuron.

    With `penalize_bias` the bias counts as the weight of a column of ones.
    """

    def __init__(
        self, loss, X, y, *, alpha=0.0, sample_weight=None, fit_intercept=True, penalize_bias=False
    ):
        X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
        X = X.astype(LONG)
        self.loss = loss
        self.y = np.asarray(y).astype(LONG)
        self.s = np.ones(len(X), LONG) if sample_weight is None else sample_weight.astype(LONG)
        self.s = self.s / self.s.sum()
        centered = fit_intercept and not penalize_bias
        self.center = self.s @ X if centered else np.zeros(X.shape[1], LONG)
        X = X - self.center
        self.scale = np.sqrt(self.s @ X**2)
        self.scale[self.scale == 0] = 1
        self.A = X / self.scale
        self.penalty = alpha / self.scale**2
        self.fit_intercept = fit_intercept
        if fit_intercept:
            self.A = np.column_stack([self.A, np.ones(len(X), LONG)])
            self.penalty = np.append(self.penalty, alpha if penalize_bias else 0)

    def weights(self, v):
        n = len(self.center)
        w = v[:n] / self.scale
        b = v[n] - w @ self.center if self.fit_intercept else LONG(0)
        return w, b

    def theta(self, coef, intercept):
        v = np.asarray(coef, LONG) * self.scale
        if not self.fit_intercept:
            return v
        return np.append(v, LONG(intercept) + np.asarray(coef, LONG) @ self.center)

    def value(self, v):
        return self.s @ self.loss(self.y, self.A @ v)[0] + self.penalty @ v**2 / 2

    def evaluate(self, v):
        value, slope, bend = self.loss(self.y, self.A @ v)
        value = self.s @ value + self.penalty @ v**2 / 2
        gradient = (self.s * slope) @ self.A + self.penalty * v
        A = self.A.astype(np.float64)
        hessian = (A.T * (self.s * bend).astype(np.float64)) @ A
        hessian += np.diag(self.penalty.astype(np.float64))
        return value, gradient, hessian

    def start(self, bias):
        v = np.zeros(self.A.shape[1], LONG)
        if self.fit_intercept:
            v[-1] = bias
        return v

    def solve(self, bias=0.0):
        """The minimiser, in the coordinates of `theta`; raises if it is not reached."""
        return minimize(self, self.start(bias))


class SoftmaxProblem:
    """A softmax layer under log loss with a penalty; labels 0 ... K-1, biases that sum to zero."""

    def __init__(self, X, y, *, alpha=0.0, sample_weight=None):
        single = Problem(squared_error, X, y, alpha=alpha, sample_weight=sample_weight)
        self.single = single
        self.A, self.s = single.A, single.s
        self.n_classes = int(np.max(y)) + 1
        self.onehot = np.eye(self.n_classes, dtype=LONG)[np.asarray(y, int)]

    def weights(self, v):
        pairs = [self.single.weights(row) for row in v.reshape(self.n_classes, -1)]
        return np.array([w for w, _ in pairs]), np.array([b for _, b in pairs])

    def theta(self, coef, intercept):
        rows = [self.single.theta(w, b) for w, b in zip(coef, intercept, strict=True)]
        return np.concatenate(rows)

    def _terms(self, v):
        V = v.reshape(self.n_classes, -1)
        z = self.A @ V.T
        z = z - z.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(z).sum(axis=1, keepdims=True))
        value = self.s @ (log_sum[:, 0] - (z * self.onehot).sum(axis=1))
        value += (V**2 @ self.single.penalty).sum() / 2
        return V, value, np.exp(z - log_sum)

    def value(self, v):
        return self._terms(v)[1]

    def evaluate(self, v):
        V, value, p = self._terms(v)
        gradient = ((p - self.onehot) * self.s[:, None]).T @ self.A + V * self.single.penalty
        n, size = self.n_classes, self.A.shape[1]
        A, q, s = (x.astype(np.float64) for x in (self.A, p, self.s))
        H = np.empty((n, size, n, size))
        for k in range(n):
            for m in range(n):
                d = s * q[:, k] * ((k == m) - q[:, m])
                H[k, :, m] = (A.T * d) @ A
            H[k, :, k] += np.diag(self.single.penalty.astype(np.float64))
        # Adding the same to all biases changes nothing: fill that direction in.
        H[:, -1, :, -1] += np.einsum("kk->", H[:, -1, :, -1]) / n**2
        return value, gradient.ravel(), H.reshape(n * size, n * size)

    def solve(self):
        return minimize(self, np.zeros(self.n_classes * self.A.shape[1], LONG))


class Face:
    """A problem with an L1 norm where signs are as at `v`: smooth, over what is not zero there.

    Parameters
    ----------
    problem : Problem or SoftmaxProblem
    v : ndarray
    l1 : ndarray
        Strength for each coordinate, zero for biases.
    """

    def __init__(self, problem, v, l1):
        self.problem = problem
        self.free = (v != 0) | (l1 == 0)
        self.tilt = (l1 * np.sign(v))[self.free]
        self.l1 = l1
        self.size = len(v)

    def full(self, u):
        v = np.zeros(self.size, LONG)
        v[self.free] = u
        return v

    def value(self, u):
        return self.problem.value(self.full(u)) + self.tilt @ u

    def evaluate(self, u):
        value, gradient, hessian = self.problem.evaluate(self.full(u))
        among = hessian[np.ix_(self.free, self.free)]
        return value + self.tilt @ u, gradient[self.free] + self.tilt, among

    def solve(self, v):
        """The minimum of the face, once it is shown to be that of the whole problem."""
        end = self.full(minimize(self, v[self.free]))
        gradient = self.problem.evaluate(end)[1]
        if np.any(np.sign(end[self.free]) * self.tilt < 0):
            raise RuntimeError("a sign differs at the optimum")
        if np.any(np.abs(gradient[~self.free]) > self.l1[~self.free] * (1 + 1e-9)):
            raise RuntimeError("a weight is zero that is not at the optimum")
        return end


def minimize(problem, v):
    value, gradient, hessian = problem.evaluate(v)
    for _ in range(MAX_STEPS):
        step = -np.linalg.solve(hessian, gradient.astype(np.float64)).astype(LONG)
        decrement = -(gradient @ step)
        size = 1.0
        if decrement > 1e-12 * max(abs(value), 1e-3):
            while not problem.value(v + size * step) <= value - 1e-4 * size * decrement:
                size /= 2
                if size < 1e-10:
                    raise RuntimeError("the reference's line search failed")
        v = v + size * step
        # The decrement is what is left of the objective: far below what float64 can tell.
        small = np.abs(step).max() <= 1e-13 * max(np.abs(v).max(), 1e-300)
        if small or decrement <= 1e-24 * abs(value):
            return v
        value, gradient, hessian = problem.evaluate(v)
    if np.abs(step).max() <= GOOD_ENOUGH * np.abs(v).max():
        return v
    raise RuntimeError(f"the reference did not converge: last step {np.abs(step).max():.1g}")
