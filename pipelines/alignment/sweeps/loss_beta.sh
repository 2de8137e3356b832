#!/usr/bin/env bash
# Which loss, and how much does a margin count? The source study's two losses,
# IPO, hinge with cross-entropy and SLiC-HF (which has no beta: two equal rows), at its two betas.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-loss -S 'compared.arms=[main]' \
  -S 'arms.main.loss=sigmoid,hinge,hinge+sft,ipo,slic' -S 'arms.main.beta=0.1,1.0'
