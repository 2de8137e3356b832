"""The rules that every pipeline's texts go through."""

import polars as pl

from genlab.text.rules import clean_texts, plain_text


def test_a_family_stays_one_emoji_and_no_other_joiner_is_left():
    family = "👨\u200d👩\u200d👧"
    waving = "👋🏽 ❤\ufe0f\u200d🔥"
    texts = [
        f"а\u200d{family}\u200d, {waving}",
        "\u200dда\u200d\u200dнет 👧\u200d\u200d👧 👧\u200d",
        "e\u200bf\u00ad\u200d",
    ]
    cleaned = clean_texts(
        pl.Series("t", texts), plain_text(strip_markup=True, repair_encoding=True)
    )
    assert cleaned.to_list() == [f"а{family}, {waving}", "данет 👧\u200d👧 👧", "ef"]


def test_joiners_that_are_spelling_stay_and_others_are_nothing():
    """Of Persian's "I want" and Hindi's half letter; neither joins words of Latin or Cyrillic."""
    persian, hindi = "می\u200cخواهم", "क्\u200dष क्\u200cष"
    texts = [
        f"{persian} \u200c{persian}\u200c.",
        f"{hindi}\u200d",
        "ra\u200cting да\u200cнет 1\u200c2 😀\u200c😀",
        "کتاب\u200c\u200cها",
    ]
    cleaned = clean_texts(
        pl.Series("t", texts), plain_text(strip_markup=True, repair_encoding=True)
    )
    assert cleaned.to_list() == [
        f"{persian} {persian}.",
        hindi,
        "rating данет 12 😀😀",
        "کتاب\u200cها",
    ]


def test_the_flag_of_scotland_keeps_its_tags_and_a_joiner_behind_a_vowel_mark_is_spelling():
    scotland = (
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
    )
    persian = "می\u064f\u200cخواهم"
    texts = [f"a {scotland}.", "a\U000e0067\U000e0062b", f"{scotland}x\U000e007f", persian]
    cleaned = clean_texts(
        pl.Series("t", texts), plain_text(strip_markup=True, repair_encoding=True)
    )
    assert cleaned.to_list() == [f"a {scotland}.", "ab", f"{scotland}x", persian]
