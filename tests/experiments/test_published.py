from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.experiments.layout import Layout, Metric, read_layout
from genlab.experiments.published import check_published, reread_published
from tests.project_copy import ROOT

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="unit",
    metrics={"place": Metric("place", "lower"), "good": Metric("good", "higher", "share")},
)
PUBLISHED = {
    "n": 100,
    "columns": ["place", "good"],
    "chance": {"place": 6.0, "good": 0.25},
    "tables": {"length": ["short", "long"]},
    "arms": {
        "short": {"same_data_and_model": False, "a": [5.0, 0.3], "b": [4.0, 0.9]},
        "long": {"same_data_and_model": False, "a": [7.0, 0.2], "b": [3.0, 0.5]},
    },
}
CLAIMS = {
    "shorter": {"metric": "place", "a": "long", "b": "short", "expect": "lower"},
    "ours": {"metric": "place", "a": "long", "b": "never_published", "expect": "lower"},
}


@pytest.fixture(scope="module")
def study() -> dict:
    """Return what the source study's own numbers say, as the flagship's claims.yaml has them."""
    content = yaml.safe_load((ROOT / "claims.yaml").read_text(encoding="utf-8"))
    layout = read_layout(ROOT / "claims.yaml")
    return reread_published(content["published"], content["claims"], layout)


def test_the_best_arm_of_a_table_depends_on_whether_lower_or_higher_is_better():
    best = reread_published(PUBLISHED, CLAIMS, LAYOUT)["best"]["length"]
    assert best == {
        "a": {"place": "short", "good": "short"},
        "b": {"place": "long", "good": "short"},
    }


def test_arms_that_a_random_place_would_beat_are_found():
    below = reread_published(PUBLISHED, CLAIMS, LAYOUT)["below_chance"]
    assert below == {"a": {"long": ["place", "good"]}, "b": {}}


def test_a_claim_is_checked_on_every_ranker_and_metric_worked_by_hand():
    # Wilson's intervals of 100 units, joined: 0.2 to 0.3 is -0.020 to 0.217; 0.5 to 0.9 below by
    # sqrt((0.9 - 0.82563)^2 + (0.59617 - 0.5)^2) = 0.12157.
    checked = reread_published(PUBLISHED, CLAIMS, LAYOUT)["claims"]["shorter"]
    assert checked["a"]["place"] == {"difference": -2.0, "verdict": "agrees"}
    assert checked["a"]["good"]["verdict"] == "agrees, not significant"
    assert checked["b"]["place"] == {"difference": 1.0, "verdict": "disagrees"}
    assert checked["b"]["good"]["verdict"] == "agrees, significant"
    assert checked["b"]["good"]["low"] == pytest.approx(0.4 - 0.12157, abs=1e-4)


def test_the_comparisons_that_have_an_interval_are_counted():
    assert reread_published(PUBLISHED, CLAIMS, LAYOUT)["n_tests"] == 2


def test_a_claim_whose_arms_were_not_published_is_not_checked():
    assert list(reread_published(PUBLISHED, CLAIMS, LAYOUT)["claims"]) == ["shorter"]


def test_equal_numbers_do_not_agree_with_any_direction():
    claims = {"same": {"metric": "place", "a": "long", "b": "long", "expect": "lower"}}
    cells = reread_published(PUBLISHED, claims, LAYOUT)["claims"]["same"]["a"]
    assert cells["place"]["verdict"] == "disagrees"


def test_in_the_source_study_shorter_is_better_holds_for_labse_and_in_one_of_five_for_use(study):
    checked = study["claims"]["shorter_is_better"]
    agree = {
        ranker: [metric for metric, cell in cells.items() if cell["verdict"].startswith("agrees")]
        for ranker, cells in checked.items()
    }
    assert agree == {
        "labse": ["average_loc", "top_1", "top_3", "top_5", "fdaro"],
        "use": ["top_1"],
    }


def test_in_the_source_study_two_arms_under_labse_are_below_chance(study):
    assert study["below_chance"] == {
        "labse": {
            "pretrained": ["average_loc", "top_5"],
            "length_300": ["average_loc", "top_1", "top_3", "top_5"],
        },
        "use": {},
    }


def test_in_the_source_study_the_best_length_depends_on_the_ranker(study):
    assert set(study["best"]["length"]["labse"].values()) == {"length_50"}
    assert study["best"]["length"]["use"]["average_loc"] == "tuned"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("n"), "published: n is missing"),
        (lambda p: p["columns"].append("bleu"), "bleu is no metric of rows"),
        (lambda p: p["arms"]["long"]["a"].append(1), "arm long: a has 3 numbers for place, good"),
        (lambda p: p["arms"]["long"].pop("same_data_and_model"), "must be true or false"),
        (lambda p: p["tables"]["length"].append("tiny"), "tables.length: no published arm tiny"),
        (lambda p: p["tables"]["length"].clear(), "tables.length: must be a list of arms"),
        (lambda p: p["arms"]["long"].pop("b"), "tables.length: long has not the same rankers"),
        (lambda p: p.update(n=0), "published.n: must be at least 1, not 0"),
        (lambda p: p.update(n="many"), "published.n: must be a whole number, not many"),
        (lambda p: p.update(tables=None), "published.tables: must be entries by name, not None"),
        (lambda p: p["columns"].insert(0, ["place"]), r"\['place'\] is no metric of rows"),
        (lambda p: p["chance"].update(good=25), "chance: good must be a share from 0 to 1, not 25"),
        (lambda p: p["arms"].update(long=None), "arm long: same_data_and_model must be true or"),
        (lambda p: p["arms"].update(long={"same_data_and_model": False}), "long: has no numbers"),
        (lambda p: p["arms"]["long"].update(a=7.0), "arm long: a has 7.0 for place, good"),
        (lambda p: p["arms"]["long"].update(a=["7", 0.2]), "a: place must be a number, not 7"),
        (lambda p: p["arms"]["long"].update(a=[7.0, 20]), "a: good must be a share from 0 to 1"),
    ],
)
def test_what_is_wrong_with_published_numbers_is_named(change, message):
    published = yaml.safe_load(yaml.safe_dump(PUBLISHED))
    change(published)
    with pytest.raises(InputError, match=message):
        check_published(Path("claims.yaml"), published, LAYOUT, {})


@pytest.mark.parametrize("source", ["mini", "file"])
def test_a_run_on_anything_mini_or_of_ones_own_cannot_be_called_a_reproduction(source):
    published = yaml.safe_load(yaml.safe_dump(PUBLISHED))
    published["arms"]["short"]["same_data_and_model"] = True
    check_published(Path("claims.yaml"), published, LAYOUT, {"corpus": {"source": "hub"}})
    for params, key in (
        ({"corpus": {"source": source}}, "corpus.source"),
        ({"rankers": {"a": {"source": source}}}, "rankers.a.source"),
    ):
        with pytest.raises(InputError, match=rf"arm short: .* params.yaml has {key}={source}"):
            check_published(Path("claims.yaml"), published, LAYOUT, params)


def test_a_ranker_that_was_not_published_may_stand_beside_a_reproduction():
    published = yaml.safe_load(yaml.safe_dump(PUBLISHED))
    published["arms"]["short"]["same_data_and_model"] = True
    params = {"corpus": {"source": "hub"}, "rankers": {"bm25": {"source": "mini"}}}
    check_published(Path("claims.yaml"), published, LAYOUT, params)


def test_tables_may_be_of_different_rankers():
    published = yaml.safe_load(yaml.safe_dump(PUBLISHED))
    published["arms"]["alone"] = {"same_data_and_model": False, "c": [2.0, 0.4]}
    published["tables"]["single"] = ["alone"]
    check_published(Path("claims.yaml"), published, LAYOUT, {})
    best = reread_published(published, CLAIMS, LAYOUT)["best"]
    assert list(best["length"]) == ["a", "b"]
    assert best["single"] == {"c": {"place": "alone", "good": "alone"}}
