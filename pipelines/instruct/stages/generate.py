"""generate: every arm answers the test prompts - which choice is likeliest, or in its own words.

Reads test.arrow, the base and the trained arms. Writes a row for each arm and prompt: the log
probabilities of all choices, also after an empty input, or the text that greedy decoding gives.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding
from pipelines.instruct.arm_answers import answer_prompts, with_gaps
from pipelines.instruct.arms import BASE, model_folders
from pipelines.instruct.schemas import ANSWER_SCHEMA

app = stage_app()


@app.command()
@grouped_options
def main(
    tokens: Path,
    base: Path,
    trained: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    arms: Annotated[list[str], Option(help="that answer, beside the base")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1, help="inputs at a time")],
) -> None:
    """Ask every arm."""
    from genlab.models.loading import load_for_inference, load_text_to_text_model

    folders = model_folders(base, trained, arms)
    prompts = pl.read_ipc_stream(tokens / "test.arrow")
    frames = []
    for arm, folder in folders.items():
        tokenizer, model = load_for_inference(folder, load=load_text_to_text_model)
        asked = with_gaps(prompts, tokenizer) if arm == BASE else prompts
        with progress(f"answering, {arm}", asked.height, "answers") as update:
            found = answer_prompts(model, tokenizer, asked, decoding, batch_size, update)
        frames.append(found.with_columns(arm=pl.lit(arm)).select(ANSWER_SCHEMA.names()))
    answers = pl.concat(frames)
    write_table(output, [answers], ANSWER_SCHEMA)
    write_json(
        metrics,
        {
            "answers": {
                "total": answers.height,
                "ranked": answers["log_probs"].is_not_null().sum(),
                "written": answers["text"].is_not_null().sum(),
            }
        },
    )


if __name__ == "__main__":
    run(app)
