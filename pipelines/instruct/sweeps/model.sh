#!/usr/bin/env bash
# Does a larger model show more? Width and layers of base and arms.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-model -S 'compared.arms=[multitask_prompted]' -S base.d_model=64,128,256 -S base.num_layers=2,4
