#!/usr/bin/env bash
# At the source study's own size: GPT-2 tuned on IMDB, DistilBERT as the reward,
# 20,000 pairs of 10,000 texts, RMSprop at 0.005. Needs the network once, and a GPU. The study's
# number of epochs is not known: one here.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
revision=${BASE_REVISION:?the commit of lvwerra/gpt2-imdb, from https://huggingface.co/lvwerra/gpt2-imdb/commits/main}
cd "$(dirname "$0")/.."
METRIC=reward queue alignment-paper \
  -S corpus.source=hub -S corpus.n_texts=0 -S base.source=hub -S "base.revision=$revision" -S reward_model.source=hub \
  -S sample.n_texts=10000 -S pairs.random.n_pairs=20000 -S pairs.margin.n_pairs=20000 \
  -S pairs.threshold.n_pairs=20000 -S gen.n_texts=5000 \
  -S train.learning_rate=0.005 -S train.warmup_steps=50
