"""Cleaning of queries and passages: texts made plain, and what is no plain text dropped.

In: batches in the query table's schema. Out: the same queries in the same order, cleaned, fewer,
with the fate of every query, passage and line. The rules for web text are those of C4 (Raffel et
al. 2020, section 2.2). All work is Polars expressions on exploded passages: per-row Python costs
ten times as much.

A rule's reason in the counts is the `clean` params key that sets it, so who reads a count knows
which key to turn.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import unescape
from typing import Annotated, Literal

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text.filtering import (
    Counts,
    count_by_split,
    count_characters,
    count_fates,
    explode_passages,
    first_reason,
    implode_passages,
)
from genlab.text.normal_form import SETTLED, key_expression, normalize_unicode

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

# Only HTML's own element names count as markup, so "<name>" and "a <b and c> d" survive.
BLOCK_TAGS = (
    "address article aside blockquote body br caption center dd div dl dt fieldset figcaption"
    " figure footer form h1 h2 h3 h4 h5 h6 head header hr html li link main meta nav noscript ol"
    " option p pre section select table tbody td tfoot th thead title tr ul"
)
INLINE_TAGS = (
    "a abbr acronym b bdi bdo big button cite code data del dfn em embed font i iframe img input"
    " ins kbd label mark object param q s samp small source span strike strong sub sup svg time"
    " tt u var video wbr"
)
FLAGS = "async|checked|controls|defer|disabled|hidden|multiple|nowrap|readonly|required|selected"
ATTRIBUTES = (
    r"""(?:\s+(?:[a-z_:][-a-z0-9_:.]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)|""" + FLAGS + "))*"
)
# UTF-8 read as Latin-1: what should be one character shows as two, three or four of these.
MOJIBAKE = (
    r"[\u{C2}-\u{DF}][\u{80}-\u{BF}]|[\u{E0}-\u{EF}][\u{80}-\u{BF}]{2}"
    r"|[\u{F0}-\u{F4}][\u{80}-\u{BF}]{3}"
)
# Control and format characters: zero-width spaces and joiners, soft hyphens, byte-order marks.
INVISIBLE = r"[\p{Cc}\p{Cf}&&[^\n\t]]"
ODD_SPACE = r"[^\S\n ]"
# A semicolon is required: "AT&T" and "?a=1&copy=2" are no entities.
ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"


@dataclass(frozen=True)
class Rules:
    """The `clean` params group."""

    repair_encoding: Annotated[bool, Option(help="UTF-8 that was read as Latin-1.")]
    unicode_form: Annotated[Literal["NFC", "NFKC", "none"], Option(help="Normalisation form.")]
    strip_markup: Annotated[bool, Option(help="HTML tags out, entities decoded.")]
    strip_citations: Annotated[bool, Option(help="[1], [edit], [citation needed] out.")]
    lower_case: Annotated[bool, Option(help="Lower-case every text.")]
    drop_javascript_lines: Annotated[bool, Option(help="Lines naming javascript.")]
    require_terminal_punctuation: Annotated[bool, Option(help="Lines that end in none.")]
    min_line_words: Annotated[int, Option(min=0, help="Shorter lines are dropped.")]
    drop_lorem_ipsum: Annotated[bool, Option(help="Passages of placeholder text.")]
    drop_curly_brackets: Annotated[bool, Option(help="Passages with { or }.")]
    min_query_words: Annotated[int, Option(min=1, help="Shorter queries are dropped.")]
    max_query_words: Annotated[int, Option(min=1, help="Longer queries are dropped.")]
    min_passage_words: Annotated[int, Option(min=1, help="Shorter passages are dropped.")]
    max_passage_words: Annotated[int, Option(min=1, help="Longer passages are dropped.")]
    min_new_words: Annotated[
        int, Option(min=0, help="Passages with fewer words that the query lacks; 0: off.")
    ]


def clean_batch(batch: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, Counts]:
    """Return the cleaned batch, fewer rows in the same order, and what became of the others."""
    queries = batch.select(
        "query_id",
        "split",
        clean_texts(batch["query"], rules).str.replace_all("\n", " "),
    ).with_row_index("row")
    queries = queries.with_columns(fate=first_reason(query_rules(rules)))
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
    passages = passages.with_columns(fate=pl.coalesce("fate", first_reason(length_rules(rules))))
    passages = drop_query_copies(passages, rules.min_new_words)

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
    return cleaned.select("query_id", "query", "passages", "split"), counts


def clean_texts(texts: pl.Series, rules: Rules) -> pl.Series:
    """Return texts without markup, invisible characters and odd spacing; line breaks stay."""
    texts = texts.fill_null("")
    # Most texts match none of this and are clean already.
    texts = rewrite(texts, r"[^ -~]|  |^ | $|[<&\[]", partial(clean_unclean, rules=rules))
    return texts.str.to_lowercase() if rules.lower_case else texts


def clean_unclean(texts: pl.Series, rules: Rules) -> pl.Series:
    """Do the work of `clean_texts` on the texts that need it."""
    if rules.repair_encoding:
        repair = partial(replace_matches, pattern=MOJIBAKE, repair=repair_encoding)
        texts = rewrite(texts, r"[\u{80}-\u{BF}]", repair)
    if rules.strip_markup:
        texts = rewrite(texts, "<", strip_tags)
        texts = rewrite(texts, "&", partial(replace_matches, pattern=ENTITY, repair=unescape))
    texts = texts.str.replace_all("\r\n?|[\v\f\x85\u2028\u2029]", "\n")
    # Few texts have any of these, and one look for all of them costs a third of three.
    odd = rf"{INVISIBLE}|{ODD_SPACE}"
    if rules.unicode_form != "none":
        odd += f"|[^{SETTLED[rules.unicode_form]}]"
    texts = rewrite(texts, odd, partial(clean_odd, unicode_form=rules.unicode_form))
    if rules.strip_citations:
        texts = texts.str.replace_all(r"(?i)\[(?:[0-9]+|edit|citation needed)\]", "")
    return squeeze_plain_spaces(texts)


def clean_odd(texts: pl.Series, unicode_form: str) -> pl.Series:
    """Return texts without invisible characters, in a Unicode form, with plain spaces."""
    text = pl.col(texts.name).str.replace_all(INVISIBLE, "")
    if unicode_form != "none":
        text = normalize_unicode(text, unicode_form)
    return texts.to_frame().select(text.str.replace_all(ODD_SPACE, " ")).to_series()


def rewrite(
    texts: pl.Series, pattern: str, function: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """Return texts with those that match `pattern` replaced by what `function` makes of them."""
    is_match = texts.str.contains(pattern)
    if not is_match.any():
        return texts
    return texts.clone().scatter(is_match.arg_true(), function(texts.filter(is_match)))


def strip_tags(texts: pl.Series) -> pl.Series:
    """Return texts without HTML: block elements become line breaks, inline ones nothing.

    Entities are decoded after this, and once: "&lt;b&gt;" is the text "<b>", no element.
    """
    for element in ("script", "style"):
        texts = texts.str.replace_all(rf"(?is)<{element}\b[^>]*>.*?</{element}\s*>", "\n")
    texts = texts.str.replace_all(r"(?s)<!--.*?-->|<!(?i:doctype)[^>]*>", "")
    for tags, replacement in ((BLOCK_TAGS, "\n"), (INLINE_TAGS, "")):
        names = tags.replace(" ", "|")
        texts = texts.str.replace_all(rf"(?i)</?(?:{names}){ATTRIBUTES}\s*/?>", replacement)
    return texts


def replace_matches(texts: pl.Series, pattern: str, repair: Callable[[str], str]) -> pl.Series:
    """Return texts with every match of `pattern` as `repair` gives it.

    `repair` is Python, but runs once per different match: a few dozen, not once per row. No match
    may begin inside another.
    """
    matches = texts.str.extract_all(pattern).explode().drop_nulls().unique().sort().to_list()
    repaired = [repair(match) for match in matches]
    return texts.str.replace_many(matches, repaired) if matches else texts


def repair_encoding(match: str) -> str:
    """Return what a match of MOJIBAKE stood for: "Ã©" is "é".

    Only where it is certain: proper text has no C1 control characters, and no "Â" or "Ã" before
    a symbol, but "ß»" (as in »Spaß») is German.
    """
    is_certain = match[0] in "ÂÃ" or any("\x80" <= character <= "\x9f" for character in match)
    try:
        return match.encode("latin-1").decode("utf-8") if is_certain else match
    except UnicodeDecodeError:
        return match


def squeeze_spaces(text: pl.Expr) -> pl.Expr:
    """Return text with single spaces, single line breaks, and nothing at the ends."""
    return squeeze_plain_spaces(text.str.replace_all(ODD_SPACE, " "))


def squeeze_plain_spaces(text: pl.Expr | pl.Series) -> pl.Expr | pl.Series:
    """Do the work of `squeeze_spaces` on text whose only white space is " " and line breaks."""
    # In three cheap steps: one pattern for all of them matches at every space, 10 times slower.
    return text.str.replace_all("  +", " ").str.replace_all(r" ?\n[\n ]*", "\n").str.strip_chars()


def count_words(text: pl.Expr) -> pl.Expr:
    """Return the number of words, single spaces between them; 0 for an empty text."""
    return pl.when(text == "").then(0).otherwise(text.str.count_matches(" ") + 1)


def query_rules(rules: Rules) -> list[tuple[str, pl.Expr]]:
    """Return what drops a query for its own text."""
    n_words = count_words(pl.col("query"))
    return [
        ("min_query_words", n_words < rules.min_query_words),
        ("max_query_words", n_words > rules.max_query_words),
    ]


def switched_on(conditions: list[tuple[str, pl.Expr]], rules: Rules) -> list[tuple[str, pl.Expr]]:
    """Return the conditions whose params key is neither false nor 0; the rest costs no time."""
    return [(name, condition) for name, condition in conditions if getattr(rules, name, True)]


def page_rules() -> list[tuple[str, pl.Expr]]:
    """Return what drops a passage before its lines are looked at."""
    text = pl.col("text")
    return [
        ("query_dropped", pl.col("query_fate").is_not_null()),
        ("empty", text == ""),
        ("drop_lorem_ipsum", text.str.contains("(?i)lorem ipsum")),
        ("drop_curly_brackets", text.str.contains("[{}]")),
    ]


def line_rules(rules: Rules) -> list[tuple[str, pl.Expr]]:
    """Return what drops a line. An ellipsis is no terminal punctuation: the line was cut."""
    line = pl.col("text")
    is_ended = line.str.contains(r"""[.!?。！？]["'”’»)\]]*$|["”»]$""") & ~line.str.contains(
        r"""(?:\.\.\.|…)["'”’»)\]]*$"""
    )
    return [
        ("drop_javascript_lines", line.str.contains("(?i)javascript")),
        ("require_terminal_punctuation", ~is_ended),
        ("min_line_words", pl.col("n_words") < rules.min_line_words),
    ]


def length_rules(rules: Rules) -> list[tuple[str, pl.Expr]]:
    """Return what drops a passage for the length left to it."""
    n_words = pl.col("n_words")
    return [
        ("min_passage_words", n_words < rules.min_passage_words),
        ("max_passage_words", n_words > rules.max_passage_words),
    ]


def clean_lines(passages: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, Counter]:
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

    Such a passage is the query over again: it answers nothing, and fools rankers.
    """
    if not min_new_words:
        return passages

    is_suspect = pl.col("fate").is_null()
    if min_new_words == 1:
        # A new first word acquits nearly all; one of plain letters is its own comparison form.
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


def check_rules(rules: Rules) -> None:
    """Raise InputError where a lower bound is above its upper bound."""
    for subject in ("query", "passage"):
        low, high = (f"{bound}_{subject}_words" for bound in ("min", "max"))
        if getattr(rules, low) > getattr(rules, high):
            raise InputError(
                f"params clean.{low} ({getattr(rules, low)}) is above clean.{high}"
                f" ({getattr(rules, high)}): every {subject} would be dropped"
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
