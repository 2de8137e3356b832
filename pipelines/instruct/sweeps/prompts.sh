#!/usr/bin/env bash
# How many prompts a task are enough? One, three, five.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-prompts -S 'compared.arms=[multitask_prompted]' -S prompt.n_templates=1,3,5
