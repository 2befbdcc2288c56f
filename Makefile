# The Python that makes .venv; 3.11 or newer.
PYTHON ?= python3
# Passed on: `make test ARGS="-k canary -x"`.
ARGS ?=
SEEDS ?= 2000

SHELL := /bin/sh
BIN := .venv/bin
# Most tests wait for real parts: two at once. A file is played by one process, in its order. ARGS="-n 0 --pdb" is one alone.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
OURS := $(wildcard delivery workers api alembic tests tools benchmarks)

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-system screenshots test-cluster cluster lint format simulate faults bench bench-cluster
.PHONY: bench-gates manifests lock upgrade clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## make .venv from the lock: about a minute once, then nothing
	@command -v $(PYTHON) >/dev/null || { echo "setup: there is no $(PYTHON); install Python 3.11 or newer, or name one with: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) tools/setup.py $(if $(filter file,$(origin PYTHON)),,--this-python)

demo: setup ## play the main job to its end on a real Envoy and print what happened
	@$(BIN)/delivery demo $(ARGS)

serve: setup ## keep the same environment running, to play with; Ctrl-C ends it
	@$(BIN)/delivery serve $(ARGS)

test: setup ## all tests that need only what PyPI has
	$(PYTEST) $(ARGS)

test-system: setup ## the tests against Debian's Prometheus, Redis, PostgreSQL and Chromium
	$(PYTEST) tests/system $(ARGS)

screenshots: setup ## pictures of every page in every state of a release, into build/screenshots: with Debian's chromium
	@$(BIN)/python -m tests.system.screenshots $(ARGS)

test-cluster: setup ## the tests on a real Kubernetes API, istiod and Envoy: as root, with Go 1.26; the first build is slow
	@$(BIN)/python -m tools.cluster_build
	$(PYTEST) tests/cluster $(ARGS)

cluster: setup ## keep that testbed running and print its KUBECONFIG; Ctrl-C ends it
	@$(BIN)/python -m tools.cluster

lint: setup ## style, types and the import rule
	$(BIN)/ruff check $(OURS)
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy $(OURS)
	$(BIN)/lint-imports

format: setup ## what ruff can mend by itself
	$(BIN)/ruff check --fix-only $(OURS)
	$(BIN)/ruff format $(OURS)

simulate: setup ## the simulation at length: make simulate SEEDS=20000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

faults: setup ## kill, freeze, cut off and fill up everything, about 55 minutes, with a report: as root, on the built testbed
	$(BIN)/python -m tests.faults $(ARGS)

bench: setup ## measure: takes minutes and a quiet machine
	$(BIN)/python -m benchmarks $(ARGS)

bench-gates: setup ## how often gates roll back healthy releases, how soon they find bad ones: minutes; ARGS=--quick: half a one
	$(BIN)/python -m benchmarks.gates $(ARGS)

bench-cluster: setup ## the same on the testbed of the cluster tests: as root, with Go 1.26
	@$(BIN)/python -m tools.cluster_build
	$(BIN)/python -m benchmarks cluster $(ARGS)

manifests: setup ## render deploy/manifests from the Helm chart: with Go 1.26
	@$(BIN)/python -m tools.chart

lock: setup ## pin again after a change of pyproject.toml; pins that still fit stay
	tools/lock.sh

upgrade: setup ## pin the newest versions
	tools/lock.sh --upgrade

clean: ## remove all that is made, .venv too
	rm -rf .venv dist build .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
