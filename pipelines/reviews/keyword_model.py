"""A text-to-text model that writes a text's keywords, in place of the weighed nouns.

It is read from a folder, and its output is split into keywords. `tidy_keywords` drops those that
are no words.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from genlab.core.files import write_json, written_whole
from genlab.models.loading import load_text_to_text_model, load_tokenizer
from genlab.sources.model_folders import download_base

MAX_INPUT_TOKENS = 512  # T5's own training length


def fetch_keyword_model(hub_id: str, revision: str, output: Path) -> None:
    """Write the folder of a keyword model; one that says that there is none for "none"."""
    if hub_id == "none":
        write_without_model(output, {"hub_id": hub_id})
    else:
        download_model(hub_id, revision, output)


def write_without_model(output: Path, reason: dict[str, str]) -> None:
    """Write a folder that says why no model is in it."""
    with written_whole(output) as folder:
        folder.mkdir()
        write_json(folder / "source.json", reason)


def download_model(hub_id: str, revision: str, output: Path) -> None:
    """Write a keyword model of the Hub to the folder `output`; raise InputError if it can't be."""
    download_base(
        hub_id,
        revision,
        None,
        output,
        "keyword_model",
        load_text_to_text_model,
        instead="set keyword_model.hub_id=none",
    )


def write_keywords(
    texts: Sequence[str], folder: Path, separator: str, batch_size: int, max_new_tokens: int
) -> Iterator[list[str]]:
    """Yield for each text what the model writes, greedily, split at `separator`'s characters."""
    import torch

    model, tokenizer = load_text_to_text_model(folder).eval(), load_tokenizer(folder)
    for start in range(0, len(texts), batch_size):
        batch = tokenizer(
            list(texts[start : start + batch_size]),
            padding=True,
            truncation=True,
            max_length=MAX_INPUT_TOKENS,
            return_tensors="pt",
        )
        with torch.inference_mode():
            written = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
            )
        for text in tokenizer.batch_decode(written, skip_special_tokens=True):
            yield [part for part in re.split(f"[{re.escape(separator)}]", text) if part.strip()]
