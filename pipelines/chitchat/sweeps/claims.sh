#!/usr/bin/env bash
# Which of the source study's conclusions, and which of ours, hold here?
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=../..
python -m genlab claims run "$@"
