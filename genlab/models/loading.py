"""Language models and tokenizers in folders of the Hub's layout, loaded safely and offline.

Safely: weights as safetensors only, never a pickle; no code from the folder is run.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.core.numerics import hold_arithmetic
from genlab.core.processes import best_device
from genlab.core.program import InputError
from genlab.core.shapes import parse_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Dtype(StrEnum):
    """What a model computes in; bfloat16 is faster only where the CPU or GPU has it (LOG.md)."""

    float32 = "float32"
    bfloat16 = "bfloat16"


# A folder without any of these gives transformers a tokenizer of its special tokens alone and no
# error, unless its kind needs no vocabulary: ByT5's reads bytes.
VOCABULARIES = {
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"),
    *("spiece.model", "sentencepiece.bpe.model", "spm.model", "source.spm"),
}
JSON_OBJECTS = {  # what is read of a folder, at least, to load its tokenizer
    *("config.json", "tokenizer_config.json", "tokenizer.json", "vocab.json"),
    *("special_tokens_map.json", "added_tokens.json"),
}
# What a model's class may be called in config.json, if it is not the one that is loaded: its body
# alone, or an old name. Others, as GPT2ForSequenceClassification, are something else.
HEADS = {
    "causal language model": ("LMHeadModel", "ForCausalLM", "Model"),
    "text-to-text model": ("ForConditionalGeneration", "LMHeadModel", "Model"),
    "text classifier": ("ForSequenceClassification",),
}
# What a config.json may ask a model to return, over which the code that reads it would stumble.
OUTPUTS = {"return_dict": True, "output_attentions": False, "output_hidden_states": False}
OTHER_HEADS = {"score", "classifier", "classification_head", "qa_outputs", "summary"}


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in `folder`; raise InputError if there is none, or it has no EOS."""
    tokenizer = read_tokenizer(folder)
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"{folder}: the tokenizer has no end-of-text token (eos_token); name one in its "
            "tokenizer_config.json"
        )
    return tokenizer


def read_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in `folder`, of a model of any kind; raise InputError if there is none.

    A folder of vocab.json and merges.txt alone is read as GPT-2's kind of tokenizer.
    """
    from transformers import AutoTokenizer, GPT2TokenizerFast

    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    says_its_kind = names & {"tokenizer.json", "tokenizer_config.json", "config.json"}
    kind = AutoTokenizer if says_its_kind else GPT2TokenizerFast
    try:
        if not names:
            raise FileNotFoundError("there is no vocabulary")
        with quiet_loading():
            tokenizer = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        check_vocabulary(tokenizer, names)
    except Exception as error:  # tokenizers raises bare Exceptions for broken files
        for path in sorted(folder / name for name in names & JSON_OBJECTS):
            check_config(path)
        said = isinstance(error, InputError)
        why = first_line(error) if said else why_no_pieces(names) or first_line(error)
        raise InputError(
            f"{folder}: no tokenizer can be loaded ({why}); expected tokenizer.json, or vocab.json "
            "and merges.txt"
        ) from error
    if not isinstance(tokenizer.model_max_length, int | float):
        raise InputError(
            f"{folder / 'tokenizer_config.json'}: model_max_length is "
            f"{tokenizer.model_max_length!r}, no number; correct it"
        )
    return tokenizer


def check_vocabulary(tokenizer: "PreTrainedTokenizerBase", names: set[str]) -> None:
    """Raise InputError if a tokenizer, loaded from files of these names, knows no words.

    With it every word is unknown, and a classifier tells texts apart by their lengths alone.
    """
    special = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    ordinary = set(tokenizer.get_vocab()) - special - set(tokenizer.all_special_tokens)
    if len(ordinary) > 1:  # T5's and mBART's know the sign of a word's start
        return
    if not names & VOCABULARIES:
        raise InputError("there is no vocabulary")
    there = ", ".join(sorted(names & VOCABULARIES))
    raise InputError(
        f"a {type(tokenizer).__name__} finds no vocabulary in {there}: name the kind that reads it "
        "as tokenizer_class in tokenizer_config.json, or give the file the name that this one reads"
    )


def why_no_pieces(names: set[str]) -> str:
    """Return why a folder's only vocabulary, if it is SentencePiece's, cannot be read, else ""."""
    pieces = sorted(name for name in names & VOCABULARIES if name.endswith((".model", ".spm")))
    if not pieces or names & {"tokenizer.json", "vocab.json", "vocab.txt"}:
        return ""
    if find_spec("sentencepiece") is None:
        return f"{pieces[0]} needs sentencepiece, which is not installed: pip install sentencepiece"
    return f"{pieces[0]} is broken, or no file of SentencePiece's"


def load_causal_model(folder: Path) -> "PreTrainedModel":
    """Return the causal language model in `folder` in float32; raise InputError if it is not whole.

    float32 because an optimizer's small steps are lost in less.
    """
    from transformers import AutoModelForCausalLM

    return load_whole(AutoModelForCausalLM, folder, "causal language model")


def load_text_to_text_model(folder: Path) -> "PreTrainedModel":
    """Return the encoder-decoder model in `folder` in float32; errors as `load_causal_model`."""
    from transformers import AutoModelForSeq2SeqLM

    return load_whole(AutoModelForSeq2SeqLM, folder, "text-to-text model")


def load_for_inference(
    folder: Path,
    dtype: Dtype = Dtype.float32,
    load: Callable[[Path], "PreTrainedModel"] = load_causal_model,
) -> tuple["PreTrainedTokenizerBase", "PreTrainedModel"]:
    """Return the tokenizer and the model in `folder`, ready to compute on this process's device.

    The model is in evaluation mode and in `dtype`. `load` is load_causal_model or
    load_text_to_text_model.
    """
    import torch

    tokenizer, model = load_tokenizer(folder), load(folder).eval()
    return tokenizer, model.to(best_device(), getattr(torch, dtype))


def read_weights(
    model_class: Any, folder: Path, **options: Any
) -> tuple["PreTrainedModel", dict[str, Any]]:
    """Return the model in `folder`, and what transformers says of its weights: missing_keys, ...

    options: further ones of `from_pretrained`.
    """
    with quiet_loading():
        return model_class.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )


def load_whole(auto_class: Any, folder: Path, kind: str) -> "PreTrainedModel":
    """Return the model in `folder`; raise InputError if it is no whole one of its kind.

    A small one will compute on one thread of a CPU (`hold_arithmetic`).
    """
    check_model_folder(folder)
    try:
        model, found = read_weights(auto_class, folder, dtype="float32", **OUTPUTS)
    except Exception as error:  # safetensors and json raise their own kinds for broken files
        raise InputError(f"{folder}: {why_not_loaded(error, kind)}") from error
    check_head(folder, kind, model, set(found["unexpected_keys"]))
    check_whole(folder, kind, model, found["missing_keys"], found["unexpected_keys"])
    hold_arithmetic(model.num_parameters())
    return model


def check_whole(
    folder: Path,
    kind: str,
    model: "PreTrainedModel",
    missing: Iterable[str],
    unexpected: Iterable[str],
) -> None:
    """Raise InputError if weights are missing, or are of layers that config.json does not have.

    transformers would fill the ones with noise and leave out the others. Further weights, of
    another head or a buffer, are harmless.
    """
    if lacking := sorted(missing):
        raise InputError(
            f"{folder}: not a whole {kind}, {len(lacking)} weights are missing ({lacking[0]}, "
            "...); give the config.json that was saved with the weights"
        )
    own = {without_numbers(key) for key in model.state_dict()}
    prefix = f"{model.base_model_prefix}."  # weights saved without a head may lack it
    left_out = [
        key for key in unexpected if {without_numbers(key), without_numbers(prefix + key)} & own
    ]
    if left_out:
        raise InputError(
            f"{folder}: config.json has fewer layers than the weights, {len(left_out)} weights "
            f"would be left out ({min(left_out)}, ...); give the config.json that was saved with "
            "them"
        )


def without_numbers(key: str) -> str:
    """Return a weight's name with its layers' numbers masked: h.1.ln_1.bias -> h.N.ln_1.bias."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "N", key)


def why_not_loaded(error: Exception, kind: str) -> str:
    """Return what is wrong with a model folder, and what to do, from transformers' error."""
    from safetensors import SafetensorError

    why = first_line(error)
    if isinstance(error, SafetensorError):
        return f"its weights (*.safetensors) are damaged or cut off ({why}); get them again"
    if isinstance(error, ImportError):
        return f"it needs a package that is not installed ({why})"
    if "ignore_mismatched_sizes" in why:  # it points to a report above
        return f"not a {kind} (its weights have other sizes than config.json says)"
    return f"not a {kind} ({why})"


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Load models without transformers' progress bars and reports, which name a folder of ours.

    Without sentence-transformers' advice, too: to load float16 as float32 is what we do. What is
    wrong with a folder is said by our own errors. The bars stay off.
    """
    from transformers.utils import logging as transformers_logging

    turn_off_bars()
    verbosity = transformers_logging.get_verbosity()
    encoders = logging.getLogger("sentence_transformers")
    level = encoders.level
    transformers_logging.set_verbosity_error()
    encoders.setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        encoders.setLevel(level)


def check_head(folder: Path, kind: str, model: "PreTrainedModel", unexpected: set[str]) -> None:
    """Raise InputError if config.json or the weights say that the model is of another kind.

    Where the head shares the embeddings, no weight is missing: a classifier would pass for a
    language model that was never trained as one.
    """
    named = model.config.architectures or [type(model).__name__]
    if type(model).__name__ not in named and not any(name.endswith(HEADS[kind]) for name in named):
        raise InputError(
            f"{folder}: not a {kind} but a {', '.join(named)} (config.json, architectures)"
        )
    other = sorted(key for key in unexpected if key.split(".")[0] in OTHER_HEADS)
    if other and kind != "text classifier":
        raise InputError(f"{folder}: not a {kind}: it has a head of another kind ({other[0]})")


def is_adapter(file: Path) -> bool:
    """Say whether a file is peft's, of an adapter: transformers would put it on the weights."""
    return file.name.startswith("adapter_")


def turn_off_bars() -> None:
    """Have transformers load and save without bars, which fill a log with control characters."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def check_model_folder(folder: Path) -> None:
    """Raise InputError unless `folder` holds a readable config.json and safetensors weights."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model folder")
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    if (folder / "adapter_config.json").is_file() and all(map(is_adapter, weights)):
        raise InputError(
            f"{folder}: an adapter alone; merge it into its base (merge_and_unload) and save that"
        )
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: not a model folder, config.json is missing")
    check_config(folder / "config.json")
    if (folder / "generation_config.json").is_file():
        check_config(folder / "generation_config.json")
    for path in sorted(folder.glob("*.safetensors.index.json")):
        check_weight_index(path)
    if all(map(is_adapter, folder.glob("*.safetensors"))):
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


def check_weight_index(path: Path) -> None:
    """Raise InputError unless the index of weights in several files names files beside it."""
    check_config(path)
    files = parse_json(path.read_text(encoding="utf-8")).get("weight_map")
    names = files.values() if isinstance(files, dict) else [files]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise InputError(
                f"{path}: broken, its weight_map has {str(name)[:80]!r} where the name of a file "
                "beside it belongs; get it again"
            )


def check_config(path: Path) -> None:
    """Raise InputError unless a config.json, or another file of a model, holds a JSON object."""
    try:
        if not isinstance(parse_json(path.read_text(encoding="utf-8")), dict):
            raise ValueError("no {...}")
    except ValueError as error:
        raise InputError(
            f"{path}: broken, no JSON object ({first_line(error)}); get it again, or save the "
            "model with model.save_pretrained"
        ) from None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; the second, too, where it ends in a colon."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[: 1 + lines[0].endswith(":")])
