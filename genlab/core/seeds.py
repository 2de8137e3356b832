"""Random numbers that depend on an item alone, not on batches, order or number of processes."""

import hashlib
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import numpy as np


def random_stream(seed: int, item_id: str, length: int, sample: int = 0) -> np.ndarray:
    """Return `length` uniform numbers in [0, 1) that depend on (seed, item_id, sample) alone.

    Draws for different purposes need different item_ids, as their seeds may be equal. A longer
    stream begins with the shorter one. Several samples of one item, counted from 0, have streams of
    their own; sample 0 has the same stream as an item with a single sample.
    """
    salt = sample.to_bytes(hashlib.blake2b.SALT_SIZE)  # of zeros, it is blake2b's default
    key = hashlib.blake2b(f"{seed}:{item_id}".encode(), digest_size=16, salt=salt).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key))).random(length)


def order_of(item_id: str) -> bytes:
    """Return a sort key (a hash) that puts items in an arbitrary order, to take the first n.

    It depends on no seed: the n items of one run are among the m > n of another, so that the two
    runs can be paired.
    """
    return hashlib.blake2b(item_id.encode(), digest_size=16).digest()


def draw(items: Iterable, n: int, seed: int) -> Iterator:
    """Yield `n` of the items, any as likely as any other, in their order (Vitter 1985: R)."""
    rng = Random(seed)
    kept: list[tuple[int, Any]] = []
    for number, item in enumerate(items):
        if number < n:
            kept.append((number, item))
        elif (place := rng.randrange(number + 1)) < n:
            kept[place] = (number, item)
    yield from (item for _, item in sorted(kept, key=lambda pair: pair[0]))
