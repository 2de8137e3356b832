"""The stages on two small collections under BM25, and what the committed pages say."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.core.terminal import with_ends
from pipelines.rankers.stages import alter, fetch, probe, report, score, score_candidates
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/rankers"
ORIGIN = ["--source", "file", "--hub_id", "none", "--revision", "none"]
COLLECTION = [
    *("--format", "auto", "--encoding", "auto", "--hub_name", "none", "--n_train", "0"),
    *("--n_validation", "0", "--validation_share", "1", "--n_negatives", "3"),
    *("--max_text_bytes", "1000", "--seed", "1", *ORIGIN),
]
HOW = ["--n_queries", "0", "--repeats", "1", "--repeats", "2", "--cut_words", "3", "--seed", "1"]


def run(app, *words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder in which all stages ran: labelled sentences, and pairs with mined ones."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copytree(ROOT / ".dvc/plots", ".dvc/plots")
        for name in ("dvc.yaml", "params.yaml", "claims.yaml"):
            shutil.copy(PIPELINE / name, name)
        change_params(folder, {"rankers": {"words": {"kind": "bm25", "source": "mini"}}})
        lakes = [f"lake{i}" for i in range(12)]
        lines = [
            f"how deep is {lake}\t{text}\t{label}"
            for lake in lakes
            for text, label in (
                (f"{lake} is 9{lake[4:]} metres deep.", 1),
                (f"how to swim in {lake}", 0),
                ("a recipe of eggs", 0),
            )
        ]
        Path("labelled.tsv").write_text("\n".join(lines), encoding="utf-8")
        pairs = [{"query": f"how deep is {x}", "positive": f"{x} is very deep."} for x in lakes]
        Path("pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
        for name, file, negatives in (
            ("given", "labelled.tsv", "given"),
            ("mined", "pairs.json", "mined"),
        ):
            run(
                fetch.app, "collection", f"data/fetch/collections/{name}.parquet",
                f"data/fetch/bm25/{name}", "--metrics", f"metrics/fetch/{name}.json",
                "--manifest", f"metrics/fetch/{name}_manifest.json", "--path", file,
                "--negatives", negatives, "--no-train_too", *COLLECTION,
            )  # fmt: skip
            run(
                alter.app, f"data/fetch/collections/{name}.parquet", f"data/alter/{name}.parquet",
                "--metrics", f"metrics/alter/{name}.json", "--score_seed", 5, *HOW,
            )  # fmt: skip
        ranker = "data/fetch/rankers/words"
        run(
            fetch.app, "ranker", ranker, "--metrics", "metrics/r.json", "--manifest", "m.json",
            "--kind", "bm25", "--source", "mini", "--path", "none", "--hub_id", "none",
            "--revision", "none", "--max_queries", 1, "--dim", 1, "--epochs", 1, "--seed", 1,
        )  # fmt: skip
        tables = ("data/fetch/collections", "data/fetch/bm25", ranker, "data/candidates/words")
        run(
            score_candidates.app, *tables, "--metrics", "metrics/score_candidates/words.json",
            "--speed", "report/speed/words.json", "--batch_size", 8, "--seed", 5,
        )  # fmt: skip
        run(
            probe.app, *tables, "data/alter", "data/probe/words.parquet",
            "--metrics", "metrics/probe/words.json", "--batch_size", 8,
        )  # fmt: skip
        run(
            score.app, "data/fetch/collections", "data/candidates", "data/probe",
            "data/score.parquet", "data/probes.parquet", "--metrics", "metrics/score.json",
            "--details", "metrics/score_details.json", "--ladder", "metrics/ladder.json", "--doses",
            "metrics/doses.json", "--seed", 1,
        )  # fmt: skip
        run(
            report.app, "data/probes.parquet", "data/alter", "report/index.html", "--receipt",
            "metrics/receipt.json", "--plots_library", "report/vega.js",
        )  # fmt: skip
    return folder


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_collections_are_what_the_files_say_with_checksums_of_both(folder):
    manifest = read(folder / "metrics/fetch/given_manifest.json")
    assert manifest["rows"] == 12
    assert list(manifest["files"]) == ["given.parquet"]
    assert list(manifest["made_from"]) == ["labelled.tsv"]
    mined = read_table(folder / "data/fetch/collections/mined.parquet")
    assert mined["passages"].list.len().to_list() == [4] * 12


def test_quality_speed_and_places_are_by_collection_and_ranker(folder):
    quality = read(folder / "metrics/score_candidates/words.json")

    assert {name: found["n_queries"] for name, found in quality.items()} == {
        "given": 12,
        "mined": 12,
    }
    assert quality["mined"]["mrr"]["value"] == 1
    speed = read(folder / "report/speed/words.json")["given"]
    assert speed["pairs"] == 36 and speed["distinct_texts"] == 25 + 12  # and the queries
    scores = read(folder / "metrics/score.json")
    assert list(scores) == ["given words", "mined words"]
    assert scores["mined words"]["mrr"] == 1
    kinds = read(folder / "metrics/probe/words.json")
    assert kinds["given"]["reads_order"] == 0 == kinds["given"]["is_symmetric"]
    rows = read_table(folder / "data/score.parquet")
    assert rows.height == 24 and rows["location"].null_count() == 0
    placed = read_table(folder / "data/probes.parquet").filter(pl.col("judge") == "given words")
    at = dict(placed.group_by("probe").agg(pl.col("location").mean()).iter_rows())
    assert at["query_repeated_2"] == 1 < at["random_passage"]
    assert "query_shuffled" not in at and "query_alone" in at
    texts = read_table(folder / "data/alter/given.parquet").select("query_id", "probe", "text")
    assert placed.join(texts, on=["query_id", "probe", "text"], how="semi").height == placed.height


def test_the_page_has_a_ladder_and_three_examples_of_each_probe_for_each_judge(folder):
    page = (folder / "report/index.html").read_text(encoding="utf-8")
    for judge in ("given words", "mined words"):
        assert f"<h3>{judge}: every probe</h3>" in page
        assert f"<summary><h3>examples: {judge}</h3></summary>" in page
    assert page.count('<th scope="row">wrong with query</th>') >= 2
    assert "quality of words" in page and "how to swim in lake" in page


def test_every_headline_number_of_the_page_has_its_interval(folder):
    page = (folder / "report/index.html").read_text(encoding="utf-8")
    gains = read(folder / "metrics/score_details.json")["given words"]["probes"]
    for name in ("wrong_with_query", "answer_with_query"):
        assert f">{with_ends(gains[name]['gain'])}<" in page


def test_bm25_is_from_nowhere_and_a_model_from_where_it_was_had():
    assert report.tell_source({"kind": "bm25", "source": "mini"}) == "counted on each collection"
    hub = {"kind": "cross_encoder", "source": "hub", "hub_id": "a/b", "revision": "c0ffee" * 6}
    assert report.tell_source(hub) == "a/b@c0ffeec"


def fetched(path: Path, folder: Path, *options: str) -> dict:
    """Fetch a collection named mine from path; return its manifest."""
    run(
        fetch.app, "collection", folder / "mine.parquet", folder / "bm25", "--metrics",
        folder / "counts.json", "--manifest", folder / "manifest.json", "--path", path,
        *COLLECTION, *options,
    )  # fmt: skip
    return read(folder / "manifest.json")


def test_all_queries_of_any_file_may_be_evaluated_and_what_was_read_is_described(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("train", "test"):
        asked = [
            f"{word} is {name},here,1\n{word} is {name},there,0\n" for word in ("where", "how")
        ]
        text = f"query,passage,label\n{''.join(asked)}"
        (mine / f"{name}.csv").write_text(text, encoding="utf-8")
    (mine / "LICENSE.pdf").write_text("mine", encoding="utf-8")
    options = ("--negatives", "given", "--train_too", "--validation_share", "0")
    manifest = fetched(mine, tmp_path, *options)
    assert manifest["rows"] == 4 and list(manifest["made_from"]) == ["test.csv", "train.csv"]
    assert fetched(mine / "train.csv", tmp_path, *options)["rows"] == 2
    table = read_table(tmp_path / "mine.parquet")
    assert table["split"].to_list() == ["validation"] * 2


@pytest.mark.parametrize(
    ("text", "options", "key"),
    [
        ("nonsense", ["--negatives", "given"], "format"),
        ("query,passage,label\na,b,1\n", ["--negatives", "mined"], "n_negatives"),
        ("query,passage,label\na,b,1\n", ["--negatives", "given", "--validation_share", "0"],
         "validation_share"),
    ],
    ids=["format", "negatives", "share"],
)  # fmt: skip
def test_errors_name_the_keys_of_the_collection(tmp_path, text, options, key):
    path = tmp_path / "mine.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"collections\.mine\.{key}\b") as error:
        fetched(path, tmp_path, "--no-train_too", *options)
    assert "corpus." not in str(error.value)


def test_no_collection_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no collection; run `dvc repro`"):
        run(
            score_candidates.app, tmp_path, tmp_path, tmp_path, tmp_path / "out", "--metrics",
            tmp_path / "m.json", "--speed", tmp_path / "s.json", "--batch_size", 8, "--seed", 5,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
