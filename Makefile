# Every chore is one word; `make` alone prints them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
USED   := $(VENV)/.usable
SLOWEST = --durations=25
PIP     = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
CHECK_PYTHON = $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 $(MAKECMDGOALS)")'

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types unit contract local kind soak render kind-up kind-down clean

help: ## Print every target with its sentence
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv and install raykit with what development needs

$(STAMP): pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	@touch $@ $(USED)

$(USED): pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@echo 'installing raykit and Ray in $(VENV): 400 MB on disk, a minute or two'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[local]'
	@touch $@

demo: $(USED) ## Run the tutorial's comparison on a local Ray: one minute to a result
	@$(BIN)/raykit submit fib --on local
	@echo 'Type this once, and `raykit` is a command of your shell:  . $(BIN)/activate'

# The tests on kind take longest: the others leave them the CPU. The local tests are the last of them,
# since their Ray head runs until the last test has ended.
test: install ## Run all tests: 20 minutes, more where kind is; `make unit` is the short way
	@mkdir -p .cache
	@echo 'the tests on kind run beside the others: .cache/kind.log'
	@$(BIN)/python -m pytest $(SLOWEST) tests/kind >.cache/kind.log 2>&1 & kind=$$!; \
	trap 'kill -INT $$kind 2>/dev/null; wait $$kind' INT TERM; \
	nice -n 5 $(BIN)/python -m pytest $(SLOWEST) tests/contract tests/unit tests/local; others=$$?; \
	wait $$kind; on_kind=$$?; cat .cache/kind.log; \
	exit $$((others || on_kind))

lint: install ## Check style with ruff
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: install ## Check types with mypy, strict
	$(BIN)/python -m mypy

unit: install ## Run the tests that need nothing but Python: two to four minutes
	$(BIN)/python -m pytest tests/unit

contract: install ## Run the tests against KubeRay's schemas, helm and kustomize
	$(BIN)/python -m pytest tests/contract

local: install ## Run the tests on a real local Ray
	$(BIN)/python -m pytest tests/local

kind: install ## Run the tests on a real kind cluster
	$(BIN)/python -m pytest tests/kind

soak: install ## Run the long tests: many seeds, many bit flips, fifty submissions on kind while things are killed
	RAYKIT_SOAK=1 $(BIN)/python -m pytest tests/unit tests/local -m 'not kind' --timeout 3600
	RAYKIT_SOAK=1 $(BIN)/python -m pytest tests/kind/test_chaos.py -s

kind-up: $(USED) ## Start kind, install KubeRay, load the image, bring up a single-node Ray cluster
	@$(BIN)/raykit kind up
	@echo 'Type this once, and `raykit` is a command of your shell:  . $(BIN)/activate'

kind-down: $(USED) ## Remove that kind cluster
	$(BIN)/raykit kind down

render: install ## Render deploy/base, the job of deploy/gitops, the schemas and the reference pages
	$(BIN)/python scripts/render_base.py
	$(BIN)/python scripts/render_job.py
	$(BIN)/python scripts/render_reference.py

clean: ## Remove .venv and caches; run records stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
