"""Shingle sets and their similarity by Python's own sets: what MinHash is compared with."""

from genlab.text.minhash import PADDING, Shingles


def shingle_set(text: str, shingles: Shingles) -> set[str]:
    """Return the different runs of characters of a text; one that is too short is its own."""
    if shingles.pad_ends:
        padding = PADDING * (shingles.chars - 1)
        text = padding + text + padding
    n_runs = max(len(text) - shingles.chars + 1, 1)
    return {text[start : start + shingles.chars] for start in range(n_runs)}


def jaccard(one: set | frozenset, other: set | frozenset) -> float:
    """Return |intersection| / |union|; 1 for two empty sets."""
    n_shared = len(one & other)
    n_all = len(one) + len(other) - n_shared
    return n_shared / n_all if n_all else 1.0
