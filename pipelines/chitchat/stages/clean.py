"""Clean the dialogues; count what was cut and what was dropped.

Reads the fetched dialogues. Writes those that have a reply, in order. A dialogue ends before its
first turn that is empty or too long.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import read_batches, write_table
from genlab.text.filtering import flow
from pipelines.chitchat.dialogue_rules import REASONS, Rules, check_any_left, clean_batch
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA

app = stage_app()


@app.command()
@grouped_options
def main(
    dialogues: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Rules,
) -> None:
    """Rewrite turns, drop what has no reply, count both."""
    fates: Counter[str | None] = Counter()
    turns: Counter[str] = Counter()

    def cleaned() -> Iterator[pl.DataFrame]:
        for batch in read_batches(dialogues):
            kept, batch_fates, batch_turns = clean_batch(batch, rules)
            fates.update(batch_fates)
            turns.update(batch_turns)
            yield kept
        check_any_left(str(dialogues), fates)

    write_table(output, cleaned(), DIALOGUE_SCHEMA)

    cut = turns.pop("dialogues_cut", 0)
    dropped = {"turns": {"in": turns["in"], "out": turns["out"]}, "cut": cut}
    write_json(metrics, {"dialogues": flow(fates, REASONS), **dropped})


if __name__ == "__main__":
    run(app)
