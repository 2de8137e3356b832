"""Which stages a table comes from, by a lock's own paths."""

import pytest

from genlab.experiments.lineage import command, makers, stages_on_the_way


def stage(deps: list[str], outs: list[str]) -> dict:
    return {"deps": [{"path": path} for path in deps], "outs": [{"path": path} for path in outs]}


LOCK = {
    "check": stage(["genlab"], ["data/check.txt"]),
    "fetch": stage(["fetch.py", "data/check.txt"], ["data/fetch"]),
    "rank@a": stage(["data/fetch/model"], ["data/ranked/a"]),
    "rank@b": stage(["data/fetch/model"], ["data/ranked/b"]),
    "score": stage(["data/ranked"], ["data/score.parquet"]),
    "report": stage(["data/score.parquet"], ["report.html"]),
}


@pytest.mark.parametrize(
    ("output", "needed"),
    [
        # a folder stands for the outputs in it, a file for the output that it lies in
        ("data/score.parquet", {"score", "rank@a", "rank@b", "fetch"}),
        ("data/ranked/a", {"rank@a", "fetch"}),
        ("data/none.parquet", set()),
    ],
)
def test_the_stages_on_the_way_are_those_whose_outputs_are_read_but_the_check(output, needed):
    assert set(stages_on_the_way(LOCK, output)) == needed


def test_a_name_that_only_begins_alike_is_another_output():
    assert makers(LOCK, "data/fetch") == {"fetch"}
    assert makers(LOCK, "data/fet") == set()
    assert makers(LOCK, "data") == set(LOCK) - {"report"}


def test_a_stage_of_a_foreach_has_its_command_below():
    assert command({"foreach": "${arms}", "do": {"cmd": "train ${key}"}}) == "train ${key}"
    assert command({"cmd": "score"}) == "score"
    assert command(None) is None
