# make demo | test | lint | bench | soak | install.  Each sets up what it needs: Debian packages (as root), a virtual environment.
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
PREFIX ?= /usr/local/frontline
LAUNCHERS := qsmtpd/launch/qsmtpd qqshim/launch/qqshim holdq/launch/holdq-queue
SOURCES := $(shell find qsmtpd qqshim holdq tools -type f -not -name '*.pyc') setup.cfg pyproject.toml README.md LICENSE

# The kernel starts the interpreter by itself only where its path may stand in a first line.
define pack
	@case '$(1)' in *[[:space:]]*) ;; *) $(1)/bin/python3 -IS tools/pack.py $(1) $(LAUNCHERS) ;; esac
endef

.PHONY: demo test lint bench soak install packages packages-if-possible clean

demo: packages-if-possible $(VENV)/installed
	@$(BIN)/python examples/demo/run.py $(if $(KEEP),--keep)

test: packages lint
	$(BIN)/python -m pytest -m "not soak $(if $(filter 0,$(shell id -u)),,and not root)"

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/mypy

soak: packages $(VENV)/installed
	$(BIN)/python -m pytest -m soak --timeout 3600

bench: packages $(VENV)/installed
	$(BIN)/python tests/bench/run.py --write

packages:
	@tests/packages.sh

# The demo does without clamd and spamd, and says so.
packages-if-possible:
	@tests/packages.sh || true

$(VENV)/ready: setup.cfg
	@$(PYTHON) -c 'import ensurepip' || { echo 'make: install python3-venv, or name another interpreter: make PYTHON=...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet setuptools wheel
	$(BIN)/pip install --quiet $$($(BIN)/python tests/requirements.py)
	@touch $@

$(VENV)/installed: $(VENV)/ready $(SOURCES)
	@rm -rf build
	$(BIN)/pip install --quiet --no-deps --no-build-isolation .
	$(call pack,$(CURDIR)/$(VENV))
	@rm -rf build
	@touch $@

# What INSTALL's second step does: an environment of our own, where "tools" is in nobody's way.  EXTRAS=spf,redis for their libraries.
install:
	umask 022 && $(PYTHON) -m venv $(PREFIX) && $(PREFIX)/bin/pip install --quiet '.$(if $(EXTRAS),[$(EXTRAS)])'
	@rm -rf build
	$(call pack,$(abspath $(PREFIX)))

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
