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
from genlab.models.model_files import check_config, check_model_folder, first_line
from genlab.models.stored_weights import check_left_out, check_own_code, check_stored
from genlab.models.tokenizer_rules import keeps_rules, read_rules

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
PLAIN_KINDS = ("gpt2", "t5")  # of models that are made here, as config.json calls them
# What a model's class may be called in config.json, if it is not the one that is loaded: its body
# alone, or an old name. Others, as GPT2ForSequenceClassification, are something else.
HEADS = {
    "causal language model": ("LMHeadModel", "ForCausalLM", "Model"),
    "text-to-text model": ("ForConditionalGeneration", "LMHeadModel", "Model"),
    "text classifier": ("ForSequenceClassification",),
}
# What a config.json may ask a model to return, over which the code that reads it would stumble.
OUTPUTS = {"return_dict": True, "output_attentions": False, "output_hidden_states": False}
ATTENTION_REMEDY = "delete attn_implementation and _attn_implementation from its config.json"
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
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    try:
        if not names:
            raise FileNotFoundError("there is no vocabulary")
        kind = tokenizer_class(folder, names)
        with quiet_loading():
            tokenizer = read_class_or_rules(kind, folder)
        check_vocabulary(tokenizer, names)
    except Exception as error:  # tokenizers raises bare Exceptions for broken files
        for path in sorted(folder / name for name in names & JSON_OBJECTS):
            check_config(path)
        check_settings(folder)
        said = isinstance(error, InputError)
        why = first_line(error) if said else why_no_pieces(folder, names) or first_line(error)
        raise InputError(
            f"{folder}: no tokenizer can be loaded ({why}); expected tokenizer.json, or vocab.json "
            "and merges.txt"
        ) from error
    limit = tokenizer.model_max_length
    if not (isinstance(limit, int | float) and limit >= 0):
        raise InputError(
            f"{folder / 'tokenizer_config.json'}: model_max_length is "
            f"{limit!r}, no number of tokens; correct it"
        )
    return tokenizer


def tokenizer_class(folder: Path, names: set[str]) -> Any:
    """Return the class that reads the tokenizer in `folder`, whose files have these names.

    AutoTokenizer would choose it, too, but imports torch to do so: two seconds of every stage.
    """
    if "tokenizer.json" in names and is_plain(folder):
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast
    from transformers import AutoTokenizer, GPT2TokenizerFast

    says_its_kind = names & {"tokenizer.json", "tokenizer_config.json", "config.json"}
    return AutoTokenizer if says_its_kind else GPT2TokenizerFast


def is_plain(folder: Path) -> bool:
    """Return whether tokenizer.json describes the whole tokenizer, as for those made here.

    Only known model types count, because AutoTokenizer overrules tokenizer_class for some others.
    """
    try:
        said, config = (
            parse_json((folder / name).read_text(encoding="utf-8"))
            for name in ("tokenizer_config.json", "config.json")
        )
        plain = said["tokenizer_class"] == "TokenizersBackend" and "auto_map" not in said
        return plain and config["model_type"] in PLAIN_KINDS
    except (OSError, ValueError, LookupError, TypeError):
        return False


def read_class_or_rules(kind: Any, folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer of the class that a folder names, if it follows tokenizer.json.

    Otherwise return the one that tokenizer.json describes: the class may be meant for another kind
    of vocabulary, or have rules of its own.
    """
    try:
        tokenizer = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except TypeError:  # a BPE's dictionary where a list of pieces is read
        if not (folder / "tokenizer.json").is_file():
            raise
        return read_rules(folder)
    return tokenizer if keeps_rules(tokenizer, folder) else read_rules(folder)


def check_settings(folder: Path) -> None:
    """Raise InputError for a config.json that transformers cannot read: tokenizers need it, too.

    An unknown model type passes here; loading the model reports it.
    """
    from transformers import AutoConfig

    path = folder / "config.json"
    if not path.is_file() or not known_kind(path):
        return
    try:
        AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # each config checks its own values
        raise InputError(
            f"{path}: it cannot be read ({first_line(error)}); correct it, or give the config.json "
            "that was saved with the weights"
        ) from None


def known_kind(path: Path) -> bool:
    """Return whether a config.json names a kind of model that transformers knows."""
    from transformers import CONFIG_MAPPING

    kind = parse_json(path.read_text(encoding="utf-8")).get("model_type")
    return isinstance(kind, str) and kind in CONFIG_MAPPING


def check_vocabulary(tokenizer: "PreTrainedTokenizerBase", names: set[str]) -> None:
    """Raise InputError if a tokenizer, loaded from files of these names, has no vocabulary.

    It would map every word to the unknown token, and a classifier would see nothing but lengths.
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


def why_no_pieces(folder: Path, names: set[str]) -> str:
    """Return why a folder's only vocabulary cannot be read, "" if it is of another kind.

    It may be SentencePiece's or tiktoken's, which bear the same name, or Mistral's tekken.json.
    """
    pieces = sorted(name for name in names & VOCABULARIES if name.endswith((".model", ".spm")))
    if names & {"tokenizer.json", "vocab.json", "vocab.txt"}:
        return ""
    for name in (*pieces, *sorted(names)):
        if name == "tekken.json" or name.endswith(".tiktoken") or is_tiktoken(folder / name):
            return f"{name} is tiktoken's or tekken's kind; save it as tokenizer.json"
    if not pieces:
        return ""
    if find_spec("sentencepiece") is None:
        return f"{pieces[0]} needs sentencepiece, which is not installed: pip install sentencepiece"
    return f"{pieces[0]} is broken, or no file of SentencePiece's"


def is_tiktoken(path: Path) -> bool:
    """Return whether a .model file is tiktoken's: each line a token in Base64 and its number."""
    if path.suffix != ".model" or not path.is_file():
        return False
    with open(path, "rb") as stream:
        return re.match(rb"[A-Za-z0-9+/]+=* \d+\r?\n", stream.read(1000)) is not None


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
    """Return the model in `folder`, and transformers' loading info: missing_keys, ...

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
    """Return the model in `folder`; raise InputError if it is incomplete or of another kind.

    On a CPU a small model is limited to one thread (`hold_arithmetic`).
    """
    check_model_folder(folder)
    model, found = read_model(auto_class, folder, kind)
    if has_own_head(model):
        model, found = read_model(auto_class, folder, kind, tie_word_embeddings=False)
    check_own_code(folder, kind, model, auto_class.__name__)
    check_head(folder, kind, model, set(found["unexpected_keys"]))
    check_whole(folder, kind, model, found["missing_keys"], found["unexpected_keys"])
    without_router_loss(model)
    hold_arithmetic(model.num_parameters())
    return model


def read_model(
    auto_class: Any, folder: Path, kind: str, **options: object
) -> tuple["PreTrainedModel", dict]:
    """Return the model in `folder` and transformers' loading info of its weights.

    options: values of its config. Raises InputError if it is not a model of `kind`.
    """
    try:
        return read_weights(auto_class, folder, dtype="float32", **OUTPUTS, **options)
    except Exception as error:  # safetensors and json raise their own kinds for broken files
        check_settings(folder)
        raise InputError(f"{folder}: {why_not_loaded(error, kind)}") from error


def has_own_head(model: "PreTrainedModel") -> bool:
    """Return whether a language model has its own output weights, though its config says tied.

    Loading keeps them, but adding tokens would replace them by the embeddings. T5-like models keep
    them apart whatever their config says.
    """
    if model.config.is_encoder_decoder or not getattr(model.config, "tie_word_embeddings", False):
        return False
    head = getattr(model.get_output_embeddings(), "weight", None)
    table = getattr(model.get_input_embeddings(), "weight", None)
    return head is not None and table is not None and head.data_ptr() != table.data_ptr()


def without_router_loss(model: "PreTrainedModel") -> None:
    """Make a mixture of experts return the loss of its tokens alone, without the router loss.

    The router loss would be taken for a part of the texts' loss, and it fails on padded batches.
    """
    if getattr(model.config, "output_router_logits", False):
        model.config.output_router_logits = False


def check_whole(
    folder: Path,
    kind: str,
    model: "PreTrainedModel",
    missing: Iterable[str],
    unexpected: Iterable[str],
) -> None:
    """Raise InputError if weights are missing, or are of layers that config.json does not have.

    transformers would initialise the former at random and ignore the latter. Other additional
    weights, of another head or a buffer, are harmless, except for those of `check_left_out`.
    Weights must be stored as plain floats (`check_stored`).
    """
    unexpected = list(unexpected)
    check_left_out(folder, kind, unexpected)
    if lacking := sorted(missing):
        wrapped = next((key for key in unexpected if key.endswith(f".{lacking[0]}")), None)
        remedy = "give the config.json that was saved with the weights"
        if wrapped:
            front = wrapped.removesuffix(lacking[0])
            remedy = f"there all names begin with {front!r}; save the model that was wrapped so"
        raise InputError(
            f"{folder}: not a whole {kind}, {len(lacking)} weights are missing ({lacking[0]}, "
            f"...); {remedy}"
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
    check_stored(folder, kind, model)


def without_numbers(key: str) -> str:
    """Return a weight's name with its layers' numbers masked: h.1.ln_1.bias -> h.N.ln_1.bias."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "N", key)


def why_not_loaded(error: Exception, kind: str) -> str:
    """Return transformers' error as a line: what is wrong with a model folder, and what to do."""
    from safetensors import SafetensorError

    why = first_line(error)
    if isinstance(error, SafetensorError):
        return f"its weights (*.safetensors) are damaged or cut off ({why}); get them again"
    if asks_for_attention(error):
        return (
            f"it asks for a kind of attention that this machine does not have ({why}); "
            + ATTENTION_REMEDY
        )
    if isinstance(error, ImportError):
        return f"it needs a package that is not installed ({why})"
    if "ignore_mismatched_sizes" in why:  # it points to a report above
        return f"not a {kind} (its weights have other sizes than config.json says)"
    if isinstance(error, KeyError | TypeError | AttributeError):  # their texts alone say little
        return (
            f"not a {kind} ({type(error).__name__}: {why}); give the config.json that was saved "
            "with the weights"
        )
    return f"not a {kind} ({why})"


def asks_for_attention(error: BaseException) -> bool:
    """Return whether transformers lacks the attention that a config.json asks for.

    FlashAttention, for example. How attention is computed depends on the machine and is no part of
    a model, so it can be replaced.
    """
    return "attn_implementation" in str(error) or "FlashAttention" in str(error)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Load models without transformers' progress bars and reports, which name temporary folders.

    sentence-transformers' advice against loading float16 as float32 is silenced, too, as we do it
    on purpose. Our own errors report what is wrong with a folder. The bars stay off afterwards.
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
    """Raise InputError if config.json or the weights show that the model is of another kind.

    If the head shares the embeddings, no weight is missing, so a classifier would pass for a
    language model.
    """
    named = model.config.architectures or [type(model).__name__]
    if type(model).__name__ not in named and not any(is_body_or(kind, name) for name in named):
        raise InputError(
            f"{folder}: not a {kind} but a {', '.join(named)} (config.json, architectures)"
        )
    other = sorted(key for key in unexpected if key.split(".")[0] in OTHER_HEADS)
    if other and kind != "text classifier":
        raise InputError(f"{folder}: not a {kind}: it has a head of another kind ({other[0]})")


def is_body_or(kind: str, name: str) -> bool:
    """Return whether a class in config.json is a bare model (without a head) or one of `kind`.

    LlamaForRewardModel ends like LlamaModel, but is neither.
    """
    if not name.endswith(HEADS[kind]):
        return False
    return not name.endswith("Model") or re.search("For[A-Z]", name) is None


def turn_off_bars() -> None:
    """Have transformers load and save without bars, which fill a log with control characters."""
    from transformers.utils import logging

    logging.disable_progress_bar()
