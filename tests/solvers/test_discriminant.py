"""The first step of a classifier that has learnt nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron import NeuronClassifier, NeuronWarning
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers.descent import newton_solver
from sknneuron.solvers.discriminant import MOST_LENGTHENED, discriminant, is_blank
from sknneuron.sources import ArraySource


def normal_classes(n_classes, *, apart=1.0, share=None, n=10_000, seed=0):
    """Rows of normal classes with one covariance among them, in columns of all units."""
    rng = np.random.default_rng(seed)
    y = rng.choice(n_classes, n, p=share)
    centers = apart * rng.standard_normal((n_classes, 4))
    mix = rng.standard_normal((4, 4)) / 2
    X = centers[y] + rng.standard_normal((n, 4)) + rng.standard_normal((n, 4)) @ mix
    return X * [1, 30, 0.1, 5] + [0, 50, 0, -3], y


def make_objective(X, y, alpha=0.0, *, softmax=False, fit_intercept=True):
    activation = "softmax" if softmax else "sigmoid"
    pair = make_pair(activation, "log_loss", classifier=True)
    n_neurons = int(y.max()) + 1 if softmax else 1
    target = y if softmax else y.astype(float)[:, None]
    penalty = ElasticNet(alpha, 0.0)
    return Objective(
        ArraySource(X, target, None), pair, penalty, n_neurons, fit_intercept=fit_intercept
    )


def first_steps(objective):
    """Newton's first step and the discriminant."""
    theta = objective.null()
    _, gradient, hessian = objective.value_gradient_hessian(theta)
    step = -newton_solver(objective, hessian)(gradient)
    return step, discriminant(objective, theta, gradient, step)


def left_after(objective, step):
    """Share of the gain that is left after a step from the null neuron."""
    null = theta = objective.null()
    for _ in range(10):
        value, gradient, hessian = objective.value_gradient_hessian(theta)
        theta = theta - newton_solver(objective, hessian)(gradient)
    least = float(value.sum())
    gain = float(objective.value(null).sum()) - least
    return (float(objective.value(null + step).sum()) - least) / gain


@pytest.mark.parametrize(("alpha", "most"), [(0.0, 0.01), (0.02, 0.3), (0.5, 0.3)])
@pytest.mark.parametrize(
    ("n_classes", "share"),
    [(2, None), (2, [0.95, 0.05]), (2, [0.01, 0.99]), (3, None), (5, [0.4, 0.3, 0.2, 0.07, 0.03])],
)
def test_normal_classes_are_all_but_learnt_in_one_step(n_classes, share, alpha, most):
    X, y = normal_classes(n_classes, share=share, apart=0.7)
    objective = make_objective(X, y, alpha, softmax=n_classes > 2)
    step, longer = first_steps(objective)
    assert left_after(objective, longer) < most * left_after(objective, step)


@pytest.mark.parametrize("share", [[0.5, 0.5], [0.9, 0.1]])
def test_two_classes_of_a_softmax_layer_step_as_one_neuron(share):
    X, y = normal_classes(2, share=share)
    one = make_objective(X, y)
    two = make_objective(X, y, softmax=True)
    step, of_classes = first_steps(one)[1], first_steps(two)[1].reshape(2, -1)
    assert_allclose(of_classes[1] - of_classes[0], step[0], rtol=1e-6, atol=1e-9)
    assert_allclose(of_classes.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_step_is_lengthened_by_so_much_at_most(n_classes):
    X, y = normal_classes(n_classes, apart=20)
    step, longer = first_steps(make_objective(X, y, 1e-6, softmax=n_classes > 2))
    n = 1 if n_classes == 2 else n_classes
    step, longer = (a.reshape(n, -1)[:, :-1] for a in (step, longer))
    lengthened = np.linalg.norm(longer, 2) / np.linalg.norm(step, 2)
    assert 1.5 < lengthened <= MOST_LENGTHENED * (1 + 1e-9)


def test_rows_far_out_are_not_taken_for_normal_ones():
    X, y = normal_classes(2, n=2000)
    X = np.sinh((X - X.mean(axis=0)) / X.std(axis=0))
    assert first_steps(make_objective(X, y))[1] is None


def test_only_neurons_that_have_learnt_nothing_begin_so():
    X, y = normal_classes(2, n=500)
    objective = make_objective(X, y)
    assert is_blank(objective, objective.null())
    assert not is_blank(objective, objective.null() + np.eye(1, 5))
    without_bias = make_objective(X, y, fit_intercept=False)
    assert not is_blank(without_bias, without_bias.null())


@pytest.mark.parametrize("n_classes", [2, 4])
def test_several_neurons_step_as_each_by_itself(n_classes):
    X, y = normal_classes(n_classes, n=2000, apart=0.5)
    indicator = (y[:, None] == np.arange(n_classes)).astype(int)
    with pytest.warns(NeuronWarning, match="each row has exactly one"):
        together = NeuronClassifier(solver="newton", tol=1e-3).fit(X, indicator)
    for k in range(n_classes):
        alone = NeuronClassifier(solver="newton", tol=1e-3).fit(X, indicator[:, k])
        first = np.asarray(together.history_["coef"])[1, k]
        assert_allclose(first, np.asarray(alone.history_["coef"])[1].ravel(), rtol=1e-9)
