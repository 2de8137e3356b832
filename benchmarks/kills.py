"""Kill or interrupt every stage of a pipeline once, then compare what came out with the record.

python -m benchmarks.kills pipelines/NAME --number SIGINT

Every stage runs twice at its full size, under DVC, which takes minutes. The record must be of this
machine, as others differ in last bits (`make verify`). benchmarks/interrupts.py strikes a stage at
many moments, without DVC around it.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import yaml
from typer import Argument, Option

from genlab.core.program import InputError, run, stage_app

app = stage_app()

ROOT = Path(__file__).resolve().parent.parent

# They name the installed packages and the machine of the day.
OF_THE_MACHINE = ("metrics/receipt.json", "report/index.html")

# Run before every stage. The first process of each is struck when its first output is whole and
# not yet in its place.
STRIKER = """\
import os
from pathlib import Path

name = os.environ.get("DVC_STAGE")
if name:
    mark = Path(os.environ["STRUCK"]) / name

    def replace(source, target, wrapped=os.replace):
        if str(source).endswith(".partial") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), int(os.environ["NUMBER"]))
        return wrapped(source, target)

    os.replace = replace
"""


@app.command()
def main(
    pipeline: Annotated[Path, Argument(help="folder of its dvc.yaml, from the root")],
    number: Annotated[str, Option(help="SIGKILL, SIGINT or SIGTERM")],
) -> None:
    """Strike every stage once, run to the end, and say which outputs differ from the record."""
    with tempfile.TemporaryDirectory() as temporary:
        clone, struck = Path(temporary) / "clone", Path(temporary) / "struck"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        struck.mkdir()
        (clone / "sitecustomize.py").write_text(STRIKER)  # the pipelines' PYTHONPATH leads there
        said = repeat_until_whole(clone / pipeline, struck, getattr(signal, number))
        stages = locked(clone / pipeline)
        different = [
            path
            for name, outs in locked(ROOT / pipeline).items()
            for path, md5 in outs.items()
            if stages[name][path] != md5 and path not in OF_THE_MACHINE
        ]
        left = list(clone.rglob("*.partial"))
        spared = sorted(set(stages) - {path.name for path in struck.iterdir()})
    if "Traceback" in said:
        raise InputError(f"a traceback: {said[said.index('Traceback') :][:3000]}")
    if different or left:
        raise InputError(f"not as in the record: {different}; left behind: {left}")
    print(f"{pipeline}: {len(stages)} stages, {number} in all but {spared}: as in the record")


def repeat_until_whole(folder: Path, struck: Path, number: int) -> str:
    """Run `dvc repro` again and again until it ends well; return what all of them said."""
    environment = os.environ | {
        "PYTHONPATH": str(struck.parent / "clone"),
        "STRUCK": str(struck),
        "NUMBER": str(int(number)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    said = ""
    for _ in range(60):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", "--keep-going"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said += done.stdout
        print(f"exit code {done.returncode}, {len(list(struck.iterdir()))} struck", flush=True)
        if done.returncode == 0:
            return said
    raise InputError(f"it does not come to an end:\n{said[-3000:]}")


def locked(folder: Path) -> dict[str, dict[str, str]]:
    """Return the hash of every output of every stage in a folder's dvc.lock."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {
        name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in stages.items()
    }


if __name__ == "__main__":
    run(app)
