"""The base model: made here, downloaded from the Hugging Face Hub, or copied from a folder.

Whatever the source, the output is one folder in Hub layout (config.json, safetensors weights,
tokenizer) that later stages load without a network.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.files import written_whole
from genlab.core.program import InputError
from genlab.models.loading import check_model_folder, load_causal_model, load_tokenizer
from genlab.sources.hub import download_snapshot

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Loader = Callable[[Path], "PreTrainedModel"]

# No *.bin: a pickle can run code. No model.py: code from a hub is never run.
HUB_FILES = ["*.json", "*.txt", "*.safetensors", "tokenizer.model"]
TOKENIZER_FILES = ["token*", "vocab.*", "merges.txt", "special_tokens*", "added_tokens*"]


def copy_base(
    folder: Path,
    tokenizer_folder: Path | None,
    output: Path,
    load: Loader = load_causal_model,
) -> None:
    """Copy a model folder to `output`, with another folder's tokenizer if one is given.

    `load` is what its kind of model is loaded with.

    Raises InputError if the model or tokenizer cannot be loaded, or the tokenizer has more
    tokens than the model has embeddings.
    """
    check_model_folder(folder)
    with written_whole(output) as partial:
        partial.mkdir()
        for pattern in HUB_FILES:
            for file in folder.glob(pattern):
                shutil.copyfile(file, partial / file.name)
        if tokenizer_folder is not None:
            for pattern in TOKENIZER_FILES:
                for file in partial.glob(pattern):
                    file.unlink()
            load_tokenizer(tokenizer_folder).save_pretrained(partial)
        tokenizer, model = load_tokenizer(partial), load(partial)
        n_rows = model.get_input_embeddings().num_embeddings
        if len(tokenizer) > n_rows:
            raise InputError(
                f"{tokenizer_folder or folder}: the tokenizer has {len(tokenizer)} tokens, but the "
                f"model in {folder} has embeddings for {n_rows}"
            )
        if tokenizer_folder is not None:  # the ids that the model knows are the other tokenizer's
            for settings in (model.config, model.generation_config):
                settings.bos_token_id = tokenizer.bos_token_id
                settings.eos_token_id = tokenizer.eos_token_id
                settings.save_pretrained(partial)


def download_base(
    hub_id: str,
    revision: str,
    tokenizer_folder: Path | None,
    output: Path,
    group: str = "base",
    load: Loader = load_causal_model,
) -> str:
    """Download a model at a pinned revision from the Hub; return its commit.

    Without a network, a copy that was downloaded earlier serves. `group`: of the params, for the
    message of the InputError that is raised if that fails.
    """
    folder = download_snapshot(
        hub_id,
        revision,
        HUB_FILES,
        asked=f"{group}.hub_id={hub_id} at {revision}",
        instead=f"use {group}.source=file with {group}.path=FOLDER",
    )
    copy_base(folder, tokenizer_folder, output, load)
    return folder.name
