"""The base model: made here, downloaded from the Hugging Face Hub, or copied from a folder.

Whatever the source, the output is one folder in Hub layout (config.json, safetensors weights,
tokenizer) that later stages load without a network.
"""

import shutil
from pathlib import Path

from genlab.files import written_whole
from genlab.models import check_model_folder, first_line, load_causal_model, load_tokenizer
from genlab.program import InputError

# No *.bin: a pickle can run code. No model.py: code from a hub is never run.
HUB_FILES = ["*.json", "*.txt", "*.safetensors", "tokenizer.model"]


def copy_base(folder: Path, tokenizer_folder: Path | None, output: Path) -> None:
    """Copy a model folder to `output`, with another folder's tokenizer if one is given.

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
            for file in partial.glob("token*"):
                file.unlink()
            load_tokenizer(tokenizer_folder).save_pretrained(partial)
        tokenizer, model = load_tokenizer(partial), load_causal_model(partial)
        n_rows = model.get_input_embeddings().num_embeddings
        if len(tokenizer) > n_rows:
            raise InputError(
                f"{tokenizer_folder or folder}: the tokenizer has {len(tokenizer)} tokens, but the "
                f"model in {folder} has embeddings for {n_rows}"
            )


def download_base(hub_id: str, revision: str, tokenizer_folder: Path | None, output: Path) -> None:
    """Download a model at a pinned revision from the Hub; raise InputError if that fails."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(hub_id, revision=revision, allow_patterns=HUB_FILES)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise InputError(
            f"base.hub_id={hub_id} at {revision}: cannot be downloaded ({first_line(error)}); "
            "check the name and the network, or use base.source=file with base.path=FOLDER"
        ) from error
    copy_base(Path(folder), tokenizer_folder, output)


def make_base(
    topics: Path,
    tokenizer_folder: Path | None,
    output: Path,
    *,
    n_passages: int,
    vocab_size: int,
    seed: int,
    **sizes,
) -> float:
    """Pretrain a small GPT-2 on the mini corpus's plain text; return its last training loss."""
    from genlab.mini_base import break_lines, pretrain, train_tokenizer
    from genlab.minicorpus import make_plain_text

    texts = break_lines(make_plain_text(topics, n_passages, seed), seed)
    if tokenizer_folder is None:
        tokenizer = train_tokenizer(texts, vocab_size)
    else:
        tokenizer = load_tokenizer(tokenizer_folder)
    model, loss = pretrain(texts, tokenizer, seed=seed, **sizes)
    with written_whole(output) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
    return loss
