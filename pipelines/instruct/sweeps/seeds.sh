#!/usr/bin/env bash
# How much is it the training seed?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-seeds -S 'compared.arms=[multitask_prompted]' -S train.seed=17,18,19,20,21
