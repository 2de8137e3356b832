#!/usr/bin/env bash
# Does training on many prompted tasks help on tasks that were never trained on, and what helps it?
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=../..
python -m genlab claims run "$@"
