"""lengths: place every text at every length under every ranker.

One generation gives all lengths: the first 50 of 300 tokens are the generation of length 50. The
forced texts, driven on past their end-of-text, tell a text's length from its having ended.
Reads both tables of generated texts, the rankers and their candidate scores. Writes rows, so that
audit needs no ranker, and a plot with a point per length.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.end_of_text import end_tokens_in
from genlab.ranking.candidates import read_all_candidates
from genlab.ranking.lengths import (
    LENGTH_SCHEMA,
    curve_lengths,
    cut_at_lengths,
    length_curve,
    place_cuts,
    unique_pairs,
)
from genlab.ranking.panel import Panel, rate_texts
from genlab.ranking.places import Convention

app = stage_app()


@app.command()
@grouped_options
def main(
    generated: Path,
    generated_forced: Path,
    base: Path,
    rankers_folder: Path,
    candidates_folder: Path,
    output: Path,
    curve: Annotated[Path, Option(help="mean places, for dvc plots")],
    panel: Panel,
    convention: Convention,
    cap: Annotated[int, Option(min=1, help="new tokens that were generated")],
    forced_cap: Annotated[int, Option(min=1, help="new tokens of the forced texts")],
    num_beams: Annotated[int, Option(min=1)],
    step: Annotated[int, Option(min=1, help="new tokens between two points of the curve")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
    params: Annotated[Path, Option(help="for rankers: as_score")] = Path("params.yaml"),
) -> None:
    """Cut, score and place the texts at every length."""
    from genlab.models.loading import load_tokenizer

    panel = panel.as_in(params)
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
        cut_at_lengths(table, tokenizer, stop, at[stop], convention.strip_query, ends)
        for stop, table in (("honoured", honoured), ("forced", forced))
    )
    of_queries = honoured.filter(sample=0)
    real = read_all_candidates(candidates_folder, panel.rankers, of_queries)
    queries, texts, at_pair = unique_pairs(cuts)
    ratings = rate_texts(panel.folders(rankers_folder), panel.batch_size, queries, texts)
    rows = pl.concat(
        place_cuts(cuts, real[name], name, relevance[at_pair], n_unread[at_pair], convention.legacy)
        for name, (relevance, n_unread) in ratings.items()
    )

    write_table(output, [rows], LENGTH_SCHEMA)
    write_json(curve, length_curve(rows, seed))


if __name__ == "__main__":
    run(app)
