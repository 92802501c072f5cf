"""Hinge, absolute error and quantile on sparse rows: the optimum, and a bound of what is left."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.losses import Huber, Quantile
from sknneuron.solvers import choose, multipliers
from sknneuron.solvers.multipliers import HeldSlopes, Multipliers
from sknneuron.solvers.smoothing import Smoothed

# Of words in one row the penalty holds down the weights: that is what it is for here.
pytestmark = pytest.mark.filterwarnings("ignore:The penalty")

SETTINGS = {
    "hinge": lambda **o: NeuronClassifier("identity", "hinge", **o),
    "median": lambda **o: NeuronRegressor(loss="absolute_error", **o),
    "quantile": lambda **o: NeuronRegressor(loss=Quantile(0.9), **o),
    "squared hinge": lambda **o: NeuronClassifier("identity", "squared_hinge", **o),
    "huber": lambda **o: NeuronRegressor(loss=Huber(0.3), **o),
}
SHAPES = {"wide": (120, 400), "tall": (600, 40)}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Of few features, too, with hardly a step of L-BFGS where there is a parabola."""
    monkeypatch.setitem(choose.MOST_STEPS, Multipliers, 1)


def words(n_rows, n_features, seed=0, n_words=12):
    """Rows of a few words each, some of them in nearly every row."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, n_features + 1)
    columns = rng.choice(n_features, n_rows * n_words, p=p / p.sum())
    row = np.repeat(np.arange(n_rows), n_words)
    values = rng.uniform(0.5, 1.5, len(row))
    return sparse.csr_matrix((values, (row, columns)), shape=(n_rows, n_features))


def targets(name, X, seed=1):
    rng = np.random.default_rng(seed)
    z = X @ rng.standard_normal(X.shape[1])
    z = z + z.std() * rng.standard_t(4, len(z))
    return np.where(z > np.median(z), "yes", "no") if "hinge" in name else 5 + z


def fit_alone(model, X, y, **options):
    """Fit, where to go on to the smoothed losses is to fail."""

    def iterate(*args):
        raise AssertionError("the multipliers led nowhere")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Smoothed, "iterate", iterate)
        return model.fit(X, y, **options)


@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SETTINGS)
def test_ends_at_the_optimum(name, shape, alpha):
    X = words(*SHAPES[shape])
    y = targets(name, X)
    fit = fit_alone(SETTINGS[name](alpha=alpha, solver="lbfgs", tol=1e-9), X, y)
    exact = SETTINGS[name](alpha=alpha, solver="newton", tol=1e-11).fit(X.toarray(), y)
    assert fit.converged_
    gain = exact.history_["objective"][0] - exact.objective_
    assert fit.objective_ - exact.objective_ <= 2e-9 * gain
    # The bias may have a range of best values.
    np.testing.assert_allclose(X @ fit.coef_.T, X @ exact.coef_.T, atol=2e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"fit_intercept": False},
        {"outputs": 3},
        {"weights": True},
        {"dtype": np.float32},
        {"duplicates": True},
        {"empty": True},
        {"long": True},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("name", ["hinge", "median"])
def test_serves_whatever_rows_there_are(name, options):
    options = dict(options)
    X, weight = words(150, 300), None
    y = targets(name, X)
    if options.pop("outputs", None):
        y = np.column_stack([targets(name, X, seed) for seed in range(3)])
        y = (y == "yes").astype(int) if name == "hinge" else y
    if options.pop("weights", None):
        # Some rows have none, and are as if they were not there.
        weight = np.random.default_rng(3).integers(0, 4, len(y)) * 0.7
    if dtype := options.pop("dtype", None):
        X = X.astype(dtype)
    if options.pop("duplicates", None):
        X = sparse.csr_matrix((X.data, X.indices, X.indptr), shape=X.shape)
        X.data, X.indices = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2)
        X.indptr = 2 * X.indptr
        assert not X.has_canonical_format
    if options.pop("empty", None):
        X = sparse.diags_array(np.r_[np.zeros(20), np.ones(130)], dtype=float) @ X
    if options.pop("long", None):
        X = sparse.diags_array(np.geomspace(1e-3, 1e3, 150)) @ X
    options |= {"alpha": 1e-2}
    model = SETTINGS[name](solver="lbfgs", tol=1e-8, **options)
    fit = fit_alone(model, sparse.csr_array(X), y, sample_weight=weight)
    exact = SETTINGS[name](solver="newton", tol=1e-10, **options)
    exact.fit(X.toarray().astype(float), y, sample_weight=weight)
    assert fit.converged_
    gain = exact.history_["objective"][0] - exact.objective_
    assert fit.objective_ - exact.objective_ <= 2e-8 * gain


@pytest.mark.parametrize("name", SETTINGS)
def test_columns_of_all_sizes(name, monkeypatch):
    """Rounding stops conjugate gradients there, so a matrix is factored."""
    factored, factor = [], HeldSlopes._factored

    def noted(*args):
        factored.append(factor(*args))
        return factored[-1]

    monkeypatch.setattr(HeldSlopes, "_factored", noted)
    X = words(150, 60) @ sparse.diags_array(np.geomspace(1e-3, 1e3, 60))
    y = targets(name, X)
    fit = SETTINGS[name](alpha=1e-4, solver="lbfgs", tol=1e-7)
    fit_alone(fit, X, y)
    exact = SETTINGS[name](alpha=1e-4, solver="newton", tol=1e-10).fit(X.toarray(), y)
    assert factored
    gain = exact.history_["objective"][0] - exact.objective_
    assert fit.converged_
    assert fit.objective_ - exact.objective_ <= 2e-7 * gain


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SETTINGS)
def test_gap_is_a_bound_from_the_first_stage_on(name, shape, monkeypatch):
    X = words(*SHAPES[shape])
    y = targets(name, X)
    exact = SETTINGS[name](alpha=1e-3, solver="newton", tol=1e-11).fit(X.toarray(), y)
    found = []
    iterate = Multipliers.iterate

    def watched(self, *args):
        for current in iterate(self, *args):
            found.append((current.value, current.gap))
            yield current

    monkeypatch.setattr(Multipliers, "iterate", watched)
    SETTINGS[name](alpha=1e-3, solver="lbfgs", tol=1e-8).fit(X, y)
    values, gaps = np.array(found).T
    assert np.all(values - exact.objective_ <= gaps + 1e-12)
    assert gaps[-1] < 1e-6 * gaps[0]


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_a_strong_penalty_leaves_the_bias_a_way(alpha):
    """No row is near its kink, and one class is a little larger: only the bias has a way to go."""
    X = words(900, 1200)
    z = targets("median", X)
    y = z > np.sort(z)[450]
    fit = fit_alone(SETTINGS["hinge"](alpha=alpha, solver="lbfgs", tol=1e-8), X, y)
    exact = SETTINGS["hinge"](alpha=alpha, solver="newton", tol=1e-11).fit(X.toarray(), y)
    gain = exact.history_["objective"][0] - exact.objective_
    assert fit.converged_
    assert fit.n_iter_ <= 20
    assert fit.objective_ - exact.objective_ <= 2e-8 * gain


def test_rows_and_labels_that_tell_nothing():
    """Empty rows leave the bias; a label that all rows have, or none, needs no weights."""
    X, y = words(60, 300), np.tile([[0, 0, 1], [1, 0, 1]], (30, 1))
    nothing = NeuronRegressor(loss="absolute_error", solver="lbfgs", alpha=0.1)
    with pytest.warns(NeuronWarning):
        nothing.fit(0 * X, np.arange(60.0))
    assert nothing.predict(X[:1])[0] == pytest.approx(29.5, abs=0.6)
    labels = NeuronClassifier("identity", "hinge", solver="lbfgs", alpha=0.1)
    fit_alone(labels, X, y)
    np.testing.assert_allclose(labels.coef_[1:], 0, atol=1e-6)
    np.testing.assert_array_equal(labels.predict(X)[:, 1:], y[:, 1:])


def test_auto_takes_it_for_many_words_alone(monkeypatch):
    taken = []
    iterate = Multipliers.iterate

    def noted(self, *args):
        taken.append(self.name)
        return iterate(self, *args)

    monkeypatch.setattr(Multipliers, "iterate", noted)
    X = words(2500, 300)
    y = targets("hinge", X)
    model = SETTINGS["hinge"](alpha=1e-2, tol=1e-4).fit(X, y)
    assert taken == ["lbfgs"] == [model.solver_]
    # With an L1 norm, without a penalty, or of dense rows there are other ways.
    for options, rows in (({"l1_ratio": 0.5}, X), ({"alpha": 0}, X), ({}, X.toarray())):
        SETTINGS["hinge"](**{"alpha": 1e-2, "tol": 1e-2, "max_iter": 300, **options}).fit(rows, y)
    assert len(taken) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_what_gets_slow_is_smoothed(shape, monkeypatch):
    """Where it leads nowhere the smoothed losses go on from there, and end."""
    monkeypatch.setattr(multipliers, "MAX_STAGES", 2)
    X = words(*SHAPES[shape])
    y = targets("hinge", X)
    fit = SETTINGS["hinge"](alpha=1e-2, solver="lbfgs", tol=1e-7).fit(X, y)
    exact = SETTINGS["hinge"](alpha=1e-2, solver="newton", tol=1e-10).fit(X.toarray(), y)
    assert fit.converged_
    gain = exact.history_["objective"][0] - exact.objective_
    assert fit.objective_ - exact.objective_ <= 2e-7 * gain
