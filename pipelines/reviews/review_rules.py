"""The cleaning rules of the source study, one switch each.

Kept reviews stay in order. The texts that each rule changed are counted, and so are the drops.
Rules act in the order of REWRITES: "5 из 5" becomes a word before numbers go, and dates go whole
before their parts could.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.text.filtering import count_fates, first_reason
from genlab.text.normal_form import key_expression
from genlab.text.rules import squeeze_spaces

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

# Cardinals in all cases. Not "один", which is also "alone" and "the same", and not "семью", which
# is also "family".
NUMBER = (
    r"(?i)\b(?:ноль|нуля|дв(?:а|е|ух|ум|умя)|тр(?:и|[её]х|[её]м|емя)|четыр(?:е|[её]х|[её]м|ьмя)"
    r"|пят(?:ь|и|ью)|шест(?:ь|и|ью)|сем(?:ь|и)|вос(?:емь|ьми|емью)|девят(?:ь|и|ью)|десят(?:ь|и|ью)"
    r"|(?:один|две|три|четыр|пят|шест|сем|восем|девят)надцат(?:ь|и|ью)|(?:два|три)дцат(?:ь|и|ью)"
    r"|сорока?|пят(?:ь|и)десят|шест(?:ь|и)десят|сем(?:ь|и)десят|вос(?:емь|ьми)десят|девяност[оа]"
    r"|ст[оа]|двести|двухсот|триста|тр[её]хсот|четыреста|четыр[её]хсот|пят(?:ь|и)сот"
    r"|шест(?:ь|и)сот|сем(?:ь|и)сот|вос(?:емь|ьми)сот|девят(?:ь|и)сот"
    r"|тысяч(?:а|и|е|у|ей|ам|ами|ах)?|миллион(?:а|ы|у|ом|ов)?)\b"
)

# A mark out of five or ten; "2 из 3 столиков" is none.
MARK = r"(?i)\b(10|[0-9]) ?(?:из|/) ?(10|5|пяти|десяти)\b"
MARK_WORDS = ("ужасно", "плохо", "средне", "хорошо", "отлично")

# Letters, digits and ordinary punctuation; emoji, box drawings and other alphabets are not.
OTHER_CHARACTER = r"[^а-яёА-ЯЁa-zA-Z0-9\s.,!?:;()«»\"'%№+/&–—…-]"


@dataclass(frozen=True)
class Rules:
    """The `clean` params group; `clean.py` says what each key does."""

    marks_to_words: Annotated[bool, Option(help='"5 из 5" becomes "отлично".')]
    drop_dates: Annotated[bool, Option(help="12.05.2023, 3 марта, 2019 год.")]
    drop_number_words: Annotated[bool, Option(help="Numbers written in words.")]
    fold_yo: Annotated[bool, Option(help="ё becomes е.")]
    drop_other_characters: Annotated[bool, Option(help="All but letters, digits, punctuation.")]
    lower_case: Annotated[bool, Option(help="For a model that is too small for two cases.")]
    min_words: Annotated[int, Option(min=1, help="Shorter texts are dropped.")]
    max_chars: Annotated[int, Option(min=1, help="Longer texts are dropped.")]


def word_mark(match: re.Match) -> str:
    """Return a mark as a word: "5 из 5" is "отлично", "2 из 5" "плохо"; no mark stays as it is."""
    most = {"пяти": 5, "десяти": 10}.get(match[2].lower()) or int(match[2])
    mark = int(match[1])
    return MARK_WORDS[max(0, ceil(5 * mark / most) - 1)] if mark <= most else match[0]


def word_marks(texts: pl.Series) -> pl.Series:
    """Return texts with marks as words; by Python's own regular expressions, as few have any."""
    is_match = texts.str.contains(MARK)
    worded = [re.sub(MARK, word_mark, text) for text in texts.filter(is_match)]
    return texts.clone().scatter(is_match.arg_true(), worded)


def drop_matches(texts: pl.Series, pattern: str) -> pl.Series:
    """Return texts without what matches `pattern`, and without the punctuation left alone by it."""
    is_match = texts.str.contains(pattern)
    text = pl.col("text").str.replace_all(pattern, " ").str.replace_all(r"\(\s*\)", " ")
    text = text.str.replace_all(r"\s+([.,!?:;)])", "${1}").str.replace_all(r"([.,!?])[,;:]", "${1}")
    # "Хорошо. . Спасибо" is left where a sentence went as a whole.
    text = text.str.replace_all(r"([.!?…])(?:\s*\.)+(\s|$)", "${1}${2}")
    text = text.str.replace(r"^[\s.,;:!?)]+", "")
    rest = texts.filter(is_match).alias("text").to_frame().select(text).to_series()
    return texts.clone().scatter(is_match.arg_true(), rest)


REWRITES: dict[str, Callable[[pl.Series], pl.Series]] = {
    "marks_to_words": word_marks,
    "drop_dates": lambda texts: drop_matches(texts, DATE),
    "drop_number_words": lambda texts: drop_matches(texts, NUMBER),
    "fold_yo": lambda texts: texts.str.replace_all("ё", "е").str.replace_all("Ё", "Е"),
    "drop_other_characters": lambda texts: drop_matches(texts, OTHER_CHARACTER),
    "lower_case": lambda texts: texts.str.to_lowercase(),
}


def clean_texts(texts: pl.Series, rules: Rules) -> tuple[pl.Series, Counter]:
    """Return texts as the rules make them, each on one line, and how many each rule changed."""
    n_changed: Counter[str] = Counter()
    texts = texts.alias("text")
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
