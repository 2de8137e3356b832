"""The base model: made here, downloaded from the Hugging Face Hub, or copied from a folder.

Whatever the source, the output is one folder in Hub layout (config.json, safetensors weights,
tokenizer) that later stages load without a network.
"""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.files import written_whole
from genlab.core.program import InputError
from genlab.models.classifier_inputs import check_ids
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.model_files import WEIGHTS, check_model_folder, is_adapter
from genlab.models.positions import describe_positions
from genlab.models.trial import try_model
from genlab.sources.bundled import read_bundled
from genlab.sources.foreign_files import copy_files, files_in, named_as
from genlab.sources.hub import download_snapshot
from genlab.sources.source import ModelSource

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Loader = Callable[[Path], "PreTrainedModel"]

# No *.bin: a pickle can run code. No model.py: code from a hub is never run. Of *.model are
# SentencePiece's: tokenizer.model, spiece.model, sentencepiece.bpe.model.
# A template of chats (*.jinja) is text that transformers reads; bpe.codes are PhoBERT's merges.
HUB_FILES = ["*.json", "*.txt", "*.safetensors", "*.model", "*.spm", "bpe.codes", "*.jinja"]
TOKENIZER_FILES = [
    *("token*", "vocab.*", "merges.txt", "special_tokens*", "added_tokens*"),
    *("*.model", "*.spm", "bpe.codes", "*.jinja"),
]
# Encoder-decoders whose decoder starts with padding (Raffel et al. 2020).
START_IS_PAD = {"t5", "mt5", "umt5", "longt5", "switch_transformers"}


def fetch_folder(
    source: ModelSource,
    path: Path,
    hub_id: str,
    revision: str,
    output: Path,
    tokenizer_folder: Path | None = None,
    load: Loader = load_causal_model,
) -> tuple[str, dict[str, float]]:
    """Write the folder of a base model that is not made here; try it.

    Returns the commit that was downloaded, or "none", and what is known of its training. Raises
    InputError as `copy_base`, `download_base` and `read_bundled` do.
    """
    numbers: dict[str, float] = {}
    if source is ModelSource.hub:
        return download_base(hub_id, revision, tokenizer_folder, output, load=load), numbers
    if source is ModelSource.bundled:
        numbers["pretraining_loss"] = float(read_bundled(path)["metrics"]["pretraining_loss"])
    copy_base(path, tokenizer_folder, output, load)
    return "none", numbers


def copy_base(
    folder: Path,
    tokenizer_folder: Path | None,
    output: Path,
    load: Loader = load_causal_model,
    shown: str | None = None,
) -> None:
    """Copy a model folder to `output`, with another folder's tokenizer if one is given; try it.

    `load` is what its kind of model is loaded with, `shown` what messages call it. What a config
    forgot of its tokenizer is added. An adapter that lies beside the weights is left out.

    Raises InputError if the model or tokenizer cannot be loaded, if the tokenizer has more tokens
    than the model has embeddings, or if the model does not work (genlab.models.trial).
    """
    shown = shown or str(folder)
    with named_as(folder, shown):
        check_model_folder(folder)
    with written_whole(output) as partial, named_as(partial, shown):
        partial.mkdir()
        names = copy_files(folder, partial, shown, deep=False, is_wanted=is_model_file)
        print_ignored(names, partial, shown)
        if tokenizer_folder is not None:
            replace_tokenizer(partial, tokenizer_folder)
        tokenizer, model = load_tokenizer(partial), load(partial)
        n_rows = model.get_input_embeddings().num_embeddings
        if len(tokenizer) > n_rows:
            raise InputError(
                f"{tokenizer_folder or shown}: the tokenizer has {len(tokenizer)} tokens, but the "
                f"model in {shown} has embeddings for {n_rows}"
            )
        check_ids(model, tokenizer, str(tokenizer_folder or shown))
        if tokenizer_folder is not None:  # the ids that the model knows are the other tokenizer's
            settings = {"bos_token_id": tokenizer.bos_token_id}
            change_settings(model, partial, settings | {"eos_token_id": tokenizer.eos_token_id})
        check_end_ids(model, shown)
        if model.config.is_encoder_decoder:
            complete_text_to_text(model, tokenizer, partial, shown)
        try_model(model, tokenizer, load, partial / "trial", shown)
        print(f"{shown}: {type(model).__name__}, {describe_positions(model)}; tried and in order")


def print_ignored(names: list[Path], folder: Path, shown: str) -> None:
    """Print which of a model folder's files are not used; names: of all its files."""
    if any(map(is_adapter, names)):
        print(
            f"{shown}: the adapter beside the weights (adapter_config.json) is left out; to "
            "use it, merge it (merge_and_unload) and save the model"
        )
    if all((folder / name).is_file() for name in WEIGHTS):
        print(f"{shown}: weights are read from {WEIGHTS[0]}, not from what {WEIGHTS[1]} lists")


def replace_tokenizer(folder: Path, tokenizer_folder: Path) -> None:
    """Replace the tokenizer in a model's folder by the one in another folder."""
    for pattern in TOKENIZER_FILES:
        for file in folder.glob(pattern):
            file.unlink()
    if tokenizer_folder.is_dir():
        files_in(tokenizer_folder, str(tokenizer_folder), deep=False)
    load_tokenizer(tokenizer_folder).save_pretrained(folder)


def is_model_file(name: Path) -> bool:
    """Return whether a model folder's file is read: weights, configs, a tokenizer; no adapter."""
    wanted = any(fnmatch(name.name, pattern) for pattern in HUB_FILES)
    return wanted and not is_adapter(name)


def change_settings(model: "PreTrainedModel", folder: Path, values: dict) -> None:
    """Put values into a model's settings, in memory and in `folder`, where they are not yet so."""
    for settings in (model.config, model.generation_config):
        if any(getattr(settings, name, None) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(settings, name, value)
            settings.save_pretrained(folder)


def check_end_ids(model: "PreTrainedModel", shown: str) -> None:
    """Raise InputError for an end-of-text in the settings that is no token's number."""
    for name in ("config", "generation_config"):
        ids = getattr(getattr(model, name), "eos_token_id", None)
        for each in ids if isinstance(ids, list) else [ids]:
            if each is not None and type(each) is not int:
                raise InputError(
                    f"{shown}: {name}.json gives {each!r} as eos_token_id, which is no token's "
                    "number; correct it"
                )


def complete_text_to_text(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", folder: Path, shown: str
) -> None:
    """Add to an encoder-decoder's settings what they lack: padding, end-of-text, decoder's start.

    The tokenizer says what pads and what ends a text, as training takes it from there. Raises
    InputError where nothing says it.
    """
    config = model.config
    if tokenizer.pad_token_id is None:
        if config.pad_token_id is None:
            raise InputError(
                f"{shown}: neither its tokenizer nor config.json says what pads a text; name a "
                "pad_token in tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)
        tokenizer.save_pretrained(folder)
    values = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    start = getattr(config, "decoder_start_token_id", None)
    n_rows = model.get_input_embeddings().num_embeddings
    if start is not None and not (type(start) is int and 0 <= start < n_rows):
        raise InputError(
            f"{shown}: its decoder starts with {start!r} (config.json, decoder_start_token_id), "
            f"and the model has tokens 0 to {n_rows - 1}; correct it"
        )
    values["decoder_start_token_id"] = start
    if start is None:
        if config.model_type not in START_IS_PAD:
            raise InputError(
                f"{shown}: config.json does not say what the decoder starts with; add "
                "decoder_start_token_id"
            )
        values["decoder_start_token_id"] = tokenizer.pad_token_id
        print(f"{shown}: its decoder starts with padding, as T5's does; config.json did not say so")
    change_settings(model, folder, values)


def download_base(
    hub_id: str,
    revision: str,
    tokenizer_folder: Path | None,
    output: Path,
    group: str = "base",
    load: Loader = load_causal_model,
    instead: str = "",
) -> str:
    """Download a model at a pinned revision from the Hub and try it; return its commit.

    Without a network, a copy that was downloaded earlier serves. `group`: of the params, and
    `instead`: what else the user could do, for the message of the InputError raised if that fails.
    """
    folder = download_snapshot(
        hub_id,
        revision,
        HUB_FILES,
        asked=f"{group}.hub_id={hub_id} at {revision}",
        instead=instead or f"use {group}.source=file with {group}.path=FOLDER",
    )
    copy_base(folder, tokenizer_folder, output, load, f"{group}.hub_id={hub_id}")
    return folder.name
