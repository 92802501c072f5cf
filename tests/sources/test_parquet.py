"""Rows in parquet files give what they give in memory."""

import gc
import os
import pickle
import warnings
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.sources import ParquetSource, parquet

pytest.importorskip("pyarrow")

N = 20_000
FEATURES = ["sqft", "beds", "baths"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    z = X @ [1, -2, 0.5]
    return pd.DataFrame(X, columns=FEATURES).assign(
        price=z + rng.normal(size=N),
        sold=(z + rng.logistic(size=N) > 0).astype(int),
        kind=np.array(["flat", "house", "villa"])[np.digitize(z, [-1, 1])],
        count=rng.poisson(np.exp(z / 4)),
        weight=rng.uniform(0.5, 2, N),
    )


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for i, part in enumerate(np.array_split(np.arange(N), [10, 10, 9_000])):
        data.iloc[part].to_parquet(folder / f"part.{i}.parquet", row_group_size=1000)
    return folder


PROBLEMS = {
    "logistic": (NeuronClassifier(), "sold"),
    "softmax of words": (NeuronClassifier(), "kind"),
    "ridge": (NeuronRegressor(), "price"),
    "poisson": (NeuronRegressor("exp", "poisson"), "count"),
    "relu": (NeuronRegressor("relu", random_state=0), "count"),
    "L1": (NeuronClassifier(l1_ratio=0.5, alpha=1e-2), "sold"),
    "two targets": (NeuronRegressor(solver="newton"), ["price", "count"]),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_same_bits_as_in_memory(name, data, folder):
    neuron, target = PROBLEMS[name]
    X, y, weight = data[FEATURES], data[target].to_numpy(), data["weight"]
    expected = clone(neuron).fit(np.ascontiguousarray(X), np.ascontiguousarray(y), weight)
    with ParquetSource(folder, target, FEATURES, "weight") as source:
        neuron.fit(source)
        assert np.array_equal(neuron.coef_, expected.coef_)
        assert np.array_equal(neuron.intercept_, expected.intercept_)
        assert neuron.feature_names_in_.tolist() == FEATURES
        found = neuron.predict(source)
        if found.dtype.kind == "f":
            np.testing.assert_allclose(found, expected.predict(X.to_numpy()), rtol=1e-12)
        else:
            assert (found == expected.predict(X.to_numpy())).all()
        score = expected.score(X.to_numpy(), y, weight)
        assert neuron.score(source) == pytest.approx(score, rel=1e-12)


def test_the_files_are_decoded_once(folder, monkeypatch):
    reads = []
    batches = ParquetSource._batches
    monkeypatch.setattr(ParquetSource, "_batches", lambda self: (reads.append(0), batches(self))[1])
    source = ParquetSource(folder, "sold", FEATURES)
    for alpha in (1e-4, 1e-2):
        NeuronClassifier(alpha=alpha).fit(source)
    assert len(reads) == 1
    source.close()
    NeuronClassifier().fit(source)
    assert len(reads) == 2


def test_the_spool_is_a_mapped_file_that_goes_away(folder, tmp_path):
    source = ParquetSource(folder, "sold", FEATURES, spool=tmp_path)
    X, y, weight = source.load()
    assert isinstance(X, np.memmap)
    assert not X.flags.writeable
    assert source.spool_bytes == X.nbytes == N * 3 * 8
    assert weight is None
    assert y.shape == (N,)
    # It has no name even while it is there, so that nothing is left behind by a crash.
    assert os.listdir(tmp_path) == []
    del X
    source.close()
    gc.collect()


def test_float32_is_kept(data, tmp_path):
    narrow = data[FEATURES].astype(np.float32).assign(price=data["price"])
    narrow.to_parquet(tmp_path / "rows.parquet")
    source = ParquetSource(tmp_path / "rows.parquet", "price")
    assert source.dtype == np.float32
    assert source.feature_names == FEATURES
    expected = NeuronRegressor().fit(narrow[FEATURES].to_numpy(), narrow["price"]).coef_
    assert np.array_equal(NeuronRegressor().fit(source).coef_, expected)


def test_validation_rows_from_files(data, folder):
    source = ParquetSource(folder, "sold", FEATURES)
    neuron = NeuronClassifier().fit(source, X_val=ParquetSource(folder, "sold", FEATURES))
    np.testing.assert_allclose(neuron.history_["validation_loss"][-1], neuron.history_["loss"][-1])


def test_targets_and_weights_from_elsewhere(data, folder):
    source = ParquetSource(folder, features=FEATURES)
    neuron = NeuronClassifier().fit(source, data["sold"], data["weight"])
    expected = NeuronClassifier().fit(ParquetSource(folder, "sold", FEATURES, "weight"))
    assert np.array_equal(neuron.coef_, expected.coef_)
    assert neuron.predict(source).shape == (N,)
    assert all(frame.columns.tolist() == FEATURES for frame in source.frames())


def test_a_pickled_source_reads_anew(folder):
    source = ParquetSource(folder, "sold", FEATURES)
    fitted = NeuronClassifier().fit(source)
    again = pickle.loads(pickle.dumps(source))
    assert "_spooled" not in vars(again)
    assert np.array_equal(NeuronClassifier().fit(again).coef_, fitted.coef_)


def test_a_list_of_files(data, folder):
    files = sorted(folder.iterdir())
    assert ParquetSource(files, "sold", FEATURES).n_rows == N
    assert np.array_equal(ParquetSource(files, "sold", FEATURES).load()[1], data["sold"])


def error(folder, **options):
    return lambda: NeuronClassifier().fit(
        ParquetSource(folder, **{"target": "sold", "features": FEATURES, **options})
    )


BAD = {
    "no such column": (error, {"features": ["sqft", "feet"]}, r"no columns \['feet'\]"),
    "words": (error, {"features": ["sqft", "kind"]}, r"\['kind'\] .* are no numbers"),
    "all columns": (error, {"features": None}, r"\['kind'\] .* are no numbers"),
    "no target": (error, {"target": None}, "has no targets"),
    "an empty list of targets": (error, {"target": []}, r"target=\[\] names no column"),
    "a feature twice": (error, {"features": ["sqft", "sqft"]}, r"\['sqft'\] are named more than"),
    "the target as a feature": (
        error,
        {"features": ["sqft", "sold"]},
        r"\['sold'\] are named more than once",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sources_are_refused_in_words(name, folder):
    make, options, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        make(folder, **options)()


def test_features_are_a_list(folder):
    with pytest.raises(TypeError, match=r"features=\['sqft'\] say; got 'sqft'"):
        NeuronClassifier().fit(ParquetSource(folder, "sold", "sqft"))


def test_files_without_rows(data, folder, tmp_path):
    data[:0].to_parquet(tmp_path / "none.parquet")
    source = ParquetSource(tmp_path, "sold", FEATURES)
    fitted = NeuronClassifier().fit(ParquetSource(folder, "sold", FEATURES))
    for use in (fitted.fit, fitted.predict):
        with pytest.raises(ValueError, match="has no rows"):
            use(source)


@pytest.fixture
def two_files(data, tmp_path):
    """Write two files of which one is not like the other, and return their source."""

    def write(first, second):
        rows = data[[*FEATURES, "sold"]]
        first(rows[:300]).to_parquet(tmp_path / "1.parquet")
        second(rows[300:900]).to_parquet(tmp_path / "2.parquet")
        return ParquetSource(tmp_path, "sold")

    return write


def alike(rows):
    return rows


def without_beds(rows):
    return rows.drop(columns="beds")


def beds_in_words(rows):
    return rows.assign(beds="two")


def beds_in_hundreds(rows):
    return rows.assign(beds=(100 * rows["beds"]).astype(int))


def beds_yes_or_no(rows):
    return rows.assign(beds=rows["beds"] > 0)


def narrow(rows):
    return rows.astype(dict.fromkeys(FEATURES, np.float32))


def shuffled(rows):
    return rows.sample(frac=1, random_state=0)


ODD_FILES = {
    "a column is missing": (without_beds, r"'beds' is not in '.*{}.parquet', and it is in other"),
    "a column of words": (
        beds_in_words,
        r"'beds' is .*string in '.*{}.parquet' and double in|\['beds'\].* no numbers",
    ),
    "a column of booleans": (
        beds_yes_or_no,
        "'beds' is (bool in .* and double|double in .* and bool) in",
    ),
}


@pytest.mark.parametrize("name", ODD_FILES)
@pytest.mark.parametrize("odd", [1, 2])
def test_files_that_do_not_go_together_are_named(name, odd, two_files):
    change, words = ODD_FILES[name]
    source = two_files(*(change, alike) if odd == 1 else (alike, change))
    with pytest.raises(ValueError, match=words.format(odd)):
        list(source.frames())
    without = ParquetSource(source.path, "sold", ["sqft", "baths"])
    assert len(without.load()[0]) == 900


@pytest.mark.parametrize("change", [beds_in_hundreds, narrow])
@pytest.mark.parametrize("odd", [1, 2])
def test_files_of_several_widths_lose_nothing(change, odd, two_files, data):
    changes = (change, alike) if odd == 1 else (alike, change)
    X, y, _ = two_files(*changes).load()
    expected = pd.concat([changes[0](data[:300]), changes[1](data[300:900])])
    assert np.array_equal(X, expected[FEATURES])
    assert np.array_equal(y, expected["sold"])


@pytest.mark.parametrize("changes", [(shuffled, shuffled), (shuffled, alike), (alike, shuffled)])
def test_the_index_of_a_frame_is_no_feature(changes, two_files):
    source = two_files(*changes)
    assert source.feature_names == FEATURES
    assert source.load()[0].shape == (900, 3)


def test_categories_in_one_file_and_words_in_another(data, two_files):
    words = [data["kind"][:300], data["kind"][300:900]]
    source = two_files(
        lambda rows: rows.assign(sold=words[0].astype("category")),
        lambda rows: rows.assign(sold=words[1]),
    )
    assert np.array_equal(source.load()[1], data["kind"][:900])


def test_a_file_without_rows_may_lack_columns(two_files, data):
    source = two_files(lambda rows: pd.DataFrame(), alike)
    assert np.array_equal(source.load()[0], data[FEATURES][300:900])


def test_the_path_may_hold_a_column(data, tmp_path):
    data[:900].drop(columns="weight").to_parquet(tmp_path, partition_cols=["kind"])
    neuron = NeuronClassifier().fit(ParquetSource(tmp_path, "kind", FEATURES))
    assert neuron.classes_.tolist() == ["flat", "house", "villa"]


def test_a_folder_without_files(tmp_path):
    with pytest.raises(ValueError, match="There are no parquet files in"):
        NeuronClassifier().fit(ParquetSource(tmp_path, "sold"))


def test_missing_values_are_named(data, tmp_path):
    holed = data[[*FEATURES, "sold"]].astype({"beds": object})
    holed.loc[17_000, "beds"] = None
    holed.astype({"beds": float}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match=r"Column 'beds' has missing values, .* row 17000"):
        NeuronClassifier().fit(ParquetSource(tmp_path / "rows.parquet", "sold"))


def test_validation_rows_from_parquet_beside_rows_in_memory(data, folder):
    neuron = NeuronClassifier().fit(
        data[FEATURES], data["sold"], X_val=ParquetSource(folder, "sold", FEATURES)
    )
    assert len(neuron.history_["validation_loss"]) == len(neuron.history_["loss"])


def test_targets_twice(data, folder):
    with pytest.raises(ValueError, match="brings its own"):
        NeuronClassifier().fit(ParquetSource(folder, "sold", FEATURES), data["sold"])


def test_no_room(folder, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(parquet.shutil, "disk_usage", lambda folder: usage(1000))
    with pytest.raises(ValueError, match=r"temporary file of 0.00048 GB.*spool="):
        ParquetSource(folder, "sold", FEATURES).load()


def test_partial_fit_wants_blocks(folder):
    source = ParquetSource(folder, "sold", FEATURES)
    neuron = NeuronClassifier(random_state=0)
    with pytest.raises(TypeError, match="partial_fit takes rows in memory"):
        neuron.partial_fit(source, None)
    start = 0
    y = source.load()[1]
    for frame in source.frames():
        neuron.partial_fit(frame, y[start : start + len(frame)], classes=[0, 1])
        start += len(frame)
    assert neuron.score(source) > 0.6


def test_nothing_warns(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = ParquetSource(folder, "sold", FEATURES)
        NeuronClassifier().fit(source).predict_proba(source)
