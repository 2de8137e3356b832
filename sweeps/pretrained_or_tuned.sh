#!/usr/bin/env bash
# Experiment 1 of the source study: does fine-tuning lift a generated text among real ones?
set -euo pipefail
. "$(dirname "$0")/queue.sh"
queue tuned_or_base -S 'gen.model=base,tuned'
