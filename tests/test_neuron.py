"""What a user sees of a fitted neuron: shapes, names, outputs of every kind of target."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.activations import ACTIVATIONS, Tanh
from sknneuron.losses import LOSSES, Huber, Quantile
from sknneuron.pairing import make_pair

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 4))
Z = X @ [1.0, -2.0, 0.5, 0.0] + 0.3
LABELS = (RNG.standard_normal(120) < Z).astype(int)
THREE = np.digitize(Z + 0.5 * RNG.standard_normal(120), [-1, 1])
MULTI = np.column_stack([LABELS, X[:, 3] + 0.5 * RNG.standard_normal(120) > 0]).astype(int)
BOUNDED = [name for name, cls in ACTIVATIONS.items() if np.all(np.isfinite(cls.range))]


def suits(activation, loss, *, classifier):
    try:
        make_pair(activation, loss, classifier=classifier)
    except ValueError:
        return False
    return True


PAIRS = [
    (activation, loss)
    for activation in ACTIVATIONS
    for loss in LOSSES
    if suits(activation, loss, classifier=False)
]
CLASSIFIER_PAIRS = [
    (activation, loss, kind)
    for activation in ACTIVATIONS
    for loss in LOSSES
    for kind in ("two", "three", "multilabel")
    if suits(activation, loss, classifier=True)
    and not loss.endswith("hinge")
    and (activation != "softmax" or kind != "multilabel")
]
TARGETS = {"poisson": np.round(np.exp(Z / 4)), "gamma": np.exp(Z / 4), "tweedie": np.exp(Z / 4)}


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_every_pair_of_the_regressor_learns(activation, loss):
    low, high = ACTIVATIONS[activation].range
    y = TARGETS.get(loss, ACTIVATIONS[activation]()(Z) + 0.05 * RNG.standard_normal(120))
    y = np.clip(y, low, high)
    if loss == "log_loss":
        y = np.clip(y, 0, 1)
    if loss in ("gamma", "poisson", "tweedie") and np.isfinite(high):
        y = np.clip(y, 0.01, high)
    neuron = NeuronRegressor(activation, loss, random_state=0).fit(X, y)
    assert neuron.converged_
    assert neuron.history_["objective"][-1] < neuron.history_["objective"][0]
    levels = neuron.predict(X)
    assert levels.shape == (120,)
    np.testing.assert_array_equal(neuron.transform(X)[:, 0], levels)
    z = neuron.pre_activation(X)[:, 0]
    np.testing.assert_allclose(z, X @ neuron.coef_ + neuron.intercept_, rtol=1e-12)
    np.testing.assert_allclose(levels, ACTIVATIONS[activation]()(z), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(("activation", "loss", "kind"), CLASSIFIER_PAIRS)
def test_every_pair_of_the_classifier_learns(activation, loss, kind):
    y = {"two": LABELS, "three": THREE, "multilabel": MULTI}[kind]
    neuron = NeuronClassifier(activation, loss, random_state=0).fit(X, y)
    assert neuron.score(X, y) > (0.7 if y.ndim == 1 else 0.5)
    probability = neuron.predict_proba(X)
    assert np.all((probability >= 0) & (probability <= 1))
    if y.ndim == 1:
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_array_equal(
            neuron.classes_[probability.argmax(axis=1)], neuron.predict(X)
        )
    else:
        np.testing.assert_array_equal(probability > 0.5, neuron.predict(X))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(neuron.predict_log_proba(X), np.log(probability), atol=1e-9)


@pytest.mark.parametrize(
    ("y", "shape", "activation"),
    [(LABELS, (1, 4), "sigmoid"), (THREE, (3, 4), "softmax"), (MULTI, (2, 4), "sigmoid")],
    ids=["two", "three", "multilabel"],
)
def test_shapes_of_the_classifier(y, shape, activation):
    neuron = NeuronClassifier().fit(X, y)
    assert neuron.coef_.shape == shape
    assert neuron.intercept_.shape == shape[:1]
    assert neuron.coef_.dtype == neuron.intercept_.dtype == np.float64
    decision = neuron.decision_function(X)
    assert decision.shape == ((120,) if shape[0] == 1 else (120, shape[0]))
    assert neuron.transform(X).shape == neuron.pre_activation(X).shape == (120, shape[0])
    explicit = NeuronClassifier(activation).fit(X, y)
    np.testing.assert_array_equal(explicit.coef_, neuron.coef_)


def test_softmax_for_two_classes_is_one_sigmoid():
    one = NeuronClassifier("softmax").fit(X, LABELS)
    assert one.coef_.shape == (1, 4)
    np.testing.assert_array_equal(one.coef_, NeuronClassifier("sigmoid").fit(X, LABELS).coef_)


def test_a_multilabel_neuron_is_what_it_would_be_alone():
    both = NeuronClassifier(tol=1e-14).fit(X, MULTI)
    np.testing.assert_array_equal(both.classes_, [0, 1])
    for k in range(2):
        alone = NeuronClassifier(tol=1e-14).fit(X, MULTI[:, k])
        np.testing.assert_allclose(both.coef_[k], alone.coef_[0], rtol=1e-6)
        np.testing.assert_allclose(
            both.predict_proba(X)[:, k], alone.predict_proba(X)[:, 1], rtol=1e-6
        )


def test_one_neuron_per_class_against_the_rest():
    neuron = NeuronClassifier("cloglog", tol=1e-14).fit(X, THREE)
    rest = OneVsRestClassifier(NeuronClassifier("cloglog", tol=1e-14)).fit(X, THREE)
    np.testing.assert_allclose(
        neuron.coef_, np.vstack([e.coef_ for e in rest.estimators_]), rtol=1e-6
    )
    np.testing.assert_allclose(neuron.predict_proba(X), rest.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("y", [LABELS, THREE], ids=["two", "three"])
def test_hinges_decide_by_the_margin(loss, y):
    with warnings.catch_warnings():
        # No line tells the middle class from those on both sides of it, and the fit says so.
        warnings.filterwarnings("ignore", ".*same for every row in neuron 1", NeuronWarning)
        neuron = NeuronClassifier(loss=loss).fit(X, y)
    assert neuron.score(X, y) > 0.7
    assert not hasattr(neuron, "predict_proba")
    assert not hasattr(neuron, "predict_log_proba")


@pytest.mark.parametrize("activation", BOUNDED)
def test_the_decision_is_zero_where_the_probability_is_one_half(activation):
    neuron = NeuronClassifier(activation).fit(X, LABELS)
    direction = neuron.coef_[0] / (neuron.coef_[0] @ neuron.coef_[0])
    at = -neuron.decision_function(np.zeros((1, 4)))[0] * direction
    np.testing.assert_allclose(neuron.decision_function([at]), 0, atol=1e-10)
    np.testing.assert_allclose(neuron.predict_proba([at]), 0.5, atol=1e-10)


@pytest.mark.parametrize("names", [np.array(["no", "yes"]), np.array([7, 3]), [False, True]])
def test_labels_of_any_kind(names):
    y = np.asarray(names)[LABELS]
    neuron = NeuronClassifier().fit(X, y)
    np.testing.assert_array_equal(neuron.classes_, np.unique(y))
    assert set(neuron.predict(X)) <= set(y)
    assert neuron.score(X, y) > 0.7


def test_several_targets_are_several_neurons():
    Y = np.column_stack([Z, -Z + X[:, 3], X[:, 0]])
    neuron = NeuronRegressor(tol=1e-14).fit(X, Y)
    assert neuron.coef_.shape == (3, 4)
    assert neuron.predict(X).shape == (120, 3)
    for k in range(3):
        alone = NeuronRegressor(tol=1e-14).fit(X, Y[:, k])
        np.testing.assert_allclose(neuron.coef_[k], alone.coef_, rtol=1e-9, atol=1e-12)
        assert isinstance(alone.intercept_, float)
    column = NeuronRegressor().fit(X, Z[:, None])
    assert column.coef_.shape == (1, 4)
    assert column.predict(X).shape == (120, 1)


def test_without_intercept():
    neuron = NeuronRegressor(fit_intercept=False, alpha=0).fit(X, Z)
    assert neuron.intercept_ == 0
    np.testing.assert_allclose(neuron.coef_, np.linalg.lstsq(X, Z, rcond=None)[0], rtol=1e-10)


FORMATS = [
    lambda A: sparse.csr_array(A),
    lambda A: sparse.csr_matrix(A),
    lambda A: sparse.csc_array(A),
    lambda A: sparse.coo_array(A),
    lambda A: _int64(sparse.csr_array(A)),
    lambda A: sparse.csr_array(A.astype(np.float32)),
]


def _int64(A):
    A.indices, A.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    return A


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize(
    "neuron",
    [
        NeuronRegressor(tol=1e-14),
        NeuronRegressor("tanh", tol=1e-12, random_state=0),
        NeuronRegressor(loss="quantile", tol=1e-12),
        NeuronRegressor(l1_ratio=0.5, alpha=0.01, tol=1e-14),
        NeuronClassifier(tol=1e-14),
        NeuronClassifier(solver="lbfgs", tol=1e-14),
        NeuronClassifier(solver="sgd", random_state=0),
    ],
    ids=lambda neuron: str(neuron).replace("\n", "")[6:60],
)
def test_sparse_rows_in_every_format(make, neuron):
    dense = np.where(RNG.random(X.shape) < 0.5, X, 0).astype(np.float32).astype(np.float64)
    z = dense @ [1.0, -2.0, 0.5, 0.3]
    y = THREE if isinstance(neuron, NeuronClassifier) else 0.9 * np.tanh(z) + 0.01 * X[:, 0]
    tolerance = 1e-2 if neuron.solver == "sgd" else 1e-5
    a = neuron.fit(dense, y).predict(dense)
    b = neuron.fit(make(dense), y).predict(make(dense))
    if isinstance(neuron, NeuronClassifier):
        assert np.mean(a == b) > 0.97
    else:
        np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.parametrize("neuron", [NeuronRegressor(), NeuronClassifier()], ids=["reg", "clf"])
def test_float32_rows_are_kept(neuron):
    y = Z if isinstance(neuron, NeuronRegressor) else THREE
    single = neuron.fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float64
    assert single.transform(X.astype(np.float32)).dtype == np.float32
    assert single.pre_activation(X.astype(np.float32)).dtype == np.float32
    if hasattr(single, "predict_proba"):
        assert single.predict_proba(X.astype(np.float32)).dtype == np.float32
    else:
        assert single.predict(X.astype(np.float32)).dtype == np.float32
    coef = single.coef_
    np.testing.assert_allclose(coef, neuron.fit(X, y).coef_, rtol=1e-4, atol=1e-5)


def test_names_of_features_and_neurons():
    frame = pd.DataFrame(X, columns=["sqft", "beds", "a b", "zip=95608"])
    neuron = NeuronClassifier().fit(frame, THREE)
    assert list(neuron.feature_names_in_) == list(frame.columns)
    assert list(neuron.get_feature_names_out()) == [f"neuronclassifier{k}" for k in range(3)]
    assert list(NeuronRegressor().fit(X, Z).get_feature_names_out()) == ["neuronregressor0"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    frames = pytest.importorskip(library)
    neuron = NeuronClassifier().set_output(transform=library).fit(X, THREE)
    levels = neuron.transform(X)
    assert isinstance(levels, frames.DataFrame)
    assert list(levels.columns) == [f"neuronclassifier{k}" for k in range(3)]
    np.testing.assert_array_equal(levels.to_numpy(), NeuronClassifier().fit(X, THREE).transform(X))


def test_polars_frames_are_taken():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({f"c{j}": X[:, j] for j in range(4)})
    neuron = NeuronRegressor().fit(frame, Z)
    assert list(neuron.feature_names_in_) == ["c0", "c1", "c2", "c3"]
    np.testing.assert_array_equal(neuron.coef_, NeuronRegressor().fit(X, Z).coef_)


def test_tables_of_arrow_are_taken():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({f"c{j}": X[:, j] for j in range(4)})
    neuron = NeuronRegressor().fit(table, Z, X_val=table, y_val=Z)
    assert list(neuron.feature_names_in_) == ["c0", "c1", "c2", "c3"]
    np.testing.assert_allclose(neuron.predict(table), NeuronRegressor().fit(X, Z).predict(X))
    np.testing.assert_array_equal(
        neuron.predict(table.to_batches()[0]),
        neuron.partial_fit(table, Z).fit(table, Z).predict(table),
    )
    days = pa.table({"day": np.arange(3).astype("datetime64[ns]"), "n": [1.0, 2.0, 4.0]})
    for method in NeuronRegressor().fit, NeuronRegressor().partial_fit:
        with pytest.raises(ValueError, match="columns of dates, not numbers: day"):
            method(days, [1.0, 2.0, 3.0])
    gap = pa.table({"c": [1.0, None, 4.0]})
    with pytest.raises(ValueError, match="1 value, the first in row 1, column 'c'"):
        NeuronRegressor().fit(gap, [1.0, 2.0, 3.0])


def test_levels_feed_a_next_neuron():
    rows, y = load_wine(return_X_y=True)
    stack = make_pipeline(StandardScaler(), NeuronClassifier(), NeuronClassifier()).fit(rows, y)
    assert stack.score(rows, y) > 0.97
    assert stack[-1].n_features_in_ == 3
    hidden = make_pipeline(
        StandardScaler(), NeuronRegressor("tanh", random_state=0), NeuronClassifier()
    )
    targets = np.eye(3)[y]
    hidden[:-1].fit(rows, targets)
    assert hidden[:-1].transform(rows).shape == (178, 3)


def test_union_of_neurons():
    union = FeatureUnion([("class", NeuronClassifier()), ("again", NeuronClassifier("tanh"))])
    levels = union.fit(X, THREE).transform(X)
    assert levels.shape == (120, 6)
    assert list(union.get_feature_names_out())[:2] == [
        "class__neuronclassifier0",
        "class__neuronclassifier1",
    ]


def test_ten_neurons_specialise_on_ten_digits():
    rows, y = load_digits(return_X_y=True)
    neuron = NeuronClassifier(alpha=1e-3).fit(rows / 16, y)
    assert neuron.coef_.shape == (10, 64)
    assert neuron.score(rows / 16, y) > 0.97
    # Each neuron is strongest, on average, on its own digit.
    strongest = [neuron.transform(rows[y == k] / 16).mean(axis=0).argmax() for k in range(10)]
    assert strongest == list(range(10))


def test_grid_over_activations_losses_and_their_parameters():
    grid = GridSearchCV(
        NeuronRegressor(random_state=0),
        [
            {"activation": ["identity", Tanh()], "alpha": [1e-4, 1e-2]},
            {"loss": [Huber()], "loss__delta": [0.1, 1.0]},
        ],
        cv=3,
    )
    assert grid.fit(X, np.tanh(Z)).best_params_["activation"] in ("tanh", Tanh())
    assert np.all(np.isfinite(grid.cv_results_["mean_test_score"]))
    ok = GridSearchCV(NeuronRegressor(loss=Quantile()), {"loss__quantile": [0.1, 0.9]}, cv=3)
    assert ok.fit(X, Z).best_params_["loss__quantile"] in (0.1, 0.9)


def test_a_quantile_grid_changes_the_quantile():
    y = Z + RNG.standard_normal(120)
    shares = [
        np.mean(y <= NeuronRegressor(loss=Quantile(q), alpha=0).fit(X, y).predict(X))
        for q in (0.1, 0.5, 0.9)
    ]
    np.testing.assert_allclose(shares, (0.1, 0.5, 0.9), atol=0.05)


def test_target_transformers():
    y = 1e5 * np.exp(Z / 3)
    logged = TransformedTargetRegressor(NeuronRegressor(), func=np.log, inverse_func=np.exp)
    assert logged.fit(X, y).score(X, y) > 0.99
    scaled = TransformedTargetRegressor(
        NeuronRegressor("sigmoid", random_state=0), transformer=MinMaxScaler()
    )
    assert scaled.fit(X, y).score(X, y) > 0.8


def test_class_weight_balances():
    rare = (Z > 2).astype(int)
    noisy = np.where(RNG.random(120) < 0.1, 1 - rare, rare)
    plain = NeuronClassifier().fit(X, noisy).predict(X).mean()
    balanced = NeuronClassifier(class_weight="balanced").fit(X, noisy).predict(X).mean()
    assert balanced > plain
    a = NeuronClassifier(class_weight={0: 1, 1: 3}).fit(X, noisy).coef_
    b = NeuronClassifier().fit(X, noisy, sample_weight=1 + 2 * noisy).coef_
    np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("kind", ["vector", "column", "labels"])
def test_balanced_classes_count_copies_as_weights_do(kind):
    label = (Z > 2).astype(int)
    both = np.c_[label, Z > -1].astype(int)
    y = {"vector": label, "column": label[:, None], "labels": both}[kind]
    copies = np.random.default_rng(0).integers(0, 4, len(y))
    neuron = NeuronClassifier(class_weight="balanced")
    weighted = neuron.fit(X, y, sample_weight=copies).coef_
    repeated = neuron.fit(np.repeat(X, copies, axis=0), np.repeat(y, copies, axis=0)).coef_
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)


def test_cross_validation_scores_beside_logistic_regression():
    rows, y = load_iris(return_X_y=True)
    ours = cross_val_score(NeuronClassifier(alpha=1 / 120), rows, y, cv=5)
    theirs = cross_val_score(LogisticRegression(tol=1e-8, max_iter=10000), rows, y, cv=5)
    np.testing.assert_allclose(ours, theirs, atol=0.021)


def test_an_alias_for_sigmoid():
    a = NeuronClassifier("logistic").fit(X, LABELS)
    np.testing.assert_array_equal(a.coef_, NeuronClassifier("sigmoid").fit(X, LABELS).coef_)
