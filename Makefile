# `make bench` and `make test` each work as the first command on a machine with Python and make.
# Every target sets up .venv by itself: with uv if it is there, else with python3 -m venv.

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.10,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
# uv, if it is there and new enough for dependency groups
UV := $(shell uv pip install --help 2>/dev/null | grep -q -e --group && echo uv)

# Compiled once: else each worker and each process of the tests compiles all modules again
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help bench test test-complete test-servers test-wheel test-all check costs side-by-side \
	watch-costs scale pictures long-watch foreign soak clean

help:
	@echo 'make bench   the same authenticated requests three ways, on the embedded look-alike'
	@echo 'make test    the tests (three minutes)'
	@echo 'make check   formatting, lint and types'
	@echo
	@echo 'For those who work on keptalive, some minutes each:'
	@echo 'make test-all      make test, and what needs servers, other Pythons or time'
	@echo 'make test-servers  of these, what needs nginx, haproxy, apache, node and so on: as root on'
	@echo '                   Debian, it installs those that are missing (four minutes)'
	@echo 'make test-wheel    of these, what concerns installing: the built package, the action'
	@echo 'make costs         what keptalive itself costs, its noise floor, the tuned Session; half an hour'
	@echo 'make side-by-side  the table of HTTP clients in the README'
	@echo 'make watch-costs   the table in docs/watching-costs.md: what watching costs, tool by tool'
	@echo 'make scale         Locust with a master and two workers on the look-alike, ten seconds'
	@echo 'make pictures      the pictures in README and docs, from real runs (two minutes, needs Chromium)'
	@echo 'make long-watch    a million requests under watch: what one costs, memory (half an hour)'
	@echo "make foreign       requests' and urllib3's own tests with keptalive in them, offline (20 minutes)"
	@echo "make soak          the long agreement of four counts, with 64 threads, forks and signals too,"
	@echo "                   on urllib3 2 and 1.26; memory (an hour)"
	@echo
	@echo 'make clean   removes .venv and what tools have left behind'

bench: .venv/installed
	@$(BIN)/keptalive bench bench/github.toml

# Processes that run tests at the same time
WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile

test: .venv/installed-dev
	$(PYTEST) -m 'not complete'

# What `make test` leaves out: one after the other, since much of it is about time
test-complete: .venv/installed-complete
	$(BIN)/pytest -m complete --ignore=tests/real_servers

# Real servers: these tests mostly wait, so several of them do it at the same time
SERVER_WORKERS ?= 5

test-servers: .venv/installed-servers
	@tests/real_servers/install.sh
	$(BIN)/pytest -n $(SERVER_WORKERS) -m complete tests/real_servers

# A wheel in an environment that has nothing else, the pages' commands for installing it, and the
# steps of the action and of the workflows
test-wheel: .venv/installed-dev
	$(BIN)/pytest -m complete tests/installing

test-all: test test-complete test-servers

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

costs: .venv/installed-peers .venv-niquests/installed
	$(BIN)/pytest bench --benchmark-enable

side-by-side: .venv/installed-peers .venv-niquests/installed
	@$(BIN)/python -m bench.side_by_side

watch-costs: .venv/installed-peers
	@$(BIN)/python -m bench.watching_cost

# make scale USERS=1000 SECONDS=60
USERS ?= 200
SECONDS ?= 10

scale: .venv/installed-dev
	@$(BIN)/python -m bench.scale $(USERS) $(SECONDS)

# From real runs; needs Chromium
pictures: .venv/installed-complete
	$(BIN)/python -m bench.pictures

# make long-watch LONG_WATCH=20000 is a short one
LONG_WATCH ?= 1000000

long-watch: .venv/installed-dev
	@$(BIN)/python -m bench.long_watch $(LONG_WATCH)

foreign: .venv/installed-dev
	$(BIN)/python tests/foreign/compare_suites.py

# How many requests: make soak SOAK=5000 SOAK_MEMORY=20000 is a short one
SOAK ?= 100000
SOAKED := tests/watching/test_agreement.py tests/watching/test_soak.py
SOAK_MEMORY ?= 1000000
SOAK_THREADS ?= 50000

soak: .venv/installed-dev .venv-urllib3-1/installed
	KEPTALIVE_SOAK=$(SOAK) $(BIN)/pytest -qs $(SOAKED)
	KEPTALIVE_SOAK=$(SOAK_THREADS) $(BIN)/pytest -qs tests/bench/test_threads.py -k 64_threads
	KEPTALIVE_SOAK=$(SOAK) .venv-urllib3-1/bin/pytest -qs $(SOAKED)
	KEPTALIVE_SOAK=$(SOAK_THREADS) .venv-urllib3-1/bin/pytest -qs tests/bench/test_threads.py -k 64_threads
	KEPTALIVE_SOAK=$(SOAK_MEMORY) $(BIN)/pytest -qs bench/test_watch_overhead.py -k asks_for_long

clean:
	rm -rf .venv .venv-niquests .venv-urllib3-1 .mypy_cache .ruff_cache .pytest_cache .benchmarks
	find bench src tests -name __pycache__ -prune -exec rm -r {} +

.venv/pyvenv.cfg:
	@test -n '$(PYTHON)' || { echo 'keptalive needs Python 3.10 or newer on the PATH'; exit 2; }
	@if [ -n '$(UV)' ]; then uv venv --quiet --python $(PYTHON) .venv; \
	else $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo 'Python cannot make virtual environments here. On Debian: apt-get install python3-venv'; \
	  exit 2; }; fi

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# pip knows --group since 25.1; Debian 12's python3 -m venv brings 23.0
GROUPS_PIP := 'pip>=25.1'

# $(1): the options that install more than the package itself, editable
define install
	@echo 'Setting up .venv (once)'
	@if [ -n '$(UV)' ]; then uv pip install --quiet --python $(BIN)/python -e . $(1); \
	else $(if $(1),$(BIN)/python $(PIP_INSTALL) $(GROUPS_PIP) && )$(BIN)/python $(PIP_INSTALL) -e . $(1); fi
	@touch $@
endef

.venv/installed: .venv/pyvenv.cfg pyproject.toml
	$(call install)

.venv/installed-dev: .venv/pyvenv.cfg pyproject.toml
	$(call install,--group dev)
	@touch .venv/installed

.venv/installed-complete: .venv/installed-dev
	$(call install,--group complete)

.venv/installed-servers: .venv/installed-dev
	$(call install,--group servers)

.venv/installed-peers: .venv/installed-dev
	$(call install,--group peers)

.venv-niquests/installed:
	$(PYTHON) -m venv .venv-niquests
	.venv-niquests/bin/python $(PIP_INSTALL) niquests
	@touch $@

.venv-urllib3-1/installed: pyproject.toml
	$(PYTHON) -m venv .venv-urllib3-1
	.venv-urllib3-1/bin/python $(PIP_INSTALL) $(GROUPS_PIP)
	.venv-urllib3-1/bin/python $(PIP_INSTALL) -e . --group dev 'urllib3<2'
	@touch $@
