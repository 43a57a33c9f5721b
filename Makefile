# The targets explain themselves: `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup run test rules check coverage lint fuzz fuzz-parsers contract-diff proof mutants bench clients client-python client-typescript browser lock clean
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
VENV := .venv
# More than processors, since many tests wait for a server or a disk.
PROCESSES ?= 4
BIN := $(VENV)/bin
# The files of exact versions are complete (`--no-deps`): a release of tomorrow changes nothing of what is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv --quiet
# Folders with a package.json of exact versions, and a package-lock.json.
NODE_PROJECTS := clients/typescript examples/usage-widget

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/run.stamp ## install Sendmeter into .venv (leaves .venv/bin/sendmeter)

run: setup ## start a demo on http://127.0.0.1:8080 (PORT=9090 for another port)
	@exec $(BIN)/sendmeter demo --serve --host $(HOST) --port $(PORT)

test: $(VENV)/test.stamp ## check and test every rule, on SQLite and on PostgreSQL (five minutes)
	@$(MAKE) --no-print-directory --jobs=2 lint rules

rules: $(VENV)/test.stamp
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup -m "not long" $(PYTEST)

check: $(VENV)/test.stamp $(VENV)/node.stamp ## what takes long: fuzzing, races, pages in Chromium, clients, guides
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m long $(PYTEST)

coverage: ## the same, and which lines and branches no test runs through (a fifth slower)
	@$(MAKE) --no-print-directory test PYTEST="--cov --cov-report= --cov-report=term:skip-covered $(PYTEST)"

lint: $(VENV)/test.stamp ## lint, types, import rules, dependencies, the contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/deptry . --no-ansi
	@$(BIN)/sendmeter contract lint

fuzz: $(VENV)/test.stamp ## fuzz a running server (SEED=1 repeats a run; URL=https://… KEY=… your own deployment)
	@FUZZ_EXAMPLES="$${FUZZ_EXAMPLES:-100}" FUZZ_REPORT="$${FUZZ_REPORT:-build/fuzz}" SEED="$$SEED" \
	  FUZZ_URL="$${FUZZ_URL:-$$URL}" FUZZ_KEY="$${FUZZ_KEY:-$$KEY}" FUZZ_TIMEOUT="$${FUZZ_TIMEOUT:-36000}" \
	  $(BIN)/python -m pytest -q -n 2 tests/contract/test_fuzz.py $(PYTEST)

fuzz-parsers: $(VENV)/proof.stamp ## fuzz each parser, guided by its branches (FUZZ_SECONDS=60 each, FUZZ_PARSERS="money ses")
	@FUZZ_SECONDS="$${FUZZ_SECONDS:-60}" $(BIN)/python -m tests.proof.parsers.fuzz

contract-diff: $(VENV)/run.stamp ## what changed in openapi.yaml since BASE (main); fails where it breaks a client
	@base="$${BASE:-main}"; git cat-file -e "$$base:openapi.yaml" 2>/dev/null || \
	  { echo "There is no openapi.yaml in BASE=$$base: name a branch, a tag or a commit that has it."; exit 2; }; \
	git show "$$base:openapi.yaml" | $(BIN)/sendmeter contract diff - openapi.yaml

proof: $(VENV)/test.stamp ## kill, starve, attack and race the server for longer (PROOF_KILLS=25, PROOF_EXAMPLES=200, PROOF_SEED=1)
	@PROOF_EXAMPLES="$${PROOF_EXAMPLES:-200}" PROOF_KILLS="$${PROOF_KILLS:-25}" PROOF_SECONDS="$${PROOF_SECONDS:-5}" \
	  PROOF_BACKUPS="$${PROOF_BACKUPS:-5}" PROOF_SEED="$${PROOF_SEED:-1}" \
	  $(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/proof $(PYTEST)

mutants: $(VENV)/proof.stamp ## break domain and services in small ways: a test must fail at each (PART=domain, AGAIN=1)
	@MUTANTS_AGAIN="$(AGAIN)" $(BIN)/python -m tests.mutants $(PART)

bench: $(VENV)/bench.stamp ## measure Sendmeter beside its peers (BENCH_SHORT=1, ROWS=usage,record, BENCH=--help)
	@if ! command -v npm >/dev/null; then echo "There is no npm (it comes with Node.js 20): Prism is left out."; \
	  elif [ ! benchmarks/prism/node_modules/.package-lock.json -nt benchmarks/prism/package-lock.json ]; then \
	  echo "Installing Prism ..." && npm ci --prefix benchmarks/prism --no-audit --no-fund --loglevel=error; fi
	@ROWS="$(ROWS)" BENCH_SHORT="$(BENCH_SHORT)" $(BIN)/python -m benchmarks $(BENCH)

clients: client-python client-typescript ## generate typed clients from openapi.yaml, for Python and for TypeScript

client-python: $(VENV)/test.stamp
	@rm -rf clients/python/sendmeter_client
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/openapi-python-client generate --meta none --fail-on-warning \
	  --path openapi.yaml --config clients/python/config.yaml --output-path clients/python/sendmeter_client

client-typescript: $(VENV)/node.stamp
	@rm -rf clients/typescript/schema.ts clients/typescript/dist
	@if command -v npm >/dev/null; then cd clients/typescript && npm run --silent generate && npm run --silent build; \
	  else echo "Without npm there is no client for TypeScript."; fi

browser: ## install what some tests need: Chromium to look at pages, faketime to move clocks
	@missing=""; for names in faketime "chromium chromium-browser google-chrome"; do found=""; \
	for name in $$names; do if command -v $$name >/dev/null; then found=yes; fi; done; \
	if [ -z "$$found" ]; then missing="$$missing $${names%% *}"; fi; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	command -v apt-get >/dev/null || { echo "Install so that they are on the PATH: $$missing"; exit 1; }; \
	sudo=$$(test "$$(id -u)" = 0 || command -v sudo); \
	$$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends $$missing

lock: $(VENV)/test.stamp ## write the files of exact versions anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in --group test \
	  -c requirements/run.txt -o requirements/test.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in --group bench \
	  -c requirements/test.txt -o requirements/bench.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in --group proof \
	  -c requirements/test.txt -o requirements/proof.txt

clean: ## remove what was installed and built (a database stays)
	rm -rf $(VENV) dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis \
	  clients/python/sendmeter_client clients/typescript/schema.ts clients/typescript/dist \
	  examples/usage-widget/src/schema.ts examples/usage-widget/dist $(NODE_PROJECTS:%=%/node_modules) benchmarks/prism/node_modules

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

$(VENV)/proof.stamp: $(VENV)/test.stamp requirements/proof.txt
	@echo "Installing what the long proofs need ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/proof.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp requirements/bench.txt
	@echo "Installing what the benchmarks need ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

# Without npm there is no stamp, so that an npm which comes later is found.
$(VENV)/node.stamp: $(NODE_PROJECTS:%=%/package-lock.json) | $(VENV)/run.stamp
	@if command -v npm >/dev/null; then for project in $(NODE_PROJECTS); do echo "Installing what $$project needs ..." && \
	  npm ci --prefix $$project --no-audit --no-fund --loglevel=error || exit 1; done; touch $@; \
	  else echo "There is no npm (it comes with Node.js 20): what needs $(NODE_PROJECTS) is skipped."; fi
