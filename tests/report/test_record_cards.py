"""A record is published as numbers, with a card that is made of them; with a text it is refused."""

import json
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard

from genlab.core.program import InputError
from genlab.report.cards import Artifact
from genlab.report.publish import VALUES
from genlab.report.record_cards import MOST_WORDS, RECORD, copy_record, record_card, refuse_texts
from tests.project_copy import call, commit, start_git
from tests.report.test_publish import publish
from tests.wrong_shapes import misshapen

DVC_YAML = """\
# Which judge is fooled? It is asked of real ones.
stages:
  make:
    cmd: "true"
artifacts:
  record:
    path: record
    type: dataset
    desc: What judges do
    meta: {language: en}
"""
CLAIMS = {
    "rows": {
        "path": "data/score.parquet",
        "unit": "query_id",
        "group": "judge",
        "metrics": {"mrr": {"column": "mrr", "better": "higher", "margin": 0.01}},
    },
    "claims": {
        "fooled": {"claim": "It is fooled.", "metric": "mrr", "a": "x", "b": "y"}
        | {"expect": "higher"}
    },
}
ENDS = {"value": 0.5, "low": 0.25, "high": 0.75}
FOUND = {"verdict": "supported", "difference": 0.5, "low": 0.25, "high": 0.75, "n": 9}
SHA = "ab" * 32
FILES = {
    "score.json": {"sea small": {"mrr": 0.5}, "sea bm25": {"mrr": 0.25}},
    "score_details.json": {"sea small": {"quality": {"mrr": ENDS}}},
    "claims.json": {"claims": {"fooled": {"sea small": FOUND}}},
    "ladder.json": [{"judge": "sea small", "average_loc": 1.5}] * 3,
    "fetch/collections/sea_manifest.json": {
        "source": "file",
        "asset": "DATA/secret/sea.csv",
        "revision": "none",
        "files": {"sea.parquet": {"bytes": 1, "sha256": "cd" * 32}},
        "made_from": {"sea.csv": {"bytes": 1234, "sha256": SHA}},
    },
    "fetch/rankers/small_manifest.json": {
        "source": "hub",
        "asset": "some/small",
        "revision": "c0ffee",
        "files": {"model.safetensors": {"bytes": 5, "sha256": SHA}},
    },
}


@pytest.fixture
def pipeline(tmp_path, monkeypatch) -> Path:
    """Be in the folder of a committed pipeline with a record."""
    root = tmp_path / "project"
    folder = root / "pipelines/small"
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "claims.yaml").write_text(yaml.safe_dump(CLAIMS))
    (folder / "params.yaml").write_text("score: {seed: 1}\n")
    for name, content in FILES.items():
        (folder / "record" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "record" / name).write_text(json.dumps(content))
    (folder / "record/params.yaml").write_text("score: {seed: 17}\nstore: /home/alice/texts\n")
    start_git(root)
    monkeypatch.chdir(folder)
    return folder


def test_a_record_is_published_with_a_card_of_its_own_numbers(pipeline, tmp_path):
    publish("record", "--to", tmp_path / "out")
    written = tmp_path / "out/record"
    for name, content in FILES.items():
        assert json.loads((written / name).read_text()) == content
    card = DatasetCard.load(written / "README.md")
    assert (card.data.language, card.data.license) == ("en", "apache-2.0")
    assert card.data.configs == [{"config_name": "ladder", "data_files": "ladder.json"}]
    assert "Which judge is fooled?" in card.text
    assert "| mrr | 0.500 [0.250, 0.750] | 0.250 |" in card.text
    assert "**holds on all 1**: sea +0.50 (+0.25 to +0.75)" in card.text
    assert f"| collections/sea | sea.csv | sea.csv | 1,234 | {SHA} |" in card.text
    assert f"| rankers/small | some/small at c0ffee | model.safetensors | 5 | {SHA} |" in card.text
    assert "| ladder.json | a list of 3 rows: judge, average_loc |" in card.text
    assert "seed: 17" in card.text and "secret" not in card.text and "alice" not in card.text
    made = call(pipeline, "git", "log", "-1", "--format=%h %cs").split()
    assert f"commit {made[0]} ({made[1]}) holds it" in card.text


def test_the_commit_of_a_record_is_the_last_that_changed_it(pipeline):
    before = call(pipeline, "git", "log", "-1", "--format=%h").strip()
    (pipeline / "notes.txt").write_text("later")
    commit(pipeline)
    artifact = Artifact("record", RECORD, "dataset", "It", "en")
    assert f"commit {before} " in record_card(artifact, "small")


def test_a_record_that_is_not_committed_is_not_published(pipeline, tmp_path):
    (pipeline / "record/score.json").write_text("{}")
    with pytest.raises(InputError, match=r"metrics, record are not as in the last commit"):
        publish("record", "--to", tmp_path / "out")
    (pipeline / "record/score.json").write_text(json.dumps(FILES["score.json"]))
    (pipeline / "record/rows.json").write_text("[]")
    with pytest.raises(InputError, match=r"\(git status: \?\? \S*record/rows.json\)"):
        publish("record", "--to", tmp_path / "out")
    assert VALUES and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("texts.parquet", "x", r"texts.parquet: a record is JSON of numbers and params.yaml"),
        (
            "rows.json",
            json.dumps([{"text": "word " * (MOST_WORDS + 1)}]),
            rf"rows.json: a string of {MOST_WORDS + 1} words \('word .*a record holds no texts",
        ),
    ],
)
def test_a_record_with_a_text_in_it_is_refused(pipeline, tmp_path, name, content, message):
    (pipeline / "record" / name).write_text(content)
    with pytest.raises(InputError, match=message):
        copy_record(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_record_of_any_wrong_shape_is_one_line_that_names_it(pipeline, name, tmp_path):
    artifact, path = Artifact("record", RECORD, "dataset", "It", "en"), pipeline / "record" / name
    n_refused = 0
    for words, content in [*misshapen(FILES[name]), ("nested too deeply", None)]:
        text = json.dumps(content) if content is not None else "[" * 100_000
        path.write_text(text)
        try:
            record_card(artifact, "small")
        except InputError as error:
            n_refused += 1
            assert name.rpartition("/")[2] in str(error) and "\n" not in str(error), words
            assert "`git checkout HEAD -- record`" in str(error)
        except Exception as error:
            pytest.fail(f"{words}: {error!r}")
    assert n_refused > 5


def test_a_pipeline_without_a_record_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"record: no such folder; this pipeline has no record"):
        copy_record(tmp_path / "out")


def test_keys_and_short_strings_are_no_texts():
    refuse_texts(Path("x"), {"why": "word " * MOST_WORDS, "n": [1, None, True, {"a": "b"}]})
