#!/usr/bin/env bash
# How much is it the training seed? Ten trainings of one arm, each on texts and
# pairs of its own; their spread stands beside the interval over one model's texts.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-seeds -S 'compared.arms=[main]' -S 'train.seed=range(17,27)'
