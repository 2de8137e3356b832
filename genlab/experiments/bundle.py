"""Put a mini model into the repository, with a receipt of its making.

    python -m genlab bundle data/base ../base ...       # the last stage of a minis/recipe

The receipt holds the command line, the values of the params group that the model replaces, its
losses, the seconds, commit and date, packages and hardware, and the sha256 of every file. A run's
own receipt has no time and no commit, because a repeated run must give the same bytes; this one is
written once.
"""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from typer import Option

from genlab.core.files import sha256_of, write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.shapes import parse_json
from genlab.core.yaml_text import load_yaml
from genlab.experiments.receipts import (
    PYPROJECT,
    describe_hardware,
    required_packages,
    versions_of,
)

Read = TypeVar("Read")

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
    group = read_as(lambda text: dict(load_yaml(text)["base"]), params)
    numbers = read_as(lambda text: dict(parse_json(text)), metrics)
    seconds = read_as(seconds_between, times)
    command = read_as(lambda text: str(load_yaml(text)["stages"]["base"]["cmd"]), lock)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `dvc repro` makes it")
    with written_whole(output) as partial:
        shutil.copytree(folder, partial)
        files = {file.name: sha256_of(file) for file in sorted(partial.iterdir())}
        receipt = {
            "command": command,
            "values": {key: value for key, value in group.items() if key not in ORIGIN},
            "metrics": numbers.get("model", numbers),
            "seconds": seconds,
            "day": datetime.now(UTC).date().isoformat(),
            "commit": answer_of("git", "rev-parse", "HEAD"),
            "changed_since": answer_of("git", "status", "--short", "--", "*.py").splitlines(),
            "packages": versions_of(required_packages(PYPROJECT.read_text(encoding="utf-8"))),
            "hardware": describe_hardware(),
            "files": files,
        }
        write_json(partial / "receipt.json", receipt)


def read_as(parse: Callable[[str], Read], path: Path) -> Read:
    """Return parse(content of a file); raise InputError naming the file if that fails."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `dvc repro` makes it") from None
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: not what a model's receipt is made from ({reason}); `dvc repro` makes it anew"
        ) from None


def seconds_between(text: str) -> int:
    """Return the seconds between the two times on a text's two lines."""
    start, end = map(int, text.split())
    return end - start


def answer_of(*words: str) -> str:
    """Return what a command prints."""
    return subprocess.check_output(words, text=True).strip()


if __name__ == "__main__":
    run(app)
