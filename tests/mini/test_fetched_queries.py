"""Where queries come from, and where their other passages do."""

import json
from collections import Counter

import polars as pl

from genlab.mini.fetched_queries import Reading, empty_counts, fetch_queries
from genlab.passages.corpora import Limits
from genlab.passages.corpus_rows import CorpusFormat
from genlab.ranking.negatives import Negatives
from genlab.sources.decoding import Encoding
from genlab.sources.source import Origin, Source
from tests.project_copy import ROOT

ANSWERS = {
    "a deep one": "a deep lake",
    "a high one": "a high hill",
    "a wide one": "a wide lake",
    "a cold one": "a cold river",
}


def fetched(path, source: Source, negatives: Negatives) -> tuple[pl.DataFrame, str, Counter]:
    """Return the queries of a source with two negatives each where they are mined."""
    reading = Reading(CorpusFormat.auto, Encoding.auto, "", 1.0, negatives, 2, 1000)
    files: Counter[str] = Counter()
    origin = Origin(source, path, "", "")
    n_validation = 2 if source is Source.mini else 0  # 0: all
    frames, commit = fetch_queries(origin, reading, Limits(3, n_validation, 17), files)
    return pl.concat(frames), commit, files


def test_mined_negatives_are_other_queries_passages_and_given_ones_are_left_alone(tmp_path):
    path = tmp_path / "pairs.jsonl"
    passages = {query: [{"text": text, "label": 1}] for query, text in ANSWERS.items()}
    rows = [{"query": query, "passages": each} for query, each in passages.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given, commit, files = fetched(path, Source.file, Negatives.given)
    assert commit == "none" and files["read"] == 1
    assert [len(passages) for passages in given["passages"]] == [1, 1, 1, 1]
    mined, _, _ = fetched(path, Source.file, Negatives.mined)
    assert mined["query_id"].to_list() == given["query_id"].to_list()
    for row in mined.to_dicts():
        texts = [passage["text"] for passage in row["passages"]]
        assert len(texts) == 3 and set(texts) <= set(ANSWERS.values())
        selected = [p["text"] for p in row["passages"] if p["is_selected"]]
        assert selected == [ANSWERS[row["query"]]]


def test_the_made_queries_are_of_both_splits_and_have_no_commit():
    made, commit, files = fetched(ROOT / "genlab/mini/topics.yaml", Source.mini, Negatives.given)
    assert Counter(made["split"]) == {"train": 3, "validation": 2}
    assert (commit, files) == ("none", Counter())


def test_counts_begin_at_nothing_and_are_not_shared():
    counts = empty_counts()
    assert counts["train"] == {"queries": 0, "passages": 0, "answerable": 0}
    counts["train"]["queries"] = 1
    assert empty_counts()["train"]["queries"] == 0 and counts["validation"]["queries"] == 0
