# The two commands of the README are `make demo` and `make test`; `make check` is what CI runs.
# Each makes what it needs: a .venv with the locked dependencies, through uv where it is, else venv and pip.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
# Tests wait for processes most of their time; WORKERS= runs them in one.
WORKERS := -n auto --maxprocesses=4 --dist worksteal
PIP_QUIET := --quiet --disable-pip-version-check --no-input

.PHONY: demo test check format lint types arrows tests lock clean help

help:
	@echo "make demo    watch failing kernel tests become green, offline"
	@echo "make test    run the tests"
	@echo "make check   format, lint, types, import contracts, tests with coverage (what CI runs)"
	@echo "make lock    renew requirements/*.lock from pyproject.toml (needs uv)"

demo: $(VENV)/.run
	@$(BIN)/bitnet-tui demo $(ARGS)

test: $(VENV)/.dev
	@echo "» running the tests (20 minutes on two cores; GPU tests are skipped where there is no device)"
	@$(BIN)/python -m pytest -q $(WORKERS) $(ARGS)

check: $(VENV)/.dev format lint types arrows tests

format: $(VENV)/.dev
	@echo "» format"; $(BIN)/ruff format --check .

lint: $(VENV)/.dev
	@echo "» lint"; $(BIN)/ruff check .

types: $(VENV)/.dev
	@echo "» types"; $(BIN)/mypy

arrows: $(VENV)/.dev
	@echo "» import contracts"; $(BIN)/lint-imports

tests: $(VENV)/.dev
	@echo "» tests, with coverage by package"
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@for package in engine kernels tui; do \
	  printf '%-8s ' $$package; $(BIN)/coverage report --include="$$package/*" --format=total | sed 's/$$/ % covered/'; done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "bitnet-tui needs Python 3.11 or newer; this is %d.%d (make demo PYTHON=python3.12)" % v[:2])'
ifdef UV
	@echo "» making $(VENV) with uv"
	@$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	@echo "» making $(VENV) with venv and pip"
	@$(PYTHON) -m venv $(VENV)
endif

# $(1): the lock file. The project itself is installed in place, with the locked build back end.
ifdef UV
define install
	@echo "» installing $(1) with uv"
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $(1)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q engine kernels tui
endef
else
define install
	@echo "» installing $(1) with pip (about a minute)"
	@$(BIN)/python -m pip install $(PIP_QUIET) --require-hashes -r $(1)
	@$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q engine kernels tui
endef
endif

$(VENV)/.run: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements/run.lock)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements/dev.lock)
	@touch $(VENV)/.run $@

lock:
	uv pip compile --quiet --no-strip-extras pyproject.toml --extra build --extra specialists --universal --python-version 3.11 --generate-hashes --no-header -o requirements/run.lock
	uv pip compile --quiet --no-strip-extras pyproject.toml --extra build --extra specialists --extra dask --extra dev -c requirements/run.lock --universal --python-version 3.11 --generate-hashes --no-header -o requirements/dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* .import_linter_cache
