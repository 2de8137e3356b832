"""One claim on several collections: on all, some, none; and what the flagship's README takes."""

import json
from pathlib import Path

from genlab.experiments.headlines import findings_list
from genlab.experiments.layout import Layout, Metric
from genlab.experiments.over_collections import (
    cell_of,
    elsewhere_of,
    findings_table,
    over_collections,
    rankers_table,
    verdicts_table,
)

LAYOUT = Layout(Path("rows.csv"), "id", {"place": Metric("place", "lower")})


def found(verdict: str, difference: float = -1.0) -> dict:
    return {"verdict": verdict, "difference": difference, "low": -2.0, "high": 0.5}


GROUPS = {
    "wiki big": found("supported"),
    "msmarco big": found("supported"),
    "wiki small": found("supported"),
    "msmarco small": found("contradicted", 0.75),
    "wiki flat": found("not settled"),
}


def test_a_claim_holds_on_all_some_or_none_of_the_collections_it_was_asked_on():
    assert over_collections(GROUPS) == {
        "big": {"verdict": "all", "holds": 2, "contradicted": 0, "open": 0, "of": 2},
        "small": {"verdict": "some", "holds": 1, "contradicted": 1, "open": 0, "of": 2},
        "flat": {"verdict": "none", "holds": 0, "contradicted": 0, "open": 1, "of": 1},
    }


def test_a_cell_says_the_verdict_and_every_difference():
    assert cell_of(GROUPS, "small") == (
        "**holds on 1 of 2, the contrary on 1**: "
        "wiki -1.00 (-2.00 to +0.50) holds; msmarco +0.75 (-2.00 to +0.50) the contrary"
    )
    assert cell_of(GROUPS, "other") == "not asked"
    claims = {"x": {"claim": "X.", "metric": "place"}}
    table = verdicts_table({"claims": {"x": GROUPS, "y": {}}}, claims, LAYOUT)
    assert "| claim | big | small | flat |" in table
    assert "| X. | **holds on all 2**: wiki -1.00 (-2.00 to +0.50); msmarco -1.00" in table


def test_each_collection_has_its_verdict_and_what_would_settle_it():
    groups = {
        "wiki a": found("not settled") | {"n_needed": 1412},
        "web a": found("not settled") | {"trainings_needed": 7},
        "small a": found("supported", -0.2) | {"low": -0.3, "high": -0.1},
        "flat a": found("no difference beyond 0.1", 0.0),
        "same a": found("identical", 0.0),
    }
    assert cell_of(groups, "a", margin=0.5) == (
        "**holds on 1 of 4, not settled on 2**: "
        "wiki -1.00 (-2.00 to +0.50) not settled, needs 1,500; "
        "web -1.00 (-2.00 to +0.50) not settled, needs 7 trainings; "
        "small -0.20 (-0.30 to -0.10) holds, within 0.5; "
        "flat +0.00 (-2.00 to +0.50) no difference beyond 0.1; same identical"
    )


def test_a_claim_that_could_be_tested_nowhere_holds_on_none_and_is_said_to_be_untested():
    blind = found("cannot be tested here", 0.0) | {"why": "it is blind"}
    groups = {"wiki a": blind, "web a": found("identical", 0.0)}
    assert cell_of(groups, "a") == (
        "**cannot be tested here**: wiki cannot be tested here (it is blind); web identical"
    )


def test_the_flagship_takes_from_a_pipelines_record_what_it_says_of_the_same_claim(tmp_path):
    folder = tmp_path / "pipelines/judges"
    (folder / "record").mkdir(parents=True)
    (folder / "claims.yaml").write_text(
        "rows: {path: a.csv, unit: id, metrics: {place: {column: p, better: lower}}}\n"
        "same_as_root: {a: x, b: y}\nfindings: [x]\n"
        "arms: {main: {}}\nclaims:\n"
        "  x: {claim: X., metric: place, a: main, b: main, expect: lower}\n"
        "  y: {claim: Y., metric: place, a: main, b: main, expect: lower}\n",
        encoding="utf-8",
    )
    assert elsewhere_of(tmp_path) == {}
    settled = {"claims": {"x": GROUPS, "y": {}}}
    (folder / "record/claims.json").write_text(json.dumps(settled), encoding="utf-8")
    assert elsewhere_of(tmp_path) == {
        "a": "big: holds on 2 of 2; small: holds on 1 of 2, **contradicted** on 1; "
        "flat: holds on 0 of 1, not settled on 1",
        "b": "not asked",
    }
    listed = findings_list(tmp_path)
    assert listed.splitlines()[0].startswith("- X. big: holds on 2 of 2; small: holds on 1 of 2, ")
    assert " ".join(listed.split()).endswith("flat: holds on 0 of 1, not settled on 1.")
    table = findings_table(tmp_path)
    assert table.startswith("| claim |") and "| X. |" in table and "| Y. |" not in table
    settled["claims"]["y"] = {"wiki big": found("supported") | {"n_tests": 141}}
    (folder / "record/claims.json").write_text(json.dumps(settled), encoding="utf-8")
    line, table = findings_table(tmp_path).split("\n\n")
    assert "for the 141 tests of all claims of pipelines/judges" in line
    assert table.startswith("| claim |")


def test_a_judge_whose_best_dose_is_the_same_in_every_resample_has_no_interval_of_it():
    sure, free = ({"value": 8.0, "low": low, "high": 8.0} for low in (8.0, 4.0))
    quality = dict.fromkeys(("mrr", "map", "ndcg_10"), free)
    doses = {"best_dose": sure, "gained_by_first": free, "lost_after_best": sure}
    probes = {f"{slot}_with_query": {"gain": free} for slot in ("wrong", "answer")}
    table = rankers_table({"mini bm25": {"quality": quality, "doses": doses, "probes": probes}})
    cells = [cell.strip() for cell in table.splitlines()[-1].split("|")[1:-1]]
    agree = "(resamples agree)"
    assert cells[4:7] == [f"8 {agree}", "8.00 (4.00 to 8.00)", f"8.00 {agree}"]
