"""What README shows first: the claims of `headlines`, the rows of `headline_rows`, an example."""

import textwrap
from collections.abc import Callable, Collection
from pathlib import Path

from genlab.core.markdown import markdown_table, table_rows
from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.core.shapes import reading
from genlab.experiments.claims_file import HEADLINE_ROWS, WHY, check_headline_rows
from genlab.experiments.claims_tables import claim_cell, in_words, margin_of
from genlab.experiments.layout import Layout
from genlab.experiments.over_collections import (
    NO_RECORD,
    cell_of,
    over_collections,
    rankers_in,
    records_below,
    short_cell,
)

N_FIRST = 3  # findings of a record of real data in the flagship's README


def headlines_list(
    settled: dict, content: dict, layout: Layout, names: dict, elsewhere: dict
) -> str:
    """Return the claims that claims.yaml names under `headlines`, each with its verdicts."""
    lines = []
    for name in content.get("headlines") or []:
        found = settled["claims"].get(name, {})
        claim = content["claims"][name]
        margin = margin_of(claim, layout)
        cells = [
            f"{in_words(names.get(group, group))} {claim_cell(cell, margin)}".strip()
            for group, cell in found.items()
        ]
        real = f" On real rankers and passages: {elsewhere[name]}." if name in elsewhere else ""
        why = f" {claim[WHY]}" if WHY in claim else ""
        said = f"{claim['claim']} Here: {'; '.join(cells) or 'not run'}.{why}{real}"
        lines.append(wrapped(said, "- ", "  "))
    return "\n".join(lines)


def headlines_over_collections(settled: dict, content: dict, layout: Layout) -> str:
    """Return the claims under `headlines`, each with its verdicts over collections, by ranker."""
    lines = []
    for name in content.get("headlines") or []:
        found, margin = settled["claims"].get(name, {}), margin_of(content["claims"][name], layout)
        cells = [f"{ranker} {cell_of(found, ranker, margin)}" for ranker in rankers_in(settled)]
        lines.append(wrapped(f"{content['claims'][name]['claim']} {'; '.join(cells)}.", "- ", "  "))
    return "\n".join(lines)


def findings_list(folder: Path) -> str:
    """Return the first of a pipeline's findings in words: where each ranker shows it, or not."""
    lines = []
    for pipeline, content, settled in records_below(folder):
        with reading([pipeline / "record/claims.json"]):
            for name in content.get("findings", [])[:N_FIRST]:
                over = over_collections(settled["claims"].get(name, {}))
                cells = "; ".join(short_cell(*each) for each in over.items()) or "not asked"
                lines.append(f"{content['claims'][name]['claim']} {cells}.")
    return "\n".join(wrapped(line, "- ", "  ") for line in lines) or NO_RECORD


def headline_rows(content: dict, table: Callable[[str], str], known: Collection[str]) -> str:
    """Return the rows and columns of a table that claims.yaml names under `headline_rows`.

    There `table` names the table, `rows` maps columns to the cells that select rows (default: all
    rows), and `columns` lists the columns that are shown. known: the names of all tables. Raises
    InputError for a table, row or column that does not exist.
    """
    where, asked = "claims.yaml: headline_rows", content.get(HEADLINE_ROWS)
    if asked is None:
        raise InputError(f"{where}: is not there, and README wants it; give a table and columns")
    check_headline_rows(where, asked)
    if asked["table"] not in known:
        hint = did_you_mean(asked["table"], known)
        raise InputError(f"{where}: {asked['table']} is no table with rows{hint}")
    header, *body = table_rows(table(asked["table"]))
    wanted = asked.get("rows", {})
    for name in [*asked["columns"], *wanted]:
        if name not in header:
            hint = did_you_mean(name, header)
            raise InputError(f"{where}: {asked['table']} has no column {name}{hint}")
    rows = [dict(zip(header, cells, strict=True)) for cells in body]
    for name, cells in wanted.items():
        there = {row[name] for row in rows}
        for cell in cells:
            if cell not in there:
                hint = did_you_mean(str(cell), there)
                raise InputError(f"{where}: {asked['table']} has no {name} {cell}{hint}")
    shown = [row for row in rows if all(row[name] in cells for name, cells in wanted.items())]
    columns = asked["columns"]
    return markdown_table([columns, *([row[name] for name in columns] for row in shown)])


def example_lines(example: dict, names: dict[str, str]) -> str:
    """Return one query, a passage that answers it, the generated text and its places; names above.

    example: as the report stage writes it; its texts are quoted so that none acts as markup.
    """
    places = ", ".join(
        f"{names.get(ranker, ranker)} {place:g}" for ranker, place in example["places"].items()
    )
    said = {
        "Query": f"{code(example['query'])}, **our text's place** among its "
        f"{example['n_texts'] - 1} real passages: {places}",
        "Our text": code(example["text"]),
        "A real answer": code(example["answer"]),
    }
    return "\n>\n".join(wrapped(f"**{name}:** {text}", "> ", "> ") for name, text in said.items())


def code(text: str) -> str:
    """Return text as a Markdown code span, so that nothing in it acts as markup."""
    one_line = " ".join(text.split()).replace("`", "'")
    return f"`{one_line}`"


def wrapped(text: str, first: str, later: str) -> str:
    """Return text in lines of at most 100 characters, each with the given prefix."""
    return textwrap.fill(
        text,
        100,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
