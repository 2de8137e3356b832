"""Batched generation by encoder-decoder models; a text depends on its input alone.

As in genlab.models.decoding every item has its own stream of random numbers, so that batch size and
order do not matter. Here beams can be sampled, too: transformers' beam sampling draws from one
stream for the whole batch, so that a text would change with its neighbours.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.seeds import random_stream
from genlab.models.batches import pad_right
from genlab.models.decoding import Decoding, last_scores, score_processors
from genlab.models.positions import check_sides

if TYPE_CHECKING:
    import torch
    from transformers import EncoderDecoderCache, PreTrainedModel

DRAWS = 2  # candidates a beam and step: some may end their text, and as many beams go on


@dataclass
class Hypotheses:
    """The finished texts of one item, the best `num_beams` of them: (score per token, tokens)."""

    num_beams: int
    kept: list[tuple[float, list[int], bool]] = field(default_factory=list)

    def add(self, score: float, tokens: list[int], ended: bool) -> None:
        """Keep a text, if it is among the best; of equal ones the earlier."""
        self.kept.append((score / max(len(tokens), 1), tokens, ended))
        self.kept = sorted(self.kept, key=lambda each: -each[0])[: self.num_beams]

    def are_final(self, best_running: float, length: int) -> bool:
        """Return whether no unfinished text can get in, if scores per token stay as they are."""
        full = len(self.kept) == self.num_beams
        return best_running == -math.inf or (full and self.kept[-1][0] >= best_running / length)


def generate_texts(
    model: "PreTrainedModel",
    inputs: list[list[int]],
    item_ids: list[str],
    decoding: Decoding,
    batch_size: int,
    on_progress: Callable[[int], object] = lambda n_done: None,
) -> tuple[list[list[int]], list[bool]]:
    """Return each input's new tokens, without the end-of-text, and whether they ended by the cap.

    With num_beams > 1 beams are searched (temperature 0) or sampled: at every step 2 x num_beams
    candidates are drawn without replacement from the beams' scores so far, and the best go on; the
    text with the highest mean score per token is taken (length penalty 1, transformers' default).
    Raises InputError for an input or a cap beyond the model's positions.
    """
    check_sides(model, max(map(len, inputs), default=0), decoding.cap)
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    tokens: list[list[int]] = [[]] * len(inputs)
    finished = [False] * len(inputs)
    n_draws = decoding.cap * n_candidates(decoding.num_beams)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        streams = np.stack([random_stream(decoding.seed, item_ids[i], n_draws) for i in batch])
        found = decode_batch(model, [inputs[i] for i in batch], streams, decoding)
        for i, (_, row, ended) in zip(batch, found, strict=True):
            tokens[i], finished[i] = row[:-1] if ended else row, ended
        on_progress(len(batch))
    return tokens, finished


def n_candidates(num_beams: int) -> int:
    """Return how many candidates an item has at a step.

    A single beam has one: the better of two draws would not be a draw from the model's
    distribution.
    """
    return DRAWS * num_beams if num_beams > 1 else 1


def decode_batch(
    model: "PreTrainedModel", inputs: list[list[int]], streams: np.ndarray, decoding: Decoding
) -> list[tuple[float, list[int], bool]]:
    """Return each input's best text: score per token, token ids, whether it ended.

    streams: float64 [b, cap x candidates]. Items that are done leave the batch.
    """
    import torch

    k = decoding.num_beams
    settings, device = model.config, model.device
    processors = score_processors(decoding)
    uniforms = torch.from_numpy(streams).to(device).view(len(inputs), decoding.cap, -1)
    best = [Hypotheses(k) for _ in inputs]
    with torch.inference_mode():
        ids, mask = pad_right(inputs, settings.pad_token_id, device)
        states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        states, mask = states.repeat_interleave(k, 0), mask.repeat_interleave(k, 0)
        items = torch.arange(len(inputs), device=device)  # which input a row of beams is of
        # At first all beams are the same; only the first may have successors.
        scores = torch.full((len(inputs), k), -torch.inf, device=device, dtype=torch.float64)
        scores[:, 0] = 0.0
        written = torch.full((len(inputs) * k, 1), settings.decoder_start_token_id, device=device)
        cache = None
        for t in range(decoding.cap):
            logits, cache = next_logits(model, states, mask, written[:, -1:], cache)
            # As transformers: beams add up log probabilities, and the penalty acts on these.
            following = processors(written, logits.log_softmax(-1) if k > 1 else logits).double()
            n_tokens = following.shape[1]
            total = (following.view(len(items), k, -1) + scores[:, :, None]).flatten(1)
            draws = uniforms[items, t] if decoding.temperature else None
            candidates, values = draw_candidates(total, n_candidates(k), draws)
            parents, token = candidates // n_tokens, candidates % n_tokens
            ends = token == settings.eos_token_id
            keep_finished(best, items, written.view(len(items), k, -1), parents, values, ends)

            # The first k that do not end: sorted by score, and among 2k candidates at most k end.
            going = ends.to(torch.int8).argsort(dim=1, stable=True)[:, :k]
            scores = values.masked_fill(ends, -torch.inf).gather(1, going)
            rows = parents.gather(1, going) + torch.arange(len(items), device=device)[:, None] * k
            written = torch.cat((written[rows.flatten()], token.gather(1, going).view(-1, 1)), 1)
            done = torch.tensor(
                [
                    best[item].are_final(score, t + 1)
                    for item, score in zip(items.tolist(), scores[:, 0].tolist(), strict=True)
                ],
                device=device,
            )
            if done.all():
                items = items[:0]
                break
            kept = (~done).nonzero()[:, 0]
            rows = rows[kept].flatten()
            cache.batch_select_indices(rows)
            states, mask = states[rows], mask[rows]
            of_items = (kept[:, None] * k + torch.arange(k, device=device)).flatten()
            written, scores, items = written[of_items], scores[kept], items[kept]
        keep_unfinished(best, items, written, scores)
    return [each.kept[0] for each in best]


def next_logits(
    model: "PreTrainedModel",
    states: "torch.Tensor",
    mask: "torch.Tensor",
    last: "torch.Tensor",
    cache: "EncoderDecoderCache | None",
) -> tuple["torch.Tensor", "EncoderDecoderCache"]:
    """Return float32 logits [b k, v] after the `last` tokens [b k, 1], and the cache with these.

    states, mask: the encoder's, a row per beam. Raises InputError for NaN.
    """
    from transformers.modeling_outputs import BaseModelOutput

    output = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=states),
        attention_mask=mask,
        decoder_input_ids=last,
        past_key_values=cache,
        use_cache=True,
    )
    return last_scores(model, output), output.past_key_values


def draw_candidates(
    total: "torch.Tensor", n: int, uniforms: "torch.Tensor | None"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return indices and scores [b, n] of candidates, best first, of scores `total` [b, k v].

    Without `uniforms` [b, n] the n best; else n draws without replacement, each from the softmax of
    what is left, by inverting its cumulative distribution. Where fewer than n are possible the
    others have the score -inf.
    """
    import torch

    # Few of k v are possible after top_k: the rest need not be summed at every draw.
    possible = int((total > -torch.inf).sum(1).max())
    values, places = total.topk(max(n, possible) if uniforms is not None else n, dim=1)
    if uniforms is None:
        return places, values
    weights = (values - values[:, :1]).exp()
    drawn = []
    for i in range(n):
        cumulative = weights.cumsum(1)
        pick = (cumulative <= uniforms[:, i : i + 1] * cumulative[:, -1:]).sum(1, keepdim=True)
        pick = pick.clamp(max=weights.shape[1] - 1)
        drawn.append(pick.masked_fill(weights.gather(1, pick) == 0, -1))
        weights = weights.scatter(1, pick, 0.0)
    chosen = torch.cat(drawn, 1)
    scores = values.gather(1, chosen.clamp(min=0)).masked_fill(chosen < 0, -torch.inf)
    order = scores.argsort(dim=1, descending=True, stable=True)
    return places.gather(1, chosen.clamp(min=0)).gather(1, order), scores.gather(1, order)


def keep_finished(
    best: list[Hypotheses],
    items: "torch.Tensor",
    written: "torch.Tensor",
    parents: "torch.Tensor",
    values: "torch.Tensor",
    ends: "torch.Tensor",
) -> None:
    """Keep the candidates that end a text, if they are among the first num_beams of their item.

    written: [b, k, 1 + t], of the beams; parents, values, ends: [b, 2 k], of the candidates.
    """
    k = written.shape[1]
    for row, rank in (ends[:, :k] & (values[:, :k] > -float("inf"))).nonzero().tolist():
        tokens = written[row, parents[row, rank], 1:].tolist()
        # The end-of-text counts as a token of the text, and is left out by the caller.
        best[int(items[row])].add(float(values[row, rank]), [*tokens, -1], ended=True)


def keep_unfinished(
    best: list[Hypotheses], items: "torch.Tensor", written: "torch.Tensor", scores: "torch.Tensor"
) -> None:
    """Keep the beams of `items` that have reached the cap: written [b k, 1 + t], scores [b, k].

    No item is left if all were done before it.
    """
    k = scores.shape[1]
    for row, beam in (scores[: len(items)] > -math.inf).nonzero().tolist():
        tokens = written[row * k + beam, 1:].tolist()
        best[int(items[row])].add(float(scores[row, beam]), tokens, ended=False)
