"""Newton's steps, corrected by how the Hessian changes along them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.closed_forms import ExpTweedie, SigmoidLogLoss, SoftmaxLogLoss
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.descent import newton_solver
from sknneuron.solvers.linear_algebra import dot
from sknneuron.solvers.newton import MOST_BENT, corrected, unforeseen
from sknneuron.sources import ArraySource

PAIRS = [
    ("sigmoid", "log_loss"),
    ("tanh", "log_loss"),
    ("softmax", "log_loss"),
    ("exp", "poisson"),
    ("exp", "gamma"),
]


def make_objective(activation, loss, *, scale=1.0, n=300, p=4, weighted=False, make=np.asarray):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, p)) * [1, 30, 0.1, 5] + [0, 50, 0, -3]
    z = scale * ((X - X.mean(0)) / X.std(0)) @ rng.standard_normal((p, 3))
    pair = make_pair(activation, loss, classifier=loss == "log_loss")
    if pair.coupled:
        y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    elif loss == "log_loss":
        y = (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(float)
    else:
        y = rng.poisson(np.exp(z)) + (loss == "gamma") * rng.gamma(1.0, size=z.shape)
    weight = rng.uniform(0.1, 3, n) if weighted else None
    return Objective(ArraySource(make(X), y, weight), pair, ElasticNet(1e-3, 0.0), 3)


@pytest.mark.parametrize("kind", ["block", "kernels", "weighted", "sparse", "far", "sparse far"])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_bend_is_how_the_gradient_bends(pair, kind):
    make = {
        "sparse": sparse.csr_array,
        "far": lambda X: X + np.array([0, 1e8, 0, 0]),
        "sparse far": lambda X: sparse.csr_array(X + np.array([0, 1e8, 0, 0])),
    }
    objective = make_objective(*pair, weighted=kind == "weighted", make=make.get(kind, np.asarray))
    assert (objective.row_center is not None) == kind.endswith("far")
    if kind != "block":
        objective.__dict__["_block"] = None
    rng = np.random.default_rng(3)
    theta = objective.null() + 0.2 * rng.standard_normal(objective.shape)
    step, h = 0.3 * rng.standard_normal(objective.shape), 1e-2

    def gradient(t):
        return objective.value_and_gradient(theta + t * step)[1]

    bend = 16 * (gradient(h) + gradient(-h)) - gradient(2 * h) - gradient(-2 * h) - 30 * gradient(0)
    rtol = 1e-4 if kind.endswith("far") else 1e-6
    assert_allclose(objective.bend(theta, step), bend / (12 * h**2), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_what_a_corrected_step_leaves_is_foreseen(pair):
    objective = make_objective(*pair, scale=0.7)
    theta, seen = objective.null(), 0
    for _ in range(8):
        value, gradient, hessian = objective.value_gradient_hessian(theta)
        solve = newton_solver(objective, hessian)
        newton = -solve(gradient)
        decrement = -0.5 * dot(gradient, newton)
        step, bent, gain = corrected(objective, theta, newton, decrement, solve)
        end, slope, curvature = objective.value_gradient_hessian(theta + step)
        left = 0.5 * dot(slope, newton_solver(objective, curvature)(slope)).sum()
        share = unforeseen(objective.pair, objective.largest_shift(step, theta), bent)
        if share < 0.05 and decrement.sum() > 1e-9:
            seen += 1
            assert left <= share * decrement.sum()
            # And the value at its end, without a look.
            foreseen = value.sum() - decrement.sum() - gain
            assert abs(end.sum() - foreseen) <= share**0.5 * decrement.sum()
        theta = theta + step
    assert seen


def test_a_step_is_bent_by_half_at_most():
    objective = make_objective("exp", "poisson", scale=2.0)
    theta = objective.null()
    _, gradient, hessian = objective.value_gradient_hessian(theta)
    solve = newton_solver(objective, hessian)
    newton = -solve(gradient)
    decrement = -0.5 * dot(gradient, newton)
    step, bent, _ = corrected(objective, theta, newton, decrement, solve)
    assert bent > MOST_BENT
    change = np.einsum("gi,gij,gj->g", step - newton, hessian, step - newton)
    assert np.all(change <= MOST_BENT**2 * 2 * decrement * (1 + 1e-9))
    assert np.all(dot(gradient, step) < 0)


@pytest.mark.parametrize(
    ("neuron", "cls"),
    [
        (NeuronClassifier(tol=1e-10, solver="newton"), SigmoidLogLoss),
        (NeuronClassifier(tol=1e-10, solver="newton"), SoftmaxLogLoss),
        (NeuronRegressor("exp", "poisson", tol=1e-10, solver="newton"), ExpTweedie),
    ],
    ids=["sigmoid", "softmax", "poisson"],
)
def test_the_correction_saves_iterations_and_changes_no_optimum(neuron, cls, monkeypatch):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((400, 6))
    z = X @ rng.standard_normal(6)
    y = rng.poisson(np.exp(0.5 * z))
    if cls is not ExpTweedie:
        y = np.digitize(z + rng.logistic(size=400), [0] if cls is SigmoidLogLoss else [-1, 1])
    with_it = neuron.fit(X, y).n_iter_, neuron.coef_
    monkeypatch.setattr(cls, "self_concordance", None)
    neuron.fit(X, y)
    assert with_it[0] < neuron.n_iter_
    assert_allclose(with_it[1], neuron.coef_, rtol=1e-4, atol=1e-4)


def test_an_old_factor_does_not_say_that_all_is_done_where_curvature_jumps():
    """The second step takes a row off the hinge, which alone had curvature along the way left."""
    X = np.array(
        [
            [0.0518812719, 14462.7022],
            [0.0123918531, -1517.55881],
            [-0.0642768597, -32002.0551],
            [-0.0440995441, -22292.3604],
            [0.00987674951, 19539.1510],
        ]
    )
    weight = np.array([57.66531156, 0.32009679, 0.23050808, 0.06299554, 36.6584962])
    neuron = NeuronClassifier("identity", "squared_hinge", alpha=8.508782e-9, solver="newton")
    neuron.fit(X, [0, 0, 0, 0, 1], sample_weight=weight)
    assert neuron.converged_
    objective = neuron.history_["objective"]
    assert objective[-1] < 1e-12 * objective[0]


HIDDEN = {
    "sigmoid": (NeuronClassifier(), lambda z, rng: z + rng.logistic(size=len(z)) > 0),
    "softmax": (
        NeuronClassifier(),
        lambda z, rng: np.digitize(z + rng.logistic(size=len(z)), [-1, 1]),
    ),
    "poisson": (
        NeuronRegressor("softplus", "poisson"),
        lambda z, rng: rng.poisson(np.logaddexp(0, z)),
    ),
    "gamma": (
        NeuronRegressor("exp", "gamma"),
        lambda z, rng: np.exp(z) * rng.gamma(2.0, size=len(z)),
    ),
}


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("far", [2.0**27, 2.0**30, 2.0**32])
@pytest.mark.parametrize("model", HIDDEN)
@pytest.mark.parametrize("seed", range(3))
def test_what_rounding_hides_of_the_curvature_is_looked_for(seed, model, far, make):
    """Without a bias, columns far from zero are one but for what they differ by."""
    estimator, target = HIDDEN[model]
    estimator.set_params(alpha=0, fit_intercept=False)
    rng = np.random.default_rng(seed)
    near = rng.standard_normal((400, 2))
    # No digit of these is lost far from zero.
    digits = np.round(rng.standard_normal((400, 3)) * 2**10) / 2**10
    X = np.c_[near, far + digits]
    apart = np.c_[near, X[:, 3:] - X[:, [2]], X[:, 2] / far]
    y = target(near @ [1.0, -1.0] + digits @ [1.0, -0.5, -0.5] + 0.3, rng)
    best = estimator.fit(apart, y).objective_
    gain = estimator.history_["objective"][0] - best
    neuron = estimator.fit(make(X), y)
    assert neuron.converged_
    assert neuron.objective_ - best <= 1e-7 * gain


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_columns_that_depend_exactly_hide_nothing(make):
    """Dummies of all levels beside a bias: no look along them finds anything to go back for."""
    rng = np.random.default_rng(0)
    level = rng.integers(5, size=600)
    X = np.c_[np.eye(5)[level], rng.standard_normal((600, 2))]
    y = np.digitize(X @ rng.standard_normal(7) + rng.logistic(size=600), [-1, 1])
    expected = NeuronClassifier(alpha=0).fit(np.delete(X, 0, axis=1), y)
    neuron = NeuronClassifier(alpha=0).fit(make(X), y)
    assert neuron.converged_
    assert neuron.n_iter_ <= expected.n_iter_ + 2
    assert_allclose(neuron.objective_, expected.objective_, rtol=1e-8)
