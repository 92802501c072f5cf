"""More features than rows: trained in coordinates of the rows' space, the same neuron comes out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.svm import LinearSVC

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.activations import get_activation
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers import Goal, make_solver, row_space
from sknneuron.solvers.long_rows import LongRows
from sknneuron.solvers.row_space import RowSpace, Space
from sknneuron.sources import ArraySource

N, P, ALPHA = 40, 150, 1e-2
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, P)) + RNG.standard_normal((N, 1)) + 1
Z = X[:, :4] @ [1.0, -1.0, 0.5, 0.5] + 0.5 * RNG.standard_normal(N)
LABELS = (np.median(Z) < Z).astype(int)
WEIGHT = RNG.choice([0.0, 0.5, 1.0, 3.0], N)

NEURONS = {
    "logistic": (NeuronClassifier(), LABELS),
    "softmax": (NeuronClassifier(), np.arange(N) % 3),
    "several labels": (NeuronClassifier(), np.column_stack([LABELS, RNG.integers(0, 2, N)])),
    "squared hinge": (NeuronClassifier(loss="squared_hinge"), LABELS),
    "hinge": (NeuronClassifier(loss="hinge"), LABELS),
    "absolute error": (NeuronRegressor(loss="absolute_error"), Z),
    "huber": (NeuronRegressor(loss="huber"), np.column_stack([Z, -(Z**2)])),
    "poisson": (NeuronRegressor("exp", loss="poisson"), RNG.poisson(np.exp(Z / 2)).astype(float)),
    "no bias": (NeuronRegressor("exp", loss="gamma", fit_intercept=False), np.exp(Z)),
}
ROWS = {
    "dense": X,
    "columns": np.asfortranarray(X),
    "float32": X.astype(np.float32),
    "sparse": sparse.csr_array(np.where(np.abs(X) > 1.5, X, 0.0)),
    "far": X + 10.0 ** RNG.integers(0, 5, P),
    "constant": np.where(np.arange(P) % 3 == 0, 7.0, X),
    "scales": X * 10.0 ** RNG.uniform(-3, 3, P),
    "twice": X[np.arange(N) // 2],
}


def objective_of(rows=X, y=None, alpha=ALPHA, **penalty):
    y = LABELS[:, None].astype(float) if y is None else y
    pair = make_pair("sigmoid", "log_loss", classifier=True)
    return Objective(ArraySource(rows, y), pair, ElasticNet(alpha, penalty.get("l1_ratio", 0)), 1)


@pytest.fixture
def on_features(monkeypatch):
    """A function that fits without the space of the rows."""

    def fit(neuron, *data):
        with monkeypatch.context() as patch:
            patch.setattr(RowSpace, "serves", staticmethod(lambda objective: False))
            return neuron.fit(*data)

    return fit


@pytest.mark.filterwarnings("ignore::sknneuron.exceptions.NeuronWarning")
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", NEURONS)
def test_the_neuron_is_the_same(name, rows, weight, on_features):
    neuron, y = NEURONS[name]
    neuron.set_params(alpha=ALPHA, tol=1e-10, solver="newton", max_iter=10_000)
    found = neuron.fit(ROWS[rows], y, weight).objective_
    assert neuron.converged_
    expected = on_features(neuron, ROWS[rows], y, weight)
    assert expected.converged_
    gain = expected.history_["objective"][0] - expected.objective_
    assert abs(found - expected.objective_) <= 2e-10 * gain + 1e-13


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4])
def test_peers_come_to_the_same(alpha):
    counts = NEURONS["poisson"][1]
    peers = [
        (
            NeuronClassifier(),
            LABELS,
            LogisticRegression(C=1 / (alpha * N), solver="newton-cholesky", tol=1e-12),
            1e-6,
        ),
        (
            NeuronRegressor("exp", loss="poisson"),
            counts,
            PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-12, max_iter=1000),
            1e-5,
        ),
        # It would penalise a bias as well.
        (
            NeuronClassifier(loss="squared_hinge", fit_intercept=False),
            LABELS,
            LinearSVC(C=1 / (alpha * N), tol=1e-10, max_iter=100_000, fit_intercept=False),
            1e-4,
        ),
    ]
    for neuron, y, peer, rtol in peers:
        neuron.set_params(alpha=alpha, tol=1e-12).fit(X, y)
        peer.fit(X, y)
        assert_allclose(neuron.coef_.ravel(), peer.coef_.ravel(), rtol=rtol, atol=rtol * 0.1)


@pytest.mark.filterwarnings("ignore:The columns separate")
@pytest.mark.parametrize("alpha", [ALPHA, 0.0])
def test_history_is_in_the_units_of_x(alpha):
    neuron = NeuronClassifier(alpha=alpha, tol=1e-6).fit(X, LABELS)
    assert neuron.solver_ == "newton"
    history, objective = neuron.history_, objective_of(alpha=alpha)
    assert_allclose(history["coef"][-1], neuron.coef_)
    assert not history["coef"][0].any()
    measured = history["gradient_norm"]
    for k in np.flatnonzero(np.isfinite(measured)):
        theta = objective.from_weights(history["coef"][k], history["intercept"][k])
        value, gradient = objective.value_and_gradient(theta)
        assert history["objective"][k] == pytest.approx(value.sum(), rel=1e-12)
        norm = objective.weight_gradient_norm(gradient)
        assert measured[k] == pytest.approx(norm, rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_neuron_that_is_not_convex_ends_in_a_valley(activation):
    y = get_activation(activation)(Z / 2) * 0.9
    neuron = NeuronRegressor(activation, alpha=ALPHA, random_state=0).fit(X, y)
    assert neuron.converged_
    pair = make_pair(activation, "squared_error")
    objective = Objective(ArraySource(X, y[:, None]), pair, ElasticNet(ALPHA, 0), 1)
    theta = objective.from_weights(neuron.coef_[None], np.atleast_1d(neuron.intercept_))
    value, gradient, hessian = objective.value_gradient_hessian(theta)
    # Newton's step from there, in all features, wins next to nothing.
    step = -np.linalg.solve(hessian[0], gradient[0])
    assert np.linalg.eigvalsh(hessian[0]).min() > 0
    assert -0.5 * step @ gradient[0] < 1e-8 * (objective.null_value - value.sum())


@pytest.mark.parametrize("name", ["logistic", "hinge"])
def test_a_warm_start_may_lie_across_all_rows(name):
    neuron, y = NEURONS[name]
    neuron.set_params(alpha=ALPHA, tol=1e-10, solver="auto", warm_start=True).fit(X, y)
    optimum = neuron.objective_
    neuron.coef_ = neuron.coef_ + RNG.standard_normal(P)
    assert neuron.fit(X, y).objective_ == pytest.approx(optimum, rel=1e-8)
    neuron.set_params(warm_start=False)


def test_weights_and_coordinates_are_one_to_one_in_the_space():
    objective = objective_of()
    space = Space.of(objective)
    assert space.reduced.shape == (1, N)  # A dimension less than rows, and the bias.
    coef = RNG.standard_normal((1, N)) @ (X - X.mean(axis=0))
    theta = objective.from_weights(coef, np.array([0.3]))
    reduced = space.reduce(theta)
    assert space.reduced.total(reduced) == pytest.approx(objective.total(theta), rel=1e-12)
    across = np.linalg.svd(X - X.mean(axis=0))[2][-1]
    also = theta.copy()
    also[:, :P] += 5 * across * objective.coordinates.scale
    assert_allclose(space.reduce(also), reduced, rtol=1e-8, atol=1e-8 * np.abs(reduced).max())


@pytest.mark.filterwarnings("ignore:The columns separate")
@pytest.mark.parametrize("smallest", [1e-4, 1e-6, 1e-7, 1e-8, 1e-14])
def test_directions_that_rounding_hides_are_not_left_out(smallest):
    U, _, Vt = np.linalg.svd(X, full_matrices=False)
    size = np.ones(N)
    size[N // 2 :] = smallest
    rows = U * size @ Vt
    neuron = NeuronClassifier(alpha=1e-16, tol=1e-8).fit(rows * 1e3, LABELS)
    seen = Space.of(objective_of(rows)) is not None
    assert seen == (smallest in (1e-4, 1e-14))
    if smallest >= 1e-6:
        # All labels can be told apart by what is small.
        assert neuron.objective_ < 1e-3


def test_digits_that_rounding_takes_are_won_back_on_the_features(monkeypatch):
    expected = NeuronClassifier(alpha=ALPHA, tol=1e-10).fit(X, LABELS)
    taken = []

    def wrong(self, theta, weights):
        taken.append(True)
        return self.objective.total(weights), 1.0

    monkeypatch.setattr(Space, "look", wrong)
    found = NeuronClassifier(alpha=ALPHA, tol=1e-10).fit(X, LABELS)
    assert taken
    assert found.converged_
    assert found.n_iter_ > expected.n_iter_
    assert found.objective_ == pytest.approx(expected.objective_, rel=1e-9)


def test_what_rounding_takes_is_seen():
    objective = objective_of()
    space = Space.of(objective)
    theta = space.reduce(objective.null()) + 0.1
    weights, _ = space.expand(row_space.Iterate(theta, 0.0, 0.0, space.reduced))
    value, lost = space.look(theta, weights)
    assert value == pytest.approx(objective.total(weights), rel=1e-12)
    assert lost < 1e-12
    assert space.look(theta, weights * 1.01)[1] > 1e-4


@pytest.mark.parametrize(
    ("rows", "penalty", "serves"),
    [
        (X, {}, True),
        (X[:, :N], {}, False),
        (X, {"l1_ratio": 0.5}, False),
        (sparse.csr_array(X), {}, True),
        (sparse.csr_array(X + 1e4), {}, False),
    ],
)
def test_who_is_served(rows, penalty, serves):
    objective = objective_of(rows, **penalty)
    assert RowSpace.serves(objective) == serves
    assert isinstance(make_solver("auto", objective), RowSpace) == serves


def test_rows_that_are_looked_up_are_copied_unless_they_are_large(monkeypatch):
    rows = RNG.standard_normal((400, 1500))
    objective = objective_of(rows, (rows[:, :1] > 0).astype(float))
    part = objective.over(objective.source.subset(np.arange(350)))
    assert not part.source.in_memory
    assert RowSpace.serves(part)
    solver = make_solver("auto", part)
    goal = Goal(1e-8, part.null_value, part)
    *_, last = solver.iterate(part, part.null(), goal, None)
    assert last.value == pytest.approx(part.total(last.theta), rel=1e-13)
    assert last.gap <= goal.target(last.value)
    monkeypatch.setattr(row_space, "MAX_COPIED", 1 << 20)
    assert not RowSpace.serves(part)
    assert RowSpace.serves(objective)


def test_many_rows_of_a_bounded_curvature_go_by_their_features():
    rows = RNG.standard_normal((450, 1100))
    y = (rows[:, :1] > 0).astype(float)
    assert make_solver("auto", objective_of(rows, y)).name == "lbfgs"
    assert isinstance(make_solver("newton", objective_of(rows, y)), RowSpace)


def few_in_many(n_rows, n_features):
    """Rows that have a number each, and next to nothing to hold in memory."""
    entries = np.ones(n_rows), (np.arange(n_rows), np.arange(n_rows))
    return sparse.csr_array(entries, shape=(n_rows, n_features))


@pytest.mark.parametrize("solver", ["newton", "levenberg_marquardt"])
def test_more_unknowns_than_memory_has_room_for_are_refused(solver):
    objective = objective_of(few_in_many(30_000, 60_000), np.arange(30_000.0)[:, None] % 2)
    assert RowSpace.serves(objective)
    with pytest.raises(ValueError, match="Hessian of 30001 x 30001 per neuron, 7 GiB"):
        make_solver(solver, objective)


@pytest.mark.filterwarnings("ignore::sknneuron.exceptions.NeuronWarning")
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_where_their_dimensions_are_in_doubt_features_have_to_fit_into_memory(activation):
    rng = np.random.default_rng(1)
    U = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    Vt = np.linalg.qr(rng.standard_normal((30_000, 10)))[0].T
    rows = U * np.where(np.arange(10) < 5, 100, 3e-4) @ Vt
    assert Space.of(objective_of(rows, LABELS[:10, None])) is None
    neuron = NeuronRegressor(activation, alpha=1e-3, solver="levenberg_marquardt", tol=1e-4)
    assert neuron.fit(rows, 0.9 * LABELS[:10]).converged_


@pytest.mark.parametrize("rows", ROWS)
def test_long_rows_multiply_as_if_they_were_centred(rows):
    objective = objective_of(ROWS[rows], alpha=ALPHA)
    centred, whole = LongRows(objective), ROWS[rows]
    whole = whole.toarray() if sparse.issparse(whole) else whole.astype(float)
    A = whole - whole.mean(axis=0)
    A[:, np.ptp(whole, axis=0) == 0] = 0.0
    coef, u = RNG.standard_normal((2, P)), RNG.standard_normal((2, N))
    for found, expected in (
        (centred.products(), A @ A.T),
        (centred.times(coef), A @ coef.T),
        (centred.summed(u), u @ A),
    ):
        scale = np.abs(expected).max()
        assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)


def test_the_goal_is_that_of_all_features():
    objective = objective_of()
    solver = make_solver("auto", objective)
    goal = Goal(1e-8, objective.null_value, objective)
    *_, last = solver.iterate(objective, objective.null(), goal, None)
    assert last.objective is objective
    assert last.gap <= goal.target(last.value)
    assert last.value == pytest.approx(objective.total(last.theta), rel=1e-13)


@pytest.mark.parametrize("loss", ["absolute_error", "hinge"])
def test_where_no_row_has_an_error_left_the_end_is_known_to_rounding(loss):
    task, y = (NeuronClassifier, LABELS) if loss == "hinge" else (NeuronRegressor, Z)
    neuron = task(loss=loss, alpha=ALPHA).fit(X, y)
    assert neuron.converged_
    assert neuron.n_iter_ < 30
