"""generate: answers of every model to the prompts that nothing was trained on.

Reads the prompts, the plain text, and all models: base, supervised, DPO's, and every snapshot of
the arms of RL. Writes an answer per prompt and model, from the same streams of random numbers, with
the exact KL from the start of RL; the loss on plain text; many answers of the start, for
best-of-n; and the training curves as one table.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.progress import tracked
from genlab.core.tables import read_table, write_table
from genlab.preference.divergence import token_divergences
from pipelines.rlhf.answers import full_answers, sampling, world_of, write_answers
from pipelines.rlhf.arms import START, find_models, join_curves
from pipelines.rlhf.prompt_lengths import check_answers_fit
from pipelines.rlhf.schemas import BEST_SCHEMA, GENERATED_SCHEMA, plain_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

app = stage_app()

CAP = "gen.cap"


def check(
    cap: int, n_best_prompts: int, prompts: Path, base: Path, made_by: dict[str, dict]
) -> None:
    """Raise InputError for a base too short for the answers, or more prompts than are held out.

    made_by: as `genlab check` says.
    """
    check_answers_fit(CAP, cap, prompts, base, made_by)
    n_held_out = made_by[str(prompts)]["n_held_out"]
    if n_best_prompts > n_held_out:
        raise InputError(
            f"gen.n_best_prompts={n_best_prompts}: corpus.n_held_out={n_held_out} prompts are held "
            "out; lower the one or raise the other"
        )


@app.command()
def main(
    prompts: Path,
    texts: Path,
    base: Path,
    supervised: Path,
    dpo: Path,
    rl: Path,
    output: Path,
    best_output: Path,
    metrics: Annotated[Path, Option()],
    corpus_path: Annotated[Path, Option(help="mini: its vocabulary, for the hidden rule")],
    curves: Annotated[Path, Option(help="reward and KL against steps, for dvc plots")],
    arms: Annotated[list[str], Option(help="arms of RL whose policies write; repeat the option")],
    cap: Annotated[int, Option(min=1, help="new tokens of an answer")],
    n_best: Annotated[int, Option(min=1, help="answers of the start to a prompt, for best-of-n")],
    n_best_prompts: Annotated[int, Option(min=1, help="held-out prompts they answer")],
    batch_size: Annotated[int, Option(min=1)],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Write the answers of every model."""
    from genlab.models.likelihood import text_losses
    from genlab.models.loading import load_for_inference

    models = find_models(base, supervised, dpo, rl, arms)
    tokenizer, start = load_for_inference(supervised / START)
    asked = read_table(prompts).filter(pl.col("purpose").is_in(["validation", "held_out"]))
    rules = world_of(corpus_path, asked)
    plain = plain_texts(texts, "validation")
    decoding = sampling(cap, seed)

    def written() -> Iterator[pl.DataFrame]:
        for each in tracked(models, "generating", "models", len(models)):
            _, model = load_for_inference(each.folder)
            rows = write_answers(model, tokenizer, asked, 1, decoding, batch_size, rules, CAP)
            of_texts = text_losses(model, tokenizer, plain, batch_size)
            kl = divergence(model, start, rows, tokenizer.eos_token_id, max(1, batch_size // 8))
            yield rows.with_columns(
                arm=pl.lit(each.arm),
                seed=pl.lit(each.seed),
                step=pl.lit(each.step, pl.Int32),
                purpose=asked["purpose"],
                kl=pl.Series(kl),
                language_loss=beside_prompts(asked["purpose"], of_texts),
            ).select(GENERATED_SCHEMA.names())

    n_rows = write_table(output, written(), GENERATED_SCHEMA)
    few = asked.filter(pl.col("purpose") == "held_out").head(n_best_prompts)
    drawn = write_answers(start, tokenizer, few, n_best, decoding, batch_size, rules, CAP)
    write_table(best_output, [drawn], BEST_SCHEMA)
    write_json(curves, join_curves(rl, arms))
    write_json(metrics, {"answers": n_rows, "models": len(models), "best_of_n": drawn.height})


def beside_prompts(purposes: pl.Series, losses: list[np.ndarray]) -> pl.Series:
    """Return for the i-th held-out prompt the mean loss of the i-th text; null where there is none.

    The two have nothing to do with each other; a claim's units are prompts, and so each brings one
    text along.
    """
    of_texts = iter(losses)
    found = []
    for purpose in purposes:
        each = next(of_texts, None) if purpose == "held_out" else None
        found.append(None if each is None or not len(each) else float(each.mean()))
    return pl.Series(found, dtype=pl.Float64)


def divergence(
    model: "PreTrainedModel",
    start: "PreTrainedModel",
    rows: pl.DataFrame,
    end: int,
    batch_size: int,
) -> np.ndarray:
    """Return [n]: KL(model || start) of each answer, summed over its tokens, in nats."""
    asked = rows["prompt_tokens"].to_list()
    read = [[*a, *b] for a, b in zip(asked, full_answers(rows, end), strict=True)]
    of_tokens, _ = token_divergences(model, start, read, list(map(len, asked)), batch_size)
    return np.array([float(each.astype(np.float64).sum()) for each in of_tokens])


if __name__ == "__main__":
    run(app)
