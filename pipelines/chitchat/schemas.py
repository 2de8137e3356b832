"""The tables between the stages of this pipeline: one row a dialogue, then one row a reply."""

import polars as pl

SPLITS = ("train", "validation", "test")

DIALOGUE_SCHEMA = pl.Schema(
    {
        "dialogue_id": pl.String(),
        "turns": pl.List(pl.String),  # by two speakers in turn; at least one
    }
)
SPLIT_SCHEMA = pl.Schema(
    DIALOGUE_SCHEMA
    | {
        "split": pl.String(),
        # Of every turn: whether it is a reply that is learnt or scored. Never the first.
        "is_reply": pl.List(pl.Boolean),
    }
)
HISTORIES = ("true", "shuffled", "none")
# One row a reply, arm and history: what the arm makes of the true reply.
READ_SCHEMA = pl.Schema(
    {
        "arm": pl.String(),
        "history": pl.String(),  # one of HISTORIES
        "reply_id": pl.String(),  # dialogue_id/number of the turn, from 0
        "dialogue_id": pl.String(),
        "n_history": pl.Int64(),  # turns that the dialogue has before the input, at most as asked
        "nats": pl.Float64(),  # -log p of the reply's tokens, and of its end if that counts
        "n_tokens": pl.Int64(),
        "n_bytes": pl.Int64(),  # of UTF-8, without an end
    }
)
# One row an arm and reply: what the arm says.
GENERATE_SCHEMA = pl.Schema(
    {
        "arm": pl.String(),
        "reply_id": pl.String(),
        "dialogue_id": pl.String(),
        "history": pl.List(pl.String),  # the turns before the input, the oldest first
        "input": pl.String(),
        "reference": pl.String(),  # the true reply
        "tokens": pl.List(pl.Int32),  # new ones
        "finished": pl.Boolean(),
        "text": pl.String(),  # of all tokens; score cuts to gen.max_len
    }
)
# What is measured of a reply. nats_share: its nats over the mean number of tokens of a reply, so
# that the column's mean is the loss per token of the whole split.
SCORE_SCHEMA = pl.Schema(
    {
        "arm": pl.String(),
        "history": pl.String(),
        "reply_id": pl.String(),
        "dialogue_id": pl.String(),
        "n_history": pl.Int64(),
        "nats_share": pl.Float64(),
        "bits_share": pl.Float64(),  # the same: bits over the mean number of bytes of a reply
        "text": pl.String(),  # null where nothing was generated
        **dict.fromkeys(
            ("bleu", "chrf", "rouge_1", "rouge_l", "echo", "generic", "n_words"), pl.Float64()
        ),
        "overfitting_epoch": pl.Float64(),  # of the arm's training, the same in all its rows
    }
)
