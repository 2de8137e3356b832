#!/usr/bin/env bash
# Which of InstructGPT's and Gao et al.'s conclusions hold here?
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=../..
python -m genlab claims run "$@"
