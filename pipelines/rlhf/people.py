"""Rankings that people make at the label desk: what it shows, and what came of it.

The desk shows a prompt with its answers numbered, and keeps an order such as 2>1=3. An order of
answers that have changed since does not count: it bears the fingerprint of what was shown.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from genlab.core.program import InputError
from genlab.labelling.label_files import read_labels
from genlab.labelling.questionnaire import add_fingerprints, ranks_of, read_questionnaire

DESK_SCHEMA = pl.Schema(
    {
        "text_id": pl.String,  # the prompt's id
        "arm": pl.String,
        "purpose": pl.String,
        "prompt": pl.String,
        "text": pl.String,  # the answers, numbered from 1 on in the order of the table of ranks
        "n_answers": pl.Int64,
    }
)


def desk_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what the desk shows: a row per prompt of RANK_SCHEMA's rows."""
    found = []
    for (name,), group in rows.group_by("prompt_id", maintain_order=True):
        answers = [text or "(empty)" for text in group["text"].to_list()]
        numbered = "\n\n".join(f"{i}. {text}" for i, text in enumerate(answers, 1))
        first = group.row(0, named=True)
        found.append((name, "start", first["purpose"], first["prompt"], numbered, len(answers)))
    return pl.DataFrame(found, DESK_SCHEMA, orient="row")


def people_ranks(
    rows: pl.DataFrame, labels: Path, questionnaire: Path, dropped: Counter
) -> pl.DataFrame:
    """Return the answers with the ranks that people gave them; null where nobody has.

    Of several people's orders the mean rank counts. Raises InputError if there is no order at all.
    """
    sheet = read_questionnaire(questionnaire)
    if not sheet.is_order:
        raise InputError(f"{questionnaire}: it must have choices: order, to rank answers by it")
    given = read_labels(labels, sheet)
    known = add_fingerprints(desk_table(rows), sheet).select("text_id", "fingerprint")
    counted = given.join(known, on=["text_id", "fingerprint"])
    dropped["order_of_other_answers"] += given.height - counted.height
    if counted.is_empty():
        print(
            "nobody has ranked these answers yet: python -m genlab label --rater NAME --texts "
            "data/desk.parquet --questionnaire rank.yaml"
        )
    orders: dict[str, list[list[int]]] = {}
    for name, answer in counted.select("text_id", "answer").iter_rows():
        orders.setdefault(name, []).append(ranks_of(answer))
    parts = []
    for (name,), group in rows.group_by("prompt_id", maintain_order=True):
        of_people = orders.get(str(name), [])
        totals = [sum(ranks) for ranks in zip(*of_people, strict=True)]
        ranks = [1 + sum(other < total for other in totals) for total in totals]
        known_ranks = ranks or [None] * group.height
        parts.append(group.with_columns(rank=pl.Series(known_ranks, dtype=pl.Int32)))
    return pl.concat(parts)
