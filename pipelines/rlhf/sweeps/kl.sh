#!/usr/bin/env bash
# Does a KL penalty keep the truth, or only stop earlier on the same front (Gao et al. 2022)?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=answers.main_end.truth queue rlhf-kl -S 'compared.arms=[main]' -S 'arms.main.beta=0.0,0.02,0.1'
