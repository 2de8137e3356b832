"""Training of the small base models made here, from random weights, on a CPU.

`train_mini` takes a model with fresh weights and its batches. It does without transformers'
Trainer, which runs one optimizer, not two, and adds much to a few hundred steps of 0.05 s.
"""

import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from genlab.core.numerics import hold_arithmetic
from genlab.core.progress import tracked
from genlab.models.loading import turn_off_bars

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def length_bucketed_batches(
    lengths: list[int], batch_size: int, rng: random.Random
) -> Iterator[list[int]]:
    """Yield every index once, in batches of similar length (little padding), batches shuffled."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], rng.random()))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng.shuffle(batches)
    yield from batches


def batches_of_epochs(
    lengths: list[int], batch_size: int, epochs: int, rng: random.Random
) -> list[list[int]]:
    """Return the batches of all epochs, each epoch's as `length_bucketed_batches` draws them."""
    return [
        batch for _ in range(epochs) for batch in length_bucketed_batches(lengths, batch_size, rng)
    ]


def train_mini(
    model: "PreTrainedModel",
    batches: Iterable[dict],
    n_batches: int,
    learning_rate: float,
    embedding_learning_rate: float,
) -> float:
    """Train `model` on one pass over `batches` of its inputs; return the last 100 steps' mean loss.

    Muon (Jordan 2024) updates the matrices inside blocks, AdamW the embeddings and vectors. On so
    few tokens the two learn to copy from the context faster than AdamW alone (LOG.md). Both
    learning rates warm up for a twentieth of the steps and then decay as a cosine.
    """
    from transformers import get_cosine_schedule_with_warmup

    turn_off_bars()
    hold_arithmetic(model.num_parameters())
    optimizers = two_optimizers(model, learning_rate, embedding_learning_rate)
    warmup = n_batches // 20
    schedules = [get_cosine_schedule_with_warmup(o, warmup, n_batches) for o in optimizers]

    losses = []
    model.train()
    for inputs in tracked(batches, "pretraining", "steps", n_batches):
        loss = model(**inputs).loss
        loss.backward()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return sum(losses[-100:]) / len(losses[-100:])


def two_optimizers(
    model: "PreTrainedModel", learning_rate: float, embedding_learning_rate: float
) -> list["torch.optim.Optimizer"]:
    """Return Muon for the matrices inside blocks, and AdamW for all else."""
    import torch

    from genlab.mini.muon import Muon

    named = list(model.named_parameters())
    matrices = [weight for name, weight in named if is_matrix(name, weight)]
    others = [weight for name, weight in named if not is_matrix(name, weight)]
    return [
        Muon(matrices, lr=learning_rate),
        torch.optim.AdamW(others, lr=embedding_learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def adamw_of_two_rates(
    model: "PreTrainedModel",
    learning_rate: float,
    embedding_learning_rate: float,
    weight_decay: float,
) -> "torch.optim.Optimizer":
    """Return AdamW with one rate for the matrices in blocks and another for all other weights.

    The others are embeddings, norms and position biases; LoRA's adapters are all matrices.
    """
    import torch

    groups: dict[bool, list] = {True: [], False: []}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            groups["lora_" in name or is_matrix(name, weight)].append(weight)
    return torch.optim.AdamW(
        [
            {"params": groups[True], "lr": learning_rate},
            {"params": groups[False], "lr": embedding_learning_rate},
        ],
        weight_decay=weight_decay,
    )


def is_matrix(name: str, weight: "torch.Tensor") -> bool:
    """Return whether a weight is a matrix inside a block (Muon's), not an embedding or a vector.

    Blocks are called `h` in GPT-2 and `block` in T5, whose first ones hold a table of position
    biases beside their matrices.
    """
    is_in_block = ".h." in name or ".block." in name
    return weight.ndim == 2 and is_in_block and "bias" not in name
