"""Write a model or texts of a run with a card, to a folder or the Hub.

    python -m genlab publish --to FOLDER                 # all artifacts of dvc.yaml, a folder each
    python -m genlab publish tuned --to hub:USER/NAME    # one of them, to the Hugging Face Hub

Only committed results are published: dvc.yaml, params.yaml, claims.yaml, report.yaml, metrics/,
record/ and the outputs in dvc.lock must be as in HEAD, or a card would describe another run. For
the Hub the token is taken from HF_TOKEN.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import typer

from genlab.core.files import written_whole
from genlab.core.params import did_you_mean
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.revisions import find_output, opened, pipeline_name, read_params
from genlab.report.artifacts import Artifact, read_artifacts
from genlab.report.cards import TASKS, Made, data_group, dataset_card, is_made_here, model_card
from genlab.report.pipeline import PIPELINE
from genlab.report.record_cards import RECORD, copy_record, last_commit, record_card

app = stage_app()

HUB = "hub:"
FLAGSHIP = "genlab"  # what the pipeline of the root is called
VALUES = ("dvc.yaml", "dvc.lock", "params.yaml", "claims.yaml", "report.yaml")
COMMITTED = (*VALUES, "metrics", str(RECORD))
LEFT_OUT = ("adapter", "curve.json", "loss.json")  # of a model's folder: the training's own


@app.command()
def main(
    names: list[str] | None = typer.Argument(None, help="artifacts of dvc.yaml; all if left out"),
    to: str = typer.Option(..., help="a folder, or hub:USER/NAME"),
    private: bool = typer.Option(False, help="of a new repository on the Hub"),
) -> None:
    """Write or upload artifacts with their cards."""
    check_place(to)
    artifacts = chosen_artifacts(names or [])
    made = committed_run()
    for artifact in artifacts:
        check_output(artifact)
    if not to.startswith(HUB):
        for artifact in artifacts:
            write(artifact, made, Path(to) / artifact.name)
        return
    if len(artifacts) > 1:
        raise InputError(f"a repository holds one artifact; name one of {shown(artifacts)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / artifacts[0].name
        write(artifacts[0], made, folder, to.removeprefix(HUB))
        upload(folder, artifacts[0].kind, to.removeprefix(HUB), private)


def check_place(to: str) -> None:
    """Raise InputError for an address that is neither a folder nor hub:USER/NAME."""
    if not to.startswith(HUB):
        # A folder of that name would be made; that of no name is where one stands.
        is_address = re.match(r"[a-z][a-z0-9+.-]+:", to, re.IGNORECASE) or to.lower() == "hub"
        if is_address or not to.strip():
            raise InputError(f"--to {to!r}: neither a folder nor {HUB}USER/NAME; write it so")
        return
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    repository = to.removeprefix(HUB)
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise InputError(f"{repository}: no name of the Hub's, like user/name ({error})") from None
    if "/" not in repository:
        raise InputError(f"{repository}: no name of the Hub's, like user/name (whose is it?)")


def shown(artifacts: list[Artifact]) -> str:
    """Return the names of artifacts."""
    return ", ".join(artifact.name for artifact in artifacts)


def chosen_artifacts(names: list[str]) -> list[Artifact]:
    """Return the artifacts of these names, or all; InputError for an unknown name."""
    check_pipeline_here()
    there = read_artifacts(PIPELINE)
    if not there:
        raise InputError("dvc.yaml names no artifacts, so there is nothing to publish")
    for name in names:
        if name not in there:
            raise InputError(
                f"{name}: no artifact of dvc.yaml{did_you_mean(name, there)}; there are "
                f"{', '.join(there)}"
            )
    return [there[name] for name in names or there]


def committed_run() -> Made:
    """Return the commit of this folder's run; InputError if anything of it is not committed."""
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *COMMITTED])
    # What git does not track has no difference to HEAD; the option overrules the user's config.
    words = ["git", "status", "--porcelain", "--untracked-files=all", "--", *COMMITTED]
    listed = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    if changed.returncode or listed:
        told = f" (git status: {', '.join(line.strip() for line in listed)})" if listed else ""
        raise InputError(
            f"{', '.join(COMMITTED)} are not as in the last commit{told}, so a card would speak of "
            "another run; commit, or `python -m genlab back`"
        )
    return last_commit()


def check_output(artifact: Artifact) -> None:
    """Raise InputError unless an artifact is in the workspace as dvc.lock has it.

    A record is in git: `committed_run` has seen to it.
    """
    if artifact.path == RECORD:
        return
    with opened(None) as repo:
        places = (artifact.path, *artifact.path.parents)  # it may lie within an output
        output = next(filter(None, (find_output(repo, path) for path in places)), None)
        if output is None:
            raise InputError(
                f"{artifact.path}: {PIPELINE} names it under artifacts, no stage makes it"
            )
        if not artifact.path.exists() or output.changed_checksum():
            raise InputError(f"{artifact.path}: not as dvc.lock has it; run `dvc repro`")


def write(artifact: Artifact, made: Made, folder: Path, place: str = "FOLDER") -> None:
    """Write an artifact and its card to a new folder; place: what the card has it loaded from."""
    if folder.exists():
        raise InputError(f"{folder}: is there already; remove it, or take another folder")
    pipeline = pipeline_name() or FLAGSHIP
    with written_whole(folder) as partial:
        if artifact.kind == "model":
            shutil.copytree(artifact.path, partial, ignore=lambda *_: set(LEFT_OUT))
            if artifact.harness:
                write_tasks(artifact.harness, partial / TASKS)
            card = model_card(artifact, pipeline, made, place)
        elif artifact.path == RECORD:
            copy_record(partial)
            card = record_card(artifact, pipeline)
        else:
            partial.mkdir()
            table = partial / artifact.path.name
            write_table_of(artifact, table)
            card = dataset_card(artifact, pipeline, made, table)
        (partial / "README.md").write_text(card, encoding="utf-8")
    print(f"{artifact.name}: {folder}")


def write_table_of(artifact: Artifact, path: Path) -> None:
    """Write an artifact's table, with each row's query where the corpus was made here."""
    params = read_params(None)
    if artifact.queries is None or not is_made_here(data_group(params)):
        shutil.copy(artifact.path, path)
        return
    queries = pl.read_parquet(artifact.queries, columns=["query_id", "query"])
    rows = pl.read_parquet(artifact.path)
    rows.join(queries, on="query_id", how="left", maintain_order="left").write_parquet(path)


def write_tasks(program: str, folder: Path) -> None:
    """Have a program of the pipeline write the tasks that a model was asked, and examples."""
    words = [sys.executable, "-m", program, str(folder), "--named", folder.name]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"`python -m {program}` failed: {done.stderr.strip()}")


def upload(folder: Path, kind: str, repository: str, private: bool) -> None:
    """Send a folder to a repository of the Hub, which is made if it is not there."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = os.environ.get("HF_TOKEN")
    if not token:
        raise InputError("HF_TOKEN is not set; give a token of the Hub that may write")
    api = HfApi(token=token)
    try:
        api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        done = api.upload_folder(
            folder_path=folder,
            repo_id=repository,
            repo_type=kind,
            commit_message=f"{folder.name}, by genlab",
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = str(error).replace(token, "...")
        raise InputError(f"{repository}: the Hub did not take it ({said})") from None
    print(f"{folder.name}: {done.commit_url}")


if __name__ == "__main__":
    run(app)
