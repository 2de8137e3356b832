"""The card of a published record: a pipeline's record/, of other data than its default run.

A record consists of numbers and checksums. The data and models themselves are not in it, so its
card identifies them by names, sizes and checksums. As in cards.py all of the card is generated:
every number in it is from the record.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from genlab.core.markdown import markdown_table
from genlab.core.params_file import text_of
from genlab.core.program import InputError
from genlab.core.shapes import read_json, reading
from genlab.experiments.claims_file import read_asked
from genlab.experiments.layout import read_layout
from genlab.experiments.over_collections import verdicts_table
from genlab.experiments.revisions import parse_params
from genlab.report.artifacts import Artifact
from genlab.report.cards import Made, as_yaml, without_folders
from genlab.report.page import number_tables, with_intervals
from genlab.report.pipeline import CLAIMS, PIPELINE, read_question

RECORD = Path("record")  # an artifact of this path is a record
MEND = "`git checkout HEAD -- record` brings the committed one back"
KEPT = (".json", ".yaml")  # of numbers, and the params
MOST_WORDS = 25  # in a string of a record: a verdict has its reason in one sentence
NUMBERS_ONLY = (
    "It is numbers and checksums alone: no query, no passage and no weight of a model is in it, "
    "and what those are licensed by stays theirs."
)


def copy_record(output: Path) -> None:
    """Copy the record in this folder to `output`; raise InputError if it holds texts."""
    if not RECORD.is_dir():
        raise InputError(f"{RECORD}: no such folder; this pipeline has no record to publish")
    for path in files_of_record(RECORD):
        if path.suffix not in KEPT:
            raise InputError(f"{path}: a record is JSON of numbers and params.yaml; remove it")
        if path.suffix == ".json":
            refuse_texts(path, read_json(path, MEND))
    shutil.copytree(RECORD, output)


def files_of_record(record: Path) -> list[Path]:
    """Return the record's files in order."""
    return sorted(path for path in record.rglob("*") if path.is_file())


def refuse_texts(path: Path, content: Any) -> None:
    """Raise InputError if JSON contains a string that may be a text of the measured data."""
    values = content.values() if isinstance(content, dict) else content
    if isinstance(values, str):
        if len(values.split()) > MOST_WORDS:
            raise InputError(
                f"{path}: a string of {len(values.split())} words ({values[:40]!r}...) is no "
                "number; a record holds no texts, as these are not the project's to publish"
            )
    elif isinstance(content, (dict, list)):
        for each in values:
            refuse_texts(path, each)


def record_card(artifact: Artifact, pipeline: str) -> str:
    """Return the README.md of the record of the pipeline in this folder."""
    from huggingface_hub import DatasetCardData

    rows = [path for path in files_of_record(RECORD) if is_list(path)]
    metadata = DatasetCardData(
        language=artifact.language,
        license="apache-2.0",
        tags=["genlab"],
        pretty_name=f"{pipeline}: {artifact.name}",
        configs=[
            {"config_name": path.stem, "data_files": path.relative_to(RECORD).as_posix()}
            for path in rows
        ]
        or None,
    )
    parts = [
        f"---\n{metadata}\n---",
        f"# {pipeline}: {artifact.name}",
        f"{artifact.description}. {NUMBERS_ONLY}",
        "## What was asked",
        read_question(PIPELINE),
        "## What it was measured on",
        markdown_table(assets_table(RECORD / "fetch")),
        *what_came_out(),
        "## What lies in it",
        markdown_table(files_table(RECORD)),
        *how_it_was_made(),
    ]
    return "\n\n".join(parts) + "\n"


def is_list(path: Path) -> bool:
    """Return whether a file is a JSON list of rows, which the Hub shows as a table."""
    return path.suffix == ".json" and isinstance(read_json(path, MEND), list)


def read_record(name: str) -> dict:
    """Return a file of the record; {} if it has none of this name."""
    path = RECORD / name
    content = read_json(path, MEND) if path.is_file() else {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: a {type(content).__name__}, not numbers by name; {MEND}")
    return content


def assets_table(fetched: Path) -> list[list[str]]:
    """Return a row for each file that was read: of which asset, its size, and its checksum."""
    rows = [["asset", "from", "file", "bytes", "sha256"]]
    for path in sorted(fetched.rglob("*_manifest.json")):
        told = read_json(path, MEND)
        name = f"{path.parent.name}/{path.name.removesuffix('_manifest.json')}"
        with reading([path], MEND):
            origin = told["asset"] if told["source"] == "hub" else Path(told["asset"]).name
            origin += f" at {told['revision']}" * (told.get("revision") not in (None, "none"))
            # A collection was made from files of the user's, whose checksums anybody can compare.
            for file, facts in (told.get("made_from") or told["files"]).items():
                rows.append([name, origin, file, f"{facts['bytes']:,}", facts["sha256"]])
    return rows


def what_came_out() -> list[str]:
    """Return the scores with their intervals, and the claims with their verdicts."""
    parts = []
    with reading([RECORD / "score.json", RECORD / "score_details.json"], MEND):
        scores = with_intervals(read_record("score.json"), read_record("score_details.json"))
        if scores:
            tables = map(markdown_table, number_tables(scores))
            parts += ["## What came out", "With 95 % intervals where there are any.", *tables]
    if settled := read_record("claims.json"):
        layout = read_layout(CLAIMS)
        claims = read_asked(CLAIMS, layout)["claims"]
        with reading([RECORD / "claims.json", CLAIMS], MEND):
            table = verdicts_table(settled, claims, layout)
        parts += [
            "## What was claimed, and on how many collections it holds",
            "B - A with its 95 % interval, for each collection. Verdicts are told from chance "
            "after Holm's correction for all tests; *not settled* is no evidence of absence.",
            table,
        ]
    return parts


def files_table(record: Path) -> list[list[str]]:
    """Return what each file of the record is: rows with their columns, or numbers by their keys."""
    rows = [["file", "content"]]
    for path in files_of_record(record):
        if path.suffix == ".json":
            content = read_json(path, MEND)
            with reading([path], MEND):
                is_table = isinstance(content, list)
                told = tell_rows(content) if is_table else f"by {', '.join(content)}"
        else:
            told = "all values of the run, each with where it comes from"
        rows.append([path.relative_to(record).as_posix(), told])
    return rows


def tell_rows(rows: list[dict]) -> str:
    """Return how many rows there are, and their columns; TypeError if one is not a mapping."""
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("a list of what are no rows")
    return f"a list of {len(rows):,} rows: {', '.join(rows[0]) if rows else 'none'}"


def how_it_was_made() -> list[str]:
    """Return the commit that the record is of, and the params."""
    made = last_commit(RECORD)
    params = parse_params(text_of(RECORD / "params.yaml"), None)
    return [
        "## How it was made",
        f"By `make real` in the pipeline's folder; commit {made.commit} ({made.date}) holds it. "
        "receipt.json has the versions of all packages, and the checksums of what was made on the "
        "way. Its values, each explained in params.yaml:",
        f"```yaml\n{as_yaml(without_folders(params))}```",
    ]


def last_commit(*paths: Path) -> Made:
    """Return the last commit; of paths the last that changed one of them."""
    words = ["git", "log", "-1", "--format=%h %cs", *(["--", *map(str, paths)] if paths else [])]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    return Made(*told.stdout.split())
