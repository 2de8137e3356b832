"""lengths: every text at every length under every ranker, as rows and as a curve.

One generation gives all lengths: the first 50 of 300 tokens are the generation of length 50. The
forced texts, driven on past their end-of-text, tell a text's length from its having ended.
In: both tables of generated texts, the rankers and their candidate scores. Out: rows, from which
audit reads what it needs without a ranker; a plot, a point per length.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.decoding import end_tokens_in
from genlab.ranking.candidates import read_candidates
from genlab.ranking.lengths import (
    LENGTH_SCHEMA,
    curve_lengths,
    cut_at_lengths,
    length_curve,
    place_cuts,
    unique_pairs,
)
from genlab.ranking.panel import rate_texts

app = stage_app()


@app.command()
def main(
    generated: Path,
    generated_forced: Path,
    base: Path,
    rankers_folder: Path,
    candidates_folder: Path,
    output: Path,
    curve: Annotated[Path, Option(help="mean places, for dvc plots")],
    rankers: Annotated[list[str], Option(help="folders of the rankers; repeat the option")],
    cap: Annotated[int, Option(min=1, help="new tokens that were generated")],
    forced_cap: Annotated[int, Option(min=1, help="new tokens of the forced texts")],
    num_beams: Annotated[int, Option(min=1)],
    step: Annotated[int, Option(min=1, help="new tokens between two points of the curve")],
    strip_query: Annotated[bool, Option(help="leave the prompt out of the ranked text")],
    legacy: Annotated[bool, Option(help="the source study's ties and missing answers")],
    batch_size: Annotated[int, Option(min=1, help="texts a ranker encodes at a time")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Cut, score and place the texts at every length."""
    from genlab.models.loading import load_tokenizer

    honoured, tokenizer = read_table(generated), load_tokenizer(base)
    # gen.n_queries may be smaller than forced.n_queries; only pairs are of use.
    forced = read_table(generated_forced).join(
        honoured.select("query_id"), on="query_id", how="semi", maintain_order="left"
    )
    if forced.is_empty():
        raise InputError(f"{generated_forced}: no query of {generated}; run `dvc repro`")

    ends = end_tokens_in(base, tokenizer)
    at = curve_lengths(step, cap, forced_cap, num_beams)
    cuts = pl.concat(
        cut_at_lengths(table, tokenizer, stop, at[stop], strip_query, ends)
        for stop, table in (("honoured", honoured), ("forced", forced))
    )
    real = {
        name: read_candidates(candidates_folder / f"{name}.parquet", honoured) for name in rankers
    }
    queries, texts, at_pair = unique_pairs(cuts)
    folders = {name: rankers_folder / name for name in rankers}
    rows = pl.concat(
        place_cuts(cuts, real[name], name, relevance[at_pair], n_unread[at_pair], legacy)
        for name, (relevance, n_unread) in rate_texts(folders, batch_size, queries, texts).items()
    )

    write_table(output, [rows], LENGTH_SCHEMA)
    write_json(curve, length_curve(rows, seed))


if __name__ == "__main__":
    run(app)
