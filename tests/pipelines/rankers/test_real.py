"""The record's program: whose files it wants, and what it keeps of a run."""

import json

import pytest

from genlab.core.program import InputError
from pipelines.rankers import real

PARAMS = """\
collections:
  wiki:
    path: DATA/wiki # it stays
rankers:
  small:
    path: DATA/small
  bm25:
    path: none
"""


def test_the_folders_name_is_put_in_and_what_it_lacks_is_named(tmp_path):
    (tmp_path / "wiki").mkdir()
    with pytest.raises(InputError, match=r"small: no such file or folder; record/params\.yaml"):
        real.fill_params(PARAMS, tmp_path)
    (tmp_path / "small").mkdir()
    filled = real.fill_params(PARAMS, tmp_path)
    assert f"path: {tmp_path}/wiki # it stays" in filled and "path: none" in filled
    assert "DATA" not in filled


def test_the_record_is_the_runs_numbers_without_rows_or_the_machines_paths(tmp_path, monkeypatch):
    record = tmp_path / "record"
    monkeypatch.setattr(real, "RECORD", record)
    record.mkdir()
    (record / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (record / "old.json").write_text("{}", encoding="utf-8")
    run = tmp_path / "run"
    outs = "['metrics/fetch/${key}_manifest.json', 'data/${key}']"
    for name, text in {
        "dvc.yaml": f"stages: {{fetch: {{foreach: '${{rankers}}', do: {{cmd: c, outs: {outs}}}}}}}",
        "params.yaml": PARAMS,
        "metrics/score.json": '{"mrr": 1}',
        "metrics/fetch/small_manifest.json": '{"asset": "/disk/data/small"}',
        "metrics/fetch/renamed_since_manifest.json": '{"asset": "/disk/data/large"}',
        "metrics/rows.parquet": "rows",
        "report/speed/small.json": '{"wiki": {"seconds": 2}}',
        "report/speed/renamed_since.json": '{"wiki": {"seconds": 1}}',
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text, encoding="utf-8")
    real.keep(run, "/disk/data")
    kept = {path.relative_to(record).as_posix() for path in record.rglob("*") if path.is_file()}
    assert kept == {"params.yaml", "score.json", "fetch/small_manifest.json", "speed.json"}
    assert json.loads((record / "fetch/small_manifest.json").read_text()) == {"asset": "DATA/small"}
    assert json.loads((record / "speed.json").read_text()) == {"small": {"wiki": {"seconds": 2}}}
    assert (record / "params.yaml").read_text(encoding="utf-8") == PARAMS


def test_the_page_is_written_again_with_the_claims_and_its_place_is_said(
    tmp_path, monkeypatch, capsys
):
    record, folder = tmp_path / "record", tmp_path / "clone" / real.FOLDER
    for path in (record, folder):
        path.mkdir(parents=True)
    (record / "params.yaml").write_text("rankers: {}\n", encoding="utf-8")
    (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    monkeypatch.setattr(real, "RECORD", record)
    monkeypatch.setattr(real, "CLONE", tmp_path / "clone")
    called: list[str] = []
    monkeypatch.setattr(real, "copy_head", lambda: None)
    monkeypatch.setattr(real, "call", lambda folder, *words: called.append(" ".join(words[1:])))
    real.main(tmp_path)
    assert called[-2:] == ["-m genlab claims run", "-m dvc repro -f -s report"]
    assert f"the page is {folder}/report/index.html" in capsys.readouterr().out
