"""Causal language models and tokenizers in folders of the Hub's layout, loaded safely and offline.

Safely: weights as safetensors only, never a pickle; no code from the folder is run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from genlab.program import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in `folder`; raise InputError if there is none or it has no EOS token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers raises bare Exceptions for broken files
        raise InputError(
            f"{folder}: no tokenizer can be loaded ({first_line(error)}); expected tokenizer.json, "
            "or vocab.json and merges.txt"
        ) from error
    if tokenizer.eos_token_id is None:
        raise InputError(f"{folder}: the tokenizer has no end-of-text token (eos_token)")
    return tokenizer


def load_causal_model(folder: Path) -> "PreTrainedModel":
    """Return the causal language model in `folder` in float32; raise InputError if it is not whole.

    float32 because training needs it and a CPU is not faster with less.
    """
    from transformers import AutoModelForCausalLM

    check_model_folder(folder)
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype="float32"
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{folder}: not a causal language model ({first_line(error)})") from error


def check_model_folder(folder: Path) -> None:
    """Raise InputError unless `folder` holds config.json and safetensors weights."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model folder")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: not a model folder, config.json is missing")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        why = (
            f"its weights ({pickles[0]}) are a pickle, which could run code; convert them"
            if pickles
            else "save them"
        )
        raise InputError(
            f"{folder}: no weights (*.safetensors); {why} with "
            "model.save_pretrained(folder, safe_serialization=True)"
        )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, for one-line messages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
