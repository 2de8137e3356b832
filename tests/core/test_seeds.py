"""seeds: what is drawn depends on the seed alone, and any item is as likely as any other."""

from collections import Counter

from genlab.core.seeds import draw


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
