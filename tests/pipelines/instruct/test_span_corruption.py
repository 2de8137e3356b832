"""Span corruption as T5's released code does it."""

import random

import pytest

from pipelines.instruct.span_corruption import (
    Corruption,
    Objective,
    count_noise,
    hide_spans,
    make_pair,
    random_spans,
    salient_spans,
)

T5 = Corruption(0.15, 3.0)
SENTINELS = list(range(32099, 31999, -1))  # <extra_id_0> is the highest id
END = 1


def recover(inputs, targets, sentinel_ids):
    """Return the text that input and target were made of, without its end-of-text."""
    numbers = {token: number for number, token in enumerate(sentinel_ids)}
    hidden = {}
    now = []
    for token in targets[:-1]:
        if token in numbers:
            now = hidden[token] = []
        else:
            now.append(token)
    return [each for token in inputs[:-1] for each in hidden.get(token, [token])]


def lengths_after(raw, corruption):
    """Return the lengths of input and target that `raw` tokens give, the end-of-texts counted."""
    n_noise, n_spans = count_noise(raw, corruption)
    return raw - n_noise + n_spans + 1, n_noise + n_spans + 1


def test_512_tokens_come_of_568_with_114_targets():
    assert count_noise(568, T5) == (85, 28)
    assert lengths_after(568, T5) == (512, 114)
    assert lengths_after(569, T5)[0] > 512


def test_every_text_is_recovered_and_has_the_lengths_that_were_reckoned():
    rng = random.Random(5)
    for _ in range(3000):
        corruption = Corruption(rng.choice([0.05, 0.15, 0.5, 0.85]), rng.choice([1.0, 3.0, 10.0]))
        length = rng.choice([2, 3, 5, 20, 75, 128])
        ids = [rng.randrange(2, 1000) for _ in range(length)]
        spans = random_spans(length, corruption, rng)
        source, target = hide_spans(ids, spans, SENTINELS, END)
        assert recover(source, target, SENTINELS) == ids
        assert (len(source), len(target)) == lengths_after(length, corruption)
        assert sum(end - start for start, end in spans) == count_noise(length, corruption)[0]
        assert spans[0][0] > 0  # the text's start is never hidden
        assert spans[-1][1] == length  # its end always is
        used = [token for token in source if token in SENTINELS]
        assert used == SENTINELS[: len(spans)]  # descending, one a span
        assert [token for token in target if token in SENTINELS] == used


def test_a_text_by_hand():
    source, target = hide_spans([11, 12, 13, 14, 15, 16], [(1, 3), (5, 6)], SENTINELS, END)
    assert source == [11, 32099, 14, 15, 32098, 1]
    assert target == [32099, 12, 13, 32098, 16, 1]


def test_salient_spans_are_whole_runs_and_no_more_than_asked():
    ids, salient = [5, 7, 7, 5, 7, 5], frozenset({7})
    drawn = {tuple(salient_spans(ids, salient, 1, random.Random(n))) for n in range(50)}
    assert drawn == {((1, 3),), ((4, 5),)}
    assert salient_spans(ids, salient, 9, random.Random(0)) == [(1, 3), (4, 5)]
    assert salient_spans([5, 5], salient, 1, random.Random(0)) == []


@pytest.mark.parametrize("objective", list(Objective))
def test_every_objective_ends_both_sides_and_loses_nothing(objective):
    ids = [5, 7, 8, 9, 7, 6]
    for seed in range(30):
        args = (ids, objective, T5, frozenset({7}), SENTINELS, END, random.Random(seed))
        source, target = make_pair(*args)
        assert source[-1] == target[-1] == END
        if objective is Objective.language_model:
            assert source[:-1] + target[:-1] == ids
            assert len(source) > 1 and len(target) > 1
        else:
            assert recover(source, target, SENTINELS) == ids
        if objective is Objective.salient:
            assert len(target) == 3 and target[1] == 7
        assert make_pair(*args[:-1], random.Random(seed)) == (source, target)


@pytest.mark.parametrize("ids", [[], [5]])
@pytest.mark.parametrize("objective", list(Objective))
def test_a_text_without_two_parts_is_refused(objective, ids):
    with pytest.raises(ValueError, match=rf"a text of {len(ids)} ids has no two parts"):
        make_pair(ids, objective, T5, frozenset({5}), SENTINELS, END, random.Random(0))


def test_more_spans_than_sentinels_are_refused():
    with pytest.raises(ValueError, match="sentinels"):
        make_pair(
            list(range(2, 40)), Objective.spans, Corruption(0.5, 1.0), frozenset(), SENTINELS[:3],
            END, random.Random(0),
        )  # fmt: skip
