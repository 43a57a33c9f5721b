# The targets explain themselves: `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint fuzz proof lock clean
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
# The files of exact versions are complete (`--no-deps`): a release of tomorrow changes nothing of what is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv --quiet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/run.stamp ## install Sendmeter into .venv (leaves .venv/bin/sendmeter)

run: setup ## start a demo on http://127.0.0.1:8080 (PORT=9090 for another port)
	@exec $(BIN)/sendmeter demo --serve --host $(HOST) --port $(PORT)

test: $(VENV)/test.stamp lint ## check and test everything, on SQLite and on PostgreSQL
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report= --cov-report=term:skip-covered $(PYTEST)

lint: $(VENV)/test.stamp ## lint, types, import rules, dependencies, the contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/deptry . --no-ansi
	@$(BIN)/openapi-spec-validator openapi.yaml

fuzz: $(VENV)/test.stamp ## fuzz the contract against a running server (SEED=1 to repeat a run)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} $(BIN)/python -m pytest -q -n 2 tests/contract/test_fuzz.py $(PYTEST)

proof: $(VENV)/test.stamp ## the model and the races, for longer (PROOF_EXAMPLES=200, PROOF_SEED=1)
	@PROOF_EXAMPLES=$${PROOF_EXAMPLES:-200} $(BIN)/python -m pytest -q -n 2 tests/proof $(PYTEST)

lock: $(VENV)/test.stamp ## write the files of exact versions anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in --group test \
	  -c requirements/run.txt -o requirements/test.txt

clean: ## remove what was installed and built (a database stays)
	rm -rf $(VENV) dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sendmeter needs Python 3.11 or newer: make PYTHON=python3.12 setup")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Sendmeter into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/test.txt
	@touch $@
