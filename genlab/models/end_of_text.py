"""Which tokens end a text: that of the tokenizer, and those of the model's generation config."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


def end_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the ids that end a text: the one training used and those of the generation config."""
    return listed_ends(model.generation_config, tokenizer)


def end_tokens_in(folder: Path, tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return what `end_tokens` does for the model in a folder, without loading its weights."""
    from transformers import AutoConfig, GenerationConfig

    if (folder / "generation_config.json").exists():
        config = GenerationConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    else:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = GenerationConfig.from_model_config(config)
    return listed_ends(config, tokenizer)


def listed_ends(config: "GenerationConfig", tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the end-of-text ids of a generation config and a tokenizer."""
    listed = config.eos_token_id
    listed = listed if isinstance(listed, list) else [listed]
    return {tokenizer.eos_token_id, *listed} - {None}
