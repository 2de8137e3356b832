"""Labels of passages: what is a grade, what is relevant, and which classes say yes."""

import pytest

from genlab.core.program import InputError
from genlab.passages.labelled_rows import (
    are_no_and_yes,
    check_classes,
    grade_of,
    grade_said,
    header_columns,
    is_relevant,
)


@pytest.mark.parametrize(
    ("label", "grade", "relevant"),
    [
        (0, 0, False),
        ("1", 1, True),
        (" 3 ", 3, True),
        (1.0, 1, True),
        ("1.0", 1, True),
        (True, 1, True),
        ("False", 0, False),
        ("Yes", 1, True),
        ("no ", 0, False),
        (-1, -1, None),  # not judged
        (0.5, None, None),
        ("maybe", None, None),
        ("yes and no", None, None),
        (None, None, None),
    ],
)
def test_a_label_is_a_whole_number_or_yes_or_no_as_a_whole(label, grade, relevant):
    assert grade_said(label) == grade
    assert is_relevant(label) is relevant


def test_judgements_of_trec_have_numbers_alone():
    assert (grade_of("2"), grade_of("yes")) == (2, None)


@pytest.mark.parametrize(
    ("no", "yes", "expected"),
    [
        ("incorrect", "correct", True),
        ("not relevant", "relevant", True),
        ("false", "true", True),
        ("entailment", "not entailment", False),  # QNLI: class 0 is the answer
        ("true", "false", False),
    ],
)
def test_of_two_classes_the_second_must_be_yes(no, yes, expected):
    assert are_no_and_yes(no, yes) is expected


def test_classes_of_which_nobody_can_tell_that_1_is_relevant_are_refused_by_name():
    check_classes("qnli", "label", ["0", "1", "2"])
    check_classes("qnli", "label", ["Not_relevant", "relevant"])
    with pytest.raises(InputError, match=r"^qnli: the classes of label are 0 'entailment', 1 "):
        check_classes("qnli", "label", ["entailment", "not_entailment"])


def test_a_column_called_answer_is_the_passage_only_where_there_is_no_other():
    assert header_columns(["Answer", " Question", "Label"]) == {
        "query": 1, "passage": 0, "label": 2,
    }  # fmt: skip
    assert header_columns(["answer", "question", "label", "text"])["passage"] == 3
