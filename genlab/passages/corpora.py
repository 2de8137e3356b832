"""Real corpora, from files or the Hugging Face Hub, as frames of `QUERY_SCHEMA`.

The corpus is MS MARCO as on the Hub, MS MARCO's own files, labelled sentences (WikiQA), queries
with their positives, or a folder in BEIR's or TREC's layout. Frames have at most BATCH_ROWS queries
and keep the files' order. Nothing but JSON, separated text and Parquet is ever interpreted.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Annotated
from unicodedata import normalize

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.seeds import draw
from genlab.core.tables import BATCH_ROWS, QUERY_SCHEMA
from genlab.passages.corpus_rows import CorpusFormat, PlacedQuery, hub_queries, read_queries
from genlab.passages.judged_folders import find_judged_folder, judged_queries, texts_by_id
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import count_files
from genlab.sources.foreign_files import check_path, files_in
from genlab.sources.hub import load_dataset
from genlab.sources.text_files import (
    EXTENSIONS,
    data_stem,
    extension_rank,
    is_data_file,
    shown,
    some_of,
)
from genlab.sources.unpacked import hint_at, hint_below, packed_at, unpacked_folder

# A frame of long texts goes out at 268 M characters, before it has BATCH_ROWS rows.
MAX_FRAME_CHARS = 1 << 28
SPLITS = ("train", "validation")
FEW = 50  # the interval of a mean place is then more than a place wide


@dataclass(frozen=True)
class Limits:
    """How many queries are taken; of more they are drawn by the seed, for a file may be sorted."""

    n_train: Annotated[int, Option(min=0, help="train queries; 0: all there are")]
    n_validation: Annotated[int, Option(min=0, help="validation queries; 0: all there are")]
    seed: Annotated[int, Option(min=0, help="mini: of the corpus; hub, file: which are drawn")]

    def by_split(self) -> dict[str, int]:
        """Return {split: limit}; 0 for none."""
        return {"train": self.n_train, "validation": self.n_validation}


# A part of a corpus: its name, its split (None: its queries are divided), and what reads it.
Part = tuple[str, str | None, Callable[[], Iterator[PlacedQuery]]]


def read_file_corpus(
    path: Path,
    format: str,
    limits: Limits,
    validation_share: float,
    max_text_bytes: int,
    encoding: Encoding = Encoding.auto,
    files: Counter | None = None,
    n_negatives: int = 9,
    train_too: bool = False,
) -> Iterator[pl.DataFrame]:
    """Yield the queries of a file, folder or zip as frames of QUERY_SCHEMA; count files in `files`.

    `format` is a CorpusFormat. In a folder the file names say which split a file is. A single file,
    or a folder whose file names do not say it, is divided by a hash of the query text;
    `validation_share` (0 to 1) of the texts go to validation. A share of 1, and a folder without
    train files, give no train split: a corpus to evaluate on. A text may have up to
    `max_text_bytes` bytes of UTF-8. With a TREC run a query gets `n_negatives` unselected passages.
    With `train_too` train queries are evaluated, too, so either split may be empty. With limits the
    files are read twice, so that only the numbers of the drawn queries are kept in memory. Raises
    InputError with file and row for anything unreadable, and at the end for an empty split or a
    corpus without a selected passage. A link that leads out of a folder, or a pipe in it, is
    refused.
    """
    counts: Counter = Counter() if files is None else files
    with unpacked_folder(path, counts, is_data_file) as (place, _):
        parts = file_parts(
            place, CorpusFormat(format), max_text_bytes, encoding, counts, n_negatives
        )
        yield from collect_frames(str(path), parts, limits, validation_share, train_too)


def file_parts(
    path: Path,
    layout: CorpusFormat,
    max_text_bytes: int,
    encoding: Encoding,
    counts: Counter,
    n_negatives: int,
) -> list[Part]:
    """Return the parts of a file or folder, which are not read yet; count its files."""
    if layout in (CorpusFormat.auto, CorpusFormat.judged) and (found := find_judged_folder(path)):
        limits_of = n_negatives, max_text_bytes, encoding
        return [
            (str(file), split, partial(judged_queries, found, file, *limits_of))
            for file, split in with_splits(path, found.qrels, counts, found.beside)
        ]
    if layout is CorpusFormat.judged:
        raise InputError(
            f"{path}: no folder of judgements; corpus.format judged needs qrels beside "
            "corpus.jsonl and queries.jsonl (BEIR), or collection.tsv and queries.tsv (TREC)"
        )
    return [
        (str(file), split, partial(read_queries, file, layout, max_text_bytes, encoding))
        for file, split in find_data_files(path, counts)
    ]


def read_pool(
    path: Path, max_text_bytes: int, encoding: Encoding = Encoding.auto
) -> list[str] | None:
    """Return all texts of a BEIR or TREC folder or zip, judged or not; None for other paths."""
    with unpacked_folder(path, Counter(), is_data_file) as (place, _):
        found = find_judged_folder(place)
        if found is None:
            return None
        return [text for _, text in texts_by_id(found.corpus, encoding, max_text_bytes)]


def read_hub_corpus(
    hub_id: str,
    hub_name: str,
    revision: str,
    limits: Limits,
    max_text_bytes: int,
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the train and validation queries of a Hub dataset as frames, and the commit.

    The dataset has MS MARCO's columns; `hub_name` is its configuration ("v2.1"; empty if it has
    one only), `revision` a commit. `hub_id` may be a local folder in the Hub's layout. Limits and
    errors as in `read_file_corpus`; whatever fails on the way to the Hub is one InputError.
    """
    asked = " ".join(part for part in (hub_id, hub_name) if part)
    dataset, commit = load_dataset(
        hub_id,
        hub_name,
        revision,
        ["train", "validation"],
        asked=f"{asked} at revision {revision}",
        instead="download the files and set corpus.source: file",
    )
    parts: list[Part] = [
        (f"{asked}, {split}", split, partial(hub_queries, asked, split, rows, max_text_bytes))
        for split, rows in dataset.items()
    ]
    return collect_frames(asked, parts, limits, validation_share=0.0), commit


@dataclass
class RepeatedQueries:
    """Counts the queries that are in several files of one split, as if a table had been cut up."""

    n_files: Counter  # by split
    first: dict[tuple[str | None, int], str] = field(default_factory=dict)  # the first file of each
    n: int = 0

    def add(self, file: str, split: str | None, query: str) -> None:
        """Count a query that an earlier file of this split has, too; split: None if not named."""
        if self.n_files[split] > 1:
            key = split, hash(" ".join(query.split()))
            self.n += self.first.setdefault(key, file) != file

    def tell(self, corpus: str) -> None:
        """Print how many there are, on stderr: a query has only the passages of one file."""
        if self.n:
            print(
                f"{corpus}: queries that an earlier file of the same split has, too: {self.n}; "
                "their passages are not joined, so if the files are parts of one table, join them",
                file=sys.stderr,
            )


def collect_frames(
    corpus: str,
    parts: list[Part],
    limits: Limits,
    validation_share: float,
    train_too: bool = False,
) -> Iterator[pl.DataFrame]:
    """Yield frames of the parts' queries, in order; parts without a split are divided.

    Raises InputError for a query_id met twice, a part without queries, an empty split, and a
    corpus in which no passage is selected.
    """
    drawn = draw_numbers(parts, limits, validation_share)
    there: Counter[str] = Counter()
    places: dict[str, str] = {}
    rows, n_chars, any_selected = [], 0, False
    repeated = RepeatedQueries(Counter(split for _, split, _ in parts))
    for name, fixed_split, read in parts:
        n_places = len(places)
        for place, query in read():
            first = places.setdefault(query["query_id"], place)
            if first is not place:
                raise InputError(
                    f"query_id {shown(query['query_id'])} occurs twice: {first}; and {place}; "
                    "remove one of the two rows or give it another id"
                )
            repeated.add(name, fixed_split, query["query"])
            split = fixed_split or split_by_hash(query["query"], validation_share)
            if split not in drawn or there[split] in drawn[split]:
                rows.append(query | {"split": split})
                n_chars += sum(len(passage["text"]) for passage in query["passages"])
                any_selected |= any(passage["is_selected"] for passage in query["passages"])
            there[split] += 1
            if len(rows) == BATCH_ROWS or n_chars > MAX_FRAME_CHARS:
                yield pl.DataFrame(rows, schema=QUERY_SCHEMA)
                rows, n_chars = [], 0
        if len(places) == n_places:
            raise InputError(f"{name}: there are no queries in it; give it rows or remove it")
    repeated.tell(corpus)
    check_splits(corpus, there, () if train_too else needed_splits(parts, validation_share))
    if not any_selected:
        raise none_selected(corpus, there, limits)
    if rows:
        yield pl.DataFrame(rows, schema=QUERY_SCHEMA)


def none_selected(corpus: str, there: Counter[str], limits: Limits) -> InputError:
    """Return the error of a corpus in which no passage of the queries taken is selected."""
    n_taken = sum(min(n, limits.by_split()[split] or n) for split, n in there.items())
    return InputError(
        f"{corpus}: none of the {n_taken} queries has a selected passage (is_selected or label "
        "1), so nothing can be answered; give the labelled files"
    )


def needed_splits(parts: list[Part], validation_share: float) -> tuple[str, ...]:
    """Return the splits that must have queries: validation alone of a corpus to evaluate on."""
    trains = [split == "train" or (split is None and validation_share < 1) for _, split, _ in parts]
    return SPLITS if any(trains) else SPLITS[1:]


def check_splits(corpus: str, there: Counter[str], needed: tuple[str, ...]) -> None:
    """Raise InputError for a needed split without queries."""
    for split in needed:
        if not there[split]:
            raise InputError(
                f"{corpus}: no query for split {split} ({there.total()} for the other); give a "
                "folder with files named train and dev or validation, or one file with more "
                "queries and a corpus.validation_share well between 0 and 1"
            )


def draw_numbers(
    parts: list[Part], limits: Limits, validation_share: float
) -> dict[str, Collection[int]]:
    """Return {split: numbers of the queries that are drawn}, counted from 0, of limited splits."""
    limited = {split: n for split, n in limits.by_split().items() if n}
    there: Counter[str] = Counter()
    for _, split, read in parts:
        if split is None and limited:
            there.update(split_by_hash(query["query"], validation_share) for _, query in read())
        elif split in limited:
            there[split] += sum(1 for _ in read())
    return {split: set(draw(range(there[split]), n, limits.seed)) for split, n in limited.items()}


def split_by_hash(query: str, validation_share: float) -> str:
    """Return "train" or "validation" by the words of `query`, the same in every run.

    Case, punctuation and spacing do not count, so variants of a question stay on one side.
    """
    words = " ".join(re.findall(r"\w+", normalize("NFKC", query).casefold()))
    digest = blake2b(words.encode(), digest_size=8).digest()
    return "validation" if int.from_bytes(digest, "big") < validation_share * 2**64 else "train"


def find_data_files(path: Path, counts: Counter) -> list[tuple[Path, str | None]]:
    """Return the corpus files at `path` with their splits, train first; None where names tell none.

    What is left out (`data_files`, `split_files`) is named on stderr and counted. Raises
    InputError, listing what is there, if nothing is left.
    """
    check_path(path, "corpus.path")
    if path.is_file():
        count_files(counts, [path], [path])
        return [(path, None)]
    if found := with_splits(path, data_files(path), counts):
        return found
    there = sorted(path.iterdir())
    names = [file.name + "/" * file.is_dir() for file in there]
    raise InputError(
        f"{path}: no data files in it; it holds {some_of(names) or 'nothing'}; give files ending "
        f"in {' '.join(EXTENSIONS)} (or .gz, .zst of these), named train, dev or validation"
        f"{hint_below(path, is_data_file)}"
    )


def data_files(path: Path) -> list[Path]:
    """Return the files of a folder that may hold data: no licences and the like.

    If files differ only in their extension, the first one of EXTENSIONS is taken. Raises InputError
    for a link that leads out of the folder, or a pipe in it.
    """
    by_stem: dict[str, Path] = {}
    files = [path / name for name in files_in(path, str(path), deep=False)]
    for file in sorted(files, key=lambda file: (extension_rank(file), file.name)):
        if is_data_file(file):
            by_stem.setdefault(data_stem(file), file)
    return sorted(by_stem.values())


def files_read(path: Path) -> list[Path]:
    """Return the files that `read_file_corpus` reads at `path`."""
    if path.is_file():
        return [path]
    judged = find_judged_folder(path)
    files, beside = (judged.qrels, judged.beside) if judged else (data_files(path), [])
    return [*beside, *(file for file, _ in split_files(files))] or packed_at(path, is_data_file)


def split_files(files: list[Path]) -> list[tuple[Path, str | None]]:
    """Return the files with the splits that their names tell, train first.

    If no file is named validation (or dev), test files take that place. Files without a split in
    their names are left out if others have one.
    """
    told = {file: split_in_name(file) for file in files}
    evaluated = "validation" if "validation" in told.values() else "test"
    found: list[tuple[Path, str | None]] = [
        (file, split)
        for name, split in (("train", "train"), (evaluated, "validation"))
        for file in files
        if told[file] == name
    ]
    return found or [(file, None) for file in files]


def with_splits(
    path: Path, files: list[Path], counts: Counter, beside: Collection[Path] = ()
) -> list[tuple[Path, str | None]]:
    """Return a folder's files as `split_files` does; count them.

    What is left out is named on stderr, and so are test files that are evaluated; the files
    `beside` them, which belong to all splits, are read.
    """
    found = split_files(files)
    if found:
        folders = {path, *(file.parent for file in files)}
        inside = {file for folder in folders for file in folder.iterdir()}
        there, read = sorted(inside - folders), [*beside, *(file for file, _ in found)]
        name_unread(there, read)
        name_tests([file for file, _ in found])
        count_files(counts, there, read)
    return found


def name_tests(files: list[Path]) -> None:
    """Name on stderr the test files that are evaluated."""
    if tests := [file.name for file in files if split_in_name(file) == "test"]:
        print(
            f"evaluated: {', '.join(tests)}, as no file is named dev or validation", file=sys.stderr
        )


def name_unread(there: list[Path], files: list[Path]) -> None:
    """Name on stderr what lies in a corpus's folder and is not read."""
    unread = [file for file in there if file not in files]
    if names := [file.name + "/" * file.is_dir() for file in unread]:
        print(
            f"not read: {len(names)} ({some_of(names)}); a data file beside others needs train, "
            "dev or validation in its name, and one name counts once"
            f"{hint_at(unread, 'corpus.path')}",
            file=sys.stderr,
        )


def split_in_name(file: Path) -> str | None:
    """Return "train", "validation" or "test" if a word of the file's name says so, else None."""
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", data_stem(file)):
        word = word.lower()
        if word.startswith("train") or word.endswith("train"):
            return "train"
        if word.startswith("valid") or word.endswith("dev") or word in ("devset", "val"):
            return "validation"
        if word.startswith("test") or word == "eval":
            return "test"
    return None


def count_queries(frame: pl.DataFrame, counts: dict) -> pl.DataFrame:
    """Add the frame's queries and passages to the counts by split; return the frame unchanged."""
    selected = pl.col("passages").list.eval(pl.element().struct.field("is_selected"))
    for split, queries, passages, answerable in (
        frame.group_by("split")
        .agg(
            pl.len(),
            pl.col("passages").list.len().sum(),
            selected.list.any().sum().alias("answerable"),
        )
        .iter_rows()
    ):
        counts[split]["queries"] += queries
        counts[split]["passages"] += passages
        counts[split]["answerable"] += answerable
    return frame


def said_of_splits(counts: dict[str, dict[str, int]]) -> str:
    """Return a line with the splits' sizes, and a warning if there are few queries."""
    sizes = {split: of_split["queries"] for split, of_split in counts.items()}
    said = f"{sizes['train']:,} train and {sizes['validation']:,} validation queries"
    if sizes["validation"] < FEW:
        said += (
            "; so few to measure on say little: raise corpus.validation_share, or give a folder of "
            "files named train and dev"
        )
    return said
