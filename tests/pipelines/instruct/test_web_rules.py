"""C4's rules, against a second writing of them, literally from their three sources."""

import random
import re
from collections import Counter

import pytest

from pipelines.instruct.web_rules import (
    THRESHOLDS,
    Counts,
    RuleSet,
    Seen,
    bad_word_pattern,
    clean_page,
    clean_pages,
    normalize_url,
)

POLICY = [
    *("terms of use", "privacy policy", "cookie policy"),
    *("uses cookies", "use of cookies", "use cookies"),
]
WORDS = [
    "the",
    "a",
    "of",
    "ship",
    "sea",
    "rain",
    "is",
    "was",
    "near",
    "and",
    "big",
    "red",
    "we",
    "saw",
    "it",
    "there",
    "today",
]
SPECIAL = [
    "javascript", "JavaScript", "lorem ipsum", "Lorem Ipsum", "privacy policy", "uses cookies",
    "{", "}", "[1]", "[12]", "[edit]", "[citation needed]", "[]", "darn", "Darn,", "darnel",
    "x" * 1001,
]  # fmt: skip
ENDS = [".", ".", ".", "!", "?", '"', "'", "...", "", ",", '."', ".'", ".[2]", ".[34]", " "]
SEPARATORS = ["\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def literal(url, text, rules, urls, seen):
    """Decide on a page as the facts about the three forms say it, rule after rule."""
    least_words = {"paper": 3, "released": 5, "datatrove": 3}[rules]
    least_sentences = {"paper": 5, "released": 3, "datatrove": 5}[rules]
    if len(text) > 190_000:
        return "long_page", None
    address = url.split("://", 1)[-1]
    address = address[4:] if address.startswith("www.") else address
    address = re.sub(r"\?utm_\w+=\w+$", "", address).rstrip("/")
    if address in urls:
        return "url_seen", None
    urls.add(address)
    kept = []
    for separator in SEPARATORS if rules in ("released", "datatrove") else []:
        text = text.replace(separator, "\n")
    for line in text.split("\n"):
        line = line.strip()
        if max([len(word) for word in line.split()], default=0) > 1000:
            continue
        before = len(line.split())
        for mark in ("edit", "citation needed", *(str(n) for n in range(100)), ""):
            line = line.replace(f"[{mark}]", "")
        if line[-1:] not in ({".", "?", "!", '"', "'"} if rules == "datatrove" else set('.?!"')):
            continue
        if line[-3:] == "..." and rules != "paper":
            continue
        if (before if rules == "datatrove" else len(line.split())) < least_words:
            continue
        if "lorem ipsum" in line.lower():
            return "lorem_ipsum", None
        if "javascript" in line.lower():
            continue
        if "{" in line:
            return "curly_bracket", None
        if [phrase for phrase in POLICY if phrase in line.lower()]:
            continue
        kept.append(line)
    if sum(len(sentences(line)) for line in kept) < least_sentences:
        return "few_sentences", None
    left = kept
    if rules != "datatrove":
        left = {"released": without_lines, "paper": without_threes}[rules](kept, seen)
    if sum(len(sentences(line)) for line in left) < least_sentences:
        return "few_sentences_after_repeats", None
    page = "\n".join(left)
    if any(word == "darn" for word in re.split(r"\W+", page.lower())):
        return "bad_word", None
    return None, page


def sentences(line):
    """Walk over the line: a sentence ends at . ? or !, closing quotes and a space after it."""
    found, start, at = [], 0, 0
    while at < len(line):
        if line[at] in ".!?":
            end = at + 1
            while end < len(line) and line[end] in "\"')]":
                end += 1
            if end < len(line) and line[end].isspace():
                found.append(line[start : at + 1])
                while end < len(line) and line[end].isspace():
                    end += 1
                start = at = end
                continue
        at += 1
    return [each for each in [*found, line[start:]] if each.strip()]


def without_lines(lines, seen):
    left = []
    for line in lines:
        if line.strip().lower() not in seen:
            seen.add(line.strip().lower())
            left.append(line)
    return left


def without_threes(lines, seen):
    numbered = [[number, text] for number, line in enumerate(lines) for text in sentences(line)]
    is_dropped = [False] * len(numbered)
    at = 0
    while at < len(numbered):
        three = " ".join(text for _, text in numbered[at : at + 3]).lower()
        if at + 3 <= len(numbered) and three in seen:
            is_dropped[at : at + 3] = [True] * 3
            at += 3
        else:
            if at + 3 <= len(numbered):
                seen.add(three)
            at += 1
    if not any(is_dropped):
        return lines
    left = {}
    for (number, text), dropped in zip(numbered, is_dropped, strict=True):
        if not dropped:
            left.setdefault(number, []).append(text)
    return [" ".join(texts) for texts in left.values()]


def made_pages(n, seed):
    """Yield pages of few different words, so that rules meet and repeats happen."""
    rng = random.Random(seed)
    known = []
    for _ in range(n):
        lines = []
        for _ in range(rng.randint(1, 7)):
            if known and rng.random() < 0.15:
                lines.append(rng.choice(known))
                continue
            texts = []
            for _ in range(rng.randint(1, 3)):
                words = rng.choices(WORDS, k=rng.choice([1, 2, 3, 4, 5, 6, 9]))
                if rng.random() < 0.06:
                    words.insert(rng.randrange(len(words) + 1), rng.choice(SPECIAL))
                texts.append(" ".join(words) + rng.choice(ENDS))
            lines.append(rng.choice(["", "  "]) + " ".join(texts))
            known.append(lines[-1])
        if rng.random() < 0.02:
            lines.append("a b c d e " * 20_000 + ".")
        url = rng.choice(["http://", "https://www.", ""]) + f"site.example/{rng.randrange(3 * n)}"
        text = "".join(
            line + rng.choice(["\n"] * 9 + SEPARATORS[:1] + SEPARATORS) for line in lines
        )
        yield url + rng.choice(["", "/", "?utm_source=a"]), text


@pytest.mark.parametrize("rules", list(RuleSet))
def test_each_form_decides_as_its_literal_writing_on_every_made_page(rules):
    pages = list(made_pages(2500, 3))
    urls, texts, seen = set(), set(), Seen()
    reasons = Counter()
    for url, text in pages:
        expected = literal(url, text, rules.value, urls, texts)
        pattern = bad_word_pattern(["darn"])
        reason, kept = clean_page(url, text, THRESHOLDS[rules], pattern, seen, Counter())
        assert (reason, kept or None) == expected, (url, text)
        reasons[reason] += 1
    wanted = {None, "url_seen", "lorem_ipsum", "curly_bracket", "few_sentences", "bad_word"}
    assert wanted <= set(reasons)
    if rules is not RuleSet.datatrove:
        assert reasons["few_sentences_after_repeats"] > 0


LONG = "The ship is near the sea today."


@pytest.mark.parametrize(
    ("line", "paper", "released", "datatrove"),
    [
        ("It was there.", True, False, True),  # three words
        ("It was [1] there.", True, False, True),
        ("Was [1] there.", False, False, True),  # three words, one of them a citation mark
        ("We saw it near the sea ...", True, False, False),
        ("We saw it near the sea'", False, False, True),
        ("We saw it near the sea", False, False, False),
        ("Please read our terms of use today.", False, False, False),
    ],
)
def test_the_forms_differ_where_their_sources_do(line, paper, released, datatrove):
    for rules, is_kept in zip(RuleSet, (paper, released, datatrove), strict=True):
        text = "\n".join([*(f"{LONG} {n} more of it is here." for n in range(5)), line])
        _, kept = clean_page("u", text, THRESHOLDS[rules], None, Seen(), Counter())
        assert (len(kept.split("\n")) == 6) == is_kept, rules


@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_ends_a_line_is_what_ends_it_in_the_sources(separator):
    text = "\n".join(f"{LONG} {n} more of it is here." for n in range(5))
    # One line in the paper's form, where it is not a line feed, too: all of it goes.
    in_paper = 6 if "\n" in separator else 4
    for rules, n_left in (("paper", in_paper), ("released", 6), ("datatrove", 6)):
        both = f"{text}{separator}And {LONG}{separator}Of javascript."
        _, kept = clean_page("u", both, THRESHOLDS[RuleSet(rules)], None, Seen(), Counter())
        assert len(kept.split("\n")) == n_left, rules


def test_a_bracket_on_a_line_that_was_dropped_before_drops_no_page():
    text = "\n".join([*(f"{LONG} {n} more." for n in range(5)), "function f() { return"])
    assert clean_page("u", text, THRESHOLDS[RuleSet.released], None, Seen(), Counter())[0] is None


def test_every_page_and_every_line_of_a_kept_page_is_counted_once():
    counts = Counts()
    pages = [("a", f"{LONG} {LONG} It is here.\nshort."), ("b/", "no"), ("b", "no")]
    assert len(list(clean_pages(pages, RuleSet.released, [], counts))) == 1
    assert counts.pages == {None: 1, "few_sentences": 1, "url_seen": 1}
    assert counts.lines == {None: 1, "few_words": 1, "no_end_mark": 1, "repeated": 0}


def test_addresses_of_one_page_are_one():
    forms = ["http://www.a.example/x/", "https://a.example/x?utm_source=b", "A.example/x"]
    assert {normalize_url(each) for each in forms} == {"a.example/x"}
    assert normalize_url("http://a.example/x?id=2&utm_medium=m") == "a.example/x?id=2"
    for no_address in ("http://[::1/x", "http://a℀b.example/"):
        assert normalize_url(f" {no_address}\n") == no_address
