"""What a release consists of hangs together."""

import re
from pathlib import Path

import pytest

import sknneuron

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_the_citation_agrees():
    assert re.search(r"^version: (.+)$", read("CITATION.cff"), re.M).group(1) == (
        sknneuron.__version__
    )
    assert 'dynamic = ["version"]' in read("pyproject.toml")
    assert not re.search(r'^version = "', read("pyproject.toml"), re.M)


def test_the_changelog_begins_with_what_is_to_come_or_with_this_version():
    first = re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M).group(1)
    assert first == "Unreleased" or first.startswith(f"{sknneuron.__version__} - 20")


def test_the_licence_is_the_one_that_is_declared():
    assert read("LICENSE").startswith("BSD 3-Clause License")
    assert 'license = "BSD-3-Clause"' in read("pyproject.toml")
    assert "license: BSD-3-Clause" in read("CITATION.cff")


@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "data").glob("*.csv")), ids=str)
def test_the_source_of_every_data_file_is_told(file):
    assert f"`{file.name}`" in read("examples/data/README.md")


def test_make_help_has_a_line_for_every_target():
    makefile = read("Makefile")
    told = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.M))
    assert told == set(re.findall(r"^([a-z-]+):", makefile, re.M))
    wanted = {"demo", "test", "slow", "lint", "docs", "bench-quick", "bench", "page"}
    assert wanted <= told
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.M).group(1)
    assert set(phony.split()) == told
