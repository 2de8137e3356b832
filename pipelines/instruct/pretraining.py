"""The small T5 of the mini world, pretrained here on the cleaned crawl."""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.mini.t5 import N_SENTINELS, Sizes, new_model, sentinel, train_tokenizer
from genlab.models.loading import load_text_to_text_model
from genlab.models.trial import save_tried
from genlab.sources import model_folders
from genlab.sources.source import Origin, Source
from pipelines.instruct.prompt_templates import read_templates
from pipelines.instruct.span_corruption import Corruption, Objective, count_noise, make_pair

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, T5ForConditionalGeneration


@dataclass(frozen=True)
class Pretraining:
    """What is asked of the pages."""

    objective: Annotated[Objective, Option(help="mini: what a page is turned into")]
    noise_density: Annotated[float, Option(min=0.01, max=0.9, help="share of tokens hidden")]
    mean_span: Annotated[float, Option(min=1.0, help="tokens of a hidden span")]
    n_salient: Annotated[
        int, Option(min=1, max=N_SENTINELS, help="salient spans hidden at a time, at most")
    ]
    max_tokens: Annotated[int, Option(min=8, help="longer pages are cut into pieces")]


def check_spans(task: Pretraining) -> None:
    """Raise InputError if a text of `max_tokens` has more random spans than T5 has sentinels."""
    if task.objective is Objective.language_model:
        return
    corruption = Corruption(task.noise_density, task.mean_span, task.n_salient)
    n_spans = max(count_noise(n, corruption)[1] for n in range(2, task.max_tokens + 1))
    if n_spans > N_SENTINELS:
        raise InputError(
            f"base.max_tokens={task.max_tokens}, base.noise_density={task.noise_density} and "
            f"base.mean_span={task.mean_span} hide {n_spans} spans of a text, and T5 has "
            f"{N_SENTINELS} sentinels; lower the first two, or raise the third"
        )


def cut_pages(
    pages: list[str], tokenizer: "PreTrainedTokenizerBase", max_tokens: int
) -> list[list[int]]:
    """Return the pages' ids without an end-of-text, in pieces of 2 to `max_tokens`."""
    rows = [ids[:-1] for ids in tokenizer(pages)["input_ids"]]
    pieces = [
        ids[start : start + max_tokens] for ids in rows for start in range(0, len(ids), max_tokens)
    ]
    return [piece for piece in pieces if len(piece) > 1]


def salient_ids(tokenizer: "PreTrainedTokenizerBase", words: set[str]) -> frozenset[int]:
    """Return the ids of the words that are one token."""
    encoded = tokenizer(sorted(words), add_special_tokens=False)["input_ids"]
    return frozenset(ids[0] for ids in encoded if len(ids) == 1)


def pretrain(
    pages: list[str],
    words: set[str],
    tokenizer: "PreTrainedTokenizerBase",
    sizes: Sizes,
    task: Pretraining,
) -> tuple["T5ForConditionalGeneration", dict[str, float]]:
    """Return a T5 trained on the pages, and its last 100 steps' mean loss, steps and tokens.

    Spans are drawn anew in every epoch. Equal epochs are equal numbers of raw tokens.
    """
    from genlab.mini.training import batches_of_epochs, train_mini
    from genlab.models.batches import collate_pairs

    model = new_model(tokenizer, sizes)
    rng = random.Random(sizes.seed)
    rows = cut_pages(pages, tokenizer, task.max_tokens)
    if not rows:
        raise InputError("no page is left to pretrain on; see metrics/clean.json")
    sentinels = tokenizer.convert_tokens_to_ids([sentinel(i) for i in range(N_SENTINELS)])
    salient = salient_ids(tokenizer, words)
    corruption = Corruption(task.noise_density, task.mean_span, task.n_salient)
    lengths = [len(ids) for ids in rows]
    batches = batches_of_epochs(lengths, sizes.batch_size, sizes.epochs, rng)

    def inputs_of(batch: list[int]) -> dict:
        end = tokenizer.eos_token_id
        pairs = [
            make_pair(rows[i], task.objective, corruption, salient, sentinels, end, rng)
            for i in batch
        ]
        rows_of = [{"input_ids": source, "labels": target} for source, target in pairs]
        return collate_pairs(rows_of, tokenizer.pad_token_id)

    rates = sizes.learning_rate, sizes.embedding_learning_rate
    loss = train_mini(model, map(inputs_of, batches), len(batches), *rates)
    counts = {"steps": len(batches), "raw_tokens": sizes.epochs * sum(lengths)}
    return model, {"loss": loss, **counts}


def template_words(tasks_table: Path, templates: Path) -> list[str]:
    """Return texts whose words the tokenizer is to know: of templates, and of examples' fields."""
    found = [each for group in read_templates(templates).values() for each in group]
    texts = [f"{each.jinja} {each.answer_choices}" for each in found]
    texts = [re.sub(r"\{[{%].*?[%}]\}|\|", " ", text, flags=re.DOTALL) for text in texts]
    fields = read_table(tasks_table).filter(split="train")["fields"]
    values = [json.loads(each).values() for each in fields.gather_every(3)]
    return texts * 2 + [" ".join(map(str, each)) for each in values]


def make_base(
    pages_table: Path,
    prompts: list[str],
    words: set[str],
    output: Path,
    sizes: Sizes,
    task: Pretraining,
) -> dict[str, float]:
    """Pretrain a small T5 on pages into the folder `output`; return what `pretrain` says of it.

    The words of templates are among its tokens, as they are among a real model's.
    """
    pages = read_table(pages_table)["text"].to_list()
    tokenizer = train_tokenizer(pages + prompts, sizes.vocab_size)
    model, found = pretrain(pages, words, tokenizer, sizes, task)
    save_tried(model, tokenizer, output, load_text_to_text_model, f"a mini model for {output}")
    found["pretraining_loss"] = found.pop("loss")
    return found | {"parameters": model.num_parameters(), "tokens": len(tokenizer)}


def copy_base(origin: Origin, output: Path) -> dict[str, float]:
    """Write a T5 of the Hub or the user's into the folder `output`; return its size."""
    load = load_text_to_text_model
    if origin.source is Source.hub:
        model_folders.download_base(origin.hub_id, origin.revision, None, output, load=load)
    else:
        model_folders.copy_base(origin.path, None, output, load)
    return {"parameters": load(output).num_parameters()}
