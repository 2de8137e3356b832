"""Files as they were in any run: in a commit, branch, tag or experiment, or in the workspace.

A file is named by its path relative to the current folder (a pipeline's) and a revision; None is
the workspace. Its content comes from git or from DVC's cache; nothing is checked out. Error
messages distinguish what git lacks from what DVC lacks, because the remedies differ.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import polars as pl
import yaml

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.core.yaml_text import load_yaml
from genlab.experiments.row_files import parse_rows

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo


WORKSPACE = "workspace"  # in DVC's tables; no revision of git's


class NotInCache(InputError):
    """An output in dvc.lock is not in this machine's cache: another machine made it."""


@contextmanager
def opened(revision: str | None) -> "Iterator[Repo]":
    """Yield DVC's repository at a revision; DVC's own errors become InputErrors."""
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        if revision is None:
            with Repo.open(None) as repo:
                yield repo
        else:
            yield repository_at(resolve(revision), Path.cwd())
    except NotDvcRepoError as error:
        if revision is None:
            raise InputError(f"{named(revision)}: {error}") from error
        raise InputError(
            f"{revision}: has no pipeline in this folder; `git add .`, commit, and name that commit"
        ) from None
    except DvcException as error:
        raise InputError(f"{named(revision)}: {error}") from error


def resolve(revision: str) -> str:
    """Return a revision's commit; experiments of other commits than HEAD are found, too.

    Raises InputError, with the nearest name, if there is none.
    """
    from dvc.scm import SCM, RevError, map_scm_exception, resolve_rev

    try:
        with map_scm_exception():  # of a repository without commits
            commit = resolve_rev(SCM("."), revision)
        check_commit(commit, revision)
        return commit
    except RevError:  # DVC knows the names of HEAD's experiments alone
        commits = experiments_by_name().get(revision)
    if not commits:
        raise InputError(
            f"{revision}: no such commit, branch, tag or experiment"
            f"{did_you_mean(revision, names_in_git())}; `dvc exp list --all-commits` shows "
            "the experiments"
        )
    return commits[0]


def check_commit(found: str, revision: str) -> None:
    """Raise InputError if git resolved a revision's name to a folder or a file."""
    words = ["git", "rev-parse", "--verify", "--quiet", f"{found}^{{commit}}"]
    if subprocess.run(words, capture_output=True).returncode:
        words = ["git", "cat-file", "-t", found]
        kind = subprocess.run(words, capture_output=True, text=True).stdout.strip()
        raise InputError(
            f"{revision}: a {kind or 'thing'} of git's, no commit; `git log` shows the commits"
        )


@lru_cache(maxsize=8)
def repository_at(commit: str, folder: Path) -> "Repo":
    """Return the repository around the current `folder` at a commit, which stays open.

    Opened commits are kept, as they never change and DVC is slow to read a pipeline's lock. The
    cache is the workspace's: DVC would resolve a commit's relative cache.dir against the root of
    the disk.
    """
    from dvc.fs import GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    scm = SCM(".")
    top = "/" / PurePosixPath(folder.relative_to(Path(scm.root_dir).resolve()))
    with opened(None) as workspace:
        cache = {"cache": {"dir": workspace.cache.local_cache_dir}}
    return Repo(root_dir=str(top), fs=GitFileSystem(scm=scm, rev=commit), scm=scm, config=cache)


def named(revision: str | None) -> str:
    """Return a revision's name for messages."""
    return "the workspace" if revision is None else revision


def names_in_git() -> list[str]:
    """Return the last part of the names of all branches, tags and experiments."""
    command = ["git", "for-each-ref", "--format=%(refname:lstrip=-1)"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def path_in(repo: "Repo", path: Path) -> str:
    """Return a path of the current folder as DVC names it: from its repository's root.

    That is a pipeline's folder; in commits from before each had a repository, git's top.
    """
    from dvc.fs import GitFileSystem

    inside = Path.cwd() / path
    if isinstance(repo.fs, GitFileSystem):  # has git's top for root
        inside = Path("/") / inside.relative_to(Path(repo.scm.root_dir).resolve())
        return inside.relative_to(repo.root_dir).as_posix()
    return inside.relative_to(Path(repo.root_dir).resolve()).as_posix()


def pipeline_name() -> str:
    """Return the name of the pipeline in this folder; "" at git's top, where the flagship is."""
    command = ["git", "rev-parse", "--show-prefix"]
    return Path(subprocess.run(command, capture_output=True, text=True).stdout.strip()).name


def read_bytes(path: Path, revision: str | None) -> bytes:
    """Return a file's content; InputError if the revision, the file or its data are missing."""
    if revision is None:
        if not path.is_file():
            raise InputError(f"{path}: no such file in the workspace; `dvc repro` makes it")
        return path.read_bytes()
    from dvc.fs import DVCFileSystem

    with opened(revision) as repo:
        files, inside = DVCFileSystem(repo=repo), path_in(repo, path)
        if not files.exists(inside):
            raise InputError(f"{path}: {revision} has no such file, neither in git nor in DVC")
        try:
            return files.read_bytes(inside)
        except IsADirectoryError:
            raise InputError(f"{path}: a folder in {revision}; name a file") from None
        except FileNotFoundError:
            if files.info(inside).get("md5"):
                raise NotInCache(
                    f"{path}: its data of {revision} are not in DVC's cache; `dvc pull` them, or "
                    "run it again"
                ) from None
            raise InputError(
                f"{path}: {revision} names it in dvc.yaml, but has no run of it in dvc.lock; "
                "commit after `dvc repro`"
            ) from None


def read_rows(path: Path, revision: str | None) -> pl.DataFrame:
    """Return a whole table, for those known to fit in memory; errors as in `read_bytes`."""
    return parse_rows(path, read_bytes(path, revision), (), named(revision))


def read_params(revision: str | None) -> dict:
    """Return the params.yaml of the pipeline in this folder."""
    return parse_params(read_bytes(Path("params.yaml"), revision), revision)


def parse_params(content: bytes | str, revision: str | None) -> dict:
    """Return the content of a params.yaml; InputError with the line if it is not YAML."""
    try:
        params = load_yaml(content if isinstance(content, str) else content.decode()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"params.yaml of {named(revision)}: not YAML: {why}") from None
    if not isinstance(params, dict):
        raise InputError(f"params.yaml of {named(revision)}: must have groups of keys")
    return params


def parse_metrics(path: Path, content: bytes | str, revision: str | None) -> dict:
    """Return the content of a file of metrics/; InputError if it is not a JSON object."""
    of_run = "" if revision is None else f" of {revision}"
    mend = "run `dvc repro`" if revision is None else "remove that run, or commit after `dvc repro`"
    try:
        found = parse_json(content)
    except ValueError as error:  # UnicodeDecodeError is one, too
        said = "it is empty" if not content.strip() else f"no JSON ({error})"
        raise InputError(f"{path}{of_run}: {said}; {mend}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}{of_run}: a {type(found).__name__}, not numbers by name; {mend}")
    return found


def commit_of(revision: str) -> str:
    """Return the revision's commit, shortened."""
    with opened(revision) as repo:
        return repo.get_rev()[:7]


def find_output(repo: "Repo", path: Path) -> "Output | None":
    """Return DVC's entry of one of the pipeline's outputs; None if it is not one."""
    inside = path_in(repo, path)
    outs = (out for stage in repo.index.stages for out in stage.outs)
    return next((o for o in outs if repo.fs.relpath(o.fs_path, repo.root_dir) == inside), None)


def has_file(path: Path, revision: str | None) -> bool:
    """Return whether a run has a file, in git or in DVC."""
    if revision is None:
        return path.is_file()
    from dvc.fs import DVCFileSystem

    with opened(revision) as repo:
        return bool(DVCFileSystem(repo=repo).exists(path_in(repo, path)))


def hash_in_lock(path: Path, revision: str | None) -> str | None:
    """Return the hash that dvc.lock has of an output; None if it has none."""
    with opened(revision) as repo:
        output = find_output(repo, path)
        return output.hash_info.value if output else None


def stages_not_run(path: Path, revision: str | None) -> list[str]:
    """Return the stages leading to `path` whose last run does not match params.yaml.

    Every param is part of a command, so a stage is outdated if its command differs from the
    recorded one. It is also outdated if one of its inputs has been made anew since, as when Ctrl-C
    has ended a run in between.
    """
    from networkx import descendants

    with opened(revision) as repo:
        output = find_output(repo, path)
        if output is None:
            return []
        needed = descendants(repo.index.graph, output.stage) | {output.stage}
        made = {out.fs_path: out.hash_info for each in needed for out in each.outs}
        behind = {
            each
            for each in needed
            if each.cmd_changed
            or any(made.get(dep.fs_path, dep.hash_info) != dep.hash_info for dep in each.deps)
        }
        return sorted(each.addressing.rpartition(":")[2] for each in behind)


def doubt_of_rows(path: Path, revision: str | None) -> str | None:
    """Return a warning if `path` was made with other params than the revision has, else None."""
    if stages := stages_not_run(path, revision):
        return (
            f"params.yaml of {named(revision)} was changed after the run that made its rows "
            f"(stage {', '.join(stages)}); run `dvc repro`"
        )
    return None


def experiments_of_head() -> dict[str, str]:
    """Return name -> commit of the experiments made on the current commit."""
    with opened(None) as repo:
        listed = repo.experiments.ls()
        return {name: commit for found in listed.values() for name, commit in found}


def experiments_by_name() -> dict[str, list[str]]:
    """Return name -> commits of all experiments of that name: HEAD's first, then the newest.

    DVC's names are unique per commit only, so experiments of two commits may share one.
    """
    fields = "--format=%(refname) %(objectname)"
    command = ["git", "for-each-ref", "--sort=-committerdate", fields, "refs/exps"]
    found = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    by_name: dict[str, list[str]] = {}
    for ref, commit in (line.split() for line in found):
        if re.fullmatch(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/.+", ref):
            by_name.setdefault(ref.rpartition("/")[2], []).append(commit)
    of_head = experiments_of_head()
    for name, commits in by_name.items():
        commits.sort(key=lambda commit: commit != of_head.get(name))
    return by_name
