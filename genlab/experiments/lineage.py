"""Whether an earlier run's table was made as this commit would make it.

A run's dvc.lock holds the command and the hash of every dep of every stage. An earlier run's table
counts as this commit's if, for all stages that lead to it, the commands in dvc.yaml and the files
that no stage makes are the same as now. Of a module only the code is compared: a corrected comment
or docstring does not make an experiment outdated. Nor does changed code in a stage that has since
been run again, by the same command on the same data, with the same outputs. Params are not
compared: they differ between arms by design.
"""

import ast
import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from genlab.core.pipeline import parse_lock, parse_stages
from genlab.experiments.revisions import parse_params

CHECK = "check"  # reads whole folders, and puts nothing of them into what the others read
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def made_as_by_head(table: Path, commit: str) -> bool:
    """Return whether `commit`'s run made this pipeline's table as HEAD would make it."""
    head = current_commit()
    if commit == head:
        return True
    then, now = stages_at("dvc.lock", commit), stages_at("dvc.lock", head)
    written_then, written_now = stages_at("dvc.yaml", commit), stages_at("dvc.yaml", head)
    of_head = {dep["path"]: dep.get("md5") for each in now.values() for dep in each.get("deps", [])}
    needed = list(stages_on_the_way(then, table.as_posix()))
    read = {dep["path"] for name in needed for dep in then[name].get("deps", [])}
    read.add(table.as_posix())
    for name in needed:
        entry = name.partition("@")[0]
        if command(written_then.get(entry)) != command(written_now.get(entry)):
            return False
        if came_to_the_same(then[name], now.get(name), read) and was_run_at(head, now[name]):
            continue
        if name in now and modules_read(then[name]) != modules_read(now[name]):
            return False
        for dep in then[name].get("deps", []):
            path = dep["path"]
            if makers(then, path):
                continue
            now_is = hash_at(path, head) or of_head.get(path) or hash_of_another(path, head)
            if dep.get("md5") != now_is and not is_same_code(path, dep.get("md5"), commit, head):
                return False
    return bool(needed) or not makers(now, table.as_posix())  # then reading it says why


def modules_read(stage: dict) -> set[str]:
    """Return the paths of the modules among a locked stage's deps."""
    return {dep["path"] for dep in stage.get("deps", []) if dep["path"].endswith(".py")}


def came_to_the_same(then: dict, now: dict | None, read: set[str]) -> bool:
    """Return whether two runs of a stage read and wrote the same data by the same command.

    read: only outputs among these paths are compared. The code may differ, as it made no difference
    on these data.
    """
    return now is not None and what_it_did(then, read) == what_it_did(now, read)


def was_run_at(commit: str, stage: dict) -> bool:
    """Return whether the commit's git files among a locked stage's deps are those it read."""
    return all(hash_at(d["path"], commit) in (None, d.get("md5")) for d in stage.get("deps", []))


def what_it_did(stage: dict, read: set[str]) -> tuple:
    """Return a locked stage's command, params, and hashes of its data: all but its modules."""
    deps, outs = (
        {entry["path"]: entry.get("md5") for entry in stage.get(kind, [])}
        for kind in ("deps", "outs")
    )
    data = {path: md5 for path, md5 in deps.items() if not path.endswith(".py")}
    written = {path: md5 for path, md5 in outs.items() if any(overlap(path, r) for r in read)}
    return stage.get("cmd"), stage.get("params"), data, written


@lru_cache(maxsize=4096)
def is_same_code(path: str, md5: str | None, then: str, now: str) -> bool:
    """Return whether a module that a run read (md5) differs from today's in prose alone."""
    read, today = content_at(path, then), content_at(path, now)
    if not path.endswith(".py") or not read or not today or md5_of(read) != md5:
        return False
    try:
        return code_of(read) == code_of(today)
    except SyntaxError:
        return False


def code_of(module: bytes) -> str:
    """Return a module's syntax tree without docstrings; raise SyntaxError if it does not parse."""
    tree = ast.parse(module)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree)


def idle_stages(commits: Iterable[str]) -> list[str]:
    """Return the stages whose options differ between runs, but whose outputs do not.

    commits: those of one arm's runs, one per training. Only outputs that another stage reads are
    compared.
    """
    locks = [stages_at("dvc.lock", commit) for commit in dict.fromkeys(commits)]
    found = []
    for name in locks[0] if locks else ():
        entries = [lock[name] for lock in locks if name in lock]
        asked = {entry.get("cmd") for entry in entries}
        deps = {str(entry.get("deps")) for entry in entries}
        made = {str(outs_that_are_read(entry, locks[0])) for entry in entries}
        if len(asked) > 1 and len(made) == len(deps) == 1 and made != {"[]"}:
            found.append(name)
    return found


def outs_that_are_read(stage: dict, stages: dict[str, dict]) -> list[dict]:
    """Return those outs of a locked stage that another stage of the lock reads."""
    read = [dep["path"] for each in stages.values() for dep in each.get("deps", [])]
    return [
        out for out in stage.get("outs", []) if any(overlap(out["path"], path) for path in read)
    ]


def stages_on_the_way(stages: dict[str, dict], output: str) -> Iterator[str]:
    """Yield the names of the stages of a lock that `output` comes from."""
    wanted, seen = [output], {CHECK}
    while wanted:
        for name in makers(stages, wanted.pop()) - seen:
            seen.add(name)
            yield name
            wanted += [dep["path"] for dep in stages[name].get("deps", [])]


def makers(stages: dict[str, dict], path: str) -> set[str]:
    """Return the stages of a lock whose outputs are this path, or lie in it or around it.

    The stage `check` is among them.
    """
    return {
        name
        for name, stage in stages.items()
        for out in stage.get("outs", [])
        if overlap(path, out["path"])
    }


def overlap(one: str, other: str) -> bool:
    """Return whether two paths are one, or one of them lies in the other."""
    return f"{one}/".startswith(f"{other}/") or other.startswith(f"{one}/")


def hash_of_another(path: str, commit: str) -> str | None:
    """Return the hash of a file in the flagship's dvc.lock; None if that does not make it."""
    top = subprocess.run(["git", "rev-parse", "--show-cdup"], capture_output=True, text=True)
    up = top.stdout.strip()
    inside = os.path.relpath(path, up or ".")
    outs = (
        out for each in stages_at(f"{up}dvc.lock", commit).values() for out in each.get("outs", [])
    )
    return next((out.get("md5") for out in outs if out["path"] == inside), None)


def current_commit() -> str:
    """Return HEAD's hash."""
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()


def command(entry: dict | None) -> str | None:
    """Return a stage's command as it stands in dvc.yaml, with ${keys}."""
    return entry.get("do", entry).get("cmd") if entry else None


@lru_cache(maxsize=256)
def stages_at(name: str, commit: str) -> dict[str, dict]:
    """Return the stages of a commit's dvc.lock or dvc.yaml in this folder; {} if it has none."""
    parse = parse_stages if name.endswith("dvc.yaml") else parse_lock
    mend = "mend and commit it, or remove that run"
    return parse(content_at(name, commit) or b"", f"{name} of {commit[:7]}", mend)


def params_in_git(commit: str) -> dict:
    """Return the params.yaml of a commit in this folder, without opening DVC's repository there."""
    return parse_params(content_at("params.yaml", commit) or b"", commit)


@lru_cache(maxsize=4096)
def hash_at(path: str, commit: str) -> str | None:
    """Return the md5 of a file of a commit, as DVC's; None for a folder, or if git lacks it."""
    content = content_at(path, commit)
    return None if content is None else md5_of(content)


def md5_of(content: bytes) -> str:
    """Return the hash by which DVC knows a file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_at(path: str, commit: str) -> bytes | None:
    """Return a file's content; None if git has no such file."""
    shown = subprocess.run(
        ["git", "cat-file", "blob", f"{commit}:./{path}"], capture_output=True, check=False
    )
    return shown.stdout if shown.returncode == 0 else None
