"""read: how likely every arm finds the true test replies, with their history, another's, or none.

Reads token ids and the arms' models. Writes a row per arm, history and reply: the sum of its
negative log-likelihood, from which perplexity and bits per byte of any set of replies follow.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_table
from pipelines.chitchat.arm_training import load_layout
from pipelines.chitchat.chat_inputs import special_of
from pipelines.chitchat.reply_reading import read_replies
from pipelines.chitchat.schemas import READ_SCHEMA

app = stage_app()


@app.command()
def main(
    tokens: Path,
    models: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    arms: Annotated[list[str], Option(help="folders of the models; repeat the option")],
    count_end: Annotated[bool, Option(help="The end of a reply is one of its tokens.")],
    batch_size: Annotated[int, Option(min=1, help="replies at a time")],
) -> None:
    """Read the true replies with every arm."""
    from genlab.models.loading import load_for_inference

    rows = pl.read_ipc_stream(tokens / "test.arrow")
    if not count_end and (rows["reply"].list.len() == 0).all():
        raise InputError(f"{tokens}/test.arrow: all replies are empty")
    frames = []
    for arm in arms:
        tokenizer, model = load_for_inference(models / arm)
        layout, special = load_layout(models / arm), special_of(tokenizer)
        frames.append(read_replies(model, rows, layout, special, batch_size, count_end, arm))
    table = pl.concat(frames).select(READ_SCHEMA.names())
    write_table(output, [table], READ_SCHEMA)
    write_json(metrics, {"replies": rows.height, "tokens": int(frames[0]["n_tokens"].sum())})


if __name__ == "__main__":
    run(app)
