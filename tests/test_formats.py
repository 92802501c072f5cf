"""Models that earlier versions saved load, and say what they said then."""

from pathlib import Path

import joblib
import numpy as np
import pytest

import sknneuron

FOLDERS = sorted((Path(__file__).parent / "fixtures").glob("format_*"))
FILES = [file for folder in FOLDERS for file in sorted(folder.glob("*.*")) if file.suffix != ".npz"]


def load(file):
    if file.suffix == ".joblib":
        return joblib.load(file)
    return pytest.importorskip("skops.io").load(file, trusted=sknneuron.TRUSTED_TYPES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_saved_model_says_what_it_said(file):
    model = load(file)
    with np.load(file.parent / "said.npz") as said:
        methods = [key.partition("/")[2] for key in said if key.startswith(f"{file.stem}/")]
        assert methods
        for method in methods:
            answer, expected = getattr(model, method)(said["X"]), said[f"{file.stem}/{method}"]
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(answer, expected, rtol=1e-9, atol=1e-12)
            else:
                np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_saved_model_is_whole(file):
    model = load(file)
    assert set(type(model)().get_params(deep=False)) == set(model.get_params(deep=False))
    assert model.history_["loss"][-1] > -np.inf
    assert model.converged_ in (True, False)


def test_there_is_a_format_to_keep():
    assert len(FILES) >= 20
