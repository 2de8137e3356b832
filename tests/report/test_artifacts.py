"""Which artifacts a dvc.yaml lists, and what each scored."""

import json
from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.report.artifacts import Artifact, read_artifacts, read_scores


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


def test_one_of_several_trainings_has_the_scores_of_that_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("{}")
    Path("metrics").mkdir()
    one, all_of_them = ({"value": x, "low": x, "high": x} for x in (0.25, 0.5))
    details = {"arms": {"rl": {"truth": {"prompts": one, "seeds": all_of_them}}}}
    Path("metrics/score.json").write_text('{"rl": {"truth": 0.5}}')
    Path("metrics/score_details.json").write_text(json.dumps(details))
    artifact = Artifact(
        "a", Path("data/a"), "model", "It.", "en", scores=("arms.rl",), one_of="prompts"
    )
    assert read_scores(artifact) == {"rl": {"truth": one}}
