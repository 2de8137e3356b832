"""Shingle sets and their similarity by Python's own sets: what MinHash is compared with."""

from collections import Counter

from genlab.text.minhash import PADDING


def shingle_set(text: str, shingle_chars: int) -> set[tuple[str, int]]:
    """Return the runs of `shingle_chars` characters of a padded text, each with its occurrence."""
    padding = PADDING * (shingle_chars - 1)
    padded = padding + text + padding
    n_runs = len(padded) - shingle_chars + 1
    counts = Counter([padded[start : start + shingle_chars] for start in range(n_runs)])
    return {(run, number) for run, count in counts.items() for number in range(1, count + 1)}


def jaccard(one: set | frozenset, other: set | frozenset) -> float:
    """Return |intersection| / |union|; 1 for two empty sets."""
    n_shared = len(one & other)
    n_all = len(one) + len(other) - n_shared
    return n_shared / n_all if n_all else 1.0
