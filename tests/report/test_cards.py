"""What a card says, and what of a dvc.yaml or of numbers it cannot be made from."""

from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.report.cards import Artifact, Made, eval_results, pipeline_parts, read_artifacts


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


@pytest.mark.parametrize("scores", ["answers.sft", None, [1]])
def test_scores_that_are_no_list_of_names_are_named(tmp_path, scores):
    path = tmp_path / "dvc.yaml"
    meta = {"language": "en", "scores": scores}
    entry = {"path": "data/x", "type": "model", "desc": "It.", "meta": meta}
    path.write_text(yaml.safe_dump({"artifacts": {"a": entry}}))
    with pytest.raises(InputError, match=r"dvc.yaml: artifacts.a: meta.scores is .*; give a list"):
        read_artifacts(path)
    meta["scores"] = ["answers.sft"]
    path.write_text(yaml.safe_dump({"artifacts": {"a": entry}}))
    assert read_artifacts(path)["a"].scores == ("answers.sft",)


def test_a_score_that_is_null_is_left_out_of_the_leaderboards():
    artifact = Artifact("a", Path("data/a"), "model", "It.", "en")
    results = eval_results({"a": {"share": 0.5, "perplexity": None}}, artifact, "mine")
    assert [(each.metric_name, each.metric_value) for each in results] == [("a share", 0.5)]
