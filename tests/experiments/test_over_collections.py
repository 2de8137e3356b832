"""One claim on several collections: on all, some, none; and what the flagship's README takes."""

import json

from genlab.experiments.over_collections import (
    cell_of,
    elsewhere_of,
    findings_table,
    over_collections,
    verdicts_table,
)


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
        "wiki -1.00 (-2.00 to +0.50), msmarco +0.75 (-2.00 to +0.50)"
    )
    assert cell_of(GROUPS, "other") == "not asked"
    table = verdicts_table({"claims": {"x": GROUPS, "y": {}}}, {"x": {"claim": "X."}})
    assert "| claim | big | small | flat |" in table and "| X. | **holds on all 2**" in table


def test_the_flagship_takes_from_a_pipelines_record_what_it_says_of_the_same_claim(tmp_path):
    folder = tmp_path / "pipelines/judges"
    (folder / "record").mkdir(parents=True)
    (folder / "claims.yaml").write_text(
        "same_as_root: {a: x, b: y}\nfindings: [x]\nclaims: {x: {claim: X.}, y: {claim: Y.}}\n",
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
    assert "| X. |" in findings_table(tmp_path) and "| Y. |" not in findings_table(tmp_path)
