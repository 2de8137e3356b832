"""Pretraining objectives of an encoder-decoder as pure functions of token ids.

Span corruption is T5's, as its released code does it (t5 0.9.4, `random_spans_noise_mask`): spans
and what lies between them are uniform random divisions, the text's start is never corrupted and its
end always is. Salient spans hide what a text is about instead (Guu et al. 2020; Roberts et al. 2020
call it SSM). Plain language modelling gives the first half and asks for the second.
"""

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from genlab.mini.t5 import divide


class Objective(StrEnum):
    """What a text is turned into."""

    spans = "spans"
    salient = "salient"
    mixed = "mixed"  # salient spans in half of the texts that have any
    language_model = "language_model"


class Corruption(NamedTuple):
    """How much is hidden."""

    noise_density: float  # share of the tokens
    mean_span: float  # tokens
    n_salient: int = 1  # spans at most, where they are salient


def count_noise(length: int, corruption: Corruption) -> tuple[int, int]:
    """Return how many of `length` tokens are hidden, at least 2, and in how many spans.

    The spans are at most as many as the tokens that are hidden, or that stay.
    """
    n_noise = min(max(round(length * corruption.noise_density), 1), length - 1)
    n_spans = max(round(n_noise / corruption.mean_span), 1)
    return n_noise, min(n_spans, n_noise, length - n_noise)


def random_spans(length: int, corruption: Corruption, rng: random.Random) -> list[tuple[int, int]]:
    """Return the spans (start, end) that are hidden, in order; none starts at 0, the last ends it.

    length: at least 2 tokens. Raffel et al. 2020, section 3.3.4.
    """
    n_noise, n_spans = count_noise(length, corruption)
    kept, lost = divide(length - n_noise, n_spans, rng), divide(n_noise, n_spans, rng)
    spans, place = [], 0
    for n_kept, n_lost in zip(kept, lost, strict=True):
        spans.append((place + n_kept, place + n_kept + n_lost))
        place += n_kept + n_lost
    return spans


def salient_spans(
    ids: Sequence[int], salient: frozenset[int], n_spans: int, rng: random.Random
) -> list[tuple[int, int]]:
    """Return at most `n_spans` spans, drawn from the runs of salient ids; none if there are none.

    Guu et al. 2020, section 3.4, hide one named entity or date of a text.
    """
    runs: list[tuple[int, int]] = []
    for place, token in enumerate(ids):
        if token in salient:
            follows = bool(runs) and runs[-1][1] == place
            runs[len(runs) - follows :] = [(runs[-1][0] if follows else place, place + 1)]
    return sorted(rng.sample(runs, min(n_spans, len(runs))))


def hide_spans(
    ids: Sequence[int], spans: Sequence[tuple[int, int]], sentinel_ids: Sequence[int], end_id: int
) -> tuple[list[int], list[int]]:
    """Return (input, target): each span is a sentinel in the input, and follows it in the target.

    sentinel_ids: <extra_id_0>, <extra_id_1> ..., whose ids descend in T5. Both end in `end_id`; the
    target has no last sentinel, as in the released code (the paper's figure 2 has one).
    """
    inputs: list[int] = []
    targets: list[int] = []
    place = 0
    for number, (start, end) in enumerate(spans):
        inputs += [*ids[place:start], sentinel_ids[number]]
        targets += [sentinel_ids[number], *ids[start:end]]
        place = end
    return [*inputs, *ids[place:], end_id], [*targets, end_id]


def split_in_two(
    ids: Sequence[int], end_id: int, rng: random.Random
) -> tuple[list[int], list[int]]:
    """Return (input, target) of plain language modelling: a text cut at a random place.

    T5's prefix language modelling (Raffel et al. 2020, section 3.2.1).
    """
    cut = rng.randrange(1, len(ids))
    return [*ids[:cut], end_id], [*ids[cut:], end_id]


def make_pair(
    ids: Sequence[int],
    objective: Objective,
    corruption: Corruption,
    salient: frozenset[int],
    sentinel_ids: Sequence[int],
    end_id: int,
    rng: random.Random,
) -> tuple[list[int], list[int]]:
    """Return (input, target) of a text of at least two ids under an objective.

    A text without a salient span has random ones. Raises ValueError for a shorter text, or one that
    needs more sentinels than there are.
    """
    if len(ids) < 2:
        raise ValueError(f"a text of {len(ids)} ids has no two parts; it must have 2 at least")
    if objective is Objective.language_model:
        return split_in_two(ids, end_id, rng)
    spans: list[tuple[int, int]] = []
    if objective is Objective.salient or (objective is Objective.mixed and rng.random() < 0.5):
        spans = salient_spans(ids, salient, corruption.n_salient, rng)
    spans = spans or random_spans(len(ids), corruption, rng)
    if len(spans) > len(sentinel_ids):
        raise ValueError(f"{len(spans)} spans need more than {len(sentinel_ids)} sentinels")
    return hide_spans(ids, spans, sentinel_ids, end_id)
