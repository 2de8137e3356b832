"""Which stages a table comes from, by a lock's own paths."""

from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.experiments import lineage
from genlab.experiments.lineage import (
    came_to_the_same,
    command,
    current_commit,
    hash_of_another,
    idle_stages,
    is_same_code,
    made_as_by_head,
    makers,
    md5_of,
    stages_at,
    stages_on_the_way,
)
from tests.project_copy import commit, start_git


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


def test_a_stage_that_another_seed_made_the_same_is_idle(monkeypatch):
    def lock(seed: int) -> dict[str, dict]:
        """Return a lock in which the seed is told to three stages and moves one of them."""
        names = {"base": "base", "tuned": f"tuned {seed}", "told": f"told {seed}", "plain": "plain"}
        stages = {
            name: {"cmd": f"make {name} {seed}", "deps": [{"path": "data/corpus", "md5": "c"}]}
            | {"outs": [{"path": f"data/{name}", "md5": content}]}
            for name, content in names.items()
        }
        stages["plain"]["cmd"] = "make plain"
        read = [{"path": f"data/{name}"} for name in ("base", "tuned", "plain")]
        return stages | {"score": {"cmd": "score", "deps": read, "outs": []}}

    locks = {"one": lock(17), "two": lock(18)}
    monkeypatch.setattr(lineage, "stages_at", lambda name, commit: locks[commit])
    assert idle_stages(["one", "two"]) == ["base"]
    assert idle_stages(["one"]) == idle_stages([]) == []


def test_a_name_that_only_begins_alike_is_another_output():
    assert makers(LOCK, "data/fetch") == {"fetch"}
    assert makers(LOCK, "data/fet") == set()
    assert makers(LOCK, "data") == set(LOCK) - {"report"}


def test_a_stage_of_a_foreach_has_its_command_below():
    assert command({"foreach": "${arms}", "do": {"cmd": "train ${key}"}}) == "train ${key}"
    assert command({"cmd": "score"}) == "score"
    assert command(None) is None


def test_what_the_flagship_made_is_known_by_its_lock(tmp_path, monkeypatch):
    """A pipeline's dep on it is in no git and in no lock of the pipeline's own."""
    folder = tmp_path / "project/pipelines/one"
    folder.mkdir(parents=True)
    lock = {"stages": {"train": {"outs": [{"path": "data/train", "md5": "c0ffee.dir"}]}}}
    (tmp_path / "project/dvc.lock").write_text(yaml.safe_dump(lock))
    start_git(tmp_path / "project")
    monkeypatch.chdir(folder)
    assert hash_of_another("../../data/train", "HEAD") == "c0ffee.dir"
    assert hash_of_another(str(tmp_path / "project/data/train"), "HEAD") == "c0ffee.dir"
    assert hash_of_another("../../data/other", "HEAD") is None
    assert hash_of_another("data/train", "HEAD") is None


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
@pytest.mark.parametrize("text", ["stages: [", "[1]", "stages: [1]"])
def test_a_broken_file_of_a_commit_is_named_with_it(tmp_path, monkeypatch, name, text):
    (tmp_path / name).write_text(text)
    start_git(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{name} of {current_commit()[:7]}: .*commit it"):
        stages_at(name, current_commit())


MODULE = '''"""Add."""

ONE = 1  # a number


def add(a):
    """Add one."""
    return a + ONE
'''


@pytest.mark.parametrize(
    ("today", "is_same"),
    [
        (MODULE.replace("Add one.", "Return the next number."), True),
        (MODULE.replace("# a number", "# the first"), True),
        (MODULE.replace("ONE = 1", "ONE = (1)"), True),
        (MODULE.replace('    """Add one."""\n', ""), True),
        (MODULE.replace("ONE = 1", "ONE = 2"), False),
        (MODULE.replace("return a + ONE", 'return "a" + ONE'), False),
        (MODULE + "print(add(1))\n", False),
        (MODULE.replace("def add(a):", "def add(a"), False),
    ],
)
def test_prose_that_is_put_right_makes_no_table_old(tmp_path, monkeypatch, today, is_same):
    stages = {
        "score": {"cmd": "python add.py", "deps": [{"path": "add.py"}], "outs": ["score.parquet"]}
    }
    lock = {"score": stage([], ["score.parquet"])}
    lock["score"]["deps"] = [{"path": "add.py", "md5": md5_of(MODULE.encode())}]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}))
    (tmp_path / "add.py").write_text(MODULE)
    start_git(tmp_path)
    monkeypatch.chdir(tmp_path)
    then = current_commit()
    (tmp_path / "add.py").write_text(today)
    commit(tmp_path)
    assert made_as_by_head(Path("score.parquet"), then) is is_same


def made(cmd: str, table: str, **deps: str) -> dict:
    """Return a locked stage that made the table of this hash."""
    entries = [{"path": path.replace("_", "."), "md5": md5} for path, md5 in deps.items()]
    return {"cmd": cmd, "deps": entries, "outs": [{"path": "score.parquet", "md5": table}]}


@pytest.mark.parametrize(
    ("now", "is_same"),
    [
        (made("score 17", "ab", add_py="new", in_csv="one"), True),
        (made("score 17", "ab", add_py="new", in_csv="one", more_py="two"), True),
        (made("score 17", "ba", add_py="new", in_csv="one"), False),
        (made("score 18", "ab", add_py="new", in_csv="one"), False),
        (made("score 17", "ab", add_py="new", in_csv="two"), False),
        (made("score 17", "ab", add_py="new", in_csv="one") | {"params": {"a": 1}}, False),
        (None, False),
    ],
)
def test_other_code_that_came_to_the_same_makes_no_table_old(now, is_same):
    then = made("score 17", "ab", add_py="old", in_csv="one")
    assert came_to_the_same(then, now, {"score.parquet"}) is is_same


def test_a_metric_that_nothing_reads_on_the_way_may_differ():
    then, now = (made("score 17", "ab", add_py=code) for code in ("old", "new"))
    for stage, md5 in ((then, "11"), (now, "12")):
        stage["outs"].append({"path": "metrics/score.json", "md5": md5})
    assert came_to_the_same(then, now, {"score.parquet"})
    assert not came_to_the_same(then, now, {"score.parquet", "metrics"})


def test_a_stage_run_again_by_other_code_keeps_what_earlier_runs_made(tmp_path, monkeypatch):
    """The fetch of HEAD has other code and the same outcome; the score of its own param is kept."""
    fetch, score = made("fetch", "11", add_py="old"), made("score 18", "ab", in_csv="11")
    fetch["outs"][0]["path"] = "in.csv"
    stages = {"fetch": {"cmd": "fetch"}, "score": {"cmd": "score ${seed}"}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    lock = {"stages": {"fetch": fetch, "score": score}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    (tmp_path / "add.py").write_text("ONE = 1")
    start_git(tmp_path)
    monkeypatch.chdir(tmp_path)
    then = current_commit()
    (tmp_path / "add.py").write_text("ONE = 1 + 0")
    lock["stages"]["score"] = made("score 17", "cd", in_csv="11")

    def is_as_by_head_after(read: str, wrote: str) -> bool:
        fetch["deps"][0]["md5"], fetch["outs"][0]["md5"] = read, wrote
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
        commit(tmp_path)
        return made_as_by_head(Path("score.parquet"), then)

    new = md5_of(b"ONE = 1 + 0")
    assert is_as_by_head_after(new, "11")
    assert not is_as_by_head_after(new, "12")
    assert not is_as_by_head_after("old", "11")  # not run again yet


def test_a_run_that_did_not_read_a_module_that_head_reads_is_of_other_code(tmp_path, monkeypatch):
    stages = {"score": {"cmd": "score ${seed}"}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "add.py").write_text("ONE = 1")
    (tmp_path / "more.py").write_text("TWO = 2")
    add, more = md5_of(b"ONE = 1"), md5_of(b"TWO = 2")

    def lock(**stage) -> None:
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"score": made(**stage)}}))

    lock(cmd="score 18", table="ab", add_py=add)
    start_git(tmp_path)
    monkeypatch.chdir(tmp_path)
    then = current_commit()
    lock(cmd="score 17", table="cd", add_py=add)
    commit(tmp_path)
    assert made_as_by_head(Path("score.parquet"), then)
    lock(cmd="score 17", table="cd", add_py=add, in_csv="of another arm")
    commit(tmp_path)
    assert made_as_by_head(Path("score.parquet"), then)
    lock(cmd="score 17", table="cd", add_py=add, more_py=more)
    commit(tmp_path)
    assert not made_as_by_head(Path("score.parquet"), then)


def test_a_module_that_the_run_did_not_read_as_its_commit_has_it_is_not_compared(
    tmp_path, monkeypatch
):
    (tmp_path / "add.py").write_text(MODULE)
    start_git(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert is_same_code("add.py", md5_of(MODULE.encode()), "HEAD", "HEAD")
    assert not is_same_code("add.py", md5_of(b"ONE = 3"), "HEAD", "HEAD")
