# Two commands do everything on a bare machine: `make up` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The type checker reads the settings; it connects to nothing.
ANY_SETTINGS := SECRET_KEY=check DATABASE_URL=postgresql://check@127.0.0.1/check VALKEY_URL=redis://127.0.0.1/0

.PHONY: up test check format tools browser client clean

up: $(VENV)/.runtime
	@exec $(BIN)/python -m portal.up

# Groups side by side: tests/groups.py. For one folder: .venv/bin/pytest tests/catalog
test: tools browser client check
	@$(BIN)/python -m tests.groups

# The whole law but the tests: format, lint, types, imports, templates, migrations.
check: tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/djhtml --check --tabwidth 2 --extra-block partialdef,,endpartialdef templates
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python -m tests.check_migrations
	$(ANY_SETTINGS) $(BIN)/mypy portal catalog

format: tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djhtml --tabwidth 2 --extra-block partialdef,,endpartialdef templates

tools: $(VENV)/.tools

# pip comes last: a venv whose making was broken off, or refused for want of Debian's python3-venv, is made again.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Slipway needs Python 3.11 or newer: PYTHON=python3.12 make up"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/pip
	@echo "Installing what Slipway runs on (once)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.tools: requirements-dev.txt | $(VENV)/bin/pip
	@echo "Installing what the checks and tests need (once)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# Browser journeys and the kubectl rounds need Debian packages; without root they are skipped by name.
browser:
	@scripts/debian_packages.sh

# The catalog API's own client speaks with ours, where node is at hand.
client:
	@scripts/catalog_client.sh

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache
