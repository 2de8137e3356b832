#!/usr/bin/env bash
# Experiment 2 of the source study: does a shorter text rank better? Lengths are in NEW tokens; the
# study's 50, 150, 300 counted a prompt padded to 32.
set -euo pipefail
. "$(dirname "$0")/queue.sh"
queue length -S 'gen.max_len=50,150,300'
