#!/usr/bin/env bash
# What do the Hub's rankers reward? Each is a line: its name here, its kind, its name there and its
# commit (a TF-Hub handle ends in its version). One experiment has all of them beside the default's,
# on the default's collection; needs the network once, and on two cores an hour.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
RANKERS=()
ranker() {
  local rest="source: hub, path: none, max_queries: 1, dim: 1, epochs: 1, seed: 17"
  RANKERS+=(-S "+rankers.$1={kind: $2, hub_id: '$3', revision: '$4', $rest}")
}
S=sentence_transformer
ranker labse $S sentence-transformers/LaBSE 836121a0533e5664b21c7aacc5d22951f2b8b25b
ranker minilm $S sentence-transformers/all-MiniLM-L6-v2 c9745ed1d9f207416be6d2e6f8de32d1f16199bf
ranker mpnet $S sentence-transformers/all-mpnet-base-v2 e8c3b32edf5434bc2275fc9bab85f82640a19130
ranker cross cross_encoder cross-encoder/ms-marco-MiniLM-L6-v2 c5ee24cb16019beea0893ab7796b1df96625c6b8
ranker use tensorflow_hub https://tfhub.dev/google/universal-sentence-encoder/4 none
queue rankers-hub "${RANKERS[@]}"
