"""Losses of two straight pieces: few steps, few looks at all rows, the optimum."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.activations import get_activation
from sknneuron.losses import AbsoluteError, Huber, Quantile, get_loss
from sknneuron.pairing import make_pair
from sknneuron.pairs import IdentityPair
from sknneuron.solvers import interior_point

from ..references import programs

SETTINGS = {
    "median": (lambda **o: NeuronRegressor(loss="absolute_error", **o), programs.absolute),
    "quantile": (
        lambda **o: NeuronRegressor(loss=Quantile(0.9), **o),
        lambda y: programs.quantile(y, 0.9),
    ),
    "hinge": (lambda **o: NeuronClassifier("identity", "hinge", **o), programs.hinge),
}


def rows(name, n_rows=4000, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)) * [1.0, 3.0, 10.0, 30.0, 1.0][:n_features]
    z = X @ (rng.standard_normal(n_features) / X.std(axis=0))
    if name == "hinge":
        return X, np.where(z + rng.standard_normal(n_rows) > 0.5, 1, -1)
    return X, 3 + z + rng.standard_t(5, n_rows)


@pytest.fixture
def looks(passes, monkeypatch):
    """The sums that were taken, where more than 1600 rows are too many to copy."""
    monkeypatch.setattr(interior_point, "NEAR_ROWS", 800)
    monkeypatch.setattr(interior_point, "NEAR_PER_PARAMETER", 0)
    return passes


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "hinge", "huber", "squared_hinge"])
def test_pieces_are_those_of_the_loss(name):
    """The largest, of all slopes between those of the pieces."""
    loss = get_loss(name)
    y = np.array([[-1.0], [1.0]])
    kink, below, above = IdentityPair(get_activation("identity"), loss).pieces(y)
    np.testing.assert_array_equal(loss(y, kink), 0)
    for t in (-50.0, -1.0, -1e-3, 1e-3, 1.0, 50.0):
        soft = np.clip(t / loss.softness, below, above) if loss.softness else below
        with np.errstate(invalid="ignore"):
            values = [slope * t - 0.5 * loss.softness * slope**2 for slope in (soft, below, above)]
        np.testing.assert_allclose(loss(y, kink + t), np.fmax.reduce(values), rtol=1e-12)


def test_other_pairs_have_no_pieces():
    y = np.ones((2, 1))
    assert make_pair("relu", "absolute_error").pieces(y) is None
    assert make_pair("identity", "squared_error").pieces(y) is None


@pytest.mark.parametrize("base", [AbsoluteError, Huber])
def test_a_loss_made_of_another_has_pieces_of_its_own(base):
    class DoubledError(base):
        def __call__(self, y, a):
            return 2 * super().__call__(y, a)

        def derivative(self, y, a):
            return 2 * super().derivative(y, a)

        def smoothed(self, width):
            return self

    assert DoubledError().pieces(np.ones((1, 1))) is None


def test_many_outputs_are_not_held_at_once(monkeypatch):
    """What each of them needs a copy of counts, too."""
    X, y = rows("median")
    tall = np.repeat(y[:, None], 40, axis=1)
    monkeypatch.setattr(interior_point, "MAX_NUMBERS", 60 * len(X))
    few = NeuronRegressor(loss="absolute_error").fit(X, tall[:, :3])
    many = NeuronRegressor(loss="absolute_error").fit(X, tall)
    assert few.n_iter_ < 30 < many.n_iter_
    np.testing.assert_allclose(many.coef_[:3], few.coef_, rtol=1e-2)


def test_however_many_rows_there_are_some_may_be_copied():
    y = np.ones((2, 1))
    pair = IdentityPair(get_activation("identity"), AbsoluteError(), True)
    source = SimpleNamespace(n_rows=10**9, is_numpy=True)
    watched = SimpleNamespace(y=y)
    tall = SimpleNamespace(source=source, pair=pair, watched=watched, n_neurons=1, neuron_size=30)
    assert interior_point.InteriorPoint.serves(tall)
    tall.neuron_size = 1000
    assert not interior_point.InteriorPoint.serves(tall)


@pytest.mark.parametrize("alpha", [1e-6, 1e-2])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.6])
@pytest.mark.parametrize("name", SETTINGS)
def test_few_steps(name, l1_ratio, alpha):
    make, _ = SETTINGS[name]
    neuron = make(alpha=alpha, l1_ratio=l1_ratio, tol=1e-10).fit(*rows(name))
    assert neuron.converged_
    assert neuron.n_iter_ < 40
    assert neuron.history_["gradient_norm"][-1] < 1e-9


def left_at_most(fit, X, y, alpha, weight):
    """What a fit is above the dual at its rows' slopes, balanced, as a share of the gain."""
    loss = get_loss(fit.loss)
    z, y = X @ np.ravel(fit.coef_) + fit.intercept_, y.astype(float)
    share = weight / weight.sum()
    slope = share * loss.derivative(y, z)
    kink, below, above = (np.broadcast_to(part, y.shape) for part in loss.pieces(y))
    room = slope - share * below if slope.sum() > 0 else share * above - slope
    room = np.where(np.isfinite(room), room, np.abs(slope))
    slope = slope - slope.sum() / room.sum() * room
    softness = loss.softness / share
    dual = -slope @ kink - 0.5 * softness @ slope**2 - ((slope @ X) ** 2).sum() / (2 * alpha)
    value = share @ loss(y, z) + 0.5 * alpha * (fit.coef_**2).sum()
    assert value == pytest.approx(fit.objective_, rel=1e-9)
    return (value - dual) / (fit.history_["objective"][0] - value)


@pytest.mark.filterwarnings("ignore:The penalty")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("name", ["huber", "squared_hinge"])
def test_parabolas_between_pieces_take_few_steps_too(name, alpha, weighted):
    """Classes that are told apart, and residuals hardly any of which is within delta."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 50)) * 10.0 ** rng.integers(-1, 2, 50)
    z = X @ (rng.standard_normal(50) / X.std(axis=0))
    weight = rng.uniform(0.1, 3, 200) if weighted else np.ones(200)
    if name == "huber":
        neuron, y = NeuronRegressor(loss=Huber(1e-3)), z + rng.standard_t(3, 200)
    else:
        neuron, y = NeuronClassifier(loss="squared_hinge"), np.where(z > 1, 1, -1)
    fit = neuron.set_params(activation="identity", alpha=alpha, tol=1e-8).fit(X, y, weight)
    assert fit.converged_
    assert fit.n_iter_ < 40
    assert left_at_most(fit, X, y, alpha, weight) < 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_few_looks_at_many_rows(name, weighted, fit_intercept, looks):
    make, terms = SETTINGS[name]
    X, y = rows(name)
    weight = np.random.default_rng(1).choice([0.0, 0.5, 2.0], len(y)) if weighted else None
    neuron = make(alpha=1e-3, tol=1e-9, fit_intercept=fit_intercept).fit(X, y, weight)
    assert neuron.converged_
    assert 0 < looks.count("Apart") <= 8
    assert "EnvelopeGap" not in looks
    if not fit_intercept:
        return
    best, bound = programs.quadratic_program(terms(y), X, 1e-3, sample_weight=weight)
    assert best - bound <= 1e-8 * best
    assert neuron.objective_ == pytest.approx(best, rel=1e-8)


@pytest.mark.parametrize("kind", ["sparse", "float32", "l1", "rounded", "several", "far"])
@pytest.mark.parametrize("name", SETTINGS)
def test_many_rows_come_to_the_same_as_few(name, kind, looks, monkeypatch):
    make, _ = SETTINGS[name]
    X, y = rows(name)
    options = {"alpha": 1e-3, "tol": 1e-8}
    if kind == "sparse":
        X = sparse.csr_matrix(np.where(np.abs(X) > X.std(axis=0), X, 0.0))
    elif kind == "float32":
        X = X.astype(np.float32)
    elif kind == "l1":
        options |= {"alpha": 0.3, "l1_ratio": 0.9}
    elif kind == "rounded":
        X, y = np.round(X / X.std(axis=0)), np.round(y)
    elif kind == "several":
        y = np.column_stack([y > 0, y > 1] if name == "hinge" else [y, -100 * y])
    elif kind == "far":
        X = X + 1e6 * X.std(axis=0)
    many = make(**options).fit(X, y)
    assert "Apart" in looks
    monkeypatch.setattr(interior_point, "NEAR_ROWS", 10**6)
    looks.clear()
    few = make(**options).fit(X, y)
    assert "Apart" not in looks
    assert many.converged_
    assert few.converged_
    gain = few.history_["objective"][0] - few.objective_
    assert abs(many.objective_ - few.objective_) <= 1e-8 * gain + 1e-15
    if kind == "l1":
        assert np.any(few.coef_ == 0)
        np.testing.assert_array_equal(many.coef_ == 0, few.coef_ == 0)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_said_to_be_left_is_left(name, looks):
    """The bound that near rows give holds for all rows."""
    X, y = rows(name, seed=3)
    make, _ = SETTINGS[name]
    best = make(alpha=1e-4, tol=1e-11).fit(X, y).objective_
    for tol in (1e-2, 1e-3, 1e-4, 1e-6):
        neuron = make(alpha=1e-4, tol=tol).fit(X, y)
        gain = neuron.history_["objective"].max() - best
        assert neuron.objective_ - best <= tol * gain + 1e-14


def test_where_no_finite_weights_are_the_best():
    """A plane separates the classes, and nothing is penalised."""
    X, y = rows("hinge")
    y = np.where(X[:, 0] > 0.1 * X[:, 0].std(), 1, 0)
    neuron = NeuronClassifier("identity", "hinge", alpha=0).fit(X, y)
    assert neuron.converged_
    assert neuron.objective_ < 1e-8
    assert neuron.score(X, y) == 1


def test_one_target_for_all_rows():
    X, _ = rows("median")
    neuron = NeuronRegressor(loss="absolute_error").fit(X, np.full(len(X), 5.0))
    assert neuron.converged_
    np.testing.assert_allclose(neuron.predict(X), 5.0)


def test_an_exact_start_is_the_end():
    """All rows that count are of one class, and what a step leaves is more than nothing."""
    X, y = rows("hinge", n_rows=60)
    with pytest.warns(NeuronWarning, match="same target"):
        neuron = NeuronClassifier("identity", "hinge").fit(X, y, (y == 1) * 1.0)
    assert neuron.converged_
    assert neuron.objective_ == 0


def test_rows_of_weight_zero_do_not_count():
    X, y = rows("median", n_rows=300)
    weight = np.ones(300)
    weight[::3] = 0.0
    ours = NeuronRegressor(loss="absolute_error", tol=1e-9).fit(X, y, weight)
    without = NeuronRegressor(loss="absolute_error", tol=1e-9).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(ours.coef_, without.coef_, rtol=1e-6)


def test_each_step_is_an_iterate():
    neuron = NeuronRegressor(loss="absolute_error").fit(*rows("median"))
    assert len(neuron.history_["objective"]) == neuron.n_iter_ + 1
    assert neuron.history_["objective"][-1] == pytest.approx(neuron.objective_, rel=1e-13)


@pytest.mark.parametrize("unit", [1e-100, 1e150, 1e200])
def test_any_unit_of_y(unit):
    X, y = rows("median", n_rows=300)
    ours = NeuronRegressor(loss="absolute_error", alpha=0).fit(X, unit * y)
    plain = NeuronRegressor(loss="absolute_error", alpha=0).fit(X, y)
    assert ours.converged_
    np.testing.assert_allclose(ours.coef_ / unit, plain.coef_, rtol=1e-6)


@pytest.mark.parametrize("many", [False, True])
def test_the_last_step_is_exact(many, request):
    """Six parameters without a penalty: their plane goes through six rows."""
    if many:
        request.getfixturevalue("looks")
    X, y = rows("median")
    neuron = NeuronRegressor(loss="absolute_error", alpha=0).fit(X, y)
    off = np.sort(np.abs(y - neuron.predict(X)))
    assert off[5] < 1e-11 < 1e-5 < off[6]
