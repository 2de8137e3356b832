"""How far a policy has moved from its reference at each token of texts that it wrote."""

from typing import TYPE_CHECKING

import numpy as np

from genlab.core.program import InputError
from genlab.models.batches import pad_right
from genlab.models.model_files import first_line

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel


def token_divergences(
    policy: "PreTrainedModel",
    reference: "PreTrainedModel",
    rows: list[list[int]],
    n_prompts: list[int],
    batch_size: int,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return for each row of t tokens two float32 [t - n_prompt]: divergences and surprisals, nats.

    The divergence is KL(policy || reference) of the two whole next-token distributions. An estimate
    from the drawn token would be noisier, and biased for texts drawn with top-k or top-p. The
    surprisal is the reference's -log p of the token.
    """
    import torch

    divergences: list[np.ndarray] = [np.zeros(0, np.float32)] * len(rows)
    surprisals = list(divergences)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    order = [i for i in order if len(rows[i]) > n_prompts[i]]
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            ids, mask = pad_right([rows[i] for i in batch], device=policy.device)
            ours, theirs = (
                model(input_ids=ids, attention_mask=mask).logits[:, :-1].float().log_softmax(-1)
                for model in (policy, reference)
            )
            divergence = (ours.exp() * (ours - theirs)).sum(-1).cpu().numpy()
            surprisal = -theirs.gather(-1, ids[:, 1:, None])[..., 0].cpu().numpy()
            for k, i in enumerate(batch):
                scored = slice(n_prompts[i] - 1, len(rows[i]) - 1)
                divergences[i], surprisals[i] = divergence[k, scored], surprisal[k, scored]
    return divergences, surprisals


def check_same_tokenizer(policy: "Path", reference: "Path") -> None:
    """Raise InputError unless both model folders turn text into the same token ids.

    Otherwise log-probabilities of different tokens would be compared, without any error.
    """
    from genlab.models.loading import load_tokenizer

    if policy == reference:
        return
    ours, theirs = load_tokenizer(policy), load_tokenizer(reference)
    try:
        same = ours.get_vocab() == theirs.get_vocab() and ours.eos_token_id == theirs.eos_token_id
    except Exception as error:  # tokenizers raises bare Exceptions
        raise InputError(
            f"{policy}: the tokenizer has no vocabulary ({first_line(error)})"
        ) from None
    if not same:
        raise InputError(
            f"the tokenizers of {policy} and of its reference {reference} differ "
            f"({len(ours)} and {len(theirs)} tokens): the same text is other tokens to each, so "
            "their probabilities cannot be compared; use a reference with the policy's tokenizer"
        )
