"""Test whether a language model accepts token ids as token types, as GPT-2 does.

GPT-2 adds the embedding of the type's id. Most later models accept token types and silently ignore
them, and BERT-like models know two types only.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def reads_token_types(model: "PreTrainedModel", one: int, other: int) -> bool:
    """Return whether a text's scores depend on whether its tokens are of type `one` or `other`.

    The model is in evaluation mode.
    """
    import torch

    ids = torch.tensor([[one, other]], device=model.device)
    try:
        with torch.inference_mode():
            scores = [
                model(input_ids=ids, token_type_ids=torch.full_like(ids, each)).logits
                for each in (one, other)
            ]
    except (IndexError, TypeError, ValueError, RuntimeError):  # no such type, or no types at all
        return False
    return not torch.equal(*scores)
