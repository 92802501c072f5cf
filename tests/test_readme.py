"""What the README and the documentation show comes out, and where they point is something."""

import doctest
import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from .benchmarks import claims

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.rst"))]
PAGES = [p for p in PAGES if not {"_build", "generated", "auto_examples"} & set(p.parts)]
# What a page may need beside the core, and is skipped without.
EXTRAS = ("dask", "glum", "matplotlib", "mlflow", "pyarrow", "skops", "statsmodels", "torch")
RUN = (sys.executable, "-m", "doctest", "-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE")
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LITERAL = re.compile(
    r"^(?:\.\. code-block:: *(\w+)|.*::)\n(?: *:.*\n)*\n((?: +.*\n|\n)+)", re.MULTILINE
)


def shown(page):
    """Blocks of code that are no doctests, as (language, text)."""
    text = page.read_text(encoding="utf-8")
    return (FENCE if page.suffix == ".md" else LITERAL).findall(text)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def marks_of(page):
    """Pages that import MLflow or PyTorch take their time."""
    is_slow = re.search(r">>> import (mlflow|torch)\b", page.read_text(encoding="utf-8"))
    return [pytest.mark.slow] if is_slow else []


@pytest.fixture
def from_the_root(tmp_path, monkeypatch):
    """Examples run as from the root of a clone, and leave their files elsewhere."""
    for name in ("examples", "docs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tracked_nowhere_afterwards():
    """MLflow as it was, and quiet about what the packages below it do with each other."""
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.sklearn.autolog(disable=True)
        mlflow.set_tracking_uri(None)


@pytest.mark.parametrize("page", [pytest.param(p, marks=marks_of(p)) for p in PAGES], ids=name_of)
def test_examples_give_what_they_show(page, from_the_root, tracked_nowhere_afterwards):
    text = page.read_text(encoding="utf-8")
    for name in EXTRAS:
        needed = re.search(rf"^>>> (import|from) {name}\b", text, re.MULTILINE)
        if needed and importlib.util.find_spec(name) is None:
            pytest.skip(f"could not import {name}")
    if "array_api_dispatch=True" in text:  # wants a process of its own
        environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
        done = subprocess.run([*RUN, str(page)], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    with warnings.catch_warnings():  # some pages print theirs
        if "mlflow" in text:
            warnings.simplefilter("ignore")
        results = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert results.failed == 0


def test_readme_has_an_example():
    assert len(doctest.DocTestParser().get_examples(PAGES[0].read_text(encoding="utf-8"))) >= 5


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_is_shown_as_examples_that_run(page):
    for language, block in shown(page):
        assert language != "python" or ">>> " in block, f"not run by any test:\n{block}"
        assert not re.search(
            r"^ *(import|from [\w.]+ import) ", block.replace(">>> ", "# "), re.M
        ), f"not run by any test:\n{block}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_name_what_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^ +)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"make {target}"
    for script in re.findall(r"python ([\w/]+\.py)", text):
        assert (ROOT / script).is_file(), script
    for module in re.findall(r"python -m ((?:tests|docs)[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


def test_links_of_the_readme_lead_somewhere():
    text = PAGES[0].read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in (link for link in found if "://" not in link):
        assert (ROOT / link).exists(), link


def test_claims_of_the_readme_are_in_the_committed_results():
    place = claims.PLACE.search(claims.README.read_text(encoding="utf-8"))
    assert place.group() == claims.claims(), "python -m tests.benchmarks.claims writes them"
