"""A language model is tried in seconds where it is fetched, before hours of work depend on it.

The trial is one forward pass, one backward pass, two generated tokens, and saving and loading. It
also checks the model's kind: later tokens must not change the scores of earlier ones, and
generation, with its padding and its cache, must choose the tokens that the scores of the whole text
favour.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.files import remove, written_whole
from genlab.core.program import InputError
from genlab.models.batches import collate, collate_pairs
from genlab.models.decoding import Decoding, generate
from genlab.models.loading import load_tokenizer
from genlab.models.model_files import first_line
from genlab.models.positions import usable_positions
from genlab.models.saved import check_loads_the_same, save_checked
from genlab.models.seq2seq_decoding import generate_texts

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TRIAL_TEXTS = [
    "a red stone lies by the old river",
    "new",
    "",
    "How far is the tower? 12 km, 345 m!",
    "Старая башня стоит у реки",
    "Die Brücke über den Fluß",
    "古い塔は川のそばにある",
    "البرج القديم قرب النهر",
]
N_TOKENS = 8  # of a row of the trial
EXPERTS = ("num_experts", "num_local_experts")  # what a config may call their number
# Of the largest score. Rounding moves a score by 1e-6 of it, one more token attended to by 1e-2.
NOISE = 1e-4
GREEDY = Decoding(2, 0.0, 0, 1.0, 1, 1.0, 0)  # two tokens


def try_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    load: Callable[[Path], "PreTrainedModel"],
    scratch: Path,
    shown: str,
) -> None:
    """Raise InputError, naming `shown`, if a causal or text-to-text model does not work here.

    `load` is what its kind of model is loaded with; `scratch` a folder for the saved copy, which is
    removed.
    """
    ids = trial_ids(tokenizer, shown)
    check_reads_enough(model, shown)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("compute", lambda: check_causal(model, ids)),
        ("be trained", lambda: check_learns(model, ids)),
        ("generate", lambda: check_generates(model, ids)),
        ("be saved", lambda: check_saved(model, tokenizer, load, ids, scratch)),
    ]
    model.eval()
    for name, step in steps:
        try:
            step()
        except InputError as error:
            raise InputError(f"{shown}: {error}".replace(str(scratch), shown)) from error
        except Exception as error:  # a foreign model's code raises anything
            raise InputError(
                f"{shown}: {kind_of(model)} that cannot {name} here "
                f"({type(error).__name__}: {first_line(error)}); take a model of another kind"
            ) from error
        finally:
            model.eval()
            model.zero_grad(set_to_none=True)
            remove(scratch)


def save_tried(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    output: Path,
    load: Callable[[Path], "PreTrainedModel"],
    shown: str,
) -> None:
    """Write a model that was made here, whole or not at all; it passes the same trial as others."""
    with written_whole(output) as folder:
        save_and_try(model, tokenizer, folder, load, shown)


def save_and_try(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    load: Callable[[Path], "PreTrainedModel"],
    shown: str,
) -> None:
    """Write a model that was made here to `folder`, try what is there, and compare the two.

    Raises InputError as `try_model` does, and if the saved model has another loss.
    """
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    saved = load(folder)
    try_model(saved, load_tokenizer(folder), load, folder / "trial", shown)
    batches = [trial_batch(model, trial_ids(tokenizer, shown))]
    try:
        check_loads_the_same(model, saved, batches)
    except InputError:
        raise
    except Exception as error:  # of a foreign model that was changed here
        raise InputError(
            f"{shown}: {kind_of(model)} that cannot be changed here ({type(error).__name__}: "
            f"{first_line(error)}); take a model of another kind"
        ) from error


def kind_of(model: "PreTrainedModel") -> str:
    """Return what kind of model it is, for messages: its class, and what sets it apart."""
    config = model.config
    build = "an encoder-decoder" if config.is_encoder_decoder else "a causal language model"
    if any(getattr(config, name, None) for name in EXPERTS):
        build += " with a mixture of experts"
    return f"a {type(model).__name__} ({build})"


def check_reads_enough(model: "PreTrainedModel", shown: str) -> None:
    """Raise InputError if a model has fewer positions than a row of the trial has tokens."""
    n_positions = usable_positions(model)
    if n_positions and n_positions < N_TOKENS:
        raise InputError(
            f"{shown}: it has {n_positions} positions, too few: the {N_TOKENS} tokens on which a "
            "model is tried do not fit; take a model with more (config.json, n_positions or "
            "max_position_embeddings)"
        )


def try_rates(rates: Callable[[list[str]], "np.ndarray"], n_words: int, shown: str) -> None:
    """Raise InputError if a rating function depends on the batch, is not finite, or is constant.

    The texts are of several scripts, so that any vocabulary knows some of them. One has three times
    `n_words` words, so that a model with an input limit has to cut it. A text's rating may also be
    a row of numbers.
    """
    texts = [*TRIAL_TEXTS, "one more word " * n_words]
    try:
        alone = np.concatenate([rates(texts[:1]), rates(texts[1:2])])
        together, again = rates(texts), rates(texts)
    except InputError:
        raise
    except Exception as error:  # a foreign model's code raises anything
        raise InputError(
            f"{shown}: it cannot read a long text beside a short one ({type(error).__name__}: "
            f"{first_line(error)})"
        ) from error
    if not all(np.isfinite(each).all() for each in (alone, together, again)):
        raise InputError(
            f"{shown}: its rates are NaN or infinite: its weights are broken; take another"
        )
    if not np.array_equal(together, again):
        raise InputError(f"{shown}: it rates the same texts otherwise a second time; take another")
    if not np.allclose(alone, together[:2], rtol=1e-3, atol=1e-4):
        raise InputError(
            f"{shown}: it rates a text otherwise when a longer one is beside it; "
            "set padding_side in its tokenizer_config.json to the other side, or take a model of "
            "another kind: not every kind leaves out what pads"
        )
    if np.ptp(together, axis=0).max() == 0:
        raise InputError(f"{shown}: it rates all texts alike, so it says nothing; take another")


def trial_ids(tokenizer: "PreTrainedTokenizerBase", shown: str) -> list[int]:
    """Return different token ids, none of them special, from all over the vocabulary."""
    special = set(tokenizer.all_special_ids)
    ordinary = [number for number in range(len(tokenizer)) if number not in special]
    if len(ordinary) <= N_TOKENS:
        raise InputError(
            f"{shown}: its tokenizer has only {len(ordinary)} tokens, too few for any language; "
            "take another"
        )
    step = len(ordinary) // (N_TOKENS + 1)
    return ordinary[::step][: N_TOKENS + 1]


def scores_of(model: "PreTrainedModel", ids: list[int], written: list[int]) -> "torch.Tensor":
    """Return float32 scores [t, v] after each token of a text.

    A causal model reads `ids` and `written` on end; of an encoder-decoder only those after the
    decoder's start and `written` are returned.
    """
    import torch

    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            start = model.config.decoder_start_token_id
            decoded = torch.tensor([[start, *written]], device=model.device)
            inputs = torch.tensor([ids], device=model.device)
            return model(input_ids=inputs, decoder_input_ids=decoded).logits[0].float()
        inputs = torch.tensor([[*ids, *written]], device=model.device)
        return model(input_ids=inputs).logits[0].float()


def check_causal(model: "PreTrainedModel", ids: list[int]) -> None:
    """Raise InputError if changing the last token changes the scores before it."""
    inputs, written = (ids[:4], ids[4:]) if model.config.is_encoder_decoder else ([], ids)
    one = scores_of(model, inputs, written[:-1])
    other = scores_of(model, inputs, [*written[:-2], written[-1]])
    if not one.isfinite().all():
        raise InputError("the model's scores are NaN or infinite: its weights are broken")
    moved = (one[:-1] - other[:-1]).abs().max() / one.abs().max().clamp(min=1e-9)
    if moved > NOISE:
        raise InputError(
            f"a {type(model).__name__} whose scores depend on later tokens: it is no causal "
            "language model (a masked one, or a permuted one), and would be trained on what it is "
            "to predict; take one that writes from left to right"
        )


def trial_batch(model: "PreTrainedModel", ids: list[int]) -> dict:
    """Return a training batch of two rows of different lengths."""
    if model.config.is_encoder_decoder:
        pairs = [{"input_ids": ids[:n], "labels": ids[n:]} for n in (3, 5)]
        return collate_pairs(pairs, model.config.pad_token_id)
    return collate([{"input_ids": ids[:n], "n_prompt": 1} for n in (5, N_TOKENS)], ids[0])


def check_learns(model: "PreTrainedModel", ids: list[int]) -> None:
    """Raise InputError if the loss is not finite, or gives no gradient."""
    batch = {name: each.to(model.device) for name, each in trial_batch(model, ids).items()}
    model.train()
    loss = model(**batch).loss
    loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    if not loss.isfinite() or not all(each.isfinite().all() for each in gradients):
        raise InputError(f"its loss is {loss.item()}, or its gradient is not finite")
    if not any(each.any() for each in gradients):
        raise InputError("its loss has no gradient: it cannot be trained")


def check_generates(model: "PreTrainedModel", ids: list[int]) -> None:
    """Raise InputError if greedily generated tokens do not have the whole text's highest scores."""
    prompts, names = [ids[:5], ids[5:7]], ["long", "short"]
    if model.config.is_encoder_decoder:
        written, _ = generate_texts(model, prompts, names, GREEDY, batch_size=2)
    else:
        written, _ = generate(model, prompts, names, GREEDY, set(), batch_size=2)
    for prompt, tokens in zip(prompts, written, strict=True):
        scores = scores_of(model, prompt, tokens)
        before = 0 if model.config.is_encoder_decoder else len(prompt) - 1
        for place, token in enumerate(tokens):
            each = scores[before + place]
            if each.max() - each[token] > 10 * NOISE * each.abs().max():
                raise InputError(
                    f"a {type(model).__name__} that writes other tokens in a batch than alone: "
                    "its positions, its padding or its cache is not as other models have it; take "
                    "a model of another kind"
                )


def check_saved(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    load: Callable[[Path], "PreTrainedModel"],
    ids: list[int],
    scratch: Path,
) -> None:
    """Raise InputError if saving and loading changes the model or the tokenizer."""
    save_checked(model, tokenizer, scratch, [trial_batch(model, ids)], load)
    text = "One text, два слова.\nIn 2 lines"
    if load_tokenizer(scratch)(text)["input_ids"] != tokenizer(text)["input_ids"]:
        raise InputError("its tokenizer gives other tokens when it is saved and loaded again")
