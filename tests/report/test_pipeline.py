"""genlab report: the page of a pipeline of any kind, made from its dvc.yaml alone."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlab.report import pipeline
from genlab.report.page import number_tables
from tests.project_copy import ROOT

DVC_YAML = """\
# Does it work <at all>? Every value is in params.yaml.

stages:
  score:
    cmd: "true"
    metrics:
    - metrics/score.json:
        cache: false
    - metrics/counts.json:
        cache: false
plots:
- reward:
    x: step
    y:
      metrics/curve.json: reward
    template: by_arm
"""
NUMBERS = {"before": {"reward": 1.0}, "after": {"reward": {"value": 2, "low": 1.5, "high": 2.5}}}


@pytest.fixture
def page(tmp_path, monkeypatch) -> str:
    """Return the page of a pipeline of one stage, run in its folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("metrics", "data"):
        (tmp_path / folder).mkdir()
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    Path("dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    Path("params.yaml").write_text("gen:\n  seed: 3\n", encoding="utf-8")
    Path("data/rows.txt").write_text("rows", encoding="utf-8")
    Path("data/check.txt").write_text("ok", encoding="utf-8")
    Path("metrics/score.json").write_text(json.dumps(NUMBERS), encoding="utf-8")
    Path("metrics/counts.json").write_text(json.dumps({"texts": 7}), encoding="utf-8")
    rows = [{"arm": "<b>one", "step": step, "reward": step} for step in (1, 2)]
    Path("metrics/curve.json").write_text(json.dumps(rows), encoding="utf-8")
    words = ["report/index.html", "--receipt", "metrics/receipt.json"]
    words += ["--plots_library", "report/vega.js"]
    CliRunner().invoke(pipeline.app, words, catch_exceptions=False, standalone_mode=False)
    return Path("report/index.html").read_text(encoding="utf-8")


def test_the_page_has_the_question_the_numbers_and_every_plot_of_dvc_yaml(page):
    assert "<p>Does it work &lt;at all&gt;?</p>" in page
    assert "2.000 [1.500, 2.500]" in page
    assert page.index("Numbers") < page.index("<h3>reward</h3>") < page.index("More numbers")
    assert page.count("<svg") == 1
    assert "gen:\n  seed: 3" in page


def test_nothing_from_outside_becomes_markup_and_no_script_may_run(page):
    assert "<b>one" not in page
    assert "script-src &#39;none&#39;" in page and "<script" not in page


def test_the_receipt_names_the_data_and_the_plots_library_lies_beside(page):
    receipt = json.loads(Path("metrics/receipt.json").read_text())
    assert list(receipt["data"]) == ["data/rows.txt"]
    assert receipt["params"]["seeds"] == {"gen.seed": 3}
    assert Path("report/vega.js").stat().st_size > 100_000


def test_numbers_outside_a_group_are_a_column_of_their_own():
    assert number_tables({"n": 3, "rate": 0.5}) == [[["", "value"], ["n", "3"], ["rate", "0.500"]]]
