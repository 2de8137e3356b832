"""Rank classification: which of the answer choices does a text-to-text model hold most likely?

The score of a choice is the sum of log p over its tokens and its end-of-text, not divided by their
number (Sanh et al. 2021, section 5.2; t5.evaluation's `rank_classification`). An input is encoded
once for all of its choices, and choices of several inputs, as many as each has, share a batch.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from genlab.models.positions import check_sides

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Normalisation(StrEnum):
    """How a choice's score is made of its tokens' log probabilities."""

    sum = "sum"
    mean = "mean"  # per token, as InstructGPT's (Ouyang et al. 2022, appendix D)


def choice_scores(
    model: "PreTrainedModel",
    inputs: Sequence[list[int]],
    choices: Sequence[list[list[int]]],
    batch_size: int,
    on_progress: Callable[[int], object] = lambda n_done: None,
) -> list[np.ndarray]:
    """Return for each input float64 [choices, 2]: the sum of log p (nats), and how many tokens.

    choices: of each input one or more lists of ids that end in the end-of-text. Inputs are read
    `batch_size` at a time, those of similar length together; every different input is encoded once.
    Raises InputError for one that is longer than the model's positions.
    """
    longest = max((len(choice) for each in choices for choice in each), default=0)
    check_sides(model, max(map(len, inputs), default=0), longest)
    scores: list[np.ndarray] = [np.zeros(0)] * len(inputs)
    order = sorted(range(len(inputs)), key=lambda i: (len(inputs[i]), inputs[i]))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        found = score_batch(model, [inputs[i] for i in batch], [choices[i] for i in batch])
        for i, each in zip(batch, found, strict=True):
            scores[i] = each
        on_progress(len(batch))
    return scores


def score_batch(
    model: "PreTrainedModel", inputs: Sequence[list[int]], choices: Sequence[list[list[int]]]
) -> list[np.ndarray]:
    """Return `choice_scores` of one batch: one run of the encoder, one of the decoder."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    from genlab.models.batches import pad_right

    settings, device = model.config, model.device
    unique, places = unique_rows(inputs)
    flat = [choice for each in choices for choice in each]
    owners = [place for place, each in zip(places, choices, strict=True) for _ in each]
    with torch.inference_mode():
        ids, mask = pad_right(unique, settings.pad_token_id, device)
        states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        labels, label_mask = pad_right(flat, settings.pad_token_id, device)
        start = torch.full_like(labels[:, :1], settings.decoder_start_token_id)
        logits = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states[owners]),
            attention_mask=mask[owners],
            decoder_input_ids=torch.cat((start, labels[:, :-1]), 1),
            use_cache=False,
        ).logits.float()
        picked = logits.log_softmax(-1).gather(2, labels[:, :, None])[:, :, 0].double()
        sums = (picked * label_mask).sum(1).cpu().numpy()
    lengths = label_mask.sum(1).cpu().numpy()
    ends = np.cumsum([len(each) for each in choices])[:-1]
    return np.split(np.stack([sums, lengths], 1), ends)


def unique_rows(rows: Sequence[list[int]]) -> tuple[list[list[int]], list[int]]:
    """Return the different rows in order of appearance, and each row's place among them."""
    numbers: dict[tuple[int, ...], int] = {}
    places = [numbers.setdefault(tuple(row), len(numbers)) for row in rows]
    return [list(row) for row in numbers], places


def normalise(scores: np.ndarray, normalisation: Normalisation) -> np.ndarray:
    """Return float64 [choices] of `choice_scores`' sums and token counts [choices, 2]."""
    return scores[:, 0] / scores[:, 1] if normalisation is Normalisation.mean else scores[:, 0]


def predict(scores: np.ndarray, normalisation: Normalisation = Normalisation.sum) -> int:
    """Return the choice with the highest score; of equal ones the first."""
    return int(np.argmax(normalise(scores, normalisation)))
