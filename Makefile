# The two commands a newcomer needs are `make run` and `make test`.
PORT ?= 8080
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
FUZZ ?= 20
CHAOS_S ?= 120
SOAK_S ?= 3600

.DEFAULT_GOAL := help
.PHONY: help run setup test check style types floors clients servers fuzz docs chaos audit compile test-compiled bench bench-compare bench-compare-baseline micro loadtest soak clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

run: $(VENV)/.installed  ## the gateway with a built-in demo provider, on PORT (8080)
	@$(BIN)/hatz-gateway demo --port $(PORT)

setup: $(VENV)/.installed-dev  ## install everything the other targets need
	@echo "installed in $(VENV)"

# The sources are what is tested, whatever was compiled.
test: check clients servers  ## everything that must pass; installs what is missing
	HATZ_GATEWAY_COMPILED=off $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

fuzz: $(VENV)/.installed-dev  ## the laws of bytes and translation, FUZZ times as long (20) as in test
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -n $(JOBS) -m hypothesis \
	  tests/laws tests/wire tests/stream tests/providers

chaos: servers  ## workers, PostgreSQL, Redis and providers killed at random under load, CHAOS_S seconds (120)
	CHAOS_S=$(CHAOS_S) $(BIN)/python -m pytest -s tests/chaos

audit: $(VENV)/.installed-audit  ## known weaknesses of the pinned dependencies
	$(BIN)/pip-audit --disable-pip --no-deps --progress-spinner off -r constraints.txt

check: style types floors  ## format, lint, types, import contracts

style: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

floors: $(VENV)/.installed-dev
	$(BIN)/lint-imports

clients: $(VENV)/.installed-dev  ## install the real SDKs and Claude Code the tests drive
	$(BIN)/python tests/clients/install.py

servers: $(VENV)/.installed-dev  ## install PostgreSQL, Redis, Prometheus, HAProxy, Chromium, which the tests start themselves
	@$(BIN)/python -m tests.kit.servers

docs: $(VENV)/.installed-dev  ## write docs/settings.md anew, out of the settings
	$(BIN)/python -m tests.kit.settings_page

compile: $(VENV)/.installed-dev  ## the hot path as machine code: a third less CPU per request; two minutes
	@$(BIN)/python -m compiled.build

test-compiled: compile  ## the rooms the hot path runs through, tested as machine code
	HATZ_GATEWAY_COMPILED=required $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup \
	  tests/laws tests/gateway tests/server tests/stream tests/wire tests/limits tests/ledger \
	  tests/upstream tests/sockets tests/catalog tests/auth tests/test_compiled.py

bench: compile  ## CPU, latency and memory beside nginx and a plain aiohttp proxy
	$(BIN)/python -m bench.run $(BENCH)

bench-compare: compile  ## beside LiteLLM, Portkey, nginx, HAProxy, installed for it: one table and plots; COMPARE=--quick
	$(BIN)/python -m bench.compare $(COMPARE)

bench-compare-baseline: $(VENV)/.installed-dev  ## two results of make bench and their noise: OLD=… NEW=…
	$(BIN)/python -m bench.baseline $(OLD) $(NEW)

micro: $(VENV)/.installed-dev  ## ns of single steps of the hot path; MICRO=--instructions counts instructions too
	$(BIN)/python -m bench.micro $(MICRO)

loadtest: $(VENV)/.installed-dev  ## locust against a local gateway and a fast provider; LOADTEST='--shape spike --workers 2 --html f.html'
	$(BIN)/python -m bench.loadtest $(LOADTEST)

soak: $(VENV)/.installed-dev  ## an hour of locust's users, SOAK_S seconds (3600): memory flat, no stream lost
	$(BIN)/python -m bench.soak --seconds $(SOAK_S)

clean:  ## remove what the targets made; keeps var/ (your data)
	rm -rf $(VENV) .clients compiled/built .peers .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make run PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the gateway into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the development tools …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench,otlp]'
	@touch $@

$(VENV)/.installed-audit: $(VENV)/.installed-dev
	@echo "installing pip-audit …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench,otlp,audit]'
	@touch $@
