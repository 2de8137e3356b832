"""Duplicates among reviews, and three splits that share no organisation and no near-duplicate.

Copies go first. Then whole organisations are dealt to the splits so that each has its share of
every rating. Of texts still alike across two splits the one in the earlier of SPLITS goes, so that
the test set keeps its size.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text import minhash
from genlab.text.filtering import first_reason, mark_rows
from genlab.text.normal_form import key_expression
from pipelines.reviews.schemas import SPLITS, STARS

# In the order in which they are looked for.
REASONS = ("same_organisation_and_text", "same_text", "near_duplicate", "near_other_split")


@dataclass(frozen=True)
class Rules:
    """The `dedup` params group; `dedup.py` says what each key does."""

    threshold: Annotated[float, Option(min=0.5, max=1, help="Similarity of copies; 1: equal only.")]
    split_threshold: Annotated[
        float, Option(min=0.5, max=1, help="Similarity not allowed between two splits.")
    ]
    validation_share: Annotated[
        float, Option(min=0, max=1, help="Share of reviews, by organisation.")
    ]
    test_share: Annotated[float, Option(min=0, max=1, help="The same; the rest is for training.")]
    shingle_chars: minhash.ShingleChars
    pad_ends: minhash.PadEnds
    num_perm: minhash.NumPerm
    seed: Annotated[int, Option(min=0, help="Of MinHash and of ties between organisations.")]

    @property
    def shingles(self) -> minhash.Shingles:
        """What a text is cut into."""
        return minhash.Shingles(self.shingle_chars, self.pad_ends)

    @property
    def hashing(self) -> dict[str, Any]:
        """The arguments of every MinHash function."""
        return {"num_perm": self.num_perm, "shingles": self.shingles, "seed": self.seed}

    @property
    def shares(self) -> np.ndarray:
        """The share of reviews of each of SPLITS."""
        rest = 1 - self.validation_share - self.test_share
        return np.array([rest, self.validation_share, self.test_share])


def split_reviews(reviews: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return `fate` (null: kept) and `split` of every review, in the order given."""
    table = reviews.with_row_index("row").with_columns(key=key_expression(pl.col("text")))
    fate = first_reason(
        [
            ("same_organisation_and_text", ~pl.struct("organisation", "key").is_first_distinct()),
            ("same_text", ~pl.col("key").is_first_distinct()),
        ]
    )
    table = table.with_columns(fate=fate)
    table = mark_rows(table, "near_duplicate", find_copies(table, rules))
    splits = deal_organisations(table.filter(pl.col("fate").is_null()), rules)
    table = table.join(splits, on="row", how="left", maintain_order="left")
    table = mark_rows(table, "near_other_split", find_across(table, rules))
    return table.select("fate", "split")


def find_copies(table: pl.DataFrame, rules: Rules) -> list[int]:
    """Return the rows whose text is nearly that of an earlier one that stays."""
    if rules.threshold == 1:
        return []
    kept = sort_by_text(table)
    pairs = kept["row"].to_numpy().astype(np.int64)[propose(kept, rules.threshold, rules)]
    return list(minhash.find_later_twins(np.sort(pairs, axis=1)))


def find_across(table: pl.DataFrame, rules: Rules) -> list[int]:
    """Return the rows whose text is nearly that of a row of another split, later in SPLITS."""
    if rules.split_threshold == 1:
        return []
    kept = sort_by_text(table)
    places = np.array([SPLITS.index(split) for split in kept["split"]])
    pairs = propose(kept, rules.split_threshold, rules, places)
    goes = np.where(places[pairs[:, 0]] < places[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    return kept["row"].gather(np.unique(goes)).to_list()


def sort_by_text(table: pl.DataFrame) -> pl.DataFrame:
    """Return the kept rows sorted by text, as a crowded bucket compares only neighbours."""
    return table.filter(pl.col("fate").is_null()).sort("key", "row")


def propose(
    kept: pl.DataFrame, threshold: float, rules: Rules, places: np.ndarray | None = None
) -> np.ndarray:
    """Return the pairs of similar texts as places in `kept`, int64[pairs, 2].

    With `places`, one number per text, only pairs of different numbers.
    """
    pairs = minhash.propose_pairs(minhash.hash_bands(kept["key"], threshold, **rules.hashing))
    if places is not None:
        pairs = pairs[places[pairs[:, 0]] != places[pairs[:, 1]]]
    return minhash.keep_similar(pairs, kept["key"], kept["key"], threshold, rules.shingles)


def deal_organisations(kept: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return `row` and `split` of kept reviews: whole organisations, each rating by its share.

    An unknown organisation ("") tells nothing: each of its reviews is dealt on its own. Greedy, as
    in scikit-learn's StratifiedGroupKFold: the organisations that are hardest to place come first,
    each goes where the ratings then are nearest to their shares.
    """
    alone = pl.format("row {}", pl.col("row"))
    group = pl.when(pl.col("organisation") == "").then(alone).otherwise(pl.col("organisation"))
    kept = kept.select("row", "rating", group=group)
    counted = kept.group_by("group").agg(
        *((pl.col("rating") == stars).sum().alias(str(stars)) for stars in STARS)
    )
    names = counted["group"].to_list()
    counts = counted.drop("group").to_numpy().astype(float)
    totals = np.maximum(counts.sum(axis=0), 1)
    # Ties by a hash: not by the order of the file, and the same in every process.
    ties = [hash_name(name, rules.seed) for name in names]
    hardness = np.std(counts, axis=1)
    order = sorted(range(len(names)), key=lambda place: (-hardness[place], ties[place]))
    filled = np.zeros((len(SPLITS), len(STARS)))
    targets = rules.shares[:, None]
    splits = [""] * len(names)
    for place in order:
        added = counts[place] / totals
        # Change of the squared distance to the targets if the organisation went to each split.
        change = ((2 * (filled - targets) + added) * added).sum(axis=1)
        change[rules.shares == 0] = np.inf
        chosen = int(np.argmin(change))
        filled[chosen] += added
        splits[place] = SPLITS[chosen]
    dealt = pl.DataFrame({"group": names, "split": splits})
    return kept.join(dealt, on="group").select("row", "split")


def hash_name(name: str, seed: int) -> bytes:
    """Return a hash of an organisation's name that is the same in every process."""
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()


def check_rules(rules: Rules) -> None:
    """Raise InputError if nothing is left for training, or copies would pass between splits."""
    if rules.shares[0] <= 0:
        raise InputError(
            f"dedup.validation_share={rules.validation_share} and dedup.test_share="
            f"{rules.test_share} leave nothing to train on; lower one of them"
        )
    if rules.split_threshold > rules.threshold:
        raise InputError(
            f"dedup.split_threshold={rules.split_threshold} is above dedup.threshold="
            f"{rules.threshold}, where nothing is left to find; lower it"
        )


def check_any_left(path: str, sizes: dict[str, int], rules: Rules) -> None:
    """Raise InputError if a split that is to have reviews has none."""
    for split, share in zip(SPLITS, rules.shares, strict=True):
        if share > 0 and not sizes[split]:
            raise InputError(
                f"{path}: no review for split {split}; give more organisations, or change "
                "dedup.validation_share and dedup.test_share"
            )
