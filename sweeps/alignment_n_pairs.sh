#!/usr/bin/env bash
# pipelines/alignment: how many pairs does it take?
set -euo pipefail
. "$(dirname "$0")/queue.sh"
cd "$(dirname "$0")/../pipelines/alignment"
METRIC=reward queue alignment-n -S 'compared.arms=[main]' -S 'pairs.random.n_pairs=128,256,512,1024'
