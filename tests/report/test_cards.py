"""What a card says, and what of a dvc.yaml or of numbers it cannot be made from."""

import pytest
import yaml

from genlab.report.cards import Made, pipeline_parts


def test_a_card_tells_a_path_of_the_users_by_its_last_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("# Is it so?\n")
    params = {
        "corpus": {"source": "file", "path": "/home/alice/patients_2024/letters.jsonl"},
        "rl": {"texts_path": "/home/alice/plain.txt", "templates": "/home/alice/templates"},
        "rankers": {"mine": {"path": "data/dedup.parquet"}},
        "sweeps": [{"path": "/home/alice/a.jsonl"}, "/"],
    }
    *_, told = pipeline_parts(params, {}, Made("abc1234", "2024-05-01"))
    assert yaml.safe_load(told.removeprefix("```yaml\n").removesuffix("```")) == {
        "corpus": {"source": "file", "path": "letters.jsonl"},
        "rl": {"texts_path": "plain.txt", "templates": "templates"},
        "rankers": {"mine": {"path": "data/dedup.parquet"}},
        "sweeps": [{"path": "a.jsonl"}, "/"],
    }
