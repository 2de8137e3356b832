"""The probes as buttons of the page, each of which alters a text.

A text is altered as the probes alter a random passage (genlab/ranking/probes.py), by the same
functions and for the same words of the query. With draw 0 the words and orders drawn are the run's.
"""

from collections.abc import Callable

import polars as pl

from genlab.models.token_texts import cut_texts
from genlab.playground.loaded_run import LoadedRun
from genlab.playground.playable import front_buttons, shuffle_words
from genlab.ranking.probes import combine, lead_sentence

# Probe -> what its button says. Repeats of the query are named by their number.
PROBES = {
    "query_in_middle": "query in the middle",
    "query_at_end": "query at the end",
    "query_shuffled": "query in front, its words shuffled",
    "query_and_random_words": "query and random words in front",
    "random_words": "random words in front",
    "keywords_stuffed": "the query's rarer words strewn in",
}
PARTS = {
    "words_shuffled": "shuffle its words",
    "lead_sentence": "its first sentence",
    "cut_words": "cut to words",
    "cut_tokens": "cut to tokens",
}


def buttons(run: LoadedRun) -> dict[str, str]:
    """Return {name: label} of the page's buttons."""
    return front_buttons(run.repeats) | PROBES | PARTS


def alter_text(run: LoadedRun, number: int, text: str, name: str, n: int, draw: int) -> str:
    """Return `text`, of query `number`, as the button `name` alters it; see Playable.

    Raises InputError where the probe of that name would.
    """
    query_id, query = run.queries.select("query_id", "query").row(number)
    seed = run.seed + draw
    parts: dict[str, Callable[[], str]] = {
        "words_shuffled": lambda: shuffle_words(text, query_id, seed),
        "lead_sentence": lambda: lead_sentence(text),
        "cut_words": lambda: " ".join(text.split()[:n]),
        "cut_tokens": lambda: cut_tokens(run, text, n),
    }
    if name in parts:
        return parts[name]()
    return combine(query_id, query, text, run.vocabulary, run.repeats, seed)[name]


def cut_tokens(run: LoadedRun, text: str, n: int) -> str:
    """Return the text's first `n` tokens, counted as the probes count them."""
    tokenizer = run.models["base"][0]
    with run.writing:
        ids = tokenizer([text], add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids[0]) <= n:  # nothing cut: a tokenizer may not give a text back to the letter
            return text
        table = pl.DataFrame({"tokens": ids}, schema={"tokens": pl.List(pl.Int32)})
        return cut_texts(table, tokenizer, n, strip_query=True)[0]
