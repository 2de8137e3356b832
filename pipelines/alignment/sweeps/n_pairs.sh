#!/usr/bin/env bash
# How many pairs does it take?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-n -S 'compared.arms=[main]' -S 'pairs.random.n_pairs=128,256,512,1024'
