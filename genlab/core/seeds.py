"""Random numbers that belong to an item, not to a run: no batch, order or process changes them."""

import hashlib

import numpy as np


def random_stream(seed: int, item_id: str, length: int) -> np.ndarray:
    """Return `length` uniform numbers in [0, 1) that depend on (seed, item_id) alone.

    A longer stream begins with the shorter one.
    """
    key = hashlib.blake2b(f"{seed}:{item_id}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key))).random(length)
