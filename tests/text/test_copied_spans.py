"""Copied spans: the longest run of words that a text shares with any one source."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.text import copied_spans
from genlab.text.copied_spans import longest_copied_spans


def longest_by_table(text: list[str], source: list[str]) -> int:
    """Return the longest common run of two lists by the textbook's table of run lengths."""
    longest, above = 0, [0] * (len(source) + 1)
    for word in text:
        row = [0] + [above[at] + 1 if word == other else 0 for at, other in enumerate(source)]
        longest, above = max(longest, *row), row
    return longest


some_texts = st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join), max_size=6)


@given(some_texts, some_texts, st.integers(1, 3))
def test_spans_are_those_of_the_textbooks_table_whatever_the_batches(texts, sources, at_a_time):
    expected = [
        max([longest_by_table(text.split(), source.split()) for source in sources], default=0)
        for text in texts
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied_spans, "SOURCES_AT_A_TIME", at_a_time)
        found = longest_copied_spans(texts, pl.Series(sources, dtype=pl.String))
    assert found.tolist() == expected


def test_case_and_punctuation_do_not_matter():
    sources = pl.Series(["Борщ остыл, официант нахамил!"])
    assert longest_copied_spans(["Увы: борщ остыл. Официант ушёл"], sources).tolist() == [3]


def test_a_run_does_not_go_on_from_one_source_or_text_to_the_next():
    assert longest_copied_spans(["a b c d"], pl.Series(["x a b", "c d y"])).tolist() == [2]
    assert longest_copied_spans(["x a b", "c d y"], pl.Series(["a b c d"])).tolist() == [2, 2]


def test_a_copied_text_is_copied_whole_and_texts_without_words_share_nothing():
    sources = pl.Series(["очень вкусный борщ", "", "!!!"])
    texts = ["Очень вкусный борщ.", "", "?!", "борщ", "суп"]
    assert longest_copied_spans(texts, sources).tolist() == [3, 0, 0, 1, 0]


def test_without_sources_or_texts_nothing_is_copied():
    assert longest_copied_spans(["a b"], pl.Series([], dtype=pl.String)).tolist() == [0]
    assert longest_copied_spans([], pl.Series(["a b"])).tolist() == []
