#!/usr/bin/env bash
# Does a larger reward model turn later? A base of its own of four widths.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.main_peak.truth queue rlhf-size -S 'compared.arms=[main]' -S reward.min_accuracy=0.0 -S reward_base.source=mini \
  -S 'reward_base.n_embd=16,32,64,128'
