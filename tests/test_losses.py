"""Every loss of the table against finite differences, scikit-learn's metrics and minimisation."""

import gc
import pickle
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn import metrics
from sklearn.base import clone

from sknneuron.losses import (
    LOSSES,
    ROWS_AT_ONCE,
    Huber,
    Quantile,
    SquaredError,
    Tweedie,
    get_loss,
)

ALL = [
    *(cls() for cls in LOSSES.values()),
    Quantile(0.9),
    Huber(0.3),
    Tweedie(0.0),
    Tweedie(1.0),
    Tweedie(1.9),
    Tweedie(2.0),
    Tweedie(3.0),
]
KINKED = [loss for loss in ALL if not loss.smooth]
WIDTHS = [1e-6, 0.2, 3.0]
EVERY = [*ALL, *(loss.smoothed(0.2) for loss in KINKED)]
CONVEX = {"squared_error", "absolute_error", "huber", "quantile", "log_loss", "hinge"} | {
    "squared_hinge",
    "poisson",
}


def draw(loss, n=300, k=2, seed=0):
    """Targets and levels in the ranges the loss asks for."""
    rng = np.random.default_rng(seed)
    shape = (n, k)
    if loss.margin:
        return rng.choice([-1.0, 1.0], shape), rng.normal(scale=2, size=shape)
    low, high = loss.level_range
    if high == 1:
        return rng.choice([0.0, 0.3, 1.0], shape), rng.uniform(0.02, 0.98, shape)
    if low == 0:
        y = rng.gamma(2.0, size=shape)
        if loss.target_range[2]:
            y[rng.random(shape) < 0.3] = 0
        return y, rng.gamma(2.0, size=shape) + 0.05
    return rng.normal(scale=2, size=shape), rng.normal(scale=2, size=shape)


def away_from_pieces(loss, y, a, margin=0.02):
    """Rows where neither slope nor curvature jumps nearby."""
    far = np.abs(a - y) > margin
    if isinstance(loss, Huber):
        far &= np.abs(np.abs(a - y) - loss.delta) > margin
    if loss.margin:
        far &= np.abs(1 - y * a) > margin
    for edge in (0.2 * limit for limit in (-1, -0.9, -0.5, 0.1, 0.5, 1)):
        far &= np.abs(a - y - edge) > margin
        if loss.margin:
            far &= np.abs(1 - y * a - edge) > margin
    return y[far], a[far]


def central(function, a, h):
    return (
        8 * (function(a + h) - function(a - h)) - (function(a + 2 * h) - function(a - 2 * h))
    ) / (12 * h)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
class TestEvery:
    def test_derivatives_are_finite_differences(self, loss):
        y, a = away_from_pieces(loss, *draw(loss))
        assert len(a) > 100
        h = 1e-4
        assert_allclose(
            loss.derivative(y, a), central(lambda t: loss(y, t), a, h), rtol=1e-6, atol=1e-8
        )
        assert_allclose(
            loss.second_derivative(y, a),
            central(lambda t: loss.derivative(y, t), a, h),
            rtol=1e-5,
            atol=1e-7,
        )

    def test_loss_and_derivative_at_once(self, loss):
        y, a = draw(loss)
        for found, expected in zip(
            loss.with_derivative(y, a), (loss(y, a), loss.derivative(y, a)), strict=True
        ):
            assert_allclose(found, expected, rtol=1e-15)
        total, slope = loss.sum_with_derivative(y, a)
        assert_allclose(total, loss(y, a).sum(axis=0), rtol=1e-12)
        assert_allclose(slope, loss.derivative(y, a), rtol=1e-15)

    def test_float32_is_kept_and_agrees_with_float64(self, loss):
        y, a = away_from_pieces(loss, *draw(loss, seed=1))
        y, a = y.astype(np.float32), a.astype(np.float32)
        wide = y.astype(np.float64), a.astype(np.float64)
        for method in (loss, loss.derivative, loss.second_derivative):
            value = method(y, a)
            assert value.dtype == np.float32
            assert method(*wide).dtype == np.float64
            assert_allclose(value, method(*wide), rtol=1e-3, atol=1e-5)

    def test_keeps_shape_and_does_not_write_into_its_inputs(self, loss):
        y, a = draw(loss, seed=2)
        weight = np.random.default_rng(2).uniform(0.1, 1, len(y))
        before = y.copy(), a.copy(), weight.copy()
        for method in (loss, loss.derivative, loss.second_derivative):
            assert method(y, a).shape == a.shape
        assert loss.optimal_level(y, weight).shape == (2,)
        assert loss.dispersion(y, a, weight).shape == (2,)
        for now, then in zip((y, a, weight), before, strict=True):
            assert_array_equal(now, then)

    def test_the_derivative_at_a_kink_is_a_subgradient(self, loss):
        y = draw(loss, seed=3)[0][:, :1]
        a = np.where(y == 0, 1.0, y) if loss.level_range == (0, np.inf) else y
        if loss.level_range == (0, 1):
            a = np.clip(y, 0.1, 0.9)
        g = loss.derivative(y, a)
        for step in (-1e-3, 1e-3):
            assert (loss(y, a + step) >= loss(y, a) + g * step - 1e-3 * step**2 - 2e-3**2).all()

    def test_optimal_level_has_the_least_loss(self, loss):
        y, _ = draw(loss, n=101, seed=4)
        rng = np.random.default_rng(4)
        for weight in (None, rng.uniform(0, 2, len(y)), rng.integers(0, 3, len(y)) * 1.0):
            level = loss.optimal_level(y, weight)
            assert level.shape == (2,)
            for column, at in zip(y.T, level, strict=True):
                low, high = loss.level_range

                def cost(a, column=column, weight=weight):
                    return np.average(loss(column, np.full_like(column, a)), weights=weight)

                assert low < at < high
                best = minimize_scalar(
                    cost,
                    bounds=(max(low + 1e-9, -12), min(high - 1e-9, 12)),
                    method="bounded",
                    options={"xatol": 1e-10},
                )
                assert cost(at) <= best.fun + 1e-12
                if loss.smooth and not loss.margin:
                    assert at == pytest.approx(best.x, rel=1e-3, abs=1e-3)

    def test_integer_weights_repeat_rows(self, loss):
        y, _ = draw(loss, n=60, seed=5)
        times = np.random.default_rng(5).integers(0, 4, len(y))
        repeated = loss.optimal_level(np.repeat(y, times, axis=0))
        assert_allclose(loss.optimal_level(y, times * 1.0), repeated, rtol=1e-9, atol=1e-12)

    def test_smooth_losses_are_their_own_envelope(self, loss):
        has_envelope = not loss.smooth or isinstance(loss, Huber)
        assert (loss.smoothed(0.3) is loss) != has_envelope


@pytest.mark.parametrize("delta", [0.1, 1.0])
@pytest.mark.parametrize("width", [0.3, 5.0])
def test_hubers_envelope_is_the_least_of_loss_and_distance(width, delta):
    loss, levels = Huber(delta), np.linspace(-8, 8, 16001)
    z = np.linspace(-3, 3, 61)
    least = (loss(0.0, levels)[:, None] + (levels[:, None] - z) ** 2 / (2 * width)).min(axis=0)
    envelope = loss.smoothed(width)
    assert_allclose(envelope(0.0, z), least, atol=1e-6)
    step = 1e-6
    slope = (envelope(0.0, z + step) - envelope(0.0, z - step)) / (2 * step)
    assert_allclose(envelope.derivative(0.0, z), slope, atol=1e-6)


@pytest.mark.parametrize("loss", [loss for loss in ALL if loss.name in CONVEX], ids=repr)
def test_convex_losses_have_no_negative_curvature(loss):
    y, a = draw(loss, seed=6)
    assert (loss.second_derivative(y, a) >= 0).all()
    assert (loss.derivative(y, a + 0.01) >= loss.derivative(y, a) - 1e-12).all()


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_quadratic_pieces_are_where_the_curvature_jumps(loss):
    y = np.zeros(4001) if loss.level_range[1] != 1 and not loss.margin else np.ones(4001)
    y = y + 0.5 if loss.level_range == (0, np.inf) else y
    low, high = loss.level_range
    a = np.linspace(max(low, -5) + 0.1, min(high, 5) - 0.1, 4001)
    second = loss.second_derivative(y, a)
    jumps = np.abs(np.diff(second)) > 0.25 * np.abs(second).max() + 1e-300
    assert bool(jumps.any()) == loss.quadratic_pieces


DEVIANCES = {
    "squared_error": metrics.mean_squared_error,
    "poisson": metrics.mean_poisson_deviance,
    "gamma": metrics.mean_gamma_deviance,
}


@pytest.mark.parametrize("name", DEVIANCES)
def test_half_of_scikit_learns_deviance_up_to_what_depends_on_y(name):
    loss = get_loss(name)
    y, a = (part[:, 0] for part in draw(loss, seed=7))
    least = y if name == "squared_error" else np.maximum(y, 1e-300)
    excess = loss(y, a) - loss(y, least)
    assert 2 * excess.mean() == pytest.approx(DEVIANCES[name](y, a), rel=1e-12)


@pytest.mark.parametrize("power", [1.0, 1.2, 1.5, 1.9, 2.0, 3.0])
def test_tweedie_is_half_of_scikit_learns_deviance(power):
    loss = Tweedie(power)
    y, a = (part[:, 0] for part in draw(loss, seed=8))
    excess = loss(y, a) - loss(y, np.maximum(y, 1e-300))
    expected = metrics.mean_tweedie_deviance(y, a, power=power)
    assert 2 * excess.mean() == pytest.approx(expected, rel=1e-11)


def test_tweedie_of_power_zero_is_the_squared_error_up_to_what_depends_on_y():
    y, a = draw(Tweedie(0.0), seed=9)
    assert_allclose(Tweedie(0.0)(y, a) + y**2 / 2, (y - a) ** 2 / 2, rtol=1e-12, atol=1e-12)


def test_pinball_absolute_log_and_hinge_are_scikit_learns():
    y, a = (part[:, 0] for part in draw(Quantile(), seed=10))
    assert Quantile(0.8)(y, a).mean() == pytest.approx(metrics.mean_pinball_loss(y, a, alpha=0.8))
    assert get_loss("absolute_error")(y, a).mean() == pytest.approx(
        metrics.mean_absolute_error(y, a)
    )
    signs, z = (part[:, 0] for part in draw(get_loss("hinge"), seed=11))
    assert get_loss("hinge")(signs, z).mean() == pytest.approx(metrics.hinge_loss(signs, z))
    assert_allclose(get_loss("squared_hinge")(signs, z), get_loss("hinge")(signs, z) ** 2)
    classes = (signs + 1) / 2
    p = np.random.default_rng(11).uniform(0.01, 0.99, len(z))
    assert get_loss("log_loss")(classes, p).mean() == pytest.approx(metrics.log_loss(classes, p))


def test_a_dispersion_about_a_level_that_has_underflown_says_nothing():
    y, level = np.array([[0.5], [2.0]]), np.array([[0.0], [1.0]])
    assert_allclose(Tweedie(-1.0).dispersion(y, level), 0.5)


def test_dispersions_by_hand():
    y = np.array([[1.0], [2.0], [4.0]])
    a = np.array([[2.0], [2.0], [2.0]])
    weight = np.array([1.0, 1.0, 2.0])
    expected = {
        "squared_error": (1 + 0 + 8) / 4,
        "absolute_error": (1 + 0 + 4) / 4,
        "quantile": (0.5 + 0 + 2) / 4,
        "huber": (0.5 + 0 + 2 * 1.35 * (2 - 0.675)) / 4,
        "gamma": (1 / 4 + 0 + 2) / 4,
        "tweedie": (1 + 0 + 8) / 2**1.5 / 4,
    }
    for name in LOSSES:
        found = get_loss(name).dispersion(y, a, weight)
        assert_allclose(found, [expected.get(name, 1.0)], rtol=1e-14, err_msg=name)
    assert_allclose(get_loss("gamma").dispersion(y, a), [1.25 / 3])


def test_a_subclass_with_a_loss_of_its_own_does_not_inherit_the_pair():
    class DoubledError(SquaredError):
        def __call__(self, y, a):
            return 2 * super().__call__(y, a)

        def derivative(self, y, a):
            return 2 * super().derivative(y, a)

    assert DoubledError().with_derivative(1.0, 3.0) == (4.0, 4.0)
    (total,), _ = DoubledError().sum_with_derivative(np.ones((2, 1)), np.full((2, 1), 3.0))
    assert total == 8.0


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_levels_have_ends_where_their_interval_does(loss):
    assert loss.has_ends == bool(np.any(np.isfinite(loss.level_range)))


def test_target_ranges():
    assert get_loss("poisson").target_range == (0, np.inf, True, False)
    assert get_loss("gamma").target_range == (0, np.inf, False, False)
    assert get_loss("log_loss").target_range == (0, 1, True, True)
    assert Tweedie(1.5).target_range == (0, np.inf, True, False)
    assert Tweedie(2.0).target_range == (0, np.inf, False, False)
    assert Tweedie(0.0).target_range == (-np.inf, np.inf, False, False)
    assert get_loss("huber").target_range == (-np.inf, np.inf, False, False)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("loss", KINKED, ids=repr)
class TestSmoothed:
    def test_below_the_loss_and_close_to_it(self, loss, width):
        y, a = draw(loss, seed=12)
        a[:50] = y[:50] + width * np.random.default_rng(12).normal(size=(50, 2))
        gap = loss(y, a) - loss.smoothed(width)(y, a)
        steepest = np.abs(loss.derivative(y, a)).max()
        assert gap.min() >= -1e-12
        assert gap.max() <= 0.5 * width * steepest**2 + 1e-12

    def test_is_the_least_over_the_prox(self, loss, width):
        y, a = (part[:12] for part in draw(loss, k=1, seed=13))
        a[::2] = y[::2] + width * np.linspace(-1.5, 1.5, len(a[::2]))[:, None]
        envelope = loss.smoothed(width)
        for target, level in zip(y[:, 0], a[:, 0], strict=True):
            # In units of the width, which may be far below the digits of the level.
            found = minimize_scalar(
                lambda v, target=target, level=level: (
                    loss(target, level + width * v) / width + v * v / 2
                ),
                bounds=(-3, 3),
                method="bounded",
                options={"xatol": 1e-9},
            )
            value = float(envelope(target, level)) / width
            assert value == pytest.approx(found.fun, rel=1e-6, abs=1e-6)
            slope = float(envelope.derivative(target, level))
            assert -slope == pytest.approx(found.x, abs=1e-4)

    def test_the_slope_is_continuous_and_bounded_by_the_losses(self, loss, width):
        y = np.ones(20001)
        a = np.linspace(-4, 4, 20001)
        slope = loss.smoothed(width).derivative(y, a)
        steepest = np.ptp(loss.derivative(y, a))
        assert slope.min() >= loss.derivative(y, a).min() - 1e-15
        assert slope.max() <= loss.derivative(y, a).max() + 1e-15
        assert np.diff(slope).min() >= 0
        assert np.diff(slope).max() <= min(steepest, 8 / 20000 / width) + 1e-9

    def test_the_same_far_from_the_kink_up_to_a_constant(self, loss, width):
        y, a = np.ones(2), np.array([-60.0, 60.0])
        assert_allclose(loss.smoothed(width).derivative(y, a), loss.derivative(y, a))


@pytest.mark.parametrize("loss", ALL, ids=repr)
class TestParameters:
    def test_copies_are_equal(self, loss):
        for copy in (
            clone(loss),
            pickle.loads(pickle.dumps(loss)),
            eval(repr(loss), {type(loss).__name__: type(loss)}),
            type(loss)(**loss.get_params()),
        ):
            assert copy is not loss
            assert copy == loss
            assert hash(copy) == hash(loss)

    def test_skops_trusts_the_name_of_the_class(self, loss):
        io = pytest.importorskip("skops.io")
        dumped = io.dumps(loss)
        names = io.get_untrusted_types(data=dumped)
        assert names == [f"sknneuron.losses.{type(loss).__name__}"]
        assert io.loads(dumped, trusted=names) == loss

    def test_a_name_that_is_no_parameter(self, loss):
        with pytest.raises(ValueError, match="has no parameter 'gain'"):
            loss.set_params(gain=1)


def test_the_table():
    assert all(cls.name == name for name, cls in LOSSES.items())
    assert len(LOSSES) == 10
    assert Quantile(0.2) != Quantile(0.3)
    assert Quantile() != get_loss("absolute_error")
    assert Quantile().set_params(quantile=0.3) == Quantile(0.3)


def test_parameters_of_a_loss_go_through_an_estimator():
    from sknneuron import NeuronRegressor

    estimator = NeuronRegressor(loss=Quantile(0.2))
    copy = clone(estimator).set_params(loss__quantile=0.7)
    assert copy.loss == Quantile(0.7)
    assert estimator.loss == Quantile(0.2)
    assert clone(copy).get_params()["loss__quantile"] == 0.7


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Quantile(0.0), "quantile must lie in \\(0, 1\\), got 0.0"),
        (Quantile(1.0), "quantile must lie in \\(0, 1\\), got 1.0"),
        (Quantile(np.nan), "quantile must lie in"),
        (Huber(0.0), "delta must be positive, got 0.0"),
        (Huber(np.nan), "delta must be positive"),
        (Tweedie(0.5), "power must be at most 0 or at least 1, got 0.5"),
        (Tweedie(np.inf), "power must be at most 0 or at least 1, got inf"),
        (Tweedie(np.nan), "power must be"),
    ],
    ids=repr,
)
def test_parameters_out_of_range_are_refused(loss, message):
    one = np.ones((1, 1))
    for method in (loss, loss.derivative):
        with pytest.raises(ValueError, match=message):
            method(one, one)


@pytest.mark.parametrize("cls", [Quantile, Huber, Tweedie])
@pytest.mark.parametrize("value", ["a", None])
def test_parameters_that_are_no_numbers_are_refused(cls, value):
    one = np.ones((1, 1))
    (name,) = cls().get_params()
    with pytest.raises(TypeError, match=f"{name} must be a number, got {value!r}"):
        cls(value)(one, one)


@pytest.mark.parametrize("name", LOSSES)
def test_get_loss_by_name(name):
    loss = get_loss(name)
    assert type(loss) is LOSSES[name]
    assert get_loss(loss) is loss


@pytest.mark.parametrize("wrong", ["poison", "squared_eror", 3, None, ["huber"]], ids=repr)
def test_get_loss_refuses(wrong):
    with pytest.raises(ValueError, match="must be a Loss instance or one of") as error:
        get_loss(wrong)
    assert f"Got {wrong!r} instead." in str(error.value)
    suggested = (
        {"poison": "'poisson'", "squared_eror": "'squared_error'"}.get(wrong, "")
        if (isinstance(wrong, str))
        else ""
    )
    assert suggested in str(error.value).split("instead.")[1]


def test_no_rows_stay_with_what_looked_for_a_level():
    """scipy keeps a function that it was given in a ring, which only garbage collection opens."""
    y = np.where(np.random.default_rng(0).random((1000, 1)) < 0.3, 1.0, -1.0)
    still_there = weakref.ref(y)
    gc.disable()
    try:
        get_loss("hinge").smoothed(0.5).optimal_level(y)
        del y
        assert still_there() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.77])
def test_the_best_level_is_a_quantile(quantile):
    y = np.random.default_rng(0).standard_normal((1001, 2))
    loss = Quantile(quantile)
    expected = np.quantile(y, quantile, axis=0, method="inverted_cdf")
    assert_array_equal(loss.optimal_level(y), expected)
    assert_array_equal(loss.optimal_level(y, np.ones(1001)), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_level_of_many_rows_has_no_slope(weighted):
    rng = np.random.default_rng(0)
    y, loss = rng.standard_t(3, (2 * ROWS_AT_ONCE + 1000, 1)), get_loss("huber")
    weight = rng.random(len(y)) if weighted else None
    level = loss.optimal_level(y, weight)
    slope = np.average(loss.derivative(y, level), axis=0, weights=weight)
    assert abs(slope) < 1e-12
