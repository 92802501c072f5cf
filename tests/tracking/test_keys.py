import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sknneuron._tracking.keys import MAX_LENGTH, safe_keys

ODD = [
    "zip=95608",
    "100%",
    "f(x)",
    "a[<1>]",
    "a b",
    "line\nbreak",
    "größe",
    "面積",
    "🏠",
    "x" * 300,
    "",
    ".",
    "..",
    "../x",
    "/",
    "a//b",
    " padded ",
    "tab\t",
    "\ud800",
    '@#$^,+*&?"\\',
    "ends/.",
]


def is_valid(key):
    """What MLflow says of a metric key, written down anew."""
    key = f"weights/{key}/{key}"
    return (
        re.fullmatch(r"[/\w.\- :]+", key) is not None
        and posixpath.normpath(key) == key
        and len(key) <= 250
    )


@pytest.mark.parametrize("name", ODD)
def test_odd_names_become_valid_keys(name):
    assert is_valid(safe_keys([name])[0])


@pytest.mark.parametrize("name", ["age", "mean radius", "a.b-c_d", "größe", "面積", "0"])
def test_names_that_will_do_stay(name):
    assert safe_keys([name]) == [name]


def test_names_that_come_out_alike_stay_apart():
    names = ["zip=1", "zip:1", "zip_1", "zip=1", "zip=1", "x" * 300, "x" * 301]
    keys = safe_keys(names)
    assert keys[0] == "zip_1"
    assert len(set(keys)) == len(names)
    assert keys[:2] == safe_keys(names[:2])


@given(st.lists(st.text(max_size=300), max_size=30))
def test_any_names(names):
    keys = safe_keys(names)
    assert len(set(keys)) == len(names)
    assert all(is_valid(key) and len(key) <= MAX_LENGTH for key in keys)


def test_mlflow_agrees():
    validation = pytest.importorskip("mlflow.utils.validation")
    for key in safe_keys(ODD):
        validation._validate_metric_name(f"weights/{key}")
