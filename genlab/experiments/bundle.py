"""Put a mini model into the repository, with a receipt of its making.

    python -m genlab bundle data/base ../base ...       # the last stage of a minis/recipe

The receipt holds the command line, the values of the params group that the model stands for, its
losses, the seconds, commit and day, packages and hardware, and the sha256 of every file. A run's
own receipt has no time and no commit, as it must come out the same again; this is made once.
"""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import sha256_of, write_json, written_whole
from genlab.core.program import run, stage_app
from genlab.core.yaml_text import load_yaml
from genlab.experiments.receipts import (
    PYPROJECT,
    describe_hardware,
    required_packages,
    versions_of,
)

ORIGIN = {"source", "path", "made_from", "hub_id", "revision", "tokenizer_path"}  # no values

app = stage_app()


@app.command()
def main(
    folder: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON that the training wrote")],
    times: Annotated[Path, Option(help="file of two lines: seconds at the start, at the end")],
    lock: Annotated[Path, Option(help="dvc.lock with the stage `base`")],
    params: Annotated[Path, Option(help="the pipeline's params.yaml")],
) -> None:
    """Copy a model's folder to `output`, and write its receipt there."""
    group = load_yaml(params.read_text(encoding="utf-8"))["base"]
    numbers = json.loads(metrics.read_text(encoding="utf-8"))
    start, end = map(int, times.read_text(encoding="utf-8").split())
    with written_whole(output) as partial:
        shutil.copytree(folder, partial)
        files = {file.name: sha256_of(file) for file in sorted(partial.iterdir())}
        receipt = {
            "command": load_yaml(lock.read_text(encoding="utf-8"))["stages"]["base"]["cmd"],
            "values": {key: value for key, value in group.items() if key not in ORIGIN},
            "metrics": numbers.get("model", numbers),
            "seconds": end - start,
            "day": datetime.now(UTC).date().isoformat(),
            "commit": answer_of("git", "rev-parse", "HEAD"),
            "changed_since": answer_of("git", "status", "--short", "--", "*.py").splitlines(),
            "packages": versions_of(required_packages(PYPROJECT.read_text(encoding="utf-8"))),
            "hardware": describe_hardware(),
            "files": files,
        }
        write_json(partial / "receipt.json", receipt)


def answer_of(*words: str) -> str:
    """Return what a command prints."""
    return subprocess.check_output(words, text=True).strip()


if __name__ == "__main__":
    run(app)
