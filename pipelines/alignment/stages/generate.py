"""generate: texts of the policy before and after, from the same streams of random numbers.

Reads the corpus, for its prompts, the base policy, and every arm's model.
Writes a row per text and model, with how far the model has moved from the base at each token, and
the arms' training curves as one table. Texts are decoded once, to gen.cap; score cuts them to
gen.max_len.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.progress import tracked
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding
from genlab.models.loading import load_for_inference
from genlab.models.positions import check_cap
from genlab.preference.divergence import check_same_tokenizer, token_divergences
from pipelines.alignment.arms import BEFORE, find_models, join_curves
from pipelines.alignment.sampling import SCHEMA, read_prompts, write_texts

app = stage_app()

MODEL_SCHEMA = pl.Schema(
    {
        "arm": pl.String(),
        "seed": pl.Int64(),  # the training's
        **SCHEMA,
        "divergence": pl.List(pl.Float32),  # KL to the base at each token, nats
        "surprisal": pl.List(pl.Float32),  # -log p of each token under the base, nats
    }
)


def check(cap: int, base: Path, seed: int, train_seed: int, made_by: dict) -> None:
    """Raise InputError for a base to be made too short, or texts that were trained on."""
    check_unseen(seed, train_seed)
    check_cap("gen.cap", cap, base, made_by)


def check_unseen(seed: int, train_seed: int) -> None:
    """Raise InputError if the texts would be drawn from the streams that pairs were made of."""
    if seed == train_seed:
        raise InputError(
            f"gen.seed={seed} is train.seed, too: the texts to be scored would be drawn like those "
            "that were trained on; give gen.seed another number"
        )


@app.command()
@grouped_options
def main(
    corpus: Path,
    base: Path,
    trained: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    curves: Annotated[Path, Option(help="loss, margin, accuracy against steps, for dvc plots")],
    arms: Annotated[list[str], Option(help="arms whose models write; repeat the option")],
    n_texts: Annotated[int, Option(min=2, help="texts of every model; prompts are used in turn")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1)],
    train_seed: Annotated[int, Option(min=0, help="which training it is: a column of the rows")],
) -> None:
    """Write the texts of every model, and measure its distance from the base on them."""
    check_unseen(decoding.seed, train_seed)
    tokenizer, reference = load_for_inference(base)
    prompts = read_prompts(corpus, "validation", 0)
    models = {BEFORE: base} | find_models(trained, arms)

    def written() -> Iterator[pl.DataFrame]:
        for arm, folder in tracked(models.items(), "generating", "models", len(models)):
            check_same_tokenizer(folder, base)
            _, model = load_for_inference(folder)
            rows = write_texts(model, tokenizer, prompts, n_texts, decoding, batch_size)
            # Two models' scores of all tokens are held at once, hence the smaller batch.
            lists = token_divergences(
                model,
                reference,
                rows.select(pl.concat_list("prompt_tokens", "tokens")).to_series().to_list(),
                rows["prompt_tokens"].list.len().to_list(),
                max(1, batch_size // 8),
            )
            of_tokens = {
                name: pl.Series([row.tolist() for row in values], dtype=pl.List(pl.Float32))
                for name, values in zip(("divergence", "surprisal"), lists, strict=True)
            }
            training = {"arm": pl.lit(arm), "seed": pl.lit(train_seed, pl.Int64)}
            yield rows.with_columns(**training, **of_tokens).select(MODEL_SCHEMA.names())

    n_rows = write_table(output, written(), MODEL_SCHEMA)
    write_json(curves, join_curves(trained, arms))
    write_json(metrics, {"texts": n_rows, "models": len(models)})


if __name__ == "__main__":
    run(app)
