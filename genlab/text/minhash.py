"""Near-duplicate texts by MinHash over character shingles (Broder 1997).

Texts come normalized (normal_form.py). A pair is similar if the Jaccard similarity of its shingle
sets reaches a threshold. A set holds a shingle once, however often it occurs (Broder's option B, as
in datatrove and text-dedup). Signatures and locality-sensitive hashing only propose pairs; every
proposed pair is checked on its true shingle sets, so a chance agreement of hashes drops nothing.

Shingles are characters, not words, so that four words have enough of them. Broder's are those that
lie within the text. With `pad_ends` there are as many more at either end, half outside the text, so
that a change in the last word weighs as much as one in the middle: "how deep is lake varn" and
"... lake corl" then share 17 of 33 5-character shingles, without padding 13 of 21; two questions of
30 characters that differ in a year's last digit have 0.74 and 0.93.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from rensa import RMinHash
from typer import Option

PADDING = "\0"
# Hash 1,000 passages (350,000 shingles of 8 bytes) at a time: the arrays stay in the CPU's cache.
CHUNK_TEXTS = 1_000
# Share of the pairs exactly at the threshold that locality-sensitive hashing must propose.
RECALL = 0.99
# Where more texts than this share a bucket (thousands of questions from one template), each is
# compared with this many neighbours in the order given: the work never grows with the square.
BUCKET_NEIGHBOURS = 10
# Signature length for pairs within one list, where all pairs are compared and need no buckets.
LIST_NUM_PERM = 32

# Options of programs that look for near-duplicates.
ShingleChars = Annotated[int, Option(min=2, max=100, help="characters per shingle")]
PadEnds = Annotated[bool, Option(help="give the ends of a text as many shingles as its middle")]
NumPerm = Annotated[int, Option(min=16, max=4096, help="places of a MinHash signature")]


@dataclass(frozen=True)
class Shingles:
    """What a text is cut into."""

    chars: int
    pad_ends: bool


def hash_shingles(keys: pl.Series, shingles: Shingles) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of all texts' shingles, uint64[n], and where each text begins and ends.

    A text of c characters has c - chars + 1 shingles, or c + chars - 1 with padding; one shorter
    than a shingle has itself for its only one. Text i's are hashes[offsets[i]:offsets[i + 1]]. The
    hash is ours, not Polars's or Python's, so that it is the same in every version and process.
    """
    n_padding = shingles.chars - 1
    padding = PADDING * n_padding
    joined = padding + "".join(key + padding for key in keys)
    codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    n_shingles = len(codes) - n_padding
    hashes = np.zeros(n_shingles, dtype=np.uint64)
    for offset in range(shingles.chars):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += codes[offset : offset + n_shingles]
    hashes ^= hashes >> np.uint64(32)  # the product's low bits are its weak ones
    hashes *= np.uint64(0xD6E8FEB86659FD93)
    hashes ^= hashes >> np.uint64(32)
    n_chars = keys.str.len_chars().to_numpy().astype(np.int64)
    sizes = n_chars + n_padding
    if not shingles.pad_ends:
        # Of each text's padded shingles those that begin and end in it; of a short text the one
        # that begins with it.
        starts = np.cumsum(sizes) - sizes + np.minimum(n_padding, sizes - 1)
        sizes = np.maximum(n_chars - n_padding, 1)
        steps = np.zeros(n_shingles + 1, dtype=np.int8)
        steps[starts] += 1
        steps[starts + sizes] -= 1
        hashes = hashes[np.cumsum(steps[:-1]) > 0]
    return hashes, np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)


def sign(keys: pl.Series, num_perm: int, shingles: Shingles, seed: int) -> np.ndarray:
    """Return MinHash signatures, uint32[n, num_perm].

    The share of equal places of two signatures estimates their texts' Jaccard similarity J, with
    a standard error of sqrt(J (1 - J) / num_perm).
    """
    signatures = np.empty((len(keys), num_perm), dtype=np.uint32)
    for start in range(0, len(keys), CHUNK_TEXTS):
        chunk = slice(start, start + CHUNK_TEXTS)
        hashes, offsets = hash_shingles(keys[chunk], shingles)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, num_perm, seed)
        signatures[chunk] = matrix.to_rows()
    return signatures


def rows_per_band(threshold: float, num_perm: int) -> int:
    """Return the number of signature places to hash together.

    A pair of similarity J shares one band of r places with probability J^r, and at least one of b
    bands with 1 - (1 - J^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
    The largest r that still proposes RECALL of the pairs at the threshold proposes fewest others.
    """
    for r in range(num_perm, 1, -1):
        if 1 - (1 - threshold**r) ** (num_perm // r) >= RECALL:
            return r
    return 1


def hash_bands(
    keys: pl.Series, threshold: float, num_perm: int, shingles: Shingles, seed: int
) -> np.ndarray:
    """Return each text's bands, uint64[n, bands]: what is kept of its signature."""
    r = rows_per_band(threshold, num_perm)
    chunks = [np.zeros((0, num_perm // r), dtype=np.uint64)]
    for start in range(0, len(keys), CHUNK_TEXTS):
        signatures = sign(keys[start : start + CHUNK_TEXTS], num_perm, shingles, seed)
        chunks.append(fold_bands(signatures, r))
    return np.concatenate(chunks)


def fold_bands(signatures: np.ndarray, r: int) -> np.ndarray:
    """Return one hash for every `r` places of each signature, uint64[n, bands]."""
    n_bands = signatures.shape[1] // r
    places = signatures[:, : n_bands * r].reshape(-1, n_bands, r)
    bands = np.zeros(places.shape[:2], dtype=np.uint64)
    for place in range(r):
        bands = (bands ^ places[:, :, place]) * np.uint64(0x9E3779B97F4A7C15)
        bands ^= bands >> np.uint64(32)
    return bands


def propose_pairs(bands: np.ndarray) -> np.ndarray:
    """Return the pairs of rows (left < right) that share a band, int64[pairs, 2], sorted."""
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        for distance in range(1, min(BUCKET_NEIGHBOURS, len(order) - 1) + 1):
            left, right = order[:-distance], order[distance:]
            is_shared = band[left] == band[right]
            if not is_shared.any():
                break
            pairs.append(np.stack([left[is_shared], right[is_shared]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def propose_matches(bands: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the pairs (row of `bands`, row of `others`) that share a band, int64[pairs, 2]."""
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for band, other in zip(bands.T, others.T, strict=True):
        order = np.argsort(other, kind="stable")
        first = np.searchsorted(other[order], band, side="left")
        n_shared = np.searchsorted(other[order], band, side="right") - first
        for distance in range(min(BUCKET_NEIGHBOURS, n_shared.max(initial=0))):
            rows = np.flatnonzero(n_shared > distance)
            pairs.append(np.stack([rows, order[first[rows] + distance]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def propose_list_pairs(lists: np.ndarray, signatures: np.ndarray, threshold: float) -> np.ndarray:
    """Return the pairs of rows (left < right) of one list that may be similar, int64[pairs, 2].

    `lists` numbers each row's list, ascending. A pair is left out if its estimate is four standard
    errors below the threshold, which happens to 1 in 10,000 pairs at the threshold.
    """
    num_perm = signatures.shape[1]
    least = threshold - 4 * (threshold * (1 - threshold) / num_perm) ** 0.5
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for distance in range(1, len(lists)):
        left = np.flatnonzero(lists[:-distance] == lists[distance:])
        if not len(left):
            break
        right = left + distance
        estimate = (signatures[left] == signatures[right]).mean(axis=1)
        pairs.append(np.stack([left, right], axis=1)[estimate >= least])
    return np.unique(np.concatenate(pairs), axis=0)


def keep_similar(
    pairs: np.ndarray, left: pl.Series, right: pl.Series, threshold: float, shingles: Shingles
) -> np.ndarray:
    """Return the pairs (a row of `left`, a row of `right`) whose true similarity is high enough."""
    return pairs[true_similarities(pairs, left, right, shingles) >= threshold]


def true_similarities(
    pairs: np.ndarray, left: pl.Series, right: pl.Series, shingles: Shingles
) -> np.ndarray:
    """Return each pair's (row of `left`, row of `right`) Jaccard similarity, float64[n].

    The shingles are compared as sorted 64-bit hashes: sets of strings take 5 times as long.
    """
    similarities = [np.zeros(0)]
    for start in range(0, len(pairs), CHUNK_TEXTS):
        chunk = pairs[start : start + CHUNK_TEXTS]
        one, at_one = distinct_shingles(left.gather(chunk[:, 0]), shingles)
        other, at_other = distinct_shingles(right.gather(chunk[:, 1]), shingles)
        both, at = np.concatenate([one, other]), np.concatenate([at_one, at_other])
        order = np.argsort(both)
        is_shared = both[order[1:]] == both[order[:-1]]
        n_shared = np.bincount(at[order[1:]][is_shared], minlength=len(chunk))
        n_all = np.bincount(at, minlength=len(chunk)) - n_shared
        similarities.append(n_shared / n_all)
    return np.concatenate(similarities)


def distinct_shingles(keys: pl.Series, shingles: Shingles) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes, uint64[n], of every text's different shingles, and each one's text, int64[n].

    The text's number is part of the hash, so no two hashes are equal (but for a collision: 1 in
    10^7 for a thousand passages), and those of two lists are equal for the same place and shingle.
    """
    hashes, offsets = hash_shingles(keys, shingles)
    texts = np.repeat(np.arange(len(keys), dtype=np.uint64), np.diff(offsets).astype(np.int64))
    mixed = (hashes[: len(texts)] ^ texts * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(
        0xD6E8FEB86659FD93
    )
    different, places = np.unique(mixed, return_index=True)
    return different, texts[places].astype(np.int64)


def find_later_twins(pairs: np.ndarray) -> dict[int, int]:
    """Return {dropped row: the kept row it is similar to}; of a similar pair the left is kept.

    A row goes only for a row that stays, so similarity is not handed on along a chain.
    """
    dropped: dict[int, int] = {}
    for left, right in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if left not in dropped and right not in dropped:
            dropped[right] = left
    return dropped
