"""generate: every arm answers the test prompts - which choice is likeliest, or in its own words.

Reads test.arrow, the base and the trained arms. Writes a row for each arm and prompt: the log
probabilities of all choices, also after an empty input, or the text that greedy decoding gives.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding
from pipelines.instruct.arms import BASE, SENTINEL, model_folders
from pipelines.instruct.rank_classification import choice_scores
from pipelines.instruct.schemas import ANSWER_SCHEMA

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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
    with progress("answering", unit="answers") as update:
        for arm, folder in folders.items():
            tokenizer, model = load_for_inference(folder, load=load_text_to_text_model)
            asked = prompts
            sentinel = tokenizer.convert_tokens_to_ids(SENTINEL)
            if arm == BASE and sentinel != tokenizer.unk_token_id and sentinel is not None:
                gaps = with_sentinel(prompts.filter(ask="prompt"), sentinel)
                asked = pl.concat([prompts, gaps])
            ranked = rank(model, asked.filter(pl.col("choices").is_not_null()), batch_size, update)
            is_open = asked.filter(pl.col("choices").is_null())
            written = write(model, tokenizer, is_open, decoding, batch_size, update)
            for found in (ranked, written):
                named = found.with_columns(arm=pl.lit(arm))
                frames.append(named.select(ANSWER_SCHEMA.names()))
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


def with_sentinel(prompts: pl.DataFrame, sentinel: int) -> pl.DataFrame:
    """Return prompts that ask for a gap at their end, and choices that fill it."""

    def in_gap(ids: list[int]) -> list[int]:
        return [sentinel, *ids]

    rows = prompts.to_dicts()
    for row in rows:
        *body, end = row["input_ids"]
        row |= {"input_ids": [*body, sentinel, end], "ask": "sentinel"}
        row["choice_ids"] = row["choice_ids"] and [in_gap(ids) for ids in row["choice_ids"]]
    return pl.DataFrame(rows, prompts.schema)


def rank(
    model: "PreTrainedModel", rows: pl.DataFrame, batch_size: int, update: Callable[[int], object]
) -> pl.DataFrame:
    """Return the rows with the log probabilities of their choices."""
    inputs, choices = rows["input_ids"].to_list(), rows["choice_ids"].to_list()
    scores = choice_scores(model, inputs, choices, batch_size, update)
    # After an empty input a choice depends on itself alone.
    different = sorted({tuple(ids) for each in choices for ids in each})
    empty = [[model.config.eos_token_id]] * len(different)
    alone = choice_scores(model, empty, [[list(ids)] for ids in different], batch_size)
    prior = {ids: float(found[0, 0]) for ids, found in zip(different, alone, strict=True)}
    return rows.with_columns(
        log_probs=pl.Series([each[:, 0].tolist() for each in scores], dtype=pl.List(pl.Float64)),
        n_tokens=pl.Series(
            [each[:, 1].astype(int).tolist() for each in scores], dtype=pl.List(pl.Int64)
        ),
        prior_log_probs=pl.Series(
            [[prior[tuple(ids)] for ids in each] for each in choices], dtype=pl.List(pl.Float64)
        ),
        text=pl.lit(None, pl.String),
    )


def write(
    model: "PreTrainedModel",
    tokenizer: object,
    rows: pl.DataFrame,
    decoding: Decoding,
    batch_size: int,
    update: Callable[[int], object],
) -> pl.DataFrame:
    """Return the rows with the text that the model answers."""
    from genlab.models.seq2seq_decoding import generate_texts

    inputs, names = rows["input_ids"].to_list(), rows["example_id"].to_list()
    written, _ = generate_texts(model, inputs, names, decoding, batch_size, update)
    texts = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written]  # type: ignore[attr-defined]
    nothing = {
        name: pl.lit(None, pl.List(kind))
        for name, kind in (
            ("log_probs", pl.Float64),
            ("n_tokens", pl.Int64),
            ("prior_log_probs", pl.Float64),
        )
    }
    return rows.with_columns(text=pl.Series(texts, dtype=pl.String), **nothing)


if __name__ == "__main__":
    run(app)
