"""The collections and rankers of a run, by the names that params.yaml gives them."""

import shlex
from collections.abc import Collection
from pathlib import Path

from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.ranking.rankers import Ranker, RankerKind, load_ranker


def tables_in(folder: Path) -> dict[str, Path]:
    """Return name -> table of every collection; InputError if there is none."""
    found = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    if not found:
        raise InputError(f"{folder}: no collection; run `dvc repro` to fetch those of params.yaml")
    return found


def check_all_made(folders: list[Path], made_by: Collection[str]) -> None:
    """Raise InputError if folders that are read whole hold what no stage makes.

    It is of a collection or a ranker that params.yaml had before: DVC leaves it there. Its numbers
    would stand beside the others', and a copy of the run, which lacks it, would score all anew.
    """
    found = {folder: visible_in(folder) for folder in folders}
    left = [str(path) for there in found.values() for path in there if str(path) not in made_by]
    if left:
        read = [str(f) for f, there in found.items() if {*map(str, there)} - set(made_by)]
        raise InputError(
            f"{', '.join(left)}: no stage makes it, as a collection or ranker of this name is not "
            f"in params.yaml, but all of {', '.join(read)} is read; remove it: "
            + shlex.join(["rm", "-r", *left])
        )


def visible_in(folder: Path) -> list[Path]:
    """Return what lies in a folder, without hidden files; nothing where there is none."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in there if not path.name.startswith(".")]


def ranker_of(
    ranker: Path, counts: Path, batch_size: int, loaded: Ranker | None, n_kept: int = 0
) -> Ranker:
    """Return the ranker of a folder, for one collection; n_kept: as `load_ranker` says.

    counts: BM25's of that collection. Any other ranker is the same for all: `loaded`, if it is.
    """
    if kind_of(ranker) is RankerKind.bm25:
        return load_ranker(counts, batch_size)
    return loaded or load_ranker(ranker, batch_size, n_kept)


def kind_of(ranker: Path) -> RankerKind:
    """Return what kind of ranker lies in a folder."""
    path = ranker / "ranker.json"
    try:
        return RankerKind(parse_json(path.read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: no ranker's manifest; run `dvc repro` to fetch it") from None
