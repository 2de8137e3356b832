"""Each option of a stage arrives where it acts; what comes of it is not looked at here."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.ranking.rankers import RankerKind
from pipelines.rankers import fetched_collections, named_assets, probing, summary
from pipelines.rankers.stages import alter, fetch, probe, score, score_candidates
from tests.handed_on import invoke, noted, run_until_there, stopped_at
from tests.option_words import option_words
from tests.query_tables import table

ROWS = [
    ("train", "how deep is the lake", [("Ninety metres deep.",), "A lake lies there."]),
    ("validation", "how long is the river", [("Ninety miles long.",), "A river runs there."]),
    ("validation", "how old is the tower", [("Ninety years old.",), "A tower stands there."]),
]


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch) -> Path:
    """Return a folder with two collections of one content, c/a and c/b."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write_table(tmp_path / f"c/{name}.parquet", [table(*ROWS)], QUERY_SCHEMA)
    return tmp_path


ORIGIN = {"source": "file", "path": "here", "hub_id": "some/queries", "revision": "c0ffee"}
READING = {"format": "judged", "encoding": "windows-1251", "hub_name": "v7"}
READING |= {"validation_share": 0.3, "negatives": "mined", "n_negatives": 5, "max_text_bytes": 999}
LIMITS = {"n_train": 31, "n_validation": 32, "seed": 23}


@pytest.mark.parametrize("train_too", [False, True])
def test_every_option_of_a_collection_arrives(made, monkeypatch, train_too):
    fetched = noted(monkeypatch, fetched_collections, "fetch_queries", ([table(*ROWS)], "c0ffee"))
    counted = stopped_at(monkeypatch, fetched_collections.bm25, "write_collection")
    words = ["collection", "out", "counts", "--metrics", "m", "--manifest", "n"]
    words += option_words(ORIGIN | READING | LIMITS | {"train_too": train_too})
    run_until_there(lambda: invoke(fetch.app, words))
    assert asdict(fetched[0]["origin"]) == ORIGIN | {"path": Path("here")}
    assert asdict(fetched[0]["reading"]) == READING
    assert asdict(fetched[0]["limits"]) == LIMITS
    splits = pl.read_parquet(next(iter(counted[0].values())))["split"].to_list()
    assert splits == (["validation"] * 3 if train_too else ["train", "validation", "validation"])


RECIPE = {"max_queries": 41, "dim": 42, "epochs": 43, "seed": 24}


def test_every_option_of_a_ranker_arrives(monkeypatch):
    fetched = stopped_at(monkeypatch, fetch, "fetch_ranker")
    words = ["ranker", "out", "--metrics", "m", "--manifest", "n", "--kind", "cross_encoder"]
    run_until_there(lambda: invoke(fetch.app, words + option_words(ORIGIN | RECIPE)))
    assert fetched[0]["kind"] == "cross_encoder" and fetched[0]["output"] == Path("out")
    assert asdict(fetched[0]["origin"]) == ORIGIN | {"path": Path("here")}
    assert asdict(fetched[0]["recipe"]) == RECIPE


def test_every_option_of_alter_arrives_with_the_queries_that_are_evaluated(monkeypatch):
    altered = stopped_at(monkeypatch, alter.altered_texts, "alter")
    words = ["c/a.parquet", "out", "--metrics", "m", "--score_seed", 25, "--n_queries", 7]
    words += ["--repeats", 1, "--repeats", 4, "--cut_words", 3, "--cut_words", 9, "--seed", 26]
    run_until_there(lambda: invoke(alter.app, words))
    assert (altered[0]["name"], altered[0]["random_seed"]) == ("a", 25)
    assert altered[0]["queries"]["query"].to_list() == [query for _, query, _ in ROWS[1:]]
    assert asdict(altered[0]["how"]) == {
        "n_queries": 7,
        "repeats": [1, 4],
        "cut_words": [3, 9],
        "seed": 26,
    }


def test_a_ranker_is_loaded_once_with_its_batch_size_and_bm25_anew_for_every_collection(
    monkeypatch,
):
    loaded = noted(monkeypatch, named_assets, "load_ranker", "a ranker")
    for kind, asked in ((RankerKind.bm25, ["a", "b"]), (RankerKind.cross_encoder, ["r"])):
        monkeypatch.setattr(named_assets, "kind_of", lambda ranker, kind=kind: kind)
        loaded.clear()
        of_a = named_assets.ranker_of(Path("r"), Path("counts/a"), 9, None)
        named_assets.ranker_of(Path("r"), Path("counts/b"), 9, of_a)
        assert [(each["folder"].name, each["batch_size"]) for each in loaded] == [
            (name, 9) for name in asked
        ]


def test_every_option_of_score_candidates_arrives_for_each_collection(made, monkeypatch):
    ranker = SimpleNamespace(relevance="relevance")
    loaded = noted(monkeypatch, score_candidates, "ranker_of", ranker)
    monkeypatch.setattr(score_candidates, "write_table", lambda *arguments: None)
    scored = noted(monkeypatch, score_candidates, "score_candidates", pl.DataFrame())
    measures = {name: [1.0] for name in score_candidates.quality.MEASURES.values()}
    rows = pl.DataFrame({"query_id": ["1"]} | measures)
    monkeypatch.setattr(score_candidates.quality, "judge", lambda scored: rows)
    summed = noted(monkeypatch, score_candidates.quality, "summarize", {"mrr": {}})
    monkeypatch.setattr(score_candidates, "table_of", lambda measured, speeds: "")
    words = ["c", "counts", "r", "out", "--metrics", "m", "--speed", "s"]
    invoke(score_candidates.app, [*words, "--batch_size", 9, "--seed", 27])
    assert [(each["counts"].name, each["batch_size"]) for each in loaded] == [("a", 9), ("b", 9)]
    assert [each["seed"] for each in scored] == [27, 27]
    assert [each["queries"].height for each in scored] == [2, 2]  # the training query is not judged
    assert [list(each.values())[1] for each in summed] == [27, 27]
    assert all({"entity", "topic"} < set(each["rows"].columns) for each in summed)


def test_the_batch_size_of_probe_arrives_at_the_ranker_and_at_its_memory(made, monkeypatch):
    write_table(made / "altered/a.parquet", [table(*ROWS)], QUERY_SCHEMA)
    loaded = noted(monkeypatch, probe, "ranker_of", SimpleNamespace(relevance="relevance"))
    monkeypatch.setattr(probe, "read_candidates", lambda path, queries: path)
    kind = SimpleNamespace(asked=lambda altered: pl.lit(True))
    monkeypatch.setattr(probing, "find_kind", lambda relevance, texts: kind)
    remembered = noted(monkeypatch, probe, "remember", Path("memory"))
    scored = stopped_at(monkeypatch, probing, "score_texts")
    words = ["c", "counts", "r", "candidates", "altered", "out", "--metrics", "m"]
    run_until_there(lambda: invoke(probe.app, [*words, "--batch_size", 9]))
    assert (loaded[0]["counts"], loaded[0]["batch_size"]) == (Path("counts/a"), 9)
    assert (remembered[0]["counts"], remembered[0]["batch_size"]) == (Path("counts/a"), 9)
    assert list(scored[0].values())[-3:-1] == [Path("candidates/a.parquet"), Path("memory")]


def test_the_seed_of_score_arrives_at_every_bootstrap(made, monkeypatch):
    for folder in ("candidates/r", "probe"):
        Path(folder).mkdir(parents=True)
    placed = pl.DataFrame({"judge": ["a r"], "collection": ["a"], "query_id": ["1"]})
    placed.write_parquet("probe/r.parquet")
    placed.write_parquet("candidates/r/a.parquet")
    monkeypatch.setattr(summary, "headline_rows", lambda judge, candidates, own, queries: own)
    judged = noted(monkeypatch, score.quality, "summarize", {})
    measured = stopped_at(monkeypatch, summary, "measure")
    words = ["c", "candidates", "probe", "out", "probes", "--seed", 28]
    words += option_words(dict.fromkeys(("metrics", "details", "ladder", "doses"), "m"))
    run_until_there(lambda: invoke(score.app, words))
    assert [list(each.values())[1] for each in (judged[0], measured[0])] == [28, 28]
