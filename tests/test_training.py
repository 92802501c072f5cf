"""The training loop through the estimators: validation, stopping, going on, saying what happens."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.history import History
from sknneuron.objective import Objective
from sknneuron.pairing import make_pair
from sknneuron.penalties import ElasticNet
from sknneuron.solvers import SOLVERS
from sknneuron.solvers.base import Iterate, Solver
from sknneuron.sources import ArraySource
from sknneuron.training import Stopping, Training

RNG = np.random.default_rng(1)
X = RNG.standard_normal((200, 5))
Z = X @ [1.0, -2.0, 0.5, 0.0, 0.3]
Y = Z + RNG.standard_normal(200)
LABELS = (Y > 0).astype(int)
X_VAL = RNG.standard_normal((80, 5))
Y_VAL = X_VAL @ [1.0, -2.0, 0.5, 0.0, 0.3] + RNG.standard_normal(80)
CURVES = {
    "iteration",
    "n_rows",
    "elapsed",
    "loss",
    "penalty",
    "objective",
    "gradient_norm",
    "step_size",
}
ALL = ["auto", *SOLVERS]


def regressor(solver, **params):
    l1_ratio = 0.3 if solver == "proximal_newton" else 0.0
    return NeuronRegressor(solver=solver, l1_ratio=l1_ratio, alpha=1e-3, random_state=0, **params)


@pytest.mark.parametrize("solver", ALL)
def test_history_of_every_solver(solver):
    neuron = regressor(solver).fit(X, Y)
    history = neuron.history_
    assert set(history) == CURVES | {"coef", "intercept"}
    n = len(history["iteration"])
    assert n >= 2
    assert all(len(values) == n for values in history.values())
    assert history["coef"].shape == (n, 1, 5)
    assert history["intercept"].shape == (n, 1)
    assert history["iteration"][0] == 0
    assert np.all(np.diff(history["iteration"]) > 0)
    assert np.all(np.diff(history["elapsed"]) >= 0)
    # The start is the best neuron with a bias alone, the end what was fitted.
    np.testing.assert_array_equal(history["coef"][0], 0)
    np.testing.assert_allclose(history["intercept"][0], Y.mean(), rtol=1e-12)
    np.testing.assert_array_equal(history["coef"][-1][0], neuron.coef_)
    np.testing.assert_array_equal(history["intercept"][-1], neuron.intercept_)
    np.testing.assert_allclose(history["objective"][-1], neuron.objective_, rtol=1e-12)
    np.testing.assert_allclose(history["objective"], history["loss"] + history["penalty"])
    residual = Y - neuron.predict(X)
    np.testing.assert_allclose(history["loss"][-1], 0.5 * np.mean(residual**2), rtol=1e-8)
    l1, l2 = 1e-3 * neuron.l1_ratio, 1e-3 * (1 - neuron.l1_ratio)
    penalty = l1 * np.abs(neuron.coef_).sum() + 0.5 * l2 * np.sum(neuron.coef_**2)
    np.testing.assert_allclose(history["penalty"][-1], penalty, rtol=1e-8)


@pytest.mark.parametrize("solver", ALL)
def test_gradient_norm_by_hand(solver):
    neuron = (
        regressor(solver, max_iter=3, tol=0) if solver != "least_squares" else regressor(solver)
    )
    with pytest.warns(ConvergenceWarning) if solver in ("lbfgs", "sgd", "adam") else nullcontext():
        history = neuron.fit(X, Y).history_
    for i in range(len(history["iteration"])):
        if np.isnan(history["gradient_norm"][i]):
            continue
        w, b = history["coef"][i][0], history["intercept"][i][0]
        r = X @ w + b - Y
        l1, l2 = 1e-3 * neuron.l1_ratio, 1e-3 * (1 - neuron.l1_ratio)
        g = X.T @ r / 200 + l2 * w
        g = np.where(w == 0, np.sign(g) * np.maximum(np.abs(g) - l1, 0), g + l1 * np.sign(w))
        expected = np.sqrt(np.sum(g**2) + r.mean() ** 2)
        np.testing.assert_allclose(history["gradient_norm"][i], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("record", ["loss", False])
def test_record(record):
    history = NeuronClassifier(record=record).fit(X, LABELS).history_
    assert set(history) == (CURVES | {"saturated_fraction"} if record == "loss" else set())


@pytest.mark.parametrize(("activation", "key"), [("relu", "dead"), ("tanh", "saturated")])
def test_flat_rows_are_counted(activation, key):
    neuron = NeuronRegressor(activation, random_state=0).fit(X, np.clip(Z, 0, 0.9))
    share = neuron.history_[f"{key}_fraction"]
    assert share.shape == (len(neuron.history_["iteration"]), 1)
    assert np.all((share >= 0) & (share <= 1))
    if key == "dead":
        np.testing.assert_allclose(share[-1, 0], np.mean(neuron.pre_activation(X) < 0))


def test_flat_rows_are_those_of_all_rows_where_iterates_saw_a_part():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 3))
    neuron = NeuronRegressor("relu", random_state=0).fit(X, np.maximum(X[:, 0] - 1, 0))
    history = neuron.history_
    assert history["n_rows"][0] < 6000 == history["n_rows"][-1]
    X = X[np.linspace(0, 5999, 1000).astype(int)]
    for coef, intercept, share in zip(
        history["coef"], history["intercept"], history["dead_fraction"], strict=True
    ):
        np.testing.assert_allclose(share, np.mean(X @ coef.T + intercept <= 0, axis=0))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_flat_rows_of_each_iterate_by_hand(n_classes):
    labels = np.digitize(Z, np.quantile(Z, np.arange(1, n_classes) / n_classes))
    history = NeuronClassifier().fit(X, labels).history_
    for i, share in enumerate(history["saturated_fraction"]):
        z = X @ history["coef"][i].T + history["intercept"][i]
        p = special.softmax(z, axis=1) if n_classes == 3 else special.expit(z)
        np.testing.assert_allclose(share, np.mean(p * (1 - p) < 0.01 * 0.25, axis=0))
    assert share.max() > 0


@pytest.mark.parametrize("solver", ALL)
def test_own_validation_rows_are_recorded(solver):
    neuron = regressor(solver).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    curve = neuron.history_["validation_loss"]
    assert curve.shape == neuron.history_["iteration"].shape
    np.testing.assert_allclose(
        curve[-1], 0.5 * np.mean((Y_VAL - neuron.predict(X_VAL)) ** 2), rtol=1e-10
    )
    # They are looked at, not learnt from.
    np.testing.assert_array_equal(neuron.coef_, regressor(solver).fit(X, Y).coef_)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "adam"])
def test_sparse_validation_rows_beside_dense_ones_far_from_zero(solver):
    """Dense rows are centred there before all else, and sparse ones cannot be."""
    far = np.array([1e7] + [0] * (X.shape[1] - 1))
    fits = (
        NeuronRegressor(solver=solver, random_state=0).fit(X + far, Y, X_val=rows, y_val=Y_VAL)
        for rows in (X_VAL + far, sparse.csr_array(X_VAL + far))
    )
    dense, rows = (fit.history_["validation_loss"] for fit in fits)
    np.testing.assert_allclose(rows, dense, rtol=1e-6)


def test_validation_weights():
    weight = RNG.integers(0, 3, 80).astype(float)
    neuron = NeuronRegressor().fit(X, Y, X_val=X_VAL, y_val=Y_VAL, sample_weight_val=weight)
    loss = 0.5 * np.average((Y_VAL - neuron.predict(X_VAL)) ** 2, weights=weight)
    np.testing.assert_allclose(neuron.history_["validation_loss"][-1], loss, rtol=1e-12)


@pytest.mark.parametrize("solver", ["sgd", "adam", "newton", "lbfgs"])
@pytest.mark.parametrize("own", [True, False])
def test_early_stopping_keeps_the_best_iterate(solver, own):
    rng = np.random.default_rng(0)
    rows, more = rng.standard_normal((120, 40)), rng.standard_normal((200, 40))
    labels = (2 * rows[:, 0] + rng.standard_normal(120) > 0).astype(int)
    neuron = NeuronClassifier(
        solver=solver,
        alpha=0,
        early_stopping=True,
        n_iter_no_change=3,
        random_state=0,
        validation_fraction=0.3,
        tol=1e-10 if solver in ("newton", "lbfgs") else "auto",
    )
    given = {"X_val": more, "y_val": (more[:, 0] > 0).astype(int)} if own else {}
    neuron.fit(rows, labels, **given)
    history = neuron.history_
    best = int(np.argmin(history["validation_loss"]))
    np.testing.assert_array_equal(neuron.coef_, history["coef"][best])
    assert 0 < best < len(history["iteration"]) - 1
    assert neuron.converged_


def test_validation_rows_through_a_pipeline():
    rows, val = 1e3 * X + 5e4, 1e3 * X_VAL + 5e4
    pipe = Pipeline(
        [("scale", StandardScaler()), ("neuron", NeuronRegressor())], transform_input=["X_val"]
    )
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        pipe.named_steps["neuron"].set_fit_request(X_val=True, y_val=True)
        pipe.fit(rows, Y, X_val=val, y_val=Y_VAL)
    curve = pipe[-1].history_["validation_loss"]
    np.testing.assert_allclose(
        curve[-1], 0.5 * np.mean((Y_VAL - pipe.predict(val)) ** 2), rtol=1e-10
    )


def test_validation_rows_on_another_scale_warn():
    scaler = StandardScaler().fit(1e3 * X + 5e4)
    with pytest.warns(NeuronWarning, match="another scale.*transform_input"):
        NeuronRegressor().fit(
            scaler.transform(1e3 * X + 5e4), Y, X_val=1e3 * X_VAL + 5e4, y_val=Y_VAL
        )


@pytest.mark.parametrize("seed", range(5))
def test_rows_set_apart_are_on_no_other_scale(seed):
    """However few there are: nobody has given an X_val that could be scaled."""
    rows = np.random.default_rng(seed).normal(size=(3, 50))
    with warnings.catch_warnings(record=True) as caught:
        # Two rows of many columns give rise to other warnings, depending on the seed.
        warnings.simplefilter("always")
        NeuronRegressor(early_stopping=True, random_state=seed).fit(rows, Y[:3])
    assert not [w for w in caught if "scale" in str(w.message)]


def test_max_iter_warns_with_the_remedy():
    with pytest.warns(ConvergenceWarning, match="max_iter=2.*Raise max_iter"):
        neuron = NeuronClassifier(max_iter=2, tol=1e-12).fit(X, LABELS)
    assert not neuron.converged_
    assert neuron.n_iter_ == 2


def test_a_rate_too_large_warns_with_the_remedy():
    with pytest.warns(ConvergenceWarning, match="diverged.*learning_rate_init"):
        neuron = NeuronRegressor(solver="sgd", learning_rate_init=1e3, random_state=0).fit(X, Y)
    assert np.all(np.isfinite(neuron.coef_))


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd", "adam", "proximal_newton"])
def test_warm_start_goes_on(solver):
    neuron = NeuronClassifier(solver=solver, max_iter=3, warm_start=True, random_state=0, tol=0)
    with pytest.warns(ConvergenceWarning):
        neuron.fit(X, LABELS)
    first = neuron.history_
    neuron.set_params(max_iter=500, tol="auto").fit(X, LABELS)
    history = neuron.history_
    n = len(first["iteration"])
    for key in first:
        np.testing.assert_array_equal(history[key][:n], first[key])
    np.testing.assert_array_equal(history["coef"][n], first["coef"][-1])
    assert np.all(np.diff(history["iteration"]) > 0)
    cold = NeuronClassifier(solver=solver, max_iter=500, random_state=0).fit(X, LABELS)
    assert neuron.objective_ == pytest.approx(cold.objective_, rel=1e-3)


@pytest.mark.parametrize("factor", [1e3, -1e6])
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "proximal_newton"])
@pytest.mark.parametrize("loss", ["log_loss", "poisson", "squared_error", "huber"])
def test_warm_start_from_weights_worse_than_none_arrives(loss, solver, factor):
    """Weights in other units, whose exponentials overflow or leave no curvature."""
    if loss == "log_loss":
        neuron, y = NeuronClassifier(solver=solver), Y > 0
    else:
        activation = "exp" if loss == "poisson" else "identity"
        neuron, y = NeuronRegressor(activation, loss, solver=solver), np.exp(Y / 2)
    expected = neuron.fit(X, y).coef_.copy()
    neuron.set_params(warm_start=True).coef_ = factor * expected
    neuron.fit(X, y)
    assert neuron.converged_
    np.testing.assert_allclose(neuron.coef_, expected, rtol=1e-3, atol=1e-4)


def test_warm_start_at_the_optimum_has_nothing_to_do():
    neuron = NeuronClassifier(warm_start=True, solver="newton").fit(X, LABELS)
    before = neuron.coef_.copy()
    neuron.fit(X, LABELS)
    assert neuron.n_iter_ <= 1
    np.testing.assert_allclose(neuron.coef_, before, rtol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "auto"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_partial_fit_nears_the_optimum(solver, make):
    neuron = NeuronRegressor(solver=solver, random_state=0)
    for _ in range(60):
        for start in (0, 100):
            neuron.partial_fit(make(X[start : start + 100]), Y[start : start + 100])
    best = NeuronRegressor().fit(X, Y)
    assert neuron.solver_ == ("sgd" if solver == "sgd" else "adam")
    assert neuron.n_iter_ == 120
    assert len(neuron.history_["iteration"]) == 120
    assert np.all(np.diff(neuron.history_["iteration"]) == 1)
    assert neuron.score(X, Y) > best.score(X, Y) - 0.02


def test_partial_fit_of_classes():
    neuron = NeuronClassifier(random_state=0)
    three = np.digitize(Y, [-1, 1])
    for _ in range(30):
        neuron.partial_fit(X[three < 2], three[three < 2], classes=[0, 1, 2])
        neuron.partial_fit(X, three)
    assert neuron.coef_.shape == (3, 5)
    assert neuron.score(X, three) > 0.6


def test_partial_fit_goes_on_from_a_fit():
    neuron = NeuronRegressor(random_state=0).fit(X, Y)
    before, n = neuron.coef_.copy(), len(neuron.history_["iteration"])
    neuron.partial_fit(X, Y)
    assert len(neuron.history_["iteration"]) == n + 1
    np.testing.assert_allclose(neuron.coef_, before, atol=0.2)


def test_verbose_prints_a_line_an_iterate(capsys):
    neuron = NeuronClassifier(verbose=1).fit(X, LABELS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(neuron.history_["iteration"])
    assert lines[0].startswith("[NeuronClassifier] iteration 0  objective 0.69")
    assert "gradient" in lines[0]
    assert np.isnan(neuron.history_["gradient_norm"][-1])
    assert "nan" not in "".join(lines)
    NeuronClassifier().fit(X, LABELS)
    assert capsys.readouterr().out == ""


def test_dead_neuron_warns():
    with pytest.warns(NeuronWarning, match="Dead neuron.*TransformedTargetRegressor"):
        NeuronRegressor("relu", random_state=0).fit(X, np.zeros(200) - 0.0 * Y)


def test_constant_prediction_warns():
    with pytest.warns(NeuronWarning, match="same for every row.*lower alpha"):
        NeuronRegressor(alpha=100.0, l1_ratio=1.0).fit(X, Y)


def test_separable_classes_warn_without_a_penalty():
    with pytest.warns(NeuronWarning, match="separate the classes perfectly.*alpha > 0"):
        neuron = NeuronClassifier(alpha=0).fit(X, (Z > 0).astype(int))
    assert neuron.converged_
    assert neuron.score(X, Z > 0) == 1
    NeuronClassifier(alpha=1e-6).fit(X, (Z > 0).astype(int))


@pytest.mark.parametrize(
    ("gap", "message", "converged"),
    [
        (1e-12, "", True),
        # The line search found nothing lower: at the optimum there is nothing.
        (1e-12, "no lower point", True),
        (1e-3, "", False),
        (np.nan, "", False),
        (np.nan, "rank in doubt", False),
    ],
)
def test_a_last_iterate_has_converged_if_no_more_is_left_than_allowed(gap, message, converged):
    class OneStep(Solver):
        def iterate(self, objective, start, goal, rng):
            value = float(objective.value(start).sum())
            yield Iterate(start, value, 0.0, objective, gap=gap, last=True, message=message)

    pair = make_pair("identity", "squared_error")
    objective = Objective(ArraySource(X, Y[:, None]), pair, ElasticNet(0.0, 0.0), 1)
    start = objective.from_weights(np.array([[1.0, -2.0, 0.5, 0.0, 0.3]]), np.zeros(1))
    training = Training(objective, Stopping(10, 1e-6, 5, False), History("loss"))
    outcome = training.run(OneStep(), start)
    assert outcome.converged == converged
    assert message in outcome.reason or converged


def test_of_a_training_that_leaves_the_numbers_the_last_good_weights_are_kept():
    pair = make_pair("identity", "squared_error")
    objective = Objective(ArraySource(X, Y[:, None]), pair, ElasticNet(0.0, 0.0), 1)

    class Astray(Solver):
        def iterate(self, objective, start, goal, rng):
            for theta in (start, start + 0.1, start * np.nan):
                with np.errstate(invalid="ignore"):
                    value = float(objective.value(theta).sum())
                yield Iterate(theta, value, 1.0, objective)

    training = Training(objective, Stopping(10, 1e-6, 5, False), History("loss"))
    outcome = training.run(Astray(), objective.null())
    assert outcome.reason == "the objective is no longer finite: the training diverged"
    assert not outcome.converged
    assert outcome.objective == objective.total(objective.null() + 0.1)
    for weights, expected in zip(
        outcome.weights, objective.to_weights(objective.null() + 0.1), strict=True
    ):
        np.testing.assert_array_equal(weights, expected)
