"""classify: train classifiers of reviews on real ones, and measure how far to trust them.

It reads reviews with their splits, and the folder of a language model. It writes a folder with a
classifier of ratings, one of rubrics (each review by its first) and a language model for fluency,
all trained on the train split alone; and in metrics what each makes of the real test reviews. A
classifier that the reviews do not allow (all of one rating, or of one rubric) is left out.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table
from genlab.mini.gpt2 import check_sizes
from genlab.text.classifier import Features, save_classifier, train_classifier
from pipelines.reviews.classifiers import (
    OWN_CLASS,
    check_gain,
    common_rubrics,
    measure_on_reviews,
)
from pipelines.reviews.fluency_model import FluencySizes, copy_or_make_model, measure_fluency

app = stage_app()


def check(fluency: FluencySizes, seed: int) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    check_sizes(fluency.sizes(seed), group="classify.fluency")


@app.command()
@grouped_options
def main(
    reviews: Path,
    fluency_model: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON: accuracy on real test reviews, and counts")],
    max_reviews: Annotated[int, Option(min=0, help="Of a split, drawn at random; 0: all.")],
    min_rubric_reviews: Annotated[int, Option(min=2, help="Rarer rubrics have no classifier.")],
    features: Features,
    inverse_penalty: Annotated[float, Option(min=1e-9, help="scikit-learn's C.")],
    min_gain: Annotated[float, Option(max=1.0, help="Balanced accuracy beyond a constant one's.")],
    fluency: FluencySizes,
    batch_size: Annotated[int, Option(min=1, help="Texts the language model reads at a time.")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Train, save and measure the classifiers."""
    check(fluency, seed)
    table = read_table(reviews)
    train, test = (take(table.filter(split=name), max_reviews, seed) for name in ("train", "test"))
    if train.is_empty() or test.is_empty():
        raise InputError(
            f"{reviews}: classifiers need train and test reviews; see dedup.test_share"
        )

    rubrics = common_rubrics(train, min_rubric_reviews)
    known = {"rating": train, "rubric": train.filter(OWN_CLASS["rubric"].is_in(rubrics))}
    numbers: dict = {"reviews": {"train": train.height, "test": test.height}}
    numbers["reviews"]["train_of_rare_rubrics"] = train.height - known["rubric"].height
    with written_whole(output) as folder:
        folder.mkdir()
        texts = train["text"].to_list()
        numbers["fluency"] = copy_or_make_model(fluency_model, folder, texts, fluency.sizes(seed))
        for kind, rows in known.items():
            classes = rows.select(OWN_CLASS[kind]).to_series()
            if classes.n_unique() < 2:
                print(
                    f"no {kind} classifier: {classes.n_unique()} {kind} in train, nothing to tell"
                )
                continue
            texts = rows["text"].to_list()
            classifier = train_classifier(
                texts,
                classes.to_list(),
                features,
                inverse_penalty,
                balanced=True,
                source="reviews of the train split",
                key="classify.min_texts",
            )
            save_classifier(classifier, folder, kind)
            on_train = measure_on_reviews(classifier, kind, rows, seed)
            numbers[kind] = measure_on_reviews(classifier, kind, test, seed) | {
                f"train_{name}": on_train[name]["value"] for name in ("accuracy", "balanced")
            }
            check_gain(kind, numbers[kind], min_gain)
        numbers["fluency"] |= measure_fluency(folder, test["text"].to_list(), batch_size)

    write_json(metrics, numbers)


def take(table: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """Return at most n rows, drawn at random; all for 0."""
    return table.sample(n, seed=seed) if 0 < n < table.height else table


if __name__ == "__main__":
    run(app)
