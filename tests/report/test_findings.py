"""What a chart shows, in words for those who do not see it."""

import json

from genlab.report.findings import describe, find_series
from tests.project_copy import ROOT

LINES = [
    {"ranker": name, "n": n, "place": place, "low": 0.0}
    for name, places in {"labse": (1.2, 9.0, 5.6), "my_bm25": (4.0, 3.0, 2.0)}.items()
    for n, place in zip((1, 4, 8), places, strict=True)
]


def test_a_line_is_told_by_its_ends_and_by_its_top_where_that_lies_between():
    assert describe(LINES, "n", "place", ["ranker"]) == (
        "labse: from 1.2 at 1 to 5.6 at 8, highest 9 at 4; my bm25: from 4 at 1 to 2 at 8."
    )


def test_ends_are_those_of_the_axis_in_whatever_order_the_rows_are():
    assert describe(LINES[2::-1], "n", "place", []) == "from 1.2 at 1 to 5.6 at 8, highest 9 at 4."


def test_bars_are_told_by_the_highest_and_the_lowest():
    rows = [{"probe": name, "place": y} for name, y in (("query_alone", 1), ("end", 3), ("a", 2))]
    assert describe(rows, "probe", "place", []) == "highest 3 at end, lowest 1 at query alone."


def test_one_point_is_told_as_it_is_and_nothing_as_nothing():
    assert describe([{"x": 2, "y": 0.12345}], "x", "y", []) == "0.123 at 2."
    assert describe([{"x": 2, "y": None}], "x", "y", []) == ""


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
