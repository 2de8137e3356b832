"""generate: one text per validation query, decoded once, to its cap of new tokens.

In: queries, the tuned and the base model's folders. Out: a row per query with its new token ids.
gen.max_len is not here: score cuts the prefix, so a sweep over lengths costs one generation.

--no-stop_at_end drives every text on past its end-of-text to the cap: up to there it is the text
that stopped (not with beams), so the two tell a text's length from its drift.
"""

from enum import StrEnum
from pathlib import Path

import polars as pl
import typer

from genlab.core.files import write_json
from genlab.core.processes import best_device, is_first, limit_threads, rank_and_size
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding, check_cap, end_tokens, generate
from genlab.models.loading import Dtype, load_causal_model, load_tokenizer
from genlab.models.prompts import encode_prompts, make_prompt
from genlab.ranking.candidates import evaluated_queries

app = stage_app()

SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "query": pl.String,
        "prompt": pl.String,
        "tokens": pl.List(pl.Int32),  # new ones; an end-of-text only where it did not stop the text
        "finished": pl.Boolean,  # whether an end-of-text was reached within the cap
    }
)


class Model(StrEnum):
    tuned = "tuned"
    base = "base"


def check(cap: int, base: Path, stop_at_end: bool, made_by: dict) -> None:
    """Raise InputError if the base model is to be made too short for the texts."""
    check_cap("gen.cap" if stop_at_end else "forced.cap", cap, base, made_by)


@app.command()
def main(
    queries: Path,
    tuned: Path,
    base: Path,
    output: Path,
    metrics: Path = typer.Option(...),
    model: Model = typer.Option(..., help="the fine-tuned model, or the one it was made from"),
    cap: int = typer.Option(..., min=1, help="most new tokens"),
    n_queries: int = typer.Option(..., min=0, help="validation queries to take; 0: all"),
    temperature: float = typer.Option(..., min=0.0, help="0: greedy"),
    top_k: int = typer.Option(..., min=0, help="0: off"),
    top_p: float = typer.Option(..., min=0.01, max=1.0, help="1: off"),
    num_beams: int = typer.Option(..., min=1),
    repetition_penalty: float = typer.Option(..., min=0.01, help="1: off"),
    batch_size: int = typer.Option(..., min=1),
    dtype: Dtype = typer.Option(..., help="of the model; its scores are float32"),
    seed: int = typer.Option(..., min=0),
    stop_at_end: bool = typer.Option(..., help="no: go on past the end-of-text, to the cap"),
) -> None:
    """Generate with the chosen model."""
    import torch
    from tqdm import tqdm

    folder = tuned if model is Model.tuned else base
    tokenizer = load_tokenizer(folder)
    network = load_causal_model(folder).eval()
    limit_threads(network)
    network.to(best_device(), getattr(torch, dtype))
    asked = evaluated_queries(queries, n_queries)

    decoding = Decoding(
        cap, temperature, top_k, top_p, num_beams, repetition_penalty, seed, stop_at_end
    )
    prompts = encode_prompts(tokenizer, asked["query"].to_list())
    with tqdm(
        total=-(-len(prompts) // rank_and_size()[1]),  # this process's part, rounded up
        desc=f"generating ({model})",
        mininterval=2,
        disable=not is_first(),
    ) as bar:
        tokens, finished = generate(
            network,
            prompts,
            asked["query_id"].to_list(),
            decoding,
            end_tokens(network, tokenizer),
            batch_size,
            bar.update,
        )

    if not is_first():
        return
    rows = pl.DataFrame(
        {
            "query_id": asked["query_id"],
            "query": asked["query"],
            "prompt": [make_prompt(query) for query in asked["query"]],
            "tokens": tokens,
            "finished": finished,
        },
        schema=SCHEMA,
    )
    write_table(output, [rows], SCHEMA)

    write_json(
        metrics,
        {
            "queries": rows.height,
            "finished_rate": rows["finished"].mean(),
            "mean_new_tokens": rows["tokens"].list.len().mean(),
        },
    )


if __name__ == "__main__":
    run(app)
