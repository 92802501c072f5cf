"""Fits on dask collections, with the scheduler of this process' threads."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from sknneuron import NeuronClassifier, NeuronLayer, NeuronRegressor, NeuronWarning

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

N = 20_000
PROBLEMS = {
    "logistic": (NeuronClassifier(), "two"),
    "softmax": (NeuronClassifier(), "three"),
    "softmax, balanced": (NeuronClassifier(class_weight="balanced"), "three"),
    "weights of some classes": (NeuronClassifier(class_weight={5: 3.0, 6: 1, 7: 1}), "three"),
    "words": (NeuronClassifier(), "words"),
    "several labels": (NeuronClassifier(class_weight="balanced"), "labels"),
    "hinge": (NeuronClassifier("identity", "hinge"), "two"),
    "L1": (NeuronClassifier(l1_ratio=0.5, alpha=1e-2), "two"),
    "ridge": (NeuronRegressor(), "z"),
    "two targets": (NeuronRegressor(solver="newton"), "both"),
    "quantile": (NeuronRegressor(loss="quantile"), "z"),
    "poisson": (NeuronRegressor("exp", "poisson"), "count"),
    "relu": (NeuronRegressor("relu", random_state=0), "part"),
    "adam": (NeuronClassifier(solver="adam", random_state=0, max_iter=2), "two"),
}
# Epochs cut short, and a column in small units: in memory as on dask.
QUIET = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::sknneuron.NeuronWarning"
)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 100]
    z = (X - X.mean(axis=0)) @ [1, 0.1, -3, 0.5, 0.0]
    return X, z, rng.uniform(0.5, 2, N)


def target(kind, z):
    rng = np.random.default_rng(1)
    noisy = z + rng.logistic(size=len(z))
    two, three = (noisy > 1).astype(int), np.digitize(noisy, [-1, 1]) + 5
    return {
        "two": two,
        "three": three,
        "words": np.array(["no", "yes"])[two],
        "labels": np.column_stack([two, three > 5]).astype(int),
        "z": noisy,
        "both": np.column_stack([noisy, z**2]),
        "count": rng.poisson(np.exp(z / 4)),
        "part": np.maximum(z + 0.1 * rng.normal(size=len(z)), 0),
    }[kind]


def cut(array, n_chunks, columns=None):
    length = -(-len(array) // n_chunks)
    return da.from_array(array, chunks=(length, columns or 5)[: array.ndim])


@QUIET
@pytest.mark.parametrize("n_chunks", [1, 10, 100])
@pytest.mark.parametrize("name", PROBLEMS)
def test_same_numbers_as_in_memory(name, n_chunks, rows):
    X, z, weight = rows
    neuron, kind = PROBLEMS[name]
    y = target(kind, z)
    neuron.fit(X, y, weight)
    coef, score, n_iter = neuron.coef_, neuron.score(X, y, weight), neuron.n_iter_
    methods = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
    outputs = {m: getattr(neuron, m)(X) for m in methods if hasattr(neuron, m)}
    there = cut(X, n_chunks, 2), cut(y, n_chunks), cut(weight, n_chunks + 1)
    neuron.fit(*there)
    assert neuron.n_iter_ == n_iter
    np.testing.assert_allclose(neuron.coef_, coef, rtol=1e-8, atol=1e-11)
    assert type(neuron.coef_) is np.ndarray
    for method, output in outputs.items():
        lazy = getattr(neuron, method)(there[0])
        assert isinstance(lazy, da.Array)
        assert (lazy.shape, lazy.dtype.kind) == (output.shape, output.dtype.kind)
        found = lazy.compute()
        if output.dtype.kind == "f":
            np.testing.assert_allclose(found, output, rtol=1e-7, atol=1e-9)
        else:
            assert (found == output).all()
    assert neuron.score(*there) == pytest.approx(score, rel=1e-9)
    assert type(neuron.score(*there)) is float


@pytest.mark.slow
@QUIET
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_thousand_chunks(name, rows):
    test_same_numbers_as_in_memory(name, 1000, rows)


def frame(rows, kind="two"):
    X, z, weight = rows
    data = pd.DataFrame(X, columns=list("abcde"))
    return data.assign(y=target(kind, z), weight=weight)


FEATURES = list("abcde")


def test_dataframes(rows):
    X, z, weight = rows
    data = dd.from_pandas(frame(rows), npartitions=7)
    expected = NeuronClassifier().fit(X, target("two", z), weight)
    neuron = NeuronClassifier().fit(data[FEATURES], data["y"], data["weight"])
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8)
    assert neuron.feature_names_in_.tolist() == FEATURES
    lazy = neuron.predict_proba(data[FEATURES])
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), expected.predict_proba(X), atol=1e-9)
    assert neuron.score(data[FEATURES], data["y"]) == expected.score(X, target("two", z))
    with pytest.raises(ValueError, match="feature names"):
        neuron.predict(data[FEATURES].rename(columns={"a": "other"}))


def test_arrays_of_a_dataframe_whose_lengths_are_not_known(rows):
    X, z, weight = rows
    data = dd.from_pandas(frame(rows), npartitions=7)
    parts = data[FEATURES].values, data["y"].values, data["weight"].values
    assert np.isnan(parts[0].shape[0])
    neuron = NeuronClassifier().fit(*parts)
    expected = NeuronClassifier().fit(X, target("two", z), weight)
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8)
    assert neuron.predict(parts[0]).compute().shape == (N,)


def test_targets_in_memory_are_taken_along(rows):
    X, z, weight = rows
    y = target("two", z)
    expected = NeuronClassifier().fit(X, y, weight).coef_
    data = dd.from_pandas(frame(rows), npartitions=7)
    for there in (cut(X, 13), data[FEATURES], data[FEATURES].values):
        found = NeuronClassifier().fit(there, y, weight).coef_
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def write_parquet(path, rows, lengths):
    data, start = frame(rows), 0
    for i, n in enumerate(lengths):
        data.iloc[start : start + n].to_parquet(path / f"part.{i:03}.parquet")
        start += n
    assert start == N


def test_parquet_of_many_files(tmp_path, rows):
    """Taken apart by column, dask fuses files differently: rows must stay paired."""
    pytest.importorskip("pyarrow")
    X, z, weight = rows
    write_parquet(tmp_path, rows, [N // 40] * 40)
    data = dd.read_parquet(tmp_path)
    assert data["y"].optimize().npartitions != data[FEATURES].optimize().npartitions
    expected = NeuronClassifier().fit(X, target("two", z), weight)
    neuron = NeuronClassifier().fit(data[FEATURES], data["y"], data["weight"])
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8)
    assert neuron.score(data[FEATURES], data["y"]) == expected.score(X, target("two", z))
    arrays = data[FEATURES].values, data["y"].values, data["weight"].values
    assert arrays[0].numblocks[0] != arrays[1].numblocks[0]
    again = NeuronClassifier().fit(*arrays)
    np.testing.assert_allclose(again.coef_, expected.coef_, rtol=1e-8)


@pytest.mark.parametrize("lengths", [(1, 0, 9_999, 0, 0, 10_000), (0, 20_000), (19_999, 1, 0)])
def test_ragged_and_empty_partitions(lengths, rows):
    X, z, weight = rows
    y = target("three", z)
    expected = NeuronClassifier().fit(X, y, weight)
    there = [da.from_array(a, chunks=-1).rechunk({0: lengths}) for a in (X, y, weight)]
    neuron = NeuronClassifier().fit(*there)
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8, atol=1e-11)
    assert (neuron.predict(there[0]).compute() == expected.predict(X)).all()
    assert neuron.score(*there) == pytest.approx(expected.score(X, y, weight))


def test_few_rows_and_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 40)), rng.normal(size=12)
    expected = NeuronRegressor(alpha=0).fit(X, y).coef_
    there = da.from_array(X, chunks=(5, 40)), da.from_array(y, chunks=5)
    np.testing.assert_allclose(NeuronRegressor(alpha=0).fit(*there).coef_, expected, atol=1e-12)


def test_float32_stays_float32(rows):
    X, z, _ = rows
    X, y = X.astype(np.float32), target("two", z)
    expected = NeuronClassifier().fit(X, y)
    neuron = NeuronClassifier().fit(cut(X, 10), cut(y, 10))
    np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-8)
    assert neuron.predict_proba(cut(X, 10)).dtype == np.float32


# -- validation ------------------------------------------------------------------------------------


def test_validation_rows_and_early_stopping(rows):
    X, z, _ = rows
    y = target("two", z)
    there = cut(X, 10), cut(y, 10)
    expected = NeuronClassifier().fit(X, y, X_val=X[:500], y_val=y[:500])
    for X_val, y_val in ((X[:500], y[:500]), (cut(X[:500], 3), cut(y[:500], 3))):
        neuron = NeuronClassifier().fit(*there, X_val=X_val, y_val=y_val)
        np.testing.assert_allclose(
            neuron.history_["validation_loss"], expected.history_["validation_loss"]
        )
    split = NeuronClassifier(early_stopping=True, random_state=0).fit(*there)
    assert split.history_["n_rows"].max() == 18_000
    again = NeuronClassifier(early_stopping=True, random_state=0).fit(*there)
    np.testing.assert_array_equal(split.coef_, again.coef_)


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (("X_val",), "X_val was given without y_val"),
        (("y_val",), "y_val and sample_weight_val need X_val"),
        (("sample_weight_val",), "y_val and sample_weight_val need X_val"),
    ],
)
def test_a_part_of_validation_rows_is_refused(which, words, rows):
    X, z, weight = rows
    given = {"X_val": cut(X, 3), "y_val": cut(z, 3), "sample_weight_val": cut(weight, 3)}
    with pytest.raises(ValueError, match=words):
        NeuronRegressor().fit(cut(X, 3), cut(z, 3), **{name: given[name] for name in which})


def test_the_same_bits_each_time(rows):
    X, z, _ = rows
    y = target("two", z)
    first = NeuronClassifier().fit(cut(X, 10), cut(y, 10))
    assert np.array_equal(first.coef_, NeuronClassifier().fit(cut(X, 10), cut(y, 10)).coef_)


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["X", "y", "sample_weight"])
def test_a_missing_value_is_found_where_it_is(where, rows):
    X, z, weight = (a.copy() for a in rows)
    y = z.copy()
    {"X": X[:, 0], "y": y, "sample_weight": weight}[where][N // 10 * 7 + 3] = np.nan
    with pytest.raises(ValueError, match=rf"{where} contains NaN in partition 7 \(row 3 of it"):
        NeuronRegressor().fit(cut(X, 10), cut(y, 10), cut(weight, 10))


@pytest.mark.parametrize("where", ["X", "y", "sample_weight"])
def test_what_is_masked_is_missing(where, rows):
    given = dict(zip(["X", "y", "sample_weight"], (cut(a, 10) for a in rows), strict=True))
    hidden = np.zeros(given[where].shape, dtype=bool)
    hidden[N // 10 * 7 + 3] = True
    given[where] = da.ma.masked_where(cut(hidden, 10), given[where])
    with pytest.raises(ValueError, match=rf"{where} contains NaN in partition 7 \(row 3 of it"):
        NeuronRegressor().fit(**given)


def test_a_missing_value_in_a_nullable_column(rows):
    holed = frame(rows)[[*FEATURES, "y"]].astype("Float64")
    holed.loc[3, FEATURES[0]] = pd.NA
    data = dd.from_pandas(holed, npartitions=1)
    with pytest.raises(ValueError, match=r"X contains NaN in partition 0 \(row 3 of it"):
        NeuronRegressor().fit(data[FEATURES], data["y"])


def test_misaligned_rows_are_never_paired(rows):
    X, z, _ = rows
    data = dd.from_pandas(frame(rows), npartitions=7)
    y = data["y"]
    with pytest.raises(ValueError, match="X has 20000 rows, but y or sample_weight has 19999"):
        NeuronClassifier().fit(cut(X, 10), cut(target("two", z), 10)[:-1])
    with pytest.raises(ValueError, match=r"\[5, 7\] partitions"):
        NeuronClassifier().fit(data[FEATURES], y.repartition(npartitions=5))
    shifted = y.map_partitions(lambda part: part.iloc[1:], meta=("y", int))
    with pytest.raises(ValueError, match=r"Partition . of X has 285\d rows, but that of y has"):
        NeuronClassifier().fit(data[FEATURES], shifted)
    turned = y.map_partitions(lambda part: part.iloc[::-1], meta=("y", int))
    with pytest.raises(ValueError, match="different index labels"):
        NeuronClassifier().fit(data[FEATURES], turned)
    with pytest.raises(ValueError, match=r"Partition . of X has 285\d rows, but that of y has"):
        NeuronClassifier().fit(data[FEATURES], y).score(data[FEATURES], shifted)


BAD = {
    "words in X": (lambda d: (d.assign(a="x")[FEATURES], d["y"]), "not numbers: a"),
    "one class": (lambda d: (d[FEATURES], d["y"] * 0), "only one class"),
    "continuous labels": (lambda d: (d[FEATURES], d["weight"]), "continuous"),
    "no targets": (lambda d: (d[FEATURES], None), "pass y"),
    "negative weights": (lambda d: (d[FEATURES], d["y"], -d["weight"]), "Negative.*partition"),
    "zero weights": (lambda d: (d[FEATURES], d["y"], 0 * d["weight"]), "sample_weight are zero"),
    "one column": (lambda d: (d["a"], d["y"]), "rows and columns"),
    "no columns": (lambda d: (d[[]], d["y"]), "X has no columns"),
    "delayed rows": (lambda d: (d.to_delayed()[0], d["y"]), "rows and columns; got a Delayed"),
    "complex rows": (lambda d: (d[FEATURES].to_dask_array() + 1j, d["y"]), "Complex data"),
    "narrower partitions": (
        lambda d: (
            d[FEATURES].to_dask_array(lengths=True).map_blocks(lambda b: b[:, :2], dtype=float),
            d["y"],
        ),
        r"Partition \d of X has 2 columns, and X says that it has 5",
    ),
    "no rows": (lambda d: (d[FEATURES][d["a"] > 1e9], d["y"][d["a"] > 1e9]), "no rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name, rows):
    make, words = BAD[name]
    neuron = NeuronClassifier().fit(rows[0], target("two", rows[1]))
    before = neuron.coef_
    with pytest.raises(ValueError, match=words):
        neuron.fit(*make(dd.from_pandas(frame(rows), npartitions=4)))
    assert neuron.coef_ is before


def test_dates_are_no_weights(rows):
    _, z, _ = rows
    dates = dd.from_pandas(
        pd.Series(pd.date_range("2020", periods=len(z), freq="h")), npartitions=1
    )
    given = dd.from_pandas(frame(rows), npartitions=1)[FEATURES], dd.from_pandas(pd.Series(z))
    with pytest.raises(ValueError, match="sample_weight holds dates"):
        NeuronRegressor().fit(*given, dates)


def test_targets_of_the_wrong_kind(rows):
    X, z, _ = rows
    with pytest.raises(ValueError, match=r"Partitions? \d.*: loss='poisson' needs targets in"):
        NeuronRegressor("exp", "poisson").fit(cut(X, 10), cut(z, 10))
    with pytest.raises(ValueError, match="every target is outside"):
        NeuronRegressor("tanh").fit(cut(X, 10), cut(z**2 + 2, 10))
    with pytest.warns(NeuronWarning, match="of the targets are outside"):
        NeuronRegressor("tanh", random_state=0).fit(cut(X, 10), cut(np.tanh(z) * 1.01, 10))
    in_reach = np.abs(np.tanh(z) * 1.01) <= 1
    given = (cut(a, 10) for a in (X, np.tanh(z) * 1.01, in_reach.astype(float)))
    NeuronRegressor("tanh", random_state=0).fit(*given)  # rows that do not count are no news


def test_partial_fit_pulls_nothing_into_memory(rows):
    X, z, _ = rows
    with pytest.raises(TypeError, match="partial_fit takes rows in memory"):
        NeuronRegressor().partial_fit(cut(X, 10), cut(z, 10))


def test_dask_is_not_asked_about_arrays(monkeypatch, rows):
    X, z, _ = rows
    monkeypatch.setattr(dask, "is_dask_collection", None)
    neuron = NeuronRegressor().fit(X, z)
    assert neuron.predict(X).shape == (N,)
    monkeypatch.delitem(sys.modules, "dask")
    NeuronRegressor().fit(X.tolist()[:50], z[:50]).predict(X.tolist()[:50])
    assert "dask" not in sys.modules


@pytest.mark.parametrize("kind", ["two", "three", "z"])
def test_a_layer(kind, rows):
    X, z, _ = rows
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = target(kind, z)
    expected = NeuronLayer(2, random_state=0).fit(X, y)
    layer = NeuronLayer(2, random_state=0).fit(cut(X, 10), cut(y, 10))
    # One valley is as good as its mirror image, and rounding may decide which one it is.
    assert layer.objective_ == pytest.approx(expected.objective_, rel=1e-4)
    levels = layer.transform(cut(X, 10))
    assert isinstance(levels, da.Array)
    np.testing.assert_allclose(levels.compute(), layer.transform(X), atol=1e-12)


SPARSE_PROBLEMS = {
    **PROBLEMS,
    "early stopping": (NeuronClassifier(early_stopping=True, random_state=0), "two"),
    "tanh": (NeuronRegressor("tanh", random_state=0), "part"),
}


@QUIET
@pytest.mark.parametrize("name", SPARSE_PROBLEMS)
def test_sparse_partitions(name, rows):
    estimator, kind = SPARSE_PROBLEMS[name]
    X, z, weight = (a[:4000] for a in rows)
    rng = np.random.default_rng(2)
    X = sparse.csr_array(X * (rng.random(X.shape) < 0.5))
    y = target(kind, z)
    expected = clone(estimator).fit(X, y, weight)
    chunks = cut(X.toarray(), 7).map_blocks(sparse.csr_matrix, dtype=float)
    there = cut(y, 7), cut(weight, 7)
    neuron = clone(estimator).fit(chunks, *there)
    if name != "early stopping":  # which sets other rows apart than in memory
        np.testing.assert_allclose(neuron.coef_, expected.coef_, rtol=1e-6, atol=1e-8)
    predicted = neuron.predict(chunks).compute()
    np.testing.assert_array_equal(predicted, neuron.predict(X))
    if kind != "labels":
        assert neuron.score(chunks, *there) == pytest.approx(neuron.score(X, y, weight))


def test_a_missing_value_in_a_sparse_partition(rows):
    X, z, _ = (a[:700] for a in rows)
    X = X.copy()
    X[:, 1] = 0
    X[512, 3] = np.nan
    chunks = cut(X, 7).map_blocks(sparse.csr_matrix, dtype=float)
    with pytest.raises(ValueError, match=r"NaN in partition 5 \(row 12 of it"):
        NeuronRegressor().fit(chunks, cut(z, 7))


def test_sparse_beside_dense_partitions_are_refused(rows, monkeypatch):
    X, z, _ = (a[:700] for a in rows)

    def some(block, block_info=None):
        return sparse.csr_matrix(block) if block_info[0]["chunk-location"][0] == 6 else block

    chunks = cut(X, 7).map_blocks(some, dtype=float, meta=np.empty((0, 0)))
    monkeypatch.setattr("sknneuron._dask.n_packs", lambda n_blocks: n_blocks)
    with pytest.raises(ValueError, match="Some partitions of X are sparse and others dense"):
        NeuronRegressor().fit(chunks, cut(z, 7))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_a_dataframe_in_memory_is_not_what_comes_of_dask(container, rows):
    pytest.importorskip(container)
    X, z, _ = rows
    neuron = NeuronRegressor().fit(X, z).set_output(transform=container)
    with pytest.raises(ValueError, match="Set it to 'default'"):
        neuron.transform(cut(X, 10))
    assert isinstance(neuron.predict(cut(X, 10)), da.Array)
