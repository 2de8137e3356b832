#!/usr/bin/env bash
# pipelines/alignment: which of the source study's conclusions, and which of ours, hold here?
set -euo pipefail
cd "$(dirname "$0")/../pipelines/alignment"
export PYTHONPATH=../..
python -m genlab claims run
