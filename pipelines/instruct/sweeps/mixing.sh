#!/usr/bin/env bash
# Does the mixture matter? Examples-proportional, by temperature, equal.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-mixing -S 'compared.arms=[multitask_prompted]' -S train.mixing=proportional,temperature,equal
