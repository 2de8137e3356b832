#!/usr/bin/env bash
# How much data until a model overfits? Five sizes, each twice the last, and three training seeds; of
# the model with history alone. Ten epochs at most. Then the epoch against the size, with a slope.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=training queue chitchat-sizes -S 'compared.arms=[dialogue]' \
  -S gen.n_replies=50 \
  -S train.epochs=10 -S train.early_stopping_patience=2 \
  -S train.n_dialogues=40,80,160,320,640 -S train.seed=17,18,19
PYTHONPATH=../.. python -m pipelines.chitchat.overfitting
