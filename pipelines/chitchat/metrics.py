"""What is measured of replies: overlap with the true one, echoes, generic replies, diversity.

BLEU and chrF are sacrebleu's. ROUGE is rouge_score's with a tokenizer of ours: its own keeps ASCII
letters and digits alone, so that every Russian text scores 0.
"""

import math
from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from genlab.text.measures import distinct_n_of_sample
from genlab.text.normal_form import normalize_key, words
from pipelines.chitchat.echo import is_echo
from pipelines.chitchat.schemas import SCORE_SCHEMA

REAL = "real"  # the true replies, as an arm


class WordTokenizer:
    """The words of a text of any script, in lower case, as rouge_score wants a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """Return the text's words."""
        return words(text)


def overlaps(texts: list[str], references: list[str]) -> dict[str, list[float]]:
    """Return BLEU and chrF (0 to 100) and ROUGE-1 and ROUGE-L F-measures (0 to 1) of every text.

    BLEU of one sentence is smoothed by sacrebleu's default (exp), or most would be 0.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    bleu, chrf = BLEU(effective_order=True), CHRF()
    rouge = RougeScorer(["rouge1", "rougeL"], tokenizer=WordTokenizer())
    found: dict[str, list[float]] = {"bleu": [], "chrf": [], "rouge_1": [], "rouge_l": []}
    for text, reference in zip(texts, references, strict=True):
        found["bleu"].append(bleu.sentence_score(text, [reference]).score)
        found["chrf"].append(chrf.sentence_score(text, [reference]).score)
        scores = rouge.score(reference, text)
        found["rouge_1"].append(float(scores["rouge1"].fmeasure))
        found["rouge_l"].append(float(scores["rougeL"].fmeasure))
    return found


def generic_share(texts: list[str], n_generic: int) -> list[float]:
    """Return for every text whether it is one of the `n_generic` most frequent of the texts.

    Compared in normalized form. Ties at the last place are broken by the alphabet.
    """
    keys = [normalize_key(text) for text in texts]
    ranked = sorted(Counter(keys).items(), key=lambda pair: (-pair[1], pair[0]))
    frequent = {key for key, _ in ranked[:n_generic]}
    return [float(key in frequent) for key in keys]


def measure_texts(
    generated: pl.DataFrame, echo_threshold: float, n_generic: int
) -> dict[str, pl.DataFrame]:
    """Return arm -> its replies with their measures; the arm `real` is the true replies.

    generated: GENERATE_SCHEMA with texts that are cut to their length.
    """
    first = generated["arm"][0]
    real = generated.filter(pl.col("arm") == first).with_columns(
        arm=pl.lit(REAL), text=pl.col("reference")
    )
    measured = {}
    for (arm,), rows in pl.concat([generated, real]).group_by("arm", maintain_order=True):
        texts = rows["text"].to_list()
        scores = overlaps(texts, rows["reference"].to_list())
        measured[str(arm)] = rows.select("reply_id", "dialogue_id", "text").with_columns(
            *(pl.Series(name, values) for name, values in scores.items()),
            echo=is_echo(rows["input"], rows["text"], echo_threshold).cast(pl.Float64),
            generic=pl.Series(generic_share(texts, n_generic)),
            n_words=pl.Series([float(len(words(text))) for text in texts]),
        )
    return measured


def join_rows(
    read: pl.DataFrame, measured: dict[str, pl.DataFrame], overfitting: dict[str, float]
) -> pl.DataFrame:
    """Return SCORE_SCHEMA rows of all arms and histories.

    An arm's generated replies are in its rows with true history. The arm `real` has the true
    replies and no likelihoods.
    """
    shares = read.with_columns(
        nats_share=pl.col("nats") / pl.col("n_tokens").mean().over("arm", "history"),
        bits_share=pl.col("nats") / math.log(2) / pl.col("n_bytes").mean().over("arm", "history"),
    )
    frames = []
    for (arm, history), rows in shares.group_by("arm", "history", maintain_order=True):
        said = measured[str(arm)] if history == "true" else measured[str(arm)].clear()
        joined = rows.join(
            said.drop("dialogue_id"), on="reply_id", how="left", maintain_order="left"
        )
        frames.append(
            joined.with_columns(overfitting_epoch=pl.lit(overfitting.get(str(arm)), pl.Float64))
        )
    real = measured[REAL].with_columns(arm=pl.lit(REAL), history=pl.lit("true"))
    numbers = frames[0].select("reply_id", "n_history")
    frames.append(real.join(numbers, on="reply_id", how="left", maintain_order="left"))
    table = pl.concat(frames, how="diagonal_relaxed")
    return table.select(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items())


def corpus_bleu(texts: list[str], references: list[str]) -> float:
    """Return sacrebleu's BLEU of all texts together, 0 to 100."""
    from sacrebleu.metrics import BLEU

    return float(BLEU().corpus_score(texts, [references]).score)


def distinct_numbers(
    texts: list[str], n_sample: int, dialogues: pl.Series
) -> dict[str, dict[str, float]]:
    """Return distinct-1 and distinct-2 at `n_sample` n-grams, with ends; {} with too few.

    dialogues: of each text. Replies of one share its words, so the ends leave out whole dialogues.
    """
    clusters = cluster_numbers(dialogues)
    tokens: list[Any] = [words(text) for text in texts]
    found = {}
    for n in (1, 2):
        if ends := distinct_n_of_sample(tokens, n, n_sample, clusters=clusters):
            found[f"distinct_{n}"] = dict(zip(("value", "low", "high"), ends, strict=True))
    return found


def cluster_numbers(names: pl.Series) -> np.ndarray:
    """Return the number of each row's dialogue, int[n]."""
    return names.rank("dense").to_numpy().astype(np.int64) - 1
