"""Rows are read where they are: memory maps and dataframes are not copied."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning

N, P = 100_000, 40
PROBLEMS = {
    "logistic": (NeuronClassifier(), "two"),
    "softmax": (NeuronClassifier(), "three"),
    "ridge": (NeuronRegressor(), "z"),
    "poisson": (NeuronRegressor("exp", "poisson"), "count"),
    "relu": (NeuronRegressor("relu", random_state=0), "part"),
    "L1": (NeuronClassifier(l1_ratio=0.5, alpha=1e-2), "two"),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)).astype(np.float32)
    z = X @ np.linspace(-0.3, 0.3, P)
    noisy = z + rng.logistic(size=N)
    return X, {
        "two": (noisy > 0).astype(int),
        "three": np.digitize(noisy, [-1, 1]),
        "z": noisy,
        "count": rng.poisson(np.exp(z / 4)),
        "part": np.maximum(z, 0),
    }


def mapped(X, tmp_path):
    path = tmp_path / "rows.dat"
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


def peak_of(fit) -> int:
    """Most bytes that Python's allocators, numpy's included, held at once."""
    tracemalloc.start()
    try:
        fit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PROBLEMS)
def test_memory_maps_are_not_copied(name, dtype, rows, tmp_path):
    X, targets = rows
    neuron, kind = PROBLEMS[name]
    X, y = X.astype(dtype), targets[kind]
    expected = neuron.fit(X, y).coef_
    there = mapped(X, tmp_path)
    peak = peak_of(lambda: neuron.fit(there, y))
    assert np.array_equal(neuron.coef_, expected)
    # Some subsamples, blocks, and numbers a row; no second X.
    assert peak < 0.9 * N * P * 8


def test_a_missing_value_in_a_memory_map(rows, tmp_path):
    X = rows[0].copy()
    X[N - 5, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        NeuronClassifier().fit(mapped(X, tmp_path), rows[1]["two"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pandas_frames_of_one_type_are_not_copied(dtype, rows):
    X, y = rows[0].astype(dtype), rows[1]["two"]
    frame = pd.DataFrame(X)
    expected = NeuronClassifier().fit(X, y).coef_
    neuron = NeuronClassifier()
    peak = peak_of(lambda: neuron.fit(frame, y))
    np.testing.assert_allclose(neuron.coef_, expected, rtol=1e-10)
    assert peak < 0.9 * N * P * 8


def test_polars_frames_are_copied_once(rows):
    X, y = rows[0].astype(np.float64), rows[1]["two"]
    frame = pl.DataFrame(X, schema=[f"x{j}" for j in range(P)])
    neuron = NeuronClassifier()
    peak = peak_of(lambda: neuron.fit(frame, y))
    np.testing.assert_allclose(neuron.coef_, NeuronClassifier().fit(X, y).coef_, rtol=1e-10)
    assert peak < 1.75 * X.nbytes


@pytest.mark.parametrize("library", [pd, pl])
def test_words_are_refused(library):
    frame = library.DataFrame({"sqft": [1.0, 2.0, 3.0], "city": ["Ames", "Davis", "Ames"]})
    with pytest.raises(ValueError, match="words, not numbers: city"):
        NeuronRegressor().fit(frame, [1, 2, 3])


def test_categories():
    frame = pd.DataFrame({"sqft": [1.0, 2.0, 4.0], "zip": pd.Categorical([95823, 95838, 95608])})
    with pytest.warns(NeuronWarning, match=r"names are numbers \(zip\)"):
        NeuronRegressor().fit(frame, [1, 2, 3])
    frame["zip"] = frame["zip"].astype(str).astype("category")
    with pytest.raises(ValueError, match="written as words: zip"):
        NeuronRegressor().fit(frame, [1, 2, 3])


def test_numbers_that_pandas_calls_objects():
    frame = pd.DataFrame({"sqft": [1.0, 2.0, 4.0], "beds": [1, 2, 2]}).astype({"beds": object})
    assert NeuronRegressor().fit(frame, [1, 2, 3]).coef_.shape == (2,)


WITHOUT_COPIES = {
    "words": (NeuronClassifier(), "words"),
    "balanced classes": (NeuronClassifier(class_weight="balanced"), "two"),
    "hinge": (NeuronClassifier("identity", "hinge"), "two"),
    "L1": (NeuronClassifier(l1_ratio=1.0, alpha=1e-3), "two"),
    "early stopping": (NeuronClassifier(early_stopping=True, random_state=0), "two"),
    "early stopping, words": (NeuronClassifier(early_stopping=True, random_state=0), "words"),
    "early stopping, numbers": (NeuronRegressor(early_stopping=True, random_state=0), "z"),
    "absolute error": (NeuronRegressor(loss="absolute_error"), "z"),
    "huber": (NeuronRegressor(loss="huber"), "z"),
}


@pytest.mark.parametrize("name", WITHOUT_COPIES)
def test_beside_many_rows_little_is_held(name):
    neuron, kind = WITHOUT_COPIES[name]
    rng = np.random.default_rng(0)
    n, p = 300_000, 50
    X = rng.standard_normal((n, p))
    z = X @ np.linspace(-0.3, 0.3, p) + rng.logistic(size=n)
    two = (z > 1).astype(int)
    y = {"two": two, "z": z, "words": np.array(["no", "yes"])[two]}[kind]
    peak = peak_of(lambda: neuron.fit(X, y))
    # 5% of X, and what blocks and first samples take however many rows there are.
    assert peak < 0.05 * X.nbytes + (2 << 20)
