"""Pairs with more curvature than their own."""

import numpy as np
import pytest

from sknneuron.losses import Huber
from sknneuron.majorised import MAJORISED, HardlyCurved, Majorised
from sknneuron.pairing import make_pair


@pytest.mark.parametrize("loss", [Huber(), Huber(0.2)], ids=repr)
def test_majorised_lies_above_and_touches(loss):
    """The parabola with its curvature, which touches the loss, is nowhere below it."""
    pair = make_pair("identity", loss)
    rng = np.random.default_rng(0)
    y, z = rng.standard_normal((300, 1)), 3 * rng.standard_normal((300, 1))
    assert Majorised.serves(pair, y)
    above = Majorised(pair.activation, pair.loss, pair.convex)
    value, slope, curvature = above.derivatives(y, z, 2)
    np.testing.assert_array_equal(value, pair.derivatives(y, z, 0)[0])
    np.testing.assert_array_equal(slope, pair.derivatives(y, z, 1)[1])
    for step in rng.standard_normal((50, 300, 1)) * 10.0 ** rng.uniform(-3, 2, (50, 1, 1)):
        parabola = value + slope * step + 0.5 * curvature * step**2
        assert np.all(parabola >= pair.derivatives(y, z + step, 0)[0] - 1e-9 * (1 + step**2))
    # Some are on straight pieces, whose own curvature is zero.
    plain = pair.derivatives(y, z, 2)[2]
    assert 0 < np.count_nonzero(plain) < len(plain)
    assert np.all(curvature > 0)
    hardly = HardlyCurved(pair.activation, pair.loss, pair.convex).derivatives(y, z, 2)[2]
    np.testing.assert_array_equal(hardly[plain > 0], plain[plain > 0])
    np.testing.assert_allclose(hardly[plain == 0], HardlyCurved.share * curvature[plain == 0])


@pytest.mark.parametrize("loss", ["squared_hinge", "squared_error", "absolute_error"])
def test_majorised_is_for_straight_pieces_on_both_sides(loss):
    pair = make_pair("identity", loss, classifier=loss == "squared_hinge")
    assert not Majorised.serves(pair, np.array([[1.0], [-1.0]]))


def with_more_curvature(activation):
    pair = make_pair(activation, "log_loss", classifier=True)
    return pair, MAJORISED[type(pair)](pair.activation, pair.loss, pair.convex)


def test_sigmoid_on_the_wrong_side_lies_below_its_parabola():
    pair, above = with_more_curvature("sigmoid")
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, (300, 1)) * 1.0, 10 * rng.standard_normal((300, 1))
    plain, (value, slope, curvature) = pair.derivatives(y, z, 2), above.derivatives(y, z, 2)
    np.testing.assert_array_equal(value, plain[0])
    np.testing.assert_array_equal(slope, plain[1])
    wrong = (z > 0) != (y > 0)
    assert 0 < np.count_nonzero(wrong) < len(y)
    np.testing.assert_array_equal(curvature[~wrong], plain[2][~wrong])
    for step in rng.standard_normal((50, 300, 1)) * 10.0 ** rng.uniform(-3, 2, (50, 1, 1)):
        parabola = value + slope * step + 0.5 * curvature * step**2
        assert np.all((parabola >= pair.derivatives(y, z + step, 0)[0] - 1e-9)[wrong])


def test_softmax_between_two_classes_is_about_the_sigmoid():
    """Far on the wrong side; nearer by, and on the right side, it is softmax itself."""
    _, above = with_more_curvature("softmax")
    _, of_two = with_more_curvature("sigmoid")
    z, y = np.linspace(-40, 40, 161), np.zeros((161, 1))
    apart = np.column_stack([np.zeros_like(z), z])
    p = above.derivatives(y[:, 0].astype(int), apart, 2)[2]
    curvature, parabola = p[:, 0] * p[:, 1], of_two.derivatives(y, z[:, None], 2)[2][:, 0]
    own = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2
    far = z > 2
    np.testing.assert_allclose(curvature[far], parabola[far], rtol=0.3)
    np.testing.assert_allclose(curvature[z <= 1], own[z <= 1])
    assert np.all(curvature >= own * (1 - 1e-12))


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_of_many_classes(weighted, coded):
    """Value and slope are its own, and curvatures are probabilities, of the same order."""
    pair, above = with_more_curvature("softmax")
    rng = np.random.default_rng(0)
    z, y = 20 * rng.standard_normal((200, 6)), rng.integers(0, 6, 200)
    y = y if coded else (y[:, None] == np.arange(6)) * 1.0
    weight = rng.uniform(0.1, 2, 200) if weighted else None
    plain, sums = pair.sums(y, z, weight, 2), above.sums(y, z, weight, 2)
    np.testing.assert_allclose(sums[0], plain[0])
    np.testing.assert_allclose(sums[1], plain[1], atol=1e-15)
    np.testing.assert_allclose(sums[2].sum(axis=1), 1)
    np.testing.assert_array_equal(np.argmax(sums[2], axis=1), np.argmax(z, axis=1))
    assert np.all(sums[2].max(axis=1) <= plain[2].max(axis=1) + 1e-15)
    assert np.mean(sums[2].max(axis=1) < plain[2].max(axis=1) - 1e-3) > 0.5
