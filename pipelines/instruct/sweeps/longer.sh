#!/usr/bin/env bash
# Does it need a longer pretraining, or a longer training?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-longer -S 'compared.arms=[multitask_prompted]' -S base.epochs=1,4 -S train.n_tokens=150000,600000
