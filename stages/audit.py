"""audit: do the texts stop, run on, get read; and does fluency go with the place?

Reads both tables of generated texts, every text at every length under every ranker, and the base
model, whose negative log-likelihood measures fluency. Writes a row per query and ranker, metrics,
and the curve of cut against finished texts; genlab/ranking/audit.py explains them.
Where a query has several texts the first is audited: one text a query, so that none counts twice.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.end_of_text import end_tokens
from genlab.models.likelihood import bits_per_byte, mean_loss, perplexity, token_losses
from genlab.models.loading import load_for_inference
from genlab.models.token_texts import decode_texts
from genlab.ranking import audit

app = stage_app()

SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "ranker": pl.String,
        "n_tokens": pl.Int64,
        "finished": pl.Boolean,
        "mean_loss": pl.Float64,  # nats per token under the base model; null for an empty text
        "perplexity": pl.Float64,
        "holds_query": pl.Boolean,  # asks another query inside
        "asks_again": pl.Boolean,  # does so after its end-of-text; null unless driven past it
        "location": pl.Float64,
        "best_prefix_tokens": pl.Int64,
        "best_prefix_location": pl.Float64,
    }
)


@app.command()
def main(
    generated: Path,
    generated_forced: Path,
    lengths: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    curve: Annotated[Path, Option(help="cut against finished texts, for dvc plots")],
    batch_size: Annotated[int, Option(min=1, help="texts the base model reads at a time")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Audit the generated texts."""
    honoured, written_on, rows = (
        read_table(path).filter(sample=0) for path in (generated, generated_forced, lengths)
    )
    forced = written_on.join(
        honoured.select("query_id"), on="query_id", how="semi", maintain_order="left"
    )
    tokenizer, model = load_for_inference(base)

    tokens = honoured["tokens"].to_list()
    written = decode_texts(tokenizer, tokens)
    # A document's boundary: so that the first token is predicted, too, and by nothing of ours.
    start = tokenizer.bos_token_id
    start = tokenizer.eos_token_id if start is None else start
    losses = token_losses(model, [[start, *row] for row in tokens], [1] * len(tokens), batch_size)

    ends = end_tokens(model, tokenizer)
    after = [audit.after_end(row, ends) for row in forced["tokens"].to_list()]
    going_on = decode_texts(tokenizer, after)
    driven_on = {
        query_id: text
        for query_id, row, text in zip(forced["query_id"], after, going_on, strict=True)
        if row
    }
    texts = audit.describe_texts(honoured, written, losses, driven_on)
    honoured_rows = rows.filter(pl.col("stop") == "honoured")
    placed = audit.best_prefixes(honoured_rows).join(
        texts, on="query_id", how="left", maintain_order="left"
    )

    write_table(output, [placed.select(SCHEMA.names())], SCHEMA)
    write_json(curve, audit.split_curve(honoured_rows))

    likelihood = {
        "perplexity": perplexity(mean_loss(losses)),
        "bits_per_byte": bits_per_byte(losses, written),
    }
    numbers = audit.summarize_texts(honoured, texts, seed)
    numbers["texts"] |= likelihood
    for (name,), of_ranker in rows.group_by("ranker", maintain_order=True):
        of_texts = placed.filter(pl.col("ranker") == name)
        numbers[name] = audit.audit_ranker(of_texts, of_ranker, seed)
    write_json(metrics, audit.without_undefined(numbers))


if __name__ == "__main__":
    run(app)
