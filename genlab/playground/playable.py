"""What a page needs to try texts: queries with their real passages, rankers, and buttons.

Each pipeline defines its own; the page, the places and the routes are the same for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.ranking.probes import shuffle
from genlab.web.streams import Say

if TYPE_CHECKING:
    from genlab.ranking.rankers import Ranker

KEPT = 64  # queries and texts that a ranker remembers: a key typed changes one text, and no query
REPEATED = "query_repeated_"  # begins the names of buttons that put the query in front, so often


@dataclass(frozen=True)
class Judge:
    """A ranker with the scores of the real passages, a row for each query."""

    label: str
    ranker: "Ranker"
    candidates: pl.DataFrame


@dataclass(frozen=True)
class Playable:
    """All that the page may ask about the queries of one collection.

    alter(number, text, button, n, draw) returns the text that a button makes of `text` for query
    `number`; n: the words or tokens that a cut leaves; draw: from 0, which random words or order.
    write(number, writer, draw, say) calls `say` with the growing text that a model writes.
    """

    queries: pl.DataFrame  # query_id, query, passages
    texts: Mapping[str, str]  # query_id -> the text that stands there at first
    texts_are: str  # what these texts are
    judges: list[Judge]
    buttons: Mapping[str, str]  # name -> what the button says
    alter: Callable[[int, str, str, int, int], str]
    writers: Mapping[str, str] = field(default_factory=dict)  # name -> what its button calls it
    write: Callable[[int, str, int, Say], None] | None = None


def check_outputs(paths: list[Path]) -> None:
    """Raise InputError if an output of the run is missing."""
    missing = [path for path in dict.fromkeys(paths) if not path.exists()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        are = "are" if len(missing) > 1 else "is"
        raise InputError(f"{missing[0]}{more} {are} not there; run `dvc repro` to make them")


def check_scored(queries: pl.DataFrame, real: dict[str, pl.DataFrame]) -> None:
    """Raise InputError if a ranker's scores are not of these passages."""
    n_passages = queries["passages"].list.len()
    for name, rows in real.items():
        if not (rows["candidate_scores"].list.len() == n_passages).all():
            raise InputError(f"ranker {name} has scored other passages; run `dvc repro`")


def front_buttons(repeats: list[int]) -> dict[str, str]:
    """Return the buttons that put the query in front of a text, once and several times."""
    return {
        f"{REPEATED}{n}": "query in front" if n == 1 else f"{n} times in front" for n in repeats
    }


def shuffle_words(text: str, query_id: str, seed: int) -> str:
    """Return the text's words in a random order, drawn by (seed, query_id)."""
    words = text.split()
    return " ".join(shuffle(words, random_stream(seed, f"{query_id} text", len(words))))
