"""One class is enough: what docs/add_activation.rst says, done to a copy of the package."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "add_activation.rst").read_text(encoding="utf-8")
CLASS = next(
    example.source
    for example in doctest.DocTestParser().get_examples(PAGE)
    if example.source.startswith("class ")
)
EXACT = re.search(r'^ +"\w+": mp\.\w+,$', PAGE, re.MULTILINE).group().strip()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A clone in which the page has been followed."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("sknneuron", "tests"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", clone)
    insert(clone / "sknneuron" / "activations.py", "ACTIVATIONS: dict", f"{CLASS}\n\n")
    insert(clone / "tests" / "test_activations.py", '    "cloglog": lambda', f"    {EXACT}\n")
    return clone


def insert(path, before, text):
    """Paste a text into a file, before what begins with this."""
    source = path.read_text(encoding="utf-8")
    assert source.count(before) == 1
    path.write_text(source.replace(before, text + before), encoding="utf-8")


def run(clone, *arguments):
    """Run Python in the clone."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_new_name_is_known_everywhere(copy):
    program = """
import numpy as np, sknneuron
from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.activations import ACTIVATIONS
assert "arctan" in ACTIVATIONS and "sknneuron.activations.Arctan" in sknneuron.TRUSTED_TYPES
X = np.random.default_rng(0).normal(size=(200, 2))
neuron = NeuronRegressor("arctan", alpha=0, random_state=0).fit(X, np.arctan(X @ [2.0, -1.0]))
print(neuron.coef_.round(6), NeuronClassifier("arctan").fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0))
try:
    NeuronRegressor("arctn").fit(X, X[:, 0])
except ValueError as error:
    print(error)
"""
    done = run(copy, "-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    assert "[ 2. -1.]" in done.stdout
    assert "'arctan'" in done.stdout
    assert "Did you mean 'arctan'?" in done.stdout


@pytest.mark.slow
def test_the_parametrised_tests_take_it_in_and_pass(copy):
    files = ["tests/test_activations.py", "tests/test_pairs.py"]
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", "Arctan")
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 50
    whole = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", files[0])
    assert whole.returncode == 0, whole.stdout[-3000:]
