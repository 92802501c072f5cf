"""Closed forms against the chain rule, mpmath and scipy."""

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from sknneuron.activations import Softmax
from sknneuron.closed_forms import one_hot
from sknneuron.pairing import make_pair

from .every_pair import CLOSED, FAR, SOFTMAX, central, draw, loss_in_z, targets


@pytest.mark.parametrize("name", ["sigmoid", "probit", "cloglog"])
def test_the_complement_keeps_its_digits(name):
    pair = make_pair(name, "log_loss", classifier=True)
    z = np.array([[3.0 if name == "cloglog" else 20.0]])
    with mp.workdps(400):
        exact = {
            "sigmoid": lambda t: 1 / (1 + mp.exp(t)),
            "probit": lambda t: mp.ncdf(-t),
            "cloglog": lambda t: mp.exp(-mp.exp(t)),
        }[name](mp.mpf(z[0, 0]))
    assert pair.complement(z)[0, 0] == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("pair", CLOSED, ids=repr)
def test_closed_forms_equal_the_chain_rule(pair):
    y, z = draw(pair, seed=14, scale=1.0)
    expected = loss_in_z(pair).derivatives(y, z, 2)
    for part, other in zip(pair.derivatives(y, z, 2), expected, strict=True):
        assert_allclose(part, other, rtol=1e-9, atol=1e-11)


def exact_loss(pair, y):
    """The loss in z for mpmath, written out once more."""
    y = mp.mpf(y)
    name, loss = pair.activation.name, pair.loss.name
    if loss == "log_loss":
        up = {
            "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
            "tanh": lambda z: 1 / (1 + mp.exp(-2 * z)),
            "probit": mp.ncdf,
            "cloglog": lambda z: -mp.expm1(-mp.exp(z)),
        }[name]
        log_down = {
            "sigmoid": lambda z: -mp.log1p(mp.exp(z)),
            "tanh": lambda z: -mp.log1p(mp.exp(2 * z)),
            "probit": lambda z: mp.log(mp.ncdf(-z)),
            "cloglog": lambda z: -mp.exp(z),
        }[name]
        return lambda z: (
            -((y * mp.log(up(z))) if y else 0) - ((1 - y) * log_down(z) if y < 1 else 0)
        )
    if name == "softplus":
        return lambda z: mp.log1p(mp.exp(z)) - y * mp.log(mp.log1p(mp.exp(z)))
    if name == "exp":
        p = mp.mpf({"poisson": 1.0, "gamma": 2.0}.get(loss) or pair.loss.power)
        if p == 1:
            return lambda z: mp.exp(z) - y * z
        if p == 2:
            return lambda z: z + y * mp.exp(-z)
        return lambda z: mp.exp((2 - p) * z) / (2 - p) - y * mp.exp((1 - p) * z) / (1 - p)
    params = {key: mp.mpf(value) for key, value in pair.loss.get_params().items()}
    return {
        "squared_error": lambda z: (z - y) ** 2 / 2,
        "absolute_error": lambda z: abs(z - y),
        "quantile": lambda z: max(params["quantile"] * (y - z), (1 - params["quantile"]) * (z - y)),
        "huber": lambda z: (
            (z - y) ** 2 / 2
            if abs(z - y) <= params["delta"]
            else params["delta"] * (abs(z - y) - params["delta"] / 2)
        ),
        "hinge": lambda z: max(mp.mpf(0), 1 - y * z),
        "squared_hinge": lambda z: max(mp.mpf(0), 1 - y * z) ** 2,
    }[loss]


def as_float(value):
    limit = mp.mpf(np.finfo(float).max)
    return float(value) if abs(value) <= limit else float(mp.sign(value)) * np.inf


def exact_derivatives(function, z, h):
    z, h = mp.mpf(z), mp.mpf(10) ** h
    left, here, right = function(z - h), function(z), function(z + h)
    return here, (right - left) / (2 * h), (left - 2 * here + right) / h**2


@pytest.mark.parametrize("pair", CLOSED, ids=repr)
def test_closed_forms_are_right_far_out(pair):
    rng = np.random.default_rng(15)
    values = np.unique(targets(pair, 400, rng))
    values = values[[0, len(values) // 2, -1]]
    probit = pair.activation.name == "probit"
    for y in np.unique(values):
        function = exact_loss(pair, y)
        z = FAR
        if pair.activation.name == "cloglog":
            # mpmath has no exp(-exp(700)); what is there is tested below.
            z = z[z <= 8]
        # The digits must hold 1 + exp(-z) for the largest z, and the differences of it.
        with mp.workdps({"identity": 120, "probit": 60}.get(pair.activation.name, 1000)):
            found = pair.derivatives(np.full((len(z), 1), y), z[:, None], 2)
            if probit:
                expected = np.array([probit_exact(y, x) for x in z])
            else:
                expected = np.array(
                    [[as_float(v) for v in exact_derivatives(function, x, -25)] for x in z]
                )
        for part, exact, rtol in zip(found, expected.T, (1e-12, 1e-11, 1e-8), strict=True):
            assert not np.isnan(part).any()
            # Slopes of a saturated level are differences from y: right beside 1, not beside 0.
            assert_allclose(part[:, 0], exact, rtol=rtol, atol=2e-15)


def probit_exact(y, z):
    """Loss, slope and curvature with the normal tail by its own continued function."""
    y, z = mp.mpf(y), mp.mpf(z)

    def log_tail(t):
        return mp.log(mp.erfc(t / mp.sqrt(2)) / 2)

    def hazard(t):
        return mp.exp(-t * t / 2 - log_tail(t)) / mp.sqrt(2 * mp.pi)

    up, down = hazard(-z), hazard(z)
    return (
        as_float(-y * log_tail(-z) - (1 - y) * log_tail(z)),
        as_float((1 - y) * down - y * up),
        as_float(y * up * (z + up) + (1 - y) * down * (down - z)),
    )


def test_cloglog_beyond_what_overflows():
    pair = make_pair("cloglog", "log_loss")
    z = np.array([[30.0], [100.0], [700.0], [1e3]])
    terms, slope, curvature = pair.derivatives(np.ones_like(z), z, 2)
    assert_allclose(np.concatenate([terms, slope, curvature]), 0, atol=1e-200)
    for y in (0.0, 0.5):
        for part in pair.derivatives(np.full_like(z, y), z, 2):
            with np.errstate(over="ignore"):
                assert_allclose(part, (1 - y) * np.exp(z), rtol=1e-14)


def test_small_losses_keep_their_digits():
    pair = make_pair("sigmoid", "log_loss")
    z = np.array([[40.0], [300.0], [-40.0], [-300.0]])
    y = np.array([[1.0], [1.0], [0.0], [0.0]])
    assert_allclose(pair.derivatives(y, z, 0)[0], np.exp(-np.abs(z)), rtol=1e-12)


class TestSoftmax:
    def draw(self, n=200, k=4, seed=0, scale=2.0):
        rng = np.random.default_rng(seed)
        return rng.integers(0, k, n), rng.normal(scale=scale, size=(n, k))

    def test_derivatives_are_finite_differences(self):
        y, z = self.draw()
        terms, slope, p = SOFTMAX.derivatives(y, z, 2)
        assert terms.shape == (200, 1)
        for k in range(4):
            unit = np.eye(4)[k]
            first = central(lambda t, e=unit: SOFTMAX.derivatives(y, z + t * e, 0)[0][:, 0], 0.0)
            assert_allclose(slope[:, k], first, rtol=1e-7, atol=1e-9)
            second = central(lambda t, e=unit: SOFTMAX.derivatives(y, z + t * e, 1)[1], 0.0)
            hessian_row = p[:, [k]] * (unit - p)
            assert_allclose(second, hessian_row, rtol=1e-6, atol=1e-9)

    def test_orders_sums_and_inputs(self):
        y, z = self.draw(seed=1)
        weight = np.random.default_rng(1).uniform(0, 2, len(y))
        before = z.copy()
        terms, slope, p = SOFTMAX.derivatives(y, z, 2)
        assert SOFTMAX.derivatives(y, z, 0)[1:] == (None, None)
        assert SOFTMAX.derivatives(y, z, 1)[2] is None
        assert_array_equal(SOFTMAX.derivatives(y, z, 1)[1], slope)
        assert_allclose(p, Softmax()(z), rtol=1e-13)
        assert not np.shares_memory(slope, p)
        loss, weighted, curvature = SOFTMAX.sums(y, z, weight, 2)
        assert_allclose(loss, weight @ terms)
        assert_allclose(weighted, weight[:, None] * slope)
        assert_array_equal(curvature, p)
        assert_allclose(SOFTMAX.sums(y, z, None, 0)[0], terms.sum(axis=0))
        assert_array_equal(z, before)

    def test_far_out(self):
        z = np.array([[1e3, -1e3, 0.0], [700.0, 700.0, -700.0], [-1e3, -1e3, -1e3]])
        for y, expected in (
            (0, [0.0, np.log(2), np.log(3)]),
            (1, [2e3, np.log(2), np.log(3)]),
            (2, [1e3, 1400 + np.log(2), np.log(3)]),
        ):
            terms, slope, p = SOFTMAX.derivatives(np.full(3, y), z, 2)
            assert_allclose(terms[:, 0], expected, rtol=1e-14)
            assert_allclose(p, [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3], rtol=1e-14)
            assert_allclose(slope, p - np.eye(3)[y], rtol=1e-13)

    def test_float32_is_kept(self):
        y, z = self.draw(seed=2)
        for part in SOFTMAX.derivatives(y, z.astype(np.float32), 2):
            assert part.dtype == np.float32

    def test_null_bias(self):
        y, _ = self.draw(seed=3)
        weight = np.random.default_rng(3).uniform(0, 2, len(y))
        for w in (None, weight):
            bias = SOFTMAX.null_bias(y, w)
            share = np.bincount(y, w) / np.bincount(y, w).sum()
            assert_allclose(Softmax()(bias[None])[0], share, rtol=1e-12)
            assert bias.sum() == pytest.approx(0, abs=1e-12)
            slope = SOFTMAX.sums(y, np.broadcast_to(bias, (len(y), 4)), w, 1)[1]
            assert_allclose(slope.sum(axis=0), 0, atol=1e-10)

    @pytest.mark.parametrize("order", [0, 1, 2])
    def test_targets_may_be_one_hot(self, order):
        y, z = self.draw(seed=4)
        hot = one_hot(y, z.shape[1]).astype(float)
        for weight in (None, np.random.default_rng(4).uniform(0, 2, len(y))):
            expected = SOFTMAX.sums(y, z, weight, order)
            for a, b in zip(SOFTMAX.sums(hot, z, weight, order), expected, strict=True):
                assert a is b is None or assert_allclose(a, b, rtol=1e-12, atol=1e-14) is None

    def test_null_bias_of_counted_classes(self):
        """From the weights of the classes alone, rare ones among them."""
        weights = np.array([50.0, 3.0, 947.0])
        y = np.repeat(np.arange(3), weights.astype(int))
        assert_allclose(SOFTMAX.null_bias(np.arange(3), weights), SOFTMAX.null_bias(y, None))

    def test_null_bias_of_classes_without_a_row(self):
        pair = SOFTMAX.of_classes(3)
        bias = pair.null_bias(np.array([0, 1, 1]), None)
        assert bias.shape == (3,)
        assert np.isfinite(bias).all()
        assert bias.argmin() == 2
        assert SOFTMAX.null_bias(np.array([0, 1, 1]), None).shape == (2,)
        assert pair.convex


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_probabilities_keep_the_digits_of_the_smaller_one(dtype):
    far = 80 if dtype == np.float32 else 700
    above = np.linspace(0, far, 20_001, dtype=dtype)
    z = np.concatenate([-above[::-1], above])[:, None]
    both = make_pair("sigmoid", "log_loss", classifier=True).both_probabilities(z)
    assert both.dtype == dtype
    exact = special.expit(np.hstack([-z, z]).astype(np.float64))
    assert_allclose(both, exact, rtol=1e-5 if dtype == np.float32 else 1e-15)
    assert_array_equal(both, both[::-1, ::-1])
