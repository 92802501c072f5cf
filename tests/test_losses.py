"""Every loss of the table: derivatives, best constant level, envelopes."""

import pickle

import numpy as np
import pytest
from scipy import optimize
from sklearn.base import clone

from sknneuron import NeuronRegressor
from sknneuron.losses import LOSSES, Huber, Loss, Quantile, Tweedie, get_loss

RNG = np.random.default_rng(0)
VARIANTS = [cls() for cls in LOSSES.values()] + [
    Huber(delta=0.5), Quantile(0.1), Quantile(0.9), Tweedie(1.0), Tweedie(2.0), Tweedie(1.9),
    Tweedie(0.0), Tweedie(3.0),
]
KINKED = [loss for loss in VARIANTS if not loss.smooth]


def targets(loss, size, rng=RNG):
    if loss.margin:
        return rng.choice([-1.0, 1.0], size)
    low, high, *_ = loss.target_range
    if high == 1:
        return rng.uniform(0, 1, size)
    return rng.gamma(2.0, 1.0, size) + 0.1 if low == 0 else rng.normal(0, 2, size)


def levels(loss, size, rng=RNG):
    low, high = loss.level_range
    if high == 1:
        return rng.uniform(0.05, 0.95, size)
    return rng.uniform(0.2, 4, size) if low == 0 else rng.normal(0, 2, size)


def ids(loss):
    return repr(loss)


def test_every_class_is_in_the_table():
    public = {cls for cls in Loss.__subclasses__() if "name" in vars(cls)}
    assert public <= set(LOSSES.values())
    assert len(LOSSES) == 10


@pytest.mark.parametrize("loss", VARIANTS, ids=ids)
def test_derivatives_match_finite_differences(loss):
    y, a, h = targets(loss, 300), levels(loss, 300), 1e-6
    away = np.ones(300, bool)
    for kink in (y, y - 1.35, y + 1.35, y - 0.5, y + 0.5, np.abs(y)):
        away &= np.abs(a - kink) > 1e-3
    if loss.margin:
        away &= np.abs(y * a - 1) > 1e-3
    y, a = y[away], a[away]
    numeric = (loss(y, a + h) - loss(y, a - h)) / (2 * h)
    np.testing.assert_allclose(loss.derivative(y, a), numeric, rtol=1e-6, atol=1e-6)
    numeric = (loss.derivative(y, a + h) - loss.derivative(y, a - h)) / (2 * h)
    np.testing.assert_allclose(loss.second_derivative(y, a), numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", VARIANTS, ids=ids)
def test_float32_is_kept_and_agrees(loss):
    y = targets(loss, 50).astype(np.float32)
    a = levels(loss, 50).astype(np.float32)
    for method in (loss, loss.derivative, loss.second_derivative):
        single = method(y, a)
        np.testing.assert_allclose(single, method(y.astype(float), a.astype(float)), rtol=2e-4, atol=1e-5)
    assert loss(y, a).dtype == np.float32


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", VARIANTS, ids=ids)
def test_optimal_level_is_the_best_constant(loss, weighted):
    rng = np.random.default_rng(3)
    y = targets(loss, (101, 2), rng)
    s = rng.uniform(0.1, 3, 101) if weighted else None
    best = loss.optimal_level(y, s)
    assert best.shape == (2,)
    weight = np.ones(101) if s is None else s
    for k in range(2):
        def value(a, k=k):
            return weight @ loss(y[:, k], np.full(101, a))

        low, high = max(loss.level_range[0] + 1e-9, -20), min(loss.level_range[1] - 1e-9, 20)
        found = optimize.minimize_scalar(value, bounds=(low, high), method="bounded",
                                         options={"xatol": 1e-10})
        assert value(best[k]) <= found.fun + 1e-9 * abs(found.fun)


def test_constant_targets_have_their_own_level():
    y = np.full((5, 1), 3.0)
    for name in ("squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"):
        assert get_loss(name).optimal_level(y) == pytest.approx(3.0)


@pytest.mark.parametrize("width", [1e-3, 0.3, 2.0])
@pytest.mark.parametrize("loss", KINKED, ids=ids)
def test_smoothed_is_the_moreau_envelope(loss, width):
    rng = np.random.default_rng(4)
    y, a = targets(loss, 60, rng), levels(loss, 60, rng)
    envelope = loss.smoothed(width)
    grid = np.linspace(-12, 12, 24_001)
    for yi, ai in zip(y[:20], a[:20], strict=True):
        brute = np.min(loss(np.full_like(grid, yi), grid) + (grid - ai) ** 2 / (2 * width))
        value = float(envelope(np.array(yi), np.array(ai)))
        assert value <= brute + 1e-12
        assert value == pytest.approx(brute, abs=1.1e-3)
    gap = loss(y, a) - envelope(y, a)
    assert np.all(gap >= -1e-12)
    assert np.all(gap <= 0.5 * width + 1e-12)
    h = 1e-7 * width
    numeric = (envelope(y, a + h) - envelope(y, a - h)) / (2 * h)
    np.testing.assert_allclose(envelope.derivative(y, a), numeric, atol=1e-4)


def test_smooth_losses_are_their_own_envelope():
    for loss in VARIANTS:
        if loss.smooth:
            assert loss.smoothed(1.0) is loss


def test_dispersion_is_the_moment_it_says():
    rng = np.random.default_rng(5)
    y, a, s = rng.gamma(2, 1, (50, 1)), rng.gamma(2, 1, (50, 1)), rng.uniform(0.5, 2, 50)
    weight = s / s.sum()
    assert get_loss("squared_error").dispersion(y, a, s) == pytest.approx(weight @ (y - a) ** 2)
    assert get_loss("gamma").dispersion(y, a, s) == pytest.approx(weight @ ((y - a) / a) ** 2)
    assert Tweedie(1.5).dispersion(y, a) == pytest.approx(np.mean((y - a) ** 2 / a**1.5))
    assert get_loss("poisson").dispersion(y, a) == 1
    for loss in VARIANTS:
        if loss.fixed_dispersion:
            assert np.all(loss.dispersion(targets(loss, (9, 2)), levels(loss, (9, 2))) == 1)


@pytest.mark.parametrize("loss", VARIANTS, ids=ids)
def test_parameters_copies_and_pickles(loss):
    assert loss == clone(loss, safe=False) == pickle.loads(pickle.dumps(loss))
    assert hash(loss) == hash(clone(loss, safe=False))


def test_nested_parameters_reach_the_loss():
    neuron = clone(NeuronRegressor(loss=Quantile(0.5))).set_params(loss__quantile=0.9)
    assert neuron.loss == Quantile(0.9)
    assert neuron.get_params()["loss__quantile"] == 0.9


@pytest.mark.parametrize(
    ("loss", "words"),
    [(Quantile(1.5), r"quantile must lie in \(0, 1\), got 1.5"),
     (Huber(-1), "delta must be positive, got -1"),
     (Tweedie(0.5), "power must be at most 0 or at least 1, got 0.5")],
)
def test_parameters_out_of_range_are_refused(loss, words):
    with pytest.raises(ValueError, match=words):
        loss(np.ones(2), np.ones(2))


def test_unknown_name_suggests_a_known_one():
    with pytest.raises(ValueError, match=r"Got 'hubert' instead. Did you mean 'huber'\?"):
        get_loss("hubert")
