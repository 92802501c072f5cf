"""What must not change a fit: copies for weights, blocks, threads, the seed of others."""

import numpy as np
import pytest
from scipy import sparse

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.sources import ArraySource, array

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 4))
Z = X @ [1.0, -2.0, 0.5, 0.0] + 0.3
NOISY = Z + RNG.standard_normal(150)
TARGETS = {
    "real": NOISY,
    "small": np.tanh(Z) * 0.9,
    "counts": np.floor(np.exp(np.clip(NOISY / 2, -2, 2))),
    "two": (NOISY > 0).astype(int),
    "three": np.digitize(NOISY, [-1, 1]),
}
FITS = {
    "least_squares": (NeuronRegressor(tol=1e-14), "real"),
    "newton": (NeuronClassifier(solver="newton", tol=1e-14), "two"),
    "lbfgs": (NeuronClassifier(solver="lbfgs", tol=1e-14), "two"),
    "softmax": (NeuronClassifier(tol=1e-14), "three"),
    "poisson": (NeuronRegressor("exp", "poisson", tol=1e-14), "counts"),
    "huber": (NeuronRegressor(loss="huber", tol=1e-14), "real"),
    "elastic net": (NeuronRegressor(alpha=0.05, l1_ratio=0.5, tol=1e-14), "real"),
    "L1 logistic": (NeuronClassifier(alpha=0.02, l1_ratio=1, tol=1e-14), "two"),
    "quantile": (NeuronRegressor(loss="quantile", alpha=0.01, tol=1e-12), "real"),
    "tanh": (NeuronRegressor("tanh", tol=1e-14, random_state=0), "small"),
    "hinge": (NeuronClassifier(loss="squared_hinge", tol=1e-14), "two"),
}
STOCHASTIC = {
    "sgd": (NeuronClassifier(solver="sgd", random_state=0, max_iter=50), "two"),
    "adam": (NeuronRegressor(solver="adam", random_state=0, max_iter=50), "real"),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def weights(neuron):
    return np.append(neuron.coef_, neuron.intercept_)


def bits(neuron):
    """All that a fit comes to, time apart."""
    parts = [neuron.coef_, np.atleast_1d(neuron.intercept_), np.array([neuron.objective_])]
    parts += [value for key, value in neuron.history_.items() if key != "elapsed"]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_weight_of_k_is_k_copies(name, make):
    neuron, target = FITS[name]
    y = TARGETS[target]
    copies = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = weights(neuron.fit(make(X), y, sample_weight=copies))
    repeated = weights(neuron.fit(make(np.repeat(X, copies, axis=0)), np.repeat(y, copies)))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FITS)
def test_the_order_of_the_rows_does_not_matter(name):
    neuron, target = FITS[name]
    y, order = TARGETS[target], np.random.default_rng(2).permutation(len(X))
    np.testing.assert_allclose(
        weights(neuron.fit(X, y)), weights(neuron.fit(X[order], y[order])), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", ["newton", "softmax", "poisson", "elastic net", "tanh"])
def test_one_block_is_many_blocks(name, make, monkeypatch):
    neuron, target = FITS[name]
    y = TARGETS[target]
    whole = weights(neuron.fit(make(X), y))
    monkeypatch.setattr(ArraySource, "_block_rows", lambda self: 16)
    assert ArraySource(make(X), y).n_blocks == 10
    np.testing.assert_allclose(weights(neuron.fit(make(X), y)), whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_sums_of_one_block_are_those_of_many_to_the_last_digits(make, monkeypatch):
    from sknneuron.kernels import LossSums
    from sknneuron.pairing import make_pair

    kernel = LossSums(make_pair("sigmoid", "log_loss"), 2)
    y = TARGETS["two"][:, None].astype(float)
    at = np.array([[0.3, -1.0, 0.2, 0.1]]), np.array([0.2])
    whole = ArraySource(make(X), y).map_sum(kernel, *at)
    monkeypatch.setattr(ArraySource, "_block_rows", lambda self: 7)
    for one, many in zip(whole, ArraySource(make(X), y).map_sum(kernel, *at), strict=True):
        np.testing.assert_allclose(many, one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [*FITS, *STOCHASTIC])
def test_the_number_of_threads_changes_no_bit(name, monkeypatch):
    neuron, target = {**FITS, **STOCHASTIC}[name]
    # Small blocks, so that there is something to share.
    monkeypatch.setattr(ArraySource, "_block_rows", lambda self: 16)
    monkeypatch.setattr("sknneuron._arrays.SMALL", 0)
    monkeypatch.setattr("sknneuron.base.SMALL_PRODUCT", 0)
    fits = {bits(neuron.set_params(n_jobs=n).fit(X, TARGETS[target])) for n in (None, 1, 2, 4)}
    neuron.set_params(n_jobs=None)
    assert len(fits) == 1
    assert array.N_LANES > 4


@pytest.mark.parametrize("name", [*FITS, *STOCHASTIC])
def test_same_data_and_seed_same_bits(name):
    neuron, target = {**FITS, **STOCHASTIC}[name]
    first = bits(neuron.fit(X, TARGETS[target]))
    state = np.random.get_state()  # noqa: NPY002  (that it is not used is the point)
    np.random.seed(123)  # noqa: NPY002
    second = bits(neuron.fit(X, TARGETS[target]))
    np.random.set_state(state)  # noqa: NPY002
    assert first == second


@pytest.mark.parametrize("name", FITS)
def test_the_global_generator_is_left_alone(name):
    neuron, target = FITS[name]
    np.random.seed(5)  # noqa: NPY002
    neuron.fit(X, TARGETS[target])
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert drawn == np.random.random()  # noqa: NPY002


def test_another_seed_another_stochastic_fit_of_the_same_quality():
    a, b = (
        NeuronClassifier(solver="sgd", random_state=seed).fit(X, TARGETS["two"]) for seed in (0, 1)
    )
    assert np.any(a.coef_ != b.coef_)
    assert a.objective_ == pytest.approx(b.objective_, rel=1e-2)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", FITS)
def test_input_is_not_written_into(name, order):
    neuron, target = FITS[name]
    rows, y = np.array(X, order=order), TARGETS[target].copy()
    weight = np.ones(len(y))
    rows.flags.writeable = y.flags.writeable = weight.flags.writeable = False
    neuron.fit(rows, y, sample_weight=weight)
