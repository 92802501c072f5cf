"""Every pair make_pair accepts against finite differences, the chain rule, mpmath and scipy."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from scipy.optimize import minimize_scalar

from sknneuron.activations import ACTIVATIONS, Sigmoid, Softmax
from sknneuron.losses import LOSSES, Hinge, Huber, LogLoss, Quantile, SquaredError, Tweedie
from sknneuron.pairs import (
    ChainRule,
    ClassifierChainRule,
    Rescaled,
    make_pair,
    one_hot,
)


def accepted(classifier):
    losses = [cls() for cls in LOSSES.values()]
    extra = [Tweedie(0.0), Tweedie(1.0), Tweedie(2.0), Tweedie(3.0), Huber(0.2), Quantile(0.9)]
    for cls in ACTIVATIONS.values():
        more = extra if cls.name in ("identity", "exp", "softplus") else []
        for loss in losses + more:
            try:
                yield make_pair(cls(), loss, classifier=classifier)
            except ValueError:
                continue


CLASSIFIERS = list(accepted(True))
ALL = [*accepted(False), *CLASSIFIERS]
ELEMENTWISE = [pair for pair in ALL if not pair.coupled]
CLOSED = [pair for pair in ELEMENTWISE if not isinstance(pair, ChainRule)]
SOFTMAX = make_pair("softmax", "log_loss", classifier=True)
FAR = np.array([-1e3, -700.0, -100.0, -30.0, -5.0, -0.3, 2.0, 8.0, 30.0, 100.0, 700.0, 1e3])


def targets(pair, shape, rng):
    """Targets the loss allows, its limits among them."""
    if pair.loss.margin:
        return rng.choice([-1.0, 1.0], shape)
    low, high, low_included, _ = pair.loss.target_range
    if high == 1:
        return rng.choice([0.0, 0.25, 1.0], shape)
    if low == 0:
        y = rng.gamma(2.0, size=shape)
        return np.where(rng.random(shape) < 0.3, 0.0, y) if low_included else y
    if isinstance(pair, ClassifierChainRule):
        return rng.choice([0.0, 1.0], shape)
    return rng.normal(scale=1.5, size=shape)


def draw(pair, n=300, k=2, seed=0, scale=1.5):
    rng = np.random.default_rng(seed)
    return targets(pair, (n, k), rng), rng.normal(scale=scale, size=(n, k))


def away_from_pieces(pair, y, z, margin=0.02):
    """Elements with neither kink nor jump of the curvature nearby, as columns of one neuron."""
    far = np.ones(z.shape, dtype=bool)
    for kink in (*pair.activation.kinks, 0.0):
        far &= np.abs(z - kink) > margin
    a = pair.level(z)
    edges = {0.0}
    if isinstance(pair.loss, Huber):
        edges = {-pair.loss.delta, pair.loss.delta}
    for edge in edges:
        far &= np.abs(a - y - edge) > 3 * margin
    if pair.loss.margin:
        far &= np.abs(1 - y * z) > margin
    return y[far][:, None], z[far][:, None]


def central(function, z, h=1e-4):
    return (
        8 * (function(z + h) - function(z - h)) - (function(z + 2 * h) - function(z - 2 * h))
    ) / (12 * h)


def is_rescaled(pair):
    return pair in CLASSIFIERS and not pair.loss.margin and not pair.coupled


def loss_in_z(pair):
    """The chain rule's loss, to which the closed forms are held."""
    if is_rescaled(pair):
        return ChainRule(Rescaled(pair.activation), pair.loss)
    return ChainRule(pair.activation, pair.loss)


def test_what_is_accepted():
    names = {(p.activation.name, p.loss.name, isinstance(p, ClassifierChainRule)) for p in ALL}
    assert len(names) > 60
    assert len(CLASSIFIERS) == 13
    assert ("sigmoid", "log_loss", False) in names
    assert ("softsign", "log_loss", True) in names
    assert {p.activation.name for p in ALL} == set(ACTIVATIONS)
    assert {p.loss.name for p in ALL} == set(LOSSES)
    assert len(CLOSED) > 15


@pytest.mark.parametrize("pair", ELEMENTWISE, ids=repr)
class TestElementwise:
    def test_derivatives_are_finite_differences(self, pair):
        y, z = away_from_pieces(pair, *draw(pair))
        assert len(z) > 100
        _, slope, curvature = pair.derivatives(y, z, 2)
        expected = central(lambda t: pair.derivatives(y, t, 0)[0], z)
        assert_allclose(slope, expected, rtol=1e-6, atol=1e-7)
        expected = central(lambda t: pair.derivatives(y, t, 1)[1], z)
        assert_allclose(curvature, expected, rtol=1e-6, atol=1e-7)

    def test_order_says_what_is_computed(self, pair):
        y, z = draw(pair, seed=1)
        terms, slope, curvature = pair.derivatives(y, z, 2)
        assert terms.shape == slope.shape == curvature.shape == z.shape
        for order, rest in ((0, (None, None)), (1, (slope, None))):
            found = pair.derivatives(y, z, order)
            assert_array_equal(found[0], terms)
            for part, expected in zip(found[1:], rest, strict=True):
                assert (part is None) == (expected is None)
                if part is not None:
                    assert_array_equal(part, expected)

    def test_inputs_are_not_written_into(self, pair):
        y, z = draw(pair, seed=2)
        weight = np.random.default_rng(2).uniform(0.5, 1, len(y))
        arrays = (y, z, weight)
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        pair.derivatives(y, z, 2)
        pair.derivatives(y, z, 2, True)
        pair.sums(y, z, weight, 2)
        pair.sums(y, z, None, 2)
        pair.level(z)
        pair.probability(z)
        pair.null_bias(y, weight)
        for array, then in zip(arrays, before, strict=True):
            assert_array_equal(array, then)

        # The results are the caller's to overwrite.
        results = pair.derivatives(y, z, 2)
        for i, j in itertools.combinations(range(3), 2):
            assert not np.shares_memory(results[i], results[j])
        for part in results:
            assert part.flags.writeable
            assert not np.shares_memory(part, z)
            assert not np.shares_memory(part, y)

    def test_float32_is_kept_and_agrees_with_float64(self, pair):
        y, z = away_from_pieces(pair, *draw(pair, seed=4, scale=1.0))
        y, z = y.astype(np.float32), z.astype(np.float32)
        narrow = pair.derivatives(y, z, 2)
        wide = pair.derivatives(y.astype(np.float64), z.astype(np.float64), 2)
        for part, expected in zip(narrow, wide, strict=True):
            assert part.dtype == np.float32
            assert expected.dtype == np.float64
            assert_allclose(part, expected, rtol=2e-3, atol=2e-5)

    def test_sums(self, pair):
        n = 1500
        y, z = draw(pair, n=n, seed=5)
        weight = np.random.default_rng(5).uniform(0, 2, n)
        for gauss_newton in (False, True):
            terms, slope, curvature = pair.derivatives(y, z, 2, gauss_newton)
            for order in (0, 1, 2):
                plain = pair.sums(y, z, None, order, gauss_newton)
                assert_allclose(plain[0], terms.sum(axis=0), rtol=1e-12)
                weighted = pair.sums(y, z, weight, order, gauss_newton)
                assert_allclose(weighted[0], weight @ terms, rtol=1e-12)
                for at, part in ((1, slope), (2, curvature)):
                    if order < at:
                        assert plain[at] is None
                        assert weighted[at] is None
                        continue
                    # A slope may be the difference of level and target, both of order one.
                    assert_allclose(plain[at], part, rtol=1e-14, atol=2e-16 if at == 1 else 0)
                    assert_allclose(weighted[at], weight[:, None] * part, rtol=1e-14)

    def test_sums_far_out(self, pair):
        y, z = draw(pair, n=5000, seed=5, scale=300.0)
        with np.errstate(over="ignore", invalid="ignore"):
            expected = pair.derivatives(y, z, 2)
            plain = pair.sums(y, z, None, 2)
        assert_allclose(plain[0], expected[0].sum(axis=0), rtol=1e-12)
        assert_allclose(plain[1], expected[1], rtol=1e-14, atol=2e-16)
        assert_allclose(plain[2], expected[2], rtol=1e-13)

    def test_convex_pairs_have_no_negative_curvature(self, pair):
        for scale in (0.5, 2.0, 10.0, 100.0):
            y, z = draw(pair, n=1000, seed=6, scale=scale)
            curvature = pair.derivatives(y, z, 2)[2]
            if pair.convex:
                assert not np.isnan(curvature).any()
                assert curvature.min() >= 0
        if not pair.convex:
            # The claim is no empty one: what is not called convex is not.
            y, z = draw(pair, n=4000, seed=7, scale=3.0)
            left, right = (pair.derivatives(y, t, 0)[0] for t in (z - 0.5, z + 0.5))
            assert np.any(left + right < 2 * pair.derivatives(y, z, 0)[0] - 1e-9)

    def test_gauss_newton_is_never_negative_for_a_convex_loss(self, pair):
        y, z = draw(pair, n=1000, seed=8, scale=2.0)
        curvature = pair.derivatives(y, z, 2, True)[2]
        if pair.loss.name not in ("gamma", "tweedie") or pair.convex:
            assert curvature.min() >= 0
        if isinstance(pair.loss, Tweedie) and pair.loss.power == 0:
            assert curvature.min() >= 0

    def test_gauss_newton_leaves_out_the_curvature_of_the_activation(self, pair):
        y, z = away_from_pieces(pair, *draw(pair, seed=9, scale=1.0))
        _, slope, curvature = pair.derivatives(y, z, 2, True)
        full = pair.derivatives(y, z, 2)
        assert_array_equal(slope, full[1])
        if pair.convex and pair in CLOSED:
            assert_array_equal(curvature, full[2])
            return
        rule = loss_in_z(pair)
        f, a = rule.activation, rule.activation(z)
        expected = rule.loss.second_derivative(y, a) * f.derivative(z) ** 2
        assert_allclose(curvature, expected, rtol=1e-9, atol=1e-12)

    def test_terms_of_neurons_without_weights(self, pair):
        y, z = draw(pair, n=40, seed=10)
        expected = pair.derivatives(y, np.tile(z[:1], (len(y), 1)), 0)[0]
        assert_array_equal(pair.constant_terms(y, z[0]), expected)

    def test_null_bias_is_the_best_bias_and_finite_where_one_target_occurs(self, pair):
        y, _ = draw(pair, n=151, seed=10)
        for weight in (None, np.random.default_rng(10).uniform(0, 2, len(y))):
            bias = pair.null_bias(y, weight)
            assert bias.shape == (2,)
            assert np.isfinite(bias).all()
            for column, at in zip(y.T, bias, strict=True):

                def cost(b, column=column[:, None], weight=weight):
                    z = np.full_like(column, b)
                    return np.average(pair.derivatives(column, z, 0)[0][:, 0], weights=weight)

                grid = np.linspace(-6, 6, 25)
                start = grid[np.argmin([cost(b) for b in grid])]
                best = minimize_scalar(cost, bounds=(start - 0.6, start + 0.6), method="bounded")
                assert cost(at) <= best.fun + 1e-8

        only = np.full((5, 2), y[0, 0])
        bias = pair.null_bias(only, None)
        assert np.isfinite(bias).all()
        assert np.isfinite(pair.derivatives(only[:1], bias[None], 2)[1]).all()


@pytest.mark.parametrize("pair", [p for p in ALL if p.self_concordance], ids=repr)
def test_bend_is_the_second_derivative_of_the_slope_along_a_step(pair):
    y, z = draw(pair, k=3)
    y = y[:, 0].astype(int) if pair.coupled else y
    dz = np.random.default_rng(1).normal(size=z.shape)

    def slope(t):
        return pair.slope(y, z + t * dz)

    bend = pair.bend(y, z, dz)
    h = 2e-3
    second = 16 * (slope(h) + slope(-h)) - slope(2 * h) - slope(-2 * h) - 30 * slope(0)
    assert_allclose(bend, second / (12 * h**2), rtol=1e-6, atol=1e-7)
    curvature = pair.derivatives(y, z, 2)[2]
    assert_allclose(pair.bend(y, z, dz, curvature), bend, rtol=1e-9, atol=1e-12)
    if not pair.convex:
        return
    # What it is called after: the curvature bounds the third derivative, along the step.
    d = pair.derivatives(y, z, 2)[2]
    third = np.abs(np.sum(bend * dz, axis=-1) if pair.coupled else bend * dz)
    if pair.coupled:
        second = np.sum(d * dz**2, axis=1) - np.sum(d * dz, axis=1) ** 2
        shift = np.abs(dz).max(axis=1)
    else:
        second, shift = d * dz**2, np.abs(dz)
    assert np.all(third <= pair.self_concordance * shift * second * (1 + 1e-9) + 1e-15)


@pytest.mark.parametrize("pair", [p for p in ALL if p.steepens], ids=repr)
def test_the_rate_bounds_how_the_curvature_changes(pair):
    z = np.linspace(-30, 6 if "CLogLog" in repr(pair) else 30, 2001)[:, None]
    for target in (0.0, 0.3, 1.0):
        y, h = np.full_like(z, target), 1e-4
        d, ahead = (pair.derivatives(y, at, 2)[2] for at in (z, z + h))
        # Where the curvature is no more than rounding of its parts it says nothing.
        told = d > 1e-12
        change = np.abs(np.log(ahead[told] / d[told])) / h
        assert np.all(change <= 1.05 * pair.curvature_rate(y, z)[told] + 0.5)


@pytest.mark.parametrize("pair", [pair for pair in CLASSIFIERS if not pair.coupled], ids=repr)
class TestClassifiers:
    def test_probability_is_the_level_rescaled(self, pair):
        z = draw(pair, seed=12, scale=2.0)[1]
        assert_array_equal(pair.level(z), pair.activation(z))
        low, high = (0, 1) if pair.loss.margin else pair.activation.range
        p = pair.probability(z)
        assert_allclose(p, (pair.level(z) - low) / (high - low), rtol=1e-12, atol=1e-15)
        assert_allclose(pair.complement(z), 1 - p, rtol=1e-12, atol=1e-15)

    def test_threshold_is_where_the_probability_is_one_half(self, pair):
        at = np.array(pair.threshold)
        assert float(pair.probability(at)) == (0 if pair.loss.margin else pytest.approx(0.5))

    def test_a_bounded_level_gives_a_probability_far_out_too(self, pair):
        z = FAR[:, None]
        if pair.loss.margin:
            assert_array_equal(pair.probability(z), z)
            return
        for p in (pair.probability(z), pair.complement(z)):
            assert (p >= 0).all()
            assert (p <= 1).all()


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


@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, 5000)])
@pytest.mark.parametrize("pair", [pair for pair in ALL if pair.in_single], ids=repr)
def test_sums_in_float32_are_those_of_float64_but_for_rounding(pair, weight):
    y, z = draw(pair, n=5000, k=1)
    # Far out as well, past what float32 can take the exponential of.
    for far in (z, z + 6, np.where(z < -3, 40 * z, z)):
        at = y.astype(np.float32), far.astype(np.float32)
        narrow = pair.sums(*at, weight, 2)
        wide = pair.sums(*(values.astype(np.float64) for values in at), weight, 2)
        assert_allclose(narrow[0], wide[0], rtol=1e-7)
        assert_allclose(narrow[1], wide[1], rtol=1e-6, atol=4 * np.finfo(np.float32).eps)
        assert_allclose(narrow[2], wide[2], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("pair", ALL, ids=repr)
def test_smooth_pairs_are_their_own_envelope(pair):
    has_envelope = not pair.smooth or pair.loss.name == "huber"
    assert (pair.smoothed(0.2) is pair) != has_envelope
    assert pair.loss.smooth == pair.smooth
    assert pair.quadratic_pieces == pair.loss.quadratic_pieces
    assert repr(pair) == f"{type(pair).__name__}({pair.activation!r}, {pair.loss!r})"


@pytest.mark.parametrize("pair", [pair for pair in ALL if not pair.smooth], ids=repr)
def test_smoothed(pair):
    envelope = pair.smoothed(0.2)
    assert envelope.smooth
    assert envelope.quadratic_pieces
    assert envelope.convex == pair.convex
    y, z = draw(pair, seed=13)
    below, above = envelope.derivatives(y, z, 0)[0], pair.derivatives(y, z, 0)[0]
    assert (below <= above + 1e-12).all()
    assert (above <= below + 0.1 + 1e-12).all()
    assert (above > below + 1e-3).any()
    slope = envelope.derivatives(y, z, 1)[1]
    numeric = central(lambda t: envelope.derivatives(y, t, 0)[0], z, 1e-6)
    away = np.abs(z) > 1e-3
    assert_allclose(slope[away], numeric[away], rtol=1e-4, atol=1e-4)
    bias = envelope.null_bias(y, None)
    here = envelope.sums(y, np.broadcast_to(bias, y.shape), None, 0)[0]
    for step in (-0.05, 0.05):
        there = envelope.sums(y, np.broadcast_to(bias + step, y.shape), None, 0)[0]
        assert (here <= there + 1e-9).all()


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
        level = lambda z: mp.log1p(mp.exp(z))  # noqa: E731
        return lambda z: level(z) - y * mp.log(level(z))
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
    log_tail = lambda t: mp.log(mp.erfc(t / mp.sqrt(2)) / 2)  # noqa: E731
    hazard = lambda t: mp.exp(-t * t / 2 - log_tail(t)) / mp.sqrt(2 * mp.pi)  # noqa: E731
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


@pytest.mark.parametrize("pair", ELEMENTWISE, ids=repr)
def test_no_warning_far_out_in_either_dtype(pair):
    rng = np.random.default_rng(16)
    for dtype in (np.float64, np.float32):
        z = np.repeat(FAR, 20)[:, None].astype(dtype)
        y = targets(pair, z.shape, rng).astype(dtype)
        for gauss_newton in (False, True):
            terms, slope, curvature = pair.derivatives(y, z, 2, gauss_newton)
        pair.sums(y, z, None, 2)
        pair.level(z)
        pair.probability(z)
        if pair in CLOSED and dtype == np.float64:
            assert not any(np.isnan(part).any() for part in (terms, slope, curvature))


def test_a_step_far_too_long_gives_infinity_without_a_warning():
    z, y = np.array([[1e200, -1e200]]), np.array([[-1.0, 1.0]])
    for loss in ("squared_error", "squared_hinge"):
        pair = make_pair("identity", loss, classifier=loss == "squared_hinge")
        assert np.isinf(pair.derivatives(y, z, 2)[0]).all()


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
