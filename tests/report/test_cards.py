"""What a card says, and what of a dvc.yaml or of numbers it cannot be made from."""

from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.report.artifacts import Artifact
from genlab.report.cards import (
    Made,
    eval_results,
    hub_id,
    model_card,
    pipeline_parts,
    tell_origin,
    without_folders,
)
from genlab.report.pipeline import read_claims


def test_a_card_tells_a_path_of_the_users_by_its_last_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("# Is it so?\n")
    params = {
        "corpus": {"source": "file", "path": "/home/alice/patients_2024/letters.jsonl"},
        "rl": {"texts_path": "/home/alice/plain.txt", "templates": "/home/alice/templates"},
        "rankers": {"mine": {"path": "data/dedup.parquet"}},
        "sweeps": [{"path": "../../alice/a.jsonl"}, "/"],
        "store": "postgresql://alice:secret@host/runs",
    }
    *_, told = pipeline_parts(params, {}, Made("abc1234", "2024-05-01"))
    assert yaml.safe_load(told.removeprefix("```yaml\n").removesuffix("```")) == {
        "corpus": {"source": "file", "path": "letters.jsonl"},
        "rl": {"texts_path": "plain.txt", "templates": "templates"},
        "rankers": {"mine": {"path": "data/dedup.parquet"}},
        "sweeps": [{"path": "a.jsonl"}, "/"],
        "store": "postgresql://...",
    }


@pytest.mark.parametrize("text", ["x: [", "[1]"])
def test_a_broken_claims_file_is_named(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("# Is it so?\n")
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(InputError, match=r"^claims.yaml: "):
        pipeline_parts({}, {}, Made("abc1234", "2024-05-01"))
    with pytest.raises(InputError, match=r"^claims.yaml: "):
        read_claims({"claims": {"a": {}}}, {})


def test_a_score_that_is_null_is_left_out_of_the_leaderboards():
    artifact = Artifact("a", Path("data/a"), "model", "It.", "en")
    results = eval_results({"a": {"share": 0.5, "perplexity": None}}, artifact, "mine")
    assert [(each.metric_name, each.metric_value) for each in results] == [("a share", 0.5)]


def test_a_local_folder_is_no_repository_of_the_hub(tmp_path, monkeypatch):
    group = {"source": "file", "path": "/home/alice/gpt2"}
    assert (hub_id(group), tell_origin(group)) == (None, "a local folder")
    assert hub_id({"source": "hub", "hub_id": "user/data"}) == "user/data"
    assert tell_origin({"source": "mini"}) == "mini"
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("# Is it so?\n")
    Path("params.yaml").write_text(yaml.safe_dump({"base": group, "corpus": group}))
    Path("metrics").mkdir()
    Path("metrics/score.json").write_text('{"share": 0.5}')
    made = Made("abc1234", "2024-05-01")
    card = model_card(Artifact("a", Path("data/a"), "model", "It", "en"), "small", made, "FOLDER")
    metadata, text = card.removeprefix("---\n").split("\n---\n", 1)
    assert not {"base_model", "datasets"} & yaml.safe_load(metadata).keys()
    assert yaml.safe_load(metadata)["license"] == "other"
    assert "It. Its base is a local folder; the licence of that" in text


def test_a_public_address_of_a_model_is_whole_and_one_with_a_secret_is_not():
    params = {
        "use": {"hub_id": "https://tfhub.dev/google/universal-sentence-encoder/4"},
        "own": {"hub_id": "https://alice:secret@host/model"},
        "signed": {"hub_id": "https://host/model?token=secret"},
    }
    told = without_folders(params)
    assert told["use"] == params["use"]
    assert told["own"] == told["signed"] == {"hub_id": "https://..."}
