"""Make the record: the pipeline on real rankers and collections, in a copy of HEAD.

    make real DATA=FOLDER

record/params.yaml says which, with DATA for your folder of models and data. Their outputs go to
this clone's DVC cache, so a run that was stopped goes on where it was. What is kept of it in git is
record/: numbers and checksums. The workspace's own params, metrics and dvc.lock stay as they are.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument

from genlab.core.files import write_json, written_whole
from genlab.core.params_file import read_params, text_of
from genlab.core.pipeline import left_over
from genlab.core.program import InputError, run, stage_app
from genlab.core.shapes import read_json
from genlab.experiments.verify import environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORD = HERE / "record"
FOLDER = HERE.relative_to(ROOT)
CLONE = ROOT / ".scratch/real"  # unknown to git and DVC
UNKEPT = {"rows.parquet"}  # a row per query
PLACEHOLDER = "DATA"

app = stage_app()


@app.command()
def main(
    data: Annotated[Path, Argument(help="folder of the models and data in record/params.yaml")],
) -> None:
    """Run everything in record/params.yaml, settle the claims, and write record/."""
    params = fill_params(text_of(RECORD / "params.yaml"), data)
    copy_head()
    folder = CLONE / FOLDER
    call(folder, "git", "rm", "-rq", "--ignore-unmatch", "metrics", "dvc.lock")
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    call(folder, sys.executable, "-m", "dvc", "repro")
    call(folder, "git", "add", ".")
    call(folder, *commit_words())
    call(folder, sys.executable, "-m", "genlab", "claims", "run")
    keep(folder, str(data.resolve()))
    call(folder, sys.executable, "-m", "dvc", "repro", "-f", "-s", "report")  # with the claims
    print(f"the record is {RECORD}; `python -m genlab readme` writes the tables of its README")
    print(f"the page is {folder / 'report/index.html'}")


def fill_params(text: str, data: Path) -> str:
    """Return record/params.yaml with the folder's name; InputError for a path that is not there."""
    folder = data.resolve()
    lines = [line.split() for line in text.splitlines()]
    paths = [line[1] for line in lines if line[:1] == ["path:"] and line[1].startswith("DATA/")]
    for path in paths:
        there = folder / path.removeprefix(f"{PLACEHOLDER}/")
        if not there.exists():
            raise InputError(
                f"{there}: no such file or folder; record/params.yaml wants it in the folder that "
                "DATA names"
            )
    return text.replace(f" {PLACEHOLDER}/", f" {folder}/")


def copy_head() -> None:
    """Bring a clone to this repository's HEAD; it shares this clone's DVC cache."""
    if not (CLONE / ".git").exists():
        shutil.rmtree(CLONE, ignore_errors=True)
        call(ROOT, "git", "clone", "--quiet", str(ROOT), str(CLONE))
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    call(CLONE, "git", "fetch", "--quiet", str(ROOT), head)
    call(CLONE, "git", "checkout", "--quiet", "--force", "--detach", head)
    cache = subprocess.check_output(
        [sys.executable, "-m", "dvc", "cache", "dir"], cwd=HERE, env=environment(), text=True
    ).strip()
    text = f"[cache]\n    dir = {cache}\n"
    (CLONE / FOLDER / ".dvc/config.local").write_text(text, encoding="utf-8")


def commit_words() -> list[str]:
    """Return the command that commits, in a clone that nobody else sees."""
    who = ["-c", "user.name=genlab", "-c", "user.email=genlab@localhost"]
    return ["git", *who, "commit", "--quiet", "--message", "real", "--allow-empty"]


def call(folder: Path, *words: str) -> None:
    """Run a command in a folder; InputError if it fails, after what it has printed."""
    if subprocess.run(words, cwd=folder, env=environment()).returncode:
        raise InputError(f"{folder}: `{' '.join(words[:4])}` failed; see above")


def keep(folder: Path, data: str) -> None:
    """Write record/ from a finished run: its metrics, without the machine's own paths.

    What a stopped run of other rankers or collections has left in the copy is not kept.
    """
    params = text_of(RECORD / "params.yaml")
    left = left_over(folder / "dvc.yaml")
    names = sorted(read_params(params).content["rankers"])
    speeds = [folder / f"report/speed/{name}.json" for name in names]
    with written_whole(RECORD) as partial:
        partial.mkdir()
        (partial / "params.yaml").write_text(params, encoding="utf-8")
        for path in sorted((folder / "metrics").rglob("*")):
            if path.is_file() and path.name not in UNKEPT and path not in left:
                target = partial / path.relative_to(folder / "metrics")
                target.parent.mkdir(parents=True, exist_ok=True)
                text = path.read_text(encoding="utf-8").replace(data, PLACEHOLDER)
                target.write_text(text, encoding="utf-8")
        found = {path.stem: read_json(path) for path in speeds if path.is_file()}
        write_json(partial / "speed.json", found)


if __name__ == "__main__":
    run(app)
