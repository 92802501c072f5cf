"""The reason that a warning gives is the reason."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_columns_that_say_nothing_are_not_blamed_on_an_l2_penalty():
    with pytest.warns(NeuronWarning, match="no column tells the targets apart"):
        NeuronClassifier(alpha=1e-3).fit(X, [0, 1, 1, 0])


def test_an_l1_penalty_that_holds_every_weight_is_named():
    with pytest.warns(NeuronWarning, match=r"alpha=0\.3 holds every weight at zero"):
        NeuronClassifier(alpha=0.3, l1_ratio=1).fit(X, [0, 1, 1, 1])


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu"])
def test_a_regressor_that_learns_nothing_says_so(activation):
    with pytest.warns(NeuronWarning, match="no column tells the targets apart"):
        NeuronRegressor(activation, random_state=0).fit(X, [0, 1, 1, 0])


def test_noise_about_zero_is_no_answer():
    with pytest.warns(NeuronWarning, match="predicts the same for every row"):
        NeuronClassifier(solver="sgd", random_state=0).fit(X, [0, 1, 1, 0])


def test_a_divergence_is_told_once_with_what_would_do():
    neuron = NeuronClassifier(solver="sgd", learning_rate_init=100, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        neuron.fit(X, [0, 1, 1, 1])
    (warning,) = caught
    assert str(warning.message).count("solver='auto'") == 1
    assert str(warning.message).count("ower learning_rate_init") == 1


@pytest.mark.parametrize(("solver", "remedy"), [("auto", "Raise max_iter."), ("lbfgs", "'auto'.")])
def test_solver_auto_is_advised_to_who_has_not_got_it(solver, remedy):
    with pytest.warns(ConvergenceWarning) as caught:
        NeuronClassifier(solver=solver, max_iter=1).fit(X, [0, 1, 1, 1])
    assert str(caught[0].message).endswith(remedy)
