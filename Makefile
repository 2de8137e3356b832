# An activated environment is used as it is; otherwise .venv, made here.
ENVIRONMENT := $(or $(VIRTUAL_ENV),.venv)
blank := $(subst ,, )
# As a target: make splits words at blanks.
VENV := $(subst $(blank),\ ,$(ENVIRONMENT))
PYTHON := python3.11
PIP := python -m pip install --quiet --disable-pip-version-check --require-hashes
# PyPI has torch for Linux with CUDA alone (several GB); this has the build without.
CPU_TORCH := --extra-index-url https://download.pytorch.org/whl/cpu
export PATH := $(or $(VIRTUAL_ENV),$(CURDIR)/.venv)/bin:$(PATH)
export PYTHONPATH :=
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# The longest files of tests begin (tests/conftest.py), not those with the most tests.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: repro test test-limits lint bench show back verify help there
repro: $(VENV)/genlab-packages ## run the pipeline: everything from the corpus to the scores (plain `make`)
	python -m genlab check
	dvc repro

test: $(VENV)/genlab-test-packages ## run the tests
	python -m pytest $(IN_TWO)

test-limits: there ## run them under limits of instructions and threads, all or TESTS=tests/ROOM
	python -m tests.limits $(IN_TWO) $(TESTS)

lint: $(VENV)/genlab-test-packages ## ask ruff and mypy, and whether the deps in dvc.yaml are complete
	ruff check .
	ruff format --check .
	mypy
	python -m genlab deps --check

show: there ## show the experiments so far, narrower than `dvc exp show`
	python -m genlab show

back: there ## bring the committed run back, if DVC's cache has it; nothing is lost
	python -m genlab back

verify: there ## run everything again in a clean copy, compare with the committed numbers
	python -m genlab verify

bench: there ## measure what is claimed of time and memory: benchmarks/RESULTS.md (half an hour at least)
	python -m benchmarks.run

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# Installed anew when a lock is newer. Nothing but repro, test and lint installs.
$(VENV)/genlab-packages: requirements.lock | $(VENV)/bin/python
	@$(call install,-r requirements.lock)
	@touch "$@"

$(VENV)/genlab-test-packages: requirements.lock requirements-test.lock | $(VENV)/bin/python
	@$(call install,-r requirements.lock -r requirements-test.lock)
	@touch "$@" "$(ENVIRONMENT)/genlab-packages"

# The second try is for machines whose pip finds torch's CPU build nowhere.
define install
python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
  { echo "error: $(ENVIRONMENT) has another Python than 3.11, which the lock is for; run 'deactivate', and make again" >&2; exit 1; }; \
echo "installing the packages in $(ENVIRONMENT) (two minutes, 4.5 GB)"; \
$(PIP) $(1) || { echo "once more, with PyTorch's own index" >&2; $(PIP) $(CPU_TORCH) $(1); }
endef

$(VENV)/bin/python:
	@if $(PYTHON) -c "import ensurepip" 2>/dev/null; then $(PYTHON) -m venv "$(ENVIRONMENT)" || { rm -rf "$(ENVIRONMENT)"; exit 1; }; \
	elif command -v uv >/dev/null; then uv venv --quiet --seed --python 3.11 "$(ENVIRONMENT)"; \
	elif $(PYTHON) -c "" 2>/dev/null; then echo "error: $(PYTHON) here cannot make an environment, as ensurepip is missing; install python3.11-venv (or uv: https://docs.astral.sh/uv)" >&2; exit 1; \
	else echo "error: no $(PYTHON) here; install Python 3.11 (or uv, which brings it: https://docs.astral.sh/uv), or say where it is: make PYTHON=/path/to/python3.11" >&2; exit 1; fi

there:
	@python -c 'import sys; from importlib.util import find_spec as f; sys.exit(not all(map(f, ["dvc", "polars", "typer"])))' 2>/dev/null || \
	{ echo "error: the packages are not installed; run 'make repro', or activate the environment that has them" >&2; exit 1; }
