"""The cleaning rules of the source study, one switch each.

Kept reviews stay in order. The texts that each rule changed are counted, and so are the drops.
Before any of them looks at a text, it loses markup, mistaken encodings and invisible characters, as
in every pipeline, and its characters are composed (NFC). Rules act in the order of REWRITES: "5 из
5" becomes a word before numbers go, and dates go whole before their parts could.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text.filtering import count_fates, first_reason
from genlab.text.normal_form import key_expression
from genlab.text.rules import clean_texts as clean_plain
from genlab.text.rules import plain_text, squeeze_spaces
from pipelines.reviews.morphology import morphology
from pipelines.reviews.number_words import NUMBER, drop_number_words, is_unit

REASONS = ("empty", "min_words", "max_chars")

MONTHS = "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
YEAR = r"(?:19|20)\d\d"
YEAR_WORD = r"(?:год(?:а|у|ом|е)?|гг?\.)"
# With the preposition before it, which would be left alone.
DATE = (
    r"(?i)(?:\b(?:в|во|с|со|от|до|на|за|к|ко|по)\s+)?(?:"
    rf"\b\d{{1,2}}[./-]\d{{1,2}}[./-](?:{YEAR}|\d\d)\b(?:\s*{YEAR_WORD})?"
    rf"|\b\d{{1,2}}(?:-?(?:го|е))?\s+(?:{MONTHS})\b(?:\s+{YEAR}\b)?(?:\s*{YEAR_WORD})?"
    rf"|\b{YEAR}(?:-?(?:й|го|му|м))?\s*{YEAR_WORD})"
)

# A mark out of five or ten; "2 из 3 столиков" is none.
# Not a part of a date or of a fraction's noun.
MARK = r"\b(10|[0-9]) ?(?:из|/) ?(10|5|пяти|десяти)\b"
WHOLE_MARK = re.compile(rf"(?<![\d./-]){MARK}(?![./-]?\d)(?P<word> [а-яё]+)?", re.IGNORECASE)
MARK_WORDS = ("ужасно", "плохо", "средне", "хорошо", "отлично")

# Letters of any script with their accents, digits and ordinary punctuation; emoji and box drawings
# are not. What only shapes an emoji goes with it.
OTHER_CHARACTER = r"[^\p{L}\p{M}\p{Nd}\s.,!?:;()«»\"'%№+/&–—…’-]|[\u{FE00}-\u{FE0F}\u{20E3}]"


@dataclass(frozen=True)
class Rules:
    """The `clean` params group; `clean.py` says what each key does."""

    strip_markup: Annotated[bool, Option(help="HTML tags out, entities decoded.")]
    repair_encoding: Annotated[bool, Option(help="UTF-8 read as another encoding.")]
    marks_to_words: Annotated[bool, Option(help='"5 из 5" becomes "отлично".')]
    drop_dates: Annotated[bool, Option(help="12.05.2023, 3 марта, 2019 год.")]
    drop_number_words: Annotated[bool, Option(help="Numbers in words, with their units.")]
    fold_yo: Annotated[bool, Option(help="ё becomes е.")]
    drop_other_characters: Annotated[bool, Option(help="All but letters, digits, punctuation.")]
    lower_case: Annotated[bool, Option(help="For a model that is too small for two cases.")]
    min_words: Annotated[int, Option(min=1, help="Shorter texts are dropped.")]
    max_chars: Annotated[int, Option(min=1, help="Longer texts are dropped.")]


def word_mark(match: re.Match) -> str:
    """Return a mark as a word: "5 из 5" is "отлично", "2 из 5" "плохо"; no mark stays as it is.

    "2/5 порции" is a fraction of what follows; "4/5 звёзд" is a mark.
    """
    most = {"пяти": 5, "десяти": 10}.get(match[2].lower()) or int(match[2])
    mark, word = int(match[1]), match["word"] or ""
    if mark > most or (0 < mark < most and word and is_part_of(word.strip().lower())):
        return match[0]
    return MARK_WORDS[max(0, ceil(5 * mark / most) - 1)] + word


@cache
def is_part_of(word: str) -> bool:
    """Return whether a word after "2/5" is what is divided: a noun in the genitive, not a unit."""
    parses = morphology().parse(word)
    is_genitive = any(parse.tag.POS == "NOUN" and "gent" in parse.tag for parse in parses)
    return is_genitive and not is_unit(word)


def rewrite_matches(texts: pl.Series, pattern: str, rewrite: Callable[[str], str]) -> pl.Series:
    """Return texts with those that match `pattern` rewritten in Python, as few do."""
    is_match = texts.str.contains(pattern)
    return texts.clone().scatter(is_match.arg_true(), list(map(rewrite, texts.filter(is_match))))


def word_marks(texts: pl.Series) -> pl.Series:
    """Return texts with marks as words."""
    return rewrite_matches(texts, f"(?i){MARK}", partial(WHOLE_MARK.sub, word_mark))


def drop_numbers(texts: pl.Series) -> pl.Series:
    """Return texts without numbers in words, and without the gaps they leave."""
    rewritten = rewrite_matches(texts, rf"(?i)\b{NUMBER}\b", drop_number_words)
    is_changed = texts != rewritten
    changed = rewritten.filter(is_changed).alias("text").to_frame()
    closed = changed.select(close_gaps(pl.col("text")))
    return rewritten.scatter(is_changed.arg_true(), closed.to_series())


def drop_matches(texts: pl.Series, pattern: str) -> pl.Series:
    """Return texts without what matches `pattern`, and without the punctuation left alone by it."""
    is_match = texts.str.contains(pattern)
    text = close_gaps(pl.col("text").str.replace_all(pattern, " "))
    rest = texts.filter(is_match).alias("text").to_frame().select(text).to_series()
    return texts.clone().scatter(is_match.arg_true(), rest)


def close_gaps(text: pl.Expr) -> pl.Expr:
    """Return text without the punctuation that was left alone by what went."""
    text = text.str.replace_all(r"\(\s*\)", " ")
    text = text.str.replace_all(r"\s+([.,!?:;)])", "${1}").str.replace_all(r"([.,!?])[,;:]", "${1}")
    # "Хорошо. . Спасибо" is left where a sentence went as a whole.
    text = text.str.replace_all(r"([.!?…])(?:\s*\.)+(\s|$)", "${1}${2}")
    return text.str.replace(r"^[\s.,;:!?)]+", "")


REWRITES: dict[str, Callable[[pl.Series], pl.Series]] = {
    "marks_to_words": word_marks,
    "drop_dates": lambda texts: drop_matches(texts, DATE),
    "drop_number_words": drop_numbers,
    "fold_yo": lambda texts: texts.str.replace_all("ё", "е").str.replace_all("Ё", "Е"),
    "drop_other_characters": lambda texts: drop_matches(texts, OTHER_CHARACTER),
    "lower_case": lambda texts: texts.str.to_lowercase(),
}


def clean_texts(texts: pl.Series, rules: Rules) -> tuple[pl.Series, Counter]:
    """Return texts as the rules make them, each on one line, and how many each rule changed."""
    n_changed: Counter[str] = Counter()
    plain = plain_text(strip_markup=rules.strip_markup, repair_encoding=rules.repair_encoding)
    texts = clean_plain(texts.alias("text"), plain)
    for name, rewrite in REWRITES.items():
        if getattr(rules, name):
            before, texts = texts, rewrite(texts)
            n_changed[name] = int((before != texts).sum())
    one_line = squeeze_spaces(pl.col("text")).str.replace_all("\n", " ")
    return texts.to_frame().select(one_line).to_series(), n_changed


def clean_batch(batch: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, Counter, Counter]:
    """Return the cleaned reviews, fewer, the fate of all, and how many texts each rule changed."""
    texts, n_changed = clean_texts(batch["text"], rules)
    n_words = pl.col("key").str.count_matches(" ") + 1
    fate = first_reason(
        [
            ("empty", pl.col("key") == ""),
            ("min_words", n_words < rules.min_words),
            ("max_chars", pl.col("text").str.len_chars() > rules.max_chars),
        ]
    )
    reviews = batch.with_columns(texts).with_columns(key=key_expression(pl.col("text")))
    reviews = reviews.with_columns(fate=fate)
    kept = reviews.filter(pl.col("fate").is_null()).drop("key", "fate")
    return kept, count_fates(reviews["fate"]), n_changed


def check_any_left(path: str, fates: Counter) -> None:
    """Raise InputError if no review is left, naming the reason that took most."""
    if not fates[None]:
        reason, n_dropped = fates.most_common(1)[0] if fates else ("none came in", 0)
        raise InputError(
            f"{path}: no review is left of {fates.total()}; {n_dropped} dropped as {reason}: "
            "loosen clean.min_words and clean.max_chars, or check what the fetch stage brings"
        )
