# make        run the pipeline: everything from the corpus to the scores
# make test   run the tests
# make show   the experiments so far, narrower than `dvc exp show`
# make verify run everything again in a clean copy, compare with the committed numbers
# make bench  every time and ratio that is claimed, into benchmarks/RESULTS.md (20 minutes)
# make lint   what ruff has to say
# All make the virtual environment first, if requirements.lock is newer than it.

VENV := .venv
PYTHON := python3.11
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH :=
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: repro test lint bench show verify
repro: $(VENV)/installed
	dvc repro

test: $(VENV)/installed
	python -m pytest

lint: $(VENV)/installed
	ruff check .
	ruff format --check .

bench: $(VENV)/installed
	python -m benchmarks.run

verify: $(VENV)/installed
	python -m genlab verify

show: $(VENV)/installed
	python -m genlab show

$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@
