"""The answers of every model as rows of GENERATED_SCHEMA, with what stands beside each.

That is the exact KL from the start of RL, and the loss on a plain text.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.progress import tracked
from genlab.models.decoding import Decoding
from genlab.preference.divergence import token_divergences
from pipelines.rlhf.answers import full_answers, write_answers
from pipelines.rlhf.arms import Model
from pipelines.rlhf.mini_world import World
from pipelines.rlhf.schemas import GENERATED_SCHEMA

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CAP = "gen.cap"


def answers_of_models(
    models: list[Model],
    start: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    asked: pl.DataFrame,
    plain: list[str],
    decoding: Decoding,
    batch_size: int,
    rules: World | None,
) -> Iterator[pl.DataFrame]:
    """Yield for each model one answer to each prompt, from the same streams of random numbers.

    start: where RL begins, which KL is measured from. asked: of PROMPT_SCHEMA. plain: validation
    texts, for the language-model loss. The scores of two models are held for KL, so it reads an
    eighth of a batch at a time.
    """
    from genlab.models.likelihood import text_losses
    from genlab.models.loading import load_for_inference

    for each in tracked(models, "generating", "models", len(models)):
        _, model = load_for_inference(each.folder)
        rows = write_answers(model, tokenizer, asked, 1, decoding, batch_size, rules, CAP)
        of_texts = text_losses(model, tokenizer, plain, batch_size)
        kl = divergence(model, start, rows, tokenizer.eos_token_id, max(1, batch_size // 8))
        yield rows.with_columns(
            arm=pl.lit(each.arm),
            seed=pl.lit(each.seed),
            step=pl.lit(each.step, pl.Int32),
            purpose=asked["purpose"],
            kl=pl.Series(kl),
            language_loss=beside_prompts(asked["purpose"], of_texts),
        ).select(GENERATED_SCHEMA.names())


def beside_prompts(purposes: pl.Series, losses: list[np.ndarray]) -> pl.Series:
    """Return for the i-th held-out prompt the mean loss of the i-th text; null where there is none.

    The two have nothing to do with each other; a claim's units are prompts, and so each brings one
    text along.
    """
    of_texts = iter(losses)
    found = []
    for purpose in purposes:
        each = next(of_texts, None) if purpose == "held_out" else None
        found.append(None if each is None or not len(each) else float(each.mean()))
    return pl.Series(found, dtype=pl.Float64)


def divergence(
    model: "PreTrainedModel",
    start: "PreTrainedModel",
    rows: pl.DataFrame,
    end: int,
    batch_size: int,
) -> np.ndarray:
    """Return [n]: KL(model || start) of each answer, summed over its tokens, in nats."""
    asked = rows["prompt_tokens"].to_list()
    read = [[*a, *b] for a, b in zip(asked, full_answers(rows, end), strict=True)]
    of_tokens, _ = token_divergences(model, start, read, list(map(len, asked)), batch_size)
    return np.array([float(each.astype(np.float64).sum()) for each in of_tokens])
