"""Rules of cleaning for any text: markup, encoding, spaces, and C4's rules on lines and pages."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from html import unescape
from typing import Annotated, Literal, TypeVar

import polars as pl
from typer import Option

from genlab.text.normal_form import SETTLED, normalize_unicode

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
# What UTF-8 looks like that was read as Latin-1, Windows-1252 or Windows-1251: the first byte of a
# character and one that follows it. Most texts have none; ftfy judges those that have.
FOLLOWS_1252 = r"\u{80}-\u{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
FOLLOWS_1251 = r"\u{80}-\u{BF}ЂЃѓ‰ЉЊЌЋЏђљњќћџЎўЈҐЁЄЇІіґё№єјЅѕї€‚„…†‡‹‘’“”•–—™›"
MOJIBAKE = rf"[\u{{C2}}-\u{{F4}}][{FOLLOWS_1252}]|[РСВГ][{FOLLOWS_1251}]|вЂ|в„"
# "MANHÃ»" and "IRMÃ MAIS" are Portuguese: in a word of capitals the Ã is a letter.
CAPITAL_TILDE = re.compile("[A-ZÀ-Þ]{2}Ã[\u00a0-\u00bf]")
# Control and format characters: zero-width spaces and joiners, soft hyphens, byte-order marks.
INVISIBLE = r"[\p{Cc}\p{Cf}&&[^\n\t]]"
# Between two emoji a joiner makes one of them. Between letters of these scripts a joiner or
# non-joiner is spelling: Persian and Hindi write other words without. Elsewhere both are nothing.
SCRIPTS = "Arabic Bengali Devanagari Gujarati Gurmukhi Kannada Malayalam Oriya Sinhala Tamil Telugu"
VOWEL_MARKS = r"\x{64B}-\x{655}\x{670}"  # Arabic ones; Unicode gives them no script of their own
JOINED_SCRIPTS = "".join(rf"\p{{{script}}}" for script in SCRIPTS.split()) + VOWEL_MARKS
BEFORE_JOINER = rf"\p{{Extended_Pictographic}}\x{{FE0F}}\x{{1F3FB}}-\x{{1F3FF}}{JOINED_SCRIPTS}"
BEHIND_JOINER = rf"\p{{Extended_Pictographic}}{JOINED_SCRIPTS}"
JOINERS = {  # each with what it may stand behind, and before
    r"\x{200C}": (JOINED_SCRIPTS, JOINED_SCRIPTS),
    r"\x{200D}": (BEFORE_JOINER, BEHIND_JOINER),
}
# Tags behind a black flag say whose it is: England's, Scotland's, Wales'; elsewhere nothing.
TAGS = r"\x{E0020}-\x{E007F}"
LOOSE_TAGS = rf"(^|[^\x{{1F3F4}}{TAGS}])[{TAGS}]+"
ODD_SPACE = r"[^\S\n ]"
# A semicolon is required: "AT&T" and "?a=1&copy=2" are no entities.
ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"


UnicodeForm = Literal["NFC", "NFKC", "none"]
Texts = TypeVar("Texts", pl.Expr, pl.Series)


@dataclass(frozen=True)
class TextRules:
    """How any text is cleaned: most of the `clean` params group."""

    repair_encoding: Annotated[bool, Option(help="UTF-8 read as another encoding.")]
    unicode_form: Annotated[UnicodeForm, Option(help="Normalisation form.")]
    strip_markup: Annotated[bool, Option(help="HTML tags out, entities decoded.")]
    strip_citations: Annotated[bool, Option(help="[1], [edit], [citation needed] out.")]
    lower_case: Annotated[bool, Option(help="Lower-case every text.")]
    drop_javascript_lines: Annotated[bool, Option(help="Lines naming javascript.")]
    require_terminal_punctuation: Annotated[bool, Option(help="Lines that end in none.")]
    min_line_words: Annotated[int, Option(min=0, help="Shorter lines are dropped.")]
    drop_lorem_ipsum: Annotated[bool, Option(help="Passages of placeholder text.")]
    drop_curly_brackets: Annotated[bool, Option(help="Passages with { or }.")]


# Invisible characters and odd spacing alone are mended.
NO_RULES = TextRules(
    repair_encoding=False,
    unicode_form="none",
    strip_markup=False,
    strip_citations=False,
    lower_case=False,
    drop_javascript_lines=False,
    require_terminal_punctuation=False,
    min_line_words=0,
    drop_lorem_ipsum=False,
    drop_curly_brackets=False,
)


def plain_text(*, strip_markup: bool, repair_encoding: bool) -> TextRules:
    """Return the rules that take away what is no text; lines and words stay."""
    return replace(
        NO_RULES,
        unicode_form="NFC",
        strip_markup=strip_markup,
        repair_encoding=repair_encoding,
    )


def clean_texts(texts: pl.Series, rules: TextRules) -> pl.Series:
    """Return texts without markup, invisible characters and odd spacing; line breaks stay."""
    texts = texts.fill_null("")
    # Most texts match none of this and are clean already.
    texts = rewrite(texts, r"[^ -~]|  |^ | $|[<&\[]", partial(clean_unclean, rules=rules))
    return texts.str.to_lowercase() if rules.lower_case else texts


def clean_unclean(texts: pl.Series, rules: TextRules) -> pl.Series:
    """Do the work of `clean_texts` on the texts that need it."""
    if rules.repair_encoding:
        texts = rewrite(texts, MOJIBAKE, repair_texts)
    if rules.strip_markup:
        texts = rewrite(texts, "<", strip_tags)
        texts = rewrite(texts, "&", partial(replace_matches, pattern=ENTITY, repair=decode_entity))
    texts = settle(texts, rules.unicode_form)
    if rules.strip_citations:
        texts = texts.str.replace_all(r"(?i)\[(?:[0-9]+|edit|citation needed)\]", "")
    return squeeze_plain_spaces(texts)


def settle(texts: pl.Series, unicode_form: UnicodeForm) -> pl.Series:
    """Return texts without invisible characters, in a Unicode form, with plain spaces and lines."""
    texts = texts.str.replace_all("\r\n?|[\v\f\x85\u2028\u2029]", "\n")
    # Few texts have any of these, and one look for all of them costs a third of three.
    odd = rf"{INVISIBLE}|{ODD_SPACE}"
    if unicode_form != "none":
        odd += f"|[^{SETTLED[unicode_form]}]"
    return rewrite(texts, odd, partial(clean_odd, unicode_form=unicode_form))


def clean_odd(texts: pl.Series, unicode_form: UnicodeForm) -> pl.Series:
    """Return texts without invisible characters, in a Unicode form, with plain spaces."""
    text = pl.col(texts.name).str.replace_all(rf"[{INVISIBLE}--[{TAGS}{''.join(JOINERS)}]]", "")
    text = text.str.replace_all(LOOSE_TAGS, "$1")
    for joiner, (before, behind) in JOINERS.items():
        text = text.str.replace_all(rf"(^|[^{before}]){joiner}+", "$1")
        text = text.str.replace_all(rf"{joiner}([^{behind}]|$)", "$1")
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


def decode_entity(entity: str) -> str:
    """Return the character of an entity; none for NUL, which browsers show as U+FFFD."""
    return "" if re.fullmatch("&#[xX]?0+;", entity) else unescape(entity)


def replace_matches(texts: pl.Series, pattern: str, repair: Callable[[str], str]) -> pl.Series:
    """Return texts with every match of `pattern` as `repair` gives it.

    `repair` is Python, but runs once per different match: a few dozen, not once per row. No match
    may begin inside another.
    """
    matches = texts.str.extract_all(pattern).explode().drop_nulls().unique().sort().to_list()
    repaired = [repair(match) for match in matches]
    return texts.str.replace_many(matches, repaired) if matches else texts


def repair_texts(texts: pl.Series) -> pl.Series:
    """Return texts with their encodings repaired; a text whose encoding is unsure stays."""
    return pl.Series(texts.name, [repair_encoding(text) for text in texts], dtype=pl.String)


def repair_encoding(text: str) -> str:
    """Return what a text was before UTF-8 was read as another encoding, by ftfy's judgement.

    Only whole texts: where one part could be broken and another is not, none is touched.
    """
    from ftfy import TextFixerConfig, fix_encoding

    if CAPITAL_TILDE.search(text):
        return text
    return fix_encoding(text, TextFixerConfig(decode_inconsistent_utf8=False))


def squeeze_spaces(text: pl.Expr) -> pl.Expr:
    """Return text with single spaces, single line breaks, and nothing at the ends."""
    return squeeze_plain_spaces(text.str.replace_all(ODD_SPACE, " "))


def squeeze_plain_spaces(text: Texts) -> Texts:
    """Do the work of `squeeze_spaces` on text whose only white space is " " and line breaks."""
    # In three cheap steps: one pattern for all of them matches at every space, 10 times slower.
    return text.str.replace_all("  +", " ").str.replace_all(r" ?\n[\n ]*", "\n").str.strip_chars()


def count_words(text: pl.Expr) -> pl.Expr:
    """Return the number of words, single spaces between them; 0 for an empty text."""
    return pl.when(text == "").then(0).otherwise(text.str.count_matches(" ") + 1)


def switched_on(
    conditions: list[tuple[str, pl.Expr]], rules: TextRules
) -> list[tuple[str, pl.Expr]]:
    """Return the conditions whose params key is neither false nor 0; the rest costs no time."""
    return [(name, condition) for name, condition in conditions if getattr(rules, name, True)]


def line_rules(rules: TextRules) -> list[tuple[str, pl.Expr]]:
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
