"""generate: one text or several per validation query, decoded once, to its cap of new tokens.

Reads queries, and the tuned or the base model. Writes a row per query and sample with its new token
ids; the samples of a query have random streams of their own, and the first is what one alone is.
gen.max_len is not here: score cuts the prefix, so a sweep over lengths costs one generation.

--ignore_eos drives every text on past its end-of-text to the cap. Up to there it is the text that
stopped (not with beams), so the two tell a text's length from its drift.
"""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.processes import is_first, rank_and_size
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding, check_samples, generate
from genlab.models.end_of_text import end_tokens
from genlab.models.loading import Dtype, load_for_inference
from genlab.models.positions import check_cap
from genlab.models.prompts import encode_prompts, make_prompt
from genlab.ranking.candidates import evaluated_queries
from genlab.ranking.samples import SAMPLES

app = stage_app()


class Model(StrEnum):
    """Which model writes: the trained one, or the base that it was trained from."""

    tuned = "tuned"
    base = "base"


def check(
    cap: int,
    base: Path,
    ignore_eos: bool,
    n_samples: int,
    temperature: float,
    num_beams: int,
    made_by: dict,
) -> None:
    """Raise InputError for a base model to be made too short, or samples that would be one."""
    check_samples(n_samples, temperature, num_beams)
    check_cap("forced.cap" if ignore_eos else "gen.cap", cap, base, made_by)


@app.command()
@grouped_options
def main(
    queries: Path,
    tuned: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    model: Annotated[Model, Option(help="the fine-tuned model, or the one it was made from")],
    decoding: Decoding,
    n_queries: Annotated[int, Option(min=0, help="validation queries to take; 0: all")],
    n_samples: Annotated[int, Option(min=1, max=10**4, help="texts of each query")],
    batch_size: Annotated[int, Option(min=1)],
    dtype: Annotated[Dtype, Option(help="of the model; its scores are float32")],
    ignore_eos: Annotated[bool, Option(help="go on past the end-of-text, to the cap")],
) -> None:
    """Generate with the chosen model."""
    check_samples(n_samples, decoding.temperature, decoding.num_beams)
    folder = tuned if model is Model.tuned else base
    tokenizer, network = load_for_inference(folder, dtype)
    every = pl.int_ranges(n_samples).alias("sample")  # of each query, beside each other
    asked = evaluated_queries(queries, n_queries).with_columns(every).explode("sample")

    prompts = encode_prompts(tokenizer, asked["query"].to_list())
    n_mine = -(-len(prompts) // rank_and_size()[1])  # this process's part, rounded up
    with progress(f"generating ({model})", n_mine, "texts") as update:
        tokens, finished = generate(
            network,
            prompts,
            asked["query_id"].to_list(),
            replace(decoding, ignore_eos=ignore_eos),
            end_tokens(network, tokenizer),
            batch_size,
            update,
            asked["sample"].to_list(),
        )

    if not is_first():
        return
    rows = asked.with_columns(
        prompt=pl.Series([make_prompt(query) for query in asked["query"]], dtype=pl.String),
        tokens=pl.Series(tokens, dtype=pl.List(pl.Int32)),
        finished=pl.Series(finished, dtype=pl.Boolean),
    ).select(SAMPLES.names())
    write_table(output, [rows], SAMPLES)

    write_json(
        metrics,
        {
            "queries": rows.n_unique("query_id"),
            "finished_rate": rows["finished"].mean(),
            "mean_new_tokens": rows["tokens"].list.len().mean(),
        },
    )


if __name__ == "__main__":
    run(app)
