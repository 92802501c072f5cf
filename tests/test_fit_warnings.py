"""The reason that a warning gives is the reason."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning

from .inspection.healthy import texts

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_columns_that_say_nothing_are_not_blamed_on_an_l2_penalty():
    with pytest.warns(NeuronWarning, match="no column tells the targets apart"):
        NeuronClassifier(alpha=1e-3).fit(X, [0, 1, 1, 0])


def test_an_l1_penalty_that_holds_every_weight_is_named():
    with pytest.warns(NeuronWarning, match=r"alpha=0\.3 holds every weight at zero"):
        NeuronClassifier(alpha=0.3, l1_ratio=1).fit(X, [0, 1, 1, 1])


@pytest.mark.parametrize("labels", [np.arange(1000, 1060), np.arange(60).astype(str)])
def test_nearly_as_many_classes_as_rows_are_said_before_the_fit(labels):
    rows = np.random.default_rng(0).standard_normal((60, 2))
    with pytest.warns(NeuronWarning, match="y holds 60 classes in 60 rows.*NeuronRegressor"):
        NeuronClassifier(alpha=1).fit(rows, labels)
    assert not said(NeuronClassifier(alpha=1e-2), rows, np.repeat(labels[:20], 3))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, lambda y: y.tolist()])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_given_as_an_indicator_matrix_are_said(n_classes, form):
    rows = np.random.default_rng(0).standard_normal((60, 2))
    y = np.eye(n_classes, dtype=int)[np.arange(60) % n_classes]
    for estimator in (NeuronClassifier(alpha=0.1), NeuronLayer(2, random_state=0)):
        (message,) = said(estimator, rows, form(y))
        assert "each row has exactly one" in message
        assert "numpy.argmax(y, axis=1)" in message
    both, missing = y.copy(), np.c_[y, np.zeros(60, int)]
    both[0] = 1
    for labels in (both, missing, y[:10]):
        assert said(NeuronClassifier(alpha=0.1), rows[: len(labels)], form(labels)) == []


def test_an_l2_penalty_that_rounding_hides_is_named():
    with pytest.warns(NeuronWarning, match=r"alpha=1e\+300 leaves next to nothing"):
        NeuronRegressor(alpha=1e300).fit(X, [0, 1, 2, 3])


def said(neuron, X, y, **fit_params):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        neuron.fit(X, y, **fit_params)
    return [str(w.message) for w in caught]


def some_rows():
    X = np.random.default_rng(0).normal(size=(300, 3))
    return X, X @ [2.0, -1.0, 0.5]


def test_a_penalty_on_small_units_is_said_once_and_no_column_is_blamed():
    X, z = some_rows()
    (message,) = said(NeuronRegressor(), X * 1e-8, z)
    assert "StandardScaler" in message


def test_a_penalty_is_not_blamed_where_no_loss_is_left():
    """All rows are on their margins or beyond: no data curves the loss, or is worth more weight."""
    X, y = texts(2, n=200, n_words=5000)
    assert said(NeuronClassifier("identity", "hinge", alpha=1e-4), X, y) == []


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_entries_of_few_sparse_rows_are_small_by_rights(share):
    """As those of words are; what all rows have is in small units."""
    rng = np.random.default_rng(0)
    has_entry = rng.permutation(1000) < 1000 * share
    X = sparse.csr_array((1e-3 * rng.random(1000) * has_entry)[:, None])
    y = np.asarray(X.todense()).ravel() > 5e-4
    messages = said(NeuronClassifier(alpha=1e-4), X, y)
    assert any("StandardScaler" in message for message in messages) == (share == 1)


def test_a_divergence_is_said_once():
    X, z = some_rows()
    neuron = NeuronRegressor(solver="sgd", learning_rate_init=10, random_state=0)
    (message,) = said(neuron, X, z)
    assert message.count("learning_rate_init") == 2  # as given, and what to do about it
    assert message.count("solver='auto'") == 1
    assert message.count("weights are") == 1


@pytest.mark.parametrize("warm_start", [True, False])
def test_a_dead_start_is_not_blamed_on_the_targets(warm_start):
    X, z = some_rows()
    neuron = NeuronRegressor("relu", random_state=0).fit(X, np.maximum(z, 0))
    neuron.coef_, neuron.intercept_ = np.zeros(3), -1.0
    messages = said(neuron.set_params(warm_start=warm_start, solver="sgd"), X, np.maximum(z, 0))
    assert ["warm_start=False" in message for message in messages] == [True] * warm_start


def test_how_a_pipeline_scales_validation_rows_is_said_in_full():
    """What the warning says works as it stands."""
    X, z = some_rows()
    (message, *_) = said(NeuronRegressor(), X, z, X_val=X + 100, y_val=z)
    for part in ("transform_input", "enable_metadata_routing", "set_fit_request"):
        assert part in message
    with config_context(enable_metadata_routing=True):
        neuron = NeuronRegressor(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        steps = [("scale", StandardScaler()), ("neuron", neuron)]
        model = Pipeline(steps, transform_input=["X_val"])
        assert said(model, 1000 + 100 * X, z, X_val=1000 + 100 * X[:50], y_val=z[:50]) == []


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu"])
def test_a_regressor_that_learns_nothing_says_so(activation):
    with pytest.warns(NeuronWarning, match="no column tells the targets apart"):
        NeuronRegressor(activation, random_state=0).fit(X, [0, 1, 1, 0])


@pytest.mark.parametrize("alpha", [0.0, 1e-4])
def test_a_loss_whose_optimum_is_a_constant_is_named(alpha):
    """Not the penalty: without one the weights are zero, too."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 4))
    z = rows @ [1.0, 2.0, 0.0, -1.0] + rng.standard_normal(300)
    with pytest.warns(NeuronWarning, match=r"neuron 1 \(of 3\) .* use loss='log_loss'"):
        NeuronClassifier("identity", "hinge", alpha=alpha).fit(rows, np.digitize(z, [-1, 1]))
    with pytest.warns(NeuronWarning, match="most targets are the same: use another quantile"):
        NeuronRegressor(loss="absolute_error", alpha=alpha).fit(rows, np.maximum(z - 1.5, 0))


@pytest.mark.parametrize("seed", range(3))
def test_noise_about_zero_is_no_answer(seed):
    with pytest.warns(NeuronWarning, match="predicts the same for every row"):
        NeuronClassifier(solver="sgd", random_state=seed).fit(X, [0, 1, 1, 0])


def test_a_divergence_is_told_once_with_what_would_do():
    neuron = NeuronClassifier(solver="sgd", learning_rate_init=100, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        neuron.fit(X, [0, 1, 1, 1])
    (warning,) = caught
    assert str(warning.message).count("solver='auto'") == 1
    assert str(warning.message).count("ower learning_rate_init") == 1


@pytest.mark.parametrize(("solver", "remedy"), [("auto", "Raise max_iter."), ("lbfgs", "'auto'.")])
def test_solver_auto_is_advised_to_who_has_not_got_it(solver, remedy):
    with pytest.warns(ConvergenceWarning) as caught:
        NeuronClassifier(solver=solver, max_iter=1).fit(X, [0, 1, 1, 1])
    assert str(caught[0].message).endswith(remedy)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "huber"])
def test_a_penalty_on_losses_in_units_of_large_targets_is_said(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X @ [1, -2, 0.5] + rng.normal(size=300)
    with pytest.warns(NeuronWarning, match=f"loss='{loss}' counts units of y"):
        NeuronRegressor(loss=loss).fit(X, 1e5 * y)
    NeuronRegressor(loss=loss).fit(X, y)
    NeuronRegressor(loss=loss, alpha=0).fit(X, 1e5 * y)


def test_a_divergence_that_no_setting_is_to_blame_for_has_a_remedy():
    from sknneuron._fit_warnings.ending import not_converged
    from sknneuron.training import Outcome

    X, z = some_rows()
    neuron = NeuronRegressor().fit(X, z)
    weights = neuron.coef_, neuron.intercept_
    message, _ = not_converged(neuron, Outcome(weights, np.inf, 3, False, "the training diverged"))
    assert "diverged" in message
    assert "raise alpha" in message


def rare(n=600, classes=2):
    """A column that six rows have, all of the last class."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, 4))
    X[:, 2] = 0
    carriers = rng.choice(n, 6, replace=False)
    X[carriers, 2] = 1
    z = X[:, 0] + rng.logistic(size=n)
    y = (z > 0) * 1 if classes == 2 else np.digitize(z, [-1, 1])
    y[carriers] = classes - 1
    return X, y, carriers


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("n", [600, 20_000])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "probit", "cloglog", "softmax"])
def test_a_weight_that_nothing_keeps_from_growing_is_named(activation, n, make):
    X, y, _ = rare(n, 3 if activation == "softmax" else 2)
    neuron = NeuronClassifier(activation, alpha=0)
    (message,) = said(neuron, make(X), y)
    assert message.startswith("column 2: all rows with another value than most are of one class")
    assert "alpha > 0" in message
    assert said(NeuronClassifier(activation, alpha=1e-6), make(X), y) == []


def test_a_column_that_grows_both_ways_is_named():
    X, y, carriers = rare()
    X[carriers[:3], 2], y[carriers[:3]] = -1, 0
    assert len(said(NeuronClassifier(alpha=0), X, y)) == 1


@pytest.mark.parametrize("change", ["target", "weight", "side"])
def test_a_weight_that_one_row_holds_is_not_named(change):
    X, y, carriers = rare()
    weight = np.ones(len(y))
    if change == "target":
        y[carriers[0]] = 0
    elif change == "weight":
        # Held by rows that count, not by those that do not.
        y[carriers[:2]], weight[carriers[0]] = 0, 0
    else:
        X[carriers[0], 2] = -1
    assert said(NeuronClassifier(alpha=0), X, y, sample_weight=weight) == []


def test_without_a_bias_other_rows_hold_a_weight_too():
    X, y, _ = rare()
    X[:, 2] += 1
    assert len(said(NeuronClassifier(alpha=0), X, y)) == 1
    assert said(NeuronClassifier(alpha=0, fit_intercept=False), X, y) == []


def test_rows_without_weight_hold_nothing():
    X, y, carriers = rare()
    weight = np.ones(len(y))
    y[carriers[0]], weight[carriers[0]] = 0, 0
    assert len(said(NeuronClassifier(alpha=0), X, y, sample_weight=weight)) == 1


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "probit", "cloglog"])
@pytest.mark.parametrize("n", [20, 200, 5000])
def test_a_label_that_is_told_apart_without_an_error_is_named(n, activation, solver):
    """Its weights grow for ever, while the other neurons have come to their ends."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    z = X @ [1, -2, 0.5]
    y = np.c_[rng.random(n) < 0.3, z > 0, z + rng.logistic(size=n) > 0].astype(int)
    neurons = NeuronClassifier(activation, alpha=0, solver=solver)
    (message,) = said(neurons, X, y)
    assert message.startswith("The columns separate the classes of neuron 1 (of 3) perfectly")
    assert neurons.converged_
    assert neurons.n_iter_ <= 200
    assert said(NeuronClassifier(activation, alpha=1e-6), X, y) == []


@pytest.mark.parametrize("alpha", [0, 1e-4])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "cloglog"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_label_that_all_rows_have_or_none_is_not_told_apart_by_columns(
    alpha, activation, weighted
):
    """As in a fold that lacks a rare label: the bias alone gets it right."""
    X, z = some_rows()
    noisy = z + np.random.default_rng(1).logistic(size=len(z)) > 0
    none, weight = np.zeros(len(z)), np.ones(len(z))
    if weighted:
        none[:5], weight[:5] = 1, 0
    given = {"sample_weight": weight} if weighted else {}
    neurons = NeuronClassifier(activation, alpha=alpha)
    assert said(neurons, X, np.c_[noisy, none, 1 - none].astype(int), **given) == []
    assert np.all(neurons.predict(X)[:, 1:] == [0, 1])
    if not weighted:
        assert said(neurons, X, np.c_[none, 1 - none].astype(int)) == []
    if alpha == 0:
        (message,) = said(neurons, X, np.c_[noisy, none, z > 0].astype(int), **given)
        assert message.startswith("The columns separate the classes of neuron 2 (of 3) perfectly")


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "proximal_newton", "sgd", "adam"])
def test_a_softsign_that_is_at_its_end_on_every_row_stays_there(solver):
    """It nears its ends so slowly that a level is one to the last digit, where a slope is 0 / 0."""
    X, z = some_rows()
    noisy = z + np.random.default_rng(1).logistic(size=len(z)) > 0
    y = np.c_[noisy, np.zeros(len(z)), np.ones(len(z))].astype(int)
    neurons = NeuronClassifier("softsign", solver=solver, random_state=0)
    said(neurons, X, y)
    assert np.all(np.isfinite(neurons.coef_))
    assert np.all(np.isfinite(neurons.intercept_))
    assert np.all(neurons.predict(X)[:, 1:] == [0, 1])
    assert neurons.score(X, y) > 0.7


ONE_CLASS = {
    "sigmoid": NeuronClassifier(alpha=0),
    "penalised": NeuronClassifier(),
    "probit": NeuronClassifier("probit", alpha=0),
    "hinge": NeuronClassifier(loss="hinge"),
    "softmax": NeuronClassifier(alpha=0),
    "regressor": NeuronRegressor(),
    "layer": NeuronLayer(2, random_state=0),
}


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("name", ONE_CLASS)
def test_rows_of_one_target_that_count_alone_are_said(name, by):
    X, z = some_rows()
    y = np.digitize(z, [-1, 1] if name == "softmax" else [0])
    estimator, given = clone(ONE_CLASS[name]), {}
    if by == "sample_weight" or name == "regressor":
        given["sample_weight"] = (y == y.max()) * 1.0
    else:
        estimator.set_params(class_weight={k: float(k == y.max()) for k in range(y.max() + 1)})
    (message,) = said(estimator, X, y, **given)
    assert message.startswith("All rows that count have the same target")


@pytest.mark.parametrize("unit", [1e-5, 1e-7, 1e-30])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "identity"])
def test_a_layer_that_targets_in_small_units_teach_nothing_says_so(activation, unit):
    X, z = some_rows()
    (message,) = said(NeuronLayer(3, activation, random_state=0), X, unit * z)
    assert "ower alpha" in message
    assert said(NeuronLayer(3, activation, random_state=0), X, z) == []
