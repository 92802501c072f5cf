"""Activation and loss together: closed forms against the chain rule and against mpmath."""

import mpmath
import numpy as np
import pytest

from sknneuron.activations import ACTIVATIONS, Sigmoid, get_activation
from sknneuron.losses import LOSSES, Tweedie, get_loss
from sknneuron.pairs import ChainRule, Rescaled, make_pair

mpmath.mp.dps = 60


def accepted(classifier):
    for activation in ACTIVATIONS:
        for loss in LOSSES:
            try:
                yield make_pair(activation, loss, classifier=classifier)
            except ValueError:
                continue


PAIRS = [*accepted(False), make_pair("exp", Tweedie(1.2)), *accepted(True)]
SEPARABLE = [pair for pair in PAIRS if not pair.coupled]
CLOSED = [pair for pair in SEPARABLE if "ChainRule" not in type(pair).__name__]


def targets(pair, size, rng):
    loss = pair.loss
    if loss.margin:
        return rng.choice([-1.0, 1.0], size)
    low, high, *_ = loss.target_range
    if high == 1:
        return rng.choice([0.0, 1.0, 0.3], size)
    return rng.gamma(2.0, 1.0, size) + 0.1 if low == 0 else rng.normal(0, 2, size)


def away_from_kinks(pair, y, z, distance=1e-3):
    keep = np.ones(z.shape, bool)
    for kink in pair.activation.kinks:
        keep &= np.abs(z - kink) > distance
    a = pair.level(z)
    for kink in (y, y - 1.35, y + 1.35):
        keep &= np.abs(a - kink) > distance
    if pair.loss.margin:
        keep &= np.abs(y * a - 1) > distance
    return keep


@pytest.mark.parametrize("pair", SEPARABLE, ids=repr)
def test_derivatives_match_finite_differences(pair):
    rng = np.random.default_rng(1)
    z = rng.uniform(-2.5, 2.5, 500)
    if pair.activation.name == "gelu" or pair.activation.name == "silu":
        z = np.abs(z) + 0.1
    y = targets(pair, 500, rng)
    keep = away_from_kinks(pair, y, z) & (np.abs(z) > 1e-3)
    y, z, h = y[keep], z[keep], 1e-5
    terms, slope, curvature = pair.derivatives(y, z, 2)
    up, down = pair.derivatives(y, z + h, 1), pair.derivatives(y, z - h, 1)
    np.testing.assert_allclose(slope, (up[0] - down[0]) / (2 * h), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(curvature, (up[1] - down[1]) / (2 * h), rtol=1e-6, atol=1e-6)
    for order in (0, 1):
        lower = pair.derivatives(y, z, order)
        np.testing.assert_array_equal(lower[0], terms)
        assert lower[2] is None
        assert (lower[1] is None) == (order == 0)


@pytest.mark.parametrize("pair", CLOSED, ids=repr)
def test_closed_forms_equal_the_chain_rule(pair):
    rng = np.random.default_rng(2)
    # Further up the chain rule itself loses digits: one minus a level close to one.
    z = rng.uniform(-3, 2, 300)
    y = targets(pair, 300, rng)
    activation = pair.activation
    if activation.name == "tanh":
        activation = Rescaled(activation)
    chain = ChainRule(activation, pair.loss)
    for closed, composed in zip(pair.derivatives(y, z, 2), chain.derivatives(y, z, 2), strict=True):
        np.testing.assert_allclose(closed, composed, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("pair", SEPARABLE, ids=repr)
def test_float32_agrees(pair):
    rng = np.random.default_rng(3)
    z = rng.uniform(-2, 2, (64, 2)).astype(np.float32)
    y = targets(pair, (64, 2), rng).astype(np.float32)
    if pair.activation.name in ("gelu", "silu"):
        z = np.abs(z) + np.float32(0.1)
    keep = away_from_kinks(pair, y.astype(float), z.astype(float), 1e-2)
    single = pair.derivatives(y, z, 2)
    double = pair.derivatives(y.astype(float), z.astype(float), 2)
    for one, two in zip(single, double, strict=True):
        np.testing.assert_allclose(one[keep], two[keep], rtol=2e-3, atol=2e-4)


def mp_loss(name, y, z):
    y, z = mpmath.mpf(y), mpmath.mpf(z)
    if name == "sigmoid":
        return mpmath.log1p(mpmath.exp(z)) - y * z
    if name == "tanh":
        return mp_loss("sigmoid", y, 2 * z)
    if name == "probit":
        up = mpmath.erfc(-z / mpmath.sqrt(2)) / 2
        down = mpmath.erfc(z / mpmath.sqrt(2)) / 2
        return -y * mpmath.log(up) - (1 - y) * mpmath.log(down)
    if name == "cloglog":
        u = mpmath.exp(z)
        return -y * mpmath.log(-mpmath.expm1(-u)) + (1 - y) * u
    raise KeyError(name)


@pytest.mark.parametrize("z", [-1e3, -700.0, -100.0, -30.0, -1.5, 0.0, 2.5, 30.0, 100.0, 700.0, 1e3])
@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "probit", "cloglog"])
def test_log_loss_is_right_far_out(name, y, z):
    pair = make_pair(name, "log_loss", classifier=True)
    terms = pair.derivatives(np.array([[y]]), np.array([[z]]), 2)
    with mpmath.workdps(60 if name != "probit" else 400):
        for order, got in enumerate(terms):
            exact = mpmath.diff(lambda t: mp_loss(name, y, t), z, order) if order else mp_loss(name, y, z)
            if abs(exact) > 1.7e308:
                assert np.isinf(got[0, 0])
                continue
            assert float(got[0, 0]) == pytest.approx(float(exact), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("z", [-1e3, -700.0, -100.0, -30.0, 0.0, 30.0, 100.0, 700.0, 1e3])
@pytest.mark.parametrize(("loss", "power"), [("poisson", 1), ("gamma", 2), (Tweedie(1.5), 1.5)])
def test_exp_pairs_are_right_far_out(loss, power, z):
    y = 2.0
    got = make_pair("exp", loss).derivatives(np.array([[y]]), np.array([[z]]), 2)
    p, z = mpmath.mpf(power), mpmath.mpf(z)
    up, down = mpmath.exp((2 - p) * z), y * mpmath.exp((1 - p) * z)
    if power == 1:
        exact = up - y * z, up - y, up
    elif power == 2:
        exact = z + down, 1 - down, down
    else:
        exact = up / (2 - p) - down / (1 - p), up - down, (2 - p) * up - (1 - p) * down
    for mine, true in zip(got, exact, strict=True):
        if abs(true) > 1.7e308:
            assert np.isinf(mine[0, 0])
        else:
            assert float(mine[0, 0]) == pytest.approx(float(true), rel=1e-12, abs=1e-300)


def test_softmax_against_mpmath_and_finite_differences():
    pair = make_pair("softmax", "log_loss", classifier=True)
    rng = np.random.default_rng(4)
    z, y, h = rng.normal(0, 3, (20, 4)), rng.integers(0, 4, 20), 1e-6
    terms, slope, p = pair.derivatives(y, z, 2)
    for k in range(4):
        step = h * np.eye(4)[k]
        up, down = pair.derivatives(y, z + step, 1), pair.derivatives(y, z - step, 1)
        np.testing.assert_allclose(slope[:, k], ((up[0] - down[0]) / (2 * h))[:, 0], atol=1e-8)
        hessian = p[:, [k]] * (np.eye(4)[k] - p)
        np.testing.assert_allclose(hessian, (up[1] - down[1]) / (2 * h), atol=1e-8)
    far = np.array([[1e3, -1e3, 0.0]])
    for label in range(3):
        terms, slope, _ = pair.derivatives(np.array([label]), far, 2)
        exact = mpmath.log(sum(mpmath.exp(v) for v in far[0])) - far[0, label]
        assert terms[0, 0] == pytest.approx(float(exact))
        np.testing.assert_allclose(slope[0], np.array([1.0, 0, 0]) - np.eye(3)[label])


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_sums_are_the_weighted_sums_of_the_terms(pair):
    rng = np.random.default_rng(5)
    z = rng.uniform(-2, 2, (1100, 3))
    y = rng.integers(0, 3, 1100) if pair.coupled else targets(pair, (1100, 3), rng)
    s = rng.uniform(0, 2, 1100)
    terms, slope, curvature = pair.derivatives(y, z, 2)
    loss, r, d = pair.sums(y, z, None, 2)
    np.testing.assert_allclose(loss, terms.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(r, slope, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(d, curvature, rtol=1e-12, atol=1e-300)
    loss, r, d = pair.sums(y, z, s, 2)
    np.testing.assert_allclose(loss, s @ terms, rtol=1e-12)
    np.testing.assert_allclose(r, s[:, None] * slope, rtol=1e-12, atol=1e-300)
    if not pair.coupled:
        np.testing.assert_allclose(d, s[:, None] * curvature, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("pair", SEPARABLE, ids=repr)
def test_inputs_are_not_written_into_and_nothing_warns(pair):
    rng = np.random.default_rng(6)
    z = rng.uniform(-900, 900, (50, 1))
    y = targets(pair, (50, 1), rng)
    kept = z.copy(), y.copy()
    for order in (0, 1, 2):
        pair.derivatives(y, z, order)
        pair.sums(y, z, np.ones(50), order)
    assert np.array_equal(z, kept[0])
    assert np.array_equal(y, kept[1])


@pytest.mark.parametrize("pair", SEPARABLE, ids=repr)
def test_curvature_is_never_negative_where_promised(pair):
    rng = np.random.default_rng(7)
    z = rng.uniform(-8, 8, (400, 1))
    y = targets(pair, (400, 1), rng)
    if pair.convex:
        assert pair.derivatives(y, z, 2)[2].min() >= 0
    if pair.loss.name in ("squared_error", "huber", "absolute_error", "quantile"):
        assert pair.derivatives(y, z, 2, gauss_newton=True)[2].min() >= 0


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_null_bias_is_the_best(pair):
    rng = np.random.default_rng(8)
    y = rng.integers(0, 3, 400) if pair.coupled else targets(pair, (400, 1), rng)
    if not pair.coupled and pair.activation.range != (-np.inf, np.inf) and pair.loss.level_range[0] < 0:
        y = rng.uniform(0.2, 0.8, (400, 1)) if not pair.loss.target_range[1] == 1 else y
    s = rng.uniform(0.1, 2, 400)
    bias = pair.null_bias(y, s)
    assert np.all(np.isfinite(bias))

    def value(b):
        return float(pair.sums(y, np.tile(b, (400, 1)), s, 0)[0].sum())

    at = value(bias)
    for step in (1e-3, 1e-2, 0.3):
        for k in range(len(bias)):
            move = step * np.eye(len(bias))[k]
            assert at <= value(bias + move) + 1e-9 * abs(at)
            assert at <= value(bias - move) + 1e-9 * abs(at)


@pytest.mark.parametrize("pair", [p for p in accepted(True) if not p.loss.margin], ids=repr)
def test_probability_complement_and_threshold_agree(pair):
    z = np.linspace(-5, 5, 101)[:, None]
    if pair.coupled:
        return
    p = pair.probability(z)
    assert np.all((p >= 0) & (p <= 1))
    np.testing.assert_allclose(pair.complement(z), 1 - p, atol=1e-12)
    assert pair.probability(np.array([[pair.threshold]]))[0, 0] == pytest.approx(0.5)


def test_own_subclass_goes_by_the_chain_rule():
    class Steep(Sigmoid):
        def __call__(self, z):
            return super().__call__(3 * z)

        def derivative(self, z):
            return 3 * super().derivative(3 * z)

        def second_derivative(self, z):
            return 9 * super().second_derivative(3 * z)

    pair = make_pair(Steep(), "log_loss")
    assert isinstance(pair, ChainRule)
    assert not pair.convex


@pytest.mark.parametrize(
    ("activation", "loss", "classifier", "words"),
    [
        ("tanh", "poisson", False, r"activations \['sigmoid', 'softplus', 'exp'"),
        ("relu", "log_loss", False, "'sigmoid', 'probit', 'cloglog'"),
        ("relu", "gamma", False, "'softplus', 'exp'"),
        ("identity", "hinge", False, "margin of a classifier"),
        ("softmax", "squared_error", True, r"use one of the losses \['log_loss'\]"),
        ("relu", "log_loss", True, "no probabilities"),
        ("sigmoid", "hinge", True, r"use one of the activations \['identity'\]"),
        ("softmax", "log_loss", False, "softmax layer"),
        ("identity", "log_loss", True, "hinge"),
    ],
)
def test_pairs_without_sense_are_refused_with_what_would_do(activation, loss, classifier, words):
    with pytest.raises(ValueError, match=words) as error:
        make_pair(activation, loss, classifier=classifier)
    assert f"activation='{activation}'" in str(error.value)
    assert f"loss='{loss}'" in str(error.value)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_home(name):
    homes = [pair for pair in PAIRS if pair.loss.name == name]
    assert homes
    assert get_loss(name).name == name
    assert all(get_activation(pair.activation) is pair.activation for pair in homes)
