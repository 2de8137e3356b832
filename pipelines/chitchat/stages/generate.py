"""generate: every arm replies to the same test turns.

Reads token ids, the dialogues and the arms' models. Writes a row per arm and reply. Replies are
decoded once, to gen.cap; score cuts them to gen.max_len.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import read_table, write_table
from genlab.models.decoding import Decoding
from genlab.models.positions import check_cap
from pipelines.chitchat.asked_replies import choose_replies, texts_of, write_replies
from pipelines.chitchat.schemas import GENERATE_SCHEMA

app = stage_app()


def check(cap: int, base: Path, made_by: dict) -> None:
    """Raise InputError if the base model is to be made too short for the replies."""
    check_cap("gen.cap", cap, base, made_by)


@app.command()
@grouped_options
def main(
    tokens: Path,
    dialogues: Path,
    base: Path,
    models: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of lengths and finished shares")],
    arms: Annotated[list[str], Option(help="folders of the models; repeat the option")],
    n_replies: Annotated[int, Option(min=0, help="at least, of whole dialogues; 0: all")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1, help="replies at a time")],
) -> None:
    """Reply with every arm."""
    from genlab.models.loading import load_for_inference

    rows = choose_replies(pl.read_ipc_stream(tokens / "test.arrow"), n_replies)
    turns = texts_of(read_table(dialogues), rows["reply_id"])
    frames = []
    for arm in arms:
        tokenizer, model = load_for_inference(models / arm)
        with progress(f"replying, {arm}", rows.height, "replies") as update:
            written = write_replies(
                models / arm, tokenizer, model, rows, decoding, batch_size, update
            )
        frames.append(turns.hstack(written).with_columns(arm=pl.lit(arm)))
    table = pl.concat(frames).select(GENERATE_SCHEMA.names())

    write_table(output, [table], GENERATE_SCHEMA)

    measures = table.group_by("arm", maintain_order=True).agg(
        finished_rate=pl.col("finished").mean(), mean_new_tokens=pl.col("tokens").list.len().mean()
    )
    by_arm = {row.pop("arm"): row for row in measures.iter_rows(named=True)}
    write_json(metrics, {"replies": rows.height, **by_arm})


if __name__ == "__main__":
    run(app)
