"""Drop copies of dialogues and replies that repeat the input; divide the rest into splits.

Reads cleaned dialogues. Writes those kept, in order, with their split and with which of their turns
are replies. No opening line is in two splits. The corpus is held in memory: the 87,720 dialogues of
the Russian jokes take about 0.6 GB.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import BATCH_ROWS, read_table, write_table
from genlab.text.filtering import count_fates, flow
from pipelines.chitchat.dialogue_splits import (
    REASONS,
    Rules,
    check_any_left,
    check_rules,
    count_replies,
    split_dialogues,
)
from pipelines.chitchat.schemas import SPLIT_SCHEMA, SPLITS

app = stage_app()


def check(rules: Rules) -> None:
    """Raise InputError for shares that leave a split empty."""
    check_rules(rules)


@app.command()
@grouped_options
def main(
    dialogues: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Rules,
) -> None:
    """Drop copies and echoes, split by opening line, count."""
    check(rules)
    table = split_dialogues(read_table(dialogues), rules)
    kept = table.filter(pl.col("fate").is_null())
    splits = {split: kept.filter(split=split) for split in SPLITS}
    check_any_left(str(dialogues), {name: rows.height for name, rows in splits.items()})

    columns = kept.select(SPLIT_SCHEMA.names())
    write_table(output, columns.iter_slices(BATCH_ROWS), SPLIT_SCHEMA)

    write_json(
        metrics,
        {
            "dialogues": flow(count_fates(table["fate"]), REASONS),
            "splits": {
                split: {"dialogues": rows.height, "replies": count_replies(rows)}
                for split, rows in splits.items()
            },
        },
    )


if __name__ == "__main__":
    run(app)
