"""How likely an arm's model finds the true replies: with their history, another's, or none."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.progress import progress
from genlab.models.batches import IGNORED
from pipelines.chitchat.chat_inputs import Layout, Special, build_row, collate_rows
from pipelines.chitchat.schemas import HISTORIES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Scores held at a time: 2**26 float32 are 0.25 GB. A vocabulary of 50,000 gets smaller batches.
SCORES_AT_A_TIME = 2**26


def with_history(rows: pl.DataFrame, history: str) -> pl.DataFrame:
    """Return rows whose history is their own (true), of another dialogue (shuffled), or none.

    Shuffled: every reply gets the history of a reply in another dialogue with as many turns of
    history, so that length and the speakers' order are the same. If no other dialogue has one of
    this length, the reply keeps its own.
    """
    if history == "true":
        return rows
    if history == "none":
        return rows.with_columns(history=pl.lit([], dtype=rows.schema["history"]))
    n_turns = rows["history"].list.len().to_numpy()
    names = rows["dialogue_id"].to_list()
    other = np.arange(rows.height)
    for length in np.unique(n_turns):
        places = np.flatnonzero(n_turns == length)
        for at, place in enumerate(places):
            # Half way round: neighbours in the file may be about the same.
            for step in range(len(places) // 2, len(places) // 2 + len(places)):
                candidate = places[(at + step) % len(places)]
                if names[candidate] != names[place]:
                    other[place] = candidate
                    break
    return rows.with_columns(history=rows["history"].gather(other))


def histories_of(layout: Layout) -> tuple[str, ...]:
    """Return the kinds of history an arm is read with: only one if the arm reads no history."""
    return HISTORIES if layout.history_turns else HISTORIES[:1]


def reply_losses(
    model: "PreTrainedModel",
    rows: pl.DataFrame,
    layout: Layout,
    special: Special,
    batch_size: int,
    what: str,
) -> list[np.ndarray]:
    """Return for every row float64 [its reply and end]: -log p of each token, in nats.

    rows have history, input and reply as token ids. What a row gets does not depend on the others.
    """
    import torch

    built = [
        build_row(layout, special, *row)
        for row in rows.select("history", "input", "reply").iter_rows()
    ]
    losses: list[np.ndarray] = [np.zeros(0)] * len(built)
    # Longest first: what does not fit into memory fails at once.
    order = sorted(range(len(built)), key=lambda i: -len(built[i]["input_ids"]))
    start = 0
    with torch.inference_mode(), progress(what, len(built), "replies") as update:
        while start < len(order):
            longest = len(built[order[start]]["input_ids"])
            n = max(1, min(batch_size, SCORES_AT_A_TIME // (longest * model.config.vocab_size)))
            batch = order[start : start + n]
            inputs = collate_rows([built[i] for i in batch], layout, special)
            labels = inputs.pop("labels")[:, 1:].to(model.device)
            inputs = {name: values.to(model.device) for name, values in inputs.items()}
            scores = model(**inputs).logits[:, :-1].float()
            each = torch.nn.functional.cross_entropy(
                scores.transpose(1, 2), labels, reduction="none", ignore_index=IGNORED
            )
            is_learnt = labels != IGNORED
            for i, values, counted in zip(batch, each.double(), is_learnt, strict=True):
                losses[i] = values[counted].cpu().numpy()
            start += len(batch)
            update(len(batch))
    return losses


def read_replies(
    model: "PreTrainedModel",
    rows: pl.DataFrame,
    layout: Layout,
    special: Special,
    batch_size: int,
    count_end: bool,
    arm: str,
) -> pl.DataFrame:
    """Return READ_SCHEMA rows of an arm, for every history it can be read with.

    count_end: the end of the reply is one of its tokens.
    """
    frames = []
    for history in histories_of(layout):
        losses = reply_losses(
            model,
            with_history(rows, history),
            layout,
            special,
            batch_size,
            f"reading, {arm}, {history} history",
        )
        kept = losses if count_end else [row[:-1] for row in losses]
        frames.append(
            rows.select(
                "reply_id",
                "dialogue_id",
                arm=pl.lit(arm),
                history=pl.lit(history),
                n_history=pl.col("history").list.len().cast(pl.Int64),
                nats=pl.Series([float(row.sum()) for row in kept]),
                n_tokens=pl.Series([len(row) for row in kept], dtype=pl.Int64),
                n_bytes=pl.col("n_bytes").cast(pl.Int64),
            )
        )
    return pl.concat(frames)
