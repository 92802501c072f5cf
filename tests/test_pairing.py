"""What make_pair accepts, and as what; and how it refuses the rest."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.activations import ACTIVATIONS, Sigmoid
from sknneuron.losses import LOSSES, Hinge, LogLoss, SquaredError
from sknneuron.pairing import make_pair
from sknneuron.pairs import ClassifierChainRule

from .every_pair import ALL, CLASSIFIERS, CLOSED


def test_what_is_accepted():
    names = {(p.activation.name, p.loss.name, isinstance(p, ClassifierChainRule)) for p in ALL}
    assert len(names) > 60
    assert len(CLASSIFIERS) == 13
    assert ("sigmoid", "log_loss", False) in names
    assert ("softsign", "log_loss", True) in names
    assert {p.activation.name for p in ALL} == set(ACTIVATIONS)
    assert {p.loss.name for p in ALL} == set(LOSSES)
    assert len(CLOSED) > 15


def test_convex_flags():
    for pair in ALL:
        name, loss = pair.activation.name, pair.loss.name
        if name == "identity":
            expected = True
        elif loss == "log_loss":
            expected = name in ("sigmoid", "softmax", "probit", "cloglog", "tanh")
        elif name == "exp":
            expected = loss in ("poisson", "gamma") or (
                loss == "tweedie" and 1 <= pair.loss.power <= 2
            )
        else:
            expected = name == "softplus" and (
                loss == "poisson" or pair.loss.get_params().get("power") == 1
            )
        assert pair.convex == expected, pair


REFUSED = [
    ("relu", "poisson", False, "levels lie between 0 and inf and the loss needs levels in"),
    ("identity", "gamma", False, "levels lie between -inf and inf and the loss needs"),
    ("identity", "log_loss", False, "levels lie between -inf and inf"),
    ("tanh", "log_loss", False, "levels lie between -1 and 1"),
    ("exp", "log_loss", False, "levels lie between 0 and inf"),
    ("identity", "hinge", False, "a hinge acts on the margin of a classifier"),
    ("softmax", "log_loss", False, "a softmax layer is for the log_loss of a classifier"),
    ("softmax", "squared_error", True, "a softmax layer is for the log_loss"),
    ("sigmoid", "hinge", True, "a hinge acts on the margin"),
    ("relu", "log_loss", True, "which makes them no probabilities"),
    ("identity", "squared_error", True, "which makes them no probabilities"),
    ("sigmoid", "huber", True, "levels lie between 0 and 1"),
]


@pytest.mark.parametrize(("activation", "loss", "classifier", "reason"), REFUSED)
def test_refusals_say_what_would_do(activation, loss, classifier, reason):
    with pytest.raises(ValueError, match="makes no sense") as error:
        make_pair(activation, loss, classifier=classifier)
    message = str(error.value)
    assert f"activation='{activation}' with loss='{loss}'" in message
    assert ("NeuronClassifier" if classifier else "NeuronRegressor") in message
    assert reason in message
    other_task = "NeuronRegressor" if classifier else "NeuronClassifier"
    _, losses, activations = message.split(" use ")
    losses = losses.split("; with loss")[0]
    for names in (losses, activations):
        assert names.startswith(("one of the", other_task))
    for other in LOSSES:
        assert (f"'{other}'" in losses) == is_accepted(activation, other, classifier)
    for other in ACTIVATIONS:
        assert (f"'{other}'" in activations) == is_accepted(other, loss, classifier)


def is_accepted(activation, loss, classifier):
    try:
        make_pair(activation, loss, classifier=classifier)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("classifier", [False, True])
def test_everything_else_is_accepted_or_refused_by_its_ranges(classifier):
    for f, loss in itertools.product(ACTIVATIONS.values(), LOSSES.values()):
        (low, high), (least, most) = f.range, loss.level_range
        if classifier:
            bounded = np.isfinite(high - low) and not f.coupled
            expected = (
                (f.name == "identity" and loss.margin)
                or (f.coupled and loss is LogLoss)
                or (bounded and loss in (LogLoss, SquaredError))
            )
        else:
            fits = low >= least and high <= most and not (f.attains_low and low == least)
            expected = fits and not loss.margin and not f.coupled
        assert is_accepted(f.name, loss.name, classifier) == expected, (f.name, loss.name)


def test_unknown_names_are_refused_by_their_tables():
    with pytest.raises(ValueError, match="Did you mean 'sigmoid'"):
        make_pair("sigmoyd", "log_loss")
    with pytest.raises(ValueError, match="Did you mean 'log_loss'"):
        make_pair("sigmoid", "logloss")


class TestSubclasses:
    """What a user derives is composed by the chain rule, never taken for its parent."""

    def test_of_an_activation(self):
        class Steep(Sigmoid):
            def __call__(self, z):
                return super().__call__(3 * z)

            def derivative(self, z):
                return 3 * super().derivative(3 * z)

            def second_derivative(self, z):
                return 9 * super().second_derivative(3 * z)

        z = np.random.default_rng(17).normal(size=(20, 1))
        y = (z > 0) * 1.0
        expected = make_pair("sigmoid", "log_loss").derivatives(y, 3 * z, 2)
        for classifier in (False, True):
            pair = make_pair(Steep(), "log_loss", classifier=classifier)
            assert not pair.convex
            found = pair.derivatives(y, z, 2)
            for part, other, factor in zip(found, expected, (1, 3, 9), strict=True):
                assert_allclose(part, factor * other, rtol=1e-8)

    def test_of_a_margin_loss(self):
        class Twice(Hinge):
            def __call__(self, y, a):
                return 2 * super().__call__(y, a)

        pair = make_pair("identity", Twice(), classifier=True)
        z = np.array([[0.5, -2.0]])
        assert_allclose(pair.derivatives(np.ones_like(z), z, 0)[0], [[1.0, 6.0]])

    def test_of_the_log_loss_is_refused_beside_softmax(self):
        class Mine(LogLoss):
            pass

        with pytest.raises(ValueError, match="softmax layer is for the log_loss"):
            make_pair("softmax", Mine(), classifier=True)
