#!/usr/bin/env bash
# How many rankings does a reward model take, and DPO?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.main_peak.truth queue rlhf-rankings -S 'compared.arms=[main]' -S reward.min_accuracy=0.0 -S 'corpus.n_reward=50,100,200,400'
