"""genlab report: the page of a pipeline of any kind, made from its dvc.yaml alone."""

import json
import re
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from genlab.report import pipeline
from genlab.report.charts import read_plots
from genlab.report.findings import find_findings
from genlab.report.opening import read_opening, say_headline
from genlab.report.page import claims_table, number_tables, with_intervals
from stages import report
from tests.project_copy import ROOT

PIPELINES = [ROOT / "dvc.yaml", *sorted(ROOT.glob("pipelines/*/dvc.yaml"))]
DVC_YAML = """\
# Does it work <at all>? Every value is in params.yaml.

stages:
  score:
    cmd: "true"
    outs:
    - metrics/counts.json:
        cache: false
    - metrics/score_details.json:
        cache: false
    metrics:
    - metrics/score.json:
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
def make_page(tmp_path, monkeypatch):
    """Return a function that writes the page of the pipeline of one stage that lies here."""
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

    def make() -> str:
        words = ["report/index.html", "--receipt", "metrics/receipt.json"]
        words += ["--plots_library", "report/vega.js"]
        runner = CliRunner()
        result = runner.invoke(pipeline.app, words, catch_exceptions=False, standalone_mode=False)
        sys.stderr.write(result.stderr)
        return Path("report/index.html").read_text(encoding="utf-8")

    return make


@pytest.fixture
def page(make_page) -> str:
    return make_page()


def test_the_page_has_the_question_the_numbers_and_every_plot_of_dvc_yaml(page):
    assert "<p>Does it work &lt;at all&gt;?</p>" in page
    assert "2.000 [1.500, 2.500]" in page
    assert page.index("Numbers") < page.index("<h3>reward</h3>")
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


def test_what_an_arm_of_another_name_has_left_is_not_in_the_receipt(make_page):
    content = yaml.safe_load(DVC_YAML)
    train = {"foreach": "${arms}", "do": {"cmd": "true", "outs": ["data/train/${key}"]}}
    content["stages"]["train"] = train
    Path("dvc.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    Path("params.yaml").write_text("arms: {main: {}}", encoding="utf-8")
    Path("data/train").mkdir()
    Path("data/train/main").touch()
    make_page()
    before = Path("metrics/receipt.json").read_bytes()
    Path("data/train/renamed_since").touch()
    make_page()
    assert Path("metrics/receipt.json").read_bytes() == before


def test_a_plot_added_to_dvc_yaml_is_on_the_page_without_any_code(page, make_page):
    assert page.count("<svg") == 1
    plot = {"x": "words", "y": {"metrics/novel.json": "hue"}, "template": "by_arm"}
    content = yaml.safe_load(DVC_YAML)
    content["plots"].append({"novelty": plot})
    Path("dvc.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    rows = [{"arm": "a", "words": n, "hue": n} for n in (1, 2)]
    Path("metrics/novel.json").write_text(json.dumps(rows), encoding="utf-8")
    added = make_page()
    assert added.count("<svg") == 2 and "<h3>novelty</h3>" in added


def test_a_chart_is_an_image_that_says_what_it_shows_and_hides_its_parts(page):
    said = "reward. reward against step. rises from 1 at 1 to 2 at 2."
    assert f'<div role="img" aria-label="{said}"><div aria-hidden="true"><svg' in page


def test_every_table_can_be_reached_and_scrolled_by_keyboard(page):
    assert page.count("<table>") == page.count(
        '<div class="wide" role="group" tabindex="0" aria-label='
    )


def test_a_plot_file_that_is_missing_is_one_line_and_the_page_is_made(make_page, capsys):
    Path("metrics/curve.json").unlink()
    assert "<svg" not in make_page()
    line = "metrics/curve.json: no such file, so plot reward lacks it; run `dvc repro`\n"
    assert capsys.readouterr().err == line


def test_settled_claims_are_shown_in_their_words_escaped(page, make_page):
    assert '<section id="claims"' not in page  # there are none
    found = {"difference": 0.5, "low": 0.25, "high": 0.75, "n": 9, "verdict": "supported"}
    settled = {"arms": {}, "claims": {"longer": {"": found}, "gone": {"": found}}}
    Path("metrics/claims.json").write_text(json.dumps(settled), encoding="utf-8")
    longer = {"claim": "<i>Longer</i> texts please", "a": "x", "b": "y", "expect": "higher"}
    asked = {"claims": {"longer": longer | {"metric": "reward"}}}
    Path("claims.yaml").write_text(CLAIMS + yaml.safe_dump(asked), encoding="utf-8")
    shown = make_page()
    assert "&lt;i&gt;Longer&lt;/i&gt; texts please" in shown and "<i>" not in shown
    assert shown.count("supported: 0.500 [0.250, 0.750]") == 2


def test_claims_that_were_settled_on_other_runs_say_so_above_their_table(make_page):
    """md5 of "mine", by md5sum."""
    found = {"difference": 0.5, "low": 0.25, "high": 0.75, "n": 9, "verdict": "supported"}
    md5 = {"17": "918b81db5e91d031548b963c93845e5b", "18": "0"}
    rows = {"main": {"path": "data/rows.txt", "where": {}, "md5": md5}}
    settled = {"arms": {}, "claims": {"longer": {"": found}}, "rows": rows}
    Path("metrics/claims.json").write_text(json.dumps(settled), encoding="utf-8")
    head = CLAIMS.replace("data/score.parquet", "data/rows.txt")
    Path("claims.yaml").write_text(head + "claims: {}\n", encoding="utf-8")
    page = make_page()
    said = page.index("not of this one, whose data/rows.txt is another")
    assert page.index('<section id="claims"') < said < page.index("supported: 0.500")
    assert "<details><summary><h3>These are of the committed runs" in page  # a user's come first
    Path("data/rows.txt").write_text("mine", encoding="utf-8")
    assert "not of this one" not in make_page()


SAID = """
about: {length: "{params.gen.max_len} new tokens"}
headline:
- "Before {score.before.reward:1}, after {score.after.reward:1}."
- {when: score.never.reward, say: "Never {score.never.reward}."}
- {unless: score.never.reward, say: "There was no third arm."}
examples: {metric: reward, asked: {asked: prompt}, note: By reward.}
numbers: {score: The rewards., counts: How many.}
"""
CLAIMS = """
rows:
  path: data/score.parquet
  unit: text_id
  metrics: {reward: {column: reward, better: higher}}
"""


def test_a_page_begins_as_report_yaml_says_and_is_in_order(page, make_page):
    assert '<section id="result"' not in page and '<section id="examples"' not in page
    Path("report.yaml").write_text(SAID, encoding="utf-8")
    Path("claims.yaml").write_text(CLAIMS + "claims: {}\n", encoding="utf-8")
    Path("params.yaml").write_text("gen: {max_len: 30}\n", encoding="utf-8")
    rows = [(f"t{i:02}", i / 10, f"text <{i}>", f"ask {i}") for i in range(11)]
    columns = ["text_id", "reward", "text", "prompt"]
    pl.DataFrame(rows, columns, orient="row").write_parquet("data/score.parquet")
    found = {"difference": 0.5, "low": 0.25, "high": 0.75, "verdict": "supported"}
    Path("metrics/claims.json").write_text(json.dumps({"claims": {"c": {"": found}}}), "utf-8")
    order = [
        "30 new tokens",
        "outside of git",
        "<summary>All params",
        "Before 1.0, after 2.0 [1.5, 2.5].",
        "There was no third arm.",
        "By reward. A tenth",
        *("reward 0.9 (higher is better)", "ask 9", "our text</span>", "text &lt;9&gt;"),
        *("reward 0.5 (higher is better)", "ask 5", "text &lt;5&gt;"),
        *("reward 0.1 (higher is better)", "ask 1", "text &lt;1&gt;"),
        "supported: 0.500",
        "The rewards.",
        "How many.",
        "<svg",
    ]
    said = make_page()
    at = [said.index(part) for part in order]
    assert at == sorted(at)
    assert "Never" not in said


def test_the_head_says_what_was_fetched_not_what_was_asked_for(make_page):
    Path("metrics/fetch").mkdir()
    Path("metrics/fetch/corpus.json").write_text('{"texts": 56}', encoding="utf-8")
    Path("report.yaml").write_text('about: {corpus: "{fetch.corpus.texts} texts"}', "utf-8")
    assert "</span> 56 texts" in make_page()


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: p.parts[-2])
def test_no_head_counts_by_params(path):
    """A corpus may have fewer than params.yaml asks for."""
    about = yaml.safe_load(path.with_name("report.yaml").read_text(encoding="utf-8"))["about"]
    assert re.findall(r"{params\.(?:corpus|crawl)\.n_\w+}", str(about)) == []


def test_every_number_of_the_probe_is_explained():
    note = read_opening(ROOT / "report.yaml").numbers["probe"].lower()
    probe = json.loads((ROOT / "metrics/probe.json").read_text(encoding="utf-8"))
    rows = {name.replace("_", " ") for group in probe.values() for name in group}
    assert rows and [name for name in sorted(rows) if f"{name}:" not in note] == []


def test_every_share_of_the_audit_is_explained_and_none_is_called_as_the_heads():
    """The head counts texts that repeat their whole query, the audit lines that read like one."""
    note = read_opening(ROOT / "report.yaml").numbers["audit"].lower()
    audit = json.loads((ROOT / "metrics/audit.json").read_text(encoding="utf-8"))
    rows = {
        name for group in audit.values() for name in group if name.endswith(("_rate", "_share"))
    }
    own = {name.removeprefix("forced_") for name in rows} - {"finished_rate"}  # "end by themselves"
    assert {"holds_query_rate", "best_prefix_shorter_rate", "unread_share"} <= own
    assert [name for name in sorted(own) if f"{name.replace('_', ' ')}:" not in note] == []
    head = (ROOT / "genlab/report/page_files/page.js").read_text(encoding="utf-8")
    assert "repeat their whole query" in head and "hold their query" not in head


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: p.parts[-2])
def test_every_group_of_numbers_of_a_page_is_explained_and_a_result_is_said(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    opening = read_opening(Path("report.yaml"))
    assert {"corpus", "model", "training", "length"} <= opening.about.keys()
    assert opening.headline and opening.examples
    shown = set(report.NUMBERS) | {"ceiling"}
    if path.parent != ROOT:
        shown = set(pipeline.names_of_numbers(path))
    assert shown == opening.numbers.keys()


@pytest.mark.parametrize("path", PIPELINES[1:], ids=lambda p: p.parts[-2])
def test_a_result_is_said_of_every_arm_however_often_it_was_trained(path, monkeypatch):
    """The committed run has arms of one training and, some of them, of several."""
    monkeypatch.chdir(path.parent)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    opening, said = read_opening(Path("report.yaml")), {}
    names = [*pipeline.names_of_numbers(Path("dvc.yaml")), "score_details"]
    values = pipeline.read_metrics(Path("metrics"), names)
    values["fetch"] = pipeline.read_fetched(Path("metrics"))
    for arm in params.get("arms", [None]):
        score = params.get("score", {}) | ({"arm": arm} if arm else {})
        said[arm] = say_headline(opening, values | {"params": params | {"score": score}})
    assert said and any(said.values())


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: p.parts[-2])
def test_every_plot_of_ours_has_a_finding_of_its_numbers(path):
    findings = find_findings(path)
    assert findings.keys() == {plot.title for plot in read_plots(path)}
    assert all(
        re.search(r"\d.* at \S|stand first, chance|trainings from \S", said)
        for said in findings.values()
    )


def test_a_claim_that_was_not_run_in_a_group_says_so():
    found = {"difference": -1.0, "low": -2.0, "high": -0.5, "verdict": "contradicted"}
    assert claims_table({"a": {"17": found}, "b": {"18": found}}, {}, {}) == [
        ["claim", "17", "18"],
        ["a", "contradicted: -1.000 [-2.000, -0.500]", "not run"],
        ["b", "not run", "contradicted: -1.000 [-2.000, -0.500]"],
    ]


def test_a_small_ranker_in_anothers_place_is_called_so_above_the_claims():
    found = {"difference": -1.0, "low": -2.0, "high": -0.5, "verdict": "contradicted"}
    rankers = {"labse": {"source": "mini", "kind": "x"}, "use": {"source": "hub"}}
    groups = dict.fromkeys(("labse", "use", "bm25"), found)
    header, _ = claims_table({"a": groups}, {}, rankers)
    assert header == ["claim", "labse (mini)", "use", "bm25"]


def test_a_score_has_the_interval_of_the_details_wherever_that_lies():
    one, two = ({"value": 0.5, "low": low, "high": 0.9} for low in (0.1, 0.2))
    scores = {"full": {"recall": 0.5, "error": 2.0}}
    # Under its group's name rather than another's of the same value.
    details = {"study": {"full": {"macro": {"recall": one}}, "lora": {"macro": {"recall": two}}}}
    assert with_intervals(scores, details) == {"full": {"recall": one, "error": 2.0}}
    # The group bears another name in the details, where one has this value.
    assert with_intervals(scores, {"main": {"recall": {"seeds": one}}})["full"]["recall"] == one


def test_of_several_intervals_that_lies_where_those_beside_it_lie_is_the_scores():
    def of(value, low):
        return {"value": value, "low": low, "high": 0.9}

    scores = {"full": {"new_topic": 0.5, "sentiment": 0.7, "error_short": 0.3}}
    details = {
        "in_words": {"full": {"new_topic": of(0.5, 0.1), "sentiment": of(0.7, 0.2)}},
        "by_prefix": {"full": {"new_topic": of(0.5, 0.3), "sentiment": of(0.6, 0.4)}},
        "full": {"short": {"error": of(0.3, 0.1)}},
    }
    found = with_intervals(scores, details)["full"]
    assert found["new_topic"] == of(0.5, 0.1)  # sentiment's 0.7 is found in words alone
    assert found["error_short"] == of(0.3, 0.1)


def test_a_score_has_no_interval_of_another_number():
    one, two = ({"value": 0.5, "low": low, "high": 0.9} for low in (0.1, 0.2))
    scores = {"full": {"recall": 0.5}}
    assert with_intervals(scores, {"a": {"recall": one}, "b": {"recall": two}}) == scores
    assert with_intervals(scores, {"full": {"error": one}}) == scores
    assert with_intervals(scores, {"full": {"recall": one | {"value": 0.6}}}) == scores


@pytest.mark.parametrize(
    "path",
    sorted([ROOT / "dvc.yaml", *ROOT.glob("pipelines/*/dvc.yaml")]),
    ids=lambda p: p.parts[-2],
)
def test_a_report_depends_on_every_metrics_file_that_it_shows(path, monkeypatch):
    """Or the page would stay old when only numbers change."""
    monkeypatch.chdir(path.parent)
    stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    deps = {dep for dep in stages["report"]["deps"] if dep.startswith("metrics/")}
    shown = {name for plot in read_plots(path) for name in plot.y} | {"metrics/score_details.json"}
    said = path.with_name("report.yaml").read_text(encoding="utf-8")
    shown |= {f"metrics/fetch/{name}.json" for name in re.findall(r"{fetch\.(\w+)\.", said)}
    if "genlab report" in stages["report"]["cmd"]:
        shown |= {f"metrics/{name}.json" for name in pipeline.names_of_numbers(path)}
        assert deps == shown
    else:  # the flagship's page knows its own numbers
        assert deps >= shown


def test_numbers_outside_a_group_are_a_column_of_their_own():
    assert number_tables({"n": 3, "rate": 0.5}) == [[["", "value"], ["n", "3"], ["rate", "0.500"]]]


def test_what_is_no_number_is_shown_as_it_is():
    table = [["", "value"], ["model", "gpt2"], ["none", "-"]]
    assert number_tables({"model": "gpt2", "none": None}) == [table]
