#!/usr/bin/env bash
# Experiment 3 of the source study: does a text that repeats its query fool the rankers?
set -euo pipefail
. "$(dirname "$0")/queue.sh"
queue strip -S 'score.strip_query=true,false'
