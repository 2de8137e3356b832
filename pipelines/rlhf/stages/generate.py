"""generate: answers of every model to the prompts that nothing was trained on.

Reads the prompts, the plain text, and all models: base, supervised, DPO's, and every snapshot of
the arms of RL. Writes an answer per prompt and model, from the same streams of random numbers, with
the exact KL from the start of RL; the loss on plain text; many answers of the start, for
best-of-n; and the training curves as one table.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.rlhf.answers import sampling, world_of, write_answers
from pipelines.rlhf.arms import START, find_models, join_curves
from pipelines.rlhf.model_answers import CAP, answers_of_models
from pipelines.rlhf.prompt_lengths import check_answers_fit
from pipelines.rlhf.schemas import BEST_SCHEMA, GENERATED_SCHEMA, plain_texts

app = stage_app()


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
    from genlab.models.loading import load_for_inference

    models = find_models(base, supervised, dpo, rl, arms)
    tokenizer, start = load_for_inference(supervised / START)
    asked = read_table(prompts).filter(pl.col("purpose").is_in(["validation", "held_out"]))
    rules = world_of(corpus_path, asked)
    plain = plain_texts(texts, "validation")
    decoding = sampling(cap, seed)

    rows = answers_of_models(models, start, tokenizer, asked, plain, decoding, batch_size, rules)
    n_rows = write_table(output, rows, GENERATED_SCHEMA)
    few = asked.filter(pl.col("purpose") == "held_out").head(n_best_prompts)
    drawn = write_answers(start, tokenizer, few, n_best, decoding, batch_size, rules, CAP)
    write_table(best_output, [drawn], BEST_SCHEMA)
    write_json(curves, join_curves(rl, arms))
    write_json(metrics, {"answers": n_rows, "models": len(models), "best_of_n": drawn.height})


if __name__ == "__main__":
    run(app)
