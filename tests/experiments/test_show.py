import pytest

from genlab.core.program import InputError
from genlab.experiments.show import columns_to_show, shortened

HEADER = ["Experiment", "rev", "labse.average_loc", "labse.top_1", "gen.max_len", "gen.seed"]
ROWS = [
    HEADER,
    ["", "main", "3.356", "0.35", "150", "17"],
    ["len-1", "a1", "3.4", "0.36", "50", "17"],
]
PARAMS = ["gen.max_len", "gen.seed"]


def test_the_metric_and_the_params_that_differ_are_shown():
    assert columns_to_show(ROWS, PARAMS, "average_loc") == [2, 4]


def test_a_metric_is_shown_even_where_no_experiment_changed_it():
    assert columns_to_show(ROWS[:2], PARAMS, "top_1") == [3]


def test_an_unknown_metric_is_an_error():
    with pytest.raises(InputError, match="no metric named bleu"):
        columns_to_show(ROWS, PARAMS, "bleu")


def test_numbers_have_three_decimals_and_words_stay():
    cells = ["3.35612", "150", "tuned", "True", "a.b"]
    assert [shortened(cell) for cell in cells] == ["3.356", "150", "tuned", "True", "a.b"]
