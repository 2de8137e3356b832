"""C4's rules for web pages, in the three forms in which they are known; every drop has its reason.

`paper` is Raffel et al. 2020, section 2.2; `released` the code that made the published data set
(tensorflow/datasets, c4_utils.py); `datatrove` its C4QualityFilter 0.10.1. They differ in
thresholds, in how a line must end, in which marks end a sentence, and in what counts as repeated. A
rule about pages sees only the lines that were kept so far: a bracket on a dropped line does not
drop the page.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from urllib.parse import urlsplit

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
POLICIES = (
    *("terms of use", "privacy policy", "cookie policy"),
    *("uses cookies", "use of cookies", "use cookies"),
)
# A sentence ends at a mark, with the quotes and brackets that close behind it. nltk's punkt, which
# the released code asks, also knows abbreviations; it needs a download.
SENTENCE_END = re.compile(r"""(?<=[.!?])["')\]]*\s+""")
MAX_PAGE_CHARS = 190_000
MAX_WORD_CHARS = 1000

LINE_REASONS = ("long_word", "no_end_mark", "few_words", "javascript", "policy", "repeated")
PAGE_REASONS = (
    *("long_page", "url_seen", "lorem_ipsum", "curly_bracket"),
    *("few_sentences", "few_sentences_after_repeats", "bad_word"),
)


class RuleSet(StrEnum):
    """Whose form of the rules."""

    paper = "paper"
    released = "released"
    datatrove = "datatrove"


class Repeats(StrEnum):
    """What is dropped when it occurs again."""

    lines = "lines"
    three_sentences = "three_sentences"
    none = "none"


@dataclass(frozen=True)
class Thresholds:
    """Where the three forms differ."""

    min_line_words: int
    min_sentences: int
    end_marks: tuple[str, ...]
    drops_ellipsis: bool
    counts_words_before_citations_go: bool
    repeats: Repeats
    splits_at_every_separator: bool  # as str.splitlines: at \r, form feeds, NEL and U+2028, too


THRESHOLDS = {
    RuleSet.paper: Thresholds(
        3, 5, (".", "?", "!", '"'), False, False, Repeats.three_sentences, False
    ),
    RuleSet.released: Thresholds(5, 3, (".", "?", "!", '"'), True, False, Repeats.lines, True),
    RuleSet.datatrove: Thresholds(3, 5, (".", "?", "!", '"', "'"), True, True, Repeats.none, True),
}


@dataclass
class Seen:
    """What earlier pages had, as hashes: 8 bytes each and Python's 60 around them."""

    urls: set[bytes] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)


@dataclass
class Counts:
    """What became of pages and lines; None counts those kept."""

    pages: Counter = field(default_factory=Counter)
    lines: Counter = field(default_factory=Counter)


def clean_pages(
    pages: Iterable[tuple[str, str]], rules: RuleSet, bad_words: Iterable[str], counts: Counts
) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of the pages that are kept, in order, with the lines that are kept."""
    seen = Seen()
    pattern = bad_word_pattern(bad_words)
    for url, text in pages:
        reason, kept = clean_page(url, text, THRESHOLDS[rules], pattern, seen, counts.lines)
        counts.pages[reason] += 1
        if reason is None:
            yield url, kept


def clean_page(
    url: str,
    text: str,
    limits: Thresholds,
    bad_words: re.Pattern[str] | None,
    seen: Seen,
    lines_met: Counter,
) -> tuple[str | None, str]:
    """Return why a page is dropped (None: it is kept) and what is left of it.

    Counts in `lines_met` the fates of its lines, up to the one that dropped the page.
    """
    if len(text) > MAX_PAGE_CHARS:
        return "long_page", ""
    if not is_first(normalize_url(url), seen.urls):
        return "url_seen", ""
    lines = []
    for line in text.splitlines() if limits.splits_at_every_separator else text.split("\n"):
        reason, kept = clean_line(line.strip(), limits)
        if reason in PAGE_REASONS:
            return reason, ""
        if reason is None:
            lines.append(kept)
        else:
            lines_met[reason] += 1
    if sum(map(count_sentences, lines)) < limits.min_sentences:
        return "few_sentences", ""
    left = drop_repeats(lines, limits.repeats, seen.texts)
    lines_met["repeated"] += len(lines) - len(left)
    lines_met[None] += len(left)
    if left != lines and sum(map(count_sentences, left)) < limits.min_sentences:
        return "few_sentences_after_repeats", ""
    page = "\n".join(left)
    if bad_words is not None and bad_words.search(page.lower()):
        return "bad_word", ""
    return None, page


def clean_line(line: str, limits: Thresholds) -> tuple[str | None, str]:
    """Return why a stripped line is dropped (or the whole page, for it), and the line."""
    words = line.split()
    if any(len(word) > MAX_WORD_CHARS for word in words):
        return "long_word", ""
    line = CITATION.sub("", line)
    if not line.endswith(limits.end_marks) or (limits.drops_ellipsis and line.endswith("...")):
        return "no_end_mark", ""
    n_words = len(words if limits.counts_words_before_citations_go else line.split())
    if n_words < limits.min_line_words:
        return "few_words", ""
    lower = line.lower()
    if "lorem ipsum" in lower:
        return "lorem_ipsum", ""
    if "javascript" in lower:
        return "javascript", ""
    if "{" in line:
        return "curly_bracket", ""
    if any(phrase in lower for phrase in POLICIES):
        return "policy", ""
    return None, line


def split_sentences(line: str) -> list[str]:
    """Return the sentences of a line."""
    return [sentence for sentence in SENTENCE_END.split(line) if sentence.strip()]


def count_sentences(line: str) -> int:
    return len(split_sentences(line))


def drop_repeats(lines: list[str], repeats: Repeats, seen: set[bytes]) -> list[str]:
    """Return the lines without what was seen before, on this page or an earlier one.

    three_sentences: a run of three that was seen goes whole; lines keep their other sentences.
    """
    if repeats is Repeats.none:
        return lines
    if repeats is Repeats.lines:
        return [line for line in lines if is_first(line.strip().lower(), seen)]
    places = [(n, text) for n, line in enumerate(lines) for text in split_sentences(line)]
    kept: dict[int, list[str]] = {}
    at, n_dropped = 0, 0
    while at < len(places):
        run = places[at : at + 3]
        if len(run) == 3 and not is_first(" ".join(text for _, text in run).lower(), seen):
            at, n_dropped = at + 3, n_dropped + 3
            continue
        number, text = places[at]
        kept.setdefault(number, []).append(text)
        at += 1
    return [" ".join(texts) for texts in kept.values()] if n_dropped else lines


def is_first(text: str, seen: set[bytes]) -> bool:
    """Return whether a text was not seen before, and remember it."""
    key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    if key in seen:
        return False
    seen.add(key)
    return True


def normalize_url(url: str) -> str:
    """Return an address without scheme, www., tracking query and last slash.

    Its host is in lower case. What is no address comes back as it is, without blanks around it.
    """
    try:
        parts = urlsplit(url.strip() if "://" in url else f"//{url.strip()}")
    except ValueError:  # half a bracket, or characters that stand for a slash
        return url.strip()
    query = "&".join(
        each
        for each in parts.query.split("&")
        if each and not each.lower().startswith(("utm_", "fbclid=", "gclid="))
    )
    host = parts.netloc.lower().removeprefix("www.")
    return f"{host}{parts.path.rstrip('/')}{'?' + query if query else ''}"


def bad_word_pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of the words between non-word characters; None without words."""
    escaped = "|".join(re.escape(word.lower()) for word in sorted(words))
    return re.compile(rf"(?:\W|^)(?:{escaped})(?:\W|$)") if escaped else None
