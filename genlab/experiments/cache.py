"""Find and delete what is broken in DVC's cache.

    python -m genlab cache

DVC trusts a read-only file of its cache and never reads it again. A file that a bad disk or a stray
program changed is brought back into the workspace, and `dvc repro` says that nothing changed. Every
object's name is the md5 of its content; this program checks it. It also deletes every file or
folder of the workspace that was made from a broken object.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import typer
import yaml

from genlab.core.files import md5_of, remove
from genlab.core.program import InputError, run, stage_app

OBJECTS = Path(".dvc/cache/files/md5")  # of the repository's root

app = stage_app()


@app.command()
def main(root: Path = typer.Argument(Path("."), help="the repository's root")) -> None:
    """Delete broken objects of the cache and what the workspace holds of them; name both."""
    if not (root / ".dvc").is_dir():
        raise InputError(f"{root.absolute()}: no .dvc here; run this in the repository's root")
    objects = sorted(path for path in (root / OBJECTS).glob("??/*") if path.is_file())
    broken = [path for path in objects if not is_whole(path)]
    names = {path.parent.name + path.name for path in broken}
    held = [out for out, parts in outputs(root) if names & parts]

    for path in broken + held:
        remove(path)
        print(f"deleted: {path.relative_to(root)}")
    advice = "; run `dvc repro`" if broken else ""
    print(f"{len(objects)} objects, {len(broken)} of them broken{advice}")


def is_whole(path: Path) -> bool:
    """Say whether a cache object has the content that its name promises."""
    return md5_of(path) == path.parent.name + path.name.removesuffix(".dir")


def outputs(root: Path) -> Iterator[tuple[Path, set[str]]]:
    """Yield every output of the dvc.lock files with the names of the objects it is made from."""
    for lock in sorted([root / "dvc.lock", *root.glob("pipelines/*/dvc.lock")]):
        if not lock.is_file():
            continue
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
        for out in (out for stage in stages.values() for out in stage.get("outs", [])):
            yield lock.parent / out["path"], {out["md5"], *members(root, out["md5"])}


def members(root: Path, name: str) -> set[str]:
    """Return the objects of a folder's files; none for a file, or if its list is broken."""
    path = root / OBJECTS / name[:2] / name[2:]
    if not name.endswith(".dir") or not path.is_file() or not is_whole(path):
        return set()
    return {entry["md5"] for entry in json.loads(path.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    run(app)
