# One word for each action. Each works on a fresh clone and is quick when nothing changed.
PYTHON  ?= python3
WORKERS ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
TYPED  := build/typing/fullshelf

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev check format test test-all demo bench gpu-wheels image-check clean

help:           ## list the actions
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(VENV)/.runtime          ## virtual environment with what the job needs

setup-dev: $(VENV)/.dev          ## … and with what checks and tests need

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@ $(VENV)/.runtime

check: setup-dev                 ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p $(TYPED)
	@for folder in kernels engine cluster bench; do ln -sfn $(CURDIR)/$$folder $(TYPED)/$$folder; done
	cd build/typing && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml \
	  --cache-dir $(CURDIR)/.mypy_cache --namespace-packages --explicit-package-bases -p fullshelf

format: setup-dev                ## apply the formatter and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup-dev                  ## the tests that take minutes, WORKERS files at once
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

test-all: setup-dev              ## all tests
	$(BIN)/python -m pytest

demo: setup                      ## make a small marketplace, refresh it, say where to look
	$(BIN)/fullshelf demo --out demo

bench: setup-dev                 ## the benchmarks in their small size
	$(BIN)/fullshelf bench all --size small

gpu-wheels: setup                ## what bench/gpu_session.sh needs on a GPU machine without a network, into .whl
	$(BIN)/python -m pip download --quiet --constraint constraints.txt --no-deps --dest .whl polars polars-runtime-32 \
	  pydantic pydantic-core annotated-types typing-inspection typer shellingham annotated-doc rich markdown-it-py mdurl pygments

image-check: setup               ## the steps of configs/Dockerfile in clean folders (no Docker; gigabytes)
	$(BIN)/python tests/image_steps.py

clean:                           ## remove what the actions above made, but not the environment
	rm -rf build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find kernels engine cluster bench tests -name __pycache__ -prune -exec rm -rf {} +
