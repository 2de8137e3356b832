import pytest

from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRow, BadRows
from genlab.sources.file_text import RestLost


def test_the_first_bad_row_stops_and_says_how_to_go_on():
    with pytest.raises(InputError, match="line 3: no text; or leave such rows out with"):
        BadRows(are_dropped=False).add(BadRow("text", "line 3: no text"))


def test_dropped_rows_are_counted_by_reason_and_ten_are_named(capsys):
    bad = BadRows(are_dropped=True)
    for n in range(12):
        bad.add(BadRow("text", f"line {n}: no text"))
    bad.add(InputError("line 12: broken"))
    bad.add(RestLost("line 13: an open quote"))
    assert bad.counts == {"text": 12, "row": 1, "rest_of_file": 1}
    said = capsys.readouterr().err.splitlines()
    assert said == [f"left out: line {n}: no text" for n in range(10)] + [
        "left out: more, see the counts"
    ]
