#!/usr/bin/env bash
# How many rankings does a reward model take, and DPO?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=main_peak.truth queue rlhf-rankings -S 'compared.arms=[main]' -S 'reward.n_prompts=50,100,200,400'
