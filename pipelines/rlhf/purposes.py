"""Each prompt gets one purpose, and no near-duplicate of it has another.

A prompt that was seen in training, or a twin of one, would make a held-out number a lie.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text.minhash import (
    Shingles,
    find_later_twins,
    hash_bands,
    keep_similar,
    propose_pairs,
)
from genlab.text.normal_form import normalize_key
from pipelines.rlhf.schemas import PURPOSES

SHINGLES, NUM_PERM, SEED = Shingles(5, pad_ends=True), 128, 17


@dataclass(frozen=True)
class Wanted:
    """How many prompts of each purpose; the fields are params of `corpus`."""

    n_sft: Annotated[int, Option(min=1, help="prompts with a demonstration")]
    n_reward: Annotated[int, Option(min=1, help="prompts whose answers are ranked")]
    n_rl: Annotated[int, Option(min=1)]
    n_validation: Annotated[int, Option(min=1, help="to choose a step by")]
    n_held_out: Annotated[int, Option(min=2, help="to measure on")]
    near_duplicate: Annotated[
        float, Option(min=0.1, max=1.0, help="least Jaccard similarity of 5-character shingles")
    ]

    def of(self, purpose: str) -> int:
        """Return how many prompts a purpose wants."""
        return getattr(self, f"n_{purpose}")


def drop_twins(prompts: pl.DataFrame, threshold: float) -> tuple[pl.DataFrame, int]:
    """Return the prompts without later near-duplicates of earlier ones, and how many went."""
    keys = pl.Series(map(normalize_key, prompts["prompt"]), dtype=pl.String)
    bands = hash_bands(keys, threshold, NUM_PERM, SHINGLES, SEED)
    pairs = keep_similar(propose_pairs(bands), keys, keys, threshold, SHINGLES)
    later = find_later_twins(pairs)
    kept = [row for row in range(prompts.height) if row not in later]
    return prompts[kept], len(later)


def in_proportion(wanted: Wanted, n: int) -> str:
    """Return the options that divide `n` prompts as the wanted ones, as a message's end; or ""."""
    total = sum(map(wanted.of, PURPOSES))
    fewer = {purpose: wanted.of(purpose) * n // total for purpose in PURPOSES}
    if min(fewer.values()) < 1 or fewer["held_out"] < 2:
        return ""
    options = " ".join(f"-S corpus.n_{purpose}={fewer[purpose]}" for purpose in PURPOSES)
    return f", as in proportion: {options}"


def assign_purposes(
    prompts: pl.DataFrame, wanted: Wanted, seed: int, dropped: Counter
) -> pl.DataFrame:
    """Return as many prompts as wanted, each with its purpose, near-duplicates dropped.

    Which purpose depends on the seed and the prompt's id alone. A prompt that cannot serve one (no
    demonstration, no ranking) serves another. Raises InputError if there are too few.
    """
    names = [blake2b(f"{seed}:{each}".encode()).digest() for each in prompts["prompt_id"]]
    order = sorted(range(prompts.height), key=lambda row: names[row])
    shuffled, n_twins = drop_twins(prompts[order], wanted.near_duplicate)
    dropped["near_duplicate"] += n_twins
    left = shuffled
    parts = []
    for purpose in PURPOSES:
        usable = left if purpose != "sft" else left.filter(pl.col("demonstration").is_not_null())
        part = usable.head(wanted.of(purpose))
        if part.height < wanted.of(purpose):
            raise InputError(
                f"corpus.n_{purpose}={wanted.of(purpose)}: only {part.height} prompts are left for "
                f"it ({prompts.height} in all, {dropped['near_duplicate']} near-duplicates "
                "dropped); lower it, or the other corpus.n_..."
                + in_proportion(wanted, shuffled.height)
                * (part.height == left.height)
            )
        parts.append(part.with_columns(purpose=pl.lit(purpose)))
        left = left.join(
            part.select("prompt_id"), on="prompt_id", how="anti", maintain_order="left"
        )
    dropped["beyond_n"] += left.height
    return pl.concat(parts)
