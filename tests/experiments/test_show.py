import json
import re
from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.experiments import show
from genlab.experiments.lineage import content_at
from genlab.experiments.show import (
    NEXT,
    as_text,
    is_of_another_folder,
    read_runs,
    scores_of,
    shortened,
    workspace_doubt,
)
from tests.project_copy import ROOT, change_params, commit, start_git
from tests.tiny_pipeline import enter, make_repository

SCORES = {"labse": {"average_loc": 3.35612, "top_1": 0.35}, "texts": {"n": 7}}
OTHER = {"labse": {"average_loc": 3.4, "top_1": 0.36}, "use": {"average_loc": 2.0}}
PARAMS = {"gen.max_len": 150, "gen.seed": 17}
RUNS = {
    "workspace": (SCORES, PARAMS),
    "HEAD": (SCORES, PARAMS),
    "len-1": (OTHER, PARAMS | {"gen.max_len": 50}),
}


def test_a_line_per_run_has_the_metric_in_every_group_and_what_was_changed():
    assert [line.split() for line in as_text(RUNS, "average_loc").splitlines()] == [
        ["average_loc"],
        ["run", "labse", "use"],
        ["workspace", "3.356", "-"],
        ["HEAD", "3.356", "-"],
        ["len-1", "3.400", "2.000"],
        ["len-1:", "gen.max_len=50"],
        NEXT.split(),
    ]
    alone = {name: RUNS[name] for name in ("workspace", "HEAD")}
    assert NEXT not in as_text(alone, "average_loc")  # there is nothing to compare


def test_a_metric_may_have_an_interval_and_no_group():
    content = {"recall": {"value": 0.5, "low": 0.4}, "a": {"recall": {"value": 0.75, "low": 0.1}}}
    assert scores_of(content, "recall") == {"": 0.5, "a": 0.75}
    assert scores_of(content, "low") == {"recall": 0.4, "a.recall": 0.1}


def test_a_group_shows_its_metrics_and_a_path_one_of_them():
    content = {"arms": {"one": {"truth": {"value": 0.5, "low": 0.4}, "kl": 2.0}}, "kl": 1.0}
    assert scores_of(content, "arms.one.truth") == {"": 0.5, "low": 0.4}
    assert scores_of(content, "arms.one.kl") == {"": 2.0}
    assert scores_of(content, "arms") == {"one.truth": 0.5, "one.truth.low": 0.4, "one.kl": 2.0}
    assert scores_of(content, "arm") == scores_of(content, "arms.on") == {}


@pytest.mark.parametrize(
    "sweep",
    [path.relative_to(ROOT) for path in sorted(ROOT.glob("sweeps/*.sh"))]
    + [path.relative_to(ROOT) for path in sorted(ROOT.glob("pipelines/*/sweeps/*.sh"))],
    ids=str,
)
def test_a_sweep_shows_what_the_committed_run_has(sweep):
    content = json.loads((ROOT / sweep.parents[1] / show.SCORES).read_text())
    for metric in re.findall(r"^METRIC=(\S+)", (ROOT / sweep).read_text(), re.M):
        assert metric == "none" or scores_of(content, metric)


def test_an_unknown_metric_is_an_error_that_names_those_there_are():
    with pytest.raises(InputError, match=r"no?ne of this name; did you mean top_1\?; there are av"):
        as_text(RUNS, "top1")


def test_numbers_have_three_decimals_and_counts_and_words_stay():
    cells = [3.35612, 150, "tuned", True, None]
    assert [shortened(cell) for cell in cells] == ["3.356", "150", "tuned", "True", "-"]


def test_however_many_groups_and_params_there_are_it_fits_80_columns():
    arms = {f"lora_low_ratings_{i}": {"rating": 0.1 * i} for i in range(9)}
    params = {f"some.param_{i}": i for i in range(30)}
    runs = {"HEAD": (arms, {}), "workspace": (arms, {}), "claim-reviews-x": (arms, params)}
    lines = as_text(runs, "rating").splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("run ") for line in lines) == 3
    assert "0.800" in " ".join(lines) and "some.param_29=29" in lines[-2]


def test_a_workspace_with_scores_of_other_params_is_warned_of_as_compare_does(
    tmp_path, monkeypatch
):
    folder = make_repository(tmp_path / "project")
    enter(folder, monkeypatch)
    monkeypatch.setattr(show, "SCORES", Path("data/rows.parquet"))
    assert workspace_doubt() == ""
    change_params(folder, {"rows.shift": 33})
    words = " ".join(workspace_doubt().split())
    assert words == (
        "warning: params.yaml of the workspace was changed after the run that made its rows "
        "(stage rows); run `dvc repro`"
    )
    assert max(map(len, workspace_doubt().splitlines())) <= 80
    Path("params.yaml").write_text("rows: {}\n")
    assert "rows.shift" in workspace_doubt()


def test_scores_and_params_are_read_from_git_and_from_the_workspace(tmp_path, monkeypatch):
    enter(tmp_path, monkeypatch)
    Path("metrics").mkdir()
    Path("metrics/score.json").write_text(json.dumps(SCORES))
    Path("params.yaml").write_text("gen: {max_len: 150}")
    start_git(tmp_path)
    monkeypatch.setattr("genlab.experiments.show.experiments_of_head", lambda: {"gone": "HEAD~1"})
    Path("params.yaml").write_text("gen: {max_len: 50}")
    runs = read_runs()
    Path("params.yaml").write_text("gen: {max_len: 50")
    with pytest.raises(InputError, match=r"params.yaml of the workspace: not YAML: .*line 1"):
        read_runs()
    Path("params.yaml").write_text("gen: {max_len: 50}")
    for broken, said in (("", "it is empty"), ('{"labse": ', "no JSON"), ("[1]", "a list, not")):
        Path("metrics/score.json").write_text(broken)
        with pytest.raises(InputError, match=rf"^metrics/score.json: {said}.*; run `dvc repro`"):
            read_runs()
    Path("metrics/score.json").write_text(json.dumps(SCORES))
    assert runs["HEAD"] == (SCORES, {"gen.max_len": 150})
    assert runs["workspace"][1] == {"gen.max_len": 50}
    assert list(runs) == ["workspace", "HEAD"]  # no such commit, as no scores in it
    commit(tmp_path)
    Path("elsewhere").write_text("another pipeline's")
    commit(tmp_path)
    assert is_of_another_folder("HEAD~1") and not is_of_another_folder("HEAD~2")
    assert not is_of_another_folder("HEAD")
    assert content_at("params.yaml", "HEAD~2") == b"gen: {max_len: 150}"
