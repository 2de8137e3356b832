"""The language model that judges how fluent a generated review is: not the one that wrote it.

In: a fetched model's folder, or real train reviews to train a small GPT-2 on. Out: a model in
Hub layout, and how likely it finds texts. What it calls fluent is what the real reviews are like.
"""

import shutil
from pathlib import Path

import numpy as np

from genlab.models.likelihood import bits_per_byte, perplexity, text_losses

FOLDER = "fluency"  # in the folder of judges


def copy_or_make_model(
    fetched: Path, judges: Path, texts: list[str], vocab_size: int, sizes: dict
) -> dict[str, float]:
    """Put the fetched model into the folder of judges, or train one if there is none.

    sizes: the arguments of `mini_base.pretrain`. Returns its last training loss, if it was trained.
    """
    from genlab.mini.gpt2 import END_OF_TEXT, check_sizes, pretrain, train_tokenizer

    folder = judges / FOLDER
    if (fetched / "config.json").is_file():
        shutil.copytree(fetched, folder)
        return {}
    check_sizes(**sizes, max_offset=0, group="judge.fluency")
    tokenizer = train_tokenizer(texts, vocab_size)
    # As it is read later: a text begins after an end-of-text, at the first position.
    begun = [END_OF_TEXT + text for text in texts]
    model, loss = pretrain(begun, tokenizer, max_offset=0, **sizes)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"train_loss": loss}


def read_fluency(judges: Path, texts: list[str], batch_size: int) -> list[np.ndarray]:
    """Return for each text the loss of each token, in nats, under the model among the judges."""
    import torch

    from genlab.models.loading import load_causal_model, load_tokenizer

    folder = judges / FOLDER
    tokenizer, model = load_tokenizer(folder), load_causal_model(folder).eval()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return text_losses(model, tokenizer, texts, batch_size)


def measure_fluency(judges: Path, texts: list[str], batch_size: int) -> dict[str, float]:
    """Return perplexity and bits per byte of these texts together."""
    losses = read_fluency(judges, texts, batch_size)
    return {"perplexity": perplexity(losses), "bits_per_byte": bits_per_byte(losses, texts)}
