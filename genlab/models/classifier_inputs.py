"""A classifier's padding token and input limit, so that it can read texts of any length in batches.

GPT-2-like models have no padding token. The config of RoBERTa-like models counts two positions too
many. A tokenizer's limit may be lower than the model's.
"""

from typing import TYPE_CHECKING

from genlab.core.program import InputError
from genlab.models.positions import usable_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

UNLIMITED = 10**9  # transformers writes 1e30 where a tokenizer's limit is not known


def prepare_inputs(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", shown: str
) -> int | None:
    """Set the same padding token in both; return the most tokens of a text, None: no limit.

    Raises InputError if nothing can pad, or if a token has no embedding (`check_ids`).
    """
    if tokenizer.pad_token_id is None:
        pad_id = model.config.pad_token_id
        pad_id = tokenizer.eos_token_id if pad_id is None else pad_id
        if pad_id is None:
            raise InputError(
                f"{shown}: neither its tokenizer nor config.json says what pads a text; name a "
                "pad_token in tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad_id)
    check_ids(model, tokenizer, shown)
    model.config.pad_token_id = tokenizer.pad_token_id
    limits = [usable_positions(model), tokenizer.model_max_length]
    return min((limit for limit in limits if limit and limit < UNLIMITED), default=None)


def check_ids(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", shown: str) -> None:
    """Raise InputError if a token of texts, or a special one, has a number beyond the embeddings.

    Comparing the number of tokens is not enough, because ids may have gaps. Added tokens that are
    not special are ignored: they occur only in texts that contain their very name.
    """
    try:
        n_rows = getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:  # a kind that reads characters by their hashes
        return
    added = set(tokenizer.added_tokens_decoder) - set(tokenizer.all_special_ids)
    numbers = {each: word for word, each in tokenizer.get_vocab().items() if each not in added}
    last = max(numbers, default=0)
    if n_rows is not None and last >= n_rows:
        raise InputError(
            f"{shown}: its tokenizer gives {numbers[last]!r} the number {last}, but the model has "
            f"embeddings for the numbers 0 to {n_rows - 1}; take the tokenizer that was saved with "
            "the weights"
        )
