"""The language models that this pipeline starts from: made here, downloaded, or the user's."""

import shutil
from pathlib import Path

from genlab.core.files import remove, written_whole
from genlab.core.program import InputError
from genlab.mini.gpt2 import Sizes, train_tokenizer, write_pretrained
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.sources.foreign_files import named_as
from genlab.sources.model_folders import fetch_folder
from genlab.sources.source import ModelSource
from pipelines.rlhf.origins import BaseOrigin, RewardBaseOrigin, RewardBaseSource
from pipelines.rlhf.schemas import plain_texts


def fetch_model(
    texts: Path, tokenizer_folder: Path | None, output: Path, origin: BaseOrigin, sizes: Sizes
) -> dict[str, float]:
    """Make, download or copy a language model; return its size and, of a made one, its loss."""
    numbers: dict[str, float] = {}
    if origin.source is ModelSource.mini:
        train = plain_texts(texts, "train")
        if not train:
            raise InputError("base.source=mini learns from plain text, and there is none")
        tokenizer = (
            load_tokenizer(tokenizer_folder)
            if tokenizer_folder
            else train_tokenizer(train, sizes.vocab_size)
        )
        numbers["pretraining_loss"] = write_pretrained(output, train, tokenizer, sizes)
    else:
        _, numbers = fetch_folder(*origin.where, output)
    return numbers | {"parameters": float(load_causal_model(output).num_parameters())}


def fetch_reward_base(
    texts: Path, policy: Path, output: Path, origin: RewardBaseOrigin, sizes: Sizes
) -> dict[str, float]:
    """Copy the policy's folder, or do as `fetch_model` with the policy's tokenizer.

    Raises InputError for a model that reads other tokens, or that can be no reward model's base.
    """
    if origin.source is RewardBaseSource.policy:
        return copy_policy(policy, output)
    from pipelines.rlhf.reward_model import check_reads_as, try_reward_base

    numbers = fetch_model(texts, policy, output, origin.model, sizes)
    asset = {RewardBaseSource.hub: origin.hub_id, RewardBaseSource.file: str(origin.path)}
    try:
        with named_as(output, asset.get(origin.source, str(output))):
            check_reads_as(output, policy)
            try_reward_base(output)
    except InputError:
        remove(output)
        raise
    return numbers


def copy_policy(policy: Path, output: Path) -> dict[str, float]:
    """Copy the policy's folder; return its size. InputError if it can be no reward model's base."""
    from pipelines.rlhf.reward_model import try_reward_base

    try_reward_base(policy)
    with written_whole(output) as folder:
        shutil.copytree(policy, folder)
    return {"parameters": float(load_causal_model(output).num_parameters())}
