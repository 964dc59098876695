# One command each: run, test, test-all. They need Python 3.11 or newer, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# Compiled files are kept, whatever the shell says: writing each test's asserts in long form anew, in
# every process of every run, costs a tenth of `make test`.
export PYTHONDONTWRITEBYTECODE :=
BIN := $(VENV)/bin

.PHONY: help run test test-all bench screenshots tools lint format openapi clean

help:
	@echo "make run          everything on this machine, with demo data (Ctrl-C stops it)"
	@echo "make test         the tests that need nothing but Python"
	@echo "make test-all     those, and the slow ones with live servers"
	@echo "make bench        how fast it is, beside baselines of the same run (BENCH=calls: a part)"
	@echo "make lint         what CI checks of style; make format repairs it"
	@echo "make screenshots  pictures of the staff pages, to look at after changing one"
	@echo "make openapi      write openapi.yaml, the API's description, out of the views"

# The stamps hold the requirements that were installed, so that an unchanged file costs nothing.
$(VENV)/run.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/run.stamp
	@DEBUG=true SANDBOX=true $(BIN)/python manage.py up

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not slow and not walk"

# What only the slow tests need: a Chromium of the system and axe-core, which finds what people with
# disabilities could not use; Node and PHP, which run the examples for clients.
CHROMIUM ?= /usr/bin/chromium
AXE := .tools/node_modules/axe-core/axe.min.js
APT := $(shell test "$$(id -u)" = 0 || echo sudo) apt-get

tools: $(CHROMIUM) $(AXE)
	command -v node >/dev/null || { $(APT) update -q && $(APT) install -qy nodejs; }
	php -m 2>/dev/null | grep -q curl || { $(APT) update -q && $(APT) install -qy php-cli php-curl; }

$(CHROMIUM):
	$(APT) update -q && $(APT) install -qy chromium

$(AXE):
	command -v npm >/dev/null || { $(APT) update -q && $(APT) install -qy npm; }
	npm install --prefix .tools --no-save --no-audit --no-fund axe-core@4.14.1

test-all: $(VENV)/dev.stamp lint tools
	REQUIRE_ALL=1 HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not slow"
	REQUIRE_ALL=1 HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q -m slow

# Its sections: buying calls bulk million soak. The table is written to .data/bench.md.
bench: $(VENV)/dev.stamp
	$(BIN)/python -m burki.bench $(BENCH)

screenshots: $(VENV)/dev.stamp $(CHROMIUM)
	DEBUG=true $(BIN)/python -m burki.tests.screenshots

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DEBUG=true $(BIN)/python manage.py makemigrations --check

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(VENV)/dev.stamp
	DEBUG=true $(BIN)/python manage.py spectacular --validate --fail-on-warn --file openapi.yaml

clean:
	rm -rf $(VENV) .data .tools staticfiles
