"""A text-to-text model that writes a text's keywords, in place of the weighed nouns.

It is read from a folder, and its output is split into keywords. `tidy_keywords` drops those that
are no words.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.models.loading import load_text_to_text_model, load_tokenizer
from genlab.models.model_files import first_line
from genlab.models.positions import check_sides, usable_positions
from genlab.models.trial import TRIAL_TEXTS
from genlab.sources.foreign_files import named_as
from genlab.sources.model_folders import download_base

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel

MAX_INPUT_TOKENS = 512  # T5's own training length
# What of a model's own settings shapes the text that it writes greedily. Others ask for another way
# of writing, for several texts, or for more than a text.
KEPT_SETTINGS = [
    *("bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id"),
    *("forced_bos_token_id", "forced_eos_token_id", "min_length", "min_new_tokens"),
    *("repetition_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"),
    *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
]


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
    """Write a keyword model of the Hub to the folder `output`; raise InputError if it can't be.

    It has to write something about a few texts, too.
    """
    shown = f"keyword_model.hub_id={hub_id}"
    with written_whole(output) as folder, named_as(folder, shown):
        download_base(
            hub_id,
            revision,
            None,
            folder,
            "keyword_model",
            load_text_to_text_model,
            instead="set keyword_model.hub_id=none",
        )
        try_keywords(folder)


def try_keywords(folder: Path) -> None:
    """Raise InputError if the model in `folder` cannot write about texts of several lengths."""
    texts = [*TRIAL_TEXTS, "one more word " * MAX_INPUT_TOKENS]
    try:
        list(write_keywords(texts, folder, ",", len(texts), max_new_tokens=2))
    except InputError:
        raise
    except Exception as error:  # of a foreign model's settings
        raise InputError(
            f"{folder}: it cannot write keywords ({type(error).__name__}: {first_line(error)}); "
            "correct its generation_config.json, or take another"
        ) from error


def write_keywords(
    texts: Sequence[str], folder: Path, separator: str, batch_size: int, max_new_tokens: int
) -> Iterator[list[str]]:
    """Yield for each text what the model writes, greedily, split at `separator`'s characters.

    A text is cut at the positions that the model has. Raises InputError for more new tokens than
    it has positions.
    """
    import torch

    model, tokenizer = load_text_to_text_model(folder).eval(), load_tokenizer(folder)
    model.generation_config = kept_settings(model)
    n_read = min(MAX_INPUT_TOKENS, usable_positions(model.get_encoder()) or MAX_INPUT_TOKENS)
    check_sides(model, n_read, max_new_tokens)
    for start in range(0, len(texts), batch_size):
        batch = tokenizer(
            list(texts[start : start + batch_size]),
            padding=True,
            truncation=True,
            max_length=n_read,
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


def kept_settings(model: "PreTrainedModel") -> "GenerationConfig":
    """Return what of a model's own settings for writing is used here."""
    from transformers import GenerationConfig

    said = {name: getattr(model.generation_config, name, None) for name in KEPT_SETTINGS}
    return GenerationConfig(**{name: value for name, value in said.items() if value is not None})
