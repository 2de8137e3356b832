"""The base model, made here or any other, with tokens for two speakers."""

from pathlib import Path

from genlab.core.files import written_whole
from genlab.core.program import InputError
from genlab.mini.gpt2 import Sizes, pretrain, train_tokenizer
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.token_types import reads_token_types
from genlab.models.trial import save_and_try
from genlab.sources.foreign_files import named_as
from genlab.sources.model_folders import fetch_folder
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.chitchat.chat_inputs import SPEAKERS
from pipelines.chitchat.mini_dialogues import plain_texts


def make_base(world: Path, n_dialogues: int, output: Path, sizes: Sizes) -> float:
    """Pretrain a small GPT-2 on plain Russian dialogues; return its last training loss."""
    texts = plain_texts(world, n_dialogues, sizes.seed)
    tokenizer = train_tokenizer(texts, sizes.vocab_size)
    model, loss = pretrain(texts, tokenizer, sizes)
    save_and_try(model, tokenizer, output, load_causal_model, "the mini base")
    return loss


def fetch_base(
    origin: ModelOrigin, n_dialogues: int, sizes: Sizes, output: Path
) -> tuple[str, dict]:
    """Write the base model's folder; return the commit that was downloaded, and its numbers."""
    commit: str = "none"
    numbers: dict[str, float] = {}
    with written_whole(output) as folder, named_as(folder, origin.asset):
        if origin.source is ModelSource.mini:
            numbers["pretraining_loss"] = make_base(origin.made_from, n_dialogues, folder, sizes)
        else:
            commit, numbers = fetch_folder(*origin.where, folder)
        numbers["parameters"] = add_speakers(folder, sizes.seed)
    return commit, numbers


def add_speakers(folder: Path, seed: int) -> int:
    """Give the model in `folder` tokens for two speakers; return its number of parameters.

    Their embeddings start near the mean of all others, with a tenth of their standard deviation as
    noise, so that at first they have little influence, and are not equal. Raises InputError for a
    model whose embeddings are not a plain table, or that changes when it is saved and loaded.
    """
    import torch

    tokenizer, model = load_tokenizer(folder), load_causal_model(folder)
    known = tokenizer.get_vocab()
    if new := [token for token in SPEAKERS if token not in known]:
        tokenizer.add_special_tokens({"additional_special_tokens": new})
        table = model.get_input_embeddings().weight.detach()
        mean, spread = table.mean(0), table.std(0)
        size = max(len(tokenizer), len(table))
        model.resize_token_embeddings(size, mean_resizing=False)
        table = model.get_input_embeddings().weight
        if len(table) != size:
            raise InputError(f"{folder}: its embeddings cannot be extended by {len(new)} tokens")
        noise = torch.randn(len(new), len(mean), generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            ids = torch.tensor(tokenizer.convert_tokens_to_ids(new))
            table[ids] = mean + noise * spread / 10
            output = model.get_output_embeddings().weight
            if output.data_ptr() != table.data_ptr():
                output[ids] = output[: len(table) - len(new)].mean(0)
        shown = f"{folder}, with tokens for two speakers"
        save_and_try(model, tokenizer, folder, load_causal_model, shown)
    speakers = tokenizer.convert_tokens_to_ids(list(SPEAKERS))
    if not reads_token_types(model, *speakers):
        print(
            f"a {type(model).__name__} does not read token types as GPT-2 does: set "
            "arms.NAME.token_types=false in every arm"
        )
    return model.num_parameters()
