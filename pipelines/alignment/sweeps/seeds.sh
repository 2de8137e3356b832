#!/usr/bin/env bash
# How much is it the training seed? Ten trainings of one arm; their spread
# stands in metrics/score_details.json beside that of one model's texts.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-seeds -S 'compared.arms=[main]' -S train.n_seeds=10
