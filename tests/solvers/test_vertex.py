"""Ways down from points where rows lie on convex and on concave kinks."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronRegressor
from sknneuron.solvers.vertex import steepest, without_copies

ALPHA = 1e-3

pytestmark = pytest.mark.filterwarnings("ignore:NeuronRegressor predicts the same for every row")


def slopes(x, below, rows, jump):
    """The directional derivatives along each of some directions."""
    return x @ below + np.maximum(x @ rows.T, 0) @ jump


@pytest.mark.parametrize("seed", range(20))
def test_no_way_is_steeper_than_the_one_that_is_found(seed):
    rng = np.random.default_rng(seed)
    rows, jump = rng.standard_normal((7, 3)), rng.choice([-0.3, 1.0], 7) * rng.random(7)
    below = -0.5 * jump @ rows + 0.1 * rng.standard_normal(3)
    x = steepest(below, rows, jump)
    assert slopes(x, below, rows, jump) == pytest.approx(-x @ x, abs=1e-12)
    ways = rng.standard_normal((20000, 3))
    least = np.min(slopes(ways, below, rows, jump) / np.linalg.norm(ways, axis=1))
    assert np.linalg.norm(x) >= -least - 1e-12


def test_where_kinks_hold_it_there_is_no_way():
    rows, jump = np.eye(3), np.ones(3)
    assert not np.any(steepest(np.array([-0.5, -0.1, 0.0]), rows, jump))


def test_a_row_is_taken_up_though_all_others_stay():
    """From below no kink is felt, and with all of them above none leads down."""
    rows = np.array([[1.0, 0.0], [-1.0, 0.1], [-1.0, -0.1]])
    jump = np.array([-0.2, 1.0, 1.0])
    assert steepest(np.zeros(2), rows, jump) == pytest.approx([0.2, 0.0])


def test_rows_that_are_alike_count_as_one():
    rows, jump = without_copies(np.array([[1.0, 2], [0, 1], [1, 2]]), np.array([1.0, 3, -3]))
    assert rows.tolist() == [[0, 1], [1, 2]]
    assert jump.tolist() == [3, -2]


def clipped_noise(seed):
    """Rows on a grid, many of them alike, whose targets are zero for about a half."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (120, 3)).astype(float)
    return X, np.maximum(rng.standard_normal(120), 0.0)


def lowest_beside(neuron, X, y, sample_weight=None):
    """The lowest objective of many points around each neuron, by distances of all sizes."""
    rng, lowest = np.random.default_rng(0), 0.0
    below = {"relu": 0.0, "leaky_relu": 0.01}[neuron.activation]
    ends = np.c_[np.atleast_2d(neuron.coef_), np.ravel(neuron.intercept_)]
    for end, target in zip(ends, y.reshape(len(y), -1).T, strict=True):
        size = 10 ** rng.uniform(-8, -3, (20000, 1))
        theta = end + size * rng.standard_normal((20000, len(end)))
        z = theta[:, :-1] @ X.T + theta[:, -1:]
        loss = np.average(np.abs(np.maximum(z, below * z) - target), axis=1, weights=sample_weight)
        lowest += np.min(loss + 0.5 * neuron.alpha * np.sum(theta[:, :-1] ** 2, axis=1))
    return lowest


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("seed", [0, 15])
def test_no_way_down_beside_the_end_where_targets_are_on_the_kink(seed, as_rows):
    """Smoothed, the loss of a target of zero holds rows where nothing else does."""
    X, y = clipped_noise(seed)
    neuron = NeuronRegressor("relu", "absolute_error", alpha=ALPHA, tol=1e-6, random_state=0)
    assert neuron.fit(as_rows(X), y).converged_
    null, lowest = neuron.history_["objective"][0], lowest_beside(neuron, X, y)
    assert neuron.objective_ - lowest <= 1e-5 * (null - lowest)


def random_problem(seed):
    """Few distinct rows in any unit, weights that may be zero, targets of which many are zero."""
    rng = np.random.default_rng([seed, 992])
    activation = str(rng.choice(["relu", "relu", "leaky_relu"]))
    loss = str(rng.choice(["absolute_error", "absolute_error", "quantile"]))
    n, p = int(rng.choice([60, 120, 300, 1000])), int(rng.choice([1, 2, 3, 3, 4]))
    X = rng.integers(0, rng.integers(2, 6), (n, p)).astype(float)
    if rng.random() < 0.3:
        X[:, 0] = rng.standard_normal(n)
    if rng.random() < 0.5:
        X = X * 10 ** rng.uniform(-1, 2, p) + rng.standard_normal(p)
    n_outputs, S = int(rng.choice([1, 1, 3])), (X - X.mean(axis=0)) / X.std(axis=0)
    signal = rng.choice([0, 0.1, 0.5, 1]) * np.sin(2 * S @ rng.standard_normal((p, n_outputs)))
    scale, noise = rng.choice([0.05, 1, 3]), rng.standard_normal((n, n_outputs))
    y = np.maximum(signal + scale * (noise + rng.choice([-0.5, 0, 0, 0.3])), 0)
    weight = None if rng.random() < 0.4 else rng.integers(0, 4, n).astype(float)
    neuron = NeuronRegressor(
        activation, loss, alpha=10 ** rng.uniform(-6, -2), tol=1e-6, random_state=0
    )
    return neuron, X, y, weight


@pytest.mark.slow
@pytest.mark.parametrize("seed", [90, 127])
def test_goes_on_to_the_end_from_where_a_vertex_held_it(seed):
    """Meanwhile other neurons take steps of rounding, which say nothing of how far this one is."""
    neuron, X, y, weight = random_problem(seed)
    neuron.fit(X, y[:, 0] if y.shape[1] == 1 else y, sample_weight=weight)
    assert neuron.converged_
    null, lowest = neuron.history_["objective"][0], lowest_beside(neuron, X, y, weight)
    assert neuron.objective_ - lowest <= 1e-5 * (null - lowest)
