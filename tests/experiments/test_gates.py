from dataclasses import replace

import pytest

from genlab.core.program import InputError
from genlab.experiments.comparison import Difference
from genlab.experiments.gates import explain_miss, read_gate

FOUND = Difference(
    group="labse",
    metric="average_loc",
    better="lower",
    n=500,
    only_base=0,
    only_other=0,
    n_different=100,
    base=3.0,
    other=3.1,
    difference=0.1,
    low=-0.05,
    high=0.25,
    p=0.2,
    test="bootstrap",
    detectable=0.2,
    p_adjusted=0.4,
    verdict="no difference shown",
)
GROUPS, METRICS = ["labse", "use"], ["average_loc", "top_1"]


def miss(text: str, found: Difference = FOUND, groups: list[str] = GROUPS) -> str | None:
    return explain_miss(read_gate(text, groups, METRICS), [found])


@pytest.mark.parametrize(
    "text",
    [
        "labse.average_loc<=0.1",
        "labse.average_loc < 0.11",
        "labse.average_loc>=-1e-1",
        "labse.average_loc.low>-0.06",
        "labse.average_loc.high<=0.25",
        "labse.average_loc.p>0.05",
        "labse.average_loc.p_adjusted>=0.4",
        "labse.average_loc.base<=3",
        "labse.average_loc.other>3",
    ],
)
def test_a_gate_that_is_met_says_nothing(text):
    assert miss(text) is None


def test_a_gate_that_is_not_met_says_the_number_and_by_how_much():
    assert miss("labse.average_loc<=0.05") == (
        "labse.average_loc<=0.05: difference is 0.1, 0.05 above the limit"
    )
    assert miss("labse.average_loc.other>=3.5").endswith("other is 3.1, 0.4 below the limit")
    assert miss("labse.average_loc<0.1").endswith("difference is 0.1, not beyond the limit")


def test_rows_without_groups_have_gates_without_groups():
    found = replace(FOUND, group="")
    assert miss("average_loc<=0.1", found, [""]) is None
    assert miss("average_loc.high<=0.1", found, [""]) is not None
    with pytest.raises(InputError, match="no metric labse"):
        miss("labse.average_loc<=0.1", found, [""])


def test_a_group_may_have_a_dot_in_its_name():
    found = replace(FOUND, group="bm25.v2")
    assert miss("bm25.v2.average_loc.low<0", found, ["bm25.v2"]) is None


def test_a_metric_that_no_pair_counts_for_does_not_pass():
    found = replace(FOUND, n=0, difference=float("nan"))
    assert "no pair counts for average_loc" in miss("labse.average_loc<=9", found)


def test_identical_runs_pass_a_gate_of_p_as_no_pair_differs():
    found = replace(FOUND, n_different=0, difference=0.0, p=float("nan"), p_adjusted=float("nan"))
    assert miss("labse.average_loc.p_adjusted>=0.05", found) is None
    assert miss("labse.average_loc.p>=0.05", found) is None
    assert "p is 1" in miss("labse.average_loc.p<0.05", found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lapse.average_loc<=1", r"no group lapse on both sides; did you mean labse\?"),
        ("labse.average_lok<=1", r"no metric average_lok; did you mean average_loc\?"),
        ("labse.average_loc.lo<=1", r"no field lo; did you mean low\?"),
        ("average_loc<=1", "no group average_loc on both sides.*GROUP.METRIC"),
        ("labse.average_loc<=x", "x is not a number"),
        ("labse.average_loc<=nan", "nan is not a number"),
        ("labse.average_loc<=0_5", "0_5 is not a number"),
        ("labse.average_loc=1", "must be like GROUP.METRIC<=0.05"),
        ("labse.average_loc", "must be like"),
        ("labse<=1", "labse<=1: names no metric; .* with a metric of average_loc, top_1"),
        ("labse.<=1", "names no metric"),
    ],
)
def test_a_gate_that_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=message):
        miss(text)
