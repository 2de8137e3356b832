#!/usr/bin/env bash
# Which of the source study's conclusions, and which of ours, hold here? Runs every arm of claims.yaml
# as an experiment and writes the verdicts to metrics/claims.json (see python -m genlab claims --help).
set -euo pipefail
python -m genlab claims run "$@"
