"""The comparison form of a text: what two texts must share to count as the same.

In: any text, in any script. Out: its words, lower-cased and in Unicode's compatibility form,
without punctuation. Letters, marks, digits and symbols stay, so that "c++" differs from "c", "$5"
from "5" and Cyrillic survives; an apostrophe joins ("what's" = "whats"), and so does what nobody
sees (soft hyphens); other punctuation separates ("1.5" is not "15"). `key_expression` says in
Polars what `normalize_key` says in Python; a test holds them equal.
"""

import unicodedata
from functools import cache
from typing import Literal

import polars as pl

APOSTROPHES = "'’ʼ"
# Unicode calls these two punctuation, but "c#" is not "c" and "5%" is not "5".
WORD_PUNCTUATION = "#%"

# Enough for four words of any language with spaces, most of the time.
START_CHARACTERS = 40

# Characters that each form leaves as they are, whatever stands beside them: most texts hold no
# others. A test compares them with the Unicode tables.
SETTLED = {
    "NFC": r"\u{0}-\u{2FF}\u{400}-\u{482}\u{2010}-\u{205E}",
    "NFKC": r"\u{0}-\u{7F}à-öø-ÿ\u{400}-\u{482}–—‘’“”",
}


def normalize_key(text: str) -> str:
    """Return the comparison form of `text`: its words, separated by single spaces."""
    compatible = unicodedata.normalize("NFKC", text).lower()
    return " ".join("".join(map(_kept_character, compatible)).split())


def words(text: str) -> list[str]:
    """Return the words of `text` in comparison form."""
    return normalize_key(text).split()


def contains_words(text: str, query: str) -> bool:
    """Tell whether the words of `query` stand in `text`, in order and side by side.

    A query without words is contained in nothing.
    """
    key = normalize_key(query)
    return bool(key) and f" {key} " in f" {normalize_key(text)} "


def key_expression(column: pl.Expr) -> pl.Expr:
    """Return the comparison form of a String column, as `normalize_key` gives it."""
    return (
        normalize_unicode(column, "NFKC")
        .str.to_lowercase()
        .str.replace_all(rf"[{APOSTROPHES}\p{{Cf}}]", "")
        .str.replace_all(rf"[^\p{{L}}\p{{M}}\p{{N}}\p{{S}}{WORD_PUNCTUATION} ]", " ")
        .str.replace_all("  +", " ")
        .str.strip_chars(" ")
    )


def first_words(texts: pl.Series) -> pl.Series:
    """Return the first three words of each text's comparison form; of a shorter one, all."""
    three_words = "^((?:[^ ]+ ){3})"
    column = pl.col(texts.name)
    # Mostly the first characters tell them: three words are whole if a fourth begins.
    head = key_expression(column.str.head(START_CHARACTERS)).str.extract(three_words + "[^ ]")
    starts = texts.to_frame().select(head).to_series()
    is_short = starts.is_null()
    key = key_expression(column) + " "
    whole = texts.filter(is_short).to_frame().select(key).to_series()
    return starts.scatter(is_short.arg_true(), whole.str.extract(three_words).fill_null(whole))


def normalize_unicode(column: pl.Expr, form: Literal["NFC", "NFKC"]) -> pl.Expr:
    """Return a String column in the Unicode form "NFC" or "NFKC"."""
    # Normalising is slow; passing over texts it can't change (as null) is 10 times faster.
    unsettled = pl.when(column.str.contains(f"[^{SETTLED[form]}]")).then(column)
    return pl.coalesce(unsettled.str.normalize(form), column)


@cache
def _kept_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in APOSTROPHES or category == "Cf":
        return ""
    is_kept = category[0] in "LMNS" or character in WORD_PUNCTUATION
    return character if is_kept else " "
