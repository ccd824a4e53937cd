# make demo | test | lint | bench | soak | install.  Each sets up what it needs: Debian packages (as root), a virtual environment.
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
PREFIX ?= /usr/local/frontline
LAUNCHERS := qsmtpd/launch/qsmtpd qqshim/launch/qqshim holdq/launch/holdq-queue
CFLAGS ?= -O2 -Wall -Wextra
SOURCES := $(shell find qsmtpd qqshim holdq tools -type f -not -name '*.pyc') setup.cfg pyproject.toml README.md LICENSE

# The kernel starts the interpreter by itself only where its path may stand in a first line.
define pack
	@case '$(1)' in *[[:space:]]*) ;; *) $(1)/bin/python3 -IS tools/pack.py $(1) $(LAUNCHERS) ;; esac
endef

# Static where that is possible: the dynamic loader costs half as much as all the rest.  It goes by its name, so its second name
# is a hard link.  Without a compiler everything else is there.
define handoff
	@command -v $(CC) >/dev/null || { echo 'make: no C compiler, so no handoff; qsmtpd and qqshim do without it' >&2; exit 0; }; \
	build() { $(CC) $(CFLAGS) -D_FORTIFY_SOURCE=2 "$$@" -s -o '$(1)/handoff.new' qsmtpd/handoff.c; }; \
	{ build -static 2>/dev/null || build; } && ln -f '$(1)/handoff.new' '$(1)/handoff-qqshim.new' && \
	mv -f '$(1)/handoff-qqshim.new' '$(1)/handoff-qqshim' && mv -f '$(1)/handoff.new' '$(1)/handoff'
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
	$(BIN)/python tests/bench/growth.py --write

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
	$(call handoff,$(VENV)/bin)
	@rm -rf build
	@touch $@

# What INSTALL's second step does: an environment of our own, where "tools" is in nobody's way.  EXTRAS=spf,redis for their libraries.
install:
	umask 022 && $(PYTHON) -m venv $(PREFIX) && $(PREFIX)/bin/pip install --quiet '.$(if $(EXTRAS),[$(EXTRAS)])'
	@rm -rf build
	$(call pack,$(abspath $(PREFIX)))
	$(call handoff,$(abspath $(PREFIX))/bin)

clean:
	rm -rf $(VENV) .packages build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
