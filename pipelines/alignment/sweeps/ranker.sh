#!/usr/bin/env bash
# With the flagship: does aligning to one ranker fool the others? The flagship's
# tuned GPT-2 answers its queries; each ranker rewards, and each is held out for the others. The flagship must
# have been run (`dvc repro` in the repository's root).
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
RANKERS=../../data/fetch/rankers
JOIN=(
  -S corpus.source=queries -S corpus.path=../../data/dedup.parquet
  -S base.source=file -S base.path=../../data/train
  -S reward_model.source=ranker -S held_out_reward.source=ranker
  -S 'compared.arms=[main]' -S train.learning_rate=0.0001
  -S sample.n_texts=3000 -S sample.n_prompts=750 -S pairs.random.strategy=margin
)
for pair in labse:use labse:bm25 use:labse use:bm25 bm25:labse bm25:use; do
  margin=0.2 # of a cosine
  case $pair in bm25:*) margin=2.0 ;; esac
  METRIC=held_out_reward queue "alignment-${pair/:/-to-}" "${JOIN[@]}" -S pairs.random.margin=$margin \
    -S "reward_model.path=$RANKERS/${pair%:*}" -S "held_out_reward.path=$RANKERS/${pair#*:}"
done
