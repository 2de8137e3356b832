"""generate: every arm writes the same reviews to order, in the study's way and greedily.

In: tokenized test reviews, the reviews themselves, the arms' model folders. Out: a row per arm,
decoding and review. Asked for are equally many test reviews of every rating, drawn by the seed.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.processes import best_device, limit_threads
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.decoding import Decoding
from pipelines.reviews.asked_reviews import draw_orders, write_texts
from pipelines.reviews.schemas import GENERATE_SCHEMA

app = stage_app()


@app.command()
def main(
    tokens: Path,
    reviews: Path,
    models: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of lengths and finished shares")],
    arms: Annotated[list[str], Option(help="folders of the models; repeat the option")],
    n_per_rating: Annotated[int, Option(min=1, help="test reviews of every rating to ask for")],
    max_len: Annotated[int, Option(min=1, help="most new tokens")],
    temperature: Annotated[float, Option(min=0.0, help="0: the best candidates, not drawn")],
    top_k: Annotated[int, Option(min=0, help="0: off")],
    top_p: Annotated[float, Option(min=0.01, max=1.0, help="1: off")],
    num_beams: Annotated[int, Option(min=1)],
    repetition_penalty: Annotated[float, Option(min=0.01, help="1: off")],
    batch_size: Annotated[int, Option(min=1, help="reviews at a time")],
    seed: Annotated[int, Option(min=0, help="of the drawn reviews and of sampling")],
) -> None:
    """Generate with every arm."""
    from genlab.models.loading import load_text_to_text_model, load_tokenizer

    orders = draw_orders(tokens / "test.arrow", read_table(reviews), n_per_rating, seed)
    decodings = {
        "study": Decoding(max_len, temperature, top_k, top_p, num_beams, repetition_penalty, seed),
        "greedy": Decoding(max_len, 0.0, 0, 1.0, 1, 1.0, seed),
    }

    frames = []
    for arm in arms:
        tokenizer = load_tokenizer(models / arm)
        model = load_text_to_text_model(models / arm).eval().to(best_device())
        limit_threads(model)
        for name, decoding in decodings.items():
            written = write_texts(model, tokenizer, orders, decoding, batch_size, f"{arm}, {name}")
            key = pl.format("{}/{}/{}", "review_id", pl.lit(arm), pl.lit(name))
            frames.append(written.with_columns(arm=pl.lit(arm), decoding=pl.lit(name), text_id=key))
    rows = pl.concat(frames).select(GENERATE_SCHEMA.names())

    write_table(output, [rows], GENERATE_SCHEMA)

    measures = rows.group_by("arm", "decoding", maintain_order=True).agg(
        finished_rate=pl.col("finished").mean(), mean_new_tokens=pl.col("n_tokens").mean()
    )
    counts: dict = {"reviews": orders.height}
    for row in measures.iter_rows(named=True):
        counts.setdefault(row.pop("arm"), {})[row.pop("decoding")] = row
    write_json(metrics, counts)


if __name__ == "__main__":
    run(app)
