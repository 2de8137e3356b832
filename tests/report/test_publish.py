"""Published are a model or a table with a card of what is recorded, and of no other run."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard, constants
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.report.artifacts import Artifact, read_artifacts
from genlab.report.publish import app, write_table_of
from tests.hub_server import Fault, Hub, serving
from tests.project_copy import ROOT, commit, dvc, start_git

MAKE = """\
import json
from dataclasses import replace
from pathlib import Path

import polars as pl

Path("data/model").mkdir(parents=True)
Path("data/model/config.json").write_text("{}")
Path("data/model/model.safetensors").write_bytes(bytes(range(256)) * 8)
Path("data/model/curve.json").write_text("[]")
pl.DataFrame({"text": ["a", "b"], "place": [1, 2]}).write_parquet("data/texts.parquet")
Path("metrics").mkdir(exist_ok=True)
ends = {"value": 0.5, "low": 0.25, "high": 0.75}
scores = {"tuned": {"share": 0.5, "n": 4}, "real": {"n": 1, "share": 0.75}}
Path("metrics/score.json").write_text(json.dumps(scores))
Path("metrics/score_details.json").write_text(json.dumps({"tuned": {"share": ends}}))
"""
TASKS = """\
import sys
from pathlib import Path

folder, option, name = sys.argv[1:]
assert option == "--named"
Path(folder).mkdir()
(Path(folder) / "first.yaml").write_text(f"data: {name}/first.jsonl")
"""
DVC_YAML = """\
# Does a small model | know more? It is asked here.
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    outs: [data/model, data/texts.parquet]
    metrics:
    - metrics/score.json:
        cache: false
    plots:
    - metrics/score_details.json:
        cache: false
artifacts:
  tuned:
    path: data/model
    type: model
    desc: A model for tests
    meta: {language: en, scores: [tuned], beside: [real], harness: tasks}
  texts:
    path: data/texts.parquet
    type: dataset
    desc: Its texts
    meta: {language: ru, queries: data/queries.parquet}
"""
PARAMS = {"corpus": {"source": "hub", "hub_id": "user/data"}, "base": {"source": "mini"}}
CLAIMS = {
    "rows": {
        "path": "data/texts.parquet",
        "unit": "text",
        "metrics": {"place": {"column": "place", "better": "lower"}},
    },
    "claims": {
        "more": {
            "claim": "It knows more.",
            "metric": "place",
            "a": "x",
            "b": "y",
            "expect": "lower",
        }
    },
}
SETTLED = {
    "claims": {"more": {"": {"verdict": "supported", "difference": 0.5, "low": 0.25, "high": 0.75}}}
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a committed run of a pipeline with a model and a table."""
    root = tmp_path_factory.mktemp("published") / "project"
    folder = root / "pipelines/small"
    (folder / "metrics").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_bytes((ROOT / ".dvc/config").read_bytes())
    (root / ".gitignore").write_text("data/\n")
    (folder / "make.py").write_text(MAKE)
    (folder / "tasks.py").write_text(TASKS)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (folder / "claims.yaml").write_text(yaml.safe_dump(CLAIMS))
    (folder / "metrics/claims.json").write_text(json.dumps(SETTLED))
    start_git(root)
    made = dvc(folder, "repro")
    assert made.returncode == 0, made.stdout
    commit(root)
    return folder


@pytest.fixture
def pipeline(repository, monkeypatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def publish(*words: object) -> str:
    """Run the program in this process; return what it printed."""
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).output


def test_a_model_is_published_with_a_card_of_what_is_recorded(pipeline, tmp_path):
    publish("tuned", "--to", tmp_path)
    files = {path.name for path in (tmp_path / "tuned").iterdir()}
    # The curve is the training's.
    assert files == {"README.md", "config.json", "model.safetensors", "harness_tasks"}
    task = (tmp_path / "tuned/harness_tasks/first.yaml").read_text(encoding="utf-8")
    assert task == "data: harness_tasks/first.jsonl"  # as seen from the published folder
    same = (tmp_path / "tuned/model.safetensors").read_bytes()
    assert same == (pipeline / "data/model/model.safetensors").read_bytes()
    card = ModelCard.load(tmp_path / "tuned/README.md")
    assert card.data.language == "en"
    assert "--include_path harness_tasks" in card.text
    assert card.data.license == "other"  # that of the Hub's data is not ours to give
    assert card.data.datasets == ["user/data"]
    (result,) = card.data.eval_results  # of what has an interval, and of this model alone
    assert (result.metric_type, result.metric_value) == ("share", 0.5)
    assert result.metric_name == "tuned share (95 % 0.25 to 0.75)"
    assert "Does a small model | know more?" in card.text
    assert "| It knows more. | supported: 0.500 [0.250, 0.750] |" in card.text
    assert "| share | 0.500 [0.250, 0.750] |" in card.text  # and beside it, of another model
    assert "| share | 0.750 |" in card.text
    assert "hub_id: user/data" in card.text


def test_a_table_is_published_with_its_columns(pipeline, tmp_path):
    publish("texts", "--to", tmp_path)
    assert pl.read_parquet(tmp_path / "texts/texts.parquet")["text"].to_list() == ["a", "b"]
    card = DatasetCard.load(tmp_path / "texts/README.md")
    assert card.data.language == "ru"
    assert card.data.configs == [{"config_name": "default", "data_files": "texts.parquet"}]
    assert "2 rows of" in card.text
    assert "From user/data. Its queries are left out: its licence" in card.text
    assert "| place | Int64 |" in card.text


def test_a_table_of_the_made_corpus_is_published_with_its_queries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("corpus: {source: mini}\n")
    queries = {"query_id": ["q1", "q2"], "query": ["how deep", "how high"], "split": ["a", "b"]}
    pl.DataFrame(queries).write_parquet("queries.parquet")
    pl.DataFrame({"query_id": ["q2", "q1", "q2"], "place": [1, 2, 3]}).write_parquet(
        "texts.parquet"
    )
    texts = Artifact("texts", Path("texts.parquet"), "dataset", "It.", "en")
    write_table_of(replace(texts, queries=Path("queries.parquet")), tmp_path / "whole.parquet")
    whole = pl.read_parquet("whole.parquet")
    assert whole.columns == ["query_id", "place", "query"]
    assert whole["query"].to_list() == ["how high", "how deep", "how high"]
    write_table_of(texts, tmp_path / "alone.parquet")
    assert pl.read_parquet("alone.parquet").columns == ["query_id", "place"]


def test_all_artifacts_are_published_if_none_is_named(pipeline, tmp_path):
    publish("--to", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tuned", "texts"}
    with pytest.raises(InputError, match=r"tuned: is there already; remove it"):
        publish("--to", tmp_path)


def test_only_the_committed_run_is_published(pipeline, tmp_path):
    for path, message in (
        (Path("params.yaml"), "are not as in the last commit"),
        (Path("claims.yaml"), "are not as in the last commit"),
        (Path("report.yaml"), "are not as in the last commit"),
        (Path("data/model/config.json"), "data/model: not as dvc.lock has it; run `dvc repro`"),
    ):
        before = path.read_bytes() if path.exists() else None
        path.touch()
        path.chmod(0o644)
        path.write_bytes((before or b"") + b" ")
        try:
            with pytest.raises(InputError, match=message):
                publish("tuned", "--to", tmp_path)
        finally:
            path.unlink() if before is None else path.write_bytes(before)
    assert not list(tmp_path.iterdir())


def test_a_run_that_git_does_not_track_is_not_committed(pipeline, tmp_path, monkeypatch):
    # A user's git may be told to be silent about such files.
    for name, value in (("COUNT", "1"), ("KEY_0", "status.showUntrackedFiles"), ("VALUE_0", "no")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    path = pipeline / "metrics/score_tasks.json"
    path.write_text("{}")
    try:
        with pytest.raises(InputError, match=r"last commit \(git status: \?\? \S*score_tasks.json"):
            publish("tuned", "--to", tmp_path)
    finally:
        path.unlink()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tund", "--to", "x"], "tund: no artifact of dvc.yaml; did you mean tuned?"),
        (["--to", "hub:a/b"], "a repository holds one artifact; name one of tuned, texts"),
        (["tuned", "--to", "hub:a/b"], "HF_TOKEN is not set"),
        (["tuned", "--to", "hub:b"], "b: no name of the Hub's, like user/name (whose is it?)"),
        (["tuned", "--to", "hub:a/b c"], "a/b c: no name of the Hub's, like user/name"),
        (["tuned", "--to", "https://hub/a/b"], "neither a folder nor hub:USER/NAME; write it so"),
        (["tuned", "--to", "Hub:a/b"], "--to 'Hub:a/b': neither a folder nor hub:USER/NAME"),
        (["tuned", "--to", "s3://a/b"], "--to 's3://a/b': neither a folder nor hub:USER/NAME"),
        (["tuned", "--to", "hub"], "--to 'hub': neither a folder nor hub:USER/NAME"),
        (["tuned", "--to", ""], "--to '': neither a folder nor hub:USER/NAME"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_published_is_named(pipeline, monkeypatch, words, message):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(InputError) as error:
        publish(*words)
    assert message in str(error.value)


def test_an_artifact_without_what_a_card_needs_is_named(tmp_path):
    path = tmp_path / "dvc.yaml"
    entry = {"path": "data/x", "type": "modl", "desc": "It.", "meta": {"language": "en"}}
    path.write_text(yaml.safe_dump({"artifacts": {"a": entry}}))
    with pytest.raises(InputError, match=r"artifacts.a: type modl is none of model, dataset; did"):
        read_artifacts(path)
    path.write_text(yaml.safe_dump({"artifacts": {"a": entry | {"meta": {}}}}))
    with pytest.raises(InputError, match=r"artifacts.a: no language, as text under meta"):
        read_artifacts(path)
    path.write_text(yaml.safe_dump({"artifacts": ["a"]}))
    with pytest.raises(InputError, match=r"dvc.yaml: artifacts must be a mapping of names"):
        read_artifacts(path)
    path.write_text("")
    with pytest.raises(InputError, match=r"dvc.yaml: it is empty"):
        read_artifacts(path)


def test_a_model_goes_to_the_hub_as_it_would_to_a_folder(pipeline, tmp_path, monkeypatch):
    publish("tuned", "--to", tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving(Hub()) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        told = publish("tuned", "--to", "hub:user/model")
        assert f"tuned: {hub.address}/user/model/commit/" in told
        files = hub.repositories["models/user/model"]["c" * 40]
        there = (path for path in (tmp_path / "tuned").rglob("*") if path.is_file())
        written = {
            path.relative_to(tmp_path / "tuned").as_posix(): path.read_bytes() for path in there
        }
        written["README.md"] = written["README.md"].replace(b"FOLDER", b"user/model")
        assert b'from_pretrained("user/model")' in written["README.md"]
        assert {name: files[name] for name in files if name != ".gitattributes"} == written
        assert ("POST", "/api/validate-yaml", "") in hub.asked
        hub.faults.append(Fault("/commit/main", status=403, method="POST"))
        with pytest.raises(InputError, match=r"^user/texts: the Hub did not take it") as refused:
            publish("texts", "--to", "hub:user/texts")
        assert "hf_secret" not in f"{refused.value}{told}"
        with pytest.raises(InputError, match=r"^a/b/c: no name of the Hub's, like user/name"):
            publish("texts", "--to", "hub:a/b/c")
