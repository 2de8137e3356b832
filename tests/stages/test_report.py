"""The report stage: its three files, from whatever metrics a run has; and plots without network."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.seeds import order_of
from genlab.report.examples import pick_examples
from genlab.report.texts import read_payload
from genlab.report.written import tell_written
from stages import report
from tests.browser import chromium, opened  # noqa: F401
from tests.project_copy import ROOT, dvc
from tests.tiny_report import PIPELINE, write_run
from tests.wrong_shapes import misshapen

WRITTEN = ["report/index.html", "report/vega.js", "metrics/receipt.json"]
WRITTEN += ["metrics/examples.json", "metrics/places.svg"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the stage in a folder of its own and returns what it wrote."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path)

    def run_stage(n_queries: int = 0) -> dict[str, bytes]:
        arguments = ["data/dedup.parquet", "data/candidates", "data/score.parquet", "metrics"]
        arguments += ["params.yaml", "report/index.html", "--receipt", "metrics/receipt.json"]
        arguments += ["--examples", "metrics/examples.json", "--picture", "metrics/places.svg"]
        arguments += ["--plots_library", "report/vega.js", "--n_queries", str(n_queries)]
        CliRunner().invoke(report.app, arguments, catch_exceptions=False, standalone_mode=False)
        return {name: Path(name).read_bytes() for name in WRITTEN}

    return run_stage


def test_the_page_shows_the_run_with_its_charts_and_its_receipt(run):
    written = run()
    page = written["report/index.html"].decode()
    assert len(read_payload(page, "index.html")["queries"]) == 3
    assert page.count("<svg") == 1 and "<h3>place against length</h3>" in page
    receipt = json.loads(written["metrics/receipt.json"])
    named = ["data/candidates", "data/dedup.parquet", "data/score.parquet"]
    assert sorted(receipt["data"]) == named  # of what a receipt names, those that are there
    assert receipt["params"]["sha256"] in page


def test_what_a_ranker_of_another_name_has_left_is_not_in_the_receipt(run):
    do = "{cmd: 'true', outs: ['data/candidates/${key}.parquet']}"
    stages = f"stages: {{score_candidates: {{foreach: '${{rankers}}', do: {do}}}}}\n"
    Path("dvc.yaml").write_text(PIPELINE + stages, encoding="utf-8")
    Path("params.yaml").write_text("rankers: {labse: {}, bm25: {}}\n", encoding="utf-8")
    before = run()["metrics/receipt.json"]
    Path("data/candidates/renamed_since.parquet").touch()
    assert run()["metrics/receipt.json"] == before


def test_the_page_says_first_what_it_is_about_then_the_result_texts_claims_and_numbers(run):
    said = """
about: {corpus: "{params.corpus}, {params.corpus.n} queries"}
headline:
- {each: placed, say: "{each}: place {placed.{each}.average_loc:1} of {placed.{each}.n_texts:0}."}
examples: {note: By place.}
numbers: {ceiling: Beside the answer.}
"""
    Path("report.yaml").write_text(said, encoding="utf-8")
    Path("params.yaml").write_text("corpus: {source: file, path: /x/wiki.tsv, n: 3}\n", "utf-8")
    found = {"difference": 0.5, "low": 0.25, "high": 0.75, "verdict": "supported"}
    claims = {"claims": {"longer": {"labse": found}}}
    Path("metrics/claims.json").write_text(json.dumps(claims), encoding="utf-8")
    written = run()
    page = written["report/index.html"].decode()
    _, record = tell_written(json.loads(written["metrics/receipt.json"]))
    order = [
        "wiki.tsv, 3 queries",
        record,
        "<summary>All params",
        "labse: place 2.5 [2.5, 2.5] of 4.",
        "bm25: place 2.3 [2.3, 2.3] of 4.",
        "By place. A tenth of all",
        "place 2.5 (labse), 1 (bm25) of 4",
        "supported: 0.500 [0.250, 0.750]",
        'id="results"',
        "Beside the answer.",
        "<svg",
        'id="browser"',
    ]
    at = [page.index(part) for part in order]
    assert at == sorted(at)


def test_a_sentence_whose_number_is_missing_stops_the_stage(run):
    Path("report.yaml").write_text("headline: ['{score.labse.averag_loc}']", encoding="utf-8")
    with pytest.raises(InputError, match=r"report.yaml: headline: .*did you mean average_loc"):
        run()
    assert not Path("report/index.html").exists()


NUMBERS = {"value": 2.5, "low": 2.0, "high": 3.0, "chance": 2.5, "floor": 4.0, "ceiling": 1.0}
MISSHAPEN = {
    "score_details": {"labse": {"average_loc": NUMBERS}},
    "score": {"labse": {"average_loc": 2.5}, "texts": {"finished_rate": 1.0}},
    "probe": {"labse": {"best_dose": 2, "of": {"n": 3}}},
    "leakage": {"query": {"labse": {"n_near": 60, "n_other": 60, "difference": NUMBERS}}},
    "claims": {"claims": {"longer": {"labse": {"difference": 0.5, "verdict": "supported"}}}},
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_metrics_of_any_wrong_shape_are_one_line_that_names_the_file(run, monkeypatch, name):
    """Nothing is written then; drawing and hashing, which they do not reach, are left out."""
    for function, value in (("draw_charts", []), ("make_receipt", {}), ("render_texts", "")):
        monkeypatch.setattr(report, function, lambda *_, value=value, **__: value)
    monkeypatch.setattr(report, "tell_written", lambda _: ("made", "now"))
    monkeypatch.setattr(report, "stand_alone", lambda _: "")
    path, n_refused = Path(f"metrics/{name}.json"), 0
    deep = ("nested too deeply", None)
    for words, content in [*misshapen(MISSHAPEN[name]), deep]:
        path.write_text("[" * 100_000 if content is None else json.dumps(content))
        for written in map(Path, WRITTEN):
            written.unlink(missing_ok=True)
        try:
            run()
        except InputError as error:
            n_refused += 1
            assert str(path) in str(error) and "\n" not in str(error), words
            assert not any(Path(written).exists() for written in WRITTEN), words
        except Exception as error:
            pytest.fail(f"{words}: {error!r}")
    assert n_refused > 5


def test_the_same_run_gives_the_same_bytes(run):
    first = run()
    shutil.rmtree("report")
    assert run() == first


def test_only_so_many_queries_are_on_the_page(run):
    page = run(n_queries=1)["report/index.html"].decode()
    assert [query["id"] for query in read_payload(page, "p")["queries"]] == [
        min(("validation-0-lake", "validation-1-dog", "validation-2-lake"), key=order_of)
    ]


def test_a_run_without_any_metrics_file_still_has_its_texts(run):
    for path in Path("metrics").iterdir():
        path.unlink()
    page = run()["report/index.html"].decode()
    assert '<section id="charts"' not in page
    payload = read_payload(page, "index.html")
    assert (payload["headline"], len(payload["queries"])) == ([], 3)


def test_the_page_of_the_stage_opens_without_an_error(run, chromium):  # noqa: F811
    Path("metrics/audit.json").write_text('{"labse": {"rate": 0.5}}', encoding="utf-8")
    run()
    with opened(chromium, Path("report/index.html")) as shown:
        assert shown.locator("figure svg").count() == 1
        cells = shown.locator("#numbers td").all_inner_texts()
        assert cells[:5] == ["average loc", "2.500 [resamples agree]", "2.500", "4.000", "1.000"]
        assert cells[-1] == "0.500"
        assert shown.locator("#count").inner_text() == "3 of 3 queries"


def test_a_broken_metrics_file_is_an_error_that_names_it(run):
    Path("metrics/score.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"metrics/score.json: no JSON"):
        run()


@pytest.fixture
def plots_page(run, tmp_path) -> Path:
    """Return the page of `dvc plots show` in a pipeline with our settings and templates."""
    run()
    (tmp_path / "dvc.yaml").write_text(PIPELINE.partition("- training")[0])
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc/config")
    (tmp_path / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    shown = dvc(tmp_path, "plots", "show")
    assert shown.returncode == 0, shown.stdout
    return tmp_path / "dvc_plots/index.html"


def test_dvc_plots_are_drawn_without_a_network(plots_page, chromium):  # noqa: F811
    with opened(chromium, plots_page) as shown:
        drawn = shown.locator(".vega-embed canvas, .vega-embed svg.marks")
        drawn.first.wait_for()
        assert drawn.count() == 1


def test_before_a_first_report_dvc_plots_ask_the_network_as_they_do_without_us(
    plots_page,
    chromium,  # noqa: F811
):
    (plots_page.parent.parent / "report/vega.js").unlink()
    with (
        pytest.raises(AssertionError, match=r"cdn\.jsdelivr\.net/npm/vega-embed"),
        opened(chromium, plots_page) as shown,
    ):
        shown.wait_for_load_state()


def test_a_good_a_middling_and_a_bad_text_are_picked_by_their_mean_place(run):
    """Two of the three queries have an answer; by hand: mean places 1.75 and 4 of four."""
    good, middling, bad = json.loads(run()["metrics/examples.json"]).values()
    assert good["places"] == {"labse": 2.5, "bm25": 1.0} and good["n_texts"] == 4
    assert good["text"] == "Lake Ulben's depth is 40 m."
    assert good["answer"] == "passage 0 about how deep is lake ulben"
    assert middling == good and bad["places"] == {"labse": 4.0, "bm25": 4.0}


def test_the_picture_is_the_first_plot_with_a_colour_for_a_light_and_a_dark_page(run):
    """Its axes take the page's colour, and a picture on a page of its own has none to take."""
    picture = run()["metrics/places.svg"].decode()
    assert picture.startswith("<svg") and "new tokens" in picture
    assert "prefers-color-scheme:dark" in picture and "currentColor" in picture


def test_without_an_answered_query_there_is_no_example():
    assert pick_examples({"queries": [{"answerable": False}]}) == {}
