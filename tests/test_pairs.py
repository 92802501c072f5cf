"""Every pair against finite differences, and what it says of itself."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from sknneuron.losses import Huber, Tweedie
from sknneuron.pairing import make_pair

from .every_pair import (
    ALL,
    CLASSIFIERS,
    CLOSED,
    ELEMENTWISE,
    FAR,
    central,
    draw,
    loss_in_z,
    targets,
)


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
                    assert_allclose(plain[at], part, rtol=1e-14, atol=5e-16 if at == 1 else 0)
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
