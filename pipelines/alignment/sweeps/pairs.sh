#!/usr/bin/env bash
# Do pairs that are far apart, or on two sides of a reward, spread the texts or
# shift them? The source study's three strategies at its two betas.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-pairs -S 'compared.arms=[main]' \
  -S 'arms.main.pairs=random,margin,threshold' -S 'arms.main.beta=0.1,1.0'
