"""Dropout while training: one probability for a whole model, whatever its own settings say."""

from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Not the adapters' own, lora.dropout.
ModelDropout = Annotated[
    float, Option("--dropout", min=0.0, max=0.9, help="of what the model may drop; 0: none")
]


def set_dropout(model: "PreTrainedModel", dropout: float) -> None:
    """Set the probability of every dropout in the model; its saved settings stay as they are.

    Layers of torch's have it as `p`; some attention has it as a number of its own, like T5's
    `dropout` and Llama's `attention_dropout`. Call it before adapters are added: they have theirs.
    """
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
            continue
        for name, value in list(vars(module).items()):
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, dropout)
