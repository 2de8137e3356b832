"""Three real examples of every probe: the query, the text, and the place with and without it.

They are of the reader's own collections, and go on the page alone, which is never committed.
"""

from pathlib import Path

import polars as pl

from genlab.core.tables import read_table
from genlab.report.examples import EXAMPLES
from genlab.report.page import Table
from genlab.report.shown_texts import Shown
from pipelines.rankers.altered_texts import BASELINES

LENGTH = 400  # characters of a text that are shown

FOOLED = "wrong_with_query"  # the probe whose examples stand first: a copy of the query fools


def find_examples(placed: pl.DataFrame, altered: pl.DataFrame) -> list[list[str]]:
    """Return rows (probe, query, text, place before, place after) of one judge, with a header.

    Of each probe the query whose text gained most places against the slot's baseline, the middle
    one, and the one that lost most, or gained least.
    """
    baselines = pl.DataFrame({"slot": list(BASELINES), "baseline": list(BASELINES.values())})
    before = placed.select("query_id", baseline="probe", before="location")
    rows = (
        placed.join(baselines, on="slot", maintain_order="left")
        .filter(pl.col("probe") != pl.col("baseline"))
        .join(before, on=["query_id", "baseline"], maintain_order="left")
        .join(altered.select("query_id", "probe", "query"), on=["query_id", "probe"])
        .sort(
            "probe",
            pl.col("before") - pl.col("location"),
            "query_id",
            descending=[False, True, False],
        )
    )
    shown = [["probe", "query", "text", "place before", "place after"]]
    for (probe,), own in rows.group_by("probe", maintain_order=True):
        chosen = list(dict.fromkeys((0, own.height // 2, own.height - 1)))
        for row in own[chosen].iter_rows(named=True):
            places = f"{row['before']:g}", f"{row['location']:g}"
            shown.append([str(probe), row["query"], shorten(row["text"]), *places])
    return shown


def shorten(text: str) -> str:
    """Return the text; of a long one its beginning and its end, which may be what was altered."""
    half = LENGTH // 2
    return text if len(text) <= LENGTH else f"{text[:half]} [...] {text[-half:]}"


def examples_by_judge(placed: pl.DataFrame, altered: Path) -> dict[str, Table]:
    """Return a table of examples for each judge."""
    tables = {}
    for (judge, collection), own in placed.group_by("judge", "collection", maintain_order=True):
        texts = read_table(altered / f"{collection}.parquet")
        tables[str(judge)] = find_examples(own, texts)
    return tables


def first_examples(tables: dict[str, Table]) -> list[Shown]:
    """Return the first judge's examples of the query before a wrong passage."""
    judge, table = next(iter(tables.items()))
    rows = [row for row in table[1:] if row[0] == FOOLED]
    return [
        Shown(
            name,
            f"{judge}: place {before} without the query, {after} with it",
            text,
            {"query": query},
            "the passage, the query in front",
        )
        for name, (_, query, text, before, after) in zip(EXAMPLES, rows, strict=False)
    ]
