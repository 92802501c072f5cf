"""Losses with a kink reach their optimum: a linear or quadratic program says which it is."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Huber, Quantile

from .references import programs
from .references.datasets import all_rows

SAME = 1e-6
SLOW_TOO = pytest.param(True, marks=pytest.mark.slow)
LEVELS = [0.05, 0.25, 0.5, 0.8, 0.95]
ALPHAS = [0.0, pytest.param(1e-3, marks=pytest.mark.slow), 0.1]
# Small enough for the programs to be quick.
NAMES = ("iris", "wine", "diabetes", "linnerud", "correlated", "float32", "nearly_equal", "skewed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:The penalty supplies more than half"),
    pytest.mark.filterwarnings("ignore:The penalty leaves"),
    # With few rows of one class the hinge's optimum is a constant.
    pytest.mark.filterwarnings("ignore:NeuronClassifier predicts the same for every row"),
]


def check(estimator, terms, rows, best, sample_weight=None, alpha=0.0, l1=0.0):
    """The objective reached is the program's, and is what the neuron says it is."""
    coef, intercept = np.ravel(estimator.coef_), np.ravel(estimator.intercept_)[0]
    reached = programs.objective(
        terms, rows.X64, coef, intercept, sample_weight=sample_weight, alpha=alpha, l1=l1
    )
    assert estimator.converged_
    # Where a plane separates the classes the least objective is 0, which nothing is relative to.
    assert best * (1 - 1e-8) - 1e-12 <= reached <= best * (1 + SAME) + 1e-9
    assert estimator.objective_ == pytest.approx(reached, rel=1e-9)


def least(terms, rows, alpha, sample_weight=None):
    """The least objective, and proof that it is."""
    if alpha == 0:
        return programs.linear_program(terms, rows.X64, sample_weight=sample_weight)
    # The program is solved in columns of deviation 1, which takes the penalty along.
    best, bound = programs.quadratic_program(terms, rows.X64, alpha, sample_weight=sample_weight)
    assert 0 <= best - bound <= 1e-8 * best
    return best


def weights(rows, weighted):
    return rows.sample_weight() if weighted else None


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("weighted", [False, SLOW_TOO])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_quantile(name, level, weighted, alpha):
    rows = all_rows()[name]
    y, s = rows.numbers(), weights(rows, weighted)
    terms = programs.quantile(y, level)
    ours = NeuronRegressor(loss=Quantile(quantile=level), alpha=alpha).fit(rows.X, y, s)
    check(ours, terms, rows, least(terms, rows, alpha, s), s, alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_absolute_error(name, weighted, alpha):
    rows = all_rows()[name]
    y, s = rows.positive(), weights(rows, weighted)
    terms = programs.absolute(y)
    ours = NeuronRegressor(loss="absolute_error", alpha=alpha).fit(rows.X, y, s)
    check(ours, terms, rows, least(terms, rows, alpha, s), s, alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "breast_cancer", "one_hot"])
def test_hinge(name, weighted, alpha):
    rows = all_rows()[name]
    y, s = 2 * rows.binary() - 1, weights(rows, weighted)
    terms = programs.hinge(y)
    ours = NeuronClassifier("identity", "hinge", alpha=alpha).fit(rows.X, y, s)
    check(ours, terms, rows, least(terms, rows, alpha, s), s, alpha)


@pytest.mark.parametrize("loss", ["absolute_error", "hinge"])
@pytest.mark.parametrize("name", NAMES)
def test_with_l1(name, loss):
    rows = all_rows()[name]
    y = rows.numbers() if loss == "absolute_error" else 2 * rows.binary() - 1
    l1 = 0.02
    if loss == "hinge":
        terms, ours = programs.hinge(y), NeuronClassifier("identity", "hinge", l1_ratio=1, alpha=l1)
    else:
        terms, ours = programs.absolute(y), NeuronRegressor(loss=loss, l1_ratio=1, alpha=l1)
    best = programs.linear_program(terms, rows.X64, l1=l1)
    check(ours.fit(rows.X, y), terms, rows, best, l1=l1)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("name", ["diabetes", "wine", "correlated"])
def test_several_outputs(name, alpha):
    """Several targets, of different size: each neuron reaches its own optimum."""
    rows = all_rows()[name]
    Y = np.column_stack([rows.numbers(), 100 * rows.positive(), rows.counts() - 5])
    ours = NeuronRegressor(loss=Quantile(quantile=0.8), alpha=alpha).fit(rows.X, Y)
    assert ours.converged_
    for y, coef, intercept in zip(Y.T, ours.coef_, ours.intercept_, strict=True):
        terms = programs.quantile(y, 0.8)
        reached = programs.objective(terms, rows.X64, coef, intercept, alpha=alpha)
        assert reached <= least(terms, rows, alpha) * (1 + SAME)


def test_a_perfect_fit_is_found():
    """The kink's gap has no floor to hide behind where the least objective is zero."""
    rows = all_rows()["tall"]
    y = 3 + rows.signal
    ours = NeuronRegressor(loss="absolute_error", alpha=0).fit(rows.X, y)
    assert np.abs(ours.predict(rows.X) - y).max() <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["breast_cancer", "digits", "tall", "one_hot"])
def test_quantile_of_larger_problems(name, level):
    test_quantile(name, level, True, 0.0)
    test_quantile(name, level, False, 1e-3)


def test_many_rows():
    """So many that a smooth loss would be trained on a subsample first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    y = X @ [1.0, 2.0, 0.0] + rng.normal(size=20_000)
    ours = NeuronRegressor(loss=Quantile(quantile=0.8), alpha=0).fit(X, y)
    assert ours.converged_
    # At an optimum as many rows lie on the line as there are parameters.
    assert (y < ours.predict(X) - 1e-9).mean() == pytest.approx(0.8, abs=4 / 20_000)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("alpha", [0.0, 1e-8])
@pytest.mark.parametrize(
    ("solver", "delta"),
    [("auto", 1e-6), ("auto", 1e-2), ("auto", 1.35), ("lbfgs", 1e-2), ("lbfgs", 1.35)],
)
def test_a_huber_loss_narrow_beside_the_targets(delta, solver, alpha, l1_ratio):
    """Dollars beside a delta of one: nearly an absolute error. No step from the end goes lower."""
    if solver == "lbfgs" and alpha * l1_ratio > 0:
        pytest.skip("lbfgs takes no L1 penalty")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X @ [1, -2, 0.5, 0] + rng.standard_t(2, 300)
    y *= 1e5
    options = {"solver": solver, "l1_ratio": l1_ratio, "tol": 1e-8}
    narrow = NeuronRegressor(loss=Huber(delta), alpha=alpha, **options).fit(X, y)
    assert narrow.converged_
    start = np.append(narrow.coef_, narrow.intercept_)

    def objective(theta):
        loss = Huber(delta)(y, X @ theta[:4] + theta[4]).mean()
        w = theta[:4]
        return loss + alpha * (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * w @ w)

    gain = objective(np.append(np.zeros(4), np.median(y))) - objective(start)
    for scale in (1e-1, 1e-3, 1e-5):
        for _ in range(200):
            step = scale * np.abs(start).max() * rng.normal(size=5)
            assert objective(start + step) >= objective(start) - 1e-7 * gain
    assert gain > 0


@pytest.mark.parametrize(
    ("solver", "l1_ratio"),
    [
        ("auto", 0.0),
        ("auto", 1.0),
        ("newton", 0.0),
        ("proximal_newton", 0.0),
        ("proximal_newton", 1.0),
    ],
)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_columns_that_only_outliers_have(seed, fit_intercept, solver, l1_ratio):
    """Where training begins all their rows are on straight pieces: a slope, and no curvature."""
    rng = np.random.default_rng(seed)
    n = 40 * 5**seed
    X = np.column_stack([rng.standard_normal((n, 2)), np.zeros((n, 6))])
    y = X @ np.arange(8.0) + rng.standard_normal(n)
    apart = rng.choice(n, 6, replace=False)
    X[apart, range(2, 8)] = 10 ** rng.uniform(-1, 1, 6)
    y[apart] += rng.choice([-1, 1], 6) * 10 ** rng.uniform(1, 4, 6)
    options = {"loss": "huber", "solver": solver, "fit_intercept": fit_intercept}
    alpha = 1e-9 if l1_ratio else 0.0
    neuron = NeuronRegressor(alpha=alpha, l1_ratio=l1_ratio, **options).fit(X, y)
    # Each such column fits its only row, and the others are as they are without it.
    rest = np.setdiff1d(np.arange(n), apart)
    expected = NeuronRegressor(alpha=0, **options).fit(X[rest, :2], y[rest])
    assert neuron.converged_
    assert neuron.n_iter_ <= 200
    np.testing.assert_allclose(neuron.coef_[:2], expected.coef_, atol=1e-3)
    np.testing.assert_allclose(neuron.predict(X[apart]), y[apart], atol=1e-3 * np.abs(y).max())
