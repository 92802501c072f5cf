"""Problems on which digits get lost, and how many a fit gets right.

Linear ones are NIST's certified sets and made ones whose weights are known by rational arithmetic's
stand-in, an extended-precision solution; logistic and poisson ones are solved by `newton`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import statsmodels.api as sm

from sknneuron import NeuronClassifier, NeuronRegressor

from . import newton

NIST = json.loads((Path(__file__).parent / "nist.json").read_text())["sets"]
# As many digits as the references themselves have.
MOST = 13.0


@dataclass
class Hard:
    """A problem, and its right weights with the bias (if any) first."""

    name: str
    X: np.ndarray
    y: np.ndarray
    right: np.ndarray
    fit_intercept: bool = True


def digits(found, right) -> float:
    """Right digits of the worst coefficient; zeros count by what is found in their place."""
    right = np.asarray(right, dtype=np.longdouble)
    scale = np.where(right == 0, 1, np.abs(right))
    error = float(np.max(np.abs(np.asarray(found, dtype=np.longdouble) - right) / scale))
    return MOST if error == 0 else float(np.clip(-np.log10(error), 0, MOST))


def typical_digits(fit, hard: Hard, n_orders: int = 9) -> float:
    """Median over some orders of the rows: rounding differs by more than a digit between them."""
    found = []
    for seed in range(n_orders):
        rows = np.random.default_rng(seed).permutation(len(hard.y))
        found.append(digits(fit(replace(hard, X=hard.X[rows], y=hard.y[rows])), hard.right))
    return float(np.median(found))


# -- least squares ---------------------------------------------------------------------------------


def nist():
    """NIST's certified linear regressions."""
    for name, data in NIST.items():
        X, y = np.array(data["X"]), np.array(data["y"])
        yield Hard(name, X, y, np.array(data["certified"]), data["fit_intercept"])


def hard_columns():
    """Columns as (name, X), each badly conditioned in a way of its own."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((200, 6))
    yield "columns apart by 1e8", X * np.geomspace(1e-4, 1e4, 6)
    yield "means 1e6 deviations away", X + 1e6 * rng.uniform(1, 2, 6)
    near = X.copy()
    near[:, 5] = near[:, 4] + 1e-5 * X[:, 5]
    yield "two columns 1e-5 apart", near
    yield "all of that", (near + 1e3) * np.geomspace(1e-4, 1e4, 6)
    yield "powers of one column", np.vander(rng.uniform(1, 2, 200), 7)[:, :6]


def linear():
    """All linear problems."""
    yield from nist()
    for name, X in hard_columns():
        y = (X - X.mean(axis=0)) / X.std(axis=0) @ np.arange(1.0, 7) + np.sin(np.arange(200.0))
        yield Hard(name, X, y, _extended(X, y))


def _extended(X, y):
    """Least squares in extended precision: modified Gram-Schmidt, twice."""
    A = np.column_stack([np.ones(len(X)), X]).astype(np.longdouble)
    y = y.astype(np.longdouble)
    n = A.shape[1]
    Q, R = A.copy(), np.eye(n, dtype=np.longdouble)
    for _ in range(2):
        step = np.zeros((n, n), dtype=np.longdouble)
        for j in range(n):
            step[j, j] = np.sqrt(Q[:, j] @ Q[:, j])
            Q[:, j] /= step[j, j]
            step[j, j + 1 :] = Q[:, j] @ Q[:, j + 1 :]
            Q[:, j + 1 :] -= np.outer(Q[:, j], step[j, j + 1 :])
        R = step @ R
    right = Q.T @ y
    for j in reversed(range(n)):
        right[j] = (right[j] - R[j, j + 1 :] @ right[j + 1 :]) / R[j, j]
    return right


def ours_linear(hard: Hard):
    neuron = NeuronRegressor(alpha=0, fit_intercept=hard.fit_intercept).fit(hard.X, hard.y)
    return np.append([neuron.intercept_] if hard.fit_intercept else [], neuron.coef_)


def qr_linear(hard: Hard):
    X = sm.add_constant(hard.X, has_constant="add") if hard.fit_intercept else hard.X
    return sm.OLS(hard.y, X).fit(method="qr").params


# -- logistic and poisson --------------------------------------------------------------------------


def generalized(kind):
    """Logistic or poisson problems on the hard columns."""
    loss = {"logistic": newton.logistic, "poisson": newton.poisson}[kind]
    rng = np.random.default_rng(6)
    for name, X in hard_columns():
        z = (X - X.mean(axis=0)) / X.std(axis=0) @ np.linspace(-0.5, 0.5, 6)
        if kind == "logistic":
            y = (rng.random(len(z)) < 1 / (1 + np.exp(-z))).astype(float)
        else:
            y = rng.poisson(3 * np.exp(0.3 * z)).astype(float)
        problem = newton.Problem(loss, X, y)
        coef, bias = problem.weights(problem.solve())
        yield Hard(f"{kind}, {name}", X, y, np.append([bias], coef))


def ours_generalized(hard: Hard):
    if hard.name.startswith("logistic"):
        neuron = NeuronClassifier(alpha=0, tol=1e-15).fit(hard.X, hard.y.astype(int))
    else:
        neuron = NeuronRegressor("exp", "poisson", alpha=0, tol=1e-15).fit(hard.X, hard.y)
    return np.append(np.ravel(neuron.intercept_), np.ravel(neuron.coef_))


def glm_generalized(hard: Hard):
    family = sm.families.Binomial() if hard.name.startswith("logistic") else sm.families.Poisson()
    model = sm.GLM(hard.y, sm.add_constant(hard.X, has_constant="add"), family=family)
    return model.fit(tol=1e-15, maxiter=100).params
