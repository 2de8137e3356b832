"""seeds: what is drawn depends on the seed alone, and any item is as likely as any other."""

from collections import Counter

import pytest

from genlab.core.seeds import draw, random_stream

AS_EVER = [0.784347748167, 0.873577265545]


def test_as_many_are_drawn_as_asked_for_in_their_order():
    assert list(draw("abc", 5, seed=1)) == ["a", "b", "c"]
    drawn = list(draw(range(1000), 100, seed=1))
    assert drawn == sorted(set(drawn)) and len(drawn) == 100
    assert drawn == list(draw(iter(range(1000)), 100, seed=1))
    assert drawn != list(draw(range(1000), 100, seed=2))


def test_every_item_is_as_likely_as_any_other():
    counts = Counter(item for seed in range(2000) for item in draw(range(10), 3, seed))
    # 2,000 x 3 / 10 = 600 each, with a standard deviation of 20.
    assert all(520 < counts[item] < 680 for item in range(10))


def test_samples_of_an_item_have_streams_of_their_own_and_the_first_is_the_items():
    assert (random_stream(1, "a", 5, sample=0) == random_stream(1, "a", 5)).all()
    # As it was before there were samples: blake2b of "1:a", Philox.
    assert random_stream(1, "a", 2).tolist() == pytest.approx(AS_EVER)
    streams = [random_stream(1, item, 5, k) for item in ("a", "a:1", "b") for k in range(3)]
    assert len({stream.tobytes() for stream in streams}) == 9
    assert (random_stream(1, "a", 9, 2)[:5] == random_stream(1, "a", 5, 2)).all()
