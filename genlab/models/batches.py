"""Rows of token ids as batches for training: padded, labelled, and in an order of their lengths."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow.compute as pc

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

IGNORED = -100  # the label torch's cross-entropy leaves out


def pad_right(
    rows: list[list[int]], pad_id: int = 0, device: "torch.device | None" = None
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return token ids and attention mask [b, t] of rows, padded to the longest."""
    import torch

    longest = max(map(len, rows))
    ids = [row + [pad_id] * (longest - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def collate(rows: list[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows of token ids to the longest: input_ids, attention_mask and labels, each [b, t].

    Labels are ignored at padding BY POSITION and at the first `n_prompt` tokens. Never by token
    id: where padding shares its id with end-of-text, that would take end-of-text out of the loss
    and generation would never stop.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), longest), pad_id)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids = torch.as_tensor(row["input_ids"])
        input_ids[i, : len(ids)] = ids
        mask[i, : len(ids)] = 1
        labels[i, row["n_prompt"] : len(ids)] = ids[row["n_prompt"] :]
    return {"input_ids": input_ids, "attention_mask": mask, "labels": labels}


def collate_pairs(rows: list[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad pairs of token ids to the longest: input_ids and attention_mask [b, s], labels [b, t].

    For encoder-decoder models, which shift the labels themselves. Padding is ignored by position,
    as in `collate`.
    """
    inputs = collate([{"input_ids": row["input_ids"], "n_prompt": 0} for row in rows], pad_id)
    targets = collate([{"input_ids": row["labels"], "n_prompt": 0} for row in rows], pad_id)
    return inputs | {"labels": targets["labels"]}


class LengthGroupedOrder:
    """Row numbers with neighbours of similar length, in an order of (seed, epoch) alone.

    The library's own sampler draws from torch's global random numbers, whose state at the start
    of an epoch is in no checkpoint: a training killed after its first epoch would go on with
    other batches than those it was in the middle of.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        import torch
        from transformers.trainer_pt_utils import get_length_grouped_indices

        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))


def row_lengths(rows: "Dataset") -> list[int]:
    """Return the number of token ids of every row, those of both sides, without reading the ids."""
    sides = [name for name in ("input_ids", "labels") if name in rows.column_names]
    lengths = [pc.list_value_length(rows.data.column(name)) for name in sides]
    return (lengths[0] if len(sides) == 1 else pc.add(*lengths)).to_pylist()
