VENV := .venv
PYTHON := python3.11
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH :=
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: repro test lint bench show verify help
repro: $(VENV)/installed ## run the pipeline: everything from the corpus to the scores (plain `make`)
	python -m genlab check
	dvc repro

test: $(VENV)/installed ## run the tests
	python -m pytest

lint: $(VENV)/installed ## ask ruff and mypy, and whether the deps in dvc.yaml are complete
	ruff check .
	ruff format --check .
	mypy
	python -m genlab deps --check

show: $(VENV)/installed ## show the experiments so far, narrower than `dvc exp show`
	python -m genlab show

verify: $(VENV)/installed ## run everything again in a clean copy, compare with the committed numbers
	python -m genlab verify

bench: $(VENV)/installed ## measure what is claimed of time and memory: benchmarks/RESULTS.md (20 minutes)
	python -m benchmarks.run

help: ## list these
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# Made anew when the lock is newer.
$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@
