"""What raters are asked about this pipeline's texts."""

import polars as pl

from genlab.labelling.questionnaire import read_questionnaire
from pipelines.reviews.label_guesses import guess_answers
from tests.project_copy import ROOT

SHEET = ROOT / "pipelines/reviews/label.yaml"


def test_the_questionnaire_is_readable_and_has_the_studys_four_faults():
    sheet = read_questionnaire(SHEET)
    assert list(sheet.choices) == [
        "correct",
        "any_rubric",
        "positive_at_low",
        "negative_at_high",
        "incoherent",
    ]
    assert sheet.n == 100
    assert all(set(words) == {"ru", "en"} for words in sheet.choices.values())


def test_guesses_follow_the_questionnaires_rule_and_are_none_where_a_classifier_is_ignorant():
    rows = [
        # rating, predicted, rating recovered, rubric recovered -> the one answer that is guessed
        (5, 5, 1.0, 1.0, "correct"),
        (3, 5, 0.0, 1.0, "correct"),  # at a rating of 3 any tone will do
        (5, 3, 0.0, 1.0, "correct"),
        (5, 5, 1.0, 0.0, "any_rubric"),
        (2, 4, 0.0, 1.0, "positive_at_low"),
        (1, 5, 0.0, 0.0, "positive_at_low"),  # the fault lowest in the list
        (4, 2, 0.0, 1.0, "negative_at_high"),
        (4, None, 0.0, 0.0, "any_rubric"),  # no word that the classifiers know
        (5, None, None, 1.0, None),
        (5, 5, 1.0, None, None),
    ]
    names = ["rating", "predicted_rating", "rating_recovered", "rubric_recovered", "expected"]
    scored = pl.DataFrame(rows, schema=names, orient="row").with_row_index("text_id")
    guesses = guess_answers(scored).drop("text_id")
    assert set(guesses.columns) < set(read_questionnaire(SHEET).choices)
    for expected, guess in zip(scored["expected"], guesses.iter_rows(named=True), strict=True):
        wanted = {name: None if expected is None else float(name == expected) for name in guess}
        assert guess == wanted
