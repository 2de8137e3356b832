"""Train the judges of generated reviews on real ones, and measure how far to trust them.

In: reviews with their splits, and the folder of a language model. Out: a folder with a classifier
of ratings, one of rubrics (each by its first) and a language model for fluency, all of the train
split alone; in metrics, what each makes of the real reviews of the test split. A judge that the
reviews do not allow (all of one rating, or of one rubric) is left out, and so are its metrics.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table
from pipelines.reviews.fluency_model import copy_or_make_model, measure_fluency
from pipelines.reviews.text_judges import (
    OWN_CLASS,
    Features,
    common_rubrics,
    measure_on_reviews,
    save_judge,
    train_judge,
)

app = stage_app()


@app.command()
def main(
    reviews: Path,
    fluency_model: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON: accuracy on real test reviews, and counts")],
    max_reviews: Annotated[int, Option(min=0, help="Of a split, drawn at random; 0: all.")],
    min_rubric_reviews: Annotated[int, Option(min=2, help="Rarer rubrics have no judge.")],
    word_ngrams: Annotated[int, Option(min=1, max=3, help="Longest sequence of words seen.")],
    char_ngrams: Annotated[
        int, Option(min=0, max=8, help="Of characters in a word; 0: none, else 2-.")
    ],
    min_texts: Annotated[int, Option(min=1, help="Terms in fewer train reviews are not seen.")],
    max_features: Annotated[
        int, Option(min=1, help="Of words, and of characters: the most frequent.")
    ],
    inverse_penalty: Annotated[float, Option(min=1e-9, help="scikit-learn's C.")],
    vocab_size: Annotated[int, Option("--fluency.vocab_size", min=300)],
    n_layer: Annotated[int, Option("--fluency.n_layer", min=1)],
    n_embd: Annotated[int, Option("--fluency.n_embd", min=8)],
    n_head: Annotated[int, Option("--fluency.n_head", min=1)],
    n_positions: Annotated[int, Option("--fluency.n_positions", min=16)],
    epochs: Annotated[int, Option("--fluency.epochs", min=1)],
    train_batch_size: Annotated[int, Option("--fluency.train_batch_size", min=1)],
    learning_rate: Annotated[float, Option("--fluency.learning_rate", min=0)],
    embedding_learning_rate: Annotated[float, Option("--fluency.embedding_learning_rate", min=0)],
    batch_size: Annotated[int, Option(min=1, help="Texts the language model reads at a time.")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Train, save and measure the judges."""
    sizes = {"n_layer": n_layer, "n_embd": n_embd, "n_head": n_head, "n_positions": n_positions}
    rates = {"learning_rate": learning_rate, "embedding_learning_rate": embedding_learning_rate}
    sizes |= rates | {"epochs": epochs, "batch_size": train_batch_size, "seed": seed}
    features = Features(word_ngrams, char_ngrams, min_texts, max_features)
    table = read_table(reviews)
    train, test = (take(table.filter(split=name), max_reviews, seed) for name in ("train", "test"))
    if train.is_empty() or test.is_empty():
        raise InputError(f"{reviews}: judges need train and test reviews; see dedup.test_share")

    rubrics = common_rubrics(train, min_rubric_reviews)
    known = {"rating": train, "rubric": train.filter(OWN_CLASS["rubric"].is_in(rubrics))}
    numbers: dict = {"reviews": {"train": train.height, "test": test.height}}
    numbers["reviews"]["train_of_rare_rubrics"] = train.height - known["rubric"].height
    with written_whole(output) as folder:
        folder.mkdir()
        texts = train["text"].to_list()
        numbers["fluency"] = copy_or_make_model(fluency_model, folder, texts, vocab_size, sizes)
        for kind, rows in known.items():
            classes = rows.select(OWN_CLASS[kind]).to_series()
            if classes.n_unique() < 2:
                print(f"no {kind} judge: {classes.n_unique()} {kind} in train, none to tell apart")
                continue
            texts = rows["text"].to_list()
            judge = train_judge(texts, classes.to_list(), features, inverse_penalty)
            save_judge(judge, folder, kind)
            on_train = measure_on_reviews(judge, kind, rows)
            numbers[kind] = measure_on_reviews(judge, kind, test) | {
                f"train_{name}": on_train[name]["value"] for name in ("accuracy", "balanced")
            }
        numbers["fluency"] |= measure_fluency(folder, test["text"].to_list(), batch_size)

    write_json(metrics, numbers)


def take(table: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """Return at most n rows, drawn at random; all for 0."""
    return table.sample(n, seed=seed) if 0 < n < table.height else table


if __name__ == "__main__":
    run(app)
