"""generate: texts of the policy before and after, from the same streams of random numbers.

In: the corpus, for its prompts, the base policy, and every arm's models, one a training seed. Out:
a row a text and model, with how far the model stands from the base at each of its tokens. Decoded
once, to gen.cap; score cuts to gen.max_len.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_table
from genlab.models.decoding import Decoding, check_cap
from genlab.models.loading import load_for_inference
from genlab.preference.divergence import check_same_tokenizer, token_divergences
from pipelines.alignment.sampling import BEFORE, SCHEMA, read_prompts, write_texts

app = stage_app()

MODEL_SCHEMA = pl.Schema(
    {
        "arm": pl.String,
        "seed": pl.String,
        **SCHEMA,
        "divergence": pl.List(pl.Float32),  # KL to the base at each token, nats
        "surprisal": pl.List(pl.Float32),  # -log p of each token under the base, nats
    }
)


def find_models(trained: Path, arms: list[str]) -> list[tuple[str, str, Path]]:
    """Return (arm, seed, folder) of every model of the arms; InputError if an arm has none."""
    found = []
    for arm in arms:
        folders = sorted((trained / arm).glob("*/"), key=lambda folder: int(folder.name))
        if not folders:
            raise InputError(
                f"compared.arms: {arm} was not trained; name it under arms in params.yaml"
            )
        found += [(arm, folder.name, folder) for folder in folders]
    return found


def check(cap: int, base: Path, made_by: dict) -> None:
    """Raise InputError if the base model is to be made too short for the texts."""
    check_cap("gen.cap", cap, base, made_by)


@app.command()
@grouped_options
def main(
    corpus: Path,
    base: Path,
    trained: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    arms: Annotated[list[str], Option(help="arms whose models write; repeat the option")],
    n_texts: Annotated[int, Option(min=2, help="texts of every model; prompts are used in turn")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1)],
) -> None:
    """Write the texts of every model, and measure its distance from the base on them."""
    from tqdm import tqdm

    tokenizer, reference = load_for_inference(base)
    prompts = read_prompts(corpus, "validation", 0)
    models = [(BEFORE, "none", base), *find_models(trained, arms)]
    counts = {"texts": 0, "models": len(models)}

    def written() -> pl.DataFrame:
        for arm, training_seed, folder in tqdm(models, desc="generating", mininterval=2):
            check_same_tokenizer(folder, base)
            _, model = load_for_inference(folder)
            rows = write_texts(model, tokenizer, prompts, n_texts, decoding, batch_size)
            before, after = rows["prompt_tokens"].to_list(), rows["tokens"].to_list()
            divergence, surprisal = token_divergences(
                model,
                reference,
                [[*first, *then] for first, then in zip(before, after, strict=True)],
                list(map(len, before)),
                max(1, batch_size // 8),  # two models' scores of all tokens are held at once
            )
            counts["texts"] += rows.height
            lists = {"divergence": divergence, "surprisal": surprisal}
            yield rows.with_columns(
                arm=pl.lit(arm),
                seed=pl.lit(training_seed),
                **{
                    name: pl.Series([row.tolist() for row in values], dtype=pl.List(pl.Float32))
                    for name, values in lists.items()
                },
            ).select(MODEL_SCHEMA.names())

    write_table(output, written(), MODEL_SCHEMA)
    write_json(metrics, counts)


if __name__ == "__main__":
    run(app)
