"""Losses of two straight pieces with an L1 norm: the optimum, some features at a time."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.losses import Huber, Quantile
from sknneuron.solvers import choose, working_pieces
from sknneuron.solvers.proximal_newton import ProximalNewton
from sknneuron.solvers.smoothing import Smoothed
from sknneuron.solvers.working_pieces import WorkingNeuron, WorkingPieces

pytestmark = pytest.mark.filterwarnings("ignore:The penalty", "ignore:Neuron.*predicts the same")

SETTINGS = {
    "hinge": lambda **o: NeuronClassifier("identity", "hinge", **o),
    "squared hinge": lambda **o: NeuronClassifier("identity", "squared_hinge", **o),
    "median": lambda **o: NeuronRegressor(loss="absolute_error", **o),
    "quantile": lambda **o: NeuronRegressor(loss=Quantile(0.8), **o),
    "huber": lambda **o: NeuronRegressor(loss=Huber(0.01), **o),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """With hardly a step before, where there is a parabola."""
    monkeypatch.setitem(choose.MOST_STEPS, WorkingPieces, 1)


def problem(name, n_rows=120, n_features=500, seed=0, n_outputs=1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)) * (rng.random((n_rows, n_features)) < 0.3)
    X *= 10.0 ** rng.integers(-1, 2, n_features)
    z = X[:, : 5 * n_outputs] / (X[:, : 5 * n_outputs].std(axis=0) + 1e-9)
    z = z.reshape(n_rows, 5, n_outputs).sum(axis=1) + rng.standard_t(3, (n_rows, n_outputs))
    y = (z > 0.5).astype(int) if "hinge" in name else 3 + z
    return X, y if n_outputs > 1 else y[:, 0]


def taken(monkeypatch):
    """Numbers of features that were at hand, round by round; to go on otherwise is an error."""
    at_hand, advance = [], WorkingNeuron.advance

    def noted(self, *args):
        at_hand.append(len(self.features))
        return advance(self, *args)

    monkeypatch.setattr(WorkingNeuron, "advance", noted)
    monkeypatch.setattr(Smoothed, "iterate", lambda *_: pytest.fail("it led nowhere"))
    return at_hand


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("alpha", [3e-3, 3e-2])
@pytest.mark.parametrize("name", SETTINGS)
def test_ends_where_all_features_at_once_do(name, alpha, l1_ratio, make, monkeypatch):
    X, y = problem(name)
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "tol": 1e-8}
    with monkeypatch.context() as patch:
        patch.setattr(WorkingPieces, "serves", lambda _: False)
        exact = SETTINGS[name](**{**options, "tol": 1e-10}).fit(X, y)
    at_hand = taken(monkeypatch)
    fit = SETTINGS[name](**options).fit(make(X), y)
    assert fit.converged_
    assert 0 < len(at_hand) <= 20
    assert max(at_hand) < X.shape[1]
    gain = exact.history_["objective"][0] - exact.objective_
    assert abs(fit.objective_ - exact.objective_) <= 2e-8 * gain
    assert np.count_nonzero(fit.coef_) <= 1.1 * np.count_nonzero(exact.coef_) + 1


@pytest.mark.parametrize(
    "options", [{"n_outputs": 3}, {"weighted": True}, {"fit_intercept": False}], ids=str
)
@pytest.mark.parametrize("name", SETTINGS)
def test_serves_several_outputs_weights_and_no_bias(name, options, monkeypatch):
    options = {"n_outputs": 1, "weighted": False, **options}
    X, y = problem(name, n_outputs=options.pop("n_outputs"))
    weight = np.random.default_rng(1).choice([0.0, 0.5, 3.0], 120)
    weight = weight if options.pop("weighted") else None
    options |= {"alpha": 0.02, "l1_ratio": 0.9}
    with monkeypatch.context() as patch:
        patch.setattr(WorkingPieces, "serves", lambda _: False)
        exact = SETTINGS[name](tol=1e-10, **options).fit(X, y, weight)
    at_hand = taken(monkeypatch)
    fit = SETTINGS[name](tol=1e-7, **options).fit(X, y, weight)
    assert at_hand
    assert fit.converged_
    gain = exact.history_["objective"][0] - exact.objective_
    assert abs(fit.objective_ - exact.objective_) <= 2e-7 * gain


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_said_to_be_left_is_no_less(name, monkeypatch):
    X, y = problem(name, seed=3)
    options = {"alpha": 0.01, "l1_ratio": 0.7, "tol": 1e-9}
    found, iterate = [], WorkingPieces.iterate

    def watched(self, objective, *args):
        for current in iterate(self, objective, *args):
            found.append((current.value + objective.total_l1(current.theta), current.gap))
            yield current

    monkeypatch.setattr(WorkingPieces, "iterate", watched)
    fit = SETTINGS[name](**options).fit(X, y)
    values, gaps = np.array(found).T
    assert len(values) > 2
    assert np.all(values - fit.objective_ <= gaps + 1e-12)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_norm_that_holds_all_weights_at_zero(name, monkeypatch):
    X, y = problem(name, 60, 2000)
    at_hand = taken(monkeypatch)
    fit = SETTINGS[name](alpha=50.0, l1_ratio=1.0).fit(sparse.csr_array(X), y)
    assert fit.converged_
    assert not fit.coef_.any()
    assert len(at_hand) <= 3
    assert max(at_hand, default=0) <= working_pieces.LEAST_LET_IN


def test_goes_on_with_all_features_where_rounds_are_not_enough(monkeypatch):
    monkeypatch.setattr(working_pieces, "MAX_ROUNDS", 1)
    X, y = problem("median")
    fit = SETTINGS["median"](alpha=0.01, l1_ratio=1.0, tol=1e-6).fit(X, y)
    assert fit.converged_


def test_no_hessian_of_very_many_features(monkeypatch):
    """Not even where stages are smoothed: what does that takes working sets, too."""
    kept = []
    monkeypatch.setattr(WorkingPieces, "serves", lambda _: False)
    monkeypatch.setattr(Smoothed, "iterate", lambda self, *_: kept.append(self.solver) or iter(()))
    monkeypatch.setattr(choose, "MAX_SMOOTHED_SIZE", 400)
    monkeypatch.setattr(choose.InteriorPoint, "serves", lambda _: False)
    X, y = problem("median")
    with pytest.raises(AssertionError):
        SETTINGS["median"](alpha=0.01, l1_ratio=1.0).fit(X, y)
    assert type(kept[0]) is ProximalNewton
