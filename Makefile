# make demo   set everything up and run the main job on the bundled samples, in English and in Chinese
# make test   set everything up and run the tests
# make lint   style, types, import contracts, generated pages
#
# Needs Debian (or another Linux, or macOS) with Python 3.11 or newer and pip; no node, no GPU, no account.
#   make demo PYTHON=python3.12                                    another Python
#   make demo TORCH="torch==2.13.0 --index-url URL"                 the CPU build: on Linux, plain torch from the
#                                                                  public index brings gigabytes of CUDA with it;
#                                                                  PyTorch's "Get started" page has the URL for CPU
#   make demo PIP_FLAGS="--index-url URL"                          a mirror of the package index

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
PIP_FLAGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_FLAGS)

.PHONY: demo test lint docs backbones setup clean

demo: $(VENV)/.train backbones
	$(BIN)/python demo/run.py

test: $(VENV)/.dev backbones
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

setup: $(VENV)/.dev backbones

# Looks into the cache first: costs a second when both are there.
backbones: $(VENV)/.train
	$(BIN)/feilun model pull --language en --language zh

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Feilun needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "The venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and by itself, so that the line can carry an index of its own.
$(VENV)/.train: $(VENV)/.python pyproject.toml
	@echo "Installing Feilun and torch into $(VENV); the first time takes some minutes."
	$(BIN)/python -m pip install --disable-pip-version-check --quiet $(TORCH)
	$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) --editable '.[train,search,adapt,scale,parquet,otel,dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo/work demo/result.json dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
