import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.experiments import claims as program
from genlab.experiments.claims import app, print_settled
from genlab.experiments.claims_file import read_claims
from genlab.experiments.comparison import Difference
from genlab.experiments.layout import Layout, Metric
from genlab.experiments.verdicts import explain_not_run, settle_claims, verdict
from tests.checked_pipeline import arms_without_claim
from tests.project_copy import ROOT, call
from tests.tiny_pipeline import HEAD, enter, make_repository

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="query_id",
    group="ranker",
    metrics={
        "average_loc": Metric("location", "lower"),
        "fdaro": Metric("fdaro", "higher", "share"),
    },
)
CLAIM = {"metric": "average_loc", "a": "long", "b": "short", "expect": "lower"}
ARMS = {"long": {}, "short": {"gen.max_len": 50}, "even_odds": {"value": 0.5}}


def rows(n: int, place: float, ranker: str = "labse", **columns) -> pl.DataFrame:
    """Return n queries at places around `place`; two such arms do not differ by one number."""
    places = [place * (0.98 + 0.01 * (i % 5)) + i % 3 for i in range(n)]
    ids = [f"q{i}" for i in range(n)]
    return pl.DataFrame({"ranker": ranker, "query_id": ids, "location": places} | columns)


def settle(claims: dict[str, dict], **arms: pl.DataFrame | list[pl.DataFrame]) -> dict:
    """Settle claims from a table per arm, or one per training."""
    rows = {
        name: {None: found} if isinstance(found, pl.DataFrame) else dict(enumerate(found))
        for name, found in arms.items()
    }
    return settle_claims(LAYOUT, claims, ARMS, rows, not_run={})


def test_a_claim_is_supported_or_contradicted_by_the_sign_of_a_sure_difference():
    arms = {"long": rows(30, 5.0), "short": rows(30, 4.0)}
    found = settle({"claim": CLAIM}, **arms)["claim"]["labse"]
    assert (found["n"], found["verdict"]) == (30, "supported")
    assert [found[key] for key in ("difference", "base", "other")] == pytest.approx([-1, 6, 5])
    against = settle({"claim": CLAIM | {"expect": "higher"}}, **arms)["claim"]["labse"]
    assert against["verdict"] == "contradicted"


def test_arms_of_the_same_texts_are_identical_and_have_no_p():
    same = rows(30, 5.0, text="one")
    found = settle({"claim": CLAIM}, long=same, short=same)["claim"]["labse"]
    assert (found["verdict"], found["p_adjusted"], found["n_tests"]) == ("identical", None, 0)


def test_arms_whose_values_alone_are_known_to_be_the_same_are_not_called_identical():
    found = settle({"claim": CLAIM}, long=rows(30, 5.0), short=rows(30, 5.0))["claim"]["labse"]
    assert found["verdict"] == "cannot be tested here"
    assert (found["why"], found["n_tests"]) == ("no value of the two arms differs", 0)


def test_five_pairs_are_no_test_whatever_they_say():
    five = {"long": rows(5, 5.0), "short": rows(5, 2.0)}
    six = {"long": rows(6, 5.0, "use"), "short": rows(6, 2.0, "use")}
    both = {name: pl.concat([five[name], six[name]]) for name in five}
    few, enough = settle({"claim": CLAIM}, **both)["claim"].values()
    assert (few["verdict"], few["p_adjusted"]) == ("cannot be tested here", None)
    assert few["why"] == "too few pairs to show anything, even if all agreed"
    assert (enough["n_tests"], enough["verdict"]) == (1, "supported")


def test_what_a_group_cannot_tell_apart_is_no_test_and_not_in_holms_family():
    claim = CLAIM | {"cannot_differ": {"labse": "it is blind", "use": "it is deaf"}}
    arms = {
        name: pl.concat([rows(30, 5.0, text=name), rows(30, place, "use", text=name)])
        for name, place in (("long", 5.0), ("short", 4.0))
    }
    blind, seeing = settle({"claim": claim}, **arms)["claim"].values()
    assert (blind["verdict"], blind["why"]) == ("cannot be tested here", "it is blind")
    assert blind["p_adjusted"] is None
    # Where a pair differs the statement is wrong, and the claim is settled.
    assert (seeing["verdict"], seeing["n_tests"]) == ("supported", 1)
    assert seeing["p_adjusted"] == seeing["p"]


def test_what_is_not_settled_says_how_many_pairs_would_settle_it():
    up_and_down = rows(40, 5.0).with_columns(
        location=pl.col("location")
        + pl.when(pl.int_range(pl.len()) % 2 == 0).then(1).otherwise(-0.8)
    )
    found = settle({"claim": CLAIM}, long=rows(40, 5.0), short=up_and_down)["claim"]["labse"]
    assert found["verdict"] == "not settled"
    # Half +1, half -0.8: 2.80159 x 0.9115 / 0.1 = 25.54, squared.
    assert found["n_needed"] == pytest.approx(652, abs=2)


@pytest.mark.parametrize(("low", "p"), [(-0.4, 0.2), (0.4, 0.04), (-0.4, 0.04), (0.4, 0.2)])
def test_a_verdict_needs_both_the_interval_and_the_adjusted_p(low, p):
    found = Difference(
        group="",
        metric="average_loc",
        better="lower",
        n=9,
        only_base=0,
        only_other=0,
        n_different=9,
        base=0.0,
        other=0.5,
        difference=0.5,
        low=low,
        high=0.9,
        p=0.01,
        test="bootstrap",
        detectable=0.5,
        p_adjusted=p,
        verdict="not settled",
    )
    expected = "supported" if low > 0 and p < 0.05 else "not settled"
    assert verdict(found, "higher") == expected


def test_a_claim_has_one_verdict_over_all_trainings():
    long = [rows(30, 5.0)] * 3
    found = settle({"claim": CLAIM}, long=long, short=[rows(30, 4.0), rows(30, 4.1), rows(30, 3.9)])
    found = found["claim"]["labse"]
    assert (found["verdict"], found["n_trainings"], found["n"]) == ("supported", 3, 30)
    assert found["by_training"] == pytest.approx([-1.0, -0.9, -1.1])
    assert found["over_trainings"]["low"] == pytest.approx(-1.2484, abs=1e-4)
    assert 0.9 < found["training_share"] <= 1
    against = settle({"claim": CLAIM}, long=long[:2], short=[rows(30, 4.0), rows(30, 6.0)])
    assert against["claim"]["labse"]["verdict"] == "unstable over trainings"


def test_a_claim_is_settled_over_the_trainings_that_both_arms_have():
    arms = {"long": [rows(30, 5.0)] * 5, "short": [rows(30, 4.0), rows(30, 4.5)]}
    assert settle({"claim": CLAIM}, **arms)["claim"]["labse"]["n_trainings"] == 2


def test_arms_that_no_training_changes_are_of_one():
    arms = {"long": [rows(30, 5.0)] * 5, "short": [rows(30, 4.0)] * 5}
    found = settle({"claim": CLAIM}, **arms)["claim"]["labse"]
    assert found["n_trainings"] == 1 and "by_training" not in found


def test_trainings_with_units_of_their_own_are_compared_by_their_means():
    """The same ids are other queries in each training, of which each has another number."""
    sizes, means = (30, 40, 20), (4.0, 4.2, 3.7)
    arms = {
        "long": [rows(n, 5.0) for n in sizes],
        "short": [rows(n, mean) for n, mean in zip(sizes, means, strict=True)],
    }
    tables = {name: dict(enumerate(each)) for name, each in arms.items()}
    units = {name: {0: "1f", 1: "2e", 2: "3d"} for name in arms}
    found = settle_claims(LAYOUT, {"claim": CLAIM}, ARMS, tables, {}, units)["claim"]["labse"]
    assert (found["n"], found["n_trainings"]) == (90, 3)
    assert found["by_training"] == pytest.approx([-1.0, -0.8, -1.3])
    assert found["difference"] == pytest.approx(-3.1 / 3)
    # Student's: 4.3027 x 0.2517 / sqrt(3), as no unit departs from its training's mean.
    assert found["high"] == pytest.approx(-3.1 / 3 + 0.6252, abs=1e-4)
    assert found["p"] == pytest.approx(0.0192, abs=1e-4)
    assert found["verdict"] == "supported"
    one_table = {name: dict.fromkeys(range(3), "1f") for name in arms}
    shared = settle_claims(LAYOUT, {"claim": CLAIM}, ARMS, tables, {}, one_table)
    assert shared["claim"]["labse"]["n"] == 20


def test_p_is_adjusted_for_all_claims_and_rankers_of_the_file():
    one = {"long": rows(30, 5.0), "short": rows(30, 4.0)}
    two = {
        name: pl.concat([frame, frame.with_columns(ranker=pl.lit("use"))])
        for name, frame in one.items()
    }
    alone = settle({"claim": CLAIM}, **one)["claim"]["labse"]
    among = settle({"claim": CLAIM, "again": CLAIM}, **two)
    assert alone["p_adjusted"] == alone["p"]
    adjusted = [found["p_adjusted"] for groups in among.values() for found in groups.values()]
    assert adjusted == pytest.approx([4 * alone["p"]] * 4)


def test_a_claim_with_an_arm_that_was_not_run_has_no_verdict():
    not_run = explain_not_run(LAYOUT, {"claim": CLAIM}, {"short": "why"}, {})
    assert not_run == {"claim": "arm short"}
    settled = settle_claims(LAYOUT, {"claim": CLAIM}, ARMS, {"long": {None: rows(3, 1.0)}}, not_run)
    assert settled == {"claim": {}}


def test_a_claim_whose_arms_are_of_other_units_is_not_run():
    layout = replace(LAYOUT, units_from=Path("data/dedup.parquet"))
    claims = {"claim": CLAIM, "odds": CLAIM | {"a": "even_odds"}}
    same = {"long": {17: "1f", 18: "2e", 19: "3d"}, "short": {17: "1f", 18: "2e"}}
    assert explain_not_run(layout, claims, {}, same) == {}
    other = {"long": {17: "1f", 18: "2e"}, "short": {17: "1f", 18: "1f"}}
    not_run = explain_not_run(layout, claims, {}, other)
    assert not_run == {
        "claim": "data/dedup.parquet differs between long and short, so a query_id need not be "
        "the same thing in both"
    }


def test_no_claims_and_claims_without_a_pair_that_counts_can_be_printed(capsys):
    print_settled({}, {})
    print_settled({"claim": {}, "other": {}}, {"other": "arm long"})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["claim: no pair counts", "other: not run: arm long"]


def test_the_verdicts_fit_a_terminal_of_80_columns_however_long_a_claims_name(capsys):
    one, two = rows(30, 5.0), rows(30, 4.0)
    name = "the_query_in_front_lifts_a_random_passage"
    both = [pl.concat([each, each.with_columns(ranker=pl.lit("use"))]) for each in (one, two)]
    print_settled(settle({name: CLAIM, "again": CLAIM}, long=both[0], short=both[1]), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{name}:" and lines[4] == "again:"
    assert [line.split()[0] for line in lines[2:4]] == ["labse", "use"]
    assert lines[0].split()[0] == "group" and max(map(len, lines)) <= 80
    print_settled(settle({name: CLAIM}, long=both[0], short=both[1]), {}, {name: 1.5})
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("supported, within 1.5") and max(map(len, lines)) <= 80


def test_identical_arms_have_no_interval(capsys):
    same = rows(30, 5.0, text="one")
    print_settled(settle({"claim": CLAIM}, long=same, short=same), {})
    assert capsys.readouterr().out.splitlines()[2].split() == (
        ["labse", "+0.000", "-", "30", "-", "identical"]
    )


def test_queries_of_one_arm_alone_are_left_out():
    found = settle({"claim": CLAIM}, long=rows(30, 5.0), short=rows(20, 4.0))
    assert found["claim"]["labse"]["n"] == 20


def test_a_value_stands_against_every_query_that_counts():
    """Ten wins and two losses of twelve answerable queries: 0.833 against 0.5."""
    fdaro = [1.0] * 10 + [0.0] * 2 + [None] * 8
    claim = {"metric": "fdaro", "a": "even_odds", "b": "long", "expect": "higher"}
    found = settle({"claim": claim}, long=rows(20, 1.0, fdaro=fdaro))["claim"]["labse"]
    assert (found["base"], found["n"]) == (0.5, 12)
    # Wilson's of 10 of 12, less 0.5.
    assert (found["low"], found["high"]) == pytest.approx((0.552 - 0.5, 0.953 - 0.5), abs=5e-4)
    assert found["difference"] == pytest.approx(10 / 12 - 0.5)


def test_arms_that_share_no_query_are_an_error_that_names_them():
    other = rows(3, 1.0).with_columns(query_id="x" + pl.col("query_id"))
    with pytest.raises(InputError, match="in both arm long and arm short"):
        settle({"claim": CLAIM}, long=rows(3, 1.0), short=other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "nobody"}, "claim bold: a is nobody, not one of"),
        ({"b": "shrt"}, r"b is shrt, .*did you mean short\?"),
        ({"metric": "bleu"}, "claim bold: metric is bleu"),
        ({"expect": "better"}, "claim bold: expect is better, not one of lower, higher"),
        ({"cannot_differ": "so"}, r"cannot_differ: must be like \{GROUP: the reason\}, not so"),
        ({"cannot_differ": {"use": 5}}, "cannot_differ: use: the reason must be text, not 5"),
        ({"because": "so"}, "claim bold: must have claim, metric, a, b, expect, but has"),
        ({"why": 5}, "claim bold: why must be one text, not 5"),
        ({"a": "even_odds", "b": "even_odds"}, "both arms are plain values"),
        (
            {"metric": ["average_loc"]},
            r"claim bold: metric must be one text, not \['average_loc'\]",
        ),
        ({"claim": None}, "claim bold: claim must be one text, not None"),
    ],
    ids=str,
)
def test_a_claim_that_cannot_be_settled_is_named(tmp_path, change, message):
    path = tmp_path / "claims.yaml"
    claim = {"claim": "It is so.", **CLAIM}
    path.write_text(yaml.safe_dump({"arms": ARMS, "claims": {"bold": claim | change}}))
    with pytest.raises(InputError, match=message):
        read_claims(path, LAYOUT, {"gen": {"max_len": 150}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arms: {a: {}}", "no claims: by name"),
        ("arms: {a: {}}\nclaims:", "no claims: by name"),
        ("arms: {a: {}}\nclaims: [x]", "no claims: by name"),
        ("claims: {}", "no arms: by name"),
        ("arms: {}\nclaims: {}", "arms: is empty"),
        ("arms: {50: {}}\nclaims: {}", "arms: 50 is no name; put it in quotes"),
        ("arms: {a: }\nclaims: {}", "arm a: must be params"),
        ("arms: {a: {}}\nclaims: {x: }", "claim x: must have claim, .*, but has None"),
        ("arms: {a: {}}\nclaims: {}\nheadlines: 5", "headlines: must be a list of claims, not 5"),
        ("arms: {a: {}}\nclaims: {}\nheadlines: [x]", "headlines: no claim x"),
        ("arms: {a: {}}\nclaims: {}\npublished:", "published: must have n, columns"),
    ],
)
def test_a_claims_yaml_without_what_it_needs_is_an_error_that_names_it(tmp_path, text, message):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"claims.yaml: {message}"):
        read_claims(path, LAYOUT, {"gen": {"max_len": 150}})


def test_a_claims_yaml_may_have_arms_alone(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("arms: {a: {}}\nclaims: {}\nheadlines:")
    assert read_claims(path, LAYOUT, {})["claims"] == {}


def test_every_arm_of_the_flagship_is_in_a_claim_that_can_be_settled():
    assert arms_without_claim(ROOT) == set()


def test_the_tables_of_the_flagships_arms_are_outputs_and_their_probes_are_made():
    content = yaml.safe_load((ROOT / "claims.yaml").read_text(encoding="utf-8"))
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    tables = [arm for arm in content["arms"].values() if "table" in arm]
    assert {arm["table"] for arm in tables} <= {out for out in outs if isinstance(out, str)}
    for arm in tables:
        length, probe = arm["where"].get("max_len"), arm["where"].get("probe", "")
        assert length is None or length % params["lengths"]["step"] == 0
        family, _, number = probe.rpartition("_")
        if family in ("query_repeated", "selected_cut"):
            key = {"query_repeated": "repeats", "selected_cut": "cut_tokens"}[family]
            assert int(number) in params["probe"][key]


# ---- the program


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a pipeline on whose commit the arms `one` and `default` have been run."""
    folder = make_repository(tmp_path_factory.mktemp("claims") / "project")
    head = call(folder, "git", "rev-parse", "HEAD").strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/claim-tiny-default"
    call(folder, "git", "update-ref", ref, "HEAD")
    return folder


CLAIMS = """
arms:
  default: {}
  one: {rows.shift: 1}
  later: {rows.shift: 2}
  odd: {table: data/kinds.parquet, where: {kind: odd}}
  even: {table: data/kinds.parquet, where: {kind: even}}
claims:
  shift: {claim: Worse., metric: mean_place, a: default, b: one, expect: higher}
  kinds: {claim: Odd rows are worse., metric: mean_place, a: default, b: odd, expect: higher}
  more: {claim: More costs more., metric: mean_place, a: one, b: later, expect: higher}
  evens: {claim: Even rows are worse., metric: mean_place, a: default, b: even, expect: higher}
"""
SAME_UNITS = HEAD.replace("  units_from: data/kinds.parquet\n", "")


def test_without_a_command_what_was_run_is_settled_and_written(repository, monkeypatch):
    enter(repository, monkeypatch)
    Path("claims.yaml").write_text(SAME_UNITS + CLAIMS)
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    assert result.exit_code == 0
    written = json.loads(Path("metrics/claims.json").read_text())
    assert set(written["arms"]) == {"default", "one"}
    settled = written["claims"]
    assert settled["shift"]["strict"]["verdict"] == "supported"
    assert settled["shift"]["strict"]["difference"] == 0.5
    assert settled["shift"]["kind"]["verdict"] == "cannot be tested here"
    assert settled["kinds"]["strict"]["difference"] == 0.0
    assert settled["more"] == {}
    lines = result.output.splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "group B - A 95 % interval pairs Holm p verdict",
        "shift:",
        "strict +0.500 [+0.343, +0.657] 40 < .0002 supported",
    ]
    assert "dvc repro -f -s report" in lines.pop()  # the page shows the claims before
    assert lines[-5:] == [
        "more: not run: arm later",
        "evens: not run: arm even",
        "Not run:",
        "arm later: no claim-tiny-later yet; run `python -m genlab claims run`",
        "arm even: no row with kind even; there are odd, plain",
    ]
    assert not Path("metrics/published.json").exists()


def test_every_arm_is_run_and_read_once_per_training(repository, monkeypatch):
    """claim-tiny-default-1 is the run of shift 1; of the arm `one` there is no second training."""
    enter(repository, monkeypatch)
    head = call(repository, "git", "rev-parse", "HEAD").strip()
    refs = f"refs/exps/{head[:2]}/{head[2:]}"
    call(repository, "git", "update-ref", f"{refs}/claim-tiny-default-1", f"{refs}/claim-tiny-one")
    seeds = "trainings: {params: [rows.shift], values: [0, 1]}\n"
    Path("claims.yaml").write_text(SAME_UNITS + seeds + CLAIMS)
    try:
        result = CliRunner().invoke(app, [], catch_exceptions=False)
    finally:
        call(repository, "git", "update-ref", "-d", f"{refs}/claim-tiny-default-1")
    written = json.loads(Path("metrics/claims.json").read_text())
    assert written["claims"]["kinds"]["strict"]["n_trainings"] == 2
    assert set(written["arms"]["default"]["strict"]["mean_place"]["error_from"]) == {
        "units",
        "sampling",
        "training",
    }
    where = written["rows"]["odd"]
    assert (where["path"], where["where"]) == ("data/kinds.parquet", {"kind": "odd"})
    assert len(set(where["md5"].values())) == 2
    assert "Intervals and p are for other pairs and trainings: 2 were made" in result.output
    assert "Where the squared error of one training's mean_place comes from:" in result.output


def test_an_arm_with_fewer_trainings_is_named(repository, monkeypatch):
    enter(repository, monkeypatch)
    seeds = "trainings: {params: [rows.shift], values: [0, 5]}\n"
    Path("claims.yaml").write_text(SAME_UNITS + seeds + CLAIMS)
    output = CliRunner().invoke(app, [], catch_exceptions=False).output
    assert "Fewer trainings:" in output
    assert "arm default: 1 of 2 trainings: no claim-tiny-default-5 yet; run" in output


def test_arms_made_from_other_units_are_not_paired(repository, monkeypatch):
    enter(repository, monkeypatch)
    Path("claims.yaml").write_text(HEAD + CLAIMS)  # shift changes data/kinds.parquet, too
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    settled = json.loads(Path("metrics/claims.json").read_text())["claims"]
    assert settled["shift"] == {}
    assert settled["kinds"]["strict"]["difference"] == 0.0
    assert "shift: not run: data/kinds.parquet differs between default and one" in result.output


def test_claims_are_checked_against_the_committed_params(repository, monkeypatch):
    enter(repository, monkeypatch)
    Path("claims.yaml").write_text(HEAD + "arms: {a: {rows.more: 1}}\nclaims: {}")
    written = Path("params.yaml").read_text()
    Path("params.yaml").write_text("rows: {shift: 0, more: 0}")
    try:
        with pytest.raises(InputError, match=r"arm a: params.yaml has no rows.more"):
            CliRunner().invoke(app, [], catch_exceptions=False)
    finally:
        Path("params.yaml").write_text(written)


def test_where_every_arm_failed_that_is_what_is_said(repository, monkeypatch):
    enter(repository, monkeypatch)
    Path("claims.yaml").write_text(HEAD + CLAIMS)
    names = ["claim-tiny-default", "claim-tiny-one", "claim-tiny-later"]
    monkeypatch.setattr(program, "run_arms", lambda *inputs: (names, names))
    monkeypatch.setattr(program, "settle", lambda *inputs: pytest.fail("nothing to settle"))
    with pytest.raises(InputError, match=r"one, claim-tiny-later failed; .*dvc queue logs claim"):
        CliRunner().invoke(app, ["run"], catch_exceptions=False)


def test_where_nothing_was_run_it_says_what_runs_it(repository, monkeypatch):
    enter(repository, monkeypatch)
    Path("claims.yaml").write_text(HEAD + CLAIMS)
    made = Path("make.py").read_text()
    Path("make.py").write_text(f"{made}other = 1\n")
    call(repository, "git", "commit", "--quiet", "--message", "code", "make.py")
    try:
        record = Path("metrics/claims.json")
        record.parent.mkdir(exist_ok=True)
        for minutes in (0, 7):
            record.write_text(json.dumps({"minutes": minutes}) if minutes else "{}")
            with pytest.raises(InputError) as caught:
                CliRunner().invoke(app, [], catch_exceptions=False)
            told = "; the last time it took 7 minutes" if minutes else ""
            assert str(caught.value) == (
                "no arm has been run by this code with the params of claims.yaml; "
                f"`python -m genlab claims run` makes all 3 runs{told}"
            )
    finally:
        call(repository, "git", "reset", "--quiet", "HEAD~1")
        Path("make.py").write_text(made)
