"""The tables between this pipeline's stages."""

from pathlib import Path

import polars as pl

from genlab.core.tables import read_batches

Kind = pl.DataType | type[pl.DataType]

# What a prompt is for. No prompt has two purposes, and no near-duplicate of it has another.
PURPOSES = ("held_out", "validation", "rl", "reward", "sft")  # the order in which twins stay

PROMPT: dict[str, Kind] = {
    "prompt_id": pl.String,
    "prompt": pl.String,
    "purpose": pl.String,
    "demonstration": pl.String,  # a helpful answer; null where nobody wrote one
    "category": pl.String,  # mini: what is asked for, for the hidden rule; else null
    "asked": pl.Int32,  # mini: how many
    # Of hub and file: the answers that came with the prompt; rank 1 is the best.
    "answers": pl.List(pl.Struct({"text": pl.String, "rank": pl.Int32})),
}
PROMPT_SCHEMA = pl.Schema(PROMPT)
TEXT_SCHEMA = pl.Schema({"text": pl.String, "split": pl.String})  # plain text, for ptx

ANSWER: dict[str, Kind] = {
    "prompt_id": pl.String,
    "prompt": pl.String,
    "prompt_tokens": pl.List(pl.Int32),
    "tokens": pl.List(pl.Int32),  # new ones, without the end-of-text
    "finished": pl.Boolean,  # the end-of-text was reached
    "text": pl.String,
    "kind": pl.String,  # by the hidden rule; null where there is none
    "truth": pl.Float64,  # as kind
}
RANK_SCHEMA = pl.Schema(
    {
        "answer_id": pl.String,
        "purpose": pl.String,  # reward: trained on; held_out: to measure the reward model
        **ANSWER,
        "rank": pl.Int32,  # within the prompt, 1 is the best; equal ranks are ties; null: none yet
    }
)
GENERATED_SCHEMA = pl.Schema(
    {
        "arm": pl.String,  # base, sft, start, dpo, or an arm of rl
        "seed": pl.String,  # of the training; "none" for base, sft and start
        "step": pl.Int32,  # of rl; 0 for the others
        "purpose": pl.String,  # validation or held_out
        **ANSWER,
        "kl": pl.Float64,  # sum over the answer's tokens of KL(policy || start), nats
        # Of held_out: nats per token of one plain text, the i-th of the i-th prompt; or null.
        "language_loss": pl.Float64,
    }
)
BEST_SCHEMA = pl.Schema({"draw": pl.Int32, **ANSWER})  # of the start: many answers a prompt


def prompt_table(rows: list[tuple]) -> pl.DataFrame:
    """Return prompts that have no purpose yet: rows of the other columns of PROMPT_SCHEMA."""
    kinds = {name: kind for name, kind in PROMPT_SCHEMA.items() if name != "purpose"}
    return pl.DataFrame(rows, kinds, orient="row")


def count_purposes(prompts: pl.DataFrame) -> dict[str, int]:
    """Return how many prompts of PROMPT_SCHEMA each purpose has."""
    return {purpose: int((prompts["purpose"] == purpose).sum()) for purpose in PURPOSES}


def plain_texts(texts: Path, split: str) -> list[str]:
    """Return the plain texts of a split, [] where there are none at all."""
    return [
        text
        for batch in read_batches(texts)
        for text in batch.filter(pl.col("split") == split)["text"]
    ]


def text_table(texts: list[str], validation_share: float) -> pl.DataFrame:
    """Return plain texts with their splits: the first ones are validation, if train lacks them."""
    n_validation = max(1, round(validation_share * len(texts)))
    train = texts[n_validation:]
    learnt = set(train)
    validation = [text for text in texts[:n_validation] if text not in learnt]
    splits = ["validation"] * len(validation) + ["train"] * len(train)
    return pl.DataFrame({"text": [*validation, *train], "split": splits}, TEXT_SCHEMA)
