"""Duplicates among dialogues, and three splits that share no opening line and no near-copy.

All dialogues of one opening line go to one split, by a hash of the line: which one does not depend
on what else is in the corpus. Validation and test are always without duplicates, so that a switch
changes what is learnt and not what it is measured on.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text import minhash
from genlab.text.filtering import mark_rows
from genlab.text.normal_form import key_expression
from pipelines.chitchat.echo import is_echo
from pipelines.chitchat.schemas import SPLITS

# In the order in which they are looked for.
REASONS = ("same_dialogue", "same_first_line", "near_duplicate", "near_other_split", "no_reply")


@dataclass(frozen=True)
class Rules:
    """The `dedup` params group; the switches are of the train split."""

    same_first_line: Annotated[bool, Option(help="Of one opening line keep the first dialogue.")]
    echoes: Annotated[bool, Option(help="Leave out replies that repeat their input.")]
    near_duplicates: Annotated[bool, Option(help="Of near-copies keep the first dialogue.")]
    echo_threshold: Annotated[
        float, Option(min=0.1, max=1, help="Similarity of an echo to its input; 1: equal only.")
    ]
    threshold: Annotated[float, Option(min=0.5, max=1, help="Similarity of near-copies.")]
    validation_share: Annotated[float, Option(min=0, max=1, help="Share of opening lines.")]
    test_share: Annotated[float, Option(min=0, max=1, help="The same; the rest is for training.")]
    shingle_chars: minhash.ShingleChars
    pad_ends: minhash.PadEnds
    num_perm: minhash.NumPerm
    seed: Annotated[int, Option(min=0, help="Of MinHash and of the split.")]

    @property
    def shingles(self) -> minhash.Shingles:
        """What a text is cut into."""
        return minhash.Shingles(self.shingle_chars, self.pad_ends)


def check_rules(rules: Rules) -> None:
    """Raise InputError if nothing is left to train on, or to test."""
    shares = rules.validation_share, rules.test_share
    if not (min(shares) > 0 and sum(shares) < 1):
        raise InputError(
            f"dedup.validation_share={shares[0]} and dedup.test_share={shares[1]} must leave "
            "dialogues for training, and both be above 0"
        )


def split_dialogues(dialogues: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return the dialogues with `fate` (null: kept), `split` and `is_reply`, in the order given."""
    table = dialogues.with_row_index("row").with_columns(
        opening=key_expression(pl.col("turns").list.first()),
        key=key_expression(pl.col("turns").list.join(" ")),
    )
    table = table.with_columns(split=deal_openings(table["opening"], rules))
    is_train = pl.col("split") == "train"
    same_line = ~pl.col("opening").is_first_distinct() & (pl.lit(rules.same_first_line) | ~is_train)
    table = table.with_columns(
        fate=pl.when(~pl.col("key").is_first_distinct() & same_line)
        .then(pl.lit("same_dialogue"))
        .when(same_line)
        .then(pl.lit("same_first_line"))
    )
    table = mark_rows(table, "near_duplicate", find_copies(table, rules))
    table = mark_rows(table, "near_other_split", find_across(table, rules))
    table = table.with_columns(is_reply=find_replies(table, rules))
    is_empty = ~pl.col("is_reply").list.any() & pl.col("fate").is_null()
    return table.with_columns(fate=pl.when(is_empty).then(pl.lit("no_reply")).otherwise("fate"))


def deal_openings(openings: pl.Series, rules: Rules) -> pl.Series:
    """Return the split of every opening line, by its hash."""
    ends = (rules.test_share, rules.test_share + rules.validation_share)

    def deal(opening: str) -> str:
        digest = blake2b(f"{rules.seed}:{opening}".encode(), digest_size=8).digest()
        at = int.from_bytes(digest) / 2**64
        return "test" if at < ends[0] else "validation" if at < ends[1] else "train"

    return openings.map_elements(deal, return_dtype=pl.String)


def find_copies(table: pl.DataFrame, rules: Rules) -> list[int]:
    """Return the rows that nearly copy an earlier one of the same split that is kept."""
    found: list[int] = []
    for split in SPLITS:
        if split == "train" and not rules.near_duplicates:
            continue
        rows = table.filter(pl.col("fate").is_null(), split=split)
        if rows.is_empty():
            continue
        pairs = minhash.propose_pairs(bands_of(rows["key"], rules))
        alike = minhash.keep_similar(
            pairs, rows["key"], rows["key"], rules.threshold, rules.shingles
        )
        found += rows["row"].gather(list(minhash.find_later_twins(alike))).to_list()
    return found


def find_across(table: pl.DataFrame, rules: Rules) -> list[int]:
    """Return the rows of train or validation that have a near-copy in a later split."""
    found: set[int] = set()
    kept = table.filter(pl.col("fate").is_null())
    for earlier, later in (("train", "validation"), ("train", "test"), ("validation", "test")):
        left, right = kept.filter(split=earlier), kept.filter(split=later)
        if left.is_empty() or right.is_empty():
            continue
        pairs = minhash.propose_matches(bands_of(left["key"], rules), bands_of(right["key"], rules))
        alike = minhash.keep_similar(
            pairs, left["key"], right["key"], rules.threshold, rules.shingles
        )
        found |= set(left["row"].gather(alike[:, 0]).to_list())
    return sorted(found)


def bands_of(keys: pl.Series, rules: Rules) -> np.ndarray:
    """Return every text's bands of its MinHash signature, uint64[n, bands]."""
    return minhash.hash_bands(keys, rules.threshold, rules.num_perm, rules.shingles, rules.seed)


def find_replies(table: pl.DataFrame, rules: Rules) -> pl.Series:
    """Return for every dialogue which of its turns count as replies, to be learnt or scored.

    The first turn does not. An echo does not in validation and test, nor in train if the rule is
    on; it stays in the history of later replies.
    """
    turns = table.select("row", "split", "turns").explode("turns")
    before = turns["turns"].shift(1).fill_null("")
    is_first = turns["row"] != turns["row"].shift(1).fill_null(2**32 - 1)
    echoes = is_echo(before, turns["turns"], rules.echo_threshold)
    counts = turns["split"] == "train"
    learnt = ~is_first & ~(echoes & (~counts | rules.echoes))
    grouped = turns.with_columns(is_reply=learnt).group_by("row", maintain_order=True)
    return grouped.agg("is_reply")["is_reply"]


def count_replies(table: pl.DataFrame) -> dict[str, int]:
    """Return how many replies kept dialogues have, how many are echoes, and how many are left."""
    replies = int((table["turns"].list.len() - 1).sum())
    left = int(table["is_reply"].list.sum().sum())
    return {"in": replies, "out": left, "echoes": replies - left}


def check_any_left(path: str, sizes: dict[str, int]) -> None:
    """Raise InputError if a split has no dialogue."""
    for split, size in sizes.items():
        if not size:
            raise InputError(
                f"{path}: no dialogue is left for the split {split} (others: {sizes}); give more "
                "dialogues, or change dedup.validation_share and dedup.test_share"
            )
