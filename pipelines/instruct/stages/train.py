"""train: fine-tune the base on one arm's mixture of tasks.

Reads token ids and the base. Draws rows, task by rate, until the budget of tokens is reached: the
same for every arm. Writes the tuned model's folder. A killed run resumes from its last checkpoint.
"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.chosen import Chosen, is_left_out
from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.processes import is_first
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.models.batches import collate_pairs, row_lengths
from genlab.models.saved import row_batches, save_checked
from genlab.models.training import (
    Recipe,
    check_rows_fit,
    train_resumably,
    training_curve,
    validation_loss,
)
from pipelines.instruct.arms import BASE
from pipelines.instruct.joint_optimizer import joint_optimizer
from pipelines.instruct.mixed_rows import ALL, ASKS, read_mixture
from pipelines.instruct.mixtures import Mixture, check_held_out, check_tasks

app = stage_app()


def check(tasks: list[str], ask: str, made_by: dict[str, dict] | None = None) -> None:
    """Raise InputError for a task that the arm cannot be trained on, or one named as the base."""
    if f"data/train/{BASE}" in (made_by or {}):
        raise InputError(f"arms.{BASE}: {BASE} is the base; give the arm another name")
    if ask not in ASKS:
        raise InputError(f"arms: ask={ask}: must be {' or '.join(ASKS)}")
    asked = (made_by or {}).get("data/prompt.parquet")
    if asked and tasks != [ALL]:
        check_held_out(tasks, asked["held_out"], "arms: tasks")
        check_tasks("arms: tasks", tasks, asked["tasks"])


@app.command()
@grouped_options
def main(
    tokens: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of losses, steps and the mixture")],
    curve: Annotated[Path, Option(help="loss against epoch, for dvc plots")],
    chosen: Chosen,
    tasks: Annotated[list[str], Option(help="trained on; all: every one of prompt.tasks")],
    ask: Annotated[str, Option(help="prefix: T5's way, one form a task; prompts: in words")],
    n_tokens: Annotated[int, Option(min=100, help="of inputs and targets; the same in all arms")],
    mixture: Mixture,
    embedding_learning_rate: Annotated[float, Option(min=0.0, help="of the embeddings")],
    recipe: Recipe,
) -> None:
    """Fine-tune one arm."""
    from transformers import set_seed

    from genlab.models.loading import load_text_to_text_model, load_tokenizer

    check(tasks, ask)
    if is_left_out(chosen, output, {curve: [], metrics: {"training": {"steps": 0}}}):
        return
    tokenizer = load_tokenizer(base)
    data, rates = read_mixture(tokens, tasks, ask, mixture, n_tokens, recipe.seed)
    set_seed(recipe.seed)
    model = load_text_to_text_model(base)
    limits = {"input_ids": "tokenize.max_input_tokens", "labels": "tokenize.max_target_tokens"}
    for rows in data.values():
        check_rows_fit(tokens, rows, model, limits)
    optimizer = joint_optimizer(model, recipe.learning_rate, embedding_learning_rate)

    def collate_rows(rows: list[dict]) -> dict:
        return collate_pairs(rows, tokenizer.pad_token_id)

    with resumable_folder("train", sys.argv[1:], [tokens, base]) as scratch:
        trainer = train_resumably(model, data, collate_rows, recipe, scratch, optimizer=optimizer)
        if not is_first():
            return
        batches = row_batches(data["validation"], collate_rows, recipe.batch_size)
        with written_whole(output) as folder:
            save_checked(model, tokenizer, folder, batches, load_text_to_text_model)
    log = trainer.state.log_history
    found = {
        "validation_loss": validation_loss(log, recipe),
        "steps": trainer.state.global_step,
        "rows": len(data["train"]),
        "tokens": int(sum(row_lengths(data["train"]))),
        "rates": rates,
    }
    write_json(curve, training_curve(log))
    write_json(metrics, {"training": found})


if __name__ == "__main__":
    run(app)
