"""Fits on arrays of other libraries: the numbers of numpy, in the library and on the device of X.

scikit-learn leaves such arrays alone only where scipy was imported with SCIPY_ARRAY_API=1;
`tests/test_array_api.py` runs this file in a process of its own that has it.
"""

import os
from contextlib import suppress

import array_api_strict
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.activations import ACTIVATIONS
from sknneuron.inspection import coef_table, contributions, diagnose, specialisation, to_html
from sknneuron.losses import LOSSES
from sknneuron.pairing import make_pair
from sknneuron.sources import ArraySource, device
from sknneuron.sources.device_array import DeviceArray, to_host

pytestmark = pytest.mark.skipif(
    os.environ.get("SCIPY_ARRAY_API") != "1", reason="needs SCIPY_ARRAY_API=1"
)


def strict(values):
    device = array_api_strict.Device("device1")
    return array_api_strict.asarray(values, device=device)


def torch(values):
    return pytest.importorskip("torch").asarray(values)


def cuda(values):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.asarray(values, device="cuda")


LIBRARIES = [strict, torch, pytest.param(cuda, marks=pytest.mark.gpu)]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 100]
    z = (X - X.mean(axis=0)) @ [1, 0.1, -3, 0.5, 0.0]
    return X, z, rng


PROBLEMS = {
    "logistic": (NeuronClassifier(), "two"),
    "logistic, balanced": (NeuronClassifier(class_weight="balanced"), "two"),
    "softmax": (NeuronClassifier(), "three"),
    "one against the rest": (NeuronClassifier("probit"), "three"),
    "cloglog": (NeuronClassifier("cloglog"), "two"),
    "hinge, smooth": (NeuronClassifier("identity", "squared_hinge"), "two"),
    "ridge": (NeuronRegressor(), "z"),
    "two targets": (NeuronRegressor(solver="newton"), "both"),
    "huber": (NeuronRegressor(loss="huber"), "z"),
    "poisson": (NeuronRegressor("exp", "poisson"), "count"),
    "relu": (NeuronRegressor("relu", random_state=0), "part"),
    "tanh": (NeuronRegressor("tanh", random_state=0), "level"),
    "L1": (NeuronClassifier(l1_ratio=0.5, alpha=1e-2), "two"),
    "newton": (NeuronClassifier(solver="newton"), "two"),
    "lbfgs": (NeuronClassifier(solver="lbfgs"), "three"),
    "levenberg_marquardt": (
        NeuronRegressor("sigmoid", solver="levenberg_marquardt", random_state=0),
        "share",
    ),
    "adam": (NeuronClassifier(solver="adam", random_state=0, max_iter=3, tol=0.1), "two"),
}


def target(kind, z, rng):
    noisy = z + rng.logistic(size=len(z))
    return {
        "two": (noisy > 1).astype(np.int64),
        "three": np.digitize(noisy, [-1, 1]) + 5,
        "z": noisy,
        "both": np.column_stack([noisy, z**2]),
        "count": rng.poisson(np.exp(z / 4)).astype(np.float64),
        "part": np.maximum(z + 0.1 * rng.normal(size=len(z)), 0),
        "level": np.clip(np.tanh(z) + 0.1 * rng.normal(size=len(z)), -1, 1),
        "share": 1 / (1 + np.exp(-z)),
    }[kind]


def assert_at_home(values, like):
    assert type(values) is type(like)
    assert values.device == like.device


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_same_numbers_as_numpy(name, library, rows):
    X, z, _ = rows
    neuron, kind = PROBLEMS[name]
    y = target(kind, z, np.random.default_rng(1))
    weight = np.random.default_rng(2).uniform(0.5, 2, len(y))
    expected = neuron.fit(X, y, weight)
    coef, outputs = expected.coef_, {}
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(expected, method):
            outputs[method] = getattr(expected, method)(X)
    X_there, score = library(X), expected.score(X, y)
    with config_context(array_api_dispatch=True):
        fitted = neuron.fit(X_there, library(y), library(weight))
        assert_at_home(fitted.coef_, X_there)
        np.testing.assert_allclose(to_host(fitted.coef_), coef, rtol=1e-8, atol=1e-11)
        for method, output in outputs.items():
            found = getattr(fitted, method)(X_there)
            assert_at_home(found, X_there)
            np.testing.assert_allclose(to_host(found), output, rtol=1e-7, atol=1e-9)
        assert fitted.score(X_there, library(y)) == pytest.approx(score)


def sensible_pairs():
    """(estimator, activation, loss) of all that may go together."""
    for cls in (NeuronRegressor, NeuronClassifier):
        for activation in ACTIVATIONS:
            for loss in LOSSES:
                with suppress(ValueError):
                    make_pair(activation, loss, classifier=cls is NeuronClassifier)
                    yield cls, activation, loss


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("cls", "activation", "loss"), list(sensible_pairs()))
def test_every_pair(cls, activation, loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    z = X @ [1, -0.5, 0.3] + 0.2
    if cls is NeuronClassifier:
        y = (z + rng.logistic(size=len(z)) > 0).astype(int)
    else:
        y = ACTIVATIONS[activation]()(z) * (1 + 0.05 * rng.uniform(-1, 1, len(z)))
        y = np.abs(y) + 0.01 if loss in ("poisson", "gamma", "tweedie") else y
        y = np.clip(y, *ACTIVATIONS[activation].range)
    expected = cls(activation, loss, random_state=0).fit(X, y)
    with config_context(array_api_dispatch=True):
        found = cls(activation, loss, random_state=0).fit(torch(X), torch(y))
        predicted = to_host(found.predict(torch(X)))
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(to_host(found.coef_), expected.coef_, rtol=0, atol=1e-8 * scale)
    np.testing.assert_allclose(predicted, expected.predict(X), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("library", LIBRARIES)
def test_float32_is_summed_in_float64(library, rows):
    X, z, rng = rows
    X = X.astype(np.float32)
    y = target("two", z, rng)
    expected = NeuronClassifier().fit(X, y).coef_
    with config_context(array_api_dispatch=True):
        found = NeuronClassifier().fit(library(X), library(y))
        assert found.predict_proba(library(X)).dtype == library(X).dtype
    # On a CPU each block is widened; elsewhere rows are multiplied as they are.
    tolerance = 1e-9 if library is torch else 1e-4
    np.testing.assert_allclose(to_host(found.coef_), expected, rtol=tolerance, atol=tolerance)


def test_labels_may_be_words_on_the_host(rows):
    X, z, rng = rows
    y = np.array(["no", "yes"])[target("two", z, rng)]
    with config_context(array_api_dispatch=True):
        fitted = NeuronClassifier().fit(strict(X), y)
        assert (fitted.predict(strict(X)) == y).mean() > 0.7


def test_validation_rows_and_early_stopping(rows):
    X, z, rng = rows
    y = target("two", z, rng)
    neuron = NeuronClassifier(early_stopping=True, random_state=0)
    with config_context(array_api_dispatch=True):
        split = neuron.fit(strict(X), strict(y))
        assert split.history_["n_rows"].max() == 18_000
        assert np.isfinite(split.history_["validation_loss"]).all()
        given = neuron.fit(strict(X), strict(y), X_val=strict(X[:500]), y_val=strict(y[:500]))
        assert given.history_["n_rows"].max() == 20_000
        with pytest.raises(TypeError, match="X_val is a ndarray"):
            neuron.fit(strict(X), strict(y), X_val=X, y_val=y)
        with pytest.raises(ValueError, match="X_val was given without y_val"):
            neuron.fit(strict(X), strict(y), X_val=strict(X))
        with pytest.raises(ValueError, match="y_val and sample_weight_val need X_val"):
            neuron.fit(strict(X), strict(y), y_val=strict(y))


def test_going_on_from_earlier_weights(rows):
    X, z, rng = rows
    y = target("two", z, rng)
    host = NeuronClassifier(warm_start=True).fit(X, y)
    with config_context(array_api_dispatch=True):
        neuron = NeuronClassifier(warm_start=True).fit(strict(X), strict(y))
        neuron.fit(strict(X), strict(y))
    np.testing.assert_allclose(neuron.history_["loss"], host.fit(X, y).history_["loss"])


def test_weights_elsewhere_than_rows_are_refused_in_words(rows):
    X, z, rng = rows
    y = target("two", z, rng)
    with config_context(array_api_dispatch=True):
        fitted = NeuronClassifier().fit(strict(X), strict(y))
        with pytest.raises(ValueError, match=r"NeuronClassifier.predict\(\) must use the same"):
            fitted.predict(X)
        with pytest.raises(ValueError, match="same device"):
            fitted.predict(array_api_strict.asarray(X))
        on_host = NeuronClassifier().fit(X, y)
        with pytest.raises(ValueError, match="must use the same"):
            on_host.transform(strict(X))


def test_bad_values_are_refused(rows):
    X, z, rng = rows
    y = target("two", z, rng)
    bad = X.copy()
    bad[7, 2] = np.nan
    with config_context(array_api_dispatch=True):
        with pytest.raises(ValueError, match="NaN"):
            NeuronClassifier().fit(strict(bad), strict(y))
        with pytest.raises(ValueError, match="at least 2 classes"):
            NeuronClassifier().fit(strict(X), strict(0 * y))
        with pytest.raises(ValueError, match="inconsistent"):
            NeuronClassifier().fit(strict(X), strict(y[:-1]))
        with pytest.raises(ValueError, match="zero"):
            NeuronClassifier().fit(strict(X), strict(y), strict(0.0 * y))
        with pytest.raises(ValueError, match="continuous"):
            NeuronClassifier().fit(strict(X), strict(z))
        with pytest.raises(ValueError, match="Complex data"):
            NeuronClassifier().fit(strict(X + 1j), strict(y))
        with pytest.raises(ValueError, match="Complex data"):
            NeuronClassifier().fit(strict(X), strict(y)).predict(strict(X + 1j))
        both = np.column_stack([z, z])
        with pytest.raises(ValueError, match="for a single target"):
            NeuronRegressor().fit(strict(X), strict(z), X_val=strict(X), y_val=strict(both))


def test_targets_on_a_device_beside_rows_in_memory(rows):
    X, z, _ = rows
    with config_context(array_api_dispatch=True):
        coef = NeuronRegressor().fit(X, strict(z)).coef_
    np.testing.assert_array_equal(coef, NeuronRegressor().fit(X, z).coef_)


def test_a_pipeline_and_a_grid(rows):
    X, z, rng = rows
    y = target("two", z, rng)
    torch_X, torch_y = torch(X), torch(y)
    with config_context(array_api_dispatch=True):
        model = make_pipeline(StandardScaler(), NeuronClassifier())
        search = GridSearchCV(model, {"neuronclassifier__alpha": [1e-4, 1e-1]}, cv=3)
        found = search.fit(torch_X, torch_y)
    host = search.fit(X, y)
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"], host.cv_results_["mean_test_score"]
    )


def test_a_source_reads_by_blocks_and_sums_in_order(rows, monkeypatch):
    X, z, rng = rows
    monkeypatch.setattr(device, "CPU_BLOCK_BYTES", 1 << 16)
    parts = [array_api_strict.asarray(a) for a in (X, z[:, None], np.abs(z))]
    source = device.DeviceSource(*map(DeviceArray, parts))
    host = ArraySource(X, z[:, None], np.abs(z))

    def kernel(X, y, weight):
        return weight @ X, (y * y).sum(axis=0), np.array([[X.shape[0]]])

    for found, expected in zip(source.map_sum(kernel), host.map_sum(kernel), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, expected)
    rows = rng.permutation(len(X))[:100]
    np.testing.assert_array_equal(source.take(rows).X, X[rows])
    np.testing.assert_array_equal(source.take(rows).sample_weight, np.abs(z)[rows])
    np.testing.assert_array_equal(source.block(5, 9)[1], z[5:9, None])
    assert source.total_weight == pytest.approx(np.abs(z).sum())


@pytest.mark.parametrize("library", [strict, torch])
def test_narrow_rows_are_multiplied_as_they_are(rows, library, monkeypatch):
    """What a GPU does with float32 rows, tried without one."""
    X, z, rng = rows
    X = X.astype(np.float32)
    monkeypatch.setattr(device, "is_on_cpu", lambda array: False)
    there = DeviceArray(library(X)), DeviceArray(library(z[:, None]))
    source, host = device.DeviceSource(*there), ArraySource(X, z[:, None])
    assert source.narrow
    assert source.eps > host.eps

    def kernel(X, y, weight, w):
        assert X.dtype == np.float64
        z = X @ w.T
        gradient = z.T @ X
        assert getattr(X, "_wide", None) is None
        return z.sum(axis=0), gradient, (X * z).T @ X, X.sum(axis=0)

    w = rng.normal(size=(1, 5))
    for found, expected in zip(
        source.map_sum(kernel, w),
        host.map_sum(lambda X, *a: kernel(X.astype(float), *a), w),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6 * np.abs(expected).max())
    y = target("two", z, rng)
    expected = NeuronClassifier().fit(X, y)
    with config_context(array_api_dispatch=True):
        found = NeuronClassifier().fit(library(X), library(y))
    assert found.converged_
    np.testing.assert_allclose(to_host(found.coef_), expected.coef_, rtol=1e-5, atol=1e-5)
    assert found.objective_ == pytest.approx(expected.objective_, rel=1e-8)


@pytest.mark.parametrize("library", LIBRARIES)
def test_labels_may_be_booleans(library, rows):
    X, z, _ = rows
    X, y = library(X[:500]), library(z[:500] > 0)
    with config_context(array_api_dispatch=True):
        neuron = NeuronClassifier().fit(X, y)
        assert neuron.classes_.dtype == bool
        assert neuron.score(X, y) > 0.9
        assert to_host(neuron.predict(X)).dtype == bool


@pytest.mark.parametrize("library", LIBRARIES)
def test_looking_inside(rows, library):
    X, z, rng = rows
    X, y = X[:500], target("two", z, rng)[:500]
    host = NeuronClassifier(alpha=0).fit(X, y)
    with config_context(array_api_dispatch=True):
        there = library(X), library(y)
        neuron = NeuronClassifier(alpha=0).fit(*there)
        for tool in (coef_table, specialisation):
            found = tool(neuron, *there).select_dtypes("number")
            expected = tool(host, X, y).select_dtypes("number")
            pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-6)
        pd.testing.assert_frame_equal(contributions(neuron, there[0]), contributions(host, X))
        assert diagnose(neuron, *there).codes == diagnose(host, X, y).codes
        for page in (to_html(neuron), to_html(neuron, *there)):
            assert page.startswith("<!doctype html>")


@pytest.mark.parametrize("library", LIBRARIES)
def test_signature_of_a_model_to_be_saved(rows, library):
    pytest.importorskip("mlflow")
    from sknneuron._tracking.models import example_and_signature

    X, z, _ = rows
    with config_context(array_api_dispatch=True):
        neuron = NeuronRegressor().fit(library(X), library(z))
        example, signature = example_and_signature(neuron)
    assert example.shape == (1, 5)
    assert signature.outputs.inputs[0].type == np.float64
