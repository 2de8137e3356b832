"""What a card says, and what of a dvc.yaml or of numbers it cannot be made from."""

import json
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
from tests.wrong_shapes import misshapen


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


NUMBERS = {"value": 0.5, "low": 0.25, "high": 0.75}
FOUND = {"verdict": "supported", "difference": 0.5, "low": 0.25, "high": 0.75}
MISSHAPEN = {
    "score": {"tuned": {"share": 0.5, "n": 4}, "real": {"share": 0.75}},
    "score_details": {"tuned": {"share": NUMBERS}},
    "claims": {"claims": {"more": {"": FOUND, "b": FOUND | {"why": "A word."}}}},
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_metrics_of_any_wrong_shape_are_one_line_that_names_the_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("# Is it so?\n")
    (tmp_path / "params.yaml").write_text("base: {source: mini}\n")
    (tmp_path / "metrics").mkdir()
    for each, content in MISSHAPEN.items():
        (tmp_path / f"metrics/{each}.json").write_text(json.dumps(content))
    artifact = Artifact("a", Path("data/a"), "model", "It.", "en", scores=("tuned",))
    made, path, n_refused = Made("abc1234", "2024-05-01"), Path(f"metrics/{name}.json"), 0
    assert "supported" in model_card(artifact, "small", made, "a")
    for words, content in misshapen(MISSHAPEN[name]):
        path.write_text(json.dumps(content))
        try:
            model_card(artifact, "small", made, "a")
        except InputError as error:
            n_refused += 1
            assert path.stem in str(error) and "\n" not in str(error), words
        except Exception as error:
            pytest.fail(f"{words}: {error!r}")
    assert n_refused > 10


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
