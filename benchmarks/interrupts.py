"""Interrupt every stage of a finished run, at many moments; what does not end well is named.

    python -m benchmarks.interrupts FOLDER [--every SECONDS]    # where dvc.yaml and dvc.lock are

Each stage's command is run as DVC runs it, in the folder, and its process group gets SIGINT, as
from a terminal: after 0.1 seconds, then EVERY later, and so on until a run ends before. It must end
within eight seconds, with exit code 130 or, as it was done, 0; with no traceback; and what it
leaves of its outputs is what the finished run had. Takes minutes. The outputs are put back.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import yaml
from typer import Argument, Option

from genlab.core.program import InputError, run, stage_app

app = stage_app()

SECONDS = 8.0


def interrupted(command: str, folder: Path, after: float) -> tuple[int, str, float]:
    """Return exit code and output of a command that is interrupted, and how long it then took."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            stdout=said,
            stderr=said,
            start_new_session=True,
            env=os.environ | {"DVC_ROOT": str(folder.absolute())},
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
        start = time.monotonic()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return process.returncode, said.read(), time.monotonic() - start


def faults(code: int, said: str, seconds: float) -> list[str]:
    """Return what is wrong with the end of an interrupted command."""
    found = []
    if code not in (0, 130, -signal.SIGINT):  # the last is of Python's very end, 130 to a shell
        found.append(f"exit code {code}")
    if "Traceback" in said:
        found.append("a traceback")
    if seconds >= SECONDS:
        found.append(f"not ended after {SECONDS:.0f} s")
    return found


@app.command()
def main(
    folder: Annotated[Path, Argument(help="of a pipeline whose run is finished")],
    every: Annotated[float, Option(min=0.1, help="seconds between two moments")] = 1.0,
) -> None:
    """Interrupt every stage of the pipeline at many moments."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    n_faults = 0
    for name, stage in stages.items():
        outputs = [folder / out["path"] for out in stage.get("outs", [])]
        with tempfile.TemporaryDirectory() as kept:
            for i, path in enumerate(outputs):
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, Path(kept) / str(i))
            after, slowest, ended = 0.1, 0.0, False
            while not ended:
                code, said, seconds = interrupted(stage["cmd"], folder, after)
                ended, slowest = code == 0, max(slowest, seconds)
                if found := faults(code, said, seconds):
                    n_faults += 1
                    tail = "\n".join(said.splitlines()[-15:])
                    print(f"{name} after {after:.1f} s: {', '.join(found)}\n{tail}", flush=True)
                after += every
            for i, path in enumerate(outputs):  # written again, with what may be other times
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                shutil.move(Path(kept) / str(i), path)
        print(
            f"{name}: interrupted up to {after - every:.1f} s, ended in {slowest:.1f} s", flush=True
        )
    if n_faults:
        raise InputError(f"{n_faults} ends were bad")


if __name__ == "__main__":
    run(app)
