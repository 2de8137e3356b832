"""Two runs of a pipeline on one page: what differs and what was changed, from git and DVC."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.report import beside
from genlab.report.page import render
from genlab.report.texts import render_texts
from tests.browser import chromium, opened  # noqa: F401
from tests.report.test_page import payload, payload_of, shorter  # noqa: F401
from tests.tiny_pipeline import enter, make_repository

OTHER = "claim-tiny-one"  # an experiment in which half of the units are a place worse


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("beside") / "project")


@pytest.fixture
def pages(repository, monkeypatch) -> dict:
    """Return the content of each revision's page, to be filled, in the pipeline's folder."""
    enter(repository, monkeypatch)
    served: dict = {}
    monkeypatch.setattr(beside, "read_bytes", lambda path, revision: served[revision])
    return served


@pytest.fixture
def reports(pages, payload, shorter):  # noqa: F811
    """Serve the page of one run as HEAD's, of the other as the workspace's; unrun's is no page."""
    pages |= {
        "HEAD": render_texts(payload).encode(),
        OTHER: render_texts(shorter).encode(),
        "unrun": b"\xff not a page",
        None: render_texts(shorter).encode(),
    }


def make(*arguments: str) -> Path:
    CliRunner().invoke(beside.app, list(arguments), catch_exceptions=False, standalone_mode=False)
    return Path("report/beside.html")


def test_a_revision_stands_beside_the_workspace(reports, chromium):  # noqa: F811
    with opened(chromium, make("HEAD"), "q=validation-1-dog") as shown:
        boxes = shown.locator(".pair strong").all_inner_texts()
        assert boxes == ["HEAD", "the workspace"]
        assert shown.locator("#list .at").all_inner_texts()[1] == "1 → 4"


def test_the_paired_difference_its_verdict_and_what_was_changed_stand_first(
    reports,
    chromium,  # noqa: F811
):
    """By hand: twenty of forty units are one place worse, 5.5 -> 6; the other judge sees none."""
    with opened(chromium, make("HEAD", OTHER)) as shown:
        first = shown.locator("main > section").first
        said = first.locator(".result").all_inner_texts()
        assert said[0].startswith(
            "strict: mean place is 5.500 in HEAD and 6.000 in claim-tiny-one: a difference of "
            "+0.500 [+0.3"
        )
        assert said[0].endswith(", worse.") and said[1] == "kind: mean place: identical."
        changed, differences = first.locator("table").all()
        assert changed.locator("tr").all_inner_texts() == [
            "param\tHEAD\tclaim-tiny-one",
            "rows.shift\t0\t1",
        ]
        cells = differences.locator("tr").nth(1).locator("th, td").all_inner_texts()
        assert cells[:5] == ["strict", "mean place", "5.500", "6.000", "+0.500"]
        assert cells[-1] == "worse"
        assert "strict, kind: 40 pairs by unit; none unpaired" in first.inner_text()


def test_a_pipeline_whose_reports_hold_no_texts_has_a_page_of_what_differs(
    pages,
    chromium,  # noqa: F811
):
    pages |= {"HEAD": b"<p>numbers", OTHER: b"<p>numbers"}
    with opened(chromium, make("HEAD", OTHER)) as shown:
        assert shown.locator("h1").inner_text() == f"{Path.cwd().name}: two runs"
        assert shown.locator("#compared .result").count() == 2
        assert shown.locator("#browser, script").count() == 0


def test_three_texts_that_report_yaml_names_stand_beside_each_other(pages, chromium):  # noqa: F811
    """By hand: half of the units lose a place, so the order is the other half first."""
    pages |= {"HEAD": b"<p>numbers", OTHER: b"<p>numbers"}
    asked = {"metric": "mean_place", "text": "judge", "where": {"judge": "strict"}}
    Path("report.yaml").write_text(
        yaml.safe_dump({"examples": asked | {"asked": {"among five": "good"}, "note": "Judges."}})
    )
    try:
        with opened(chromium, make("HEAD", OTHER)) as shown:
            cards = shown.locator("#pairs .card")
            assert cards.locator("h3").all_inner_texts() == ["u24", "u00", "u15"]
            numbers = cards.locator("h3 + .note").all_inner_texts()
            assert numbers[:2] == [
                "mean place 5 and 5 (lower is better)",
                "mean place 1 and 2 (lower is better)",
            ]
            assert cards.first.locator(".pair strong").all_inner_texts() == ["HEAD", OTHER]
            assert cards.first.locator(".pair .text").all_inner_texts() == ["strict", "strict"]
            assert cards.first.locator(".asked").inner_text() == "among five 1"
            assert shown.locator("#pairs > .note").inner_text().startswith("Judges. A tenth")
        Path("report.yaml").write_text(yaml.safe_dump({"examples": asked | {"text": "words"}}))
        page = make("HEAD", OTHER).read_text(encoding="utf-8")
        assert "No texts: report.yaml: examples: no column words" in page
    finally:
        Path("report.yaml").unlink()


def test_two_equal_runs_have_no_changed_param_and_no_difference(pages):
    pages["HEAD"] = b"<p>numbers"
    page = make("HEAD", "HEAD").read_text(encoding="utf-8")
    assert "No param was changed." in page and "identical" in page and "worse" not in page


def test_a_param_keeps_the_name_by_which_it_is_typed():
    compared = beside.Compared(
        names=("a_b", "c"),
        result=[],
        changed=[["param", "a_b", "c"], ["gen.max_len", "1_0", "2"]],
        differences=[["metric", "diff"], ["mean_place", "1"]],
        notes=[],
        legend=[],
    )
    page = render("beside.html", title="t", compared=compared, pairs=[], pairs_note="")
    assert "gen.max_len" in page and "1_0" in page and "mean place" in page


def test_two_revisions_can_be_named(reports, chromium):  # noqa: F811
    with opened(chromium, make("HEAD", "HEAD", "--output", "report/beside.html")) as shown:
        ats = shown.locator("#list .at").all_inner_texts()
        assert ats == ["2.5 → 2.5", "1 → 1", "4 → 4"]


def test_a_revision_whose_report_is_no_page_is_an_error_that_names_it(reports):
    Path("report/beside.html").unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"^report/index.html of unrun: no report"):
        make("unrun")
    assert not Path("report/beside.html").exists()
