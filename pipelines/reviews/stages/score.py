"""score: is what was asked for in the generated reviews, and how well are they written?

It reads the generated texts, the real reviews, the classifiers, and people's labels if there are
any. It writes a row for each text; each arm's numbers with their intervals, between what real
reviews reach and what reviews get that ignore the request; and the shares of the labels.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.labelling.agreement import lines_of, summarize_labels
from genlab.labelling.label_files import read_labels
from genlab.labelling.questionnaire import read_questionnaire
from genlab.models.token_texts import MaxBlankShare, check_blanks, check_lengths
from genlab.text.classifier import load_classifier
from pipelines.reviews.fluency_model import read_each_once
from pipelines.reviews.generated_reviews import (
    REFERENCES,
    add_references,
    check_written,
    cut_generated,
    read_generated,
    with_organisations,
)
from pipelines.reviews.label_guesses import guess_answers
from pipelines.reviews.metrics import score_texts
from pipelines.reviews.schemas import SCORE_SCHEMA
from pipelines.reviews.summary import (
    curves_of,
    five_and_others,
    headline_of,
    plot_by_rating,
    summarize,
    table_of,
)

app = stage_app()


def check(max_len: int, cap: int, made_by: dict[str, dict] | None = None) -> None:
    """Raise InputError unless the texts can be cut, and no arm is called like real reviews."""
    check_lengths(max_len, cap, num_beams=1)  # beams may be cut here, see cut_generated
    for name in (Path(output).name for output in made_by or {} if "train/" in output):
        if name.casefold() in REFERENCES:
            raise InputError(f"arms.{name}: {name} is real reviews; give the arm another name")


@app.command()
def main(
    generated: Path,
    base: Path,
    reviews: Path,
    classifiers: Path,
    questionnaire: Path,
    labels: Path,
    train_curves: Path,
    output: Path,
    arms_output: Annotated[Path, Option(help="rows of all arms")],
    stars_output: Annotated[Path, Option(help="rows of five stars beside all others")],
    metrics: Annotated[Path, Option(help="headline numbers of the arms")],
    details: Annotated[Path, Option(help="of every decoding, arm and rating, with intervals")],
    label_metrics: Annotated[Path, Option(help="shares of people's labels, and agreement")],
    recovered: Annotated[
        Path, Option(help="share of recovered ratings by asked rating, for dvc plots")
    ],
    predicted: Annotated[Path, Option(help="mean recovered rating by asked rating, for dvc plots")],
    curves: Annotated[Path, Option(help="loss against epoch of all arms, for dvc plots")],
    max_len: Annotated[int, Option(min=1, help="New tokens of each text that are scored.")],
    cap: Annotated[int, Option(min=1, help="New tokens that were generated.")],
    arm: Annotated[str, Option(help="Whose rows are compared between runs.")],
    decoding: Annotated[str, Option(help="Of the headline, the plots and the printed table.")],
    repetition_words: Annotated[int, Option(min=1, help="Words of a run that counts as repeated.")],
    distinct_sample: Annotated[int, Option(min=1, help="Word n-grams of which some are distinct.")],
    max_blank_share: MaxBlankShare,
    batch_size: Annotated[int, Option(min=1, help="Texts the fluency model reads at a time.")],
    seed: Annotated[int, Option(min=0, help="Of the bootstrap and of real_other.")],
) -> None:
    """Score the texts, sum them up, count the labels."""
    check(max_len, cap)
    sheet = read_questionnaire(questionnaire)
    answers = read_labels(labels, sheet)
    real = read_table(reviews)
    texts = cut_generated(read_generated(generated, real), base, max_len)
    check_blanks(texts["text"].to_list(), max_blank_share)
    check_written(texts, arm, decoding)

    rows = with_organisations(add_references(texts, real, seed), real)
    # References are the same under every decoding.
    losses = read_each_once(classifiers, rows["text"].to_list(), batch_size)
    scored = score_texts(
        rows,
        real.filter(pl.col("split") == "train")["text"],
        {name: load_classifier(classifiers, name) for name in ("rating", "rubric")},
        losses,
        repetition_words,
    )
    summary = summarize(scored, distinct_sample, seed)

    write_table(output, [scored.filter(pl.col("arm") == arm)], SCORE_SCHEMA)
    write_table(arms_output, [scored], SCORE_SCHEMA)
    stars = five_and_others(scored)
    write_table(stars_output, [stars], stars.schema)
    write_json(metrics, headline_of(summary[decoding]))
    write_json(details, summary)
    labelled = summarize_labels(texts, answers, sheet, guess_answers(scored))
    write_json(label_metrics, labelled)
    for path, column in ((recovered, "rating_recovered"), (predicted, "predicted_rating")):
        write_json(path, plot_by_rating(scored, decoding, column, seed))
    arms = texts["arm"].unique(maintain_order=True)
    write_json(curves, curves_of({name: train_curves / f"{name}.json" for name in arms}))
    print(table_of(summary[decoding]))
    if said := lines_of(labelled):
        print(said)


if __name__ == "__main__":
    run(app)
