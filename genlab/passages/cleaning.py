"""Cleaning of queries and passages: markup and odd characters go, and bad lines and passages, too.

`clean_batch` returns the kept rows of the query table in the same order, and counts the fate of
every query, passage and line. The rules for web text are those of C4 (Raffel et al. 2020, section
2.2). All work is Polars expressions on exploded passages: per-row Python costs ten times as much.

In the counts a drop reason has the name of the `clean` params key of its rule, so that a reader
knows which key to change.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.tables import CLUSTERS, QUERY_SCHEMA, with_clusters
from genlab.text.filtering import (
    Counts,
    count_by_split,
    count_characters,
    count_fates,
    explode_passages,
    first_reason,
    implode_passages,
)
from genlab.text.normal_form import key_expression
from genlab.text.rules import TextRules, clean_texts, count_words, line_rules, switched_on

QUERY_REASONS = ("min_query_words", "max_query_words", "no_passage_left")
PASSAGE_REASONS = (
    "query_dropped",
    "empty",
    "drop_lorem_ipsum",
    "drop_curly_brackets",
    "no_line_left",
    "min_passage_words",
    "max_passage_words",
    "min_new_words",
)
LINE_REASONS = ("drop_javascript_lines", "require_terminal_punctuation", "min_line_words")
# Reasons that follow from another drop: no params key bears their name.
DERIVED_REASONS = ("no_passage_left", "query_dropped", "empty", "no_line_left")


@dataclass(frozen=True)
class WordBounds:
    """How long queries and passages may be; the rest of the `clean` params group."""

    min_query_words: Annotated[int, Option(min=1, help="Shorter queries are dropped.")]
    max_query_words: Annotated[int, Option(min=1, help="Longer queries are dropped.")]
    min_passage_words: Annotated[int, Option(min=1, help="Shorter passages are dropped.")]
    max_passage_words: Annotated[int, Option(min=1, help="Longer passages are dropped.")]
    min_new_words: Annotated[
        int, Option(min=0, help="Passages with fewer words that the query lacks; 0: off.")
    ]


def clean_batch(
    batch: pl.DataFrame, rules: TextRules, bounds: WordBounds
) -> tuple[pl.DataFrame, Counts]:
    """Return the cleaned batch, fewer rows in the same order, and what became of the others."""
    batch = with_clusters(batch)
    queries = batch.select(
        "query_id",
        "split",
        *CLUSTERS,
        clean_texts(batch["query"], rules).str.replace_all("\n", " "),
    ).with_row_index("row")
    queries = queries.with_columns(fate=first_reason(query_rules(bounds)))
    passages = explode_passages(batch.with_row_index("row")).with_row_index("passage")
    n_chars_in = count_characters(batch["query"], passages["text"])

    query_keys = queries.select(" " + key_expression(pl.col("query")) + " ").to_series()
    passages = passages.with_columns(
        clean_texts(passages["text"], rules),
        query_key=query_keys.gather(passages["row"]),
        query_fate=queries["fate"].gather(passages["row"]),
    )
    passages = passages.with_columns(fate=first_reason(switched_on(page_rules(), rules)))
    passages, line_fates = clean_lines(passages, rules)
    passages = passages.with_columns(fate=pl.coalesce("fate", first_reason(length_rules(bounds))))
    passages = drop_query_copies(passages, bounds.min_new_words)

    kept = passages.filter(pl.col("fate").is_null())
    queries = queries.join(
        implode_passages(kept), on="row", how="left", maintain_order="left"
    ).with_columns(
        fate=pl.coalesce("fate", first_reason([("no_passage_left", pl.col("passages").is_null())]))
    )
    cleaned = queries.filter(pl.col("fate").is_null())
    n_chars_out = count_characters(cleaned["query"], kept["text"])
    counts = Counts(
        queries=count_by_split(queries),
        passages=count_fates(passages["fate"]),
        lines=line_fates,
        chars=Counter({"in": n_chars_in, "out": n_chars_out}),
    )
    return cleaned.select(QUERY_SCHEMA.names()), counts


def query_rules(bounds: WordBounds) -> list[tuple[str, pl.Expr]]:
    """Return (reason, condition) of the rules that drop a query for its own text."""
    n_words = count_words(pl.col("query"))
    return [
        ("min_query_words", n_words < bounds.min_query_words),
        ("max_query_words", n_words > bounds.max_query_words),
    ]


def page_rules() -> list[tuple[str, pl.Expr]]:
    """Return (reason, condition) of the rules that drop a passage before its lines are checked."""
    text = pl.col("text")
    return [
        ("query_dropped", pl.col("query_fate").is_not_null()),
        ("empty", text == ""),
        ("drop_lorem_ipsum", text.str.contains("(?i)lorem ipsum")),
        ("drop_curly_brackets", text.str.contains("[{}]")),
    ]


def length_rules(bounds: WordBounds) -> list[tuple[str, pl.Expr]]:
    """Return (reason, condition) of the rules that drop a passage for its remaining length."""
    n_words = pl.col("n_words")
    return [
        ("min_passage_words", n_words < bounds.min_passage_words),
        ("max_passage_words", n_words > bounds.max_passage_words),
    ]


def clean_lines(passages: pl.DataFrame, rules: TextRules) -> tuple[pl.DataFrame, Counter]:
    """Return the passages with the lines that pass the rules, joined by spaces; and line fates.

    Adds `n_words`, the number of words left.
    """
    # Nearly all passages are one line and are judged where they stand; only the others go through
    # the slow splitting and joining of strings.
    is_open = pl.col("fate").is_null()
    is_multiline = is_open & pl.col("text").str.contains("\n", literal=True)
    lines = (
        passages.filter(is_multiline)
        .select("passage", pl.col("text").str.split("\n"))
        .explode("text")
        .with_columns(n_words=count_words(pl.col("text")))
        .with_columns(fate=first_reason(switched_on(line_rules(rules), rules)))
    )
    joined = (
        lines.filter(is_open)
        .group_by("passage")
        .agg(joined=pl.col("text").str.join(" "), joined_words=pl.col("n_words").sum())
    )
    passages = passages.with_columns(
        is_multiline=is_multiline, n_words=pl.when(is_open).then(count_words(pl.col("text")))
    ).with_columns(
        line_fate=pl.when(is_open & ~pl.col("is_multiline")).then(
            first_reason(switched_on(line_rules(rules), rules))
        )
    )
    is_one_line = is_open & ~pl.col("is_multiline")
    fates = count_fates(lines["fate"]) + count_fates(passages.filter(is_one_line)["line_fate"])
    passages = passages.join(joined, on="passage", how="left", maintain_order="left")
    no_line = pl.col("line_fate").is_not_null() | (
        pl.col("is_multiline") & pl.col("joined").is_null()
    )
    passages = passages.with_columns(
        text=pl.coalesce("joined", "text"),
        n_words=pl.coalesce("joined_words", "n_words"),
        fate=pl.coalesce("fate", first_reason([("no_line_left", no_line)])),
    )
    return passages.drop("joined", "joined_words", "is_multiline", "line_fate"), fates


def drop_query_copies(passages: pl.DataFrame, min_new_words: int) -> pl.DataFrame:
    """Mark the passages with fewer than `min_new_words` different words that the query lacks.

    Such a passage repeats the query: it answers nothing, and fools rankers.
    """
    if not min_new_words:
        return passages

    is_suspect = pl.col("fate").is_null()
    if min_new_words == 1:
        # A new first word acquits nearly all; lower case normalizes one of plain letters.
        first_word = pl.col("text").str.extract("^([A-Za-z]+)[ ,.:;!?]").str.to_lowercase()
        is_old = pl.col("query_key").str.contains(" " + first_word + " ", literal=True)
        is_suspect &= is_old.fill_null(True)

    def count_new_words(text: pl.Expr) -> pl.Expr:
        # Both keys end in spaces, so that both have "" among their words.
        text_words = (key_expression(text) + " ").str.split(" ")
        query_words = pl.col("query_key").str.split(" ")
        return text_words.list.set_difference(query_words).list.len()

    # The first 32 characters acquit most others. Their last word may be cut: > and not >=.
    suspects = passages.filter(is_suspect).filter(
        count_new_words(pl.col("text").str.head(32)) <= min_new_words
    )
    copies = suspects.filter(count_new_words(pl.col("text")) < min_new_words)
    is_copy = pl.col("passage").is_in(copies["passage"].implode())
    return passages.with_columns(
        fate=pl.coalesce("fate", first_reason([("min_new_words", is_copy)]))
    )


def check_bounds(bounds: WordBounds) -> None:
    """Raise InputError where a lower bound is above its upper bound."""
    for subject in ("query", "passage"):
        low, high = (f"{bound}_{subject}_words" for bound in ("min", "max"))
        if getattr(bounds, low) > getattr(bounds, high):
            raise InputError(
                f"params clean.{low} ({getattr(bounds, low)}) is above clean.{high}"
                f" ({getattr(bounds, high)}): every {subject} would be dropped"
            )


def check_any_left(path: str, counts: Counts) -> None:
    """Raise InputError if a split has lost all its queries, naming the rule that dropped most."""
    if not counts.queries:
        raise InputError(f"{path}: no rows; check what the fetch stage brings")
    for split, fates in counts.queries.items():
        if not fates[None]:
            drops = fates + counts.passages + counts.lines
            for reason in (None, *DERIVED_REASONS):
                del drops[reason]
            if not drops:
                raise InputError(f"{path}: no {split} query has any text; check the fetch stage")
            reason, n_dropped = drops.most_common(1)[0]
            raise InputError(
                f"{path}: no {split} query is left of {fates.total()}; the rule clean.{reason}"
                f" dropped most ({n_dropped}): loosen it in params.yaml or with"
                f" -S clean.{reason}=..."
            )
