"""Negative log-likelihoods of texts under a causal language model, token by token.

They are float64 values in nats, so that sums over a whole corpus are exact enough. Reports give
their perplexity and, since perplexities under different tokenizers do not compare, bits per byte.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.program import InputError
from genlab.core.progress import progress
from genlab.models.batches import pad_right
from genlab.models.positions import usable_positions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# 2**27 float32 scores are 0.5 GB: GPT-2's 50,257 tokens x 300 positions x 8 rows, not 64.
SCORES_AT_A_TIME = 2**27


def token_losses(
    model: "PreTrainedModel", rows: list[list[int]], n_prompts: list[int], batch_size: int
) -> list[np.ndarray]:
    """Return for each row float64 [t - n_prompt]: -log p of each token after its prompt, in nats.

    n_prompts: how many leading tokens of each row are given and not scored, at least 1, because a
    first token has nothing that predicts it (put the model's end-of-text there, a document's
    boundary). Batches hold rows of similar length, at most `batch_size` and fewer where the
    vocabulary is large. Raises InputError if a row exceeds the model's positions.
    """
    import torch

    if min(n_prompts, default=1) < 1:
        raise ValueError("a row's first token can not be scored: n_prompt is at least 1")
    longest = max(map(len, rows), default=0)
    n_positions = usable_positions(model)
    if n_positions and longest > n_positions:
        raise InputError(
            f"a text of {longest} tokens exceeds the {n_positions} positions of "
            f"{model.name_or_path}; lower the number of new tokens"
        )
    losses: list[np.ndarray] = [np.zeros(0)] * len(rows)
    # Longest first: what does not fit into memory fails at once. No prediction, no row.
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    order = [i for i in order if len(rows[i]) > n_prompts[i]]
    start = 0
    with torch.inference_mode(), progress("measuring likelihood", len(order), "texts") as update:
        while start < len(order):
            n_scores = len(rows[order[start]]) * model.config.vocab_size
            batch = order[start : start + max(1, min(batch_size, SCORES_AT_A_TIME // n_scores))]
            for i, values in zip(
                batch, batch_losses(model, [rows[i] for i in batch]).double().cpu(), strict=True
            ):
                losses[i] = values[n_prompts[i] - 1 : len(rows[i]) - 1].numpy()
            start += len(batch)
            update(len(batch))
    return losses


def text_losses(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    texts: list[str],
    batch_size: int,
) -> list[np.ndarray]:
    """Return for each text float64 [its tokens]: -log p of each, in nats; none of an empty text.

    Every text begins after the model's start or end-of-text token. One that exceeds the model's
    positions is read in pieces, each of which begins so again: every token counts, the first of a
    piece with less before it.
    """
    if not texts:
        return []
    start = tokenizer.bos_token_id
    start = tokenizer.eos_token_id if start is None else start
    n_positions = usable_positions(model)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows, owners = [], []
    for text, row in enumerate(ids):
        size = n_positions - 1 if n_positions else max(1, len(row))
        pieces = [row[at : at + size] for at in range(0, len(row), size)] or [[]]
        rows += [[start, *piece] for piece in pieces]
        owners += [text] * len(pieces)
    parts: list[list[np.ndarray]] = [[] for _ in texts]
    for owner, part in zip(
        owners, token_losses(model, rows, [1] * len(rows), batch_size), strict=True
    ):
        parts[owner].append(part)
    return [np.concatenate(each) for each in parts]


def batch_losses(model: "PreTrainedModel", rows: list[list[int]]) -> "torch.Tensor":
    """Return float32 [b, t - 1]: each token's loss but the first's; undefined after a row's end.

    Rows are padded right and masked, so a row's losses do not depend on the other rows.
    """
    import torch

    ids, mask = pad_right(rows, device=model.device)
    scores = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(scores.transpose(1, 2), ids[:, 1:], reduction="none")


def mean_loss(losses: list[np.ndarray]) -> float:
    """Return the mean loss of all tokens of a corpus; NaN without any token.

    Rows are not averaged first: one short unlikely row would dominate.
    """
    n_tokens = sum(map(len, losses))
    return total(losses) / n_tokens if n_tokens else math.nan


def perplexity(loss: float) -> float:
    """Return exp of a mean negative log-likelihood per token, in nats."""
    return math.exp(min(loss, 700.0))  # 700: above, exp overflows a double


def bits_per_byte(losses: list[np.ndarray], texts: list[str]) -> float:
    """Return the bits the model needs per byte of UTF-8 of the texts; NaN without any byte."""
    n_bytes = sum(len(text.encode()) for text in texts)
    return total(losses) / math.log(2) / n_bytes if n_bytes else math.nan


def total(losses: list[np.ndarray]) -> float:
    """Return the sum over all tokens of all rows."""
    return math.fsum(float(row.sum()) for row in losses)
