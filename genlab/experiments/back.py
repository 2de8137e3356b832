"""Bring back the committed run: params, record and outputs.

    python -m genlab back       # in the pipeline's folder; `make back` in the root

It first checks that DVC's cache has every output of HEAD. If one is missing, as on a machine that
never made them, nothing is touched. Only a stage that no other stage reads, such as the report, is
run again instead. Files that git would overwrite are kept with `git stash`. So are files that only
the present run has and DVC does not cache, like the metrics of an added ranker. If the cache has
such a file, it is removed from the workspace, as a stage may read the whole folder it lies in.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genlab.core.files import remove
from genlab.core.params import flatten
from genlab.core.pipeline import check_pipeline_here, leads_out, parse_lock
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.lineage import content_at
from genlab.experiments.revisions import opened, path_in, read_params
from genlab.experiments.show import changed

REPLACED = ("params.yaml", "dvc.lock", "metrics")
SHOWN = 3
LONGEST = 72  # characters of a stash's name, as of a commit's first line
NAME = "before genlab back"

app = stage_app()


class Outputs(NamedTuple):
    """The outputs of this folder's pipeline in a revision."""

    paths: set[str]
    n_cached: int  # how many of them are to be in a cache
    missing: list[str]  # those that no cache here has whole
    made_again: list[str]  # last stages, whose missing outputs are not listed


def outputs_of(revision: str) -> Outputs:
    """Return the outputs of this folder's pipeline; InputError if the revision has none."""
    with opened(revision) as repo:
        folder = path_in(repo, Path())
        file = "dvc.yaml" if folder == "." else f"{folder}/dvc.yaml"
        stages = [each for each in repo.index.stages if each.path_in_repo == file]
        paths = {out.def_path for stage in stages for out in stage.outs}
        n_cached = sum(out.use_cache for stage in stages for out in stage.outs)
        if not n_cached:
            raise InputError(f"dvc.yaml: {revision} has no pipeline in this folder")
        graph = repo.index.graph
        missing: list[str] = []
        made_again: list[str] = []
        for stage in stages:
            lost = [out.def_path for out in stage.outs if out.use_cache and out.changed_cache()]
            # An edge leads from a stage to each that it reads.
            if lost and graph.in_degree(stage) == 0 and graph.out_degree(stage) > 0:
                made_again.append(stage.addressing.rpartition(":")[2])
            else:
                missing += lost
        return Outputs(paths, n_cached, missing, made_again)


def locked_outputs(content: bytes | str | None) -> dict[str, dict]:
    """Return path -> entry of every output in a dvc.lock; {} if it is missing or broken."""
    try:
        stages = parse_lock(content or "", "dvc.lock", "").values()
    except InputError:  # the committed one comes back in its place
        return {}
    outs = {out["path"]: out for stage in stages for out in stage.get("outs", [])}
    return {path: out for path, out in outs.items() if not leads_out(path)}


def left_over(committed: set[str], here: Iterable[str]) -> list[str]:
    """Return the existing outputs of the run `here` that do not overlap with HEAD's."""
    kept = list(map(PurePosixPath, committed))
    return [
        path
        for path in here
        if Path(path).exists()
        and not any(
            out == PurePosixPath(path)
            or out in PurePosixPath(path).parents
            or PurePosixPath(path) in out.parents
            for out in kept
        )
    ]


def cached(paths: list[str], entries: dict[str, dict]) -> list[str]:
    """Return those outputs that are unchanged since dvc.lock and whole in DVC's cache."""
    from dvc.output import Output
    from dvc.stage import Stage

    with opened(None) as repo:
        stage = Stage(repo, "dvc.yaml")
        outs = {}
        for path in paths:
            info = {key: value for key, value in entries[path].items() if key != "path"}
            outs[path] = Output(stage, path, info=info)
        return [
            path
            for path, out in outs.items()
            if not out.changed_checksum() and not out.changed_cache()
        ]


def stash_name() -> str:
    """Return the message for a git stash made now: it names the changed params."""
    try:
        params = changed(flatten(read_params(None)), flatten(read_params("HEAD")))
    except InputError:  # a params.yaml that cannot be read
        params = []
    return textwrap.shorten(": ".join([NAME, *filter(None, [", ".join(params)])]), LONGEST)


def not_clean() -> dict[str, list]:
    """Return stage -> its changes, as `dvc status --json` reports them."""
    words = [sys.executable, "-m", "dvc", "status", "--json", "dvc.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise InputError(f"`dvc status` failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def in_words(status: dict[str, list]) -> str:
    """Return the result of `not_clean` as one line: each stage with its changes."""
    told = []
    for stage, changes in status.items():
        names = [each if isinstance(each, str) else ", ".join(*each.values()) for each in changes]
        told.append(f"{stage.removeprefix('dvc.yaml:')} ({', '.join(names)})")
    return "; ".join(told)


def content_of(path: Path) -> bytes | None:
    """Return what is in a file; None if there is no such file."""
    return path.read_bytes() if path.is_file() else None


def listed(names: str) -> list[str]:
    """Return the file names in git's output with -z."""
    return [name for name in names.split("\0") if name]


def git(*words: str) -> str:
    """Return git's stdout; InputError with its message if it fails."""
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"`git {' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


def make_again(stages: list[str]) -> None:
    """Run each of these stages alone, on the inputs in the workspace; InputError if one fails."""
    print(f"made again, as no cache here has what they made: {', '.join(stages)}", flush=True)
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", *stages]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        print(done.stdout, done.stderr, sep="", end="", file=sys.stderr)
        raise InputError("`dvc repro` failed, as said above; all but these stages' outputs is back")


@app.command()
def main() -> None:
    """Bring HEAD's params, record and outputs back into the workspace, if all are there."""
    check_pipeline_here()
    outputs = outputs_of("HEAD")
    if outputs.missing:
        n = len(outputs.missing)
        some = ", ".join(outputs.missing[:SHOWN]) + ", ..." * (n > SHOWN)
        raise InputError(
            f"{n} of the {outputs.n_cached} outputs of HEAD are not in DVC's cache ({some}), as on "
            "a machine that did not make them; nothing was changed. `dvc pull` them, or make them "
            "here: `git stash push params.yaml && dvc repro`"
        )
    entries = locked_outputs(content_of(Path("dvc.lock")))
    committed = outputs.paths | set(locked_outputs(content_at("dvc.lock", "HEAD")))
    left = left_over(committed, entries)
    untracked = ["ls-files", "-z", "--others", "--exclude-standard", "--"]
    stashed = listed(git(*untracked, *left)) if left else []
    tracked = listed(git("ls-files", "-z", "--", *left)) if left else []
    removed = cached([path for path in left if path not in {*stashed, *tracked}], entries)
    kept = [name for name in REPLACED if git("ls-files", "--", name)]
    if kept:  # of no path git would tell all files
        stashed += listed(git("diff", "--name-only", "--relative", "-z", "HEAD", "--", *kept))
    if stashed:
        words = ["--quiet", "--include-untracked", "--message", stash_name()]
        git("stash", "push", *words, "--", *stashed)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "checkout", "--allow-missing", "dvc.yaml"],
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        if stashed:
            git("stash", "pop", "--quiet")
        raise InputError("`dvc checkout` failed, as said above; params and record are as they were")
    for path in removed:
        remove(Path(path))
    if outputs.made_again:
        make_again(outputs.made_again)
    if status := not_clean():
        print("params.yaml, dvc.lock, metrics/ and every output of the committed run are back")
        print(f"but `dvc status` is not clean, as by code that was changed: {in_words(status)}")
    else:
        print("back at the committed run: params.yaml, dvc.lock, metrics/ and every output")
    if stashed:
        print("what was there before: `git stash pop`, then `dvc checkout dvc.yaml`")


if __name__ == "__main__":
    run(app)
