"""What a chart shows, in words for those who do not see it."""

import json

from genlab.report.findings import describe, find_findings, find_series
from tests.project_copy import ROOT

LINES = [
    {"ranker": name, "n": n, "place": place, "low": 0.0}
    for name, places in {"labse": (1.2, 9.0, 5.6), "my_bm25": (4.0, 3.0, 2.0)}.items()
    for n, place in zip((1, 4, 8), places, strict=True)
]


def test_a_line_is_told_by_its_ends_and_by_its_top_where_that_lies_between():
    assert describe(LINES, "n", "place", ["ranker"]) == (
        "labse: rises from 1.2 at 1 to 5.6 at 8, highest 9 at 4; my bm25: falls from 4 at 1 to 2 "
        "at 8."
    )


def test_ends_are_those_of_the_axis_in_whatever_order_the_rows_are():
    said = describe(LINES[2::-1], "n", "place", [])
    assert said == "rises from 1.2 at 1 to 5.6 at 8, highest 9 at 4."


def test_bars_are_told_by_the_highest_and_the_lowest():
    rows = [{"probe": name, "place": y} for name, y in (("query_alone", 1), ("end", 3), ("a", 2))]
    assert describe(rows, "probe", "place", []) == "highest 3 at end, lowest 1 at query alone."


def test_one_point_is_told_as_it_is_and_nothing_as_nothing():
    assert describe([{"x": 2, "y": 0.12345}], "x", "y", []) == "0.123 at 2."
    assert describe([{"x": 2, "y": None}], "x", "y", []) == ""


def test_of_places_the_share_in_the_first_is_told_beside_chance():
    rows = [{"place": place, "texts": n} for place, n in ((3, 10), (1, 48), (2, 42), (4, 0))]
    assert describe(rows, "place", "texts", []) == "48 % of 100 stand first, chance 25 %."


def test_of_shares_it_is_told_where_most_are():
    rows = [{"reward": x, "share": y} for x, y in ((-1, 0.2), (0, 0.7), (1, 0.1))]
    assert describe(rows, "reward", "share", []) == "most at 0 (70 %)."


def test_the_lines_of_several_trainings_are_told_by_where_they_begin_and_end():
    ends = {22: (0.5, 3.0), 23: (0.5, 2.0), 24: (0.5, 2.5)}
    rows = [
        {"arm": "main", "seed": seed, "step": step, "reward": reward}
        for seed, rewards in ends.items()
        for step, reward in zip((1, 40), rewards, strict=True)
    ]
    assert describe(rows, "step", "reward", ["arm", "seed"]) == "3 trainings from 0.5 to 2 ... 3."


def test_chance_is_told_where_all_rows_have_one():
    rows = [{"n": n, "place": 9.0 - n, "chance": 6.0} for n in (0, 8)]
    assert describe(rows, "n", "place", []) == "falls from 9 at 0 to 1 at 8; chance: 6."


def test_bars_of_one_height_are_told_once():
    rows = [{"probe": name, "place": 2.5} for name in ("start", "end")]
    assert describe(rows, "probe", "place", []) == "2.5 at all."


def test_a_small_ranker_in_anothers_place_is_called_so(tmp_path):
    (tmp_path / ".dvc/plots").mkdir(parents=True)
    template = (ROOT / ".dvc/plots/by_ranker.json").read_text("utf-8")
    (tmp_path / ".dvc/plots/by_ranker.json").write_text(template)
    (tmp_path / "params.yaml").write_text("rankers: {labse: {kind: x, source: mini}}\n")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/a.json").write_text(json.dumps(LINES))
    plot = "plots:\n- a: {x: n, y: {metrics/a.json: place}, template: by_ranker}\n"
    (tmp_path / "dvc.yaml").write_text(plot)
    said = find_findings(tmp_path / "dvc.yaml")["a"]
    assert said.startswith("place against n. labse (mini): rises") and "; my bm25: falls" in said


def test_what_all_rows_share_is_not_named_and_more_than_eight_lines_are_counted():
    rows = [{"arm": f"a{i}", "seed": 17, "x": 1, "y": i} for i in range(10)]
    said = describe(rows, "x", "y", ["arm", "seed"])
    assert said.startswith("a0: 0 at 1; a1: 1 at 1") and said.endswith(
        "a7: 7 at 1; and 2 more lines."
    )


def test_a_template_names_the_columns_that_tell_its_lines_apart():
    known = {
        name: find_series(json.loads((ROOT / f".dvc/plots/{name}.json").read_text("utf-8")))
        for name in ("by_ranker", "by_ranker_and_stop", "by_arm_and_seed", "probe_bars")
    }
    assert known == {
        "by_ranker": ["ranker"],
        "by_ranker_and_stop": ["ranker", "stop"],
        "by_arm_and_seed": ["arm", "seed"],
        "probe_bars": ["ranker"],
    }
