"""Normalized texts, in Python and in Polars."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.text.normal_form import (
    SETTLED,
    first_words,
    key_expression,
    normalize_key,
    normalize_unicode,
    words,
)

# Characters newer than either library's Unicode tables would be told apart by one of them only.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=40)


def polars_key(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(key_expression(pl.col("text"))).item()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  What's   NEW?  ", "whats new"),
        ("What’s new", "whats new"),
        ("C++ or C#, 5% of $5", "c++ or c# 5% of $5"),
        ("1.5 is not 15", "1 5 is not 15"),
        ("well-known_names/places", "well known names places"),
        ("«Ёлка — это дерево»", "ёлка это дерево"),
        ("ﬁne Ｗｉｄｅ e\u0301te\u0301", "fine wide été"),
        ("हिन्दी", "हिन्दी"),
        ("Пре\u00adкрас\u00adно, от\u200bдых", "прекрасно отдых"),
        ("?!…", ""),
        ("", ""),
    ],
)
def test_the_key_keeps_words_and_symbols_and_drops_case_and_punctuation(text, key):
    assert normalize_key(text) == key
    assert polars_key(text) == key


@given(TEXTS)
def test_python_and_polars_give_the_same_key(text):
    assert polars_key(text) == normalize_key(text)


@given(TEXTS)
def test_words_are_the_key_split_at_spaces(text):
    assert " ".join(words(text)) == normalize_key(text)


def test_normalising_touches_non_ascii_texts_only_where_they_differ():
    column = pl.Series("text", ["plain", "e\u0301", "ﬁ", None])
    frame = column.to_frame()
    nfc = frame.select(normalize_unicode(pl.col("text"), "NFC"))["text"]
    nfkc = frame.select(normalize_unicode(pl.col("text"), "NFKC"))["text"]
    assert nfc.to_list() == ["plain", "é", "ﬁ", None]
    assert nfkc.to_list() == ["plain", "é", "fi", None]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_settled_characters_change_neither_alone_nor_beside_each_other(form):
    characters = pl.Series([chr(code) for code in range(0x3000)])
    settled = characters.filter(characters.str.contains(f"^[{SETTLED[form]}]$")).to_list()
    assert {"\n", "z", "é", "Ж" if form == "NFC" else "ж", "’"} <= set(settled)
    assert all(unicodedata.normalize(form, character) == character for character in settled)
    # Only marks that combine with what stands before them could change a neighbour.
    assert not any(unicodedata.combining(character) for character in settled)
    assert unicodedata.is_normalized(form, "".join(settled))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=9)))
def test_first_words_are_those_of_the_key_wherever_the_text_is_cut(parts):
    text = " ".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genlab.text.normal_form.START_CHARACTERS", 12)
        starts = first_words(pl.Series("text", [text])).to_list()
    assert starts[0].split() == normalize_key(text).split()[:3]


def test_first_words_of_texts_with_the_same_first_three_words_are_equal():
    texts = pl.Series(
        "text", ["A b, c d e", "a B c", "a b c-x", "a b", "", "a ... b" + "." * 50 + "c"]
    )
    assert first_words(texts).to_list() == ["a b c ", "a b c ", "a b c ", "a b ", " ", "a b c "]
