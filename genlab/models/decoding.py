"""Batched generation whose text for a query depends on that query alone.

Every query has its own stream of random numbers, one number per new token, so its text does not
depend on batch size, order, or number of processes. A token depends only on the tokens before it,
so the first 50 of 300 tokens ARE the generation of length 50. For the same reason a text that is
generated past its end-of-text (ignore_eos) is, up to there, the text that stops. Neither holds for
beam search. And in bfloat16 the batch does matter: its coarser rounding can turn a difference
between batches into another token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated

import numpy as np
from typer import BadParameter, Option

from genlab.core.processes import map_shared
from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.models.positions import usable_positions

if TYPE_CHECKING:
    import torch
    from transformers import (
        LogitsProcessorList,
        PreTrainedModel,
    )
    from transformers.modeling_outputs import CausalLMOutput, Seq2SeqLMOutput


# Scores divided by less overflow, or lie so far apart that the best token alone is left.
LEAST_TEMPERATURE = 0.001
SHOWN = 40  # characters of a name in a message
FEW = 1_000  # tokens that top_k and top_p have left, up to which they are sorted out first


def check_temperature(value: float) -> float:
    """Return an option's value; raise BadParameter if it is neither 0 nor large enough."""
    if 0 < value < LEAST_TEMPERATURE:
        raise BadParameter(f"must be 0 (greedy), or at least {LEAST_TEMPERATURE}")
    return value


@dataclass(frozen=True)
class Decoding:
    """How to turn next-token scores into tokens; the fields are params of `gen`."""

    cap: Annotated[int, Option(min=1, help="most new tokens")]
    temperature: Annotated[
        float, Option(min=0.0, callback=check_temperature, help="0: greedy; else at least 0.001")
    ]
    top_k: Annotated[int, Option(min=0, help="0: all tokens")]
    top_p: Annotated[float, Option(min=0.01, max=1.0, help="1: all tokens")]
    num_beams: Annotated[int, Option(min=1)]
    repetition_penalty: Annotated[float, Option(min=0.01, help="1: none")]
    seed: Annotated[int, Option(min=0)]
    ignore_eos: bool = False  # an end-of-text is a token like any other, up to `cap`


def generate(
    model: "PreTrainedModel",
    prompts: list[list[int]],
    item_ids: list[str],
    decoding: Decoding,
    ends: set[int],
    batch_size: int,
    on_progress: Callable[[int], object] = lambda n_done: None,
    samples: Sequence[int] | None = None,
    types: list[list[int]] | None = None,
    cap_key: str | None = None,
) -> tuple[list[list[int]], list[bool]]:
    """Return each prompt's new tokens and whether an end-of-text was reached within the cap.

    samples: which text of its item each prompt is to get, from 0; by default each item has one.
    types: token types of the prompts; a new token has the type of its prompt's last.
    cap_key: as `check_positions`.

    The end-of-text is left out; with ignore_eos, where it is not the last token, it stays.
    Prompts are taken in order of length, so that batches hold little padding.
    Beams are searched, not sampled: with num_beams > 1 temperature, top_k and top_p are not used.
    Raises InputError if a prompt and `cap` new tokens exceed the model's positions.
    """
    check_positions(model, prompts, item_ids, decoding, cap_key)
    decode: Callable[..., list[list[int]]]
    decode = beam_search if decoding.num_beams > 1 else decode_batch
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    tokens: list[list[int]] = [[]] * len(prompts)
    finished = [False] * len(prompts)
    stops = set() if decoding.ignore_eos else ends
    which = [0] * len(prompts) if samples is None else samples
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def decode_items(batch: list[int]) -> list[list[int]]:
        streams = np.stack(
            [random_stream(decoding.seed, item_ids[i], decoding.cap, which[i]) for i in batch]
        )
        of_rows = None if types is None else [types[i] for i in batch]
        return decode(model, [prompts[i] for i in batch], streams, decoding, stops, of_rows)

    decoded = map_shared(decode_items, batches, lambda batch: on_progress(len(batch)))
    for batch, new in zip(batches, decoded, strict=True):
        for i, row in zip(batch, new, strict=True):
            end = next((k for k, token in enumerate(row) if token in ends), None)
            tokens[i], finished[i] = row[:end] if stops else row, end is not None
    return tokens, finished


def decode_batch(
    model: "PreTrainedModel",
    prompts: list[list[int]],
    streams: np.ndarray,
    decoding: Decoding,
    ends: set[int],
    types: list[list[int]] | None = None,
    on_step: Callable[[list[int], list[int]], object] | None = None,
) -> list[list[int]]:
    """Return new tokens of one batch, greedy or sampled; a row stops at the first of `ends`.

    types: as in `generate`. on_step(rows, tokens) is called at every step with the rows that go on
    and their new tokens. streams: float64 [b, cap]. Rows that have ended leave the batch, so a few
    long texts cost little. Left padding with a mask and explicit positions gives every row the
    scores it would get alone.
    """
    import torch

    from genlab.models.key_cache import give_room

    processors = score_processors(decoding)
    with torch.inference_mode():
        ids, mask = pad_left(prompts, model.device)
        end_ids = torch.tensor(sorted(ends), dtype=torch.long, device=model.device)
        uniforms = torch.from_numpy(streams).to(model.device)
        new = torch.full(streams.shape, -1, device=model.device)
        rows = torch.arange(len(prompts), device=model.device)  # which prompt a batch row is of
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache, step, accepted = None, ids, accepted_options(model)
        kinds = pad_left(types or prompts, model.device)[0]
        for t in range(decoding.cap):
            options = {"position_ids": positions, "past_key_values": cache}
            options |= {"use_cache": True, "logits_to_keep": 1}
            given = {name: options[name] for name in accepted}
            given |= {"token_type_ids": kinds[:, -step.shape[1] :]} if types else {}
            output = model(input_ids=step, attention_mask=mask, **given)
            if "past_key_values" in accepted:
                cache = give_room(output.past_key_values)
            token = pick(
                processors(ids, last_scores(model, output)),
                uniforms[rows, t] if decoding.temperature else None,
            )
            new[rows, t] = token
            alive = ~torch.isin(token, end_ids)
            if on_step is not None:
                on_step(rows[alive].tolist(), token[alive].tolist())
            if not alive.any():
                break
            ids = torch.cat((ids, token[:, None]), 1)
            mask = torch.nn.functional.pad(mask, (0, 1), value=1)
            if not alive.all():
                kept = alive.nonzero()[:, 0]
                if cache is not None:
                    cache.batch_select_indices(kept)
                ids, mask, token, rows = ids[kept], mask[kept], token[kept], rows[kept]
                kinds = kinds[kept]
            kinds = torch.cat((kinds, kinds[:, -1:]), 1)
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            step = ids
            if cache is not None:
                step, positions = token[:, None], positions[:, -1:]
    return [[token for token in row if token >= 0] for row in new.tolist()]


def last_scores(
    model: "PreTrainedModel", output: "CausalLMOutput | Seq2SeqLMOutput"
) -> "torch.Tensor":
    """Return the scores of the next token, float32 [b, v]; raise InputError for NaN among them."""
    if output.logits.isnan().any():
        raise InputError(
            f"{model.name_or_path}: the model's scores are NaN, its weights are broken; "
            "train it again with a lower learning rate"
        )
    return output.logits[:, -1].float()


def accepted_options(model: "PreTrainedModel") -> set[str]:
    """Return the step options that a model's forward accepts; with **kwargs, all of them.

    Some models take no positions or have no key-value cache (GPT-1): without a cache the whole text
    is read again for every token.
    """
    options = {"position_ids", "past_key_values", "use_cache", "logits_to_keep"}
    parameters = signature(getattr(model, "forward", model)).parameters.values()
    handed_on = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    named = {each.name for each in parameters if each.kind not in handed_on}
    return options & named if named else options


def beam_search(
    model: "PreTrainedModel",
    prompts: list[list[int]],
    streams: np.ndarray,
    decoding: Decoding,
    ends: set[int],
    types: list[list[int]] | None = None,
) -> list[list[int]]:
    """Return new tokens of one batch by deterministic beam search (transformers' own)."""
    from transformers import GenerationConfig

    ids, mask = pad_left(prompts, model.device)
    # transformers fills what is not given from the model's own settings (a length penalty, words
    # that may not be repeated): the params of `gen` are to be all there is.
    settings, model.generation_config = model.generation_config, GenerationConfig()
    given = {} if types is None else {"token_type_ids": pad_left(types, model.device)[0]}
    try:
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            **given,
            max_new_tokens=decoding.cap,
            do_sample=False,
            num_beams=decoding.num_beams,
            repetition_penalty=decoding.repetition_penalty,
            eos_token_id=sorted(ends) or None,
            pad_token_id=min(ends, default=0),  # no ends: no row is ever padded
        )
    finally:
        model.generation_config = settings
    return output[:, ids.shape[1] :].tolist()


def score_processors(decoding: Decoding) -> "LogitsProcessorList":
    """Return transformers' processors in its own order; greedy decoding needs the penalty alone."""
    from transformers.generation import logits_process as library

    fewest = 1 if decoding.num_beams == 1 else 2  # as there: an end-of-text leaves another token

    processors = library.LogitsProcessorList()
    if decoding.repetition_penalty != 1.0:
        processors.append(library.RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.temperature not in (0.0, 1.0):
        processors.append(library.TemperatureLogitsWarper(decoding.temperature))
    if decoding.temperature and decoding.top_k > 0:
        processors.append(library.TopKLogitsWarper(decoding.top_k, min_tokens_to_keep=fewest))
    if decoding.temperature and decoding.top_p < 1.0:
        processors.append(library.TopPLogitsWarper(decoding.top_p, min_tokens_to_keep=fewest))
    return processors


def pick(scores: "torch.Tensor", uniforms: "torch.Tensor | None") -> "torch.Tensor":
    """Return a token id per row [b] from scores [b, v]: the best, or one drawn by `uniforms` [b].

    Drawn by inverting the cumulative distribution, which needs one number per token. In float64:
    the sum over 50,000 tokens must not lose the small ones. Where top_k or top_p have left few
    tokens, only these are summed, in their order: the others add nothing.
    """
    if uniforms is None:
        return scores.argmax(1)
    most = int((scores > float("-inf")).sum(1).max())
    if most > FEW:
        return invert(scores, uniforms)
    tokens = scores.topk(most).indices.sort(1).values
    return tokens.gather(1, invert(scores.gather(1, tokens), uniforms)[:, None])[:, 0]


def invert(scores: "torch.Tensor", uniforms: "torch.Tensor") -> "torch.Tensor":
    """Return the column [b] where the cumulative distribution of scores [b, k] passes a number."""
    cumulative = scores.double().softmax(1).cumsum(1)
    return (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(1)


def pad_left(prompts: list[list[int]], device: "torch.device") -> tuple:
    """Return input ids and attention mask [b, t]. A row is padded with its own first token.

    Padding is masked out of attention; its id still reaches the repetition penalty, where a token
    of the prompt itself changes nothing but an end-of-text would.
    """
    import torch

    longest = max(map(len, prompts))
    ids = [[prompt[0]] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def check_samples(n_samples: int, temperature: float, num_beams: int) -> None:
    """Raise InputError if several texts of one prompt would all be the same."""
    if n_samples > 1 and (num_beams > 1 or not temperature):
        greedy = f"gen.num_beams={num_beams}" if num_beams > 1 else "gen.temperature=0"
        raise InputError(
            f"gen.n_samples={n_samples} with {greedy}: nothing is drawn, so all {n_samples} texts "
            "of a prompt would be the same; set gen.n_samples=1, or sample (gen.num_beams=1 and "
            "gen.temperature above 0)"
        )


def check_positions(
    model: "PreTrainedModel",
    prompts: list[list[int]],
    item_ids: list[str],
    decoding: Decoding,
    cap_key: str | None = None,
) -> None:
    """Raise InputError if the longest prompt with `cap` new tokens is too long for the model.

    cap_key: the params key of `cap`, for the message; default: gen.cap, or with ignore_eos
    forced.cap.
    """
    cap = cap_key or ("forced.cap" if decoding.ignore_eos else "gen.cap")
    n_positions = usable_positions(model)
    longest = max(range(len(prompts)), key=lambda i: len(prompts[i]))
    if n_positions and len(prompts[longest]) + decoding.cap > n_positions:
        name = item_ids[longest]
        short = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
        raise InputError(
            f"prompt {short}: its {len(prompts[longest])} tokens and {cap}={decoding.cap} new ones "
            f"exceed the model's {n_positions} positions; lower {cap}, or give shorter prompts"
        )
