"""`tol` is a promise: the distance reached, as a share of what there was to gain."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, log_ndtr, logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet

from .references.newton import Problem
from .references.problems import LOSSES, make_fit

TOLS = (1e-4, 1e-6, 1e-8, 1e-10)


def reached(fit, tols=TOLS):
    """Share of the gain left, and whether the fit calls itself converged, for each tol."""
    activation, loss, reference_loss = LOSSES[fit.kind]
    problem = Problem(reference_loss, fit.X, fit.y, alpha=fit.alpha)
    bias = (
        np.log(fit.y.mean() / (1 - fit.y.mean() if loss == "log_loss" else 1))
        if (activation != "identity")
        else np.median(fit.y)
    )
    null = best_bias(problem, bias)
    best = problem.value(problem.solve(null))
    gain = problem.value(problem.start(null)) - best
    # Rounding in the data themselves: what no float64 solver can see.
    floor = 1e-14 * float(problem.s @ np.abs(reference_loss(problem.y, problem.A[:, -1] * null)[0]))
    for tol in tols:
        task = NeuronClassifier if loss == "log_loss" else NeuronRegressor
        neuron = task(activation, loss, alpha=fit.alpha, tol=tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuronWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            neuron.fit(fit.X, fit.y)
        theta = problem.theta(np.ravel(neuron.coef_), np.ravel(neuron.intercept_)[0])
        left = problem.value(theta) - best
        yield tol, float(left / (tol * gain + floor)), neuron.converged_, neuron.solver_


def best_bias(problem, bias):
    """The best neuron with a bias alone, by Newton steps on its one parameter."""
    for _ in range(100):
        _, slope, bend = problem.loss(problem.y, np.full_like(problem.y, bias))
        step = (problem.s @ slope) / max(problem.s @ bend, 1e-300)
        bias -= step
        if abs(step) < 1e-15 * max(abs(bias), 1):
            break
    return bias


def assert_promise(seeds, size, share):
    missed, total = [], 0
    for seed in seeds:
        fit = make_fit(seed, size)
        for tol, left, converged, solver in reached(fit):
            total += 1
            assert not (converged and left > 10), (fit.name, tol, left, solver)
            if left > 1:
                missed.append((fit.name, tol, left, converged, solver))
    assert len(missed) <= (1 - share) * total, missed


def nearly_separable(seed):
    """Three classes that columns with long tails tell apart, and next to no penalty."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([60, 300, 1500]))
    p = min(int(n * rng.uniform(0.02, 0.6)) + 1, 120)
    X = rng.standard_normal((n, p))
    if seed % 2:
        X = np.exp(rng.uniform(0.2, 1.5) * X)
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal(p)
    z *= rng.uniform(1, 10) / np.sqrt(p)
    z = np.c_[z, rng.standard_normal(n), -z] + 0.3 * rng.standard_normal((n, 3))
    return X, z.argmax(axis=1), 10 ** rng.uniform(-9, -5), 10.0 ** -rng.integers(3, 8)


@pytest.mark.parametrize("seed", range(40))
def test_no_step_into_a_tail_ends_a_fit(seed):
    X, y, alpha, tol = nearly_separable(seed)

    def value(neuron):
        z = X @ neuron.coef_.T + neuron.intercept_
        loss = np.mean(logsumexp(z, axis=1) - z[np.arange(len(y)), y])
        return loss + 0.5 * alpha * np.sum(neuron.coef_**2)

    with warnings.catch_warnings():
        # That the columns separate the classes is what makes these fits what they are.
        warnings.simplefilter("ignore", NeuronWarning)
        neuron = NeuronClassifier(alpha=alpha, tol=tol).fit(X, y)
        best = NeuronClassifier(alpha=alpha, tol=1e-13, max_iter=10_000).fit(X, y)
    assert neuron.history_["objective"][-1] == pytest.approx(value(neuron), rel=1e-2)
    gain = best.history_["objective"][0] - value(best)
    assert neuron.converged_
    assert value(neuron) - value(best) <= 1.5 * tol * gain


@pytest.mark.parametrize("seed", range(20))
def test_no_old_factor_ends_a_fit_in_a_tail(seed):
    """A factor from before the last step overrates what curvature a tail has left."""
    rng = np.random.default_rng([seed, 13])
    n = int(rng.choice([5, 15, 40]))
    X = rng.standard_normal((n, 5 * n)) + rng.choice([0.0, 3.0]) * rng.standard_normal((n, 1))
    y = X[:, :5].sum(axis=1)
    y = (np.median(y) < y).astype(int)
    neuron = NeuronClassifier(alpha=10 ** rng.uniform(-7, -5), tol=1e-4)
    assert left_of(neuron, X, y, None, lambda z: np.logaddexp(0, (1 - 2 * y) * z)) <= 1


def left_of(neuron, X, y, sample_weight, loss):
    """Share of the distance that the neuron's tol allows; `loss` takes the z of all rows."""
    fits = neuron, clone(neuron).set_params(tol=1e-13)
    with warnings.catch_warnings():
        # Made to be hard, these rows earn every warning; here it is the distance that counts.
        warnings.simplefilter("ignore", NeuronWarning)
        fitted, best = (fit.fit(X, y, sample_weight=sample_weight) for fit in fits)
    assert fitted.converged_

    def value(fit):
        w = np.ravel(fit.coef_)
        mean = np.average(loss(X @ w + fit.intercept_), weights=sample_weight)
        return mean + ElasticNet(fit.alpha, fit.l1_ratio).value(w)

    gain = best.history_["objective"][0] - value(best)
    return (value(fitted) - value(best)) / (neuron.tol * gain + 1e-15)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(40))
def test_no_row_that_gets_curvature_on_the_way_is_missed(seed, l1_ratio):
    """Rows within the margin have no curvature, and one step may bring many of them past it."""
    rng = np.random.default_rng([seed, 3])
    n, p = int(rng.integers(60, 400)), int(rng.integers(10, 50))
    X = rng.standard_normal((n, p))
    z = X @ rng.standard_normal(p)
    y = np.where(z > np.median(z), 1.0, -1.0)
    y[rng.random(n) < 3 / n] *= -1
    s = 10 ** rng.uniform(-3, 3, n)
    alpha, tol = 10 ** rng.uniform(-6, -3), 10.0 ** -rng.integers(4, 11)

    neuron = NeuronClassifier(
        "identity", "squared_hinge", alpha=alpha, l1_ratio=l1_ratio, tol=tol, max_iter=5000
    )
    assert left_of(neuron, X, y, s, lambda z: np.maximum(1 - y * z, 0) ** 2) <= 1.5


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(30))
def test_no_rare_row_is_missed(seed, l1_ratio):
    """Columns set on three rows of thousands, which no watched row may carry."""
    rng = np.random.default_rng([seed, 6])
    n, p = int(rng.integers(2000, 15000)), int(rng.integers(2, 6))
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = 0
        X[rng.choice(n, 3, replace=False), j] = 1
    z = (X / X.std(axis=0)) @ rng.standard_normal(p) * rng.uniform(0.3, 3)
    y = expit(z + rng.uniform(0.1, 5) * rng.standard_normal(n))
    s = rng.random(n) + 0.1
    alpha, tol = 10 ** rng.uniform(-9, -6), 10.0 ** -rng.integers(4, 11)

    neuron = NeuronRegressor(
        "sigmoid", "log_loss", alpha=alpha, l1_ratio=l1_ratio, tol=tol, max_iter=5000
    )
    assert left_of(neuron, X, y, s, lambda z: np.logaddexp(0, z) - y * z) <= 1.5


@pytest.mark.parametrize("seed", range(8))
def test_no_subsample_leads_astray(seed):
    """Five rows of 30,000 are on the wrong side, and cost exp(exp(z)) there: no draw has them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30_000, 4))
    z = X @ rng.standard_normal(4)
    y = z > np.median(z)
    wrong = rng.choice(len(y), 5, replace=False)
    y[wrong] = ~y[wrong]
    neuron = NeuronClassifier("cloglog", alpha=1e-9, tol=1e-6).fit(X, y)
    best = NeuronClassifier("cloglog", alpha=1e-9, tol=1e-13, solver="newton").fit(X, y)
    assert_nothing_missed(neuron, best)


def collinear(seed, n, p):
    """Columns that are others again, but for a thousandth to a ten-millionth, in odd units."""
    rng = np.random.default_rng([seed, 9])
    X = rng.standard_normal((n, p))
    for j in range(1, p, 2):
        X[:, j] = X[:, j - 1] + 10 ** rng.uniform(-7, -3) * rng.standard_normal(n)
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal(p)
    return X * 10 ** rng.uniform(-2, 6, p), z, rng


@pytest.mark.parametrize(
    ("solver", "l1_ratio"),
    [
        ("newton", 0.0),
        ("lbfgs", 0.0),
        ("levenberg_marquardt", 0.0),
        ("proximal_newton", 0.0),
        ("proximal_newton", 1.0),
    ],
)
@pytest.mark.parametrize("seed", range(10))
def test_no_column_that_is_nearly_another_is_missed(seed, solver, l1_ratio):
    X, z, rng = collinear(seed, 200, 8)
    y = (z + rng.logistic(size=len(z)) > 0) * 1
    alpha, tol = 10 ** rng.uniform(-10, -6), 10.0 ** -rng.integers(4, 9)

    neuron = NeuronClassifier(alpha=alpha, l1_ratio=l1_ratio, tol=tol, solver=solver, max_iter=5000)
    assert left_of(neuron, X, y, None, lambda z: np.logaddexp(0, z) - y * z) <= 1.5


@pytest.mark.parametrize("seed", range(10))
def test_what_classes_have_in_common_is_taken_off(seed):
    """L-BFGS on a softmax layer: a sum over classes costs a penalty, and nothing else shows it."""
    X, z, rng = collinear(seed, 300, 4)
    y = np.digitize(z + rng.logistic(size=len(z)), [-1, 1])
    neuron = NeuronClassifier(alpha=1e-5, tol=1e-7, solver="lbfgs", max_iter=5000).fit(X, y)
    best = NeuronClassifier(alpha=1e-5, tol=1e-13, solver="newton").fit(X, y)
    assert np.abs(neuron.coef_.sum(axis=0)) == pytest.approx(0, abs=1e-9 * np.abs(best.coef_).max())
    gain = best.history_["objective"][0] - best.objective_
    assert neuron.converged_
    assert neuron.objective_ - best.objective_ <= 1.5e-7 * gain


# The seeds of 150 each that once were missed, and a few more.
@pytest.mark.parametrize(
    ("activation", "seed"),
    [*(("probit", k) for k in (28, 97, 98, 116, 134)), *(("cloglog", k) for k in (0, 1, 2, 109))],
)
def test_no_step_into_a_steep_tail_ends_a_fit(activation, seed):
    """Nearly separable classes and rare columns, where the curvature changes faster than z does."""
    rng = np.random.default_rng([seed, 10])
    n, p = int(rng.integers(40, 150)), int(rng.integers(3, 12))
    X = rng.standard_normal((n, p))
    for j in range(1, p, 2):
        X[:, j] = 0
        X[rng.choice(n, 3, replace=False), j] = 1
    z = X @ rng.standard_normal(p) * rng.uniform(2, 10)
    z += rng.choice([0.0, 0.3]) * rng.standard_normal(n)
    y = (z > np.median(z)) * 1
    s = 10 ** rng.uniform(-3, 3, n)
    X = X * 10 ** rng.uniform(-4, 4, p)
    alpha, tol = 10 ** rng.uniform(-12, -4), 10.0 ** -rng.integers(4, 9)

    def loss(z):
        if activation == "probit":
            return -log_ndtr((2 * y - 1) * z)
        u = np.exp(np.clip(z, -700, 700))
        return np.where(y == 1, -np.log(-np.expm1(-u)), u)

    neuron = NeuronClassifier(activation, alpha=alpha, tol=tol, max_iter=5000)
    assert left_of(neuron, X, y, s, loss) <= 1.0


@pytest.mark.parametrize("solver", ["auto", "newton", "proximal_newton", "levenberg_marquardt"])
@pytest.mark.parametrize("unit", [1e-8, 1e-4, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_column_that_the_sampled_rows_lack_is_missed(seed, unit, solver):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6000, 30_000))
    X = np.column_stack([rng.standard_normal((n, 2)), np.zeros(n)])
    unseen = np.setdiff1d(np.arange(n), np.linspace(0, n - 1, 4096).astype(np.intp))
    rare = rng.choice(unseen, 20, replace=False)
    X[rare, 2] = unit * rng.choice([-1.0, 1.0], 20)
    y = (rng.random(n) < expit(X[:, 0] + 5 * X[:, 2] / unit)) * 1
    neuron = NeuronClassifier(alpha=1e-30, tol=1e-6, solver=solver)
    assert left_of(neuron, X, y, None, lambda z: np.logaddexp(0, z) - y * z) <= 1.5


def test_columns_whose_curvature_is_but_rounding_are_told_by_the_steps():
    """Columns that differ by a share of 1e-7: no Hessian in float64 knows in what they do."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((400, 4))
    difference = rng.standard_normal((400, 2))
    X[:, 2:] = X[:, :2] + 3e-8 * difference
    y = (difference.sum(axis=1) + X[:, 0] + rng.logistic(size=400) > 0) * 1
    neuron = NeuronClassifier(alpha=1e-20, tol=1e-6)
    best = NeuronClassifier(alpha=0, tol=1e-13).fit(np.c_[X[:, :2], difference], y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuronWarning)
        neuron.fit(X, y)
    gain = best.history_["objective"][0] - best.objective_
    assert neuron.converged_
    assert neuron.objective_ - best.objective_ <= 1e-3 * gain


def far_without_bias(seed):
    """Columns a million from zero, of which two differ by a share of 1e-9.

    Of few digits, so that what they differ by is exact; and that in units in which it is seen.
    """
    rng = np.random.default_rng([seed, 11])
    X = 2.0**20 + np.round(2**10 * rng.standard_normal((400, 5))) / 2**10
    X[:, 4] = X[:, 3] + np.round(2**6 * rng.standard_normal(400)) / 2**16
    apart = np.c_[np.diff(X, axis=1) * [1, 1, 1, 2**10], X[:, 0] / 2**20]
    return X, apart, rng


def assert_nothing_missed(neuron, best):
    """Both have the same optimum, which `best` was fitted to on columns that hide nothing."""
    assert neuron.converged_
    gain = best.history_["objective"][0] - best.objective_
    assert neuron.objective_ - best.objective_ <= 1.5e-6 * gain


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["huber", "squared_hinge"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "proximal_newton"])
@pytest.mark.parametrize("seed", range(3))
def test_no_hidden_direction_is_missed_where_curvature_jumps(seed, solver, loss, make):
    X, apart, rng = far_without_bias(seed)
    y = apart[:, :4] @ rng.standard_normal(4) + rng.logistic(size=400)
    task = NeuronRegressor
    if loss == "squared_hinge":
        task, y = NeuronClassifier, (y > 0) * 1
    neuron = task("identity", loss, alpha=0, tol=1e-6, fit_intercept=False, solver=solver)
    best = clone(neuron).set_params(tol=1e-12, solver="newton").fit(apart, y)
    neuron.fit(make(X), y)
    assert_nothing_missed(neuron, best)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("activation", ["sigmoid", "cloglog"])
@pytest.mark.parametrize("seed", range(4))
def test_no_direction_that_the_hessian_hides_is_missed(seed, activation, make):
    X, apart, rng = far_without_bias(seed)
    y = (apart[:, :4] @ rng.standard_normal(4) + rng.logistic(size=400) > 0) * 1
    s = 10 ** rng.uniform(-3, 3, 400) if seed % 2 else None
    neuron = NeuronClassifier(activation, alpha=0, tol=1e-6, fit_intercept=False)
    best = clone(neuron).set_params(tol=1e-12).fit(apart, y, sample_weight=s)
    neuron.fit(make(X), y, sample_weight=s)
    assert_nothing_missed(neuron, best)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["log_loss", "huber"])
@pytest.mark.parametrize("seed", range(4))
def test_no_direction_that_the_hessian_hides_is_missed_with_an_l1_norm(seed, loss, make):
    """A norm that holds little: its share of the gain is far less than what is allowed."""
    X, apart, rng = far_without_bias(seed)
    z = apart[:, :4] @ rng.standard_normal(4) + rng.logistic(size=400)
    task, activation = NeuronRegressor, "identity"
    if loss == "log_loss":
        task, activation, z = NeuronClassifier, "sigmoid", (z > 0) * 1
    neuron = task(activation, loss, tol=1e-6, fit_intercept=False, alpha=1e-16, l1_ratio=1)
    best = clone(neuron).set_params(tol=1e-12, alpha=0).fit(apart, z)
    neuron.fit(make(X), z)
    assert_nothing_missed(neuron, best)


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_no_way_down_from_where_kinks_alone_hold_a_fit(activation, seed):
    """An absolute error has next to no curvature: minima lie where kinks of both kinds meet."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 3))
    y = np.sin(2 * X @ rng.standard_normal(3)) + 0.5 * rng.standard_normal(300)
    alpha, tol = 4e-3, 1e-6
    neuron = NeuronRegressor(activation, "absolute_error", alpha=alpha, tol=tol, random_state=0)
    with warnings.catch_warnings():
        # It is targets out of relu's reach whose kink is convex.
        warnings.filterwarnings("ignore", ".*out of reach", NeuronWarning)
        neuron.fit(X, y)
    assert neuron.converged_

    def value(weights):
        z = weights[..., :-1] @ X.T + weights[..., -1:]
        level = np.maximum(z, 0 if activation == "relu" else 0.01 * z)
        penalty = 0.5 * alpha * np.sum(weights[..., :-1] ** 2, axis=-1)
        return np.mean(np.abs(y - level), axis=-1) + penalty

    end = np.r_[np.ravel(neuron.coef_), neuron.intercept_]
    assert value(end) == pytest.approx(neuron.objective_, rel=1e-12)
    nearby = end + 10 ** rng.uniform(-6, -1, (4000, 1)) * rng.standard_normal((4000, 4))
    gain = neuron.history_["objective"][0] - value(end)
    assert value(end) - value(nearby).min() <= 10 * tol * gain


@pytest.mark.parametrize("tol", [1e-6, 1e-8])
@pytest.mark.parametrize("seed", range(10))
def test_the_objective_is_that_of_the_weights_where_nobody_looked_at_the_end(seed, tol):
    """Of exp's neurons the curvature changes much on the way of a last step with an L1 norm."""
    rng = np.random.default_rng([seed, 12])
    X = rng.standard_normal((60, 4))
    y = rng.poisson(np.exp(X @ rng.standard_normal(4) / 2)) + 1.0
    s = 10 ** rng.uniform(-3, 3, 60)
    neuron = NeuronRegressor("exp", "poisson", alpha=1e-2, l1_ratio=0.5, tol=tol)
    neuron.fit(X, y, sample_weight=s)
    z = (X @ neuron.coef_ + neuron.intercept_)[:, None]
    loss = make_pair("exp", "poisson", classifier=False).derivatives(y[:, None], z, 0)[0]
    value = np.average(loss[:, 0], weights=s)
    value += ElasticNet(1e-2, 0.5).value(neuron.coef_)
    gain = neuron.history_["objective"][0] - value
    assert abs(neuron.objective_ - value) <= tol * gain + 1e-14


def test_promise_on_a_few_small_problems():
    assert_promise(range(24), "small", 0.99)


@pytest.mark.slow
def test_promise_on_small_problems():
    assert_promise(range(160), "small", 0.99)


@pytest.mark.slow
def test_promise_on_problems_with_a_subsample_stage():
    assert_promise(range(160, 208), "middle", 0.99)


@pytest.mark.slow
def test_promise_on_large_problems():
    assert_promise(range(208, 216), "large", 0.96)
