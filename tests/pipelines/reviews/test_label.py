"""What raters are asked about this pipeline's texts."""

from genlab.labelling.questionnaire import read_questionnaire
from tests.project_copy import ROOT


def test_the_questionnaire_is_readable_and_has_the_studys_four_faults():
    sheet = read_questionnaire(ROOT / "pipelines/reviews/label.yaml")
    assert list(sheet.choices) == [
        "correct",
        "any_rubric",
        "positive_at_low",
        "negative_at_high",
        "incoherent",
    ]
    assert sheet.n == 100
    assert all(set(words) == {"ru", "en"} for words in sheet.choices.values())
