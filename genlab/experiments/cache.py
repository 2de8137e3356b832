"""Find and delete what is broken in DVC's cache.

    python -m genlab cache

The cache is where `dvc cache dir` says: .dvc/cache, or cache.dir of one of DVC's configs. If
several clones share it, run this command in each: it only finds broken files in its own workspace.
In the root it checks all pipelines; for a pipeline whose config names another cache, run it in that
pipeline's folder.

DVC trusts the read-only files in its cache and never reads them again. So a file that a bad disk or
a stray program has changed is checked out into the workspace, and `dvc repro` reports no change.
Every object is named by the md5 of its content, which this program checks. It also deletes every
file or folder in the workspace that was made from a broken object.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from genlab.core.files import md5_of, remove
from genlab.core.pipeline import leads_out, parse_lock
from genlab.core.program import InputError, run, stage_app

app = stage_app()


@app.command()
def main(
    root: Path = typer.Argument(Path("."), help="the repository's root, or a pipeline's folder"),
) -> None:
    """Delete broken objects of the cache and what the workspace holds of them; name both."""
    root = root.absolute()
    if not (root / ".dvc").is_dir():
        raise InputError(
            f"{root}: no .dvc here; run this in the repository's root, or in a pipeline's folder"
        )
    cache = find_cache(root)
    objects = sorted(path for path in cache.glob("??/*") if path.is_file())
    broken = [path for path in objects if not is_whole(path)]
    names = {path.parent.name + path.name for path in broken}
    held = [out for out, parts in outputs(root, cache) if names & parts]

    for path in broken + held:
        remove(path)
        print(f"deleted: {shown(path, root)}")
    advice = "; run `dvc repro`" if broken else ""
    print(f"{len(objects)} objects in {shown(cache, root)}, {len(broken)} of them broken{advice}")


def find_cache(root: Path) -> Path:
    """Return the folder of DVC's cached objects, as its configs set it.

    Raises InputError, with DVC's own message, if DVC cannot read its configs.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"], cwd=root, capture_output=True, text=True
    )
    lines = asked.stdout.strip().splitlines()
    if asked.returncode or not lines:
        raise InputError(f"`dvc cache dir` failed: {asked.stderr.strip()}")
    return root / lines[-1] / "files/md5"  # as DVC has laid it out since its version 3


def shown(path: Path, root: Path) -> Path:
    """Return a path as a person in the repository's root would write it."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def is_whole(path: Path) -> bool:
    """Return whether a cache object has the content that its name promises."""
    return md5_of(path) == path.parent.name + path.name.removesuffix(".dir")


def outputs(root: Path, cache: Path) -> Iterator[tuple[Path, set[str]]]:
    """Yield every output of the dvc.lock files with the names of the objects it is made from.

    Raises InputError for a lock that cannot be read.
    """
    for lock in sorted([root / "dvc.lock", *root.glob("pipelines/*/dvc.lock")]):
        if not lock.is_file():
            continue
        name = shown(lock, root)
        mend = f"`git checkout HEAD -- {name}` brings the committed one back; nothing was deleted"
        stages = parse_lock(lock.read_bytes(), str(name), mend)
        for out in (out for stage in stages.values() for out in stage.get("outs", [])):
            if leads_out(out["path"]):
                raise InputError(f"{name}: {out['path']} leads out of this folder; {mend}")
            if "md5" in out:  # else it is of a remote file system
                yield lock.parent / out["path"], {out["md5"], *members(cache, out["md5"])}


def members(cache: Path, name: str) -> set[str]:
    """Return the objects of a folder's files; none for a file, or if its list is broken."""
    path = cache / name[:2] / name[2:]
    if not name.endswith(".dir") or not path.is_file() or not is_whole(path):
        return set()
    return {entry["md5"] for entry in json.loads(path.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    run(app)
