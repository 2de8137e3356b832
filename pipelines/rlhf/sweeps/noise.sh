#!/usr/bin/env bash
# How much does it matter how well the labeller ranks? The ceiling moves, too.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.main_peak.truth queue rlhf-noise -S 'compared.arms=[main]' -S reward.min_accuracy=0.0 -S 'rank.noise=0.0,0.2,0.4,0.8'
