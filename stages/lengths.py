"""lengths: every ranker's mean place against the length of the generated texts.

One generation gives the whole curve: the first 50 of 300 tokens are the generation of length 50.
In: generated texts, the rankers and their candidate scores. Out: a plot, a point per length.
"""

from pathlib import Path

import typer

from genlab import ranking
from genlab.files import write_json
from genlab.intervals import bootstrap_interval
from genlab.program import run, stage_app
from genlab.scoring import curve_lengths, cut_texts, read_candidates, score_every_length
from genlab.tables import read_table

app = stage_app()


@app.command()
def main(
    generated: Path,
    base: Path,
    rankers_folder: Path,
    candidates_folder: Path,
    output: Path,
    rankers: list[str] = typer.Option(..., help="folders of the rankers; repeat the option"),
    cap: int = typer.Option(..., min=1, help="new tokens that were generated"),
    num_beams: int = typer.Option(..., min=1),
    step: int = typer.Option(..., min=1, help="new tokens between two points of the curve"),
    strip_query: bool = typer.Option(..., help="leave the prompt out of the ranked text"),
    legacy: bool = typer.Option(..., help="the source study's ties and missing answers"),
    batch_size: int = typer.Option(..., min=1, help="texts a ranker encodes at a time"),
    seed: int = typer.Option(..., min=0, help="of the bootstrap"),
) -> None:
    """Cut, score and place the texts at every length."""
    from genlab.models import load_tokenizer
    from genlab.rankers import load_ranker

    table, tokenizer = read_table(generated), load_tokenizer(base)
    at = curve_lengths(step, cap, num_beams)
    texts = {length: cut_texts(table, tokenizer, length, strip_query) for length in at}

    points = {length: {"max_len": length} for length in at}
    for name in rankers:
        judge = load_ranker(rankers_folder / name, batch_size)
        scored = read_candidates(candidates_folder / f"{name}.parquet", table)
        for length, scores in score_every_length(table, texts, judge.relevance).items():
            rows = ranking.place(scored.with_columns(score=scores), legacy=legacy)
            low, high = bootstrap_interval(rows["location"].to_numpy(), seed=seed)
            points[length] |= {
                name: rows["location"].mean(),
                f"{name}_low": low,
                f"{name}_high": high,
                f"{name}_top_1": rows["top_1"].mean(),
            }

    write_json(output, list(points.values()))


if __name__ == "__main__":
    run(app)
