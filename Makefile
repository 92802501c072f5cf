# `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo page test slow lint types docs bench-quick bench clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# A stamp per set of extras: set up once, and again when the dependencies change.
$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || (echo "Python >= 3.11 is needed; name one with make PYTHON=python3.12 ..." >&2; exit 1)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/made-%: pyproject.toml | $(VENV)/made
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@

demo: $(VENV)/made-mlflow,plot ## Predict house prices with one neuron, and say what to open
	$(PY) examples/housing.py

page: $(VENV)/made-plot ## Write pages of fitted neurons to play with, and say where
	$(PY) docs/neuron_pages.py examples/output

# A process for each core, with one thread of BLAS: more would wait for one another.
test: $(VENV)/made-test ## Install and run the tests
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PY) -m pytest -q -n auto --dist loadfile

slow: $(VENV)/made-test ## Run the slow tests
	$(PY) -m pytest -q -m slow

lint: $(VENV)/made-lint ## Check format, style and the direction of imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

types: $(VENV)/made-lint ## Check types
	$(VENV)/bin/mypy

docs: $(VENV)/made-docs ## Build the documentation into docs/_build/html
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Open in a browser: docs/_build/html/index.html"

bench-quick: $(VENV)/made-bench ## Run a part of the benchmarks, in under five minutes
	$(PY) -m tests.benchmarks.run --quick

bench: $(VENV)/made-bench ## Run all benchmarks, beside the peers, and write the tables of the docs
	$(PY) -m tests.benchmarks.run --write

clean: ## Remove what the other targets made
	rm -rf $(VENV) docs/_build docs/generated docs/auto_examples examples/output build dist *.egg-info
