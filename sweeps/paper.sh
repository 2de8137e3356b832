#!/usr/bin/env bash
# The source study at its own size: GPT-2 (124 M) fine-tuned on MS MARCO v2.1 for 5 epochs, judged by
# LaBSE and USE on 5,000 validation queries. Needs the network once, a GPU, and days.
#
# Its 500,000 examples are taken as documents: about 62 % of the 808,731 train queries have a selected
# passage, so all of them are fetched. Its lengths counted a prompt padded to 32 tokens: 50, 150, 300
# there are 18, 118, 268 new tokens here. It names no sampling settings: temperature 1 and top_k 50
# are transformers' defaults. score.legacy is its convention; the last line scores ours beside it.
set -euo pipefail
. "$(dirname "$0")/queue.sh"
PAPER=(
  -S corpus.source=hub -S corpus.n_train=0 -S corpus.n_validation=5000
  -S base.source=hub
  -S rankers.labse.source=hub -S rankers.use.source=hub -S 'score.rankers=[labse,use]'
  -S lengths.step=50
  -S tokenize.packed=true -S tokenize.body_loss=false -S tokenize.block_size=256
  -S train.epochs=5 -S train.learning_rate=1e-5 -S train.warmup_steps=10 -S train.dropout=0.1
  -S train.batch_size=1 -S train.gradient_accumulation_steps=16 -S train.save_steps=2000
  -S gen.cap=300 -S gen.temperature=1.0 -S gen.top_k=50
)
queue paper-model "${PAPER[@]}" -S score.legacy=true -S gen.max_len=118 -S 'gen.model=base,tuned'
queue paper-length "${PAPER[@]}" -S score.legacy=true -S 'gen.max_len=18,118,268'
queue paper-strip "${PAPER[@]}" -S score.legacy=true -S gen.max_len=118 -S 'score.strip_query=true,false'
queue paper-ours "${PAPER[@]}" -S score.legacy=false -S 'gen.max_len=18,118,268'
