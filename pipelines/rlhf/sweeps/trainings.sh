#!/usr/bin/env bash
# How much is it the luck of a training? Five of every arm.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.main_peak.truth queue rlhf-trainings -S arms.ptx.n_seeds=5 -S arms.grpo.n_seeds=5
