#!/usr/bin/env bash
# What do pretraining texts in the steps of RL keep, and what do they cost?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.ptx_end.truth queue rlhf-ptx -S 'compared.arms=[ptx]' -S score.arm=ptx \
  -S 'arms.ptx.ptx_gamma=0.0,0.1,0.5,2.0'
