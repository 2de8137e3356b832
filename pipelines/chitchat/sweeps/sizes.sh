#!/usr/bin/env bash
# How much data until a model overfits? Five sizes, each twice the last, and three training seeds; of
# the model with history alone, which is trained and no more: twelve epochs at most, and none after
# the first rise. Without a warmup, whose 20 steps would be four epochs of the smallest. Then the
# epoch against the size, with a slope.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=none queue chitchat-sizes -S 'compared.arms=[dialogue]' \
  -S train.epochs=12 -S train.early_stopping_patience=1 -S train.warmup_steps=0 \
  -S train.n_dialogues=38,75,150,300,600 -S train.seed=17,18,19 \
  train@dialogue
PYTHONPATH=../.. python -m pipelines.chitchat.overfitting
