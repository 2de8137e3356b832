import json
import subprocess
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.experiments import compare as module
from genlab.experiments.compare import app, changed_params
from genlab.experiments.verdict_words import count_tests
from tests.project_copy import ROOT, environment
from tests.tiny_pipeline import enter, make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("compare") / "project")


@pytest.fixture
def compare(repository, monkeypatch):
    """Return a function that runs the program in the pipeline's folder."""
    enter(repository, monkeypatch)
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_params_that_differ_are_listed_and_those_of_one_side_too():
    base = {"gen": {"max_len": 150, "seed": 17}, "old": {"x": 1}}
    other = {"gen": {"max_len": 50, "seed": 17}, "new": {"y": []}}
    assert changed_params(base, other) == {
        "gen.max_len": (150, 50),
        "old.x": (1, "-"),
        "new.y": ("-", []),
    }


def test_what_was_changed_and_what_it_changed_are_told(compare):
    """Twenty of forty units are one place worse: 5.5 -> 6.0; those at 5 lose `good`: 4 of 40."""
    lines = compare("HEAD", "claim-tiny-one").output.splitlines()
    assert lines[0].startswith("BASE: HEAD (") and "OTHER: claim-tiny-one (" in lines[0]
    assert lines[1] == "changed: rows.shift 0 -> 1"
    assert "strict, kind: 40 pairs by unit; none unpaired" in lines
    strict = lines.index(next(line for line in lines if line.startswith("strict   ")))
    place, good = lines[strict + 1].split(), lines[strict + 2].split()
    assert place[:4] == ["mean_place", "5.500", "6.000", "+0.500"]
    assert place[-1] == "worse"
    # 2 of 20 lose it, all one way: 2 (1/2)^2 = 0.5; by Holm with three others at least as small 1.
    assert good[:4] == ["good", "0.500", "0.450", "-0.050"]
    assert good[6] == "0.5000"  # Holm: of two tests the second
    assert lines[strict + 2].endswith("not settled (190)")
    assert "for 2 tests, one for each row in which any pair differs" in " ".join(lines)
    kind = next(i for i, line in enumerate(lines) if line.startswith("kind  "))
    assert lines[kind + 1].endswith("identical")


def test_one_test_is_no_tests():
    assert (count_tests(1), count_tests(2)) == ("1 test", "2 tests")


def test_what_so_many_pairs_detect_is_told_only_where_it_can_be(compare):
    """Two rows differ: (z of 1 - 0.05 / 4 = 2.2414) + 0.8416; sd of twenty 1 and 0 each 0.50637."""
    found = json.loads(compare("HEAD", "claim-tiny-one", "--json").output)["differences"]
    places = [each for each in found if each["metric"] == "mean_place"]
    assert places[0]["detectable"] == pytest.approx(3.0830 * 0.50637 / 40**0.5, abs=5e-5)
    assert places[0]["least_p"] == pytest.approx(2 / 10_001)
    assert places[1]["detectable"] is None and places[1]["verdict"] == "identical"


def test_without_other_the_workspace_is_compared(compare):
    with_name, without = compare("HEAD", "claim-tiny-one"), compare("HEAD")
    assert "OTHER: the workspace" in without.output
    assert compare("HEAD", "workspace").output == without.output
    assert without.output.splitlines()[3:] == with_name.output.splitlines()[3:]


def test_the_table_fits_a_terminal_of_80_columns(compare):
    for base in ("HEAD", "unrun"):  # the latter with long warnings
        assert max(map(len, compare(base).output.splitlines())) <= 80


def test_other_data_behind_the_units_and_params_without_a_run_are_warned_of(compare):
    words = " ".join(compare("unrun", "claim-tiny-one").output.split())
    assert "warning: params.yaml of unrun was changed after the run that made its rows" in words
    assert "(stage rows)" in words
    assert "warning: data/kinds.parquet differs" in words
    assert "warning" not in compare("HEAD", "HEAD").output


def test_markdown_has_the_group_in_its_own_column(compare):
    lines = compare("HEAD", "--md").output.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table[0].startswith("| group | metric | BASE | OTHER | diff |")
    assert len(table) == 2 + 4
    assert len({line.count("|") for line in table}) == 1
    assert "- changed: `rows.shift 0 -> 1`" in lines


def test_json_has_everything(compare):
    report = json.loads(compare("HEAD", "--json").output)
    assert report["changed"] == {"rows.shift": [0, 1]}
    assert report["gates_missed"] == []
    found = report["differences"][0]
    assert (found["group"], found["metric"], found["n"]) == ("strict", "mean_place", 40)
    assert found["difference"] == 0.5
    assert found["low"] < 0.5 < found["high"]


def test_a_gate_that_is_not_met_ends_with_3_and_says_why(compare):
    result = compare("HEAD", "--gate", "strict.mean_place<=0.1", "--gate", "kind.good>=0")
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "gate not met: strict.mean_place<=0.1: difference is 0.5, 0.4 above the limit"
    ]
    assert compare("HEAD", "--gate", "strict.mean_place<=0.5").exit_code == 0


def test_a_misspelt_gate_or_revision_is_an_error_before_any_table(compare):
    with pytest.raises(InputError, match=r"no group strickt on both sides; did you mean strict\?"):
        compare("HEAD", "--gate", "strickt.mean_place<=0.1")
    with pytest.raises(InputError, match="nowhere: no such commit"):
        compare("nowhere")
    tree = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], capture_output=True, text=True)
    with pytest.raises(InputError, match="a tree of git's, no commit; `git log`"):
        compare(tree.stdout.strip())
    for words in (("",), ("HEAD", ""), ("HEAD,",)):
        with pytest.raises(InputError, match="names a run without a name"):
            compare(*words)


def test_two_outputs_at_once_are_refused(compare):
    with pytest.raises(InputError, match="choose one"):
        compare("HEAD", "--md", "--json")


def test_units_and_groups_of_one_side_are_told(compare, repository):
    path = repository / "data/rows.parquet"
    whole = pl.read_parquet(path)
    path.unlink()  # it may be a link into the cache
    strict = whole.filter(judge="strict")
    changed = strict.slice(5).with_columns(
        good=pl.when(pl.col("unit") != "u39").then("good"),
        unit=pl.when(pl.col("unit") == "u38").then(pl.lit("new")).otherwise("unit"),
    )
    changed.write_parquet(path)
    try:
        words = " ".join(compare("HEAD").output.split())
    finally:
        path.unlink()
        whole.write_parquet(path)
    assert "strict: 34 pairs by unit; 6 only in BASE; 1 only in OTHER" in words
    assert "good over 33 (a value in BASE alone: 1)" in words
    assert "kind: not compared, only in BASE" in words


def test_as_a_program_it_passes_the_exit_code_on_and_prints_no_traceback(repository):
    command = ["python", "-m", "genlab.experiments.compare", "HEAD", "--gate"]
    env = environment(repository) | {"PYTHONPATH": str(ROOT)}
    run = {"cwd": repository, "env": env, "capture_output": True, "text": True}
    missed = subprocess.run([*command, "strict.mean_place<0"], **run)
    assert missed.returncode == 3
    wrong = subprocess.run([*command, "strict.mean_place=0"], **run)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: --gate strict.mean_place=0: must be like")
    assert wrong.stdout == ""


def test_runs_of_other_processors_or_packages_are_warned_of(monkeypatch):
    """A run without a receipt is passed over; a third package and more are counted."""
    intel = {"hardware": {"maker": "GenuineIntel", "flags": ["fma"]}, "packages": {"torch": "1"}}
    amd = {"hardware": {"maker": "AuthenticAMD", "flags": []}, "packages": {"torch": "1"}}
    other = {"a": "1", "b": "1", "c": "1", "torch": "2"}
    receipts = {"HEAD": intel, "again": intel, "amd": amd, "new": intel | {"packages": other}}
    monkeypatch.setattr(module, "has_file", lambda path, run: run in receipts)
    monkeypatch.setattr(module, "read_bytes", lambda path, run: json.dumps(receipts[run]).encode())
    assert module.doubt_of_machines(["HEAD", "again", "file.csv"]) is None
    assert "other means (maker GenuineIntel, AuthenticAMD), which alone can turn sampled" in (
        module.doubt_of_machines(["HEAD", "amd"])
    )
    said = module.doubt_of_machines(["HEAD", "new"])
    assert "(torch 1, 2; a none, 1; b none, 1; 1 more), which" in said
