"""Rules that clean dialogues: what a turn loses, and where a dialogue has to end.

A dialogue ends before its first turn that cannot be kept (empty, or too long): what follows answers
something that is not there. What is left with fewer than two turns has no reply and is dropped.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text.rules import clean_texts, plain_text

REASONS = ("one_turn", "empty_turn", "long_turn")


@dataclass(frozen=True)
class Rules:
    """The `clean` params group."""

    strip_markup: Annotated[bool, Option(help="HTML tags out, entities decoded.")]
    repair_encoding: Annotated[bool, Option(help="UTF-8 read as another encoding.")]
    lower_case: Annotated[bool, Option(help="Fold to lower case.")]
    fold_yo: Annotated[bool, Option(help="Write е for ё, as most people do.")]
    strip_dashes: Annotated[bool, Option(help="Take a leading dash away.")]
    max_chars: Annotated[int, Option(min=1, help="Of a turn; a dialogue ends before a longer one.")]


def clean_turns(turns: pl.Series, rules: Rules) -> pl.Series:
    """Return cleaned turns: NFC, on one line, nothing invisible, and what the rules say."""
    plain = plain_text(strip_markup=rules.strip_markup, repair_encoding=rules.repair_encoding)
    turns = clean_texts(turns, plain).str.replace_all("\n", " ")
    if rules.strip_dashes:
        turns = turns.str.replace(r"^[-–—]+ *", "")
    if rules.fold_yo:
        turns = turns.str.replace_all("ё", "е").str.replace_all("Ё", "Е")
    return turns.str.to_lowercase() if rules.lower_case else turns


def clean_batch(
    dialogues: pl.DataFrame, rules: Rules
) -> tuple[pl.DataFrame, Counter[str | None], Counter[str]]:
    """Return the dialogues that are kept, every dialogue's fate, and counts of turns.

    A dropped dialogue's fate is the reason why it has fewer than two turns.
    """
    rows = dialogues.with_row_index("row").explode("turns", empty_as_null=True)
    rows = rows.with_columns(clean_turns(rows["turns"], rules))
    fault = (
        pl.when(pl.col("turns") == "")
        .then(pl.lit("empty_turn"))
        .when(pl.col("turns").str.len_chars() > rules.max_chars)
        .then(pl.lit("long_turn"))
    )
    rows = rows.with_columns(fault=fault)
    ended = pl.col("fault").is_not_null().cum_max().over("row")
    per_row = rows.group_by("row", maintain_order=True).agg(
        pl.col("dialogue_id").first(),
        kept=pl.col("turns").filter(~ended),
        fault=pl.col("fault").drop_nulls().first(),
        n_in=pl.len(),
    )
    n_kept = pl.col("kept").list.len()
    per_row = per_row.with_columns(
        fate=pl.when(n_kept < 2).then(pl.coalesce("fault", pl.lit("one_turn")))
    )
    kept = per_row.filter(pl.col("fate").is_null())
    fates = Counter(per_row["fate"].to_list())
    counts = Counter(
        {
            "in": int(per_row["n_in"].sum()),
            "out": int(kept["kept"].list.len().sum()),
            "dialogues_cut": int(kept["fault"].is_not_null().sum()),
        }
    )
    return kept.select("dialogue_id", turns="kept"), fates, counts


def check_any_left(path: str, fates: Counter[str | None]) -> None:
    """Raise InputError if no dialogue is left, and say why."""
    if not fates[None]:
        why = ", ".join(f"{reason}: {n}" for reason, n in fates.items() if reason)
        raise InputError(
            f"{path}: no dialogue with a reply is left ({why}); a dialogue needs two turns that "
            "are not empty and have at most clean.max_chars characters"
        )
