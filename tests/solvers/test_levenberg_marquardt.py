import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sknneuron import NeuronRegressor
from sknneuron.losses import Tweedie
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers import search
from sknneuron.solvers.base import Goal
from sknneuron.solvers.kinks import (
    KinkedDescent,
    SoftPair,
    step_over_kinks,
)
from sknneuron.solvers.levenberg_marquardt import LevenbergMarquardt
from sknneuron.solvers.multistart import find_start
from sknneuron.solvers.race import ROUGH_END
from sknneuron.solvers.search import Search
from sknneuron.sources import ArraySource

from ..references.make_nonconvex import ACTIVATIONS, N_PROBLEMS, make_problem

REFERENCES = Path(__file__).parent.parent / "references" / "nonconvex.json"
OPEN = ("relu", "leaky_relu", "elu", "softplus", "gelu", "silu")


def make_objective(
    X,
    y,
    activation,
    loss="squared_error",
    alpha=1e-4,
    *,
    sample_weight=None,
    fit_intercept=True,
    **options,
):
    y = np.asarray(y, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    source = ArraySource(X, y, sample_weight)
    pair = make_pair(activation, loss, **options)
    return Objective(source, pair, ElasticNet(alpha, 0.0), y.shape[1], fit_intercept=fit_intercept)


def train(objective, *, tol=1e-12, start=None, seed=0, max_iter=300):
    """The iterates up to the first that keeps the promise."""
    start = objective.null() if start is None else start
    goal = Goal(tol, objective.total(objective.null()), objective)
    iterates = []
    rng = np.random.default_rng(seed)
    for iterate in LevenbergMarquardt().iterate(objective, start, goal, rng):
        iterates.append(iterate)
        on_all = iterate.objective is objective
        if on_all and (iterate.gap <= goal.target(iterate.value, iterate.theta) or iterate.last):
            return iterates
        assert len(iterates) < max_iter
    return iterates


def gradient_norm_at(objective, theta):
    return objective.weight_gradient_norm(objective.value_and_gradient(theta)[1])


def teacher_data(activation, n=400, p=4, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * [1, 20, 0.1, 3][:p] + [0, 100, 0, -5][:p]
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal(p) + 0.3
    level = make_pair(activation, "squared_error").level(z)
    return X, level + noise * level.std() * rng.standard_normal(n)


def relative_excess(activation, seed, reference):
    X, y, alpha = make_problem(activation, seed)
    objective = make_objective(X, y, activation, alpha=alpha)
    last = train(objective, tol=1e-8, seed=seed)[-1]
    assert last.gap <= 1e-8 * objective.total(objective.null())
    assert not last.message
    return (objective.total(last.theta) - reference) / reference


@pytest.fixture(scope="module")
def references():
    return json.loads(REFERENCES.read_text())["objective"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_close_to_the_best_of_twenty_scipy_starts_on_a_few(activation, references):
    for seed in range(0, N_PROBLEMS, 12):
        assert relative_excess(activation, seed, references[activation][seed]) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_close_to_the_best_of_twenty_scipy_starts(activation, references):
    excess = np.array(
        [
            relative_excess(activation, seed, reference)
            for seed, reference in enumerate(references[activation])
        ]
    )
    assert np.sum(excess < 1e-3) == N_PROBLEMS
    assert np.sum(excess < 1e-6) >= 97


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softsign", *OPEN])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_ends_where_the_gradient_is_zero(activation, loss):
    X, y = teacher_data(activation)
    objective = make_objective(X, y, activation, loss)
    last = train(objective, tol=1e-15)[-1]
    assert not last.message
    # Nothing lower nearby, kinks included.
    value = objective.total(last.theta)
    rng = np.random.default_rng(1)
    for size in (1e-5, 1e-3, 1e-2):
        for _ in range(20):
            near = last.theta + size * rng.standard_normal(last.theta.shape)
            assert objective.total(near) > value - 1e-12 * value
    if activation not in ("relu", "leaky_relu"):
        assert gradient_norm_at(objective, last.theta) < 1e-5 * objective.total(objective.null())


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_the_gap_is_honest(activation):
    X, y = teacher_data(activation, noise=0.5)
    objective = make_objective(X, y, activation)
    iterates = [i for i in train(objective, tol=1e-15) if i.objective is objective]
    best = objective.total(iterates[-1].theta)
    for iterate in iterates:
        if np.isfinite(iterate.gap):
            left = objective.total(iterate.theta) - best
            assert left <= 3 * iterate.gap + 10 * objective.rounding


def test_subsample_of_many_rows_and_few_full_passes():
    X, y = teacher_data("tanh", n=20_000)
    objective = make_objective(X, y, "tanh")
    iterates = train(objective, tol=1e-8)
    sizes = [iterate.objective.source.n_rows for iterate in iterates]
    assert sizes == sorted(sizes)
    assert sizes[0] < 2000
    assert sizes.count(20_000) <= 6
    exact = train(objective, tol=1e-15, start=iterates[-1].theta)[-1]
    null = objective.total(objective.null())
    left = objective.total(iterates[-1].theta) - exact.value
    assert left <= 1e-8 * (null - exact.value)


@pytest.mark.parametrize("active", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("order", ["C", "F"])
def test_hessian_of_a_neuron_that_is_silent_on_many_rows(active, order):
    rng = np.random.default_rng(0)
    X, y = np.asarray(5 + rng.standard_normal((3000, 4)), order=order), rng.random(3000)
    objective = make_objective(X, y, "relu", alpha=0.0)
    theta = np.append(rng.standard_normal(4), 0.0)[None]
    rows = np.c_[(X - objective.coordinates.center) / objective.coordinates.scale, np.ones(3000)]
    z = np.sort(rows @ theta[0])
    # Halfway between two rows, so that rounding puts none on the other side.
    edges = np.r_[z[0] - 1, (z[1:] + z[:-1]) / 2, z[-1] + 1]
    theta[0, -1] = -edges[3000 - int(active * 3000)]
    on = rows[rows @ theta[0] > 0]
    assert abs(len(on) / 3000 - active) < 1e-3
    hessian = objective.value_gradient_hessian(theta)[2][0]
    np.testing.assert_allclose(hessian, on.T @ on / 3000, atol=1e-12)


def searches_of(objective, seed=0):
    return find_start(objective, np.random.default_rng(seed))[0]


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus"])
def test_few_starts_where_they_agree(activation):
    X, y = teacher_data(activation, n=5000)
    searches = searches_of(make_objective(X, y, activation))
    assert [found.sample.n_rows for found in searches] == [400, 2000]
    assert len(searches[0].ends[0]) <= 6
    assert len(searches[1].ends[0]) == 1


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus", "silu"])
def test_descents_that_become_one_end_where_each_would_alone(activation):
    X, y = teacher_data(activation, n=5000)
    together = searches_of(make_objective(X, y, activation))[0]
    rng = np.random.default_rng(0)
    alone = Search(
        together.objective,
        together.null,
        together.yardstick.rounding,
        rng,
        tol=together.yardstick.tol,
    )
    for fit in alone.starts.fits:
        alone.descend(fit[None], early=False)
    ends = together.ends[0]
    assert len({end.theta.tobytes() for end in ends}) < len(ends)
    for end, expected in zip(ends, alone.ends[0], strict=True):
        assert abs(end.value - expected.value) < 1e-3 * together.null_value[0]
        # Its own way leads to the end, but for a step that nobody looked at.
        seen = end.path()[-1][1]
        assert 0 <= seen - end.value < ROUGH_END * together.null_value[0]


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_a_fit_to_rows_that_are_surely_active_is_near_the_end(activation):
    X, y = teacher_data(activation, n=5000)
    if activation == "relu":
        y = np.maximum(y, 0)
    few, more = searches_of(make_objective(X, y, activation))
    assert len(few.lowest(0).path()) == 1
    assert len(more.ends[0]) == 1


@pytest.mark.parametrize("unit", [1e-3, 1e5])
@pytest.mark.parametrize("bias", [-1.0, 0.3])
def test_a_stretched_fit_begins_near_its_end(bias, unit):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    z = X @ rng.standard_normal(4) + bias
    y = np.maximum(z + 0.1 * rng.standard_normal(400), 0)
    objective = make_objective(X, unit * y, "relu")
    starts = searches_of(objective)[0].starts
    flat, stretched, (null,) = starts.fits, starts.stretched(), objective.value(objective.null())
    for k in (0, 2):
        assert objective.value(flat[k]) > 0.1 * null
        assert objective.value(stretched[k]) < 0.5 * objective.value(flat[k])
    np.testing.assert_array_equal(stretched[1::2], flat[1::2])


def test_nothing_is_stretched_where_no_row_is_surely_active():
    X, _ = teacher_data("relu")
    starts = searches_of(make_objective(X, -1 - np.arange(400) / 400, "relu"))[0].starts
    assert_allclose(starts.stretched(), starts.fits)


def test_one_step_on_more_rows_ends_where_a_descent_does():
    X, y = teacher_data("gelu", n=5000)
    few, more = searches_of(make_objective(X, y, "gelu"))
    (end,) = more.ends[0]
    assert len(end.path()) == 1
    exact = Search(
        more.objective, more.null, more.yardstick.rounding, np.random.default_rng(0), tol=1e-14
    )
    exact.descend(few.lowest(0).theta[None, None], is_near=True)
    gain = more.null_value[0] - exact.lowest(0).value
    for value in (end.value, more.sample.values(end.theta[None])[0]):
        assert abs(value - exact.lowest(0).value) <= more.yardstick.tol * gain
    # From far off it takes more than a step.
    assert not exact.refine(more.null)
    assert len(exact.ends[0]) == 1


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e5])
def test_relu_whose_targets_are_in_its_range_takes_few_full_passes(unit):
    X, y = teacher_data("relu", n=20_000)
    objective = make_objective(X, unit * np.maximum(y, 0), "relu")
    (searches, _) = find_start(objective, np.random.default_rng(0))
    assert not any(found.rounds_off for found in searches)
    last = (iterates := train(objective, tol=1e-6))[-1]
    assert not last.message
    assert [iterate.objective.source.n_rows for iterate in iterates].count(20_000) <= 4
    # No step of any length leads lower.
    exact = train(objective, tol=1e-12, start=last.theta)[-1].value
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-3, 1e-2, 0.1):
        for _ in range(5):
            near = last.theta + unit * size * rng.standard_normal(last.theta.shape)
            exact = min(exact, train(objective, tol=1e-9, start=near)[-1].value)
    gain = objective.total(objective.null()) - exact
    assert objective.total(last.theta) - exact <= 1e-6 * gain


def test_kinks_are_rounded_off_where_weights_may_fit_noise():
    X, y = teacher_data("relu", n=900, noise=1.5)
    objective = make_objective(X, np.maximum(y, 0), "relu")
    assert not objective.minima_lie_on_kinks
    assert all(found.rounds_off for found in searches_of(objective))
    exact = train(objective, tol=1e-12)[-1]
    assert not exact.message
    assert gradient_norm_at(objective, exact.theta) < 1e-5 * objective.total(objective.null())


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus"])
def test_the_last_value_is_that_of_all_rows_though_some_are_far_out(activation):
    X, y = teacher_data(activation, n=20_000)
    rare = np.random.default_rng(1).choice(20_000, 5, replace=False)
    X[rare] *= 30.0
    objective = make_objective(X, y, activation)
    assert objective.pair.convex is False
    last = train(objective, tol=1e-6)[-1]
    gain = objective.total(objective.null()) - last.value
    assert abs(objective.total(last.theta) - last.value) <= 1e-6 * gain
    exact = train(objective, tol=1e-13, start=last.theta)[-1]
    assert objective.total(last.theta) - exact.value <= 1e-6 * gain


def test_many_weights_have_as_many_rows_each():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 40))
    y = np.tanh(X @ rng.standard_normal(40) / 6) + 0.05 * rng.standard_normal(20_000)
    searches = searches_of(make_objective(X, y, "tanh"))
    assert [found.sample.n_rows for found in searches] == [820, 95 * 41]
    assert len(searches[0].ends[0]) <= 6


@pytest.mark.parametrize("budget", [0, 3e5, 5e5, 1e6, 2e6])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_there_may_be_none_at_random(activation, budget, monkeypatch):
    """As of hundreds of columns, with which a descent takes its time."""
    X, y = teacher_data(activation, n=100)
    monkeypatch.setattr(search, "BUDGET", budget)
    (found,) = searches_of(make_objective(X, y, activation))
    assert 5 <= len(found.ends[0]) <= 30


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_few_starts_where_all_rows_are_few_but_enough(activation):
    X, y = teacher_data(activation, n=500)
    (search,) = searches_of(make_objective(X, y, activation))
    assert len(search.ends[0]) == 4
    X, y = teacher_data(activation, n=100)
    (search,) = searches_of(make_objective(X, y, activation))
    assert len(search.ends[0]) > 16


def test_more_starts_and_rows_where_chance_may_explain_it():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20_000, 4)), rng.standard_normal(20_000)
    searches = searches_of(make_objective(X, y, "tanh"))
    assert len(searches[0].ends[0]) > 30
    assert searches[-1].sample.n_rows > 2000


def test_valley_behind_the_dip_is_found():
    # Every level is below the rows' mean of a rising gelu: the teacher works on its falling branch.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3))
    y = make_pair("gelu", "squared_error").level(0.8 * (X @ [0.6, -0.5, 0.4]) - 2.0)
    y = y + 0.1 * y.std() * rng.standard_normal(4000)
    objective = make_objective(X, y, "gelu", alpha=1e-7)
    for seed in range(5):
        last = train(objective, tol=1e-6, seed=seed)[-1]
        assert last.value < 0.02 * objective.total(objective.null())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_rare_column_that_a_part_of_the_rows_knows_little_of(activation):
    # The first Hessian of many rows is that of a part, which holds next to none of these.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 3))
    X[:, 2] = 0
    X[rng.choice(20_000, 8, replace=False), 2] = 1
    level = make_pair(activation, "squared_error").level(X @ [1.0, -1.0, 5.0])
    y = level + 0.1 * rng.standard_normal(20_000)
    objective = make_objective(X, y, activation, alpha=1e-9)
    last = train(objective, tol=1e-7)[-1]
    assert not last.message
    exact = train(objective, tol=1e-14, start=last.theta)[-1]
    gain = objective.total(objective.null()) - exact.value
    assert objective.total(last.theta) - exact.value <= 1e-6 * gain


def test_an_end_is_where_its_value_says_though_columns_are_rare():
    # There a Newton step may send a weight so far that it is not the last one.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 18))
    X[:, :9] = rng.random((4000, 9)) < rng.uniform(0.02, 0.5, 9)
    z = (X / X.std(axis=0)) @ rng.standard_normal(18) / 2
    level = make_pair("elu", "squared_error").level(z)
    y = level + 0.05 * level.std() * rng.standard_normal(4000)
    objective = make_objective(X, y, "elu", alpha=1e-6)
    for seed in range(10):
        found = searches_of(objective, seed)[-1]
        for end in found.ends[0]:
            off = found.sample.values(end.theta[None])[0] - end.value
            assert abs(off) < 1e-3 * found.null_value[0]


def test_smoothed_loss_searches_too():
    # The best level for the smoothed loss is another one than where the training begins.
    X, y = teacher_data("relu", n=200, seed=3)
    objective = make_objective(X, y, "relu", "huber")
    start = objective.null()
    start[:, -1] += 0.1
    assert train(objective, start=start)[0].objective is not objective


def test_noise_alone_where_the_subsample_misleads():
    # Where it sends the full data, the loss may curve down along some weight.
    for seed in (1, 22, 43, 58):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((5000, 3)), rng.standard_normal(5000)
        objective = make_objective(X, y, "sigmoid", alpha=1e-5)
        last = train(objective, tol=1e-6)[-1]
        assert not last.message
        assert last.value < objective.total(objective.null())


def test_starts_at_the_null_neuron():
    X, y = teacher_data("tanh")
    objective = make_objective(X, y, "tanh")
    np.testing.assert_array_equal(train(objective)[0].theta, objective.null())


def test_goes_on_from_a_warm_start_only():
    X, y = teacher_data("tanh")
    objective = make_objective(X, y, "tanh")
    best = train(objective)[-1]
    start = best.theta + 0.1
    iterates = train(objective, start=start)
    np.testing.assert_array_equal(iterates[0].theta, start)
    assert all(iterate.objective is objective for iterate in iterates)
    np.testing.assert_allclose(iterates[-1].theta, best.theta, rtol=1e-5, atol=1e-6)


def test_far_warm_start_comes_down():
    X, y = teacher_data("softplus")
    objective = make_objective(X, y, "softplus")
    start = objective.null() - 3.0
    iterates = train(objective, start=start)
    values = [iterate.value for iterate in iterates]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1.001 * train(objective)[-1].value


def test_dead_neuron_is_revived():
    X, y = teacher_data("relu")
    objective = make_objective(X, y, "relu")
    dead = objective.null()
    dead[:, -1] = -10.0
    last = train(objective, start=dead)[-1]
    assert objective.flat_fraction(last.theta)[0] < 1
    assert last.value < 0.2 * objective.total(dead)


def test_dead_neuron_where_none_fits_better():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    objective = make_objective(X, -1 - rng.random(200), "relu", alpha=0.1)
    last = train(objective)[-1]
    assert last.value <= objective.total(objective.null())
    assert np.all(np.isfinite(last.theta))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_neurons_side_by_side_end_where_each_would_alone(activation):
    X, y = teacher_data(activation)
    Y = np.c_[y, teacher_data(activation, seed=1)[1], -y]
    together = make_objective(X, Y, activation)
    theta = train(together)[-1].theta
    for k in range(3):
        alone = make_objective(X, Y[:, k], activation)
        best = train(alone)[-1]
        assert alone.total(theta[k : k + 1]) == pytest.approx(best.value, rel=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_weight_of_k_is_k_copies(activation):
    X, y = teacher_data(activation, n=150)
    weight = np.random.default_rng(0).integers(1, 4, size=150).astype(float)
    weighted = make_objective(X, y, activation, sample_weight=weight)
    copies = weight.astype(int)
    repeated = make_objective(np.repeat(X, copies, axis=0), np.repeat(y, copies), activation)
    a, b = (
        np.hstack([x.ravel() for x in o.to_weights(train(o)[-1].theta)])
        for o in (weighted, repeated)
    )
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_equals_dense(activation, fit_intercept):
    rng = np.random.default_rng(0)
    X = sparse.random(300, 6, density=0.4, format="csr", random_state=0)
    y = make_pair(activation, "squared_error").level(X @ rng.standard_normal(6)) + 0.1 * rng.random(
        300
    )
    values = [
        train(make_objective(rows, y, activation, fit_intercept=fit_intercept))[-1].value
        for rows in (X, X.toarray())
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


def test_classifier_levels_are_sent_back():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    y = (X @ [1.0, -2.0, 0.5] + rng.standard_normal(500) > 0).astype(float)
    objective = make_objective(X, y, "softsign", "log_loss", classifier=True)
    last = train(objective)[-1]
    assert last.value < 0.9 * objective.total(objective.null())
    assert gradient_norm_at(objective, last.theta) < 1e-6


def test_convex_pair_needs_no_search():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_cauchy(200)
    objective = make_objective(X, y, "identity", "huber")
    iterates = train(objective)
    assert all(iterate.objective is objective for iterate in iterates)
    assert iterates[-1].gradient_norm < 1e-8


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_same_seed_same_bits(activation):
    X, y = teacher_data(activation, n=3000)
    thetas = [train(make_objective(X, y, activation), seed=7)[-1].theta for _ in range(2)]
    np.testing.assert_array_equal(*thetas)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_any_unit_of_the_columns(activation, unit):
    X, y = teacher_data(activation)
    plain, other = (make_objective(rows, y, activation, alpha=0.0) for rows in (X, X * unit))
    assert train(plain)[-1].value == pytest.approx(train(other)[-1].value, rel=1e-7)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 3), (5, 10)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus"])
def test_few_rows(activation, n, p):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, p)), rng.random(n)
    objective = make_objective(X, y, activation, alpha=1e-3)
    last = train(objective, tol=1e-8)[-1]
    assert last.value <= objective.total(objective.null()) + 1e-15


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_constant_and_doubled_columns(activation):
    X, y = teacher_data(activation)
    X = np.c_[X, np.full(len(X), 3.0), X[:, 0]]
    objective = make_objective(X, y, activation)
    last = train(objective, tol=1e-10)[-1]
    assert last.value < 0.5 * objective.total(objective.null())


def test_step_over_kinks_against_a_brute_force_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = rng.standard_normal((6, 2))
        hessian = A.T @ A
        rows, t, jump = rng.standard_normal((8, 2)), 0.3 * rng.standard_normal(8), rng.random(8)
        gradient = rng.standard_normal(2)
        base = gradient - (jump * (t > 0)) @ rows

        def model(x):
            hinge = np.maximum(t + x @ rows.T, 0) - np.maximum(t, 0)
            return x @ base + 0.5 * np.einsum("...i,ij,...j", x, hessian, x) + hinge @ jump

        x, decrease = step_over_kinks(hessian, gradient, rows, t, jump)
        assert decrease == pytest.approx(-model(x), abs=1e-12)
        for size in (1.0, 1e-2, 1e-4, 1e-6):
            assert np.all(model(x + size * rng.standard_normal((2000, 2))) >= model(x) - 1e-13)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("curvature", [1.0, 1e-13])
def test_step_over_kinks_where_kinks_alone_hold_it(curvature, repeated):
    """However long Newton's first direction is, all that lies behind the first kinks is found."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        hessian = np.diag([curvature, curvature, 1.0, 1.0])
        rows, t = rng.standard_normal((30, 4)), 0.3 * rng.standard_normal(30)
        if repeated:
            rows, t = np.repeat(rows[:10], 3, axis=0), np.repeat(t[:10], 3)
        t[:3] = 0.0
        jump = 10 * rng.random(30)
        # Some multipliers balance the slope, so that the kinks keep the step finite.
        base = -(jump * rng.random(30)) @ rows

        def model(x):
            hinge = np.maximum(t + x @ rows.T, 0) - np.maximum(t, 0)
            return x @ base + 0.5 * np.einsum("...i,ij,...j", x, hessian, x) + hinge @ jump

        gradient = base + (jump * (t > 0)) @ rows
        x, decrease = step_over_kinks(hessian, gradient, rows, t, jump)
        assert decrease == pytest.approx(-model(x), abs=1e-11)
        for size in (1.0, 1e-2, 1e-4, 1e-6):
            assert np.all(model(x + size * rng.standard_normal((2000, 4))) >= model(x) - 1e-11)


def test_step_over_kinks_goes_down_beside_a_slope_that_is_but_rounding():
    rng = np.random.default_rng(0)
    rows, jump = np.c_[rng.standard_normal((30, 3)), np.full(30, 1e7)], np.full(30, 1e-2)
    gradient = np.array([2e-5, -6e-5, 7e-5, 1e-12])
    hessian = np.diag([1.0, 1.0, 1.0, 1e-13])
    _, decrease = step_over_kinks(hessian, gradient, rows, np.full(30, -1e9), jump)
    assert decrease == pytest.approx(0.5 * np.sum(gradient[:3] ** 2), rel=1e-6)


def test_a_step_whose_kinks_are_not_sorted_out_is_not_taken_for_the_end(monkeypatch):
    """Rounding can keep rows coming to a kink and leaving it for ever."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (60, 3)).astype(float)
    objective = make_objective(X, rng.standard_normal((60, 1)), "relu")
    theta = train(objective, tol=1e-10)[-1].theta
    assert KinkedDescent(objective, theta).undamped_decrement() < 1e-10
    monkeypatch.setattr("sknneuron.solvers.kinks.LEAST_CHANGES", 1)
    monkeypatch.setattr("sknneuron.solvers.kinks.CHANGES_PER_ROW", 0)
    assert np.isinf(KinkedDescent(objective, theta).undamped_decrement())
    assert not train(objective, tol=1e-10)[-1].gap < np.inf


@pytest.mark.parametrize("loss", ["absolute_error", "squared_error"])
def test_rows_on_a_kink_are_taken_on_the_side_that_the_gradient_has_them_on(loss):
    """Where they lie is but rounding, which depends on how the products are taken."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 8)) + 3
    y = -1 - rng.random((50, 3))
    objective = make_objective(X, y, "relu", loss, alpha=0.0)
    columns = np.c_[(X - objective.coordinates.center) / objective.coordinates.scale, np.ones(50)]
    for _ in range(20):
        on = [rng.choice(50, 7, replace=False) for _ in range(3)]
        coef = np.array([np.linalg.svd(X[rows])[2][-1] for rows in on])
        theta = objective.from_weights(coef, np.zeros(3))
        _, gradient = objective.value_and_gradient(theta)
        for k, (rows, t, _) in enumerate(KinkedDescent(objective, theta)._near_rows()):
            z = X @ coef[k]
            same = np.array([np.abs(columns - row).sum(axis=1).argmin() for row in rows])
            assert np.isin(on[k], same).all()
            z[same] = t
            slope = objective.pair.derivatives(y[:, k], z, 1)[1]
            assert_allclose(gradient[k], slope @ columns / 50, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_soft_pair_has_the_derivatives_of_its_loss_and_no_kink_left_for_a_small_width(activation):
    pair = make_pair(activation, "squared_error")
    z = np.linspace(-1, 1, 41)[:, None] + 0.01
    y = np.linspace(-1, 2, 41)[:, None]
    soft = SoftPair(pair, 0.2)
    _, slope, curvature = soft.derivatives(y, z, 2)
    h = 1e-5
    low, high = (soft.derivatives(y, z + side, 1) for side in (-h, h))
    np.testing.assert_allclose(slope, (high[0] - low[0]) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(curvature, (high[1] - low[1]) / (2 * h), atol=1e-6)
    sharp, narrow = pair.derivatives(y, z, 1), SoftPair(pair, 1e-4).derivatives(y, z, 1)
    np.testing.assert_allclose(narrow[0], sharp[0], atol=1e-3)


@pytest.mark.parametrize("power", [-1.0, 0.0, 3.0])
@pytest.mark.parametrize("n_rows", [40, 3000])
def test_objectives_below_zero(power, n_rows):
    """Losses of positive levels have arbitrary zeros: the lowest end is the lowest all the same."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3))
    level = np.exp(X @ [0.5, -1.0, 0.25])
    y = level * np.exp(0.1 * rng.standard_normal(n_rows))
    neuron = NeuronRegressor("exp", Tweedie(power), alpha=0, random_state=0).fit(X, y)
    assert neuron.converged_
    assert neuron.objective_ < np.mean(Tweedie(power)(y, level)) < 0
