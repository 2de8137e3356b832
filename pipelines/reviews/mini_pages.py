"""Pages of reviews, as a site prints them: the texts that the mini T5 is pretrained on.

They hold other reviews than the corpus, made from the vocabulary of mini_reviews.yaml. Each review
follows its place's rubrics, its stars and the words it mentions. A page has no prompt in it, but
like the real web it says what kind of place its text is about.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.models.loading import load_text_to_text_model
from genlab.models.trial import save_tried
from genlab.sources.model_folders import fetch_folder
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.reviews.keywords import Rules, weigh_keywords
from pipelines.reviews.mini_reviews import make_reviews
from pipelines.reviews.review_prompts import write_prompt

if TYPE_CHECKING:
    from genlab.mini.t5 import Sizes

APART = 1_000_003  # from the corpus's seed, which may be the same number

MENTIONED = Rules(
    max_keywords=5, min_chars=3, min_reviews=2, min_reviews_unknown=10, dictionary_forms=True
)


N_PROMPTS = 500  # that the tokenizer sees, and the model does not


def make_pages(path: Path, n_pages: int, seed: int, template: str) -> tuple[list[str], list[str]]:
    """Return `n_pages` texts, and prompts for some of them; the same for the same arguments."""
    reviews = pl.concat(make_reviews(path, n_pages, seed + APART))
    texts = [text.lower().replace("ё", "е") for text in reviews["text"]]  # as clean leaves them
    mentioned, _ = weigh_keywords(texts, [True] * n_pages, MENTIONED)
    rows = list(zip(reviews["rubrics"], reviews["rating"], mentioned, texts, strict=True))
    pages = [
        f"{', '.join(rubrics)}. Оценка {rating}. Упоминают: {', '.join(words)}. {text}"
        for rubrics, rating, words, text in rows
    ]
    return pages, [write_prompt(template, *asked) for *asked, _ in rows[:N_PROMPTS]]


def make_base(path: Path, n_pages: int, template: str, output: Path, sizes: "Sizes") -> float:
    """Pretrain a small T5 on pages into the folder `output`; return its last training loss.

    The words of the prompts' template are among its tokens, as they are among a real model's: in
    pieces, prompts would be twice as long.
    """
    from genlab.mini.t5 import pretrain, train_tokenizer

    pages, prompts = make_pages(path, n_pages, sizes.seed, template)
    tokenizer = train_tokenizer(pages + prompts, sizes.vocab_size)
    model, loss = pretrain(pages, tokenizer, sizes)
    save_tried(model, tokenizer, output, load_text_to_text_model, f"a mini model for {output}")
    return loss


def fetch_base(
    origin: ModelOrigin, n_pages: int, template: str, output: Path, sizes: "Sizes"
) -> tuple[str, dict[str, float]]:
    """Write the base model's folder; return the commit that was downloaded, and its numbers."""
    commit, counts = "none", dict[str, float]()
    if origin.source is ModelSource.mini:
        loss = make_base(origin.made_from, n_pages, template, output, sizes)
        counts["pretraining_loss"] = loss
    else:
        commit, counts = fetch_folder(*origin.where, output, load=load_text_to_text_model)
    return commit, counts | {"parameters": load_text_to_text_model(output).num_parameters()}
