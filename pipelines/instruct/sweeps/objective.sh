#!/usr/bin/env bash
# What should the base be pretrained on? At as many pages: random gaps, salient ones, both, or texts to be continued.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-objective -S 'compared.arms=[multitask_prompted]' -S base.objective=spans,salient,mixed,language_model
