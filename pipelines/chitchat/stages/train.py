"""train: fine-tune the base model on replies, one arm a run.

Reads token ids and the base model. Writes the tuned model's folder in Hub layout, with what its
inputs look like (layout.json), and the loss curve. The best epoch is kept. A killed run resumes
from its last checkpoint.
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
from genlab.mini.training import adamw_of_two_rates
from genlab.models.dropout import ModelDropout, set_dropout
from genlab.models.likelihood import perplexity
from genlab.models.saved import row_batches, save_checked
from genlab.models.training import (
    Recipe,
    check_rows_fit,
    train_resumably,
    training_curve,
    validation_loss,
)
from pipelines.chitchat.arm_training import (
    check_token_types,
    find_overfitting,
    read_rows,
    save_layout,
)
from pipelines.chitchat.chat_inputs import Layout, collate_rows, special_of

app = stage_app()


def check(layout: Layout, tokenize_history_turns: int) -> None:
    """Raise InputError for an arm that wants more history than tokenize writes."""
    if layout.history_turns > tokenize_history_turns:
        raise InputError(
            f"an arm's history_turns={layout.history_turns} is more than "
            f"tokenize.history_turns={tokenize_history_turns}; raise that"
        )


@app.command()
@grouped_options
def main(
    tokens: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of losses and epochs")],
    curve: Annotated[Path, Option(help="loss against epoch, for dvc plots")],
    chosen: Chosen,
    layout: Layout,
    tokenize_history_turns: Annotated[int, Option(min=0, help="turns that tokenize writes")],
    n_dialogues: Annotated[int, Option(min=0, help="of the train split; 0: all")],
    embedding_learning_rate: Annotated[float, Option(min=0.0)],
    model_dropout: ModelDropout,
    recipe: Recipe,
) -> None:
    """Fine-tune one arm, keep the best epoch when early stopping is on, else the last."""
    from transformers import set_seed

    from genlab.models.loading import load_causal_model, load_tokenizer

    check(layout, tokenize_history_turns)
    if is_left_out(chosen, output, {curve: [], metrics: {"training": {"epochs": 0}}}):
        return
    set_seed(recipe.seed)
    tokenizer, model = load_tokenizer(base), load_causal_model(base)
    set_dropout(model, model_dropout)
    special = special_of(tokenizer)
    check_token_types(model, layout, special)
    train = read_rows(tokens, "train", layout, special, n_dialogues)
    data = {"train": train, "validation": read_rows(tokens, "validation", layout, special)}
    for rows in data.values():
        check_rows_fit(tokens, rows, model, {"input_ids": "tokenize.max_turn_tokens"})
    optimizer = adamw_of_two_rates(
        model, recipe.learning_rate, embedding_learning_rate, recipe.weight_decay
    )

    def collate(rows: list[dict]) -> dict:
        # Validation is of replies alone, so that the arms' curves compare.
        learn_all = not layout.reply_loss_only and model.training
        return collate_rows(rows, layout, special, learn_all=learn_all)

    with resumable_folder("train", sys.argv[1:], [tokens, base]) as scratch:
        trainer = train_resumably(model, data, collate, recipe, scratch, optimizer=optimizer)
        if not is_first():
            return
        batches = row_batches(data["validation"], collate, recipe.batch_size)
        with written_whole(output) as folder:
            save_checked(model, tokenizer, folder, batches, load_causal_model)
            save_layout(layout, folder)

    points = training_curve(trainer.state.log_history)
    loss = validation_loss(trainer.state.log_history, recipe)
    numbers = {"validation_loss": loss, "perplexity": perplexity(loss), "replies": len(train)}
    losses = [point["loss"] for point in points if point["split"] == "validation"]
    write_json(curve, points)
    write_json(metrics, {"training": numbers | find_overfitting(losses)})


if __name__ == "__main__":
    run(app)
