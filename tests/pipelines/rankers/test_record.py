"""The committed record as it is published: every number of the card is one of the record's."""

import json
import re

from genlab.report.artifacts import read_artifacts
from genlab.report.record_cards import copy_record, record_card
from tests.project_copy import ROOT

PIPELINE = ROOT / "pipelines/rankers"


def test_the_record_is_published_whole_with_the_checksums_of_models_and_data(tmp_path, monkeypatch):
    monkeypatch.chdir(PIPELINE)
    copy_record(tmp_path / "out")
    names = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")
    }
    artifact = read_artifacts(PIPELINE / "dvc.yaml")["record"]
    card = record_card(artifact, "rankers")
    for name in names:
        assert f"| {name} |" in card or (tmp_path / "out" / name).is_dir(), name
    for path in PIPELINE.glob("record/fetch/*/*_manifest.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        for facts in (told.get("made_from") or told["files"]).values():
            assert facts["sha256"] in card
    assert "DATA" not in re.sub(r"path: DATA/\S+", "", card)
    judges = json.loads((PIPELINE / "record/score.json").read_text(encoding="utf-8"))
    for judge, numbers in judges.items():
        assert judge in card and f"{numbers['mrr']:.3f} [" in card
