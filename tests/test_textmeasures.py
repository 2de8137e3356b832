import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.textmeasures import distinct_n, query_echo_rate

token_lists = st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=6)


def test_distinct_n_divides_distinct_by_all_n_grams_of_the_whole_set():
    texts = [[1, 2, 1, 2], [1, 2, 3]]
    assert distinct_n(texts, 1) == 3 / 7
    # 12 21 12 | 12 23: three of five.
    assert distinct_n(texts, 2) == 3 / 5


def test_the_same_text_for_every_query_is_not_diverse_however_varied_it_is():
    assert distinct_n([[1, 2, 3, 4]] * 10, 1) == 4 / 40


def test_no_n_gram_spans_two_texts():
    # Joined they would hold 12 twice.
    assert distinct_n([[1, 2], [1], [2]], 2) == 1.0


def test_texts_shorter_than_n_contribute_nothing():
    assert distinct_n([[1, 2, 3], [1], []], 3) == 1.0
    assert distinct_n([[1], []], 2) == 0.0
    assert distinct_n([], 1) == 0.0


def test_words_can_be_counted_as_well_as_ids():
    assert distinct_n([["a", "rose", "is", "a", "rose"]], 1) == 3 / 5


def test_an_n_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        distinct_n([[1, 2]], 0)


@given(token_lists, st.integers(1, 4))
def test_distinct_n_equals_the_count_by_every_start(texts, n):
    grams = [
        tuple(text[i : i + n]) for text in texts for i in range(len(text)) if len(text) >= i + n
    ]
    expected = len(set(grams)) / len(grams) if grams else 0.0
    assert distinct_n(texts, n) == expected


@pytest.mark.parametrize(
    ("query", "text", "echoed"),
    [
        ("what is rba", "what is rba it is a bank", True),
        ("What is RBA?", "so: what is, rba!", True),
        ("what is rba", "what is a rba", False),
        ("what is rba", "is rba what", False),
        ("what is rba", "what is rbaum", False),
        ("is rba", "this rba", False),
        ("что такое ёж", "Что такое Ёж? Это зверь.", True),
        ("caf\u00e9", "le cafe\u0301", True),
        ("what is rba", "", False),
        ("мой", "мои", False),
        ("???", "what???", False),
        ("???", "...", False),
        ("", "anything", False),
    ],
)
def test_an_echo_is_the_whole_query_as_consecutive_words(query, text, echoed):
    assert query_echo_rate([query], [text]) == float(echoed)


def test_the_rate_is_the_share_of_texts_that_echo_their_own_query():
    queries = ["big cats", "small dogs", "old owls", "red foxes"]
    texts = ["big cats eat", "big cats eat", "see old owls", "no"]
    assert query_echo_rate(queries, texts) == 2 / 4


def test_no_texts_or_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="no texts"):
        query_echo_rate([], [])
    with pytest.raises(ValueError, match="shorter"):
        query_echo_rate(["a", "b"], ["a"])
