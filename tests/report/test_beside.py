"""Two runs of a pipeline on one page, read from git and DVC's cache."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.report import beside
from genlab.report.texts import render_texts
from tests.browser import chromium, opened  # noqa: F401
from tests.report.test_page import payload, payload_of, shorter  # noqa: F401


@pytest.fixture
def reports(monkeypatch, tmp_path, payload, shorter):  # noqa: F811
    """Serve the page of one run as revision v1, of the other as the workspace's; v0 is no page."""
    pages = {
        "v1": render_texts(payload).encode(),
        "v0": b"\xff not a page",
        None: render_texts(shorter).encode(),
    }
    monkeypatch.setattr(beside, "read_bytes", lambda path, revision: pages[revision])
    monkeypatch.chdir(tmp_path)


def make(*arguments: str) -> Path:
    CliRunner().invoke(beside.app, list(arguments), catch_exceptions=False, standalone_mode=False)
    return Path("report/beside.html")


def test_a_revision_stands_beside_the_workspace(reports, chromium):  # noqa: F811
    with opened(chromium, make("v1"), "q=validation-1-dog") as shown:
        boxes = shown.locator(".pair strong").all_inner_texts()
        assert boxes == ["v1", "the workspace"]
        assert shown.locator("#list .at").all_inner_texts()[1] == "1 → 4"


def test_two_revisions_can_be_named(reports, chromium):  # noqa: F811
    with opened(chromium, make("v1", "v1", "--output", "report/beside.html")) as shown:
        ats = shown.locator("#list .at").all_inner_texts()
        assert ats == ["2.5 → 2.5", "1 → 1", "4 → 4"]


def test_a_revision_whose_report_is_no_page_is_an_error_that_names_it(reports):
    with pytest.raises(InputError, match=r"^report/index.html of v0: no report"):
        make("v0")
    assert not Path("report/beside.html").exists()
