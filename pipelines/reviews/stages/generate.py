"""generate: every arm writes the same requested reviews, in the study's way and greedily.

Reads tokenized test reviews, the reviews themselves and the arms' model folders. Writes a row per
arm, decoding and review. The seed draws equally many test reviews of every rating.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.decoding import Decoding
from genlab.models.loading import load_for_inference, load_text_to_text_model
from pipelines.reviews.asked_reviews import draw_requests, write_texts
from pipelines.reviews.schemas import GENERATE_SCHEMA

app = stage_app()


@app.command()
@grouped_options
def main(
    tokens: Path,
    reviews: Path,
    models: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of lengths and finished shares")],
    arms: Annotated[list[str], Option(help="folders of the models; repeat the option")],
    n_per_rating: Annotated[int, Option(min=1, help="test reviews of every rating to ask for")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1, help="reviews at a time")],
) -> None:
    """Generate with every arm."""
    requests = draw_requests(
        tokens / "test.arrow", read_table(reviews), n_per_rating, decoding.seed
    )
    greedy = replace(
        decoding, temperature=0.0, top_k=0, top_p=1.0, num_beams=1, repetition_penalty=1.0
    )

    frames = []
    for arm in arms:
        tokenizer, model = load_for_inference(models / arm, load=load_text_to_text_model)
        for name, own in {"study": decoding, "greedy": greedy}.items():
            written = write_texts(model, tokenizer, requests, own, batch_size, f"{arm}, {name}")
            key = pl.format("{}/{}/{}", "review_id", pl.lit(arm), pl.lit(name))
            frames.append(written.with_columns(arm=pl.lit(arm), decoding=pl.lit(name), text_id=key))
    rows = pl.concat(frames).select(GENERATE_SCHEMA.names())

    write_table(output, [rows], GENERATE_SCHEMA)

    measures = rows.group_by("arm", "decoding", maintain_order=True).agg(
        finished_rate=pl.col("finished").mean(), mean_new_tokens=pl.col("tokens").list.len().mean()
    )
    counts: dict = {"reviews": requests.height}
    for row in measures.iter_rows(named=True):
        counts.setdefault(row.pop("arm"), {})[row.pop("decoding")] = row
    write_json(metrics, counts)


if __name__ == "__main__":
    run(app)
