"""train: fine-tune a causal language model on the tokenized documents.

Reads token ids (train.arrow, validation.arrow) and the base model's folder. Writes the tuned model
in Hub layout (LoRA is merged, so later stages need not know) and the loss curve. A killed run
resumes from its last checkpoint in .scratch/train.
"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.processes import is_first
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.models.batches import collate
from genlab.models.dropout import ModelDropout, set_dropout
from genlab.models.likelihood import perplexity
from genlab.models.loading import Dtype, load_causal_model, load_tokenizer
from genlab.models.lora import Lora, Method, add_lora
from genlab.models.saved import row_batches, save_checked
from genlab.models.training import (
    Recipe,
    check_rows_fit,
    train_resumably,
    training_curve,
    validation_loss,
)

app = stage_app()


@app.command()
@grouped_options
def main(
    tokens: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    curve: Annotated[Path, Option(help="loss against epoch, for dvc plots")],
    method: Annotated[Method, Option(help="train all weights, or low-rank adapters")],
    model_dropout: ModelDropout,
    recipe: Recipe,
    lora: Lora,
    dtype: Annotated[Dtype, Option(help="of the products; weights and sums are float32")],
) -> None:
    """Fine-tune, keep the best epoch when early stopping is on, else the last."""
    from datasets import Dataset
    from transformers import set_seed

    set_seed(recipe.seed)  # the adapters' first values are drawn before there is a Trainer
    tokenizer, model = load_tokenizer(base), load_causal_model(base)
    set_dropout(model, model_dropout)
    data = {
        split: Dataset.from_file(str(tokens / f"{split}.arrow"), in_memory=False)
        for split in ("train", "validation")
    }
    for rows in data.values():
        check_rows_fit(tokens, rows, model)
    if method is Method.lora:
        model = add_lora(model, lora)
    n_trainable = model.num_parameters(only_trainable=True)

    def collate_rows(rows: list[dict]) -> dict:
        return collate(rows, tokenizer.eos_token_id)

    with resumable_folder("train", sys.argv[1:], [tokens, base]) as scratch:
        trainer = train_resumably(model, data, collate_rows, recipe, scratch, dtype=dtype)
        if not is_first():
            return
        batches = row_batches(data["validation"], collate_rows, recipe.batch_size)
        with written_whole(output) as folder:
            save_checked(model, tokenizer, folder, batches, load_causal_model)

    log = trainer.state.log_history
    loss = validation_loss(log, recipe)
    write_json(curve, training_curve(log))
    write_json(
        metrics,
        {
            "validation_loss": loss,
            "validation_perplexity": perplexity(loss),
            "steps": trainer.state.global_step,
            "trainable_parameters": n_trainable,
        },
    )


if __name__ == "__main__":
    run(app)
