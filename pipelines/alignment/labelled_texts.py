"""Texts from outside as frames of TEXT_SCHEMA: files and archives, a Hub data set, or queries.

A file's mood is in its path, as in the data sets of NLTK, of Pang and Lee, and in the Large Movie
Review Dataset: a folder `pos` or `neg` has one text per file, a file that ends in `.pos` or `.neg`
one text per line. Archives are read in place, not unpacked. The flagship's queries have no mood;
each is a prompt.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_batches
from genlab.sources.hub import load_dataset
from pipelines.alignment.schemas import TEXT_SCHEMA, divide, frames_of

MOODS = {"pos": True, "neg": False}


def read_text_files(
    path: Path, max_words: int, n_texts: int, validation_share: float, dropped: Counter
) -> Iterator[pl.DataFrame]:
    """Yield the texts of a file, a zip archive or a folder of both; count drop reasons.

    Half of `n_texts` (0: all) are taken of either mood, in the files' order. A text of more than
    `max_words` is cut to its first whole sentences, so that the policy can learn where texts end.
    """
    by_mood: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    seen: set[str] = set()
    for text_id, raw, is_positive in find_texts(path):
        text = first_sentences(raw, max_words)
        reason = "empty" if not raw.split() else "first_sentence_too_long" if not text else None
        if reason is None and text in seen:
            reason = "duplicate"
        if reason:
            dropped[reason] += 1
            continue
        seen.add(text)
        by_mood[is_positive].append((text_id, text))
    if not by_mood[True] or not by_mood[False]:
        raise InputError(
            f"{path}: {len(by_mood[True])} positive and {len(by_mood[False])} negative texts, and "
            "some of both are needed; expected folders pos and neg, or files *.pos and *.neg, "
            "also in zip archives"
        )
    wanted = n_texts // 2 if n_texts else max(map(len, by_mood.values()))
    dropped["beyond_n_texts"] += sum(max(0, len(texts) - wanted) for texts in by_mood.values())
    rows = [
        (text_id, "", text, is_positive, *divide(text_id, validation_share))
        for is_positive, texts in by_mood.items()
        for text_id, text in texts[:wanted]
    ]
    yield from frames_of(rows)


def find_texts(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield (id, text, is it positive) of all files under `path` whose name tells a mood."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if file.suffix == ".zip":
            try:
                with zipfile.ZipFile(file) as archive:
                    for name in sorted(archive.namelist()):
                        mood = mood_of(name)
                        if mood is not None and not name.endswith("/"):
                            yield from texts_in(f"{file.stem}/{name}", archive.read(name), mood)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise InputError(f"{file}: not a zip archive that can be read ({error})") from None
        elif (mood := mood_of(file.as_posix())) is not None:
            name = str(file.relative_to(path)) if path.is_dir() else file.name
            yield from texts_in(name, file.read_bytes(), mood)


def mood_of(name: str) -> bool | None:
    """Return whether a file's path says positive; None if it says nothing."""
    parts = PurePosixPath(name).parts
    suffix = PurePosixPath(name).suffix.removeprefix(".")
    return MOODS.get(suffix, next((MOODS[part] for part in parts[:-1] if part in MOODS), None))


def texts_in(name: str, content: bytes, is_positive: bool) -> Iterator[tuple[str, str, bool]]:
    """Yield a file's texts: one, or one per line if its ending is the mood."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as NLTK's corpora are; it decodes anything
    if PurePosixPath(name).suffix.removeprefix(".") in MOODS:
        for number, line in enumerate(text.splitlines()):
            yield f"{name}-{number}", line, is_positive
    else:
        yield name, text, is_positive


def first_sentences(text: str, max_words: int) -> str:
    """Return the leading sentences that have at most `max_words` words; "" if the first has more.

    A sentence ends at a line's end or behind . ! or ? with a space after it.
    """
    kept: list[str] = []
    for sentence in re.split(r"\n+|(?<=[.!?])\s+", text):
        words = sentence.split()
        if len(kept) + len(words) > max_words:
            break
        kept += words
    return " ".join(kept)


def read_hub_texts(
    hub_id: str,
    revision: str,
    max_words: int,
    n_texts: int,
    validation_share: float,
    dropped: Counter,
) -> Iterator[pl.DataFrame]:
    """Yield the labelled texts of a Hub data set with columns text and label (0 negative, 1)."""
    dataset, _ = load_dataset(
        hub_id,
        "",
        revision,
        ["train"],
        asked=f"corpus.hub_id={hub_id} at {revision}",
        instead="use corpus.source=file with corpus.path=FILE",
    )
    rows = dataset["train"]
    if missing := {"text", "label"} - set(rows.column_names):
        raise InputError(
            f"corpus.hub_id={hub_id}: it has no column {' and '.join(sorted(missing))}"
        )
    kept: list[tuple] = []
    taken: Counter[int] = Counter()
    for number, row in enumerate(rows):
        text = first_sentences(row["text"].replace("<br />", "\n"), max_words)
        reason = None if text else "first_sentence_too_long"
        if row["label"] not in (0, 1):
            reason = "no_label"
        elif reason is None and n_texts and taken[row["label"]] >= n_texts // 2:
            reason = "beyond_n_texts"
        if reason:
            dropped[reason] += 1
            continue
        taken[row["label"]] += 1
        text_id = f"hub-{number:06}"
        kept.append((text_id, "", text, row["label"] == 1, *divide(text_id, validation_share)))
    if len(taken) < 2:
        raise InputError(f"corpus.hub_id={hub_id}: it has no texts of both labels, 0 and 1")
    yield from frames_of(kept)


def read_queries(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the flagship's queries as prompts, each with the first passage that answers it.

    Queries that no passage answers are left out. The queries' own split is kept.
    """
    for batch in read_batches(path):
        if not {"query_id", "query", "passages", "split"} <= set(batch.columns):
            raise InputError(f"{path}: not a table of queries; give the flagship's dedup.parquet")
        answers = pl.col("passages").list.filter(pl.element().struct.field("is_selected"))
        yield (
            batch.with_columns(answer=answers.list.first())
            .filter(pl.col("answer").is_not_null())
            .select(
                text_id="query_id",
                prompt="query",
                text=pl.col("answer").struct.field("text"),
                is_positive=pl.lit(None, pl.Boolean),
                split="split",
                half=pl.lit("reward"),
            )
            .match_to_schema(TEXT_SCHEMA)
        )
