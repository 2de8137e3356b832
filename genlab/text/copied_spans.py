"""How much of a text was copied: its longest run of words that also stands in one source text.

The sources are many texts (a train split). The length of the run is exact, in normalized words. All
runs of one word are looked up first, then those of two that begin where one of one was found, and
so on. A place drops out when its run ends, so the work is the sum of all matches and not texts
times sources. Memory is 4 bytes for each word of the sources, and per step some 40 bytes for each
place that still matches.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.text.normal_form import key_expression, words

SOURCES_AT_A_TIME = 20_000
OTHER = -1  # a word that no text has, or the end of a source


def longest_copied_spans(texts: Sequence[str], sources: pl.Series) -> np.ndarray:
    """Return int64[texts]: the words of each text's longest run that stands in any one source.

    0 for a text without words, or without any word of the sources.
    """
    token_lists = [words(text) for text in texts]
    vocabulary = {word: at for at, word in enumerate(sorted(set().union(*token_lists)))}
    # Each text is followed by one OTHER: no run goes on from one text to the next.
    text_ids = np.array(
        [at for tokens in token_lists for at in (*map(vocabulary.get, tokens), OTHER)],
        dtype=np.int64,
    )
    owners = np.repeat(np.arange(len(texts)), [len(tokens) + 1 for tokens in token_lists])
    source_ids = encode_sources(sources, vocabulary)

    longest = np.zeros(len(texts), dtype=np.int64)
    places, here = start_runs(text_ids)
    source_places, there = start_runs(source_ids)
    length = 1
    while len(places):
        # `here` and `there` number the runs of this length: equal numbers, equal runs.
        is_found = np.zeros(int(here.max()) + 1, dtype=bool)
        is_found[there] = True
        goes_on = is_found[here]
        places, here = places[goes_on], here[goes_on]
        longest[owners[places]] = length
        places, keys = lengthen(text_ids, places, here, length, len(vocabulary))
        source_places, source_keys = lengthen(
            source_ids, source_places, there, length, len(vocabulary)
        )
        numbers, here = np.unique(keys, return_inverse=True)
        at = np.searchsorted(numbers, source_keys)
        is_there = at < len(numbers)
        is_there[is_there] = numbers[at[is_there]] == source_keys[is_there]
        source_places, there = source_places[is_there], at[is_there]
        length += 1
    return longest


def encode_sources(sources: pl.Series, vocabulary: dict[str, int]) -> np.ndarray:
    """Return int32: the words of all sources as numbers of the vocabulary, OTHER after each."""
    known = pl.DataFrame(
        {"word": list(vocabulary), "at": list(vocabulary.values())},
        schema={"word": pl.String, "at": pl.Int32},
    )
    end = pl.Series([""], dtype=pl.String).implode()
    encoded = [np.zeros(0, dtype=np.int32)]
    for start in range(0, len(sources), SOURCES_AT_A_TIME):
        batch = sources.slice(start, SOURCES_AT_A_TIME).alias("word").to_frame()
        tokens = batch.select(key_expression(pl.col("word")).str.split(" ").list.concat(end))
        joined = tokens.explode("word").join(known, on="word", how="left", maintain_order="left")
        encoded.append(joined["at"].fill_null(OTHER).to_numpy())
    return np.concatenate(encoded)


def start_runs(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of known words, and the words: runs of one."""
    places = np.flatnonzero(ids != OTHER)
    return places, ids[places]


def lengthen(
    ids: np.ndarray, places: np.ndarray, runs: np.ndarray, length: int, n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places whose run of `length` goes on with a known word, and int64 keys of both.

    Two longer runs are equal where their keys are. The last of `ids` is OTHER, so none goes past
    the end: a run that reaches it does not go on.
    """
    following = ids[places + length]
    goes_on = following != OTHER
    return places[goes_on], runs[goes_on].astype(np.int64) * n_words + following[goes_on]
