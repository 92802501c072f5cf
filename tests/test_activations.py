"""Every activation of the table against finite differences, mpmath and its own description."""

import pickle

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sknneuron.activations import (
    ACTIVATIONS,
    ALIASES,
    FLAT,
    LeakyReLU,
    Sigmoid,
    Softmax,
    Tanh,
    get_activation,
)

ALL = [*(cls() for cls in ACTIVATIONS.values()), LeakyReLU(0.3)]
ELEMENTWISE = [f for f in ALL if not f.coupled]
FAR = np.array([-1e3, -700.0, -100.0, -30.0, -8.0, -1.0, 0.5, 3.0, 30.0, 100.0, 700.0, 1e3])


def logistic(z):
    return 1 / (1 + mp.exp(-z))


EXACT = {
    "identity": lambda z: z,
    "sigmoid": logistic,
    "tanh": mp.tanh,
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z * mp.mpf(0.01),
    "elu": lambda z: z if z > 0 else mp.expm1(z),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "gelu": lambda z: z * mp.ncdf(z),
    "silu": lambda z: z * logistic(z),
    "softsign": lambda z: z / (1 + abs(z)),
    "exp": mp.exp,
    "probit": mp.ncdf,
    "cloglog": lambda z: -mp.expm1(-mp.exp(z)),
}


def draw(f, n=400, seed=0, scale=3.0):
    """Points away from the kinks, where one-sided differences would meet."""
    z = np.random.default_rng(seed).normal(scale=scale, size=n)
    for kink in f.kinks + ((0.0,) if f.name in ("elu", "softsign") else ()):
        z = z[np.abs(z - kink) > 1e-2]
    return z


def central(function, z, h):
    """Central differences of fourth order."""
    return (
        8 * (function(z + h) - function(z - h)) - (function(z + 2 * h) - function(z - 2 * h))
    ) / (12 * h)


def as_float(value):
    return (
        float(value) if abs(value) < mp.mpf(np.finfo(float).max) else float(mp.sign(value) * mp.inf)
    )


def test_the_table_has_every_name_and_each_is_checked_against_mpmath():
    assert set(ACTIVATIONS) == {*EXACT, "softmax"}
    assert all(cls.name == name for name, cls in ACTIVATIONS.items())


@pytest.mark.parametrize("f", ELEMENTWISE, ids=repr)
class TestElementwise:
    def test_derivatives_are_finite_differences(self, f):
        z = draw(f)
        assert_allclose(f.derivative(z), central(f, z, 1e-3), rtol=1e-8, atol=1e-10)
        assert_allclose(
            f.second_derivative(z), central(f.derivative, z, 1e-3), rtol=1e-8, atol=1e-9
        )

    def test_level_and_derivative_at_once(self, f):
        z = draw(f)
        for found, expected in zip(f.with_derivative(z), (f(z), f.derivative(z)), strict=True):
            assert_allclose(found, expected, rtol=1e-8, atol=1e-15)
        bent = f(z), f.derivative(z), f.second_derivative(z)
        for found, expected in zip(f.with_derivatives(z), bent, strict=True):
            assert_allclose(found, expected, rtol=1e-8, atol=1e-15)

    def test_float32_is_kept_and_agrees_with_float64(self, f):
        z = draw(f, seed=1).astype(np.float32)
        wide = z.astype(np.float64)
        for method in (f, f.derivative, f.second_derivative):
            value = method(z)
            assert value.dtype == np.float32
            assert method(wide).dtype == np.float64
            assert_allclose(value, method(wide), rtol=2e-4, atol=1e-6)

    def test_level_and_slopes_at_once_in_float32(self, f):
        z = np.concatenate([draw(f, seed=4), np.linspace(-120, 60, 2000)]).astype(np.float32)
        wide = f.with_derivatives(z.astype(np.float64))
        assert np.array_equal(f.with_derivative(z), f.with_derivatives(z)[:2])
        for found, expected in zip(f.with_derivatives(z), wide, strict=True):
            assert found.dtype == np.float32
            # Far out curvatures of silu and softsign are differences.
            assert_allclose(found, expected, rtol=2e-5, atol=1e-6)

    def test_keeps_shape_and_does_not_write_into_its_input(self, f):
        z = draw(f, seed=2)[:300].reshape(-1, 3)
        before = z.copy()
        for method in (f, f.derivative, f.second_derivative, f.is_flat, f.inverse):
            assert method(z).shape == z.shape
        assert_array_equal(z, before)

    def test_takes_numbers(self, f):
        z = np.array([0.7])
        for method in (f, f.derivative, f.second_derivative):
            assert float(method(0.7)) == pytest.approx(method(z)[0], rel=1e-15)

    def test_levels_stay_in_the_range(self, f):
        low, high = f.range
        a = f(np.concatenate([FAR, draw(f, seed=3, scale=30.0)]))
        assert not np.isnan(a).any()
        # Minima of gelu and silu are known to the last digit but one.
        assert a.min() >= low - 1e-15
        assert a.max() <= high

    def test_the_range_is_reached_for(self, f):
        z = np.concatenate([[-1e7, 1e7], np.linspace(-3, 3, 60001)])
        a = f(z)
        for limit, reached in zip(f.range, (a.min(), a.max()), strict=True):
            if np.isinf(limit):
                assert abs(reached) > 1e4
            else:
                assert reached == pytest.approx(limit, abs=2e-7)

    def test_attains_low(self, f):
        # What matters to a loss like log: whether the infimum is met at a moderate z.
        a = f(np.linspace(-3, 3, 60001))
        assert bool(np.any(np.abs(a - f.range[0]) < 1e-9)) == f.attains_low

    def test_monotone(self, f):
        rising = np.diff(f(np.linspace(-5, 5, 1001))) >= 0
        assert bool(rising.all()) == f.monotone

    def test_kinks_are_where_the_derivative_jumps(self, f):
        z = np.linspace(-5, 5, 1001)
        jump = np.abs(f.derivative(z + 1e-9) - f.derivative(z - 1e-9))
        assert_allclose(z[jump > 1e-3], f.kinks, atol=1e-12)

    def test_inverse_round_trip(self, f):
        low, high = f.range
        z = np.linspace(-4, 4, 201)
        if not f.monotone:
            z = z[z > f._lowest_z + 0.05]
        a = f(z)
        inside = (a > low + 1e-8) & (a < high - 1e-8)
        assert inside.sum() > 90
        a, z = a[inside], z[inside]
        assert_allclose(f(f.inverse(a)), a, rtol=1e-9, atol=1e-11)
        assert_allclose(f.inverse(a), z, rtol=1e-6, atol=1e-9)

    def test_inverse_of_levels_out_of_range_is_finite_and_near_the_limit(self, f):
        a = np.array([-5.0, 0.0, 1.0, 5.0])
        before = a.copy()
        z = f.inverse(a)
        assert np.isfinite(z).all()
        assert (np.diff(z) >= 0).all()
        assert_allclose(f(z), np.clip(a, *f.range), atol=1e-8)
        assert_array_equal(a, before)

    def test_steepest_is_the_largest_slope(self, f):
        slope = np.abs(f.derivative(np.linspace(-12, 12, 240001)))
        # Of exp, which has no steepest place, nothing is claimed but that it is never flat.
        assert slope.max() == pytest.approx(f.steepest, rel=1e-4) or f.name == "exp"

    def test_is_flat_where_the_slope_has_gone(self, f):
        z = np.concatenate([FAR, draw(f, seed=4, scale=5.0)])
        flat = f.is_flat(z)
        assert flat.dtype == bool
        if f.flat is None:
            assert not flat.any()
            return
        assert (np.abs(f.derivative(z[flat])) < FLAT * f.steepest).all()
        assert_array_equal(flat, (z <= f.responsive[0]) | (z >= f.responsive[1]))
        assert flat[0]
        assert flat[len(FAR) - 1] == (f.flat == "saturated")
        assert f.flat == ("saturated" if np.isfinite(f.range).all() else "dead")

    def test_responsive_ends_where_a_hundredth_of_the_slope_is_left(self, f):
        ends = np.array([end for end in f.responsive if np.isfinite(end)])
        assert len(ends) == {None: 0, "dead": 1, "saturated": 2}[f.flat]
        if f.name == "relu":
            assert_array_equal(ends, f.kinks)
            return
        assert_allclose(np.abs(f.derivative(ends)), FLAT * f.steepest, rtol=1e-3)

    def test_no_nan_and_no_warning_far_out(self, f):
        for dtype in (np.float64, np.float32):
            z = FAR.astype(dtype)
            for method in (f, f.derivative, f.second_derivative):
                assert not np.isnan(method(z)).any()


@pytest.mark.parametrize("f", [f for f in ELEMENTWISE if f == ACTIVATIONS[f.name]()], ids=repr)
def test_right_far_out(f):
    exact = EXACT[f.name]
    with mp.workdps(900):
        levels = [as_float(exact(mp.mpf(z))) for z in FAR]
    assert_allclose(f(FAR), levels, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("f", [f for f in ELEMENTWISE if f == ACTIVATIONS[f.name]()], ids=repr)
def test_derivatives_right_in_the_tails(f):
    exact, z = EXACT[f.name], FAR[np.abs(FAR) <= 30]
    with mp.workdps(450):
        h = mp.mpf(10) ** -40
        first = [(exact(mp.mpf(x) + h) - exact(mp.mpf(x) - h)) / (2 * h) for x in z]
        second = [
            (exact(mp.mpf(x) + h) - 2 * exact(mp.mpf(x)) + exact(mp.mpf(x) - h)) / h**2 for x in z
        ]
        first, second = (np.array([as_float(v) for v in values]) for values in (first, second))
    assert_allclose(f.derivative(z), first, rtol=1e-11, atol=1e-300)
    assert_allclose(f.second_derivative(z), second, rtol=1e-11, atol=1e-60)


@pytest.mark.parametrize("name", sorted(n for n, f in ACTIVATIONS.items() if f.quicker_in_single))
def test_level_and_slope_that_are_quicker_in_float32_are_off_by_its_rounding(name):
    f = get_activation(name)
    z = np.concatenate([draw(f, 4000, seed=5), FAR]).astype(np.float32)
    level, slope = f.with_derivative(z.astype(np.float64))
    off = [np.abs(a - b) for a, b in zip(f.with_derivative(z), (level, slope), strict=True)]
    eps = float(np.finfo(np.float32).eps)
    assert np.all(off[0] <= 2 * eps * np.maximum(1, np.abs(z)))
    assert np.all(off[1] <= 4 * eps)


def test_softplus_in_float32_keeps_the_digits_of_small_levels():
    z = np.linspace(-87, 20, 5000, dtype=np.float32)
    f = get_activation("softplus")
    exact = f(z.astype(np.float64))
    for level in (f(z), f.with_derivative(z)[0]):
        assert np.all(np.abs(level - exact) <= 4 * np.spacing(exact.astype(np.float32)))


def test_a_subclass_with_a_level_of_its_own_does_not_inherit_the_pair():
    class Doubled(Sigmoid):
        def __call__(self, z):
            return 2 * super().__call__(z)

        def derivative(self, z):
            return 2 * super().derivative(z)

    z = np.linspace(-3, 3, 7)
    for at_once in (Doubled().with_derivative(z), Doubled().with_derivatives(z)[:2]):
        level, slope = at_once
        assert_allclose(level, 2 * Sigmoid()(z), rtol=1e-14)
        assert_allclose(slope, 2 * Sigmoid().derivative(z), rtol=1e-14)


def test_a_subclass_with_a_curvature_of_its_own_keeps_it():
    class Bent(Tanh):
        def second_derivative(self, z):
            return 3 * super().second_derivative(z)

    z = np.linspace(-3, 3, 7)
    assert_allclose(Bent().with_derivatives(z)[2], 3 * Tanh().second_derivative(z), rtol=1e-14)


def test_identity_and_relu_have_their_own_dead_zones():
    relu = get_activation("relu")
    assert_array_equal(relu.is_flat(np.array([-1.0, 0.0, 1e-9])), [True, True, False])
    assert not get_activation("leaky_relu").is_flat(np.array([-1e3])).any()


class TestSoftmax:
    f = Softmax()

    def test_rows_are_distributions_far_out_too(self):
        z = np.random.default_rng(0).normal(scale=500.0, size=(50, 4))
        z[0] = [1e3, -1e3, 1e3, 0.0]
        before = z.copy()
        a = self.f(z)
        assert_allclose(a.sum(axis=1), 1, rtol=1e-14)
        assert_allclose(a[0], [0.5, 0, 0.5, 0])
        assert_array_equal(z, before)

    def test_derivatives_are_those_in_the_own_z(self):
        z = np.random.default_rng(1).normal(size=(30, 3))
        for k in range(3):

            def shifted(step, k=k):
                moved = z.copy()
                moved[:, k] += step
                return moved

            first = central(lambda h, k=k: self.f(shifted(h))[:, k], 0.0, 1e-3)
            second = central(lambda h, k=k: self.f.derivative(shifted(h))[:, k], 0.0, 1e-3)
            assert_allclose(self.f.derivative(z)[:, k], first, rtol=1e-8)
            assert_allclose(self.f.second_derivative(z)[:, k], second, rtol=1e-7, atol=1e-10)

    def test_float32_is_kept(self):
        z = np.random.default_rng(2).normal(size=(5, 3)).astype(np.float32)
        for method in (self.f, self.f.derivative, self.f.second_derivative):
            assert method(z).dtype == np.float32

    def test_inverse_is_centred_and_finite(self):
        a = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
        z = self.f.inverse(a)
        assert_allclose(z.sum(axis=1), 0, atol=1e-12)
        assert_allclose(self.f(z), a, atol=1e-14)


@pytest.mark.parametrize("f", ALL, ids=repr)
class TestParameters:
    def test_copies_are_equal(self, f):
        copies = [
            clone(f),
            pickle.loads(pickle.dumps(f)),
            eval(repr(f), {type(f).__name__: type(f)}),
            type(f)(**f.get_params()),
        ]
        for copy in copies:
            assert copy is not f
            assert copy == f
            assert hash(copy) == hash(f)
            assert_array_equal(copy(np.array([[-2.0, 1.0]])), f(np.array([[-2.0, 1.0]])))

    def test_skops_trusts_the_name_of_the_class(self, f):
        io = pytest.importorskip("skops.io")
        dumped = io.dumps(f)
        names = io.get_untrusted_types(data=dumped)
        assert names == [f"sknneuron.activations.{type(f).__name__}"]
        assert io.loads(dumped, trusted=names) == f

    def test_a_name_that_is_no_parameter(self, f):
        with pytest.raises(ValueError, match=f"{type(f).__name__} has no parameter 'gain'"):
            f.set_params(gain=1)


def test_equality_looks_at_type_and_parameters():
    assert LeakyReLU(0.1) != LeakyReLU(0.2)
    assert LeakyReLU() != get_activation("relu")
    assert LeakyReLU().set_params(negative_slope=0.2) == LeakyReLU(0.2)
    assert LeakyReLU() != "leaky_relu"
    assert repr(LeakyReLU(0.1)) == "LeakyReLU(negative_slope=0.1)"
    assert len({LeakyReLU(0.1), LeakyReLU(0.1), LeakyReLU(0.2)}) == 2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_get_activation_by_name(name):
    f = get_activation(name)
    assert type(f) is ACTIVATIONS[name]
    assert get_activation(f) is f


def test_get_activation_by_alias():
    assert all(type(get_activation(alias)) is ACTIVATIONS[name] for alias, name in ALIASES.items())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("sigmoidd", "Did you mean 'sigmoid'?"), ("logistik", "Did you mean 'logistic'?")],
)
def test_get_activation_suggests(wrong, hint):
    with pytest.raises(ValueError, match="one of") as error:
        get_activation(wrong)
    assert hint in str(error.value)
    assert repr(wrong) in str(error.value)


@pytest.mark.parametrize("wrong", [3, None, ["relu"], LeakyReLU, "zzz"], ids=repr)
def test_get_activation_refuses_what_is_none(wrong):
    with pytest.raises(ValueError, match="must be an Activation instance or one of") as error:
        get_activation(wrong)
    assert "'relu'" in str(error.value)
    assert f"Got {wrong!r} instead." in str(error.value)


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.1, np.nan])
def test_leaky_slopes_out_of_range_are_refused(slope):
    leaky = LeakyReLU(slope)
    for method in (leaky, leaky.derivative, leaky.inverse):
        with pytest.raises(ValueError, match=r"negative_slope must lie in \(0, 1\), got"):
            method(np.ones(1))


def test_a_leaky_slope_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="negative_slope must be a number, got 'a'"):
        LeakyReLU("a")(np.ones(1))
